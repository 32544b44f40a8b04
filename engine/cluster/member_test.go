package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
)

// The first of three servers owns the vault, and the others have what it writes.
func TestOneOwnsAndOthersFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b, c := w.server("a"), w.server("b"), w.server("c")
		a.join(Owner)
		b.join(Follower)
		for i := range 200 {
			must(t, a.write(fmt.Sprint(i)))
		}
		c.join(Follower)
		want := append([]string{"made", "ready"}, numbers(200)...)
		b.has(want...)
		c.has(want...)
		wantIs(t, b.write("no"), engine.ErrFollower)
		wantIs(t, b.m.Current(), engine.ErrFollower)
		must(t, a.m.Current())
		if url, ok := b.m.Owner(); !ok || url != "https://a" {
			t.Errorf("b takes %q for the owner's URL", url)
		}
		time.Sleep(time.Minute)
		must(t, a.m.Current())
		if s := c.m.Status(); s.Behind > 2*time.Second || s.Commit != 203 || s.Epoch != 1 || s.Server != "a" {
			t.Errorf("%+v", s)
		}
		for _, s := range []*server{c, b, a} {
			s.close()
			wantIs(t, s.m.Err(), ErrClosed)
		}
	})
}

// A follower knows how far it is although there is always more.
func TestFollowerUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		b.w.delay = 10 * time.Millisecond
		a.join(Owner)
		b.join(Follower)
		for i := range 2000 {
			must(t, a.write(fmt.Sprint(i)))
			time.Sleep(15 * time.Millisecond)
			if s := b.m.Status(); s.Behind > 2*time.Second {
				t.Fatalf("after %d it is behind by %v", i, s.Behind)
			}
		}
		b.close()
		a.close()
	})
}

// A lease that is gone is as one that nobody has: one of them owns.
func TestLeaseThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		w.drop(keyLease)
		owner, other := a, b
		select {
		case <-a.m.Done(): // the follower was first
			wantIs(t, a.m.Err(), engine.ErrReplaced)
			b.succeeds(time.Second)
			a.close()
			a.join(Follower)
			owner, other = b, a
		case <-time.After(10 * time.Second):
		}
		must(t, owner.write("two"))
		other.has("made", "ready", "one", "two")
		must(t, owner.m.Current())
		other.close()
		owner.close()
	})
}

func numbers(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprint(i))
	}
	return lines
}

func TestNoVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.drop(keySnapshot)
		_, err := Join(t.Context(), w.server("a").config())
		wantIs(t, err, ErrNoVault)
	})
}

// Of two who come at once, or are left by their owner at once, one owns.
func TestTwoCandidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		all := []*server{w.server("a"), w.server("b"), w.server("c")}
		var each sync.WaitGroup
		for _, s := range all {
			s.w.delay = 40 * time.Millisecond
			each.Go(func() {
				var err error
				if s.m, err = Join(context.Background(), s.config()); err != nil {
					t.Error(err)
				}
			})
		}
		each.Wait()
		owners := func() (owners []*server) {
			for _, s := range all {
				if s.m.Role() == Owner {
					owners = append(owners, s)
				}
			}
			return owners
		}
		if n := len(owners()); n != 1 {
			t.Fatalf("%d own", n)
		}
		owner := owners()[0]
		must(t, owner.write("one"))
		owner.kill()
		all = slices.DeleteFunc(all, func(s *server) bool { return s == owner })
		select {
		case <-all[0].m.Done():
		case <-all[1].m.Done():
			slices.Reverse(all)
		}
		wantIs(t, all[0].m.Err(), ErrOwnerGone)
		all[0].close()
		all[0].join(Owner)
		time.Sleep(time.Minute)
		if err := all[1].m.Err(); err != nil {
			t.Errorf("the other does not follow: %v", err)
		}
		must(t, all[0].write("two"))
		all[1].has("made", "ready", "one", "two")
		all[0].close()
		all[1].close()
	})
}

// An owner that leaves in order is succeeded at once; one that is gone, when its lease
// has stood still for fifteen seconds.
func TestSuccession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		left := time.Now()
		a.close()
		b.succeeds(2 * time.Second)
		if d := time.Since(left); d > 2*time.Second {
			t.Errorf("it took %v", d)
		}
		must(t, b.write("two"))
		a.join(Follower)
		a.has("made", "ready", "one", "two")

		died := time.Now()
		b.kill()
		a.succeeds(20 * time.Second)
		if d := time.Since(died); d < leaseExpires-renewEvery || d > 18*time.Second {
			t.Errorf("it took %v", d)
		}
		must(t, a.write("three"))
		b.join(Follower) // its lease is another's by now
		b.has("made", "ready", "one", "two", "three")
		if s := a.m.Status(); s.Epoch < 3 {
			t.Errorf("the third owner has epoch %d", s.Epoch)
		}
		b.close()
		a.close()
		a.join(Owner) // alone, it need not wait
		a.close()
	})
}

// Who died and comes back before anybody else owns at once: the lease is its own.
func TestOwnerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("a") // two of one name are two
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		a.kill()
		a.join(Owner)
		a.has("made", "ready", "one")
		must(t, a.write("two"))
		b.has("made", "ready", "one", "two")
		b.close()
		a.close()
	})
}

// Who has its share already lets others go first.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b, c := w.server("a"), w.server("b"), w.server("c")
		b.patience = 5 * time.Second
		a.join(Owner)
		b.join(Follower)
		c.join(Follower)
		a.close()
		wantIs(t, c.over(2*time.Second), ErrOwnerGone)
		c.kill() // it dies as it takes over
		b.succeeds(25 * time.Second)
		b.close()
	})
}

// A clock that is off by six seconds does not take over, and one that is off by four does.
func TestClockThatIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.w.skew = -4 * time.Second
		b.w.skew = 6*time.Second + 900*time.Millisecond
		a.join(Owner)
		b.join(Follower)
		a.kill()
		time.Sleep(time.Minute)
		if err := b.m.Err(); err != nil {
			t.Errorf("it is over: %v", err)
		}
		wantIs(t, b.m.Status().Concern, ErrClock)
		if said := strings.Join(b.said, "\n"); strings.Count(said, "does not take over") != 1 {
			t.Errorf("it says %q", said)
		}
		b.w.set(func(w *weather) { w.skew = 0 })
		b.succeeds(2 * time.Second)
		b.close()
		a.w.skew = -7 * time.Second
		a.join(Follower)
		a.close()
	})
}

// An owner that was stopped acknowledges nothing when it wakes, and answers nothing as current.
func TestPausedOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		a.w.pause()
		written := make(chan error, 1)
		go func() { written <- a.write("two") }()
		time.Sleep(11 * time.Second)
		wantIs(t, a.m.Current(), ErrStale)
		b.succeeds(20 * time.Second)
		must(t, b.write("three"))
		time.Sleep(time.Minute)
		a.w.resume()
		wantIs(t, <-written, engine.ErrReplaced)
		wantIs(t, a.over(time.Second), engine.ErrReplaced)
		wantIs(t, a.m.Current(), engine.ErrReplaced)
		wantIs(t, a.write("four"), engine.ErrUnavailable)
		a.close()
		a.join(Follower)
		a.has("made", "ready", "one", "three")
		a.close()
		b.close()
	})
}

// An owner that slept, by its own clock, sees that it was replaced before it acknowledges
// anything, although its number is free again: it was collected meanwhile. It does not say
// that nothing happened if it does not know: the next owner may have had its put.
func TestCollectedBehindItsBack(t *testing.T) {
	for _, kept := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			a, b := w.server("a"), w.server("b")
			a.join(Owner)
			must(t, a.write("one"))
			want := []string{"made", "ready", "one"}
			written := make(chan error, 1)
			if kept {
				want = append(want, "two")
				a.w.set(func(w *weather) { w.put = func(string) outcome { return mute }; w.delay = time.Second })
				go func() { written <- a.write("two") }()
				time.Sleep(1500 * time.Millisecond)
			}
			a.w.pause()
			a.w.set(func(w *weather) { w.put, w.delay = nil, 0 })
			b.join(Follower)
			b.succeeds(20 * time.Second)
			for i := range 5 {
				must(t, b.write(fmt.Sprint(i)))
			}
			last := b.m.s.place()
			w.snapshot(last, b.b.read())
			for n := uint64(3); n < last.Commit; n++ {
				w.drop(commitKey(n))
			}
			a.mu.Lock()
			a.jump = 48 * time.Hour
			a.mu.Unlock()
			if !kept {
				go func() { written <- a.write("two") }()
				time.Sleep(time.Second)
			}
			a.w.resume()
			if err := <-written; err == nil || errors.Is(err, engine.ErrReplaced) == kept {
				t.Errorf("it returns %v", err)
			}
			if _, err := b.m.c.readCommit(t.Context(), 5); err == nil {
				t.Error("it left a commit")
			}
			a.close()
			a.join(Follower) // from the snapshot
			a.has(append(want, numbers(5)...)...)
			a.close()
			b.close()
		})
	}
}

// A lease that another takes in the same moment is not taken for one's own; a claim that was carried
// out without an answer is.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a := w.server("a")
		c := a.config()
		for _, one := range []struct {
			what string
			put  func()
			fate outcome
			want error
		}{
			{"nobody else", func() {}, well, nil},
			{"without an answer", func() {}, mute, nil},
			{"twice", func() {}, twice, nil},
			{"another's", func() { w.put(keyLease, []byte(`{"server":"b","epoch":9,"id":"b","nonce":"x"}`)) }, well, errLost},
		} {
			seen, err := c.findLease(t.Context())
			must(t, err)
			first := true
			a.w.set(func(w *weather) {
				w.put = func(string) outcome {
					if !first {
						return well
					}
					first = false
					one.put()
					return one.fate
				}
			})
			h, err := c.claim(t.Context(), lease{Server: "a", ID: "a", Epoch: 9}, seen.etag)
			if !errors.Is(err, one.want) {
				t.Errorf("%s: %v", one.what, err)
			}
			if now, err := c.findLease(t.Context()); err != nil || one.want == nil && h.etag != now.etag {
				t.Errorf("%s: it holds %q, and the lease is %q, %v", one.what, h.etag, now.etag, err)
			}
		}
	})
}

// A follower that was away for so long that commits were collected begins anew.
func TestFollowerThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		b.has("made", "ready")
		b.w.pause()
		for i := range 5 {
			must(t, a.write(fmt.Sprint(i)))
		}
		last := a.m.s.place()
		w.snapshot(last, a.b.read())
		for n := uint64(3); n < last.Commit; n++ {
			w.drop(commitKey(n))
		}
		time.Sleep(2 * time.Minute)
		b.w.resume()
		wantIs(t, b.over(5*time.Second), ErrCollected)
		b.close()
		b.join(Follower)
		b.has(append([]string{"made", "ready"}, numbers(5)...)...)
		b.close()
		a.close()
	})
}

// A put of the last owner that comes late is a part of the history if it comes before
// the takeover, and nothing if it comes after.
func TestDelayedPut(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the takeover %v", before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				a, b := w.server("a"), w.server("b")
				a.join(Owner)
				b.join(Follower)
				must(t, a.write("one"))
				fate := lost
				if before {
					fate = mute
				}
				a.w.pause()
				a.w.set(func(w *weather) {
					w.put = func(key string) outcome {
						if strings.HasPrefix(key, keyCommits) {
							return fate
						}
						return lost
					}
					w.gets = func(string) bool { return false }
				})
				written := make(chan error, 1)
				go func() { written <- a.write("two") }()
				a.w.resume()
				time.Sleep(time.Second)
				a.w.pause() // it is on its way
				b.succeeds(20 * time.Second)
				must(t, b.write("three"))
				want := []string{"made", "ready", "one", "three"}
				if before {
					want = []string{"made", "ready", "one", "two", "three"}
				}
				b.has(want...)
				a.w.set(func(w *weather) { w.put = nil })
				a.w.resume()
				err := <-written
				if before { // it was kept, and nobody else has the number
					must(t, err)
				} else {
					wantIs(t, err, engine.ErrReplaced)
				}
				wantIs(t, a.over(10*time.Second), engine.ErrReplaced)
				a.close()
				a.join(Follower)
				a.has(want...)
				a.close()
				b.close()
			})
		})
	}
}

// Whatever becomes of a put, the group is kept once, and the caller is told so.
func TestEachFault(t *testing.T) {
	for _, fate := range []outcome{lost, mute, twice, late} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			a, b := w.server("a"), w.server("b")
			a.join(Owner)
			b.join(Follower)
			tries := map[string]int{}
			a.w.set(func(w *weather) {
				w.put = func(key string) outcome {
					if tries[key]++; tries[key] < 4 {
						return fate
					}
					return well
				}
			})
			for i := range 10 {
				must(t, a.write(fmt.Sprint(i)))
			}
			b.has(append([]string{"made", "ready"}, numbers(10)...)...)
			time.Sleep(time.Minute)
			must(t, a.m.Current())
			must(t, b.m.Err())
			b.close()
			a.close()
		})
	}
}

// A store that was put back, or has lost something, is refused by name.
func TestStoreThatIsBehind(t *testing.T) {
	for _, one := range []struct {
		what string
		lose func(w *town, last place)
		new  bool // seen by a server without a copy
	}{
		{"it lacks the last commit", func(w *town, last place) { w.drop(commitKey(last.Commit)) }, false},
		{"it lacks the last commit", func(w *town, last place) { w.drop(commitKey(last.Commit)) }, true},
		{"it lacks one in the middle", func(w *town, last place) { w.drop(commitKey(last.Commit - 2)) }, true},
		{"it was put back, with the lease", func(w *town, last place) { w.drop(commitKey(last.Commit)); w.drop(keyLease) }, false},
		{"it was put back, and went on", func(w *town, last place) {
			cm := commit{place{last.Commit, newMark(), last.Epoch}, last.Mark, kindGroup, nil}
			w.put(commitKey(last.Commit), appendCommit(nil, cm, newDeflater()))
		}, false},
	} {
		t.Run(one.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				a := w.server("a")
				a.join(Owner)
				for i := range 5 {
					must(t, a.write(fmt.Sprint(i)))
				}
				time.Sleep(renewEvery)
				last := a.m.s.place()
				a.close()
				one.lose(w, last)
				if one.new {
					a = w.server("b")
				}
				_, err := Join(t.Context(), a.config())
				wantIs(t, err, ErrStoreBehind)
			})
		})
	}
}

// A follower that runs sees it too, when the lease tells of more than there is.
func TestFollowerSeesThatTheStoreIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		time.Sleep(2 * time.Second)
		b.w.set(func(w *weather) { w.gets = func(key string) bool { return key == commitKey(5) } })
		must(t, a.write("two"))
		wantIs(t, b.over(10*time.Second), ErrStoreBehind)
		b.close()
		a.close()
	})
}

// A commit in the middle of history that is damaged or another's is not applied.
func TestForkedHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		must(t, a.write("one"))
		must(t, a.write("two"))
		a.close()
		cm, err := a.m.c.readCommit(t.Context(), 5)
		must(t, err)
		cm.Before[0]++
		w.put(commitKey(5), appendCommit(nil, cm, newDeflater()))
		_, err = Join(t.Context(), b.config())
		wantIs(t, err, ErrForked)
		w.put(commitKey(5), []byte("not a commit"))
		_, err = Join(t.Context(), b.config())
		wantIs(t, err, ErrDamaged)
	})
}

// A copy that does not go on with what is in the store is fetched anew.
func TestCopyThatIsSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a, b := w.server("a"), w.server("b")
		a.join(Owner)
		b.join(Follower)
		must(t, a.write("one"))
		b.has("made", "ready", "one")
		b.b.mu.Lock()
		b.b.head[0]++
		b.b.mu.Unlock()
		must(t, a.write("two"))
		err := b.over(2 * time.Second)
		wantIs(t, err, engine.ErrRecord)
		b.close()
		b.join(Follower)
		b.has("made", "ready", "one", "two")

		b.kill() // and one that finds out as it joins
		b.b.head[0]++
		must(t, a.write("three"))
		b.join(Follower)
		b.has("made", "ready", "one", "two", "three")
		b.close()
		a.close()
	})
}

// An owner that is cut off is closed when its caller has waited enough, and whoever waited
// for it is told that nobody knows.
func TestCloseWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a := w.server("a")
		a.join(Owner)
		must(t, a.write("one"))
		a.w.set(func(w *weather) { w.cut = true })
		written := make(chan error, 1)
		go func() { written <- a.write("two") }()
		time.Sleep(time.Second)
		ctx, done := context.WithTimeout(t.Context(), 5*time.Second)
		defer done()
		began := time.Now()
		must(t, a.m.Close(ctx))
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("it took %v", d)
		}
		if err := <-written; err == nil || errors.Is(err, engine.ErrReplaced) || !errors.Is(err, ErrClosed) {
			t.Errorf("the caller is told %v", err)
		}
		a.w.set(func(w *weather) { w.cut = false })
		a.join(Owner)
		a.has("made", "ready", "one")
		a.close()
	})
}

// An owner that is cut off for longer than its lease, with nobody else there, goes on
// when the store is back: correctness is not the lease's.
func TestCutOffAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		a := w.server("a")
		a.join(Owner)
		a.w.set(func(w *weather) { w.cut = true })
		written := make(chan error, 1)
		go func() { written <- a.write("one") }()
		time.Sleep(5 * time.Minute)
		wantIs(t, a.m.Current(), ErrStale)
		a.w.set(func(w *weather) { w.cut = false })
		must(t, <-written)
		time.Sleep(5 * time.Second)
		must(t, a.m.Current())
		must(t, a.write("two"))
		a.has("made", "ready", "one", "two")
		a.close()
	})
}
