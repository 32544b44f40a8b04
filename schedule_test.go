package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
)

// TestHeadLog holds that the heads are written down at start and at stop, and
// that verify takes the file as it is, all vaults' heads in it.
func TestHeadLog(t *testing.T) {
	data := t.TempDir()
	heads := filepath.Join(t.TempDir(), "heads.txt")
	mustRun(t, "init", "--data", data, "--vault", "other")
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data, "--head-log", heads)
	s.upload(t, key, "a.txt", "a")
	if code := s.end(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.stderr)
	}
	text, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := audit.ParseHeads(string(text))
	if err != nil || len(parsed) != 4 || parsed[2].Seq != parsed[0].Seq+1 {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, vault := range []string{"main", "other"} {
		mustRun(t, "verify", "--data", data, "--vault", vault, "--head", heads)
	}
	run(t, "serve", "--data", data, "--head-log", filepath.Join(heads, "x")).code1(t, "--head-log")
}
