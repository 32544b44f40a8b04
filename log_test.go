package main

import (
	"net/http"
	"strings"
	"testing"
)

// A log that an operator opens is signed without anybody asking, under the name that
// he gives; its lines stay closed.
func TestServeOpensALog(t *testing.T) {
	dir := t.TempDir()
	run(t, "serve", "--data", dir, "--public-entries").expect(t, 2, "--public-log")
	run(t, "serve", "--data", dir, "--origin", "two words").expect(t, 2, "--origin")
	run(t, "serve", "--data", dir, "--public-log", "A B").expect(t, 2, "--public-log")
	other := t.TempDir()
	run(t, "init", "--data", other)
	run(t, "serve", "--data", other, "--listen", "127.0.0.1:0", "--public-log", "sales").expect(t, 1, `no vault "sales"`)
	s := startServer(t, dir, "--public-log", "main", "--origin", "vault.example.com/log")
	key := s.firstKey(t)
	if _, body := s.do(t, key, "GET", "/v1/log/checkpoint", nil); !strings.HasPrefix(string(body), "vault.example.com/log/main\n") {
		t.Fatalf("%s", body)
	}
	for path, want := range map[string]int{"/log/main/checkpoint": http.StatusOK, "/log/main/tile/0/000.p/1": http.StatusOK, "/log/main/tile/entries/000.p/1": http.StatusNotFound, "/log/sales/checkpoint": http.StatusNotFound} {
		if a, body := s.do(t, "", "GET", path, nil); a.StatusCode != want {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
	}
}
