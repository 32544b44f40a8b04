package store_test

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"strongroom/engine/internal/store"
)

// A commit that fails for lack of space did not happen, if the file says so too,
// and the store goes on. Any other stops it. All in the group are told, who
// wrote and who was refused.
func TestACommitThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		applied bool
		cause   error
		goesOn  bool
	}{
		"no space, not applied":      {false, syscall.ENOSPC, true},
		"no space, applied":          {true, syscall.ENOSPC, false},
		"another error, not applied": {false, syscall.EIO, false},
		"another error, applied":     {true, syscall.EIO, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				failed := 0
				k.options.OnFail = func() { failed++ }
				k.reopen()
				must(t, k.submit(put("before", "")))
				head := k.Head()
				fails := func(commit, rollback func() error) error {
					if c.applied {
						must(t, commit())
					} else {
						must(t, rollback())
					}
					return c.cause
				}
				var wg sync.WaitGroup
				block := make(chan struct{})
				want := store.ErrUnavailable
				if c.goesOn {
					want = store.ErrNoSpace
				}
				for _, step := range []store.Step{
					func(t *store.Tx) (store.Record, error) { <-block; return store.Record{}, nil },
					put("lost", ""),
					func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF },
				} {
					wg.Go(func() {
						if err := k.submit(step); err != nil && (!errors.Is(err, want) || !errors.Is(err, c.cause)) {
							t.Errorf("got %v, want %v: %v", err, want, c.cause)
						} else if err == nil && k.Head() != head {
							t.Error("acknowledged")
						}
					})
					synctest.Wait()
				}
				k.Interpose(fails)
				close(block)
				wg.Wait()
				k.Interpose(func(commit, _ func() error) error { return commit() })
				if k.Head() != head {
					t.Errorf("the head moved to %+v", k.Head())
				}
				k.stopped(!c.goesOn, store.ReasonOutcomeUnknown)
				if (failed > 0) == c.goesOn {
					t.Errorf("OnFail was called %d times", failed)
				}
				k.reopen()
				there := []string{"before"}
				if c.applied {
					there = append(there, "lost")
				}
				if c.goesOn {
					there = append(there, "after")
				}
				k.holds(there...)
			})
		})
	}
}

// stopped holds that every call says that the store has stopped, or none.
func (k *kit) stopped(stopped bool, reason store.Reason) {
	k.t.Helper()
	ctx := k.t.Context()
	check := func(call string, err error) {
		k.t.Helper()
		down, ok := errors.AsType[*store.UnavailableError](err)
		if stopped && (!ok || down.Reason != reason) || !stopped && err != nil {
			k.t.Errorf("%s: got %v", call, err)
		}
	}
	check("submit", k.submit(put("after", "")))
	check("submit each", k.SubmitEach(ctx, []*store.Call{k.call()}))
	_, err := store.Read(k.Store, false, func(*store.Tx) (int, error) { return 0, nil })
	check("read", err)
	_, err = store.Read(k.Store, true, func(*store.Tx) (int, error) { return 0, nil })
	check("peek", err)
	check("wait", k.Wait(ctx, 0))
	check("snapshot", k.Snapshot(func(store.Snapshot) error { return nil }))
	check("writable", k.Writable())
	check("ready", k.Ready())
	if stopped {
		_, _, err = k.Wipe(ctx, func() bool { return false })
		check("wipe", err)
	}
}

// A panic in the middle of a commit leaves an unknown outcome.
func TestAPanicInACommitStopsTheStore(t *testing.T) {
	k := newKit(t)
	k.Interpose(func(_, rollback func() error) error { must(t, rollback()); panic("at its worst moment") })
	if err := k.submit(put("a", "")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	k.stopped(true, store.ReasonOutcomeUnknown)
	k.reopen()
	k.holds()
}

// The first reason stays, until the store is closed; who waits is woken.
func TestAStopWakesWhoWaits(t *testing.T) {
	for reason, stop := range map[store.Reason]func(k *kit){
		store.ReasonDamaged: func(k *kit) { k.Stop(store.ReasonDamaged, io.EOF); k.Stop(store.ReasonOutcomeUnknown, io.EOF) },
		store.ReasonClosed:  func(k *kit) { k.close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t)
			done := make(chan error)
			go func() { done <- k.Wait(t.Context(), k.Head().Seq) }()
			synctest.Wait()
			stop(k)
			if down, ok := errors.AsType[*store.UnavailableError](<-done); !ok || down.Reason != reason {
				t.Errorf("%s: got %v", reason, down)
			}
			k.stopped(true, reason)
			if k.Shut() == (reason == store.ReasonClosed) {
				t.Errorf("%s: a second Shut says it is the first", reason)
			}
			must(t, k.Close(nil))
		})
	}
}

// Close waits for the calls that run, and runs last when they are over.
func TestCloseWaitsForCalls(t *testing.T) {
	k := newKit(t)
	before := k.Head().Seq
	begun, release := k.hold()
	var wg sync.WaitGroup
	wg.Go(func() { must(t, k.submit(put("a", ""))) })
	<-begun
	k.Shut()
	wg.Go(release)
	must(t, k.Close(func() error {
		if k.Head().Seq != before+1 {
			t.Error("closed in the middle of a commit")
		}
		return nil
	}))
	wg.Wait()
	k.open()
	k.holds("a")
}
