package object_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/object/objecttest"
)

func TestLockedMemory(t *testing.T) {
	objecttest.Test(t, func(t *testing.T) object.Store { return object.NewLockedMemory() })
}

// TestTrialLock: a store that locks passes, again and again, and leaves one object at
// most; one that does not is named by what it does not keep.
func TestTrialLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := object.NewLockedMemory()
		for range 3 {
			if err := object.TrialLock(t.Context(), s); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Minute)
		}
		left := 0
		if err := s.Versions(t.Context(), "", func(object.Version) error { left++; return nil }); err != nil || left != 1 {
			t.Errorf("%d versions are left, %v; want 1", left, err)
		}
	})
	for says, liar := range map[string]object.Locker{
		"under legal hold":       &unlocking{Locker: object.NewLockedMemory(), hold: true},
		"under retention":        &unlocking{Locker: object.NewLockedMemory(), retain: true},
		"does not have it":       &unlocking{Locker: object.NewLockedMemory(), hide: true},
		"it keeps no versions":   &unlocking{Locker: object.NewLockedMemory(), list: true},
		"cannot be reached now.": &unlocking{Locker: object.NewLockedMemory(), err: errors.New("cannot be reached now.")},
	} {
		if err := object.TrialLock(t.Context(), liar); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the trial says %v", says, err)
		}
	}
}

// unlocking is a Locker that does not do what it says.
type unlocking struct {
	object.Locker
	hold, retain, hide, list bool
	err                      error
}

func (u *unlocking) LegalHold(ctx context.Context, key, version string, on bool) error {
	if u.hold {
		return nil
	}
	return u.Locker.LegalHold(ctx, key, version, on)
}

func (u *unlocking) Retain(ctx context.Context, key, version string, until time.Time) error {
	if u.retain {
		return nil
	}
	return u.Locker.Retain(ctx, key, version, until)
}

func (u *unlocking) DeleteVersion(ctx context.Context, key, version string) error {
	err := u.Locker.DeleteVersion(ctx, key, version)
	if u.hide {
		err = errors.Join(err, u.Locker.Delete(ctx, key))
	}
	return errors.Join(err, u.err)
}

func (u *unlocking) Versions(ctx context.Context, prefix string, fn func(object.Version) error) error {
	if u.list {
		return nil
	}
	return errors.Join(u.Locker.Versions(ctx, prefix, fn), u.err)
}
