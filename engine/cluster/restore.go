package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// dirBlobs is where a vault's bytes lie on the local disk.
const dirBlobs = "blobs"

// History is how far back a vault can be restored from the store.
type History struct {
	From time.Time // the oldest instant
	Seq  uint64    // the entry that the log ended with then
	// ErasedTo is not zero if an erasure has ended the history there: nothing that was
	// erased up to this entry lies in the store any more, since ErasedAt.
	ErasedTo uint64
	ErasedAt time.Time
	Kept     time.Duration // Config.History
}

// HistoryError says that the store does not reach back to an instant, and why.
type HistoryError struct {
	At time.Time
	History
}

func (e *HistoryError) Error() string {
	why := fmt.Sprintf("what is older than %v is not kept", e.Kept)
	if e.ErasedTo != 0 {
		why = fmt.Sprintf("an erasure, up to entry %d of the log, has removed what was before, on %s", e.ErasedTo, e.ErasedAt.Format(timeFormat))
	}
	return fmt.Sprintf("the store cannot tell how the vault was on %s: it reaches back to %s, entry %d; %s",
		e.At.UTC().Format(timeFormat), e.From.Format(timeFormat), e.Seq, why)
}

// ReadHistory says how far back the vault can be restored. ErrNoVault.
func ReadHistory(ctx context.Context, c Config) (History, error) {
	p, _, err := c.readPointer(ctx)
	if err != nil {
		return History{}, noVault(err)
	}
	return c.reach(p), nil
}

func (c *Config) reach(p pointer) History {
	oldest := p.standing()[0]
	h := History{From: oldest.Head, Seq: oldest.Seq, Kept: c.history()}
	if p.Clean != 0 && !oldest.Time.After(p.CleanAt) {
		h.ErasedTo, h.ErasedAt = p.Clean, p.CleanAt
	}
	return h
}

func noVault(err error) error {
	if errors.Is(err, object.ErrNotFound) {
		return ErrNoVault
	}
	return err
}

// Restore makes c.Dir, which must be empty or not be there, a vault of the local disk, as it
// was in the store at an instant: after the last group of changes whose last entry is not
// later. An instant in the future, or the zero time, is now. Every commit is
// verified against the log as it is applied, and the vault has its name only when it is whole.
//
// The bytes are copied from c.Blobs, each compared with its digest; nil leaves them to
// the caller. Those of documents that were deleted since are not in the store any more: they are
// missing in the vault, and c.Log is told how many.
//
// The vault says in its log that it was restored, and is paused: nobody may take it for
// the one that goes on in the store. So it has none of that one's keys, and no live
// lock. *HistoryError, ErrNoVault, ErrStoreBehind,
// ErrDamaged; engine.ErrVaultExists.
func Restore(ctx context.Context, c Config, at time.Time) (err error) {
	if !makeRoom(c.Dir) {
		return fmt.Errorf("%w: %s", engine.ErrVaultExists, c.Dir)
	}
	p, _, err := c.readPointer(ctx)
	if err != nil {
		return noVault(err)
	}
	from, ok := before(p, at)
	if !ok {
		return &HistoryError{at, c.reach(p)}
	}
	to := c.Dir
	c.Dir += ".restoring"
	if err := os.RemoveAll(c.Dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore from the store: %w", errors.Join(err, os.RemoveAll(c.Dir)))
		}
	}()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if err := c.placeCopy(ctx, pointer{Vault: p.Vault, snapshot: from}); err != nil {
		return err
	}
	if err := c.replay(ctx, p, from, at); err != nil {
		return err
	}
	if err := c.settleLocal(ctx); err != nil {
		return err
	}
	return blobstore.Rename(c.Dir, to)
}

// makeRoom says whether there is nothing at path now. An empty directory is removed.
func makeRoom(path string) bool {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	return true
}

// before returns the newest snapshot that shows nothing later than at.
func before(p pointer, at time.Time) (s snapshot, ok bool) {
	for _, standing := range p.standing() {
		if at.IsZero() || !standing.Head.After(at) {
			s, ok = standing, true
		}
	}
	return s, ok
}

// replay applies the commits after a snapshot, up to the last whose entries are not later than at.
func (c *Config) replay(ctx context.Context, p pointer, from snapshot, at time.Time) error {
	v, err := c.openFollowing()
	if err != nil {
		return err
	}
	return errors.Join(c.replayTo(ctx, v, p, from.place, at), v.Close())
}

func (c *Config) replayTo(ctx context.Context, v vault, p pointer, at place, instant time.Time) error {
	f := fetcher{c: c}
	for {
		var commits []commit
		err := c.until(ctx, "read commits", func(ctx context.Context) (err error) {
			if commits, err = f.next(ctx, at); len(commits) > 0 {
				err = nil // it comes again
			}
			return err
		})
		if errors.Is(err, ErrCollected) {
			// An erasure is on its way, and has not yet said that it ended the history.
			h := History{From: p.Head, Seq: p.Seq, ErasedTo: p.Wiped, ErasedAt: p.Time, Kept: c.history()}
			return &HistoryError{instant, h}
		}
		if err != nil {
			return err
		}
		if len(commits) == 0 {
			if at.Commit < p.Commit {
				return fmt.Errorf("%w: commit %d, and a snapshot of commit %d stands", ErrStoreBehind, at.Commit+1, p.Commit)
			}
			return nil
		}
		wanted, err := upTo(instant, commits)
		if err != nil {
			return err
		}
		if at, err = apply(ctx, v, at, wanted); err != nil || len(wanted) < len(commits) {
			return err
		}
	}
}

// upTo returns the commits up to the last whose entries are not later than an instant.
func upTo(instant time.Time, commits []commit) ([]commit, error) {
	if instant.IsZero() {
		return commits, nil
	}
	for i, cm := range commits {
		when, err := engine.RecordTime(cm.Record)
		if err != nil {
			return nil, fmt.Errorf("commit %d: %w", cm.Commit, err)
		}
		if when.After(instant) {
			return commits[:i], nil
		}
	}
	return commits, nil
}

// settleLocal makes what was brought to its instant a vault of the local disk.
func (c *Config) settleLocal(ctx context.Context) error {
	blobs := filepath.Join(c.Dir, dirBlobs)
	if err := blobstore.Init(blobs); err != nil {
		return err
	}
	o := c.Options
	o.Follow, o.Home, o.Blobs = false, nil, nil
	v, err := engine.Open(c.Dir, o)
	if err != nil {
		return err
	}
	if err = v.RecordRestore(ctx); err == nil && c.Blobs != nil {
		err = c.fetchBytes(ctx, v, blobs)
	}
	return errors.Join(err, v.Close())
}

// fetchWorkers is how many blobs are fetched at a time: each waits for the store, and then for a
// sync that they share.
const fetchWorkers = 16

// fetchBytes copies what the vault needs from the store to the disk.
func (c *Config) fetchBytes(ctx context.Context, v *engine.Vault, dir string) error {
	disk, err := blobstore.Open(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	needed, missing := make(chan engine.Digest), atomic.Int64{}
	var workers sync.WaitGroup
	for range fetchWorkers {
		workers.Go(func() {
			for d := range needed {
				err := c.fetchBlob(ctx, disk, d)
				if errors.Is(err, blobstore.ErrNotFound) {
					missing.Add(1)
				} else if err != nil {
					cancel(fmt.Errorf("fetch %s: %w", d, err))
				}
			}
		})
	}
	err = v.Digests(ctx, func(d engine.Digest) error {
		select {
		case needed <- d:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(needed)
	workers.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if n := missing.Load(); n > 0 && err == nil {
		c.log("%d files are no longer in the store: their documents were deleted after the instant that was restored", n)
	}
	return errors.Join(err, disk.Close())
}

func (c *Config) fetchBlob(ctx context.Context, disk *blobstore.Disk, d engine.Digest) error {
	r, err := c.Blobs.Open(d)
	if err != nil {
		return err
	}
	defer r.Close()
	staged, err := disk.Stage(ctx, r, 0)
	if err != nil {
		return err
	}
	if staged.Digest() != d {
		return errors.Join(fmt.Errorf("%w: the bytes have another digest", ErrDamaged), staged.Discard())
	}
	return staged.Keep(ctx)
}
