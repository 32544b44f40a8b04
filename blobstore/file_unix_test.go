//go:build unix

package blobstore

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWriteFileFollowsNoLink holds that a link which another user laid where a file
// is on its way leads nowhere, and that a pipe there stops nobody.
func TestWriteFileFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "manifest.json"), filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, lay := range map[string]func(at string) error{
		"symbolic link": func(at string) error { return os.Symlink(target, at) },
		"hard link":     func(at string) error { return os.Link(target, at) },
		"dead link":     func(at string) error { return os.Symlink(filepath.Join(dir, "made"), at) },
		"pipe":          func(at string) error { return syscall.Mkfifo(at, 0o666) },
		"leftover":      func(at string) error { return os.WriteFile(at, []byte("longer than what is written"), 0o600) },
	} {
		if err := lay(path + ".new"); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(path, []byte(what)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != what {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", what, info, err)
		}
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "kept" {
		t.Errorf("what the links led to is %q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "made")); err == nil {
		t.Error("a link was followed to make a file")
	}
}

// TestOpenRegular holds that what is no regular file is refused, and not waited for.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(at("file"), []byte("text"), 0o600), os.Symlink(at("file"), at("link")), os.Mkdir(at("dir"), 0o700),
		syscall.Mkfifo(at("pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", "dir", "pipe", "none"} {
		if f, err := OpenRegular(at(name)); err == nil {
			t.Errorf("%s was opened", name)
			f.Close()
		}
		// Where it takes a file's place after the first look.
		if f, err := openUnlinked(at(name)); err == nil {
			if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
				t.Errorf("%s is opened as %v, %v", name, info, err)
			}
			f.Close()
		}
	}
	f, err := OpenRegular(at("file"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
