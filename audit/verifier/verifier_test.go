package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the hashes of script and style into verifier.html")

// TestPolicyOfThePage holds that the page runs its own script and style and nothing
// else, by the hashes in its Content-Security-Policy.
func TestPolicyOfThePage(t *testing.T) {
	text := string(page)
	for _, name := range []string{"script", "style"} {
		inside := regexp.MustCompile(`(?s)<`+name+`>(.*?)</`+name+`>`).FindAllStringSubmatch(text, -1)
		if len(inside) != 1 || strings.Count(text, "<"+name) != 1 {
			t.Fatalf("the page has not one %s", name)
		}
		sum := sha256.Sum256([]byte(inside[0][1]))
		of := regexp.MustCompile(name + `-src '[^']*'`)
		want := name + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if got := of.FindString(text); got != want {
			if !*update {
				t.Errorf("the page says %s, but it is %s: run with -update", got, want)
			}
			text = strings.Replace(text, got, want, 1)
		}
	}
	if *update {
		if err := os.WriteFile(FileName, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	policy := SecurityPolicy()
	for _, must := range []string{"sandbox allow-scripts;", "default-src 'none';", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, must) {
			t.Errorf("%q is not in %s", must, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the page may more than it needs: %s", policy)
	}
}

// TestPageStandsAlone holds that the page is one small file that asks for no other.
func TestPageStandsAlone(t *testing.T) {
	if len(page) >= 60<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, asks := range []string{" src=", " href=", "url(", "@import", "import(", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "style=", "onclick=", "innerHTML", "eval(", "localStorage"} {
		if bytes.Contains(page, []byte(asks)) {
			t.Errorf("the page has %q", asks)
		}
	}
	changed := Page()
	changed[0]++
	if bytes.Equal(changed, Page()) {
		t.Error("who changes the page that Page returns changes it for others")
	}
}
