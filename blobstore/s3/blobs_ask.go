package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

const (
	firstPause  = 20 * time.Millisecond
	longestWait = 2 * time.Second

	// Calls that have no context give up by themselves. While Remove asks, engine lets
	// no upload through.
	readPatience   = 30 * time.Second
	removePatience = 10 * time.Second
	// A store that refuses, or has no such bucket, is not likely to come to its senses.
	refusedPatience = 5 * time.Second
)

// settled is an error that asking again cannot change.
type settled struct{ error }

func (s settled) Unwrap() error { return s.error }

// persist calls ask until the store has answered: with success, or by saying no. It
// gives up when ctx ends, or when it has asked for as long as patience; 0 is as long as ctx lives,
// unless the store refuses to answer to these credentials. Then it is ErrUnavailable, with what the store did last, and nobody knows what happens.
func persist(ctx context.Context, patience time.Duration, ask func() error) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		err := ctx.Err()
		if err == nil {
			err = ask()
		}
		if _, final := errors.AsType[settled](err); err == nil || final ||
			errors.Is(err, object.ErrNotFound) || errors.Is(err, object.ErrExists) || errors.Is(err, object.ErrChanged) || errors.Is(err, object.ErrLocked) {
			return err
		}
		// Many who failed together do not come back together.
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("%w: %w", ctx.Err(), err)
			}
			return fmt.Errorf("%w (%w): %w", blobstore.ErrUnavailable, ctx.Err(), err)
		case <-timer.C:
		}
		refused := errors.Is(err, ErrDenied) || errors.Is(err, ErrNoBucket)
		if took := time.Since(began); patience > 0 && took >= patience || refused && took >= refusedPatience {
			return fmt.Errorf("%w: %w", blobstore.ErrUnavailable, err)
		}
	}
}

// blobError names the digest, and gives the errors of the store blobstore's names.
func blobError(op string, digest blobstore.Digest, err error) error {
	switch {
	case errors.Is(err, object.ErrNotFound):
		return fmt.Errorf("%s %v: %w", op, digest, blobstore.ErrNotFound)
	case errors.Is(err, object.ErrLocked):
		return fmt.Errorf("%s %v: %w: %w", op, digest, blobstore.ErrLocked, err)
	case errors.Is(err, object.ErrDamaged) && !errors.Is(err, blobstore.ErrCorrupt):
		return fmt.Errorf("%s %v: %w: %w", op, digest, blobstore.ErrCorrupt, err)
	}
	return fmt.Errorf("%s %v: %w", op, digest, spaceError(err))
}

// spaceError adds ErrNoSpace to the system's ways of saying it.
func spaceError(err error) error {
	if blobstore.IsNoSpace(err) && !errors.Is(err, blobstore.ErrNoSpace) {
		return fmt.Errorf("%w: %w", blobstore.ErrNoSpace, err)
	}
	return err
}

// sumOf is the digest of what h, a SHA-256, was given.
func sumOf(h hash.Hash) blobstore.Digest {
	return blobstore.Digest(h.Sum(nil))
}
