package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strongroom/engine"
)

// An owner takes a snapshot when a server that has none would apply the commits since the
// last for longer than some ten seconds. Measured on one core: 3,000 commits a second and a
// sync of the disk for each, and 13,000 documents a second of half a kilobyte; a
// database of 3.4 GB, a million documents, is unpacked in some 15 seconds, so 30 are enough for
// both. Every snapshot is the whole database, so a large one waits for more bytes,
// and the next is not begun before snapshotRest times as long as the last one took has
// passed: under the heaviest load recovery takes longer instead. Once a day there is one
// if anything has changed, or what was deleted would outlive the history in commits.
const (
	snapshotCommits  = 10_000
	snapshotBytes    = 32 << 20
	snapshotFraction = 8 // of the size of the last one
	snapshotRest     = 4
	snapshotEvery    = 24 * time.Hour
)

// collectEvery is how often an owner collects, and does again what failed.
const collectEvery = time.Hour

// timeFormat is for people.
const timeFormat = "2006-01-02 15:04:05Z"

// tended is what an owner's housekeeping has got from the owner.
type tended struct {
	place         // the last commit that is known to be in the store
	Bytes  uint64 // of all commits of this owner, as objects
	Groups uint64 // commits of this owner
}

// tending is what tend remembers, and a Status tells.
type tending struct {
	Snapshot pointer // the last

	bytes     uint64            // of the owner's commits when it was taken
	rested    time.Time         // before this none is taken
	looked    uint64            // entries up to here were looked through for erasures
	erased    uint64            // the last of them that completed one
	collected time.Time         // when collection was last begun
	sealed    [sha256.Size]byte // of the keys that are in the store
}

// tend does an owner's housekeeping: it seals keys that changed, takes a snapshot if one is due, completes an
// erasure, collects what is older than the history. It is called every ten seconds, by
// one goroutine, while the owner owns. It keeps what it must remember in what it returns,
// which the next call gets, after an error too; the first gets nil. What fails does
// not keep the rest from being done. Collection never takes the commit of
// the snapshot that the pointer names, nor any after it: an owner looks for its last
// commit to see that nobody collected behind its back.
func (c *Config) tend(ctx context.Context, v vaultCopy, t tended, was *tending) (*tending, error) {
	k := &tending{}
	if was != nil {
		*k = *was
	} else {
		p, _, err := c.loadPointer(ctx)
		if err != nil {
			return nil, err
		}
		k.Snapshot, k.looked = p, p.Clean
	}
	var failed error
	for _, work := range []struct {
		what string
		do   func(context.Context, vaultCopy, tended) error
	}{
		{"seal keys", func(ctx context.Context, _ vaultCopy, _ tended) error { return k.sealKeys(ctx, c) }},
		{"take a snapshot", func(ctx context.Context, v vaultCopy, t tended) error { return k.snapshot(ctx, c, v, t) }},
		{"erase in the store", func(ctx context.Context, v vaultCopy, t tended) error { return k.erase(ctx, c, v, t) }},
		{"collect what is old", func(ctx context.Context, _ vaultCopy, t tended) error { return k.collect(ctx, c, t) }},
	} {
		if err := work.do(ctx, v, t); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", work.what, err))
		}
	}
	return k, failed
}

// sealKeys puts keys into the store that are new here, or others than before.
func (k *tending) sealKeys(ctx context.Context, c *Config) error {
	if c.SealKey == nil {
		return nil
	}
	h := sha256.New()
	for _, name := range engine.KeyFiles() {
		key, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		fmt.Fprintf(h, "%s %d %x\n", name, len(key), key)
	}
	sum := [sha256.Size]byte(h.Sum(nil))
	if sum == k.sealed {
		return nil
	}
	if err := c.sealKeys(ctx); err != nil {
		return err
	}
	k.sealed = sum
	return nil
}

func (k *tending) snapshot(ctx context.Context, c *Config, v vaultCopy, t tended) error {
	if !k.due(t) {
		return nil
	}
	began := time.Now()
	p, err := c.takeSnapshot(ctx, v, t.Epoch)
	k.rested = time.Now().Add(snapshotRest * time.Since(began))
	if err != nil {
		return err
	}
	k.took(p, t)
	c.log("took a snapshot of commit %d, entry %d: %d bytes", p.Commit, p.Seq, p.Size)
	return nil
}

// due says whether it is time for a snapshot.
func (k *tending) due(t tended) bool {
	p := &k.Snapshot
	if t.Commit <= p.Commit || time.Now().Before(k.rested) {
		return false
	}
	return t.Commit-p.Commit >= snapshotCommits ||
		t.Bytes-k.bytes >= uint64(max(snapshotBytes, p.Size/snapshotFraction)) ||
		time.Since(p.Time) >= snapshotEvery
}

func (k *tending) took(p pointer, t tended) { k.Snapshot, k.bytes = p, t.Bytes }

func (k *tending) erase(ctx context.Context, c *Config, v vaultCopy, t tended) error {
	if wiped := v.Wiped(); wiped > k.looked {
		erased, err := erasureSince(ctx, v, k.looked, wiped)
		if err != nil {
			return err
		}
		k.looked, k.erased = wiped, max(k.erased, erased)
	}
	if k.erased <= k.Snapshot.Clean {
		return nil
	}
	p, err := c.erase(ctx, v, t.Epoch, k.erased)
	if err != nil {
		return err
	}
	k.took(p, t)
	return nil
}

func (k *tending) collect(ctx context.Context, c *Config, t tended) error {
	if !k.collected.IsZero() && time.Since(k.collected) < collectEvery {
		return nil
	}
	k.collected = time.Now()
	if err := c.collect(ctx, t.Epoch); err != nil {
		return err
	}
	p, _, err := c.loadPointer(ctx)
	if err == nil {
		k.Snapshot = p
	}
	return err
}
