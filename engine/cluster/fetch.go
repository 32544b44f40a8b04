package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

const (
	mostAhead  = 64       // commits that are asked for at once
	fullWindow = 32 << 20 // bytes of records beyond which no more are
)

// fetcher reads commits in their order.
type fetcher struct {
	c      *Config
	window int  // how many are asked for at once: 1 near the end, since each that is not there is paid for
	ended  bool // the last answer was that there are no more
}

// next returns the commits that follow at, none if the next is not in the store yet. It
// tries each once. What it returns goes on from at without gaps, whatever the error.
func (f *fetcher) next(ctx context.Context, at place) ([]commit, error) {
	f.window, f.ended = max(f.window, 1), false
	found := make([]commit, f.window)
	errs := make([]error, f.window)
	var each sync.WaitGroup
	for i := range found {
		each.Go(func() { found[i], errs[i] = f.c.readCommit(ctx, at.Commit+1+uint64(i)) })
	}
	each.Wait()
	size := 0
	for i, cm := range found {
		err := errs[i]
		if err == nil {
			err = cm.follows(at)
		}
		if err != nil {
			f.window = 1
			if errors.Is(err, object.ErrNotFound) {
				f.ended, err = true, nil
			}
			return found[:i], err
		}
		at = cm.place
		size += len(cm.Record)
	}
	switch {
	case size > fullWindow:
		f.window = max(f.window/2, 1)
	case f.window < mostAhead:
		f.window *= 2
	}
	return found, nil
}

// apply brings v to the last of the commits, and returns where it stands then.
func apply(ctx context.Context, v vault, at place, commits []commit) (place, error) {
	if len(commits) == 0 {
		return at, nil
	}
	records := make([][]byte, len(commits))
	for i, cm := range commits {
		records[i] = cm.Record
	}
	err := v.Apply(ctx, records...)
	if errors.Is(err, engine.ErrRecord) {
		err = fmt.Errorf("%w: %w", errApply, err)
	}
	done, failed := v.Group()
	if failed == nil && done > at.Commit {
		at = commits[done-at.Commit-1].place
	}
	return at, errors.Join(err, failed)
}

// errApply is about the working copy: it does not take a commit that is whole, so that
// it is fetched anew.
var errApply = errors.New("this server's copy does not go on with what is in the store")

// lacks says why the store has no commit after at although somebody has seen one of the
// number seen: they were collected, for a snapshot has what they did, ErrCollected; or
// lost, ErrStoreBehind. nil: it has one by now.
func (c *Config) lacks(ctx context.Context, at place, seen uint64) error {
	p, err := c.findPointer(ctx)
	if err != nil {
		return err
	}
	if seen = max(seen, p.Commit); seen <= at.Commit {
		return nil
	}
	_, err = c.findCommit(ctx, at.Commit+1)
	if !errors.Is(err, object.ErrNotFound) {
		return err
	}
	if p.Commit > at.Commit {
		return ErrCollected
	}
	return fmt.Errorf("%w: commit %d was acknowledged, and is not there", ErrStoreBehind, at.Commit+1)
}

// locate returns the place of commit n, at which a copy of the vault stands.
// ErrCollected: the copy is too old to be brought further. ErrStoreBehind.
func (c *Config) locate(ctx context.Context, n uint64) (place, error) {
	cm, err := c.findCommit(ctx, n)
	if !errors.Is(err, object.ErrNotFound) {
		return cm.place, err
	}
	p, err := c.findPointer(ctx)
	switch {
	case err != nil:
		return place{}, err
	case p.Commit == n:
		return p.place, nil
	case p.Commit > n:
		return place{}, ErrCollected
	}
	return place{}, fmt.Errorf("%w: this server's copy has commit %d, which is not there", ErrStoreBehind, n)
}

// findPointer is loadPointer until the store answers.
func (c *Config) findPointer(ctx context.Context) (p pointer, err error) {
	err = c.until(ctx, "read which snapshot is the last", func(ctx context.Context) error {
		limited, done := context.WithTimeout(ctx, requestTimeout)
		defer done()
		p, _, err = c.loadPointer(limited)
		return err
	})
	if errors.Is(err, object.ErrNotFound) {
		err = ErrNoVault
	}
	return p, err
}
