package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"strongroom/engine/internal/store"
)

// group submits the calls, one behind the other, while a commit holds up the
// next, and returns the errors that they got.
func (k *kit) group(calls ...*store.Call) []error {
	k.t.Helper()
	begun, release := k.hold()
	var wg sync.WaitGroup
	wg.Go(func() { k.submit(put("first", "")) })
	<-begun
	errs := make([]error, len(calls))
	for i, c := range calls {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i] = k.Submit(c)
		})
		synctest.Wait()
	}
	release()
	wg.Wait()
	return errs
}

func (k *kit) call(steps ...store.Step) *store.Call {
	return &store.Call{Ctx: k.t.Context(), Steps: steps}
}

func TestCallsThatComeDuringACommitShareTheNext(t *testing.T) {
	for members, commits := range map[int]uint64{1: 2, 40: 2, store.MaxGroup: 2, store.MaxGroup + 1: 3} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				var calls []*store.Call
				for n := range members {
					calls = append(calls, k.call(put(fmt.Sprint(n), "")))
				}
				for n, err := range k.group(calls...) {
					if err != nil || calls[n].Heads[0].Seq != uint64(n+3) {
						t.Errorf("call %d: entry %d, %v", n, calls[n].Heads[0].Seq, err)
					}
				}
				if n := k.Stats.Commits.Load(); n != commits {
					t.Errorf("%d commits, want %d", n, commits)
				}
				if d := k.Stats.Groups.Read(); d.Count != commits || d.Sum != float64(members+1) || k.Stats.Changes.Load() != uint64(members+1) {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

func TestACallThatChangesNothingIsNotCommitted(t *testing.T) {
	k := newKit(t)
	k.Interpose(func(_, rollback func() error) error { t.Error("committed"); return rollback() })
	must(t, k.submit(func(*store.Tx) (store.Record, error) { return store.Record{}, nil }))
	if err := k.submit(func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF }); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A member that fails after it wrote takes its own changes with it. The others
// run again without it, so that none is refused for what never landed.
func TestAMemberThatFailsLateIsRemoved(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*store.Tx) (store.Record, error)
		want string
	}{
		"fails":    {func(*store.Tx) (store.Record, error) { return noted(), io.ErrUnexpectedEOF }, "unexpected EOF"},
		"breaches": {func(*store.Tx) (store.Record, error) { return store.Record{}, nil }, store.ErrBreach.Error() + `: wrote true, event ""`},
		"panics":   {func(*store.Tx) (store.Record, error) { panic("spoilt") }, "panic: spoilt"},
		"is wrong": {func(t *store.Tx) (store.Record, error) {
			_ = make([]int, 1)[t.Seq()]
			return noted(), nil
		}, "panic: runtime error: index out of range [4] with length 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				spoiler := k.call(func(t *store.Tx) (store.Record, error) {
					t.Put(notes, []byte("taken"), []byte("by the spoiler"))
					return c.end(t)
				})
				runs := 0
				earlier := k.call(func(t *store.Tx) (store.Record, error) { runs++; return put("earlier", "")(t) })
				later := k.call(func(t *store.Tx) (store.Record, error) {
					if t.Get(notes, []byte("taken")) != nil {
						return store.Record{}, io.EOF
					}
					return put("taken", "by the later one")(t)
				})
				errs := k.group(earlier, spoiler, later)
				if errs[1] == nil || errs[1].Error() != c.want {
					t.Errorf("the spoiler got %v, want %s", errs[1], c.want)
				}
				if errs[0] != nil || errs[2] != nil || runs != 2 {
					t.Errorf("the others got %v, %v, after %d runs", errs[0], errs[2], runs)
				}
				if n := k.Stats.LateFailures.Load(); n != 1 {
					t.Errorf("%d late failures, want 1", n)
				}
				k.reopen()
				k.holds("first", "earlier", "taken")
				if got := k.rows(notes)["taken"]; got != "by the later one" {
					t.Errorf("taken %s", got)
				}
			})
		})
	}
}

// A refusal may rest on a neighbour's change: nobody gets one before the commit,
// and if that fails nobody gets one at all.
func TestARefusalWaitsForTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		held, begun := make(chan struct{}), 0
		k.Interpose(func(commit, _ func() error) error {
			if begun++; begun == 2 {
				<-held
			}
			return commit()
		})
		first := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			k.submit(func(t *store.Tx) (store.Record, error) { <-first; return put("first", "")(t) })
		})
		synctest.Wait()
		wg.Go(func() { k.submit(put("neighbour", "")) })
		synctest.Wait()
		answered := false
		wg.Go(func() {
			err := k.submit(func(t *store.Tx) (store.Record, error) {
				if t.Get(notes, []byte("neighbour")) != nil {
					return store.Record{}, io.EOF
				}
				return store.Record{}, nil
			})
			if answered = true; !errors.Is(err, io.EOF) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		close(first)
		synctest.Wait()
		if answered || begun != 2 {
			t.Errorf("answered %v, in commit %d", answered, begun)
		}
		close(held)
		wg.Wait()
	})
}

// A caller may withdraw until a leader has taken its call, and not after.
func TestWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		begun, release := k.hold()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var taken, waiting error
		answered := false
		wg.Go(func() { taken = k.submitAs(ctx, put("taken", "")); answered = true })
		<-begun
		wg.Go(func() { waiting = k.submitAs(ctx, put("waiting", "")) })
		synctest.Wait()
		if u, err := k.Usage(); err != nil || u.Waiting != 1 {
			t.Errorf("%d calls wait, %v", u.Waiting, err)
		}
		wg.Go(func() { k.submit(put("last", "")) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(waiting, context.Canceled) || answered {
			t.Errorf("who waits got %v; who was taken was answered: %v", waiting, answered)
		}
		release()
		wg.Wait()
		if taken != nil {
			t.Errorf("who was taken got %v", taken)
		}
		k.holds("taken", "last")
		if err := k.submitAs(ctx, put("late", "")); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// Calls submitted together land in their order and have outcomes of their own.
func TestSubmitEach(t *testing.T) {
	k := newKit(t)
	var calls []*store.Call
	for n := range store.MaxGroup + 10 {
		calls = append(calls, k.call(put(fmt.Sprintf("%04d", n), "")))
	}
	calls[5] = k.call(func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF })
	before := k.Head().Seq
	must(t, k.SubmitEach(t.Context(), calls))
	seq := before
	for n, c := range calls {
		if n == 5 {
			if !errors.Is(c.Err, io.EOF) || c.Heads != nil {
				t.Errorf("%+v, %v", c.Heads, c.Err)
			}
			continue
		}
		if seq++; c.Err != nil || c.Heads[0].Seq != seq {
			t.Errorf("call %d is entry %+v, want %d; %v", n, c.Heads, seq, c.Err)
		}
	}
	if n := k.Stats.Commits.Load(); n != 2 {
		t.Errorf("%d commits, want 2", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.SubmitEach(ctx, calls[:1]); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(t, k.SubmitEach(t.Context(), nil))
}
