//go:build unix

package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
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

// TestNothingButFiles holds that what somebody laid in the place of a blob, in a
// store or in an archive, is not followed, not waited for, and called no blob.
func TestNothingButFiles(t *testing.T) {
	disk := diskIn(t)
	archive := NewArchive(t.TempDir(), 1<<20)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	content := []byte("the bytes of the blob")
	digest := Digest(sha256.Sum256(content))
	if err := os.WriteFile(elsewhere, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"disk": disk.path(digest), "archive": archive.path(digest), "part": archive.path(digest) + ".000"} {
		var kept interface {
			Open(Digest) (io.ReadSeekCloser, error)
			Stat(Digest) (int64, error)
			Check(context.Context, Digest) (int64, error)
		} = archive
		if name == "disk" {
			kept = disk
		}
		for what, lay := range map[string]func() error{
			"symbolic link": func() error { return os.Symlink(elsewhere, path) },
			"dead link":     func() error { return os.Symlink(elsewhere+"-none", path) },
			"pipe":          func() error { return syscall.Mkfifo(path, 0o666) },
			"directory":     func() error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) },
		} {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), lay()); err != nil {
				t.Fatal(err)
			}
			if f, err := kept.Open(digest); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: a %s: open: %v, %v", name, what, f, err)
			}
			if size, err := kept.Stat(digest); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: a %s: stat: %d, %v", name, what, size, err)
			}
			if _, err := kept.Check(t.Context(), digest); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: a %s: check: %v", name, what, err)
			}
			if err := archive.Clear(digest); err != nil {
				t.Errorf("%s: a %s: clear: %v", name, what, err)
			}
			if _, err := os.Lstat(path); name != "disk" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: a %s is left: %v", name, what, err)
			}
			os.RemoveAll(path)
		}
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error("what the links led to:", err)
	}
}

func diskIn(t *testing.T) *Disk {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
