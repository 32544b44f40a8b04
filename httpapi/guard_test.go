package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGuards holds what every answer says to browsers: those of errors and of
// files too.
func TestGuards(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	d := k.vaults["main"].Create("a.txt", "a")
	secure := httptest.NewTLSServer(k.server)
	defer secure.Close()
	for _, path := range []string{"/v1/me", "/nowhere", "/v1/documents/" + d.ID + "/content", "/livez"} {
		a, _ := k.do("view", "GET", path, nil)
		if a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || a.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, a.Header)
		}
		r, _ := http.NewRequest("GET", secure.URL+path, nil)
		r.Header.Set("Authorization", "Bearer "+k.tokens["view"])
		a, err := secure.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || !strings.HasPrefix(a.Header.Get("Strict-Transport-Security"), "max-age=") {
			t.Errorf("over TLS, %s: %v", path, a.Header)
		}
	}
}

// TestInline holds that a browser is given to show only what nothing can run in.
func TestInline(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for media, want := range map[string]string{
		"application/pdf": "inline", "image/png": "inline", "text/plain; charset=utf-8": "inline",
		"text/html": "attachment", "text/html; charset=utf-8": "attachment", "image/svg+xml": "attachment",
		"application/xhtml+xml": "attachment", "text/xml": "attachment", "application/javascript": "attachment", "multipart/related": "attachment",
		"application/x-unheard-of": "attachment", "text/xsl": "attachment",
	} {
		a, body := k.do("upload", "POST", "/v1/documents?fileName=file", strings.NewReader("bytes"), "Content-Type", media)
		if a.StatusCode != 201 {
			t.Fatal(a.Status, body)
		}
		path := strings.TrimPrefix(a.Header.Get("Location"), k.http.URL)
		for _, way := range []string{"/content?inline=1", "/versions/1/content?inline=1"} {
			a, _ = k.do("view", "GET", path+way, nil)
			kind, _, _ := strings.Cut(a.Header.Get("Content-Disposition"), ";")
			if policy := a.Header.Get("Content-Security-Policy"); kind != want || policy != "default-src 'none'; sandbox" {
				t.Errorf("%s%s: %s, %s", media, way, kind, policy)
			}
		}
	}
}
