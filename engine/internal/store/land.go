package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"strongroom/blobstore"
	"strongroom/engine/internal/store/wal"
)

// A group lands in three acts. Its set of changes is written to the log, and the
// disk begins with that; bbolt commits meanwhile, which syncs nothing; the log is
// synced. The log decides: a record that is whole happened, one that is not did
// not. bbolt's commit is only a view of it, and if that fails when the record is
// written, the store stops, and the next Open brings the view up to the log.
// Readers may see the commit before the record is synced, and wait (see beginRead).
//
// A vault that is at home beyond this machine is shipped first: what a store there has
// happened, whatever becomes of this disk, and what it has not is nowhere.
//
// What can be refused is refused before the record is written: no space for it, no space for
// the database to grow.

const (
	// longLog is when Checkpoint is asked for, and fullLog when writers make one
	// before they go on. Between them, reading the log after a crash stays a
	// matter of a second.
	longLog = 16 << 20
	fullLog = 64 << 20

	// A page that was taken from the end of the file is not used again before the
	// next checkpoint, even if it was let go since: bbolt does not know that no
	// reader of before has seen it. So the file grows until there is one, and
	// writers make one when it has grown by a quarter.
	leastGrown = 8 << 20

	// manyPlaced uploads are as good as a long log: each keeps a file open.
	manyPlaced = 1_000

	// The database grows by a quarter at a time, within these bounds.
	leastGrowth = 1 << 20
	mostGrowth  = 64 << 20
)

func (s *Store) logDir() string { return filepath.Join(s.dir, DirLog) }

// commit runs what commits, or what stands in its place.
func (s *Store) commit(commit, rollback func() error) error {
	if s.interposed != nil {
		return s.interposed(commit, rollback)
	}
	return commit()
}

// finish lands a group. Only the leader may, so that durable rises.
func (s *Store) finish(t *Tx) error {
	if err := s.CheckReserve(); err != nil {
		return err
	}
	txid, took := t.b.ID(), stopwatch()
	if err := s.commit(func() error { return s.land(t) }, t.b.Rollback); err != nil {
		// Of what the log may have, nobody knows whether it is on disk.
		if !t.logged && blobstore.IsNoSpace(err) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		reason := ReasonOutcomeUnknown
		if errors.Is(err, ErrReplaced) {
			reason = ReasonReplaced
		}
		s.Stop(reason, err)
		return s.Ready()
	}
	s.durable.Store(uint64(txid))
	s.Stats.CommitTimes.Observe(took().Seconds())
	return nil
}

// land is finish without its decisions.
func (s *Store) land(t *Tx) (err error) {
	log, err := s.begun()
	if err == nil {
		err = log.Room(t.set)
	}
	if err == nil {
		err = s.grow(t.b.Size() + s.growth(t))
	}
	if err != nil {
		return err
	}
	rows := t.bucket(Log)
	group := rows.Sequence() + 1
	if t.group != 0 { // several of another's: see Apply
		group = t.group
	}
	if err := rows.SetSequence(group); err != nil {
		return err
	}
	s.used = t.b.Size()
	t.logged = true
	if s.ship != nil {
		s.shipment = t.set.AppendRecord(s.shipment[:0], group, t.head)
		if err := s.ship(group, s.shipment); err != nil {
			return err
		}
	}
	if err := log.Write(t.set, group, t.head); err != nil {
		return err
	}
	err = t.b.Commit()
	return errors.Join(err, s.record(log, t.carried))
}

// record makes the record durable, and then the uploads visible that it carries:
// before, a crash would leave files that no log knows, and nobody could tell
// whether they are whole.
func (s *Store) record(log *wal.Log, carried []Carried) error {
	if err := log.Sync(); err != nil {
		return err
	}
	for _, c := range carried {
		if err := c.Place(context.Background()); err != nil {
			return err
		}
	}
	s.placed.Add(uint64(len(carried)))
	return nil
}

// growth is how many bytes the database grows by, about: each row may divide a page,
// and those above it. Rows beside large ones take more, which bbolt finds itself.
func (s *Store) growth(t *Tx) int64 {
	page := int64(s.db.Info().PageSize)
	return min(8*int64(t.set.Len())*page, t.b.Size()) + s.growthOfRows(t)
}

// growthAtMost bounds it, with a checkpoint's behind it: every page in use may be
// written anew, since a row that is written takes with it the leaf it is in, which
// large rows beside it make one of many pages. Leaves of a quarter of a gigabyte together
// are more than a group meets.
func (s *Store) growthAtMost(t *Tx) int64 {
	stats, page := s.db.Stats(), int64(s.db.Info().PageSize)
	used := t.b.Size() - int64(stats.FreePageN+stats.PendingPageN)*page
	freelists := 2 * 8 * (t.b.Size()/page + int64(t.set.Len()))
	return min(used, mostRewritten) + s.growthOfRows(t) + freelists
}

const mostRewritten = 256 << 20

// growthOfRows is what is more than pages that are written anew: rows that divide
// them, and the pages of large rows, filled by half.
func (s *Store) growthOfRows(t *Tx) int64 {
	page := int64(s.db.Info().PageSize)
	return (int64(t.set.Len())+64)*page + 2*int64(t.set.RowBytes()) + 2*int64(s.db.Stats().FreelistInuse)
}

// grow gives the file blocks up to a size before they are needed: bbolt would sync
// when it does, and fail in the middle of what has happened when it cannot.
func (s *Store) grow(size int64) error {
	if size <= s.size {
		return nil
	}
	to := size + min(max(size/4, leastGrowth), mostGrowth)
	err := allocate(s.file, s.size, to)
	if blobstore.IsNoSpace(err) {
		to = size
		err = allocate(s.file, s.size, to)
	}
	if err != nil {
		return fmt.Errorf("let the database grow: %w", err)
	}
	s.size = to
	return nil
}

// begun returns the log, and begins it if the database stands by itself. The state that its first
// checkpoint names is that of bbolt's last commit, which is synced, with its
// freelist.
func (s *Store) begun() (*wal.Log, error) {
	if log := s.log.Load(); log != nil {
		return log, nil
	}
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	if err := s.pin.begin(s); err != nil {
		return nil, err
	}
	v, err := viewOf(s.pin.b, s.file)
	var log *wal.Log
	if err == nil {
		log, err = wal.Begin(s.logDir(), s.steps, v)
	}
	if err != nil {
		s.pin.end(s)
		return nil, err
	}
	s.byLog(true)
	s.named = s.pin.b.Size()
	s.used = s.named
	s.size = 0 // bbolt makes files long, and leaves it to writes to find blocks
	s.log.Store(log)
	return log, nil
}

// byLog says what makes the commits of bbolt durable: the log, or they themselves.
func (s *Store) byLog(log bool) { s.db.NoSync, s.db.NoFreelistSync, s.db.NoGrowSync = log, log, log }

// beyond says whether more has to be mapped before the group can land: bbolt cannot map
// its file anew while the log pins a state of it. Where address space is plenty,
// that never happens.
func (s *Store) beyond(t *Tx) bool { return t.b.Size()+s.growthAtMost(t) >= s.mapped }

// widen has bbolt map more: while no state is pinned, it is given rows until its file is
// longer than that, which go again. One row does not do: it may find a place among free pages.
func (s *Store) widen() error {
	if err := s.settle(); err != nil {
		return err
	}
	for n := byte(0); ; n++ {
		size, err := s.lengthen(n)
		if err != nil {
			return err
		}
		if size > s.mapped {
			s.mapped = mappedSize(size)
			break
		}
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	s.size = max(s.size, info.Size())
	return s.dropFiller()
}

// lengthen writes a row that reaches beyond what is mapped, unless that is done, and
// returns how long the pages in use were before.
func (s *Store) lengthen(n byte) (size int64, err error) {
	b, err := s.begin(true)
	if err != nil {
		return 0, fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b)
	if size = b.Size(); size > s.mapped {
		return size, nil
	}
	filler, err := b.CreateBucketIfNotExists(bucketFiller)
	if err != nil {
		return 0, err
	}
	if err := filler.Put([]byte{'w', n}, make([]byte, s.mapped-size+int64(s.db.Info().PageSize))); err != nil {
		return 0, err
	}
	return size, s.finishUnlogged(b)
}
