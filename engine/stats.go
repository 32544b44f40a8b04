package engine

import (
	"bytes"
	"context"
	"errors"
)

// Distribution says how values were spread, in the manner of a Prometheus
// histogram. UpTo[i] is how many were at Bounds[i] or below it.
type Distribution struct {
	Bounds []float64 // they rise
	UpTo   []uint64
	Count  uint64 // of all values, those above the last bound too
	Sum    float64
}

// Stats counts since opening.
type Stats struct {
	Commits      uint64 // transactions on disk
	Changes      uint64 // entries in them
	LateFailures uint64 // closures that failed after writing, or panicked: a defect, never a caller's doing
	Checkpoints  uint64 // times the database was made durable beside its write-ahead log

	Groups      Distribution // changes in a commit
	CommitTimes Distribution // seconds a commit took, the sync of its record above all
}

// Stats returns what was counted since the vault was opened. It works on a
// closed vault too.
func (v *Vault) Stats() Stats {
	s := &v.store.Stats
	return Stats{s.Commits.Load(), s.Changes.Load(), s.LateFailures.Load(), s.Checkpoints.Load(), Distribution(s.Groups.Read()), Distribution(s.CommitTimes.Read())}
}

// Measures are how a vault stands. They are cheap to take.
type Measures struct {
	Entries       uint64 // in the log
	Waiting       int    // changes that wait for their commit
	DatabaseBytes int64  // of rows.db
	PageBytes     int
	FreePages     int    // of rows.db, since the first commit after opening: they are used before it grows
	LogBytes      int64  // of the write-ahead log that recovery would read after a crash; 0 while the database stands by itself
	DiskFree      uint64 // bytes
	DiskReserve   uint64 // bytes that are kept free: below them, writes are refused
}

// Measure takes the measures of the vault. They cost a few system calls.
func (v *Vault) Measure() (Measures, error) {
	if err := v.store.Enter(); err != nil {
		return Measures{}, err
	}
	defer v.store.Exit()
	space, err := v.store.Space()
	if err != nil {
		return Measures{}, err
	}
	u, err := v.store.Usage()
	if err != nil {
		return Measures{}, err
	}
	return Measures{
		Entries: v.Head().Seq, Waiting: u.Waiting, DatabaseBytes: u.FileBytes, PageBytes: u.PageBytes,
		FreePages: u.FreePages, LogBytes: u.LogBytes, DiskFree: space.Free, DiskReserve: space.Reserve,
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
		spelled, err := view(v, func(t *tx) ([]string, error) { return t.shownStates([]string{state}, !t.partial()) })
		if err != nil {
			return Census{}, err
		}
		for _, state := range spelled {
			n, err := v.countRows(ctx, bucketIndex, indexPrefix(kindState, state), nil)
			if err != nil {
				return Census{}, err
			}
			c.Documents[status] += n
		}
	}
	var err error
	var shown func(*tx, []byte) (bool, error)
	if v.partial {
		shown = func(t *tx, key []byte) (bool, error) {
			_, err := t.hold(idText(key[len(key)-len(id{}):]))
			if errors.Is(err, ErrHoldNotFound) {
				return false, nil
			}
			return err == nil, err
		}
	}
	if c.Holds, err = v.countRows(ctx, bucketHoldRows, indexPrefix(holdAll, holdActive), shown); err != nil {
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
	d, err := decodeDocument(id(doc), t.Get(bucketDocuments, doc))
	if err != nil {
		return false, err
	}
	if t.partial() && !t.seen(d.ID) {
		return false, nil
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
	rows := t.Cursor(c.bucket)
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
