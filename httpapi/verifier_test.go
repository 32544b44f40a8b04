package httpapi

import (
	"strings"
	"testing"

	"strongroom/audit/verifier"
)

// TestVerifierIsOpen holds that everybody gets the page that checks proofs, whole, and
// in a sandbox in which nothing runs but its own script.
func TestVerifierIsOpen(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	a, body := k.do("", "GET", "/v1/verifier.html", nil)
	policy := a.Header.Get("Content-Security-Policy")
	if a.StatusCode != 200 || body != string(verifier.Page()) || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s, %d bytes, %v", a.Status, len(body), a.Header)
	}
	if !strings.HasPrefix(policy, "sandbox allow-scripts; default-src 'none'; script-src 'sha256-") || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the page may %s", policy)
	}
	if a, _ := k.do("view", "GET", "/v1/verifier.html?key=x", nil); a.StatusCode != 400 {
		t.Errorf("a query is %s", a.Status)
	}
}
