package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strongroom/engine"
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

// TestHosts holds that no answer makes a URL of a Host that is not known to be
// this server's.
func TestHosts(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for _, c := range []struct{ public, host, want string }{
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080/vault"}, {"", "localhost", "http://localhost/vault"}, {"", "LocalHost:1", "http://LocalHost:1/vault"},
		{"", "[::1]:8080", "http://[::1]:8080/vault"}, {"", "127.9.9.9", "http://127.9.9.9/vault"},
		{"", "vault.example", "http://vault.example/vault"}, {"", "Vault.Example:8443", "http://Vault.Example:8443/vault"}, {"", "10.0.0.7:8080", "http://10.0.0.7:8080/vault"},
		{"", "[2001:db8::7]:8080", "http://[2001:db8::7]:8080/vault"},
		{"", "evil.example", "/vault"}, {"", "10.0.0.8", "/vault"}, {"", "vault.example.evil.example", "/vault"}, {"", "localhost.evil.example", "/vault"},
		{"", "evil.example:80", "/vault"}, {"", "vault.example:evil", "/vault"}, {"", "vault.example:80:80", "/vault"}, {"", "127.0.0.1.evil.example", "/vault"}, {"", "", "/vault"}, {"", ":80", "/vault"},
		{"https://documents.example", "evil.example", "https://documents.example/vault"}, {"https://documents.example", "localhost", "https://documents.example/vault"},
	} {
		s := New(map[string]*engine.Vault{"main": k.vaults["main"].Vault}, Options{Prefix: "/vault", PublicURL: c.public, AllowedHosts: []string{"vault.example", "10.0.0.7", "[2001:db8::7]"}})
		ask := func(method, path, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Host = c.host
			r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		if w := ask("POST", "/vault/v1/documents?fileName=a", "a"); !strings.HasPrefix(w.Header().Get("Location"), c.want+"/v1/documents/") {
			t.Errorf("%s: Location: %s", c.host, w.Header().Get("Location"))
		}
		if w := ask("GET", "/vault/oauth/userinfo", ""); !strings.Contains(w.Body.String(), `"base_uri":"`+c.want+`"`) {
			t.Errorf("%s: %s", c.host, w.Body)
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
