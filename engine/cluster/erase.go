package cluster

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"strongroom/audit"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// What an erasure removes from the vault lies in the store as well: in commits that
// wrote it, and in snapshots of before. So once the owner has wiped its database, a
// snapshot of that replaces all of the history, whatever its age, and one can restore
// to no time before.
//
// Commits that are younger than a day are emptied and not deleted: their numbers must stay
// taken, for a request that another server sent for one of them may come hours
// later, and must not find it free. What stays of a commit is its header. It keeps
// its mark, so an owner finds its last commit, and names no document and no person.
//
// The steps are: the snapshot, taken after the wipe; the commits up to it, oldest
// first; the older snapshots; the pointer, which says then up to which entry the
// store is clean. Each may be done again: a crash between them leaves the pointer saying
// less than is so, and whoever owns the vault next begins anew.

// eraseWorkers is how many commits are emptied at a time: each is a read and a write.
const eraseWorkers = 16

// erasureSince returns the last entry after another, and up to what is wiped, that
// completed an erasure. 0: none did. A document that was deleted and not erased is none: its
// rows leave the store with the history, as they leave a backup.
func erasureSince(ctx context.Context, v vaultCopy, after, wiped uint64) (last uint64, err error) {
	log, ok := v.(entries)
	for more := ok && after < wiped; more; {
		page, err := log.Entries(ctx, engine.EntryQuery{After: after, Limit: 500, Op: audit.OpErasureCompleted})
		if err != nil {
			return 0, err
		}
		for _, e := range page.Items {
			if e.Seq > wiped {
				return last, nil
			}
			last = e.Seq
		}
		after, more = page.NextAfter, page.NextAfter != 0
	}
	return last, nil
}

// entries is the log as *engine.Vault tells it.
type entries interface {
	Entries(ctx context.Context, q engine.EntryQuery) (engine.EntryPage, error)
}

// erase has nothing left in the store of what was erased up to an entry, which v has
// wiped. It returns the pointer that says so.
func (c *Config) erase(ctx context.Context, v vaultCopy, epoch, upTo uint64) (pointer, error) {
	p, _, err := c.loadPointer(ctx)
	if err == nil && p.Wiped < upTo {
		p, err = c.takeSnapshot(ctx, v, epoch)
	}
	if err != nil {
		return pointer{}, err
	}
	if p.Wiped < upTo {
		return pointer{}, fmt.Errorf("the snapshot of commit %d is of before entry %d was wiped", p.Commit, upTo)
	}
	if err := c.snapshotStands(ctx, p.snapshot); err != nil {
		return pointer{}, err
	}
	if err := c.eraseCommits(ctx, p.Commit); err != nil {
		return pointer{}, fmt.Errorf("erase commits: %w", err)
	}
	for _, s := range p.Older {
		if err := c.Objects.Delete(ctx, s.Key); err != nil {
			return pointer{}, err
		}
	}
	if err := c.collectStrays(ctx, epoch); err != nil {
		return pointer{}, err
	}
	now, info, err := c.readPointer(ctx)
	if err != nil {
		return pointer{}, err
	}
	if now.Key != p.Key {
		return pointer{}, fmt.Errorf("%w: another snapshot was taken meanwhile", object.ErrChanged)
	}
	now.Older, now.Clean, now.CleanAt = nil, now.Wiped, storeTime(info)
	if err := c.savePointer(ctx, now, object.Condition{Match: info.ETag}); err != nil {
		return pointer{}, err
	}
	c.log("nothing that was erased up to entry %d is left in the store; one can restore to no time before %s", now.Clean, now.Head.Format(timeFormat))
	return now, nil
}

// eraseCommits deletes the commits before a snapshot's that are old enough, and empties the
// others, the snapshot's included.
func (c *Config) eraseCommits(ctx context.Context, last uint64) error {
	_, info, err := c.readPointer(ctx)
	if err != nil {
		return err
	}
	if now := storeTime(info); !now.IsZero() {
		if err := c.collectCommits(ctx, last, now); err != nil {
			return err
		}
	}
	done, err := c.loadCollected(ctx)
	if err != nil {
		return err
	}
	// The oldest first, in steps: a crash goes on at the last one.
	for from := max(done.Next, done.Erased+1); from <= last; {
		to := min(from+collectStep-1, last)
		if err := c.emptyCommits(ctx, from, to); err != nil {
			return err
		}
		done.Erased, from = to, to+1
		if err := c.saveCollected(ctx, done); err != nil {
			return err
		}
	}
	return nil
}

// emptyCommits empties the commits of a range, some at a time.
func (c *Config) emptyCommits(ctx context.Context, from, to uint64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for worker := range uint64(eraseWorkers) {
		all.Go(func() {
			z, err := flate.NewWriter(io.Discard, flate.NoCompression)
			for n := from + worker; n <= to && err == nil; n += eraseWorkers {
				err = c.emptyCommit(ctx, n, z)
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// emptyCommit replaces a commit by its header.
func (c *Config) emptyCommit(ctx context.Context, n uint64, z *flate.Writer) error {
	cm, err := c.findCommit(ctx, n)
	switch {
	case errors.Is(err, object.ErrNotFound) || err == nil && cm.Kind == kindErased:
		return nil
	case errors.Is(err, ErrDamaged): // what cannot be read must go as well
		cm = commit{place: place{Commit: n}}
	case err != nil:
		return err
	}
	cm.Kind, cm.Record = kindErased, nil
	return c.put(ctx, commitKey(n), appendCommit(nil, cm, z), object.Condition{})
}
