package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/store/wal"
)

// A vault may be at home beyond this machine: then its owner hands over the record of
// each group before it lands here (Options.Ship), and those who follow bring their
// databases up to it (Apply). A record is the set of rows that the log here holds too,
// so what is applied lands as a group of one's own does: by the log, in its turn.
//
// A follower believes no record. Its number is the next; its lines go on from the last
// one's hash, each parsed and hashed here; and it ends where it says.

var (
	// ErrReplaced: another server has the number of the group.
	ErrReplaced = errors.New("another server owns this vault now")
	// ErrRecord: a record is not one that goes on from where the store stands.
	ErrRecord = errors.New("not a record of the next group")
	// ErrFollower: the store follows another one's changes, and takes none of its own.
	ErrFollower = errors.New("this server follows the vault and does not own it")
)

// Group is the number of the last group that is on disk.
func (s *Store) Group() (uint64, error) {
	if err := s.Enter(); err != nil {
		return 0, err
	}
	defer s.Exit()
	b, end, err := s.beginRead(true)
	if err != nil {
		return 0, err
	}
	defer end()
	return b.Bucket(Log).Sequence(), nil
}

// EmptyGroup is the record of a next group that changes nothing.
func (s *Store) EmptyGroup() (group uint64, record []byte, err error) {
	if group, err = s.Group(); err != nil {
		return 0, nil, err
	}
	group++
	return group, wal.NewSet().AppendRecord(nil, group, s.Head()), nil
}

// Apply lands records of the next groups, and returns those that it landed, decoded: the first
// that is not the next one, or does not go on where the audit log stands, is ErrRecord, and nothing
// of it happens. The store was opened with Options.Follow. Several groups land together, by
// one record of the log here.
func (s *Store) Apply(ctx context.Context, records [][]byte) (landed []wal.Record, err error) {
	err = s.exclusive(ctx, func() error {
		for len(records) > 0 {
			some, err := s.applySome(records)
			landed, records = append(landed, some...), records[len(some):]
			if err != nil {
				return err
			}
		}
		return nil
	})
	return landed, err
}

// applySome lands as many of the records as one transaction takes, those before the first
// that is wrong.
func (s *Store) applySome(records [][]byte) (landed []wal.Record, err error) {
	if err := s.shorten(); err != nil {
		return nil, err
	}
	b, err := s.begin(true)
	if err != nil {
		return nil, fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b) // does nothing after a commit
	t := &Tx{s: s, b: b, head: s.Head(), set: s.set}
	t.set.Reset()
	t.group = b.Bucket(Log).Sequence()
	var wrong error
	for _, encoded := range records {
		var r wal.Record
		if r, wrong = t.following(encoded); wrong != nil {
			break
		}
		if err := t.take(r); err != nil {
			return nil, err
		}
		if landed = append(landed, r); t.set.Size() > largestSet {
			break
		}
	}
	if len(landed) == 0 {
		return nil, wrong
	}
	if s.beyond(t) {
		s.rollback(b)
		if err := s.widen(); err != nil {
			return nil, err
		}
		return s.applySome(records)
	}
	t.now = t.head.Time
	if err := s.finish(t); err != nil {
		return nil, err
	}
	s.landed(t)
	return landed, wrong
}

// following decodes a record, which must be that of the next group, go on from the log
// as it is in this transaction, and be about buckets that there are.
func (t *Tx) following(encoded []byte) (r wal.Record, err error) {
	if r, err = wal.ParseRecord(encoded); err != nil {
		return r, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.Group != t.group+1 {
		return r, fmt.Errorf("%w: group %d came, and the next is %d", ErrRecord, r.Group, t.group+1)
	}
	head := t.head
	for _, row := range r.Rows {
		if t.b.Bucket(row.Bucket) == nil {
			return r, fmt.Errorf("%w: group %d has rows of a bucket %q", ErrRecord, r.Group, row.Bucket)
		}
		if !bytes.Equal(row.Bucket, Log) {
			continue
		}
		e, err := audit.ParseEntry(row.Value)
		if err != nil || row.Deleted {
			return r, fmt.Errorf("%w: group %d has a line that is none: %w", ErrRecord, r.Group, err)
		}
		if e.Seq != head.Seq+1 || e.Prev != head.Hash || !bytes.Equal(row.Key, SeqKey(e.Seq)) || e.Time.Before(head.Time) {
			return r, fmt.Errorf("%w: in group %d, entry %d does not go on from entry %d", ErrRecord, r.Group, e.Seq, head.Seq)
		}
		head = audit.Head{Vault: head.Vault, Seq: e.Seq, Hash: audit.HashLine(row.Value), Time: e.Time}
	}
	if head.Seq != r.Seq || head.Hash != r.Hash {
		return r, fmt.Errorf("%w: group %d ends with entry %d, and says %d", ErrRecord, r.Group, head.Seq, r.Seq)
	}
	if len(r.Blobs) > 0 && t.s.blobs == nil {
		return r, fmt.Errorf("%w: group %d carries uploads, and there is nowhere to put them", ErrRecord, r.Group)
	}
	t.group, t.head = r.Group, head
	return r, nil
}

// take writes what a record has.
func (t *Tx) take(r wal.Record) error {
	for _, blob := range r.Blobs {
		if err := t.s.blobs.Rewrite(context.Background(), blob.Digest, blob.Bytes); err != nil {
			return err
		}
		t.s.placed.Add(1)
		t.set.Carry(blob)
	}
	for _, row := range r.Rows {
		if row.Deleted {
			t.Delete(row.Bucket, row.Key)
		} else {
			t.Put(row.Bucket, row.Key, row.Value)
		}
	}
	return t.step.failed
}
