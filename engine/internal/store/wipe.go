package store

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// What is deleted from rows.db stands on the pages it stood on until they are
// used again: bbolt never writes to a page in place, it writes the new state
// elsewhere and lets the old pages go. So after an erasure every page that is free
// is overwritten with zeros, and so is the end of the file that no page was taken
// from yet, where a commit that failed may have left something. Nobody reads a free
// page before it is written. Nothing that the audit log tells of changes, so there is no
// entry, and it goes past Submit, in its turn among the writers.
//
// The write-ahead log has what was deleted too, and ends before: see wipingTurn.
//
// Pages of a state that a reader still sees cannot be overwritten: the wipe waits
// until nobody reads another than the last.
//
// A crash leaves some pages overwritten. Whether anything was left is in no file:
// after an unclean end a vault that ever erased something is wiped once more.

// bucketFiller is what earlier versions overwrote free pages with, and what widen
// uses. A crash may leave it.
var bucketFiller = []byte("filler")

// wipePages is how many pages are overwritten before others may write.
const wipePages = 16_384

// wiping is a wipe on its way. Wipe alone uses it.
type wiping struct {
	begun bool
	seq   uint64 // what was erased up to this entry, it overwrites
	after uint64 // the last page that was looked at
}

// Wipe goes on with overwriting what was deleted, from one goroutine of the
// caller's. done is false if readers of an earlier state are in its way, or
// wait says that something else is: the caller comes back later. When it is
// done, nothing of what was deleted up to the entry wiped is in the file, or in the log.
func (s *Store) Wipe(ctx context.Context, wait func() bool) (wiped uint64, done bool, err error) {
	w := &s.wiping
	if !w.begun {
		if err := s.dropCopies(); err != nil {
			return 0, false, err
		}
		*w = wiping{begun: true, seq: s.Head().Seq}
	}
	if wait() {
		return 0, false, nil
	}
	for !done {
		free := false
		err := s.wipingTurn(ctx, func() (err error) {
			if free = s.readers.oldest() >= s.durable.Load(); free {
				done, err = s.overwriteSome()
			}
			return err
		})
		if err != nil { // what was written may not be on disk
			*w = wiping{}
			return 0, false, err
		}
		if !free {
			return 0, false, nil
		}
	}
	wiped = w.seq
	*w = wiping{}
	return wiped, true, nil
}

// wipingTurn runs fn in its turn, on a database that stands by itself: the log is
// ended, and what was written to it overwritten, since the keys and rows of what
// was erased are in its records.
func (s *Store) wipingTurn(ctx context.Context, fn func() error) error {
	return s.exclusive(ctx, func() error {
		if err := s.settle(); err != nil {
			return err
		}
		if err := s.dropFiller(); err != nil {
			return err
		}
		return fn()
	})
}

// overwriteSome overwrites the next free pages, and says whether there are none
// left. Those that are let go meanwhile, before the place where it is, hold nothing that was
// deleted when it began.
func (s *Store) overwriteSome() (done bool, err error) {
	b, err := s.begin(true) // nobody takes a page meanwhile
	if err != nil {
		return false, fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b)
	v, err := viewOf(b, s.file)
	if err != nil {
		return false, err
	}
	free, err := v.freePages(s.file)
	if err != nil {
		return false, err
	}
	left := wipePages
	for at, n := range free {
		if n <= s.wiping.after {
			continue
		}
		if left == 0 {
			return false, s.syncDB()
		}
		if at > 0 && free[at-1] >= n || int64(n+1)*v.pageSize() > b.Size() {
			return false, fmt.Errorf("%w: the list of free pages has page %d", ErrDamaged, n)
		}
		if _, err := s.file.WriteAt(make([]byte, v.pageSize()), int64(n)*v.pageSize()); err != nil {
			return false, fmt.Errorf("overwrite a free page: %w", err)
		}
		s.wiping.after, left = n, left-1
	}
	if err := s.wipeEnd(b.Size()); err != nil {
		return false, err
	}
	return true, s.syncDB()
}

// dropFiller removes the rows of zeros that a crash left.
func (s *Store) dropFiller() error {
	b, err := s.begin(true)
	if err != nil {
		return fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b)
	if b.Bucket(bucketFiller) == nil {
		return nil
	}
	if err := b.DeleteBucket(bucketFiller); err != nil {
		return err
	}
	return s.finishUnlogged(b)
}

// finishUnlogged commits to a database that stands by itself, by bbolt's own two
// syncs, and wakes readers that waited for the commit.
func (s *Store) finishUnlogged(b *bbolt.Tx) error {
	if err := s.CheckReserve(); err != nil {
		return err
	}
	txid := b.ID()
	err := s.commit(b.Commit, b.Rollback)
	if err == nil {
		s.durable.Store(uint64(txid))
	} else {
		err = s.commitFailed(txid, err)
	}
	s.journal.wake()
	return err
}

// commitFailed decides what a failed commit of bbolt's own means. For lack of
// space, and if neither meta page names the transaction, it did not happen: bbolt
// has gone back to the state before, and the store goes on. Anything else has an
// unknown outcome (an fsync that failed may have written, and a later one that
// succeeds would not tell), so nothing read from memory can be trusted to be
// on disk: the store stops until it is opened again.
func (s *Store) commitFailed(txid int, cause error) error {
	if blobstore.IsNoSpace(cause) {
		if landed, err := metaNames(s.path, s.db.Info().PageSize, uint64(txid)); err == nil && !landed {
			return fmt.Errorf("%w: %w", ErrNoSpace, cause)
		}
	}
	s.Stop(ReasonOutcomeUnknown, cause)
	return s.Ready()
}

// wipeEnd overwrites the end of the file that no page was taken from.
func (s *Store) wipeEnd(at int64) error {
	zeros, page := make([]byte, wipeStep), make([]byte, wipeStep)
	for ; ; at += wipeStep {
		n, err := s.file.ReadAt(page, at)
		if err != nil && err != io.EOF {
			return err
		}
		if !bytes.Equal(page[:n], zeros[:n]) {
			if _, err := s.file.WriteAt(zeros[:n], at); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// wipeStep is how much of the file's end is looked at together.
const wipeStep = 1 << 20
