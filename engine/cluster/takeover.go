package cluster

import (
	"context"
	"errors"
	"fmt"

	"strongroom/engine"
)

// errLost: another server takes the vault over. This one follows.
var errLost = errors.New("another server takes this vault over")

// candidate has a vault that follows, brings it up to date, and may take it over.
type candidate struct {
	c    *Config
	id   string // of the working copy
	v    vault
	at   place
	rest rested // of at
	f    fetcher
}

// step fetches and applies the commits that come next, and returns how many. It tries
// the store once. errApply: the working copy does not take a commit that is whole.
func (k *candidate) step(ctx context.Context) (int, error) {
	began := k.c.now()
	commits, err := k.f.next(ctx, k.at)
	if len(commits) > 0 {
		at, failed := apply(ctx, k.v, k.at, commits)
		if at != k.at {
			k.at, k.rest = at, rested{at: at, seen: began}
		}
		if failed != nil {
			return 0, failed
		}
	}
	return len(commits), err
}

// catchUp applies all commits that there are, at least up to the one that somebody has seen.
func (k *candidate) catchUp(ctx context.Context, seen uint64) error {
	for {
		var n int
		err := k.c.until(ctx, "read commits", func(ctx context.Context) (err error) {
			if n, err = k.step(ctx); n > 0 {
				err = nil // it comes again
			}
			return err
		})
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if k.at.Commit >= seen {
			return nil
		}
		if err := k.c.lacks(ctx, k.at, seen); err != nil {
			return err
		}
	}
}

// clock is nil if this machine's clock is the store's, within five seconds. The vault's
// time goes on from its log's: an owner far ahead would drag it along for all that follow.
func (s seenLease) clock() error {
	if s.skew > clockMayDiff {
		return fmt.Errorf("%w (%v or more)", ErrClock, s.skew)
	}
	return nil
}

// claim takes the lease over from the one that was seen, with the next epoch.
func (k *candidate) claim(ctx context.Context, s seenLease) (*holder, error) {
	return k.c.claim(ctx, lease{
		Server: k.c.Server, URL: k.c.URL, ID: k.id,
		Epoch:  max(s.Epoch, k.at.Epoch) + 1,
		Commit: max(s.Commit, k.at.Commit), Seq: max(s.Seq, k.v.Head().Seq),
	}, s.etag)
}

// take puts the takeover at the next number that is free, and applies it. From then on
// no older owner puts anything: whatever it sends, or sent long ago, bears a number
// that is taken. What of it arrived before is applied first, and so is not lost if
// somebody was told of it. errLost if another of this epoch or a later one was here.
func (k *candidate) take(ctx context.Context, epoch uint64) error {
	z := newDeflater()
	for {
		if k.at.Epoch >= epoch {
			return errLost
		}
		group, record, err := k.v.EmptyGroup()
		if err != nil {
			return err
		}
		if group != k.at.Commit+1 {
			return fmt.Errorf("take over after commit %d: the vault's next group is %d", k.at.Commit, group)
		}
		cm := commit{place{group, newMark(), epoch}, k.at.Mark, kindTakeover, record}
		k.rest = rested{at: k.at, doubted: true}
		_, err = k.c.putCommit(ctx, cm, z, &k.rest)
		if taken := (*takenError)(nil); errors.As(err, &taken) {
			if err := k.catchUp(ctx, group); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, engine.ErrReplaced) {
			return ErrCollected // while it was asleep
		}
		if err != nil {
			return err
		}
		k.at, err = apply(ctx, k.v, k.at, []commit{cm})
		return err
	}
}
