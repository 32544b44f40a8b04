package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Where a file cannot have two names, the database is copied: over half a copy that a
// crash left, and over what has its name. One that cannot be read leaves nothing.
func TestADatabaseIsCopiedWhereLinksAreNot(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, FileDB), filepath.Join(dir, FileRows)
	want := bytes.Repeat([]byte("database"), 50_000)
	for path, b := range map[string][]byte{from: want, to: []byte("of before"), to + newSuffix: []byte("half")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyFile(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it has %d bytes, %v", len(got), err)
	}
	if err := os.Remove(from); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(from, 0o700); err != nil { // it opens, and cannot be read
		t.Fatal(err)
	}
	if err := copyFile(from, to); err == nil {
		t.Error("a directory was copied")
	}
	if _, err := os.Stat(to + newSuffix); !os.IsNotExist(err) {
		t.Errorf("half a copy is left: %v", err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy before has %d bytes, %v", len(got), err)
	}
}
