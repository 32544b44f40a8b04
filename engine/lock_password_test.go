package engine_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func setEditPassword(t *testing.T, k *enginetest.Kit, documentID, password string) {
	t.Helper()
	set := engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: password}}
	if _, _, err := k.UpdateDocument(t.Context(), k.Admin, documentID, engine.Condition{}, set); err != nil {
		t.Fatal(err)
	}
}

func TestTheEditPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessUpload)
		d := k.Create("contract", "text")
		set := engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: "open sesame"}}
		if _, _, err := k.UpdateDocument(t.Context(), grace, d.ID, engine.Condition{}, set); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
		if got, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, set); err != nil || !got.EditProtected {
			t.Error(got.EditProtected, err)
		}
		k.Reopen()
		for range 5 {
			if _, _, err := k.AcquireLock(t.Context(), grace, d.ID, engine.Condition{}, engine.NewLock{Password: "wrong"}); !errors.Is(err, engine.ErrLacksPermission) {
				t.Error(err)
			}
		}
		if _, _, err := k.AcquireLock(t.Context(), grace, d.ID, engine.Condition{}, engine.NewLock{Password: "open sesame"}); !errors.Is(err, engine.ErrThrottled) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if _, _, err := k.AcquireLock(t.Context(), grace, d.ID, engine.Condition{}, engine.NewLock{}); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
		l := lock(t, k, grace, d.ID, engine.NewLock{Password: "open sesame"})
		if _, _, err := k.ReleaseLock(t.Context(), grace, d.ID, with(l.Token), true); err != nil {
			t.Error(err)
		}
		none := engine.DocumentPatch{EditPassword: &engine.EditPassword{}}
		if got, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, none); err != nil || got.EditProtected {
			t.Error(got.EditProtected, err)
		}
		lock(t, k, grace, d.ID, engine.NewLock{})
	})
}

// TestThePasswordIsJudgedLast: who may not lock, or not now, does not learn
// whether the password is right, and guesses none of the tries away.
func TestThePasswordIsJudgedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		viewer, _ := k.Person("Vera", engine.AccessView)
		grace, _ := k.Person("Grace", engine.AccessUpload)
		d := k.Create("contract", "text")
		setEditPassword(t, k, d.ID, "sesame")
		refusal := func(who engine.Actor, password string, want error) string {
			t.Helper()
			_, _, err := k.AcquireLock(t.Context(), who, d.ID, engine.Condition{}, engine.NewLock{Password: password})
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
			return err.Error()
		}
		for range 6 {
			if right, wrong := refusal(viewer, "sesame", engine.ErrLacksPermission), refusal(viewer, "wrong", engine.ErrLacksPermission); right != wrong {
				t.Errorf("the right password: %s; a wrong one: %s", right, wrong)
			}
		}
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{Password: "sesame"})
		for range 6 {
			if right, wrong := refusal(grace, "sesame", engine.ErrLocked), refusal(grace, "wrong", engine.ErrLocked); right != wrong {
				t.Errorf("the right password: %s; a wrong one: %s", right, wrong)
			}
		}
		if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
			t.Fatal(err)
		}
		lock(t, k, grace, d.ID, engine.NewLock{Password: "sesame"})
	})
}

// TestGuessesAreCountedByUserAndDocument: nobody keeps another from locking by
// guessing wrong.
func TestGuessesAreCountedByUserAndDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessUpload)
		d, other := k.Create("contract", "text"), k.Create("other", "text")
		for _, id := range []string{d.ID, other.ID} {
			setEditPassword(t, k, id, "sesame")
		}
		try := func(password string) error {
			_, _, err := k.AcquireLock(t.Context(), grace, d.ID, engine.Condition{}, engine.NewLock{Password: password})
			return err
		}
		for range 5 {
			if err := try("wrong"); !errors.Is(err, engine.ErrLacksPermission) {
				t.Fatal(err)
			}
		}
		var throttled *engine.ThrottledError
		if err := try("sesame"); !errors.As(err, &throttled) || throttled.After != time.Minute {
			t.Errorf("%v, %+v", err, throttled)
		}
		lock(t, k, grace, other.ID, engine.NewLock{Password: "sesame"})
		lock(t, k, k.Admin, d.ID, engine.NewLock{Password: "sesame"})
	})
}

// TestGuessesInParallelAreThrottled: whoever guesses many passwords at once has
// no more of them hashed than whoever guesses one after another.
func TestGuessesInParallelAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessUpload)
		d := k.Create("contract", "text")
		setEditPassword(t, k, d.ID, "sesame")
		var hashed, throttled atomic.Int64
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, _, err := k.AcquireLock(t.Context(), grace, d.ID, engine.Condition{}, engine.NewLock{Password: strconv.Itoa(i)})
				switch {
				case errors.Is(err, engine.ErrLacksPermission):
					hashed.Add(1)
				case errors.Is(err, engine.ErrThrottled):
					throttled.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if hashed.Load() != 5 || throttled.Load() != 35 {
			t.Errorf("%d guesses were hashed, %d throttled", hashed.Load(), throttled.Load())
		}
		time.Sleep(time.Minute)
		lock(t, k, grace, d.ID, engine.NewLock{Password: "sesame"})
	})
}

// TestGuessesNeverTriedAreNotCounted: who gives up while others are hashed has
// guessed nothing.
func TestGuessesNeverTriedAreNotCounted(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	setEditPassword(t, k, d.ID, "sesame")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		_, _, err := k.AcquireLock(gone, k.Admin, d.ID, engine.Condition{}, engine.NewLock{Password: "wrong"})
		if err == nil || errors.Is(err, engine.ErrThrottled) {
			t.Fatal(err)
		}
	}
}
