package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// TestBehindAProxyWithTLSAndAPrefix has the pages below a path of somebody else's
// server, which speaks TLS to the browser and hands requests on in the clear.
func TestBehindAProxyWithTLSAndAPrefix(t *testing.T) {
	thorough(t)
	kit := vault(t)
	var inner *url.URL
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.SetXForwarded()
	}})
	t.Cleanup(proxy.Close)
	h := openHouse(t, kit, console.Options{Prefix: "/papers/vault", PublicURL: proxy.URL})
	var err error
	if inner, err = url.Parse(strings.TrimSuffix(h.url, h.prefix)); err != nil {
		t.Fatal(err)
	}
	h.url = proxy.URL + h.prefix
	ada := h.tab(t, false)
	ada.throughAnHour(t)
	for _, c := range ada.cookies() {
		if !c.Secure || !c.HTTPOnly || c.Path != "/papers/vault/console/" || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("the cookie is %+v", c)
		}
	}
	script := h.as(t, "Ulla Uploader", engine.AccessUpload, true)
	script.open("upload")
	script.files("Choose files", written(t, "b.txt", "two"))
	script.click("Upload")
	script.until("the file", "document.querySelector('[data-said]').textContent === 'All are kept.'")
	script.follow("kept")
	script.says("b.txt", "Versions")
}

// TestOverTLS has the pages at a server that speaks TLS itself.
func TestOverTLS(t *testing.T) {
	h := newHouse(t)
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	ada := h.tab(t, false)
	ada.throughAnHour(t)
	for _, c := range ada.cookies() {
		if !c.Secure {
			t.Errorf("the cookie is %+v", c)
		}
	}
	answer, err := server.Client().Get(server.URL + "/console/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, %v", answer.Status, answer.Header)
	}
}

// throughAnHour goes through what has addresses, forms, files and a sign-in in it.
func (b *tab) throughAnHour(t *testing.T) {
	t.Helper()
	b.open("/console/")
	b.says("Sign in")
	b.signIn(b.h.Token)
	b.follow("Upload")
	b.files("Choose files", written(t, "lease.txt", "the lease"))
	b.follow("Upload")
	b.says("lease.txt", "is kept")
	b.click("Edit…")
	b.fill("Description", "For ten years")
	b.follow("Save")
	b.says("For ten years")
	b.open("documents?status=all")
	b.follow("lease.txt")
	b.follow("Reference")
	b.follow("Documents and versions")
	b.says("curl", b.h.url+"/v1/")
	b.follow("Settings")
	b.follow("Health")
	if styled := get[string](b, "getComputedStyle(document.querySelector('nav')).display"); styled != "flex" {
		t.Errorf("the pages have no style at %s: %s", b.path(), styled)
	}
}

// cookies are those of the page that is open.
func (b *tab) cookies() []*network.Cookie {
	b.Helper()
	list := call(b, network.GetCookies, network.GetCookiesParams{}).Cookies
	if len(list) == 0 {
		b.Error("there are no cookies")
	}
	return list
}
