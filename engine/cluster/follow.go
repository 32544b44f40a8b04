package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"strongroom/engine"
)

const (
	pollHot  = 250 * time.Millisecond // while commits come
	pollCold = time.Second
	hotFor   = 10 * time.Second // after the last commit
)

// watch tells how long the lease has stood still. It compares no clocks: it sees the
// same ETag twice, and counts the time between by this machine's alone.
type watch struct {
	seenLease
	still time.Duration // at least
	since time.Duration // when the first answer with this ETag was there
	begun bool
}

func (w *watch) see(s seenLease) {
	if !w.begun || w.etag != s.etag {
		w.since = s.answered
	}
	w.seenLease, w.begun = s, true
	w.still = max(s.asked-w.since, 0)
}

// free says whether the lease may be taken by the working copy id: at once if it is
// nobody's or its own, else when its owner has let it stand still. Who has patience
// waits so much longer, so that another may come first.
func (w *watch) free(id string, expires, patience time.Duration) bool {
	switch {
	case w.ID == id:
		return true
	case w.Server == "":
		return w.still >= patience
	}
	return w.still >= expires+patience
}

// follower brings a vault further until it has claimed the vault, or cannot go on.
type follower struct {
	candidate

	looked  time.Duration // when the lease was last asked for
	pointed time.Duration // when the pointer was last read
	changed time.Duration // when a commit last came
	failing int

	mu      sync.Mutex // guards what follows, for who asks
	watch   watch
	stands  place
	reached time.Duration // as of then, all that there was is applied
	concern error
}

// run follows until ctx ends or the role is over, and returns why: ErrOwnerGone if
// this server has claimed the vault.
func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil {
		more, err := f.turn(ctx)
		if err != nil && (answered(err) || final(err)) {
			return err
		}
		wait := pollCold
		switch now := f.c.now(); {
		case err != nil:
			if f.failing++; f.failing&(f.failing-1) == 0 && f.failing > 2 {
				f.c.log("follow the vault: trying again: %v", err)
			}
		case more:
			f.failing, wait = 0, 0
		case now-f.changed < hotFor:
			f.failing, wait = 0, pollHot
		default:
			f.failing = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return context.Cause(ctx)
}

// final says whether err ends a role.
func final(err error) bool {
	for _, end := range []error{ErrOwnerGone, ErrStoreBehind, ErrCollected, ErrNoVault, engine.ErrUnavailable} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// turn looks at the lease, if it is time, and takes what commits there are. more says
// that there are more at once.
func (f *follower) turn(ctx context.Context) (more bool, err error) {
	began := f.c.now()
	if began-f.rest.seen > restedFor {
		if err := f.still(ctx); err != nil {
			return false, err
		}
	}
	looked := began-f.looked >= f.c.lease(watchEvery)
	if looked {
		s, err := f.c.readLease(ctx)
		if err != nil {
			return false, err
		}
		f.looked = began
		if err := f.point(ctx, began); err != nil {
			return false, err
		}
		f.mu.Lock()
		f.watch.see(s)
		f.mu.Unlock()
	}
	n, err := f.step(ctx)
	if n > 0 {
		f.changed = began
	}
	if err != nil && (n == 0 || answered(err) || final(err)) {
		return false, err
	}
	if n > 0 {
		f.note(began, f.f.ended)
		return !f.f.ended, nil
	}
	// The lease was read before the commit was looked for.
	if f.watch.Commit > f.at.Commit {
		return true, f.c.lacks(ctx, f.at, f.watch.Commit)
	}
	f.note(began, true)
	if looked && f.watch.free(f.id, f.c.lease(leaseExpires), f.c.Patience) {
		return false, f.claimed(ctx)
	}
	return false, nil
}

// pointEvery is how often a follower reads what the owner has erased in the store.
const pointEvery = time.Minute

// point reads the pointer, if it is time. ErrLeft: the vault was moved out of the store.
func (f *follower) point(ctx context.Context, now time.Duration) error {
	if now-f.pointed < pointEvery {
		return nil
	}
	p, _, err := f.c.loadPointer(ctx)
	if err != nil {
		return err
	}
	f.pointed = now
	f.c.clean.Store(p.Clean)
	return nil
}

// still is nil if the last commit stands, after a time in which it may have been
// collected with those after it.
func (f *follower) still(ctx context.Context) error {
	began := f.c.now()
	there, err := f.c.locate(ctx, f.at.Commit)
	if err != nil {
		return err
	}
	if there.Mark != f.at.Mark {
		return fmt.Errorf("%w: commit %d is another than this server has applied", ErrStoreBehind, f.at.Commit)
	}
	f.rest.seen = began
	return nil
}

func (f *follower) note(began time.Duration, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stands = f.at
	if all {
		f.reached = began
	}
}

// claimed takes the lease, if this machine's clock is right: ErrOwnerGone.
func (f *follower) claimed(ctx context.Context) error {
	wrong := f.watch.clock()
	f.mu.Lock()
	was := f.concern
	f.concern = wrong
	f.mu.Unlock()
	if wrong != nil {
		if was == nil {
			f.c.log("the owner is gone, and this server does not take over: %v", wrong)
		}
		return nil
	}
	_, err := f.candidate.claim(ctx, f.watch.seenLease)
	switch {
	case err == nil:
		return ErrOwnerGone
	case errors.Is(err, errLost):
		return nil
	}
	return err
}
