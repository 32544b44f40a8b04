package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
)

// Where the bytes of a vault are is chosen when it comes into the store, and stands
// there in the object bucketKey: who is started with another choice would find no byte of
// it, and put new ones where nobody else looks.

const bucketKey = "bucket"

// chosenBucket is the object bucketKey of a vault whose bytes are in a bucket that locks
// them. Without the object they are in the vault's own.
type chosenBucket struct {
	Lock string `json:"lock"`
}

// blobsOf is where the bytes of a vault are.
func (s *Store) blobsOf(vault string) s3.BlobsConfig {
	if s.Locks != nil {
		return s3.BlobsConfig{Lock: lockedUnder{object.Under(s.Locks, vault+"/"), s.Locks, vault + "/"}}
	}
	return s3.BlobsConfig{Store: s.of(vault)}
}

// sameBucket refuses a vault whose bytes are elsewhere than this server looks for them.
func (s *Store) sameBucket(ctx context.Context, vault string) error {
	b, _, err := object.Read(ctx, s.of(vault), bucketKey)
	var chosen chosenBucket
	if err == nil {
		err = json.Unmarshal(b, &chosen)
	}
	switch {
	case err != nil && !errors.Is(err, object.ErrNotFound):
		return fmt.Errorf("look where the files of vault %q are: %w", vault, err)
	case chosen.Lock == s.LockBucket:
		return nil
	}
	// A vault that is not there is for others to tell.
	if there, err := s.holds(ctx, vault); err != nil || !there {
		return err
	}
	if chosen.Lock != "" {
		return fmt.Errorf("vault %q has its files in the bucket %s: give --store-lock %s", vault, chosen.Lock, chosen.Lock)
	}
	return fmt.Errorf("vault %q has its files in %s, where nothing can be locked: leave --store-lock out; to have them in %s, move the vault to a disk by `strongroom vault move`, and in again with --store-lock",
		vault, s.Address, s.LockBucket)
}

// chooseBucket notes where the bytes of a vault will be that comes into the store. Of one that is there
// already it is sameBucket.
func (s *Store) chooseBucket(ctx context.Context, vault string) error {
	objects := s.of(vault)
	b, _, err := object.Read(ctx, objects, "snapshot")
	var there struct{ Left time.Time }
	if err == nil {
		err = json.Unmarshal(b, &there)
	}
	switch {
	case err != nil && !errors.Is(err, object.ErrNotFound):
		return fmt.Errorf("look for the vault %q in %s: %w", vault, s.Address, err)
	case err == nil && there.Left.IsZero():
		return s.sameBucket(ctx, vault)
	case s.LockBucket == "":
		return objects.Delete(ctx, bucketKey)
	}
	if b, err = json.Marshal(chosenBucket{s.LockBucket}); err == nil {
		_, err = objects.Put(ctx, bucketKey, b, object.Condition{})
	}
	return err
}

// emptyLocks removes all bytes of a vault that has left from the bucket that locks them.
// The holds are the vault's, which is elsewhere now; what is retained stays, and is counted.
func (s *Store) emptyLocks(ctx context.Context, vault string) (left int, err error) {
	if s.Locks == nil {
		return 0, nil
	}
	bytes := s.blobsOf(vault).Lock
	var all []object.Version
	if err := bytes.Versions(ctx, "", func(v object.Version) error { all = append(all, v); return nil }); err != nil {
		return 0, err
	}
	for _, v := range all {
		err := bytes.DeleteVersion(ctx, v.Key, v.ID)
		if errors.Is(err, object.ErrLocked) && !v.Marker {
			if err = bytes.LegalHold(ctx, v.Key, v.ID, false); err == nil {
				err = bytes.DeleteVersion(ctx, v.Key, v.ID)
			}
		}
		if errors.Is(err, object.ErrLocked) {
			left++
		} else if err != nil {
			return left, fmt.Errorf("remove %s/%s from the bucket %s: %w", vault, v.Key, s.LockBucket, err)
		}
	}
	return left, nil
}

// lockedUnder is object.Under for a store that locks.
type lockedUnder struct {
	object.Store
	locker object.Locker
	prefix string
}

func (u lockedUnder) Versions(ctx context.Context, prefix string, fn func(object.Version) error) error {
	return u.locker.Versions(ctx, u.prefix+prefix, func(v object.Version) error {
		v.Key = strings.TrimPrefix(v.Key, u.prefix)
		return fn(v)
	})
}

func (u lockedUnder) Retain(ctx context.Context, key, version string, until time.Time) error {
	return u.locker.Retain(ctx, u.prefix+key, version, until)
}

func (u lockedUnder) LegalHold(ctx context.Context, key, version string, on bool) error {
	return u.locker.LegalHold(ctx, u.prefix+key, version, on)
}

func (u lockedUnder) DeleteVersion(ctx context.Context, key, version string) error {
	return u.locker.DeleteVersion(ctx, u.prefix+key, version)
}
