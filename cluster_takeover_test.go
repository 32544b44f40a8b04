package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
)

var takeovers = flag.Int("takeovers", 3, "how many times TestTakeovers kills the server that owns the vault")

// TestTakeovers kills the server that owns the vault while eight clients write, again
// and again, and holds those who are left to what was acknowledged: metadata, bytes and
// locks are there, no number of the log was used twice, and the vault verifies, at
// last from the store alone.
func TestTakeovers(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for leases to expire")
	}
	for _, servers := range []int{3, 2} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			if servers == 2 && *takeovers < 10 {
				t.Skip("-takeovers 10 or more")
			}
			eachSeed(t, func(t *testing.T, seed uint64) { testTakeovers(t, seed, servers, *takeovers) })
		})
	}
}

func testTakeovers(t *testing.T, seed uint64, servers, times int) {
	f := newFleet(t, servers)
	dice := rand.New(rand.NewPCG(seed, 0))
	s := f.startSoak(seed)
	var took []time.Duration
	for i := range times {
		wait(t.Context(), 200*time.Millisecond+time.Duration(dice.Int64N(int64(800*time.Millisecond))))
		owner := f.owner()
		owner.kill()
		killed := time.Now()
		if dice.IntN(4) == 0 {
			owner.burn()
		}
		took = append(took, f.awaitChange(owner.others()...).Sub(killed))
		if next := f.owner(); next == owner {
			t.Errorf("%s was killed, and owns the vault", owner.name)
		}
		// The next to be killed is not always one that has been there for long.
		owner.start()
		if times >= 10 && (i+1)%(times/10) == 0 {
			t.Logf("%d takeovers: %s, %d entries", i+1, spread(took), s.entries())
		}
	}
	changes := s.end()
	if changes < times {
		t.Errorf("%d changes were acknowledged: the test says nothing", changes)
	}
	t.Logf("%d takeovers of %d servers, %d changes acknowledged, no write for %s", times, servers, changes, spread(took))
	f.fromTheStoreAlone(s)
}

// spread is the median and the worst.
func spread(all []time.Duration) string {
	all = slices.Sorted(slices.Values(all))
	return fmt.Sprintf("%v at the median, %v at worst", all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
}

// soak is a fleet under load, with somebody who reads the log of each server.
type soak struct {
	f       *fleet
	writers []*writer
	extra   []audit.Receipt // of changes that others made
	work    *working
	log     *numbers
	cancel  context.CancelFunc
	reading sync.WaitGroup
}

func (f *fleet) startSoak(seed uint64) *soak {
	f.t.Helper()
	const clients = 8
	s := &soak{f: f, writers: newWriters(f.key, seed, clients), log: newNumbers()}
	ctx, cancel := context.WithCancel(f.t.Context())
	s.cancel = cancel
	for _, m := range f.members {
		s.reading.Go(func() { s.log.follow(ctx, f.key, m.name, m.where) })
	}
	s.work = startWork(ctx, s.writers, f.where)
	return s
}

func (s *soak) entries() int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return len(s.log.hash)
}

// receipts are of all changes that were acknowledged.
func (s *soak) receipts() []audit.Receipt {
	all := slices.Clone(s.extra)
	for _, w := range s.writers {
		all = append(all, w.receipts...)
	}
	return all
}

// end ends the load, and holds every server that runs to the log that all have seen,
// and the owner to everything that was acknowledged.
func (s *soak) end() (changes int) {
	t := s.f.t
	t.Helper()
	changes = s.work.stop(t)
	s.cancel()
	s.reading.Wait()
	head, err := headOf(t.Context(), s.f.key, s.f.owner().where())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.f.members {
		if m.where() == "" {
			continue
		}
		m.catchUp(head.Seq)
		if err := s.log.readAll(t.Context(), m.key, m.name, m.where(), head.Seq); err != nil {
			t.Errorf("the log of %s: %v", m.name, err)
		}
	}
	s.check(s.f.owner(), head.Seq)
	if t.Failed() {
		t.Log(s.f.says())
	}
	return changes
}

// check holds a server to everything, when it has come to an entry.
func (s *soak) check(m *member, seq uint64) {
	t := s.f.t
	t.Helper()
	m.catchUp(seq)
	if err := s.log.readAll(t.Context(), m.key, m.name, m.where(), seq); err != nil {
		t.Errorf("the log of %s: %v", m.name, err)
	}
	checkWriters(t, m.where(), s.writers)
	s.log.check(t, s.receipts())
	m.verify()
}

// fromTheStoreAlone stops every server, and has one on an empty disk answer for all
// that was acknowledged.
func (f *fleet) fromTheStoreAlone(s *soak) {
	f.t.Helper()
	head, err := headOf(f.t.Context(), f.key, f.where(0))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, m := range f.members {
		if m.where() != "" {
			m.stop()
		}
	}
	fresh := f.add()
	fresh.start()
	s.check(fresh, head.Seq)
	fresh.stop()
}
