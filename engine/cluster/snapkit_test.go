package cluster

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// sharedBlobs stand for bytes in a store that all servers share.
type sharedBlobs struct{ engine.BlobStore }

func (sharedBlobs) SetEpoch(uint64) {}

// agedStore is a store whose clock and objects are older or younger than they are, and
// that can fail.
type agedStore struct {
	object.Store

	mu    sync.Mutex
	ahead time.Duration            // of the store's clock
	put   map[string]time.Duration // ahead, when it was put
	fail  func(call, key string) error
	calls []string
}

func newAgedStore() *agedStore {
	return &agedStore{Store: object.NewMemory(), put: map[string]time.Duration{}}
}

func (a *agedStore) call(call, key string) (time.Duration, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call+" "+key)
	if a.fail != nil {
		if err := a.fail(call, key); err != nil {
			return 0, err
		}
	}
	if call == "put" {
		a.put[key] = a.ahead
	}
	return a.ahead, nil
}

// age lets time pass in the store.
func (a *agedStore) age(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead += d
}

func (a *agedStore) failing(fail func(call, key string) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail, a.calls = fail, nil
}

func (a *agedStore) told(info object.Info, key string) object.Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	info.Modified = info.Modified.Add(a.put[key])
	if !info.Now.IsZero() {
		info.Now = info.Now.Add(a.ahead)
	}
	return info
}

func (a *agedStore) Put(ctx context.Context, key string, b []byte, c object.Condition) (object.Info, error) {
	if _, err := a.call("put", key); err != nil {
		return object.Info{}, err
	}
	info, err := a.Store.Put(ctx, key, b, c)
	return a.told(info, key), err
}

func (a *agedStore) Delete(ctx context.Context, key string) error {
	if _, err := a.call("delete", key); err != nil {
		return err
	}
	return a.Store.Delete(ctx, key)
}

func (a *agedStore) Stat(ctx context.Context, key string) (object.Info, error) {
	info, err := a.Store.Stat(ctx, key)
	return a.told(info, key), err
}

func (a *agedStore) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	return a.Store.List(ctx, prefix, after, func(info object.Info) error { return fn(a.told(info, info.Key)) })
}

func (a *agedStore) PutStream(ctx context.Context, key string, r io.Reader, size int64) (object.Info, error) {
	if _, err := a.call("put", key); err != nil {
		return object.Info{}, err
	}
	info, err := a.Store.PutStream(ctx, key, r, size)
	return a.told(info, key), err
}

func (a *agedStore) Get(ctx context.Context, key string, at int64) (io.ReadCloser, object.Info, error) {
	r, info, err := a.Store.Get(ctx, key, at)
	return r, a.told(info, key), err
}

// keys are the objects below a prefix.
func (a *agedStore) keys(prefix string) (keys []string) {
	a.List(context.Background(), prefix, "", func(info object.Info) error {
		keys = append(keys, info.Key)
		return nil
	})
	return keys
}

// shelf is a store with a vault, and servers of it.
type shelf struct {
	*agedStore
	t     testing.TB
	dir   string
	admin engine.Actor
	id    string
}

// newShelf puts a vault with an administrator into a store.
func newShelf(t testing.TB) *shelf {
	t.Helper()
	s := &shelf{agedStore: newAgedStore(), t: t, dir: t.TempDir()}
	s.must(blobstore.Init(filepath.Join(s.dir, "shared")))
	c := s.server("first")
	v, err := engine.Create(c.Dir, engine.Options{Name: "main", ReserveBytes: -1, Blobs: struct{ engine.BlobStore }{c.Blobs}})
	s.must(err)
	s.id = v.ID()
	k := &enginetest.Kit{Vault: v, TB: t}
	s.admin, _ = k.Person("Ada Admin", engine.AccessAdmin)
	s.must(v.Close())
	s.must(Init(t.Context(), c))
	return s
}

func (s *shelf) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// server is one with a directory of its own.
func (s *shelf) server(name string) Config {
	s.t.Helper()
	disk, err := blobstore.Open(filepath.Join(s.dir, "shared"))
	s.must(err)
	s.t.Cleanup(func() { disk.Close() })
	return Config{
		Objects: s.agedStore, Dir: filepath.Join(s.dir, name), Server: name, URL: "http://" + name,
		Options: engine.Options{ReserveBytes: -1}, Blobs: sharedBlobs{disk}, SealKey: &[32]byte{1, 2, 3},
		Log: s.t.Logf,
	}
}

// own joins as the owner.
func (s *shelf) own(c Config) (*Member, *enginetest.Kit) {
	s.t.Helper()
	m, err := Join(s.t.Context(), c)
	s.must(err)
	if m.Role() != Owner {
		s.t.Fatalf("%s is %s", c.Server, m.Role())
	}
	s.t.Cleanup(func() { m.Close(context.Background()) })
	return m, &enginetest.Kit{Vault: m.Vault(), TB: s.t, Admin: s.admin}
}

// verify finds nothing wrong with a vault, its bytes included.
func (s *shelf) verify(v *engine.Vault) {
	s.t.Helper()
	report, err := v.Verify(s.t.Context(), engine.VerifyOptions{Bytes: true})
	s.must(err)
	if len(report.Findings) > 0 {
		s.t.Errorf("verify: %v", report.Findings)
	}
}

// tend is an owner's housekeeping, once.
func (s *shelf) tend(m *Member, was *tending) *tending {
	s.t.Helper()
	k, err := m.c.tend(s.t.Context(), m.v, m.s.tended(), was)
	s.must(err)
	return k
}

// snapshot takes one.
func (s *shelf) snapshot(m *Member) pointer {
	s.t.Helper()
	p, err := m.c.takeSnapshot(s.t.Context(), m.v, m.s.place().Epoch)
	s.must(err)
	return p
}

// everything is what lies in the store, unpacked.
func (s *shelf) everything() (all []byte) {
	s.t.Helper()
	for _, key := range s.keys("") {
		b, _, err := object.Read(s.t.Context(), s.agedStore, key)
		s.must(err)
		all = append(all, b...)
		if strings.HasPrefix(key, keySnapshots) {
			z, err := gzip.NewReader(bytes.NewReader(b))
			s.must(err)
			rows, err := io.ReadAll(z)
			s.must(err)
			all = append(all, rows...)
		}
		if strings.HasPrefix(key, keyCommits) {
			cm, err := parseCommit(b)
			s.must(err)
			all = append(all, cm.Record...)
		}
	}
	return all
}

// breakingStore ends each answer after some bytes.
type breakingStore struct {
	object.Store
	after int
}

func (b *breakingStore) Get(ctx context.Context, key string, at int64) (io.ReadCloser, object.Info, error) {
	r, info, err := b.Store.Get(ctx, key, at)
	if err != nil || !strings.HasPrefix(key, keySnapshots) {
		return r, info, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, int64(b.after)), r}, info, nil
}

// lyingStore changes a bit of each stream.
type lyingStore struct{ *agedStore }

func (l *lyingStore) PutStream(ctx context.Context, key string, r io.Reader, size int64) (object.Info, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return object.Info{}, err
	}
	b[len(b)/2] ^= 1
	return l.agedStore.PutStream(ctx, key, bytes.NewReader(b), size)
}

// cutAfter cuts the store off from changes after some, but for the lease, and ends the
// context then: who puts tries for a dozen seconds.
func (s *shelf) cutAfter(changes int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.failing(func(call, key string) error {
		if key == keyLease {
			return nil
		}
		if changes--; changes < 0 {
			cancel()
			return errNoWay
		}
		return nil
	})
	return ctx, cancel
}

var errNoWay = errors.New("the connection is cut")
