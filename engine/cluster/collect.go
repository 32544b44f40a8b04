package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// What is older than the history is collected: commits and snapshots, oldest first, so
// that what stands is always the end of the history without a gap, and whoever finds the
// commit before his own gone knows that he is late. A request that was sent before it
// was late, and comes after, must find its number taken: no commit is deleted before
// it is a day old by the store's own clock.

// collectAge is the least age of what is collected.
const collectAge = 24 * time.Hour

// keyCollected is where collection stands. It is a hint that is never ahead of what was
// deleted; without it, collection looks for the oldest commit.
const keyCollected = "collected"

// collected is that object.
type collected struct {
	Next   uint64 `json:"next"`   // the oldest commit that may be there
	Erased uint64 `json:"erased"` // commits up to here, if they are there, say nothing any more: see erase.go
}

const (
	maxCollected = 4 << 10
	collectStep  = 512 // commits whose age is asked for together, since none is older than one before it
)

// collect deletes what is older than the history, behind a snapshot that stands. A
// crash leaves the rest to the next call. It is the owner's; one that was
// replaced meanwhile deletes nothing that the next would keep.
func (c *Config) collect(ctx context.Context, epoch uint64) error {
	if err := c.collectStrays(ctx, epoch); err != nil {
		return fmt.Errorf("collect snapshots nobody points to: %w", err)
	}
	p, info, err := c.readPointer(ctx)
	if err != nil {
		return err
	}
	now := storeTime(info)
	if now.IsZero() {
		return errors.New("the store does not tell its time (Date), so nothing old is deleted")
	}
	// The newest snapshot from before the history's begin is where the history can be
	// entered; what is before it goes.
	begin := now.Add(-max(c.history(), collectAge))
	standing := p.standing()
	first := 0
	for i, s := range standing {
		if !s.Time.After(begin) {
			first = i
		}
	}
	for _, s := range []snapshot{standing[first], p.snapshot} {
		if err := c.snapshotStands(ctx, s); err != nil {
			return err
		}
	}
	if first > 0 {
		for _, s := range standing[:first] {
			if err := c.Objects.Delete(ctx, s.Key); err != nil {
				return err
			}
		}
		p.Older = standing[first : len(standing)-1]
		if err := c.savePointer(ctx, p, object.Condition{Match: info.ETag}); err != nil {
			return err // the next call finds them gone
		}
	}
	return c.collectCommits(ctx, standing[first].Commit, now)
}

// snapshotStands looks whether a snapshot that was verified is there.
func (c *Config) snapshotStands(ctx context.Context, s snapshot) error {
	info, err := c.Objects.Stat(ctx, s.Key)
	if err == nil && info.Size != s.Size {
		err = fmt.Errorf("it has %d bytes, not %d", info.Size, s.Size)
	}
	if errors.Is(err, object.ErrNotFound) || err == nil && info.Size != s.Size {
		return fmt.Errorf("%w: the snapshot %s: %w", ErrDamaged, s.Key, err)
	}
	return err
}

// collectCommits deletes commits before the given one that are old enough, one at a time.
func (c *Config) collectCommits(ctx context.Context, end uint64, now time.Time) error {
	done, err := c.loadCollected(ctx)
	if err != nil {
		return err
	}
	begun := done.Next
	for done.Next < end {
		next := min(done.Next+collectStep, end)
		old, err := c.commitOld(ctx, next-1, now)
		for err == nil && !old && next-done.Next > 1 { // go up to the age, not past it
			next = done.Next + (next-done.Next)/2
			old, err = c.commitOld(ctx, next-1, now)
		}
		if err != nil {
			return err
		}
		if !old {
			break
		}
		for n := done.Next; n < next; n++ {
			if err := c.Objects.Delete(ctx, commitKey(n)); err != nil {
				return err
			}
		}
		done.Next = next
		if err := c.saveCollected(ctx, done); err != nil {
			return err
		}
	}
	if done.Next > begun {
		c.log("collected commits %d to %d", begun, done.Next-1)
	}
	return nil
}

// commitOld says whether a commit is old enough to be deleted, or gone.
func (c *Config) commitOld(ctx context.Context, n uint64, now time.Time) (bool, error) {
	info, err := c.Objects.Stat(ctx, commitKey(n))
	if errors.Is(err, object.ErrNotFound) {
		return true, nil
	}
	return err == nil && now.Sub(info.Modified) > collectAge, err
}

// loadCollected says where collection stands. A listing may miss what was put a moment
// ago, and never what is to be collected.
func (c *Config) loadCollected(ctx context.Context) (done collected, err error) {
	b, _, err := c.readSmall(ctx, keyCollected, maxCollected)
	if err == nil && json.Unmarshal(b, &done) == nil && done.Next > 0 {
		return done, nil
	}
	if err != nil && !errors.Is(err, object.ErrNotFound) {
		return collected{}, err
	}
	found := errors.New("found")
	done = collected{}
	err = c.Objects.List(ctx, keyCommits, "", func(info object.Info) error {
		if _, err := fmt.Sscanf(info.Key, keyCommits+"%d", &done.Next); err == nil && done.Next > 0 {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		err = nil
	} else if err == nil {
		p, _, err := c.readPointer(ctx)
		return collected{Next: p.Commit + 1}, err
	}
	return done, err
}

func (c *Config) saveCollected(ctx context.Context, done collected) error {
	b, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return c.put(ctx, keyCollected, append(b, '\n'), object.Condition{})
}

// collectStrays deletes snapshots that no pointer names: what a server left that ended, or
// was replaced, while it sent one. Before that the pointer is fenced, so that no owner of
// an earlier epoch comes to point to what is deleted; a later one's are not touched.
// engine.ErrReplaced.
func (c *Config) collectStrays(ctx context.Context, epoch uint64) error {
	p, info, err := c.readPointer(ctx)
	if err != nil {
		return err
	}
	if p.Fence > epoch {
		return fmt.Errorf("%w: it has written the pointer to the last snapshot", engine.ErrReplaced)
	}
	if p.Fence < epoch {
		p.Fence = epoch
		if err := c.savePointer(ctx, p, object.Condition{Match: info.ETag}); err != nil {
			return err
		}
	}
	named := map[string]bool{}
	for _, s := range p.standing() {
		named[s.Key] = true
	}
	var strays []string
	err = c.Objects.List(ctx, keySnapshots, "", func(info object.Info) error {
		if by, ok := takenBy(info.Key); ok && by <= epoch && !named[info.Key] {
			strays = append(strays, info.Key)
		}
		return nil
	})
	for _, key := range strays {
		if err == nil {
			err = c.Objects.Delete(ctx, key)
			c.log("deleted the snapshot %s, which nobody points to", key)
		}
	}
	return err
}
