package blobstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// store is what an archive and a disk have in common.
type store interface {
	Batch() *Batch
	Stat(Digest) (int64, error)
	Open(Digest) (io.ReadSeekCloser, error)
}

// TestBatch brings blobs of many sizes, about the cut above all, into an archive
// and a disk, and reads them back, from any offset.
func TestBatch(t *testing.T) {
	const cut = 1000
	dir := filepath.Join(t.TempDir(), "archive")
	for name, s := range map[string]store{"archive": NewArchive(dir, cut), "disk": open(t)} {
		b := s.Batch()
		defer b.Discard()
		blobs := map[Digest][]byte{}
		for i, size := range []int{0, 1, cut - 1, cut, cut + 1, 2 * cut, 3*cut + 1, chunkSize + 1} {
			p := random(uint64(100+i), size)
			d := Digest(sha256.Sum256(p))
			blobs[d] = p
			if n, err := b.Add(t.Context(), d, bytes.NewReader(p)); err != nil || n != int64(size) {
				t.Fatalf("%s: Add of %d bytes: %d, %v", name, size, n, err)
			}
		}
		wrong := Digest{1}
		if _, err := b.Add(t.Context(), wrong, strings.NewReader("other bytes")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: wrong bytes: %v", name, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for d, p := range blobs {
			if size, err := s.Stat(d); err != nil || size != int64(len(p)) {
				t.Errorf("%s: Stat of %d bytes: %d, %v", name, len(p), size, err)
			}
			for _, at := range []int64{0, 1, cut - 1, cut, cut + 1, int64(len(p))} {
				f, err := s.Open(d)
				if err != nil {
					t.Fatal(err)
				}
				at = min(at, int64(len(p)))
				if _, err := f.Seek(at, io.SeekStart); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, p[at:]) {
					t.Errorf("%s: %d bytes from %d: read %d, %v", name, len(p), at, len(got), err)
				}
				f.Close()
			}
		}
		if _, err := s.Stat(wrong); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: wrong bytes are kept: %v", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "staging")); err != nil || len(left) > 0 {
		t.Errorf("left in staging: %v, %v", left, err)
	}
	a := NewArchive(dir, cut)
	var seen []Digest
	err := a.Each(t.Context(), func(d Digest, size int64) error {
		seen = append(seen, d)
		if n, err := a.Check(t.Context(), d); err != nil || n != size {
			t.Errorf("Check: %d, %v", n, err)
		}
		return a.Remove(d)
	})
	if err != nil || len(seen) != 8 || !slices.IsSortedFunc(seen, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) }) {
		t.Errorf("Each: %v, %v", seen, err)
	}
	if err := a.Each(t.Context(), func(d Digest, _ int64) error { t.Errorf("%v is still there", d); return nil }); err != nil {
		t.Error(err)
	}
}
