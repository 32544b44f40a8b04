package main

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConsoleOfAServer holds what serve makes of its flags: pages, or none; and a
// cookie that goes over TLS alone where there is TLS, here or before the server.
func TestConsoleOfAServer(t *testing.T) {
	certFile, keyFile, roots := selfSigned(t)
	for name, c := range map[string]struct {
		flags        []string
		none, secure bool
	}{
		"usual":          {nil, false, false},
		"none":           {[]string{"--console=false"}, true, false},
		"TLS":            {[]string{"--tls-cert", certFile, "--tls-key", keyFile}, false, true},
		"behind a proxy": {[]string{"--public-url", "https://vault.example.com"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := startServer(t, dir, c.flags...)
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			t.Cleanup(client.CloseIdleConnections)
			key, err := os.ReadFile(filepath.Join(dir, "first-admin-key"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.PostForm(s.url+"/console/sign-in", url.Values{"key": {strings.TrimSpace(string(key))}})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			cookies := resp.Cookies()
			if c.none {
				if resp.StatusCode != http.StatusNotFound || len(cookies) > 0 {
					t.Errorf("%s, cookies %v", resp.Status, cookies)
				}
				return
			}
			if resp.StatusCode != http.StatusSeeOther || len(cookies) != 1 || cookies[0].Secure != c.secure {
				t.Errorf("%s, cookies %v", resp.Status, cookies)
			}
			if strict := resp.Header.Get("Strict-Transport-Security") != ""; strict != (name == "TLS") {
				t.Errorf("Strict-Transport-Security: %v", strict)
			}
		})
	}
}
