package store

import (
	"context"
	"fmt"

	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

// replayStep is how many bytes of rows are brought in by one transaction.
const replayStep = 4 << 20

// replay brings the database, which is as the checkpoint says, up to its log, and ends
// that: what is answered from then on is on disk without it. A crash meanwhile changes
// nothing about the log (see checkpoint.go, 7).
func (s *Store) replay(left *wal.Recovery) (err error) {
	s.byLog(true)
	if err := s.pin.begin(s); err != nil {
		return err
	}
	defer s.pin.end(s)
	r := replaying{s: s}
	defer r.undo() // if bbolt panics over a damaged page, too: closing it would wait for the writer
	err = left.Each(r.take)
	if err == nil {
		err = r.commit()
	}
	r.undo()
	if err != nil {
		return fmt.Errorf("bring the database up to its log: %w", damagedLog(err))
	}
	s.db.NoFreelistSync = false
	b, err := s.begin(true)
	if err != nil {
		return err
	}
	defer s.rollback(b) // does nothing after a commit
	if err := b.Commit(); err != nil {
		return fmt.Errorf("bring the database up to its log: %w", err)
	}
	if err := s.syncAll(); err != nil {
		return fmt.Errorf("bring the database up to its log: %w", err)
	}
	s.byLog(false)
	return left.End()
}

// replaying is a replay on its way.
type replaying struct {
	s     *Store
	b     *bbolt.Tx // nil: none is open
	bytes int
	last  wal.Record // without its rows
}

// take writes the rows of a record.
func (r *replaying) take(record wal.Record) (err error) {
	if r.b == nil {
		if r.b, err = r.s.begin(true); err != nil {
			return err
		}
	}
	rows := r.b.Bucket(Log)
	// One may stand for several, of a store that follows; that none is missing the log itself knows.
	if rows == nil || record.Group <= rows.Sequence() {
		return fmt.Errorf("%w: the log goes on with group %d, which the database is past", ErrDamaged, record.Group)
	}
	if err := rows.SetSequence(record.Group); err != nil {
		return err
	}
	for _, blob := range record.Blobs {
		if r.s.blobs == nil {
			return fmt.Errorf("%w: the log carries uploads, and there is nowhere to put them", ErrDamaged)
		}
		// Whatever stands there: nobody knows whether it is whole.
		if err := r.s.blobs.Rewrite(context.Background(), blob.Digest, blob.Bytes); err != nil {
			return err
		}
		r.bytes += len(blob.Bytes) / 8
	}
	for _, row := range record.Rows {
		bucket := r.b.Bucket(row.Bucket)
		if bucket == nil {
			return fmt.Errorf("%w: the log has rows of a bucket %q", ErrDamaged, row.Bucket)
		}
		bucket.FillPercent = fillPercent(row.Bucket)
		if row.Deleted {
			err = bucket.Delete(row.Key)
		} else {
			err = bucket.Put(row.Key, row.Value)
		}
		if err != nil {
			return fmt.Errorf("%w: a row of the log cannot be written: %w", ErrDamaged, err)
		}
		r.bytes += len(row.Key) + len(row.Value)
	}
	r.last = wal.Record{Group: record.Group, Seq: record.Seq, Hash: record.Hash}
	if r.bytes >= replayStep {
		return r.commit()
	}
	return nil
}

// commit commits what was taken, once it ends as the last record says.
func (r *replaying) commit() error {
	if r.b == nil {
		return nil
	}
	head, err := lastHead(r.b)
	if err != nil {
		return err
	}
	if head.Seq != r.last.Seq || head.Hash != r.last.Hash {
		return fmt.Errorf("%w: after group %d the log ends with entry %d, its record says %d", ErrDamaged, r.last.Group, head.Seq, r.last.Seq)
	}
	if err := r.b.Commit(); err != nil {
		return err
	}
	r.b, r.bytes = nil, 0
	return nil
}

// undo rolls back what was taken and not committed.
func (r *replaying) undo() {
	if b := r.b; b != nil {
		r.b = nil
		r.s.rollback(b)
	}
}
