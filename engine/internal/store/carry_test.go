package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"syscall"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// shelf is where uploads lie, in memory: what is placed there, and what of it is synced. One
// of its calls fails.
type shelf struct {
	placed, synced map[blobstore.Digest]string
	calls, failAt  int // 0: none
	applied        bool
	cause          error
}

func newShelf() *shelf {
	return &shelf{placed: map[blobstore.Digest]string{}, synced: map[blobstore.Digest]string{}}
}

func (s *shelf) try(act func()) error {
	s.calls++
	fails := s.calls == s.failAt
	if !fails || s.applied {
		act()
	}
	if fails {
		return s.cause
	}
	return nil
}

func (s *shelf) Rewrite(_ context.Context, d blobstore.Digest, b []byte) error {
	return s.try(func() { s.placed[d] = string(b) })
}

func (s *shelf) SyncPlaced(context.Context) error {
	return s.try(func() { maps.Copy(s.synced, s.placed) })
}

// cut loses what is not synced, or leaves it torn.
func (s *shelf) cut(torn bool) {
	for d, text := range s.placed {
		if _, there := s.synced[d]; there {
			continue
		}
		if delete(s.placed, d); torn {
			s.placed[d] = text[:len(text)/2]
		}
	}
}

// upload is one that a group carries.
type upload struct {
	s    *shelf
	text string
}

func (u upload) Digest() blobstore.Digest { return sha256.Sum256([]byte(u.text)) }
func (u upload) Bytes() []byte            { return []byte(u.text) }
func (u upload) Place(context.Context) error {
	return u.s.try(func() { u.s.placed[u.Digest()] = u.text })
}

// carries lands notes with uploads of the same names.
func (c *cutKit) carries(s *shelf, names ...string) error {
	next := maps.Clone(c.model)
	c.next = next
	err := c.submit(func(t *store.Tx) (store.Record, error) {
		for _, name := range names {
			u := upload{s, "bytes of " + name}
			d := u.Digest()
			t.Carry(u)
			t.Put(notes, []byte(name), d[:])
			next[name] = string(d[:])
		}
		return noted(), nil
	})
	if err == nil {
		c.model, c.next = next, nil
	}
	return err
}

// has holds that each note's upload is there, whole.
func (c *cutKit) has(s *shelf) error {
	for name, digest := range c.rows(notes) {
		text, there := s.placed[blobstore.Digest([]byte(digest))]
		if want := "bytes of " + name; !there || text != want {
			return fmt.Errorf("of note %s there is %q, want %q", name, text, want)
		}
	}
	return nil
}

// TestUploadsWhoseStepsFail has each call that places, syncs or rewrites an upload fail
// once, done and not done, and the power cut then. An upload whose note is there is whole.
func TestUploadsWhoseStepsFail(t *testing.T) {
	c := newCutKit(t)
	c.kit.close()
	c.d.settled()
	base := c.d.taken()
	history := func(s *shelf) error {
		for n := range 6 {
			err := c.carries(s, fmt.Sprint("a", n), fmt.Sprint("b", n))
			if err == nil && n%2 == 1 {
				err = checkpoint(c, nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	run := func(s *shelf, f fault) error {
		t.Helper()
		c.d.load(base)
		c.model, c.next = map[string]string{}, nil
		c.options.Blobs = s
		s.failAt, s.applied, s.cause = f.at, f.applied, f.cause
		c.open()
		err := history(s)
		if (err != nil) != (c.Ready() != nil) || f.at > 0 && s.calls >= f.at && err == nil {
			t.Fatalf("%v: got %v, and the store says %v", f, err, c.Ready())
		}
		c.leave()
		c.d.disarm()
		if f.cut {
			c.d.load(c.d.cut(rand.New(rand.NewPCG(uint64(f.at), 4))))
			s.cut(f.at%2 == 0)
		}
		return err
	}
	whole := newShelf()
	must(t, run(whole, fault{}))
	eachFault(whole.calls, func(f fault) {
		f.at++
		s := newShelf()
		if err := run(s, f); errors.Is(err, store.ErrNoSpace) {
			t.Fatalf("%v: no space, when the record has happened: %v", f, err)
		}
		before := s.calls
		c.open()
		recovering := s.calls - before
		must(t, c.has(s))
		if err := c.matches(c.model, c.next); err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if len(s.synced) < len(c.model) {
			t.Fatalf("%v: %d uploads are durable after recovery, of %d", f, len(s.synced), len(c.model))
		}
		c.leave()
		// And in recovery.
		for at := range recovering {
			s := newShelf()
			run(s, f)
			s.failAt = s.calls + at + 1
			if again, err := store.Open(c.dir, c.options); err == nil { // less was left to do, this time
				c.Store = again
				c.leave()
			} else if !errors.Is(err, f.cause) {
				t.Fatalf("%v: call %d of recovery: %v", f, at, err)
			}
			s.cut(f.cut)
			c.open()
			must(t, c.has(s))
			c.leave()
		}
	})
}

// An upload carried twice by a group is in its record once; none is taken where nothing
// keeps them, and a log that has some is refused there.
func TestCarry(t *testing.T) {
	c, s := newCutKit(t), newShelf()
	c.kit.close()
	c.options.Blobs = s
	c.open()
	must(t, c.carries(s, "one", "one", "two"))
	must(t, c.has(s))
	found := 0
	for _, b := range c.d.taken().files {
		found += bytes.Count(b, []byte("bytes of one"))
	}
	if found != 1 {
		t.Errorf("the log has it %d times", found)
	}
	c.leave()
	c.options.Blobs = nil
	if _, err := store.Open(c.dir, c.options); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("without a place for uploads: %v", err)
	}
	c.options.Blobs = s
	c.open()
	must(t, c.has(s))
	s.failAt, s.cause = s.calls+1, syscall.ENOSPC
	if err := c.carries(s, "three"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("placing it failed: %v", err)
	}
	c.leave()
	c.open()
	must(t, c.has(s))
	c.leave()
}
