package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// ErrLocked says that a version is kept from being deleted, by a time until which it
// is retained or by a legal hold.
var ErrLocked = errors.New("the object is locked")

// Version is one version of an object. What deletes an object that has versions is a
// marker, which is one too.
type Version struct {
	Info
	ID     string
	Marker bool // a delete marker: it has no bytes
}

// Locker is a Store that keeps all versions of its objects, and that can keep a version
// from being deleted by anybody, whatever they may do otherwise: S3's Object Lock, in
// mode COMPLIANCE. Delete hides an object behind a marker; DeleteVersion removes.
type Locker interface {
	Store
	// Versions calls fn with all versions of the objects whose keys begin with prefix, in
	// the order of the keys and the newest of each first, until fn returns an error, which it returns.
	Versions(ctx context.Context, prefix string, fn func(Version) error) error
	// Retain keeps a version until then, at least: what is retained for longer stays so.
	// ErrNotFound.
	Retain(ctx context.Context, key, version string, until time.Time) error
	// LegalHold keeps a version until the hold is taken off again. ErrNotFound.
	LegalHold(ctx context.Context, key, version string, on bool) error
	// DeleteVersion removes a version, or a marker, for good. One that is not there is no
	// error. ErrLocked.
	DeleteVersion(ctx context.Context, key, version string) error
}

const lockTrials = "trial/locks/"

// TrialLock tries whether a store keeps what it was told to lock: an object is retained
// for a minute and held, and may not be deleted. It stays for that minute, and the next trial
// removes it. The error names what the store does not keep; any other error says that it was not reached.
func TrialLock(ctx context.Context, s Locker) error {
	if err := removeLockTrials(ctx, s); err != nil {
		return fmt.Errorf("try the store's locks: %w", err)
	}
	key := lockTrials + rand.Text()
	if _, err := s.Put(ctx, key, []byte("locked for a minute"), Condition{Absent: true}); err != nil {
		return fmt.Errorf("try the store's locks: %w", err)
	}
	var id string
	err := s.Versions(ctx, key, func(v Version) error { id = v.ID; return nil })
	if err == nil && id == "" {
		err = errors.New("the store does not list the version of an object that was just put: it keeps no versions")
	}
	if err == nil {
		err = tryLocks(ctx, s, key, id)
	}
	if err != nil {
		return fmt.Errorf("try the store's locks: %w", err)
	}
	return nil
}

func tryLocks(ctx context.Context, s Locker, key, id string) error {
	refused := func(lock string) error {
		switch err := s.DeleteVersion(ctx, key, id); {
		case err == nil:
			return fmt.Errorf("the store deletes an object that is under %s", lock)
		case !errors.Is(err, ErrLocked):
			return err
		}
		if _, _, err := Read(ctx, s, key); err != nil {
			return fmt.Errorf("the store refuses to delete an object that is under %s, and does not have it any more: %w", lock, err)
		}
		return nil
	}
	if err := s.LegalHold(ctx, key, id, true); err != nil {
		return err
	}
	if err := refused("legal hold"); err != nil {
		return err
	}
	if err := s.Retain(ctx, key, id, time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := s.LegalHold(ctx, key, id, false); err != nil {
		return err
	}
	return refused("retention")
}

// removeLockTrials removes what earlier trials left, as far as it is not locked any more.
func removeLockTrials(ctx context.Context, s Locker) error {
	var left []Version
	err := s.Versions(ctx, lockTrials, func(v Version) error { left = append(left, v); return nil })
	for _, v := range left {
		if gone := s.DeleteVersion(ctx, v.Key, v.ID); err == nil && !errors.Is(gone, ErrLocked) {
			err = gone
		}
	}
	return err
}
