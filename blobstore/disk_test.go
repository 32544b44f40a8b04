package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB) *Disk {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir)
}

func reopen(t testing.TB, dir string) *Disk {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func keep(t testing.TB, d *Disk, p []byte) Digest {
	t.Helper()
	s, err := d.Stage(t.Context(), bytes.NewReader(p), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Digest()
}

// random returns n bytes that seed determines.
func random(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	p := make([]byte, n)
	rand.NewChaCha8(key).Read(p)
	return p
}

// leftovers are the staged files on the disk.
func leftovers(t testing.TB, d *Disk) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.dir, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func all(t testing.TB, d *Disk) map[Digest]int64 {
	t.Helper()
	found := map[Digest]int64{}
	err := d.Each(t.Context(), func(digest Digest, size int64) error {
		found[digest] = size
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInitIsIdempotent(t *testing.T) {
	d := open(t)
	digest := keep(t, d, []byte("contract"))
	if err := Init(d.dir); err != nil {
		t.Fatal(err)
	}
	if size, err := reopen(t, d.dir).Check(t.Context(), digest); err != nil || size != 8 {
		t.Fatalf("Check = %d, %v", size, err)
	}
}

func TestOpen(t *testing.T) {
	t.Run("no store", func(t *testing.T) {
		if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("got %v, want os.ErrNotExist", err)
		}
	})
	t.Run("sweeps staging", func(t *testing.T) {
		d := open(t)
		if _, err := d.Stage(t.Context(), bytes.NewReader(make([]byte, SmallSize+1)), 0); err != nil {
			t.Fatal(err)
		}
		if len(leftovers(t, d)) != 1 {
			t.Fatal("a long blob is not staged in a file")
		}
		if names := leftovers(t, reopen(t, d.dir)); len(names) > 0 {
			t.Fatalf("left %q", names)
		}
	})
	t.Run("makes empty directories that a copy left out", func(t *testing.T) {
		d := open(t)
		for _, name := range []string{"staging", "sha256/00", "sha256/a7", "sha256/ff"} {
			if err := os.Remove(filepath.Join(d.dir, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
		}
		d = reopen(t, d.dir)
		for i := range 64 {
			keep(t, d, []byte{byte(i)})
		}
		if len(all(t, d)) != 64 {
			t.Fatal("blobs are missing")
		}
	})
}

func TestModes(t *testing.T) {
	if blobMode != 0o400 {
		t.Skip("modes mean little here")
	}
	d := open(t)
	small, large := keep(t, d, []byte("small")), keep(t, d, make([]byte, SmallSize+1))
	for path, want := range map[string]os.FileMode{
		d.dir:                           0o700,
		filepath.Join(d.dir, "staging"): 0o700,
		filepath.Join(d.dir, "sha256"):  0o700,
		d.fanoutPath(7):                 0o700,
		d.path(small):                   0o400,
		d.path(large):                   0o400,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

func TestRemoveWhileOpen(t *testing.T) {
	d := open(t)
	want := random(1, 300_000)
	digest := keep(t, d, want)
	r, err := d.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(*os.File); !ok {
		t.Errorf("Open returns %T, which hides sendfile", r)
	}
	if err := d.Remove(digest); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := d.Open(digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open after Remove: %v", err)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	d := open(t)
	want := random(2, 2*chunkSize+5)
	digest := keep(t, d, want)
	damage := func(name string, change func(p []byte) []byte) {
		t.Helper()
		if err := os.Remove(d.path(digest)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path(digest), change(slices.Clone(want)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Check(t.Context(), digest); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
	damage("flipped bit", func(p []byte) []byte { p[chunkSize+3] ^= 1; return p })
	damage("emptied", func([]byte) []byte { return nil })
	damage("cut short", func(p []byte) []byte { return p[:len(p)-1] })

	if keep(t, d, want); t.Failed() {
		return
	}
	if size, err := d.Check(t.Context(), digest); err != nil || size != int64(len(want)) {
		t.Errorf("keeping the bytes anew did not heal a blob cut short: %d, %v", size, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Check(ctx, digest); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Check: %v", err)
	}
}

func TestEachReportsForeignFiles(t *testing.T) {
	d := open(t)
	digest := keep(t, d, []byte("known"))
	stray := Digest(sha256.Sum256([]byte("in the wrong directory")))
	foreign := []string{
		filepath.Join("sha256", "README"),
		filepath.Join("sha256", "zz"),
		filepath.Join("sha256", "00", ".DS_Store"),
		filepath.Join("sha256", "ab", strings.ToUpper(strings.Repeat("ab", 32))),
		filepath.Join("sha256", fmt.Sprintf("%02x", stray[0]+1), stray.Hex()),
	}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(d.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	directory := filepath.Join("sha256", "11", strings.Repeat("1", 64))
	if err := os.Mkdir(filepath.Join(d.dir, directory), 0o700); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := d.Each(t.Context(), func(got Digest, size int64) error {
		seen++
		if got != digest || size != 5 {
			t.Errorf("saw %v, %d", got, size)
		}
		return nil
	})
	if seen != 1 || !errors.Is(err, ErrForeign) {
		t.Fatalf("saw %d blobs, %v", seen, err)
	}
	for _, name := range append(foreign, directory) {
		if !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q is not named in %v", name, err)
		}
	}
}
