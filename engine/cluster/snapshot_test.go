package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// A machine burns: another has all of it from the newest snapshot and the commits after it.
func TestSnapshotRecovers(t *testing.T) {
	s := newShelf(t)
	first := s.server("first")
	m, k := s.own(first)
	for i := range 20 {
		k.Create(fmt.Sprintf("before %d", i), fmt.Sprintf("bytes %d", i))
	}
	p := s.snapshot(m)
	if p.Commit != m.s.place().Commit || p.Seq != k.Head().Seq || len(p.Older) != 1 {
		t.Errorf("the snapshot is of commit %d, entry %d, with %d older ones; the vault is at %d, %d", p.Commit, p.Seq, len(p.Older), m.s.place().Commit, k.Head().Seq)
	}
	for i := range 10 {
		k.Create(fmt.Sprintf("after %d", i), fmt.Sprintf("more bytes %d", i))
	}
	head := k.Head()
	s.must(m.Close(t.Context()))

	second := s.server("second")
	m, k = s.own(second)
	if got := k.Head(); got.Seq < head.Seq || got.Vault != head.Vault {
		t.Errorf("the second server has the log up to %d of %d", got.Seq, head.Seq)
	}
	s.verify(m.Vault())
	for _, name := range []string{"lock.key"} {
		one, err := os.ReadFile(filepath.Join(first.Dir, name))
		s.must(err)
		two, err := os.ReadFile(filepath.Join(second.Dir, name))
		s.must(err)
		if string(one) != string(two) {
			t.Errorf("%s is another on the second server", name)
		}
	}
}

// A snapshot that is not what the pointer says leaves no vault.
func TestSnapshotDamaged(t *testing.T) {
	s := newShelf(t)
	p, _, err := (&Config{Objects: s.agedStore}).loadPointer(t.Context())
	s.must(err)
	whole, _, err := object.Read(t.Context(), s.agedStore, p.Key)
	s.must(err)
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	for _, test := range []struct {
		name  string
		bytes []byte
		turn  func(*pointer)
		want  error
	}{
		{"a flipped bit", flipped, nil, ErrDamaged},
		{"a cut end", whole[:len(whole)-100], nil, ErrDamaged},
		{"a longer end", append(whole[:len(whole):len(whole)], 0), nil, ErrDamaged},
		{"no object", nil, nil, object.ErrNotFound},
		{"another vault", whole, func(p *pointer) { p.Vault = engine.NewID() }, ErrDamaged},
		{"another commit", whole, func(p *pointer) { p.Commit++ }, ErrDamaged},
		{"another head", whole, func(p *pointer) { p.Hash = p.Digest }, ErrDamaged},
		{"fewer rows", whole, func(p *pointer) { p.Rows-- }, ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.must(s.Delete(t.Context(), p.Key))
			if test.bytes != nil {
				_, err := s.Put(t.Context(), p.Key, test.bytes, object.Condition{})
				s.must(err)
			}
			q := p
			if test.turn != nil {
				test.turn(&q)
			}
			c := s.server("second")
			if err := c.fetchCopy(t.Context(), q); !errors.Is(err, test.want) {
				t.Errorf("fetch: %v, want %v", err, test.want)
			}
			if _, err := os.Stat(engine.Database(c.Dir)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a vault is left: %v", err)
			}
		})
	}
}

// A connection that breaks is taken up where it was.
func TestSnapshotResumed(t *testing.T) {
	s := newShelf(t)
	m, _ := s.own(s.server("first"))
	p := s.snapshot(m)
	s.must(m.Close(t.Context()))
	c := s.server("second")
	c.Objects = &breakingStore{Store: s.agedStore, after: int(p.Size / 3)}
	s.must(c.fetchCopy(t.Context(), p))
	if v, err := engine.Open(c.Dir, engine.Options{ReserveBytes: -1, Blobs: struct{ engine.BlobStore }{c.Blobs}}); err != nil || v.Close() != nil {
		t.Errorf("open what was fetched: %v", err)
	}
}

// A snapshot that does not stand as it was sent is not pointed to.
func TestSnapshotReadBack(t *testing.T) {
	s := newShelf(t)
	c := s.server("first")
	m, k := s.own(c)
	k.Create("one", "bytes")
	was, _, err := m.c.loadPointer(t.Context())
	s.must(err)
	lying := *m.c
	lying.Objects = &lyingStore{s.agedStore}
	if _, err := lying.takeSnapshot(t.Context(), m.v, m.s.place().Epoch); !errors.Is(err, ErrDamaged) {
		t.Errorf("a store that changes what it gets: %v", err)
	}
	if p, _, err := m.c.loadPointer(t.Context()); err != nil || p.Key != was.Key {
		t.Errorf("the pointer names %s: %v", p.Key, err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, fileTaking)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy on its way is left: %v", err)
	}
}

// A server that was replaced does not point to what it took.
func TestSnapshotOfReplaced(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	k.Create("one", "bytes")
	s.snapshot(m)
	if _, err := m.c.takeSnapshot(t.Context(), m.v, m.s.place().Epoch-1); !errors.Is(err, engine.ErrReplaced) {
		t.Errorf("a snapshot of an earlier epoch: %v", err)
	}
}

// Snapshots are taken while four clients write, and each is a vault of one instant.
func TestSnapshotWhileWriting(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				k.Create(fmt.Sprintf("%d by %d", i, w), "bytes")
			}
		})
	}
	for n := range 2 {
		p := s.snapshot(m)
		c := s.server(fmt.Sprint("copy ", n))
		s.must(c.fetchCopy(t.Context(), p))
		v, err := c.openFollowing()
		s.must(err)
		s.verify(v.(*engine.Vault))
		s.must(v.Close())
	}
	stop()
	writers.Wait()
	s.must(m.Close(t.Context()))
	m, _ = s.own(s.server("second"))
	s.verify(m.Vault())
}

// A pointer to a snapshot that is gone is a store that has lost something, and said so.
func TestSnapshotLost(t *testing.T) {
	s := newShelf(t)
	p, _, err := (&Config{Objects: s.agedStore}).loadPointer(t.Context())
	s.must(err)
	s.must(s.Delete(t.Context(), p.Key))
	if _, err := Join(t.Context(), s.server("second")); !errors.Is(err, ErrStoreBehind) {
		t.Errorf("join: %v", err)
	}
}
