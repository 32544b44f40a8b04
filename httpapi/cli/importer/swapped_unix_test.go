//go:build unix

package importer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestImportOfSwappedFiles holds that what takes a file's place between the judgement
// and the reading is not read: a pipe would hold up a worker for ever.
func TestImportOfSwappedFiles(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, ".secret")
	for _, name := range []string{"pipe", "link", "file", ".secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	line, end := served(t)
	defer end()
	m, err := New(t.Context(), line, source)
	if err != nil {
		t.Fatal(err)
	}
	for name, swap := range map[string]func(at string) error{
		"pipe": func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"link": func(at string) error { return os.Symlink(secret, at) },
		"file": func(at string) error { return os.WriteFile(at, []byte("another"), 0o600) },
	} {
		f, err := m.judge.file(Row{Path: name, cells: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, name)
		kept := at + "-kept" // else its inode may be that of the next
		if err := errors.Join(os.Rename(at, kept), swap(at)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, _, err := m.put(ctx, f); err == nil || !errors.Is(err, ErrReplaced) && !strings.Contains(err.Error(), "escapes") {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
