package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

// Why no crash loses anything.
//
// While there is a log, bbolt commits without any sync. The system writes its
// pages back when it likes, in any order, in part; a power cut may keep any of
// them and lose any other, meta pages among them. What is claimed: the meta page
// that the newest name holds, put into both slots, and the records from its place
// on, give exactly what was acknowledged.
//
// Let N be the transaction that is named, and say that a page belongs to N if it can
// be reached from N's root, or is one of its freelist.
//
//  1. Every page that belongs to N is on disk as N wrote it, and stays so while N is
//     named. It was written by N or before, and the sync that began after N's
//     commit covers it, before N was named. bbolt never writes to a page that
//     belongs to a committed state, but to free ones. A page that belongs to N is free
//     only for transactions that begin when no reader of N is left, and the pin is one:
//     it begins in the same turn as N's commit, before any other, and ends only when another name is
//     synced. In recovery the pin begins before the first commit.
//  2. What is on all other pages does not matter: N's freelist says that they are free, or
//     they lie behind its high water mark. Nothing reads a free page before it
//     is written.
//  3. The meta pages of the file may be of N or later, torn, in any mixture. They are
//     overwritten before bbolt looks. The saved one is that of the pinned transaction, not
//     what is read from the file, where a later one may already stand.
//  4. N's freelist is on disk, because N's own commit writes it; the commits between, which
//     say that there is none, are of no consequence by 3. So opening neither
//     reads the whole file nor has to guess.
//  5. The records from N's place on are those of the groups after N, since the place is taken in the
//     turn of N's commit. Each was synced before its group was answered, and
//     before the next was written; its segment is not used again before a name that
//     needs none of its records is synced. A record that was not synced may be there or not: its group was not answered.
//  6. The two slots of the name take turns, so that a torn one leaves the other; of
//     that one all of this still holds, since pin and records go only after the sync.
//  7. A crash in recovery leaves N named and its pages as they were, by 1: it is
//     done again, from the beginning, whatever became of its writes.
//  8. After kill -9 the same is done, although the system has all that was written:
//     after a sync that failed, memory shows pages as clean that the disk lacks.
//
// The first name is written when the log begins. The database stands by itself then:
// its last commit is synced by bbolt, freelist and all, or is that of settle.

// pinned is the reader that keeps the pages of the state which is named.
type pinned struct {
	b     *bbolt.Tx
	since uint64
}

// begin pins the state of the last commit. The caller holds checkpointing, or is alone.
func (p *pinned) begin(s *Store) error {
	since := s.readers.begin(&s.durable)
	b, err := s.begin(false)
	if err != nil {
		s.readers.end(since)
		return fmt.Errorf("pin a state of the database: %w", err)
	}
	*p = pinned{b, since}
	return nil
}

func (p *pinned) end(s *Store) {
	if p.b == nil {
		return
	}
	s.rollback(p.b)
	s.readers.end(p.since)
	*p = pinned{}
}

// checkpoint is one on its way: what is committed, and not yet named.
type checkpoint struct {
	log *wal.Log
	pin pinned
	at  wal.Position
}

// Checkpoint makes the database durable as it is, so that recovery needs no record
// before, if the log has grown since the last one. It does not know when to come back, and
// returns zero.
// Writers go on meanwhile. It is called by the host now and then: without it, writers do so themselves,
// and wait. Errors stop the store, but for ErrNoSpace and the context's.
func (s *Store) Checkpoint(ctx context.Context) (next time.Time, err error) {
	if err := s.Enter(); err != nil {
		return time.Time{}, err
	}
	defer s.Exit()
	log := s.log.Load()
	if log == nil || log.Since() == 0 {
		return time.Time{}, nil
	}
	var c *checkpoint
	err = s.submit(&Call{Ctx: ctx, alone: func() error {
		if !s.checkpointing.TryLock() { // a writer is at it
			return nil
		}
		if c, err = s.beginCheckpoint(); c == nil {
			s.checkpointing.Unlock()
		}
		return err
	}})
	if c == nil {
		return time.Time{}, err
	}
	defer s.checkpointing.Unlock()
	return time.Time{}, s.endCheckpoint(c)
}

// shorten makes a checkpoint when the log is full, and has one asked for when it is long. It is called in
// the leader's turn, before its transaction.
func (s *Store) shorten() error {
	log := s.log.Load()
	if log == nil {
		return nil
	}
	mayGrow := max(leastGrown, s.named/4)
	if long := log.Since() >= longLog || s.placed.Load() >= manyPlaced || s.used-s.named >= mayGrow/2; long && !s.told && s.onLong != nil {
		s.told = true
		s.onLong()
	} else if !long {
		s.told = false
	}
	full := func() bool {
		return log.Since() >= fullLog || s.placed.Load() >= 3*manyPlaced || s.used-s.named >= mayGrow
	}
	if !full() {
		return nil
	}
	s.checkpointing.Lock() // until the one that runs is over
	defer s.checkpointing.Unlock()
	if !full() {
		return nil
	}
	c, err := s.beginCheckpoint()
	if c == nil {
		return err
	}
	return s.endCheckpoint(c)
}

// beginCheckpoint commits with the freelist and pins that, in the leader's turn. nil:
// there is no log, or all of it is named. The caller holds checkpointing, until endCheckpoint has returned.
func (s *Store) beginCheckpoint() (*checkpoint, error) {
	log := s.log.Load()
	if log == nil || log.Named(log.Mark()) {
		return nil, nil
	}
	if err := s.commitFreelist(); err != nil {
		return nil, err
	}
	s.placed.Store(0)
	s.named = s.used
	c := &checkpoint{log: log, at: log.Mark()}
	if err := c.pin.begin(s); err != nil {
		return nil, s.checkpointFailed(err)
	}
	return c, nil
}

// commitFreelist commits nothing but the list of free pages, in the leader's turn, while
// there is a log.
func (s *Store) commitFreelist() error {
	b, err := s.begin(true)
	if err != nil {
		return fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b)
	if err := s.grow(b.Size() + growFreelist + 2*int64(s.db.Stats().FreelistInuse)); err != nil {
		return s.checkpointFailed(err)
	}
	txid := b.ID()
	s.db.NoFreelistSync = false
	err = b.Commit()
	s.db.NoFreelistSync = true
	if err != nil {
		return s.checkpointFailed(err)
	}
	s.durable.Store(uint64(txid)) // it says no more than the records do
	s.journal.wake()
	return nil
}

// growFreelist is room for the pages that a commit without rows takes beside its freelist.
const growFreelist = 1 << 20

// endCheckpoint makes what is committed durable, and names it. The old pin ends when that is
// synced, and not before.
func (s *Store) endCheckpoint(c *checkpoint) error {
	v, err := viewOf(c.pin.b, s.file)
	if err == nil {
		err = s.syncAll()
	}
	if err == nil {
		err = c.log.Name(c.at, v)
	}
	if err != nil {
		c.pin.end(s)
		s.Stop(ReasonOutcomeUnknown, fmt.Errorf("make a checkpoint: %w", err))
		return s.Ready()
	}
	s.pin.end(s)
	s.pin = c.pin
	s.Stats.Checkpoints.Add(1)
	return nil
}

// syncAll makes durable what the records before are not needed for then: the
// database, and the uploads that were placed.
func (s *Store) syncAll() error {
	err := s.syncDB()
	if err == nil && s.blobs != nil {
		err = s.blobs.SyncPlaced(context.Background())
	}
	return err
}

// syncDB makes all that bbolt has committed durable, by bbolt's own descriptor: a write that failed
// is told to those that were open then.
func (s *Store) syncDB() error {
	if s.syncs != nil {
		return s.syncs(s.db.Sync)
	}
	return s.db.Sync()
}

// settle ends the log: the database stands by itself then, and is changed by bbolt's own
// commits, until the next group begins another log. It is called in the leader's turn, or when
// nobody else is there.
func (s *Store) settle() error {
	log := s.log.Load()
	if log == nil {
		return nil
	}
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	c, err := s.beginCheckpoint()
	if err != nil {
		return err
	}
	if c != nil {
		defer c.pin.end(s)
	}
	err = s.syncAll()
	if err == nil {
		var ended bool
		if ended, err = log.End(); ended {
			s.log.Store(nil)
			s.pin.end(s)
			s.byLog(false)
			return err
		}
	}
	s.Stop(ReasonOutcomeUnknown, fmt.Errorf("end the log: %w", err))
	return errors.Join(err, s.Ready())
}

// checkpointFailed decides what it means when nothing was named. For lack of space the log grows on.
func (s *Store) checkpointFailed(cause error) error {
	if blobstore.IsNoSpace(cause) {
		return fmt.Errorf("%w: %w", ErrNoSpace, cause)
	}
	s.Stop(ReasonOutcomeUnknown, fmt.Errorf("make a checkpoint: %w", cause))
	return s.Ready()
}
