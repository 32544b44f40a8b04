package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

type closure = func(*engine.Tx) (string, audit.Event, error)

// mark is a closure that writes one row and its entry.
func mark(name string) closure {
	return func(t *engine.Tx) (string, audit.Event, error) {
		t.Mark(name)
		return name, engine.MarkEvent(), nil
	}
}

func marks(t *testing.T, k *enginetest.Kit) map[string]bool {
	t.Helper()
	m, err := k.Marks()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// blockCommit makes the next commit wait. It returns a channel that is closed
// when the commit has begun, and what lets it go on.
func blockCommit(k *enginetest.Kit) (begun chan struct{}, release func()) {
	begun, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	k.SetCommit(func(commit, _ func() error) error {
		once.Do(func() { close(begun); <-held })
		return commit()
	})
	return begun, sync.OnceFunc(func() { close(held) })
}

func TestCallersWhoComeDuringACommitShareTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		before := k.Stats().Commits
		begun, release := blockCommit(k)
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				name := fmt.Sprint("m", i)
				got, r, err := k.Update(t.Context(), k.Admin, mark(name))
				if err != nil || got != name || r.Seq == 0 {
					t.Error(got, r, err)
				}
			})
		}
		<-begun
		synctest.Wait()
		release()
		wg.Wait()
		if n := k.Stats().Commits - before; n != 2 {
			t.Errorf("40 changes took %d commits, want 2", n)
		}
		if n := len(marks(t, k)); n != 40 {
			t.Errorf("%d changes are there, want 40", n)
		}
	})
}

func TestAGroupThatChangesNothingIsNotCommitted(t *testing.T) {
	k := enginetest.New(t)
	k.SetCommit(func(_, _ func() error) error { t.Error("committed"); return nil })
	defer k.SetCommit(func(commit, _ func() error) error { return commit() })
	_, r, err := k.Update(t.Context(), k.Admin, func(*engine.Tx) (string, audit.Event, error) {
		return "as it was", audit.Event{}, nil
	})
	if err != nil || r != (engine.Receipt{}) {
		t.Fatal(r, err)
	}
}

func TestAWithdrawnCallerChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		begun, release := blockCommit(k)
		var wg sync.WaitGroup
		wg.Go(func() { k.Update(t.Context(), k.Admin, mark("first")) })
		<-begun
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, _, err := k.Update(ctx, k.Admin, mark("withdrawn")); !errors.Is(err, context.Canceled) {
				t.Error("withdrawn:", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, _, err := k.Update(t.Context(), k.Admin, mark("last")); err != nil {
				t.Error("last:", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		release()
		wg.Wait()
		if m := marks(t, k); !m["first"] || m["withdrawn"] || !m["last"] {
			t.Error(m)
		}
	})
}

func TestACallWhoseClosureWasTakenCannotWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		begun, release := blockCommit(k)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, _, err := k.Update(ctx, k.Admin, mark("taken"))
			done <- err
		}()
		<-begun
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			t.Error("answered before the commit:", err)
		default:
		}
		release()
		if err := <-done; err != nil || !marks(t, k)["taken"] {
			t.Error(err)
		}
	})
}

// A refusal that rests on a neighbour's change must not outlive it.
func TestASpoilerTakesItsChangesWithIt(t *testing.T) {
	for _, spoil := range []struct {
		name string
		with closure
		want func(err error, panicked any) bool
	}{
		{"fails after it wrote", func(t *engine.Tx) (string, audit.Event, error) {
			t.Mark("name")
			return "", audit.Event{}, io.ErrUnexpectedEOF
		}, func(err error, p any) bool { return errors.Is(err, io.ErrUnexpectedEOF) && p == nil }},
		{"panics", func(t *engine.Tx) (string, audit.Event, error) {
			t.Mark("name")
			panic("spoilt")
		}, func(err error, p any) bool { return p == "spoilt" }},
		{"writes without an entry", func(t *engine.Tx) (string, audit.Event, error) {
			t.Mark("name")
			return "", audit.Event{}, nil
		}, func(err error, p any) bool { return err != nil && p == nil }},
		{"has an entry without a write", func(t *engine.Tx) (string, audit.Event, error) {
			return "", engine.MarkEvent(), nil
		}, func(err error, p any) bool { return err != nil && p == nil }},
		{"has an entry the log refuses", func(t *engine.Tx) (string, audit.Event, error) {
			t.Mark("name")
			return "", audit.Event{Op: "no.such"}, nil
		}, func(err error, p any) bool { return errors.Is(err, audit.ErrEvent) && p == nil }},
	} {
		t.Run(spoil.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := enginetest.New(t)
				k.Spoilt = true
				begun, release := blockCommit(k)
				var wg sync.WaitGroup
				wg.Go(func() { k.Update(t.Context(), k.Admin, mark("first")) })
				<-begun
				wg.Go(func() {
					panicked, err := call(k, t.Context(), spoil.with)
					if !spoil.want(err, panicked) {
						t.Errorf("the spoiler got %v, panic %v", err, panicked)
					}
				})
				synctest.Wait()
				// Second in the group: refused while the spoiler's mark stands.
				wg.Go(func() {
					_, _, err := k.Update(t.Context(), k.Admin, func(t *engine.Tx) (string, audit.Event, error) {
						if t.Marked("name") {
							return "", audit.Event{}, engine.ErrExists
						}
						return mark("name")(t)
					})
					if err != nil {
						t.Error("refused because of a change that never landed:", err)
					}
				})
				synctest.Wait()
				release()
				wg.Wait()
				if m := marks(t, k); !m["name"] || !m["first"] || len(m) != 2 {
					t.Error(m)
				}
			})
		})
	}
}

// call runs a closure and catches its panic, as a host's own recover would.
func call(k *enginetest.Kit, ctx context.Context, fn closure) (panicked any, err error) {
	defer func() { panicked = recover() }()
	_, _, err = k.Update(ctx, k.Admin, fn)
	return nil, err
}

func TestSeveralChangesLandTogetherOrNotAtAll(t *testing.T) {
	k := enginetest.New(t)
	refuse := func(*engine.Tx) (string, audit.Event, error) { return "", audit.Event{}, engine.ErrExists }
	if _, _, err := k.UpdateAll(t.Context(), k.Admin, mark("a"), refuse); !errors.Is(err, engine.ErrExists) {
		t.Fatal(err)
	}
	if m := marks(t, k); len(m) != 0 {
		t.Fatal("half landed:", m)
	}
	head := k.Head().Seq
	results, receipts, err := k.UpdateAll(t.Context(), k.Admin, mark("b"), mark("c"))
	if err != nil || results[1] != "c" || receipts[0].Seq != head+1 || receipts[1].Seq != head+2 {
		t.Fatal(results, receipts, err)
	}
}

// A commit fails in both ways, for lack of space and otherwise. Everybody in
// the group is told, who changed something and who was refused.
func TestACommitThatFails(t *testing.T) {
	for _, fault := range []struct {
		name    string
		applied bool
		cause   error
		want    error
		goesOn  bool
	}{
		{"full disk, not applied", false, syscall.ENOSPC, engine.ErrNoSpace, true},
		{"full disk, applied", true, syscall.ENOSPC, engine.ErrUnavailable, false},
		{"I/O error, not applied", false, syscall.EIO, engine.ErrUnavailable, false},
		{"I/O error, applied", true, syscall.EIO, engine.ErrUnavailable, false},
	} {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := enginetest.New(t)
				k.Update(t.Context(), k.Admin, mark("before"))
				begun, release := blockCommit(k)
				var wg sync.WaitGroup
				wg.Go(func() { k.Update(t.Context(), k.Admin, mark("first")) })
				<-begun
				check := func(fn closure) {
					wg.Go(func() {
						if _, _, err := k.Update(t.Context(), k.Admin, fn); !errors.Is(err, fault.want) || !errors.Is(err, fault.cause) {
							t.Errorf("got %v, want %v: %v", err, fault.want, fault.cause)
						}
					})
					synctest.Wait()
				}
				check(mark("lost"))
				check(func(*engine.Tx) (string, audit.Event, error) { return "", audit.Event{}, engine.ErrExists })
				k.SetCommit(func(commit, rollback func() error) error {
					if fault.applied {
						commit()
					} else {
						rollback()
					}
					return fault.cause
				})
				release()
				wg.Wait()
				k.SetCommit(func(commit, _ func() error) error { return commit() })

				_, _, err := k.Update(t.Context(), k.Admin, mark("after"))
				if fault.goesOn != (err == nil) {
					t.Errorf("the next change got %v", err)
				}
				if _, err := k.Settings(t.Context()); fault.goesOn != (err == nil) {
					t.Errorf("the next read got %v", err)
				}
				k.Reopen()
				if m := marks(t, k); !m["before"] || !m["first"] || m["lost"] != fault.applied || m["after"] != fault.goesOn {
					t.Error("opened again, there is", m)
				}
			})
		})
	}
}

func TestAPanicInTheCommitStopsTheVault(t *testing.T) {
	k := enginetest.New(t)
	k.SetCommit(func(_, rollback func() error) error { rollback(); panic("assertion failed") })
	if _, _, err := k.Update(t.Context(), k.Admin, mark("x")); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatal(err)
	}
	if err := k.Ready(); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatal(err)
	}
	k.Reopen()
}

func TestBelowTheReserveNothingIsWrittenAndReadsGoOn(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	k.Close()
	tight := k.Options
	tight.ReserveBytes = 1 << 60
	v, err := engine.Open(k.Dir, tight)
	if err != nil {
		t.Fatal(err)
	}
	k.Vault = v
	before := k.Head()
	if _, err := k.Stage(t.Context(), strings.NewReader("more"), 0); !errors.Is(err, engine.ErrNoSpace) {
		t.Error("stage:", err)
	}
	name := "renamed"
	if _, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name}); !errors.Is(err, engine.ErrNoSpace) {
		t.Error("update:", err)
	}
	if got, err := k.Document(t.Context(), d.ID); err != nil || got.Name != "contract" || k.Content(d.ID, 0) != "text" {
		t.Error("read:", got.Name, err)
	}
	if k.Head() != before {
		t.Error("the log moved")
	}
}

// The storm: many callers, some of whom fail late, panic, are refused or go
// away. What was acknowledged is there, what was not is not, and each once.
func TestStorm(t *testing.T) {
	k := enginetest.New(t)
	k.Spoilt = true
	const callers, rounds = 32, 60
	var acknowledged sync.Map
	var changes atomic.Int64
	head := k.Head().Seq
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 7))
			for i := range rounds {
				name := fmt.Sprintf("%d-%d", c, i)
				fn, ctx, cancel := mark(name), t.Context(), func() {}
				kind := r.IntN(8)
				switch kind {
				case 0:
					fn = func(t *engine.Tx) (string, audit.Event, error) { t.Mark(name); return "", audit.Event{}, io.EOF }
				case 1:
					fn = func(t *engine.Tx) (string, audit.Event, error) { t.Mark(name); panic(name) }
				case 2:
					fn = func(*engine.Tx) (string, audit.Event, error) { return "", audit.Event{}, engine.ErrExists }
				case 3:
					ctx, cancel = context.WithCancel(ctx)
					go cancel()
				}
				panicked, err := call(k, ctx, func(t *engine.Tx) (string, audit.Event, error) {
					if t.Marked(name) {
						return "", audit.Event{}, errors.New("there already")
					}
					return fn(t)
				})
				cancel()
				switch {
				case panicked != nil && (kind != 1 || panicked != name):
					t.Errorf("%s: panic %v", name, panicked)
				case err == nil && panicked == nil:
					acknowledged.Store(name, true)
					changes.Add(1)
				case kind > 3:
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	if got := int64(k.Head().Seq - head); got != changes.Load() {
		t.Errorf("%d entries for %d acknowledged changes", got, changes.Load())
	}
	k.Reopen()
	there := marks(t, k)
	acknowledged.Range(func(name, _ any) bool {
		if !there[name.(string)] {
			t.Errorf("%s was acknowledged and is not there", name)
		}
		delete(there, name.(string))
		return true
	})
	if len(there) > 0 {
		t.Errorf("there, but never acknowledged: %v", there)
	}
}
