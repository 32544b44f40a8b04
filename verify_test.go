package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
)

// verifiable is a vault with a document, and all that its owner keeps of it.
type verifiable struct {
	data, file, log, details, head string
	receipt                        string
}

func newVerifiable(t *testing.T) verifiable {
	t.Helper()
	dir := t.TempDir()
	v := verifiable{
		data: filepath.Join(dir, "data"), file: filepath.Join(dir, "minutes.txt"), head: filepath.Join(dir, "head.txt"),
		log: filepath.Join(dir, "audit.jsonl"), details: filepath.Join(dir, "details.jsonl"),
	}
	if err := os.WriteFile(v.file, []byte("All agreed.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, v.data)
	s.upload(t, s.firstKey(t), "minutes.txt", "All agreed.\n")
	s.end()
	mustRun(t, "export", "--data", v.data, "--log", v.log, "--details", v.details)
	head := mustRun(t, "verify", "--data", v.data)
	if err := os.WriteFile(v.head, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := audit.ParseHead(head)
	if err != nil {
		t.Fatalf("verify printed %q: %v", head, err)
	}
	v.receipt = audit.Receipt{Seq: parsed.Seq, Hash: parsed.Hash}.String()
	return v
}

// TestVerifyLog verifies an export with no vault present, whole and spoilt.
func TestVerifyLog(t *testing.T) {
	v := newVerifiable(t)
	if err := os.RemoveAll(v.data); err != nil {
		t.Fatal(err)
	}
	r := run(t, "verify", "--log", v.log, "--details", v.details, "--head", v.head, "--receipt", v.receipt, "--file", v.file)
	r.expect(t, 0, "5 entries, 1 versions")
	if want, err := os.ReadFile(v.head); err != nil || !strings.HasSuffix(r.stdout, "entry 5\n"+string(want)) ||
		!strings.HasPrefix(r.stdout, v.file+": document 01") || !strings.Contains(r.stdout, " version 1, document.created at ") {
		t.Errorf("it prints\n%s", r.stdout)
	}

	log, err := os.ReadFile(v.log)
	if err != nil {
		t.Fatal(err)
	}
	details, err := os.ReadFile(v.details)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(log), "\n")
	write := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a line changed":   {[]string{"--log", write("log", strings.Replace(string(log), `"access":"admin"`, `"access":"view"`, 1))}, "entry 4: line: "},
		"a line left out":  {[]string{"--log", write("log", lines[0]+lines[2])}, "entry 2: line: "},
		"the tail cut":     {[]string{"--log", write("log", lines[0]+lines[1]), "--head", v.head}, "entry 5: cut_tail: "},
		"a line cut":       {[]string{"--log", write("log", string(log[:len(log)-1]))}, "entry 5: truncated: "},
		"a detail changed": {[]string{"--log", v.log, "--details", write("details", strings.Replace(string(details), "Administrator", "administrator", 1))}, "detail_mismatch: "},
		"another receipt":  {[]string{"--log", v.log, "--receipt", strings.Replace(v.receipt, "5:", "4:", 1)}, "entry 4: receipt: "},
		"another file":     {[]string{"--log", v.log, "--file", v.details}, "no version in this log has these bytes"},
		"an empty log":     {[]string{"--log", write("log", "")}, "empty: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, append([]string{"verify"}, c.args...)...)
			if r.code != 1 || !strings.Contains(r.stdout, c.says) {
				t.Errorf("exit status %d, and %q is not in:\n%s%s", r.code, c.says, r.stdout, r.stderr)
			}
		})
	}
	run(t, "verify", "--log", v.log, "--head", write("head", "no head")).expect(t, 1, "--head")
	run(t, "verify", "--log", v.log, "--receipt", "4:x").expect(t, 2, "--receipt")
	run(t, "verify", "--log", v.log+"x").expect(t, 1, v.log+"x")
}

// TestVerifyVault verifies a vault whose tail was cut and whose bytes rotted.
func TestVerifyVault(t *testing.T) {
	v := newVerifiable(t)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(v.data)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "user", "add", "--data", v.data, "--name", "Later")
	mustRun(t, "verify", "--data", v.data, "--head", v.head, "--bytes")
	later := filepath.Join(t.TempDir(), "later.txt")
	if err := os.WriteFile(later, []byte(mustRun(t, "verify", "--data", v.data)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, "verify", "--data", older, "--head", v.head, "--head", later)
	if r.code != 1 || strings.Count(r.stdout, "entry ") != 1 || !strings.Contains(r.stdout, "entry 6: cut_tail: ") {
		t.Errorf("exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	rotten := 0
	err := filepath.WalkDir(filepath.Join(older, "vaults", "main", "blobs", "sha256"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rotten++
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		return os.WriteFile(path, []byte("all agreed.\n"), 0o600)
	})
	if err != nil || rotten != 1 {
		t.Fatalf("%d files are kept, %v", rotten, err)
	}
	mustRun(t, "verify", "--data", older, "--head", v.head)
	if r := run(t, "verify", "--data", older, "--bytes"); r.code != 1 || !strings.Contains(r.stdout, "blob: ") {
		t.Errorf("exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestExport holds that a file appears whole, private, and in the place of the
// one before; and that what is no ordinary file is left what it is.
func TestExport(t *testing.T) {
	v := newVerifiable(t)
	before, err := os.ReadFile(v.log)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, "user", "add", "--data", v.data, "--name", "Later")
	r := run(t, "export", "--data", v.data, "--log", v.log, "--details", v.details)
	r.expect(t, 0)
	after, err := os.ReadFile(v.log)
	if err != nil || !strings.HasPrefix(string(after), string(before)) || strings.Count(string(after), "\n") != 6 {
		t.Errorf("%v\n%s", err, after)
	}
	if head := mustRun(t, "verify", "--log", v.log, "--details", v.details); head != r.stderr {
		t.Errorf("the head exported is\n%s, verified\n%s", r.stderr, head)
	}
	if printed := mustRun(t, "export", "--data", v.data, "--log", "-"); printed != string(after) {
		t.Errorf("standard output has\n%s", printed)
	}
	left, err := os.ReadDir(filepath.Dir(v.log))
	if err != nil || len(left) != 5 {
		t.Errorf("there is %v, %v", left, err)
	}
	mustRun(t, "export", "--data", v.data, "--log", os.DevNull)
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is now an ordinary file", os.DevNull)
	}
	run(t, "export", "--data", v.data, "--log", filepath.Join(v.log, "x")).expect(t, 1, "--log")
}
