package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJSON holds that whatever a script asks is answered in JSON, a line for each
// thing, with the names it needs.
func TestJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("scans", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("scans", "a.txt"), []byte("A"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "init")
	for _, c := range []struct{ args, fields string }{
		{"import scans --check", "checked bytes"},
		{"import scans", "imported versions skipped failed bytes"},
		{"user list", "id access"},
		{"key list", "id userId"},
		{"vault list", "name directory"},
		{"verify --bytes", "head entries versions blobs findings"},
		{"backup --to monday", "vault directory head documents copied"},
		{"export --log log.jsonl", "log head"},
		{"verify --log log.jsonl --file scans/a.txt", "head entries versions findings matches"},
		{"restore --from monday --log log.jsonl --data other", "vault made restored documents since"},
		{"restore --from monday --without-log --data third", "vault restored"},
		{"resume --data other", "vault paused"},
		{"compact", "vault rows before after head"},
		{"doctor", "of level what says"},
		{"version", "version commit go platform"},
	} {
		r := run(t, append(strings.Fields(c.args), "--json")...)
		if r.code != 0 || r.stdout == "" {
			t.Errorf("%s: exit status %d\n%s%s", c.args, r.code, r.stdout, r.stderr)
		}
		for line := range strings.Lines(r.stdout) {
			said := decoded(t, line)
			for _, name := range strings.Fields(c.fields) {
				if _, there := said[name]; !there {
					t.Errorf("%s: there is no %s in %s", c.args, name, line)
				}
			}
		}
	}
	r := run(t, "verify", "--log", "log.jsonl", "--receipt", "1:"+strings.Repeat("1", 64), "--json")
	if r.code != 1 || r.stdout == "" {
		t.Fatalf("%+v", r)
	}
	if findings := decoded(t, r.stdout)["findings"].([]any); len(findings) != 1 {
		t.Errorf("%+v", r)
	}
}
