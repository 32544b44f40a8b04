package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// What is deleted from rows.db stands on the pages it stood on until they are
// used again: bbolt never writes to a page in place, it writes the new state
// elsewhere and lets the old pages go. So after an erasure every page that is
// free is filled with zeros, by rows of a bucket that is made for it and
// removed, and so is the end of the file that no page was taken from yet, where
// a commit that failed may have left something. Nothing the log tells of
// changes, so there is no entry, and it goes past Submit, in its turn
// among the writers.
//
// Pages whose old state a reader still sees cannot be filled. So a page is
// turned first, with a transaction that those who come after see, and the
// filling waits until the readers before it are gone.
//
// A crash leaves some pages filled, and perhaps the bucket. Whether anything
// was left to fill is in no file: after an unclean end a vault that ever erased
// something is wiped once more.

var bucketFiller = []byte("filler")

const (
	// wipePages is how many pages are filled before others may write.
	wipePages = 1_024
	// fillerRows share a page: bbolt divides no page of four rows or less, so
	// that each takes one page, and no two that must be neighbours.
	fillerRows = 4
)

// wiping is a wipe on its way. Wipe alone uses it.
type wiping struct {
	begun bool
	seq   uint64 // what was erased up to this entry, it overwrites
	freed uint64 // the last transaction that let go of a page
}

// Wipe goes on with overwriting what was deleted, from one goroutine of the
// caller's. done is false if readers of an earlier state are in its way, or
// wait says that something else is: the caller comes back later. When it is
// done, nothing of what was deleted up to the entry wiped is in the file.
func (s *Store) Wipe(ctx context.Context, wait func() bool) (wiped uint64, done bool, err error) {
	w := &s.wiping
	if !w.begun {
		if err := s.dropCopies(); err != nil {
			return 0, false, err
		}
		seq, freed := s.Head().Seq, s.durable.Load()
		if err := s.wipingTurn(ctx, func() error { return s.overwrite(1) }); err != nil {
			return 0, false, err
		}
		*w = wiping{true, seq, freed}
	}
	if s.readers.oldest() <= w.freed || wait() {
		return 0, false, nil
	}
	for full := false; !full; {
		err := s.wipingTurn(ctx, func() error {
			full, err = s.overwriteSome()
			return err
		})
		if err != nil {
			return 0, false, err
		}
	}
	if err := s.wipingTurn(ctx, s.dropFiller); err != nil {
		return 0, false, err
	}
	if err := s.wipingTurn(ctx, s.wipeEnd); err != nil {
		return 0, false, err
	}
	wiped = w.seq
	*w = wiping{}
	return wiped, true, nil
}

// wipingTurn runs fn in its turn, on a database that stands by itself: the log is
// ended, and what was written to it overwritten, since the keys and rows of what
// was erased are in its records. The next group begins another, whose pin is of a
// later state than all that is to be filled.
func (s *Store) wipingTurn(ctx context.Context, fn func() error) error {
	return s.exclusive(ctx, func() error {
		if err := s.settle(); err != nil {
			return err
		}
		return fn()
	})
}

// overwriteSome fills free pages, and says whether there are none left.
func (s *Store) overwriteSome() (full bool, err error) {
	for left := wipePages; left > 0; {
		free, err := s.freePages()
		if err != nil || free == 0 {
			return err == nil, err
		}
		// A transaction takes pages for more than its rows: the path to them, the
		// freelist. To take more than are free would let the file grow with each
		// erasure, so the last few are taken one by one.
		n := min(max(free-free/64-12, 1), left)
		if err := s.overwrite(n); err != nil {
			return false, err
		}
		if s.db.Stats().FreePageN == 0 {
			return true, nil
		}
		left -= n
	}
	return false, nil
}

// freePages counts the pages that the next transaction can use: beginning one
// releases those that no reader sees any more.
func (s *Store) freePages() (int, error) {
	b, err := s.begin(true)
	if err != nil {
		return 0, fmt.Errorf("begin writing: %w", err)
	}
	s.rollback(b)
	return s.db.Stats().FreePageN, nil
}

// overwrite writes so many pages of zeros, which stay until dropFiller.
func (s *Store) overwrite(pages int) error {
	b, err := s.begin(true)
	if err != nil {
		return fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b) // does nothing after a commit
	filler, err := b.CreateBucketIfNotExists(bucketFiller)
	if err != nil {
		return err
	}
	filler.FillPercent = 1
	// A page of bbolt has a header of 16 bytes, and 16 bytes for each row beside
	// its key, here 8 bytes, and its value.
	zeros := make([]byte, (s.db.Info().PageSize-16)/fillerRows-16-8)
	first := filler.Sequence() + 1
	last := first + uint64(fillerRows*pages) - 1
	for n := first; n <= last; n++ {
		if err := filler.Put(binary.BigEndian.AppendUint64(nil, n), zeros); err != nil {
			return err
		}
	}
	if err := filler.SetSequence(last); err != nil {
		return err
	}
	return s.finishUnlogged(b)
}

// dropFiller lets the filled pages go.
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

// wipeEnd overwrites the end of the file that no page was taken from. Nobody
// reads there, and nobody writes there while this holds the writer.
func (s *Store) wipeEnd() (err error) {
	b, err := s.begin(true)
	if err != nil {
		return fmt.Errorf("begin writing: %w", err)
	}
	defer s.rollback(b)
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros, page := make([]byte, wipeStep), make([]byte, wipeStep)
	wrote := false
	for at := b.Size(); ; at += wipeStep {
		n, err := f.ReadAt(page, at)
		if err != nil && err != io.EOF {
			return err
		}
		if !bytes.Equal(page[:n], zeros[:n]) {
			if _, err := f.WriteAt(zeros[:n], at); err != nil {
				return err
			}
			wrote = true
		}
		if err == io.EOF {
			break
		}
	}
	if !wrote {
		return nil
	}
	return f.Sync()
}

// wipeStep is how much of the file's end is looked at together.
const wipeStep = 1 << 20
