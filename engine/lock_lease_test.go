package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func lock(t *testing.T, k *enginetest.Kit, who engine.Actor, documentID string, n engine.NewLock) engine.Lock {
	t.Helper()
	l, _, err := k.AcquireLock(t.Context(), who, documentID, engine.Condition{}, n)
	if err != nil {
		t.Fatal(err)
	}
	if l.Token == "" {
		t.Fatal("no token for who took the lock")
	}
	return l
}

func with(token string) engine.Condition { return engine.Condition{LockToken: token} }

func rename(k *enginetest.Kit, who engine.Actor, documentID, name string, c engine.Condition) (engine.Document, error) {
	d, _, err := k.UpdateDocument(k.TB.Context(), who, documentID, c, engine.DocumentPatch{Name: &name})
	return d, err
}

func TestTheLifeOfALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessUpload)
		d := k.Create("contract", "text")
		l := lock(t, k, grace, d.ID, engine.NewLock{LockedByApp: "Desk"})
		if l.Duration != 300*time.Second || l.Fence != 1 || !l.Until.Equal(time.Now().Add(300*time.Second).Truncate(time.Millisecond)) {
			t.Errorf("%+v", l)
		}
		// Everybody sees it, and only its key sees the token.
		seen, err := k.Lock(t.Context(), k.Admin, d.ID)
		if err != nil || seen.Token != "" || seen.User.Name != "Grace" || seen.LockedByApp != "Desk" {
			t.Errorf("%+v, %v", seen, err)
		}
		if own, err := k.Lock(t.Context(), grace, d.ID); err != nil || own.Token != l.Token {
			t.Errorf("%+v, %v", own, err)
		}
		if got, _ := k.Document(t.Context(), d.ID); got.Lock == nil || got.Lock.Token != "" || got.Revision != d.Revision {
			t.Errorf("%+v", got)
		}
		// A second lock is refused, to the holder too.
		for _, who := range []engine.Actor{grace, k.Admin} {
			if _, _, err := k.AcquireLock(t.Context(), who, d.ID, engine.Condition{}, engine.NewLock{}); !errors.Is(err, engine.ErrLocked) {
				t.Error(err)
			}
		}
		// A change slides the deadline, reading does not, and no entry says so.
		time.Sleep(200 * time.Second)
		head := k.Head().Seq
		if got, err := rename(k, grace, d.ID, "renamed", with(l.Token)); err != nil || !got.Lock.Until.Equal(l.Until.Add(200*time.Second)) {
			t.Errorf("%+v, %v", got.Lock, err)
		}
		if k.Head().Seq != head+1 {
			t.Error("the slide has an entry of its own")
		}
		time.Sleep(299 * time.Second)
		k.Document(t.Context(), d.ID)
		if _, err := k.Lock(t.Context(), grace, d.ID); err != nil {
			t.Error("ended too early:", err)
		}
		time.Sleep(time.Second)
		if _, err := k.Lock(t.Context(), grace, d.ID); !errors.Is(err, engine.ErrNotLocked) {
			t.Error("outlived its deadline:", err)
		}
		// The token of a lease that has ended is refused, lock or no lock.
		if _, err := rename(k, grace, d.ID, "late", with(l.Token)); !errors.Is(err, engine.ErrNotLocked) {
			t.Error(err)
		}
		again := lock(t, k, grace, d.ID, engine.NewLock{Duration: 2 * time.Hour})
		if again.Fence != 2 || again.Duration != 1800*time.Second || again.Token == l.Token {
			t.Errorf("%+v", again)
		}
		if _, err := rename(k, grace, d.ID, "late", with(l.Token)); !errors.Is(err, engine.ErrLocked) {
			t.Error("a token of an earlier fence:", err)
		}
	})
}

func TestALockOutlivesARestartButNotItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		d := k.Create("contract", "text")
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{Duration: time.Minute})
		time.Sleep(30 * time.Second)
		k.Reopen()
		if got, err := k.Lock(t.Context(), k.Admin, d.ID); err != nil || got.Token != l.Token || !got.Until.Equal(l.Until) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := rename(k, k.Admin, d.ID, "with the token", with(l.Token)); err != nil {
			t.Error(err)
		}
		k.Close()
		if err := os.Remove(filepath.Join(k.Dir, "lock.key")); err != nil {
			t.Fatal(err)
		}
		v, err := engine.Open(k.Dir, k.Options)
		if err != nil {
			t.Fatal(err)
		}
		k.Vault = v
		if _, err := rename(k, k.Admin, d.ID, "without the key", with(l.Token)); !errors.Is(err, engine.ErrLocked) {
			t.Error("a token of a lost key:", err)
		}
		time.Sleep(time.Minute)
		if _, err := rename(k, k.Admin, d.ID, "free", engine.Condition{}); err != nil {
			t.Error(err)
		}
	})
}

// Each kind of change against each state of the lock.
func TestTheMatrixOfChangesAndLocks(t *testing.T) {
	changes := map[string]func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error{
		"patch": func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error {
			_, err := rename(k, who, id, "changed", c)
			return err
		},
		"version": func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error {
			u := k.Upload("another text")
			defer u.Discard()
			_, _, err := k.AddVersion(k.TB.Context(), who, id, c, engine.NewVersion{}, u)
			return err
		},
		"restore": func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error {
			_, _, err := k.RestoreVersion(k.TB.Context(), who, id, c, 1)
			return err
		},
		"archive": func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error {
			_, _, err := k.ArchiveDocument(k.TB.Context(), who, id, c)
			return err
		},
		"delete": func(k *enginetest.Kit, who engine.Actor, id string, c engine.Condition) error {
			_, _, err := k.DeleteDocument(k.TB.Context(), who, id, c)
			return err
		},
	}
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessAdmin)
		for name, change := range changes {
			for _, state := range []struct {
				name  string
				lock  func(id string) engine.Condition
				wants error
			}{
				{"no lock", func(string) engine.Condition { return engine.Condition{} }, nil},
				{"no lock, some token", func(string) engine.Condition { return with("made up") }, engine.ErrNotLocked},
				{"own lock with token", func(id string) engine.Condition { return with(lock(t, k, grace, id, engine.NewLock{}).Token) }, nil},
				{"own lock without token", func(id string) engine.Condition {
					lock(t, k, grace, id, engine.NewLock{})
					return engine.Condition{}
				}, engine.ErrLocked},
				{"own lock, wrong token", func(id string) engine.Condition {
					lock(t, k, grace, id, engine.NewLock{})
					return with("made up")
				}, engine.ErrLocked},
				{"other's lock", func(id string) engine.Condition {
					lock(t, k, k.Admin, id, engine.NewLock{})
					return engine.Condition{}
				}, engine.ErrLocked},
				{"other's lock and its token", func(id string) engine.Condition {
					return with(lock(t, k, k.Admin, id, engine.NewLock{}).Token)
				}, engine.ErrLocked},
				{"expired lock, without token", func(id string) engine.Condition {
					lock(t, k, grace, id, engine.NewLock{})
					time.Sleep(5 * time.Minute)
					return engine.Condition{}
				}, nil},
				{"expired lock with token", func(id string) engine.Condition {
					l := lock(t, k, grace, id, engine.NewLock{})
					time.Sleep(5 * time.Minute)
					return with(l.Token)
				}, engine.ErrNotLocked},
				{"token of an earlier fence", func(id string) engine.Condition {
					l := lock(t, k, grace, id, engine.NewLock{})
					if _, _, err := k.ReleaseLock(t.Context(), grace, id, with(l.Token), true); err != nil {
						t.Fatal(err)
					}
					lock(t, k, grace, id, engine.NewLock{})
					return with(l.Token)
				}, engine.ErrLocked},
				{"own scratchpad with token", func(id string) engine.Condition {
					return with(lock(t, k, grace, id, engine.NewLock{UseScratchPad: true}).Token)
				}, map[string]error{"archive": engine.ErrLockState, "delete": engine.ErrLockState}[name]},
			} {
				d := k.Create("contract", "text")
				c := state.lock(d.ID)
				before := k.Head().Seq
				if err := change(k, grace, d.ID, c); !errors.Is(err, state.wants) || (err == nil) != (state.wants == nil) {
					t.Errorf("%s, %s: got %v, want %v", name, state.name, err, state.wants)
				} else if moved := k.Head().Seq != before; moved != (state.wants == nil) {
					t.Errorf("%s, %s: the log moved: %v", name, state.name, moved)
				}
			}
		}
	})
}

func TestSixRacersOneWinnerAThousandTimes(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	racers := make([]engine.Actor, 6)
	for i := range racers {
		racers[i], _ = k.Person(fmt.Sprint("racer ", i), engine.AccessUpload)
	}
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds {
		var mu sync.Mutex
		var winners []engine.Actor
		var won engine.Lock
		var wg sync.WaitGroup
		for _, who := range racers {
			wg.Go(func() {
				l, _, err := k.AcquireLock(t.Context(), who, d.ID, engine.Condition{}, engine.NewLock{})
				if err != nil && !errors.Is(err, engine.ErrLocked) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					winners, won = append(winners, who), l
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 || won.Fence != uint64(round+1) {
			t.Fatalf("round %d: %d winners, the fence is %d", round, len(winners), won.Fence)
		}
		if _, _, err := k.ReleaseLock(t.Context(), winners[0], d.ID, with(won.Token), true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBreakingAForgottenLock(t *testing.T) {
	k := enginetest.New(t)
	grace, _ := k.Person("Grace", engine.AccessUpload)
	d := k.Create("contract", "text")
	l := lock(t, k, grace, d.ID, engine.NewLock{})
	if _, _, err := k.BreakLock(t.Context(), grace, d.ID, engine.Condition{}, "mine"); !errors.Is(err, engine.ErrLacksPermission) {
		t.Error(err)
	}
	if _, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, " "); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
	if broken, r, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, "on holiday"); err != nil || broken.User.Name != "Grace" || r.Seq == 0 {
		t.Error(broken, r, err)
	}
	if _, err := rename(k, grace, d.ID, "late", with(l.Token)); !errors.Is(err, engine.ErrNotLocked) {
		t.Error(err)
	}
	if again := lock(t, k, k.Admin, d.ID, engine.NewLock{}); again.Fence != 3 {
		t.Error("the fence is", again.Fence)
	}
}

func TestWhoMayLock(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	reader, _ := k.Person("Reader", engine.AccessView)
	u, _, err := k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: "No locks", Access: engine.AccessUpload, CannotLockEnvelopes: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []engine.Actor{reader, {UserID: u.ID, Access: engine.AccessUpload}} {
		if _, _, err := k.AcquireLock(t.Context(), who, d.ID, engine.Condition{}, engine.NewLock{}); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
	}
	if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{}); !errors.Is(err, engine.ErrLockState) {
		t.Error(err)
	}
}

// TestALeaseThatNobodyReleasedLeavesNothing to the next, of whatever kind.
func TestALeaseThatNobodyReleasedLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		d := k.Create("contract", "text")
		lock(t, k, k.Admin, d.ID, engine.NewLock{})
		time.Sleep(5 * time.Minute)
		k.Check()
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		k.Check()
		if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
			t.Error(err)
		}
		k.Check()
	})
}
