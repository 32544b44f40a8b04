package s3

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
	"sync"
	"testing"
	"testing/synctest"

	"strongroom/blobstore"
	"strongroom/blobstore/blobtest"
	"strongroom/blobstore/object"
)

// openBlobs opens the blobs of store with a cache of so many bytes, as the owner in an epoch.
func openBlobs(t testing.TB, store object.Store, dir string, cacheBytes int64, epoch uint64) *Blobs {
	t.Helper()
	b, err := OpenBlobs(BlobsConfig{Store: store, Dir: dir, CacheBytes: cacheBytes})
	if err != nil {
		t.Fatal(err)
	}
	b.SetEpoch(epoch)
	return b
}

// TestBlobsKeepTheLaw holds Blobs to what blobstore.Disk promises: with room for copies
// of some, of all, and of none.
func TestBlobsKeepTheLaw(t *testing.T) {
	sizes := map[string]int64{"small cache": 1 << 20}
	if !testing.Short() {
		sizes["large cache"], sizes["no cache"] = 0, -1
	}
	for name, cacheBytes := range sizes {
		t.Run(name, func(t *testing.T) {
			blobtest.Test(t, func(t *testing.T) blobtest.Store {
				return openBlobs(t, object.NewMemory(), t.TempDir(), cacheBytes, 1)
			})
		})
	}
}

var errStore = errors.New("503 slow down")

// badStore is a store in memory that fails as it is told.
type badStore struct {
	*object.Memory
	mu     sync.Mutex
	calls  []string                           // "PUT key", "GET key", …
	before func(call string) error            // not nil: the request is lost
	after  func(call string) error            // not nil: it is carried out, and the answer is lost
	late   func(call string) bool             // true: the answer is lost, and it is carried out by deliver
	cut    func(key string, offset int64) int // a Get breaks off after so many bytes; negative: it does not
	mangle func(key string, b []byte) []byte  // what a Get gives
	queue  []func()
}

func newBadStore() *badStore { return &badStore{Memory: object.NewMemory()} }

func (s *badStore) call(call string, do func() error) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	before, after, late := s.before, s.after, s.late
	s.mu.Unlock()
	if before != nil {
		if err := before(call); err != nil {
			return err
		}
	}
	if late != nil && late(call) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.queue = append(s.queue, func() { do() })
		return fmt.Errorf("time-out: %w", errStore)
	}
	err := do()
	if err == nil && after != nil {
		err = after(call)
	}
	return err
}

// deliver carries out what is late.
func (s *badStore) deliver() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, do := range queue {
		do()
	}
}

// made returns how many calls began so since the last time, and forgets all.
func (s *badStore) made(verb string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		if strings.HasPrefix(call, verb) {
			n++
		}
	}
	s.calls = nil
	return n
}

func (s *badStore) Put(ctx context.Context, key string, b []byte, c object.Condition) (info object.Info, err error) {
	b = bytes.Clone(b)
	err = s.call("PUT "+key, func() (err error) {
		info, err = s.Memory.Put(context.WithoutCancel(ctx), key, b, c)
		return err
	})
	return info, err
}

func (s *badStore) PutStream(ctx context.Context, key string, r io.Reader, size int64) (info object.Info, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return info, err
	}
	return s.Put(ctx, key, b, object.Condition{})
}

func (s *badStore) Stat(ctx context.Context, key string) (info object.Info, err error) {
	err = s.call("HEAD "+key, func() (err error) {
		info, err = s.Memory.Stat(ctx, key)
		return err
	})
	return info, err
}

func (s *badStore) Delete(ctx context.Context, key string) error {
	return s.call("DELETE "+key, func() error { return s.Memory.Delete(context.WithoutCancel(ctx), key) })
}

func (s *badStore) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	return s.call("LIST "+prefix, func() error { return s.Memory.List(ctx, prefix, after, fn) })
}

func (s *badStore) Get(ctx context.Context, key string, offset int64) (r io.ReadCloser, info object.Info, err error) {
	err = s.call("GET "+key, func() (err error) {
		r, info, err = s.Memory.Get(ctx, key, offset)
		return err
	})
	if err != nil {
		return nil, info, err
	}
	b, err := io.ReadAll(r)
	if s.mangle != nil {
		b = s.mangle(key, b)
	}
	if s.cut != nil {
		if n := s.cut(key, offset); n >= 0 && n < len(b) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(b[:n]), failing{})), info, err
		}
	}
	return io.NopCloser(bytes.NewReader(b)), info, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errStore }

func randomBytes(seed uint64, size int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(p)
	return p
}

func keepBytes(ctx context.Context, b *Blobs, p []byte) (blobstore.Digest, error) {
	staged, err := b.Stage(ctx, bytes.NewReader(p), 0)
	if err != nil {
		return blobstore.Digest{}, err
	}
	return staged.Digest(), staged.Keep(ctx)
}

func mustKeep(t *testing.T, b *Blobs, p []byte) blobstore.Digest {
	t.Helper()
	d, err := keepBytes(t.Context(), b, p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readWith(open func(blobstore.Digest) (io.ReadSeekCloser, error), d blobstore.Digest) ([]byte, error) {
	r, err := open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// mustRead reads the blob from the store and by its copy.
func mustRead(t *testing.T, b *Blobs, want []byte) {
	t.Helper()
	for name, open := range map[string]func(blobstore.Digest) (io.ReadSeekCloser, error){"OpenStored": b.OpenStored, "Open": b.Open} {
		if got, err := readWith(open, sha256.Sum256(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: read %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
}

func keysOf(t *testing.T, s object.Store) (keys []string) {
	t.Helper()
	if err := s.List(t.Context(), "", "", func(i object.Info) error { keys = append(keys, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// mustHaveCopies holds that Dir has so many files and no more: copies.
func mustHaveCopies(t *testing.T, b *Blobs, want int) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) != want {
		t.Errorf("on the local disk: %q, %v; want %d", files, err, want)
	}
}

const longBlob = 300 << 10 // staged in a file

// TestKeepAsksUntilItKnows: requests are lost, and answers are.
func TestKeepAsksUntilItKnows(t *testing.T) {
	for _, size := range []int{0, 1000, longBlob} {
		for name, fail := range map[string]func(s *badStore, f func(string) error){
			"requests": func(s *badStore, f func(string) error) { s.before = f },
			"answers":  func(s *badStore, f func(string) error) { s.after = f },
		} {
			synctest.Test(t, func(t *testing.T) {
				s := newBadStore()
				b := openBlobs(t, s, t.TempDir(), 0, 7)
				failures := 9
				fail(s, func(call string) error {
					if failures--; failures < 0 {
						return nil
					}
					return errStore
				})
				p := randomBytes(1, size)
				mustKeep(t, b, p)
				if failures >= 0 {
					t.Errorf("%s lost: %d more were to be", name, failures)
				}
				s.before, s.after = nil, nil
				mustRead(t, b, p)
				if keys := keysOf(t, s); len(keys) != 1 || !strings.HasPrefix(keys[0], blobPrefix(sha256.Sum256(p))+"7-") {
					t.Errorf("%s lost: the store has %q", name, keys)
				}
			})
		}
	}
}

// TestKeepGivesUp: when ctx ends, nothing is kept as far as the caller knows; what is
// kept or removed afterwards is.
func TestKeepGivesUp(t *testing.T) {
	for _, size := range []int{1000, longBlob} {
		synctest.Test(t, func(t *testing.T) {
			s := newBadStore()
			b := openBlobs(t, s, t.TempDir(), 0, 7)
			s.late = func(string) bool { return true }
			ctx, cancel := context.WithTimeout(t.Context(), 1e9)
			defer cancel()
			p := randomBytes(1, size)
			d, err := keepBytes(ctx, b, p)
			if !errors.Is(err, blobstore.ErrUnavailable) {
				t.Errorf("Keep: %v, want ErrUnavailable", err)
			}
			mustHaveCopies(t, b, 0)
			s.late = nil
			if _, err := b.Stat(d); !errors.Is(err, blobstore.ErrNotFound) {
				t.Errorf("Stat: %v", err)
			}
			mustKeep(t, b, p)
			if err := b.Remove(d); err != nil {
				t.Fatal(err)
			}
			s.deliver() // the first Keep's requests: nobody refers to these bytes
			seen := 0
			if err := b.Each(t.Context(), func(blobstore.Digest, int64) error { seen++; return nil }); err != nil || seen != 1 {
				t.Errorf("Each finds %d blobs that came late, %v; want 1", seen, err)
			}
			if err := b.Remove(d); err != nil {
				t.Fatal(err)
			}
			if keys := keysOf(t, s); len(keys) > 0 {
				t.Errorf("the store has %q", keys)
			}
		})
	}
}

// TestLateDelete: a DELETE whose answer was lost is carried out after equal bytes were
// kept again, by whomever.
func TestLateDelete(t *testing.T) {
	p := randomBytes(1, 1000)
	for name, next := range map[string]func(t *testing.T, b *Blobs) *Blobs{
		"the same process":       func(t *testing.T, b *Blobs) *Blobs { return b },
		"the same epoch anew":    func(t *testing.T, b *Blobs) *Blobs { return openBlobs(t, b.store, b.dir, 0, 7) },
		"a newer owner":          func(t *testing.T, b *Blobs) *Blobs { return openBlobs(t, b.store, t.TempDir(), 0, 8) },
		"its own, in a new term": func(t *testing.T, b *Blobs) *Blobs { b.SetEpoch(8); return b },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBadStore()
				b := openBlobs(t, s, t.TempDir(), 0, 7)
				d := mustKeep(t, b, p)
				s.late = func(call string) bool { return strings.HasPrefix(call, "DELETE") }
				if err := b.Remove(d); !errors.Is(err, blobstore.ErrUnavailable) {
					t.Fatalf("Remove: %v, want ErrUnavailable", err)
				}
				mustHaveCopies(t, b, 0)
				s.late = nil
				b = next(t, b)
				mustKeep(t, b, p)
				s.deliver()
				mustRead(t, b, p)
				if keys := keysOf(t, s); len(keys) != 1 {
					t.Errorf("the store has %q, want one", keys)
				}
			})
		})
	}
}

// TestRemoveWakesLate: an owner is paused in the middle of Remove, and wakes when
// another owns and has kept equal bytes. Its listing shows them.
func TestRemoveWakesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		old := openBlobs(t, s, t.TempDir(), 0, 7)
		p := randomBytes(1, 1000)
		d := mustKeep(t, old, p)
		wake := make(chan struct{})
		s.before = func(string) error { <-wake; return nil }
		removed := make(chan error)
		go func() { removed <- old.Remove(d) }()
		synctest.Wait()
		owner := openBlobs(t, s.Memory, t.TempDir(), 0, 8)
		mustKeep(t, owner, p)
		close(wake)
		if err := <-removed; err != nil {
			t.Error(err)
		}
		mustRead(t, owner, p)
		if keys := keysOf(t, s); len(keys) != 1 {
			t.Errorf("the store has %q, want one", keys)
		}
	})
}

// TestKeepShares: equal bytes are put again, unless it is known that no DELETE of the
// object can come.
func TestKeepShares(t *testing.T) {
	p := randomBytes(1, 1000)
	digest := blobstore.Digest(sha256.Sum256(p))
	live := func(d blobstore.Digest) bool { return d == digest }
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *badStore, b *Blobs) *Blobs
		puts int
	}{
		"this process has put it": {func(t *testing.T, s *badStore, b *Blobs) *Blobs { return b }, 0},
		"it was removed": {func(t *testing.T, s *badStore, b *Blobs) *Blobs {
			if err := b.Remove(digest); err != nil {
				t.Error(err)
			}
			return b
		}, 1},
		"another process, no reference": {func(t *testing.T, s *badStore, b *Blobs) *Blobs {
			b = openBlobs(t, s, b.dir, 0, 7)
			b.SetLive(func(blobstore.Digest) bool { return false })
			mustRead(t, b, p) // knowing where it lies is not enough
			return b
		}, 1},
		"an older owner's, no reference": {func(t *testing.T, s *badStore, b *Blobs) *Blobs { b.SetEpoch(8); return b }, 1},
		"another process, a reference": {func(t *testing.T, s *badStore, _ *Blobs) *Blobs {
			b := openBlobs(t, s, t.TempDir(), 0, 8)
			b.SetLive(live)
			return b
		}, 0},
		"a reference to what is lost": {func(t *testing.T, s *badStore, b *Blobs) *Blobs {
			b.SetLive(live)
			s.Memory.Delete(t.Context(), keysOf(t, s)[0])
			return b
		}, 1},
		"a reference to what was cut": {func(t *testing.T, s *badStore, b *Blobs) *Blobs {
			b.SetLive(live)
			s.Memory.Put(t.Context(), keysOf(t, s)[0], p[:10], object.Condition{})
			return b
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newBadStore()
			b := openBlobs(t, s, t.TempDir(), 0, 7)
			mustKeep(t, b, p)
			b = c.do(t, s, b)
			s.made("")
			mustKeep(t, b, p)
			if puts := s.made("PUT"); puts != c.puts {
				t.Errorf("%d puts, want %d", puts, c.puts)
			}
			if got, err := readWith(b.Open, digest); err != nil || !bytes.Equal(got, p) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestRemove: all objects of the digest go, but for a newer owner's, and the copy goes
// even when the store is not there.
func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		p := randomBytes(1, 1000)
		var d blobstore.Digest
		for epoch := range uint64(9) {
			d = mustKeep(t, openBlobs(t, s, t.TempDir(), -1, epoch+1), p)
		}
		b := openBlobs(t, s, t.TempDir(), 0, 7)
		mustRead(t, b, p)
		mustHaveCopies(t, b, 1)
		if err := b.Remove(d); err != nil {
			t.Error(err)
		}
		mustHaveCopies(t, b, 0)
		if keys := keysOf(t, s); len(keys) != 2 || !strings.Contains(keys[0], ".8-") || !strings.Contains(keys[1], ".9-") {
			t.Errorf("the store has %q, want those of epochs 8 and 9", keys)
		}
		mustRead(t, b, p)
		s.before = func(string) error { return errStore }
		if err := b.Remove(d); !errors.Is(err, blobstore.ErrUnavailable) {
			t.Errorf("Remove: %v, want ErrUnavailable", err)
		}
		mustHaveCopies(t, b, 0)
	})
}

// TestStoreIsGone: calls without a context end by themselves, and say why.
func TestStoreIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		b := openBlobs(t, s, t.TempDir(), 0, 7)
		known, copied := randomBytes(1, 1000), randomBytes(2, 1000)
		mustKeep(t, openBlobs(t, s, t.TempDir(), 0, 7), known)
		mustKeep(t, b, copied)
		s.before = func(string) error { return errStore }
		for _, p := range [][]byte{known, randomBytes(3, 10)} {
			d := blobstore.Digest(sha256.Sum256(p))
			_, stat := b.Stat(d)
			_, open := b.Open(d)
			_, check := b.Check(t.Context(), d)
			each := b.Each(t.Context(), func(blobstore.Digest, int64) error { return nil })
			for call, err := range map[string]error{"Stat": stat, "Open": open, "Check": check, "Each": each} {
				if !errors.Is(err, blobstore.ErrUnavailable) || !errors.Is(err, errStore) || errors.Is(err, blobstore.ErrNotFound) {
					t.Errorf("%s: %v, want ErrUnavailable", call, err)
				}
			}
		}
		if got, err := readWith(b.Open, sha256.Sum256(copied)); err != nil || !bytes.Equal(got, copied) {
			t.Errorf("the copy: %d bytes, %v", len(got), err)
		}
	})
}

// TestStoreRefuses: nobody waits for ever for a store that has answered, by no.
func TestStoreRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBadStore()
		b := openBlobs(t, s, t.TempDir(), 0, 7)
		s.before = func(string) error { return fmt.Errorf("%w: the credentials are wrong", ErrDenied) }
		if _, err := keepBytes(t.Context(), b, randomBytes(1, 10)); !errors.Is(err, blobstore.ErrUnavailable) || !errors.Is(err, ErrDenied) {
			t.Errorf("Keep: %v, want ErrUnavailable and why", err)
		}
	})
}

// TestNoLocalDisk: without it what is small is kept, and everything is read.
func TestNoLocalDisk(t *testing.T) {
	s := newBadStore()
	p, long := randomBytes(1, 1000), randomBytes(2, longBlob)
	mustKeep(t, openBlobs(t, s, t.TempDir(), 0, 7), long)
	b := openBlobs(t, s, t.TempDir(), 0, 7)
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	mustKeep(t, b, p)
	mustRead(t, b, p)
	mustRead(t, b, long)
	if _, err := b.Stage(t.Context(), bytes.NewReader(long), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stage: %v", err)
	}
	if b.cache.used != 0 {
		t.Errorf("%d bytes are counted", b.cache.used)
	}
	for _, p := range [][]byte{p, long} {
		if err := b.Remove(sha256.Sum256(p)); err != nil {
			t.Error(err)
		}
	}
}

// TestNoEpoch: who does not own the vault changes nothing in the store.
func TestNoEpoch(t *testing.T) {
	s := object.NewMemory()
	p := randomBytes(1, 1000)
	d := mustKeep(t, openBlobs(t, s, t.TempDir(), 0, 1), p)
	b := openBlobs(t, s, t.TempDir(), 0, 0)
	if err := b.Remove(d); !errors.Is(err, errNoEpoch) {
		t.Errorf("Remove: %v", err)
	}
	if _, err := keepBytes(t.Context(), b, p); !errors.Is(err, errNoEpoch) {
		t.Errorf("Keep: %v", err)
	}
	mustRead(t, b, p)
}

// TestEachOfManyObjects: a digest is told once, in a listing that breaks off again and
// again; what is no blob is passed over and named.
func TestEachOfManyObjects(t *testing.T) {
	s := newBadStore()
	want := map[blobstore.Digest]int64{}
	for i := range 20 {
		p := randomBytes(uint64(i), 10+i)
		for epoch := range uint64(3) {
			want[mustKeep(t, openBlobs(t, s, t.TempDir(), -1, epoch+1), p)] = int64(10 + i)
		}
	}
	b := openBlobs(t, &cutLists{s.Memory}, t.TempDir(), 0, 7)
	var order []blobstore.Digest
	count := func(d blobstore.Digest, size int64) error {
		order = append(order, d)
		if want[d] != size {
			t.Errorf("%v has %d bytes, want %d", d, size, want[d])
		}
		return nil
	}
	if err := b.Each(t.Context(), count); err != nil {
		t.Error(err)
	}
	if len(order) != len(want) || !slices.IsSortedFunc(order, func(a, b blobstore.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		t.Errorf("%d blobs, want %d in order", len(order), len(want))
	}
	digits := order[3].Hex()
	for _, key := range []string{
		"blobs/x", "blobs/" + digits, "blobs/" + digits[:2] + "/" + digits, "blobs/" + digits[:2] + "/" + digits + ".01",
		"blobs/" + digits[:2] + "/" + digits + ".1-", "blobs/" + digits[:2] + "/" + digits + ".1-0123456789ABCDEF", "blobs/zz/" + digits + ".1",
	} {
		if _, err := s.Memory.Put(t.Context(), key, nil, object.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	order = nil
	err := b.Each(t.Context(), count)
	if !errors.Is(err, blobstore.ErrForeign) || !strings.Contains(err.Error(), `: 7, among them ["blobs/`) || len(order) != len(want) {
		t.Errorf("Each: %d blobs, %v; want %d and ErrForeign with 7", len(order), err, len(want))
	}
}

// cutLists tells of three objects in each listing, and fails.
type cutLists struct{ *object.Memory }

func (c *cutLists) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	n := 0
	return c.Memory.List(ctx, prefix, after, func(i object.Info) error {
		if n++; n > 3 {
			return errStore
		}
		return fn(i)
	})
}
