package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// TestReadGoesOn: a read that breaks off again and again goes on from where it was.
func TestReadGoesOn(t *testing.T) {
	for name, cacheBytes := range map[string]int64{"copied": 0, "by ranges": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBadStore()
				p := randomBytes(1, longBlob)
				d := mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 1), p)
				b := openBlobs(t, s, t.TempDir(), cacheBytes, 1)
				n := 0
				s.cut = func(string, int64) int { // nothing at all, twice out of three
					if n++; n%3 != 0 {
						return 0
					}
					return 50_000
				}
				mustRead(t, b, p)
				if size, err := b.Check(t.Context(), d); err != nil || size != longBlob {
					t.Errorf("Check: %d, %v", size, err)
				}
				s.cut = func(_ string, offset int64) int { return max(0, 100_000-int(offset)) }
				if got, err := readWith(b.OpenStored, d); !errors.Is(err, blobstore.ErrUnavailable) || len(got) != 100_000 {
					t.Errorf("the rest never comes: read %d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// TestReadByRanges: a long blob is never copied, and reads like a file.
func TestReadByRanges(t *testing.T) {
	s := newBadStore()
	p := randomBytes(1, longBlob)
	b := openBlobs(t, s, t.TempDir(), 4<<20, 1)
	d := mustKeep(t, b, p)
	mustHaveCopies(t, b, 0)
	for range 2 {
		r, err := b.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(struct{ io.ReadSeeker }{r}, p); err != nil {
			t.Error(err)
		}
		for _, at := range []int64{200_000, 5, longBlob, 0, longBlob + 7} {
			if _, err := r.Seek(at, io.SeekStart); err != nil {
				t.Error(err)
			}
			want := p[min(at, longBlob):min(at+10, longBlob)]
			if got, err := io.ReadAll(io.LimitReader(r, 10)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("at %d: %x, %v; want %x", at, got, err, want)
			}
		}
		if _, err := r.Seek(-1, io.SeekStart); err == nil {
			t.Error("it can be read before its beginning")
		}
		r.Close()
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
		b = openBlobs(t, s, b.dir, 4<<20, 1) // which does not know yet how long it is
	}
	mustHaveCopies(t, b, 0)
}

// TestReadIsPinned: the rest is read of the same object, or of another with the same
// bytes if that one has gone away.
func TestReadIsPinned(t *testing.T) {
	p := randomBytes(1, longBlob)
	begin := func(t *testing.T) (s *badStore, r io.Reader, keys []string) {
		s = newBadStore()
		mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 1), p)
		d := mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 2), p)
		s.cut = func(_ string, offset int64) int { return 100_000 }
		f, err := openBlobs(t, s, t.TempDir(), -1, 3).Open(d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := io.ReadFull(f, make([]byte, 60_000)); err != nil {
			t.Fatal(err)
		}
		return s, f, keysOf(t, s)
	}
	t.Run("gone", func(t *testing.T) {
		s, r, keys := begin(t)
		s.Memory.Delete(t.Context(), keys[1])
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p[60_000:]) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
	t.Run("all gone", func(t *testing.T) {
		s, r, keys := begin(t)
		for _, key := range keys {
			s.Memory.Delete(t.Context(), key)
		}
		if got, err := io.ReadAll(r); !errors.Is(err, blobstore.ErrNotFound) || len(got) != 40_000 {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
	t.Run("another", func(t *testing.T) {
		s, r, keys := begin(t)
		s.Memory.Put(t.Context(), keys[1], randomBytes(2, longBlob), object.Condition{})
		if got, err := io.ReadAll(r); !errors.Is(err, blobstore.ErrCorrupt) || len(got) != 40_000 {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

// TestCheckReadsTheStore: a sound copy hides no damage from who asks, and one object
// that is whole is enough.
func TestCheckReadsTheStore(t *testing.T) {
	for _, size := range []int{1000, longBlob} {
		s := newBadStore()
		p := randomBytes(1, size)
		b := openBlobs(t, s, t.TempDir(), 0, 1)
		d := mustKeep(t, b, p)
		wrong := bytes.Clone(p)
		wrong[size-1] ^= 1
		s.Memory.Put(t.Context(), keysOf(t, s)[0], wrong, object.Condition{})
		if got, err := readWith(b.Open, d); err != nil || !bytes.Equal(got, p) {
			t.Errorf("the copy: %d bytes, %v", len(got), err)
		}
		if n, err := b.Check(t.Context(), d); !errors.Is(err, blobstore.ErrCorrupt) || n >= int64(size) && size > 1000 {
			t.Errorf("Check: %d, %v", n, err)
		}
		if got, err := readWith(b.OpenStored, d); !errors.Is(err, blobstore.ErrCorrupt) || len(got) >= size {
			t.Errorf("from the store: %d bytes, %v", len(got), err)
		}
		other := openBlobs(t, s, t.TempDir(), 0, 1)
		if _, err := other.Open(d); !errors.Is(err, blobstore.ErrCorrupt) {
			t.Errorf("without a copy: %v", err)
		}
		mustHaveCopies(t, other, 0)
		mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 0+1), p) // a whole one beside it
		if n, err := b.Check(t.Context(), d); err != nil || n != int64(size) {
			t.Errorf("Check of two: %d, %v", n, err)
		}
		if got, err := readWith(other.Open, d); err != nil || !bytes.Equal(got, p) {
			t.Errorf("of two: %d bytes, %v", len(got), err)
		}
	}
}

// TestCopiesSurvive: copies are there after a restart, without a request; what was
// done to them meanwhile is found.
func TestCopiesSurvive(t *testing.T) {
	s := newBadStore()
	b := openBlobs(t, s, t.TempDir(), 0, 1)
	damage := map[string]func(path string) error{
		"none":      func(string) error { return nil },
		"cut":       func(path string) error { return os.Truncate(path, 500) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"longer":    func(path string) error { return os.Truncate(path, 2000) },
		"gone":      os.Remove,
		"directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"flipped": func(path string) error {
			info, err := os.Stat(path)
			p, err2 := os.ReadFile(path)
			p[700] ^= 1
			return errors.Join(err, err2, os.WriteFile(path, p, 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
	}
	blobs := map[string][]byte{}
	for name := range damage {
		blobs[name] = randomBytes(uint64(len(blobs)), 1000)
		mustKeep(t, b, blobs[name])
	}
	os.WriteFile(b.stagingPath(), blobs["none"], 0o600)
	for _, restarted := range []bool{true, false} {
		for name, p := range blobs {
			if !restarted && name == "flipped" {
				continue // of one process, with size and time as they were
			}
			if err := damage[name](b.cache.path(sha256.Sum256(p))); err != nil {
				t.Fatal(err)
			}
		}
		if restarted {
			b = openBlobs(t, s, b.dir, 0, 1)
		}
		for name, p := range blobs {
			s.made("")
			got, err := readWith(b.Open, sha256.Sum256(p))
			if err != nil || !bytes.Equal(got, p) {
				t.Errorf("%s: read %d bytes, %v", name, len(got), err)
			}
			if gets := s.made("GET"); gets > 1 || (gets == 0) != (name == "none" || !restarted && name == "flipped") {
				t.Errorf("%s: fetched %d times", name, gets)
			}
			if got, err := readWith(b.Open, sha256.Sum256(p)); err != nil || !bytes.Equal(got, p) || s.made("") != 0 {
				t.Errorf("%s, again: read %d bytes, %v", name, len(got), err)
			}
		}
		mustHaveCopies(t, b, len(blobs))
	}
}

// TestCopiesAreBounded: the least recently used go first, after a restart too, and
// staged bytes count.
func TestCopiesAreBounded(t *testing.T) {
	s := newBadStore()
	const room = 16
	b := openBlobs(t, s, t.TempDir(), room*blockBytes, 1)
	var all []blobstore.Digest
	for i := range room + 4 {
		all = append(all, mustKeep(t, b, randomBytes(uint64(i), 3000)))
	}
	mustHaveCopies(t, b, room)
	mustFetch := func(i, want int) {
		t.Helper()
		s.made("")
		if _, err := readWith(b.Open, all[i]); err != nil {
			t.Error(err)
		}
		if gets := s.made("GET"); gets != want {
			t.Errorf("blob %d was fetched %d times, want %d", i, gets, want)
		}
	}
	mustFetch(4, 0) // and is the most recently used now
	mustFetch(0, 1)
	mustFetch(4, 0)
	mustFetch(5, 1)
	old := time.Now().Add(-48 * time.Hour)
	for i, d := range all {
		os.Chtimes(b.cache.path(d), old, old.Add(time.Duration(i)*time.Second))
	}
	b = openBlobs(t, s, b.dir, room*blockBytes, 1)
	mustFetch(4, 0) // touched
	b = openBlobs(t, s, b.dir, 4*blockBytes, 1)
	mustHaveCopies(t, b, 4)
	mustFetch(4, 0)
	mustFetch(room+3, 0)
	mustFetch(room, 1)

	b = openBlobs(t, s, b.dir, room*blockBytes, 1)
	if b.cache.recent.Len() == 0 {
		t.Error("no copies are left")
	}
	staged, err := b.Stage(t.Context(), bytes.NewReader(make([]byte, longBlob)), 0)
	if err != nil {
		t.Fatal(err)
	}
	mustHaveCopies(t, b, 1) // the staged file itself
	if err := staged.Discard(); err != nil {
		t.Error(err)
	}
	mustHaveCopies(t, b, 0)
	if b.cache.used != 0 {
		t.Errorf("%d bytes are still counted", b.cache.used)
	}
}

// TestRemoveEndsFetching: who is making a copy when the blob is removed leaves none
// behind, and nor does who comes meanwhile.
func TestRemoveEndsFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		p := randomBytes(1, longBlob)
		d := mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 1), p)
		b := openBlobs(t, s, t.TempDir(), 0, 1)
		s.cut = func(_ string, offset int64) int { return max(0, 100_000-int(offset)) } // it hangs there
		results := make(chan error)
		open := func() {
			_, err := readWith(b.Open, d)
			results <- err
		}
		go open()
		go open()
		synctest.Wait()
		deleting := make(chan struct{})
		s.mu.Lock()
		s.before = func(call string) error {
			if strings.HasPrefix(call, "DELETE") {
				<-deleting
			}
			return nil
		}
		s.mu.Unlock()
		removed := make(chan error)
		go func() { removed <- b.Remove(d) }()
		synctest.Wait()
		mustHaveCopies(t, b, 0) // before the store has answered
		go open()
		synctest.Wait()
		close(deleting)
		if err := <-removed; err != nil {
			t.Error(err)
		}
		mustHaveCopies(t, b, 0)
		for range 3 {
			if err := <-results; !errors.Is(err, blobstore.ErrNotFound) {
				t.Errorf("Open: %v, want ErrNotFound", err)
			}
		}
		mustHaveCopies(t, b, 0)
		if _, err := b.Open(d); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("Open afterwards: %v", err)
		}
	})
}

// TestOneFetchForAll: many who open a blob at once make one copy.
func TestOneFetchForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		p := randomBytes(1, longBlob)
		d := mustKeep(t, openBlobs(t, s, t.TempDir(), -1, 1), p)
		b := openBlobs(t, s, t.TempDir(), 0, 1)
		come := make(chan struct{})
		s.before = func(string) error { <-come; return nil }
		s.made("")
		results := make(chan error)
		for range 20 {
			go func() {
				got, err := readWith(b.Open, d)
				if err == nil && !bytes.Equal(got, p) {
					err = errors.New("other bytes")
				}
				results <- err
			}()
		}
		synctest.Wait()
		close(come)
		for range 20 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if gets := s.made("GET"); gets != 1 {
			t.Errorf("fetched %d times", gets)
		}
	})
}

// TestSweepCopies: a server that follows drops what nobody needs any more.
func TestSweepCopies(t *testing.T) {
	s := object.NewMemory()
	b := openBlobs(t, s, t.TempDir(), 0, 1)
	kept, gone := mustKeep(t, b, randomBytes(1, 1000)), mustKeep(t, b, randomBytes(2, 1000))
	b.SetEpoch(0)
	if err := b.Sweep(t.Context(), func(d blobstore.Digest) (bool, error) { return d == kept, nil }); err != nil {
		t.Error(err)
	}
	mustHaveCopies(t, b, 1)
	if _, err := os.Stat(b.cache.path(gone)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is there: %v", err)
	}
	failed := errors.New("the vault is closed")
	if err := b.Sweep(t.Context(), func(blobstore.Digest) (bool, error) { return false, failed }); !errors.Is(err, failed) {
		t.Errorf("Sweep: %v", err)
	}
	mustHaveCopies(t, b, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Sweep(ctx, func(blobstore.Digest) (bool, error) { return false, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Sweep: %v", err)
	}
}
