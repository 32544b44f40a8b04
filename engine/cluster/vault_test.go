package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
)

// burns ends a member as its machine ends, and returns a directory as that left it.
func (s *shelf) burns(m *Member, as string) (c Config) {
	s.t.Helper()
	c = s.awake(as)
	s.must(os.CopyFS(c.Dir, os.DirFS(m.c.Dir)))
	m.stop(errNoWay)
	m.house()
	m.letGo(errNoWay)
	m.keeper.Wait()
	m.runs.Wait()
	m.end(errNoWay)
	s.must(m.v.Close())
	return c
}

// awake is a server whose clock is the test's.
func (s *shelf) awake(name string) Config {
	c := s.server(name)
	c.boot = func() time.Duration { return time.Duration(time.Now().UnixNano()) }
	return c
}

func (s *shelf) follow(c Config) *Member {
	s.t.Helper()
	m, err := Join(s.t.Context(), c)
	s.must(err)
	s.t.Cleanup(func() { m.Close(context.Background()) })
	if m.Role() != Follower {
		s.t.Fatalf("%s is %s", c.Server, m.Role())
	}
	return m
}

// With real vaults: an owner burns, its follower goes on, the burnt one comes back with what
// is left of its disk, and a new one with nothing. All of them have one log, and verify it.
func TestVaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		a, k := s.own(s.awake("first"))
		bAt := s.awake("second")
		b := s.follow(bAt)
		for i := range 20 {
			k.Create(fmt.Sprintf("before %d", i), "some text")
		}
		s.together(a, b)
		burnt := s.burns(a, "burnt")
		select {
		case <-b.Done():
			wantIs(t, b.Err(), ErrOwnerGone)
		case <-time.After(20 * time.Second):
			t.Fatal("nobody takes over")
		}
		must(t, b.Close(t.Context()))
		b, k = s.own(bAt)
		for i := range 20 {
			k.Create(fmt.Sprintf("after %d", i), "more text")
		}
		again, cold := s.follow(burnt), s.follow(s.awake("third"))
		k.Create("last", "text")
		s.together(b, again, cold)
		head := b.Vault().Head()
		must(t, b.Close(t.Context()))
		heir, other := cold, again
		select {
		case <-cold.Done():
		case <-again.Done():
			heir, other = again, cold
		case <-time.After(2 * time.Second):
			t.Fatal("nobody takes over")
		}
		wantIs(t, heir.Err(), ErrOwnerGone)
		must(t, heir.Close(t.Context()))
		c, k := s.own(*heir.c)
		if got := c.Vault().Head(); got.Seq != head.Seq || got.Hash != head.Hash {
			t.Errorf("the log goes on from %v, not from %v", got, head)
		}
		k.Create("more", "text")
		s.together(c, other)
		s.verify(c.Vault())
	})
}

// together waits until all have the head of the first, and verifies them.
func (s *shelf) together(owner *Member, others ...*Member) {
	s.t.Helper()
	for _, m := range others {
		for range 50 {
			if m.Vault().Head() != owner.Vault().Head() {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if got, want := m.Vault().Head(), owner.Vault().Head(); got != want {
			s.t.Errorf("%s is at %v, the owner at %v", m.c.Server, got, want)
		}
		_, _, err := m.Vault().CreateUser(s.t.Context(), engine.Operator(), engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})
		wantIs(s.t, err, engine.ErrFollower)
		s.verify(m.Vault())
	}
}
