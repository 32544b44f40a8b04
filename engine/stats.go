package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"strongroom/blobstore"
)

// counters are what a vault counts while it is open.
type counters struct {
	commits, changes, lateFailures atomic.Uint64

	groups      *Histogram // changes in a commit
	commitTimes *Histogram // seconds
}

func newCounters() counters {
	return counters{
		groups:      NewHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256, maxGroup),
		commitTimes: NewHistogram(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
	}
}

// Stats counts since opening.
type Stats struct {
	Commits      uint64 // transactions on disk
	Changes      uint64 // entries in them
	LateFailures uint64 // closures that failed after writing, or panicked: a defect, never a caller's doing

	Groups      Distribution // changes in a commit
	CommitTimes Distribution // seconds a commit took, its fsyncs above all
}

// Stats may be called at any time.
func (v *Vault) Stats() Stats {
	return Stats{
		v.stats.commits.Load(), v.stats.changes.Load(), v.stats.lateFailures.Load(),
		v.stats.groups.Read(), v.stats.commitTimes.Read(),
	}
}

// Measures are how a vault stands. They are cheap to take.
type Measures struct {
	Entries       uint64 // in the log
	Waiting       int    // changes that wait for their commit
	DatabaseBytes int64  // of vault.db
	PageBytes     int
	FreePages     int    // of vault.db, since the first commit after opening: they are used before it grows
	DiskFree      uint64 // bytes
	DiskReserve   uint64 // bytes that are kept free: below them, writes are refused
}

// Measure takes them.
func (v *Vault) Measure() (Measures, error) {
	if err := v.enter(); err != nil {
		return Measures{}, err
	}
	defer v.exit()
	free, err := blobstore.Free(v.dir)
	if err != nil {
		return Measures{}, fmt.Errorf("look for free space: %w", err)
	}
	info, err := os.Stat(v.db.Path())
	if err != nil {
		return Measures{}, fmt.Errorf("look at the database: %w", err)
	}
	v.queue.mu.Lock()
	waiting := len(v.queue.waiting)
	v.queue.mu.Unlock()
	pages := v.db.Stats()
	return Measures{
		Entries: v.Head().Seq, Waiting: waiting, DatabaseBytes: info.Size(), PageBytes: v.db.Info().PageSize,
		FreePages: pages.FreePageN + pages.PendingPageN, DiskFree: free, DiskReserve: uint64(max(v.reserve, 0)),
	}, nil
}

// Census counts what a vault holds.
type Census struct {
	Documents   map[Status]uint64
	Locked      uint64 // documents with a live lock, but for those whose scratchpad is still empty
	Holds       uint64 // active ones
	Obligations ObligationCounts
	// ObligationsPartial: there are more of them than were counted.
	ObligationsPartial bool
}

// censusPage is how many rows one transaction looks at.
const censusPage = 10_000

// Census counts, a page of rows in a transaction, so what changes meanwhile may
// be counted before or after. It takes some 100 ms for a million documents.
func (v *Vault) Census(ctx context.Context) (Census, error) {
	c := Census{Documents: map[Status]uint64{}}
	for state, status := range map[string]Status{
		stateLive: StatusActive, stateLiveHeld: StatusLegalHold, stateArchived: StatusArchived, stateArchivedHeld: StatusLegalHold, stateDeleted: StatusDeleted,
	} {
		n, err := v.countRows(ctx, bucketIndex, indexPrefix(kindState, state), nil)
		if err != nil {
			return Census{}, err
		}
		c.Documents[status] += n
	}
	var err error
	if c.Holds, err = v.countRows(ctx, bucketHoldRows, indexPrefix(holdAll, holdActive), nil); err != nil {
		return Census{}, err
	}
	// A lock leaves a snapshot, or its scratchpad once there is something in it;
	// so do those that ended by their deadline.
	for _, bucket := range [][]byte{bucketSnapshots, bucketDrafts} {
		n, err := v.countRows(ctx, bucket, nil, (*tx).isOfLiveLock)
		if err != nil {
			return Census{}, err
		}
		c.Locked += n
	}
	summary, err := v.ObligationSummary(ctx)
	c.Obligations, c.ObligationsPartial = summary.ByStatus, summary.Partial
	return c, err
}

// isOfLiveLock says whether a row of snapshots or of drafts is of a live lock.
func (t *tx) isOfLiveLock(key []byte) (bool, error) {
	doc, user := key[:len(id{})], string(key[len(id{}):])
	d, err := decodeDocument(id(doc), t.get(bucketDocuments, doc))
	if err != nil {
		return false, err
	}
	l := t.live(d)
	return l != nil && (user == "" || l.userID == user), nil
}

// countRows counts the rows of a bucket that begin with a prefix and that are
// wanted; nil wants all.
func (v *Vault) countRows(ctx context.Context, bucket, prefix []byte, wanted func(*tx, []byte) (bool, error)) (uint64, error) {
	c := rowCounter{bucket: bucket, prefix: prefix, at: prefix, wanted: wanted}
	for more := true; more; {
		err := ctx.Err()
		if err == nil {
			more, err = peek(v, c.page)
		}
		if err != nil {
			return 0, err
		}
	}
	return c.n, nil
}

type rowCounter struct {
	bucket, prefix []byte
	wanted         func(*tx, []byte) (bool, error)
	at             []byte // the row to go on with
	n              uint64
}

// page counts some rows, and says whether there are more.
func (c *rowCounter) page(t *tx) (more bool, err error) {
	rows := t.bucket(c.bucket).Cursor()
	key, _ := rows.Seek(c.at)
	for range censusPage {
		if key == nil || !bytes.HasPrefix(key, c.prefix) {
			return false, nil
		}
		counts := true
		if c.wanted != nil {
			if counts, err = c.wanted(t, key); err != nil {
				return false, err
			}
		}
		if counts {
			c.n++
		}
		key, _ = rows.Next()
	}
	c.at = bytes.Clone(key)
	return key != nil, nil
}
