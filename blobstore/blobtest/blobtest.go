// Package blobtest holds any store of blobs to what blobstore.Disk promises.
//
// Another store passes when its test is
//
//	func TestStore(t *testing.T) {
//		blobtest.Test(t, func(t *testing.T) blobtest.Store { return openEmptyStore(t) })
//	}
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/iotest"

	"strongroom/blobstore"
)

// Store is what a store of blobs does; the contract is written at blobstore.Disk.
type Store interface {
	Stage(ctx context.Context, r io.Reader, limit int64) (blobstore.Staged, error)
	Open(digest blobstore.Digest) (io.ReadSeekCloser, error)
	Stat(digest blobstore.Digest) (size int64, err error)
	Remove(digest blobstore.Digest) error
	Check(ctx context.Context, digest blobstore.Digest) (size int64, err error)
	Each(ctx context.Context, fn func(digest blobstore.Digest, size int64) error) error
}

// Test runs the law as subtests. open returns a store that is empty and is
// closed by t.Cleanup if it must be.
func Test(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(t *testing.T, s Store){
		"round trip":       roundTrip,
		"absent":           absent,
		"invisible":        invisible,
		"equal bytes":      equalBytes,
		"refused":          refused,
		"enumeration":      enumeration,
		"equal bytes race": equalBytesRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// sizes are around those at which stores tend to change their ways.
var sizes = []int{0, 1, 511, 512, 513, 4096, 65536, 1<<17 - 1, 1 << 17, 1 << 18, 1<<18 + 1, 1<<20 + 1, 3<<20 + 7}

func random(seed, size int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(p)
	return p
}

func stage(t *testing.T, s Store, p []byte) blobstore.Staged {
	t.Helper()
	staged, err := s.Stage(t.Context(), bytes.NewReader(p), 0)
	if err != nil {
		t.Fatal(err)
	}
	return staged
}

func keep(t *testing.T, s Store, p []byte) blobstore.Digest {
	t.Helper()
	staged := stage(t, s, p)
	if err := staged.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	return staged.Digest()
}

// mustHold reads the blob in every way there is.
func mustHold(t *testing.T, s Store, want []byte) {
	t.Helper()
	digest := blobstore.Digest(sha256.Sum256(want))
	if size, err := s.Stat(digest); err != nil || size != int64(len(want)) {
		t.Errorf("Stat = %d, %v; want %d", size, err, len(want))
	}
	if size, err := s.Check(t.Context(), digest); err != nil || size != int64(len(want)) {
		t.Errorf("Check = %d, %v; want %d", size, err, len(want))
	}
	r, err := s.Open(digest)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want the %d kept", len(got), err, len(want))
	}
	half := int64(len(want) / 2)
	if at, err := r.Seek(half, io.SeekStart); err != nil || at != half {
		t.Errorf("Seek = %d, %v", at, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[half:]) {
		t.Errorf("read %d bytes from the middle, %v", len(got), err)
	}
	if end, err := r.Seek(0, io.SeekEnd); err != nil || end != int64(len(want)) {
		t.Errorf("the end is at %d, %v", end, err)
	}
}

func mustLack(t *testing.T, s Store, digest blobstore.Digest) {
	t.Helper()
	if r, err := s.Open(digest); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("Open: %v, want ErrNotFound", err)
		if err == nil {
			r.Close()
		}
	}
	if _, err := s.Stat(digest); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("Stat: %v, want ErrNotFound", err)
	}
	if _, err := s.Check(t.Context(), digest); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("Check: %v, want ErrNotFound", err)
	}
}

func roundTrip(t *testing.T, s Store) {
	for i, size := range sizes {
		p := random(i, size)
		staged, err := s.Stage(t.Context(), iotest.HalfReader(bytes.NewReader(p)), int64(size))
		if err != nil {
			t.Fatalf("%d bytes, as many as the limit allows: %v", size, err)
		}
		if err := staged.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if staged.Size() != int64(size) || staged.Digest() != sha256.Sum256(p) || !bytes.Equal(staged.Prefix(), p[:min(512, size)]) {
			t.Errorf("%d bytes are staged as %d bytes, %v, prefix of %d", size, staged.Size(), staged.Digest(), len(staged.Prefix()))
		}
		mustHold(t, s, p)
	}
	for i, size := range sizes {
		digest := blobstore.Digest(sha256.Sum256(random(i, size)))
		for range 2 { // removal of what is absent is no error
			if err := s.Remove(digest); err != nil {
				t.Fatal(err)
			}
		}
		mustLack(t, s, digest)
	}
}

func absent(t *testing.T, s Store) {
	mustLack(t, s, blobstore.Digest{})
	mustLack(t, s, sha256.Sum256([]byte("never kept")))
	if err := s.Remove(blobstore.Digest{}); err != nil {
		t.Error(err)
	}
}

// invisible: what is staged is seen by nobody, what is discarded never was.
func invisible(t *testing.T, s Store) {
	for _, size := range sizes {
		staged := stage(t, s, random(99, size))
		mustLack(t, s, staged.Digest())
		for range 2 {
			if err := staged.Discard(); err != nil {
				t.Error(err)
			}
		}
		if err := staged.Keep(t.Context()); !errors.Is(err, blobstore.ErrDiscarded) {
			t.Errorf("Keep after Discard: %v", err)
		}
		mustLack(t, s, staged.Digest())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	staged := stage(t, s, []byte("withdrawn"))
	if err := staged.Keep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Keep: %v", err)
	}
	mustLack(t, s, staged.Digest())
}

// equalBytes: they are kept once, and discarding a copy leaves the kept one alone.
func equalBytes(t *testing.T, s Store) {
	for i, size := range sizes {
		p := random(i, size)
		first, second, third := stage(t, s, p), stage(t, s, p), stage(t, s, p)
		for _, staged := range []blobstore.Staged{first, second, second} {
			if err := staged.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, staged := range []blobstore.Staged{first, second, third} {
			if err := staged.Discard(); err != nil {
				t.Error(err)
			}
		}
		mustHold(t, s, p)
	}
	if got := len(list(t, s)); got != len(sizes) {
		t.Errorf("%d blobs, want %d", got, len(sizes))
	}
}

func refused(t *testing.T, s Store) {
	errVanished := errors.New("client vanished")
	for _, size := range sizes {
		p := random(7, size)
		r := io.MultiReader(bytes.NewReader(p), iotest.ErrReader(errVanished))
		if _, err := s.Stage(t.Context(), r, 0); !errors.Is(err, errVanished) {
			t.Errorf("reader fails after %d bytes: %v", size, err)
		}
		if size > 1 {
			if _, err := s.Stage(t.Context(), bytes.NewReader(p), int64(size)-1); !errors.Is(err, blobstore.ErrTooLarge) {
				t.Errorf("%d bytes, one too many: %v", size, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Stage(ctx, bytes.NewReader(nil), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Stage: %v", err)
	}
	if got := len(list(t, s)); got > 0 {
		t.Errorf("%d blobs of refused bytes", got)
	}
}

func list(t *testing.T, s Store) (digests []blobstore.Digest) {
	t.Helper()
	err := s.Each(t.Context(), func(digest blobstore.Digest, _ int64) error {
		digests = append(digests, digest)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

func enumeration(t *testing.T, s Store) {
	want := map[blobstore.Digest]int64{}
	for i := range 100 {
		want[keep(t, s, random(i, i))] = int64(i)
	}
	err := s.Each(t.Context(), func(digest blobstore.Digest, size int64) error {
		if want[digest] != size {
			t.Errorf("%v has %d bytes, want %d", digest, size, want[digest])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	digests := list(t, s)
	if len(digests) != len(want) {
		t.Errorf("%d blobs, want %d", len(digests), len(want))
	}
	if !slices.IsSortedFunc(digests, func(a, b blobstore.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("not in the order of the digests")
	}
	errEnough := errors.New("enough")
	seen := 0
	err = s.Each(t.Context(), func(blobstore.Digest, int64) error { seen++; return errEnough })
	if err != errEnough || seen != 1 {
		t.Errorf("after %d blobs Each returned %v, want the callback's own error after 1", seen, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Each(ctx, func(blobstore.Digest, int64) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Each: %v", err)
	}
}

func equalBytesRace(t *testing.T, s Store) {
	for i, size := range []int{100, 1<<20 + 1} {
		p := random(i, size)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				staged, err := s.Stage(t.Context(), bytes.NewReader(p), 0)
				if err == nil {
					err = staged.Keep(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		mustHold(t, s, p)
		if got := len(list(t, s)); got != i+1 {
			t.Errorf("%d blobs, want %d", got, i+1)
		}
	}
}
