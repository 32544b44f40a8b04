package store

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"strongroom/audit"

	"go.etcd.io/bbolt"
)

// Read runs fn in a read transaction: a page's worth of work at most, because a
// reader that stays keeps pages from being used again. What it sees is on disk.
//
// With peek it may see a commit whose sync is still under way: for questions
// whose answer is asked for again in the transaction that counts.
func Read[T any](s *Store, peek bool, fn func(*Tx) (T, error)) (result T, err error) {
	if err := s.Enter(); err != nil {
		return result, err
	}
	defer s.Exit()
	defer s.guard(&err, debug.SetPanicOnFault(true))
	b, end, err := s.beginRead(!peek)
	if err != nil {
		return result, err
	}
	defer end()
	return fn(&Tx{s: s, b: b, now: s.Clock.Now()})
}

// beginRead begins a transaction that sees only what is on disk, if durable.
// bbolt shows a commit to readers as soon as its meta page is written, which is
// before that is synced; a power cut could take back what such a reader told.
// So who comes in that moment waits for its end. The caller calls end.
func (s *Store) beginRead(durable bool) (b *bbolt.Tx, end func(), err error) {
	if s.lent != nil {
		return s.lent, func() {}, nil
	}
	for {
		_, moved := s.journal.state()
		since := s.readers.begin(&s.durable)
		b, err := s.begin(false)
		if err != nil {
			s.readers.end(since)
			return nil, nil, fmt.Errorf("begin reading: %w", err)
		}
		end := func() {
			b.Rollback()
			s.readers.end(since)
		}
		if !durable || uint64(b.ID()) <= s.durable.Load() {
			return b, end, nil
		}
		end()
		if err := s.Ready(); err != nil {
			return nil, nil, err
		}
		<-moved // by the commit that lands, or by the store's end
	}
}

// Snapshot is the database as one instant sees it.
type Snapshot struct {
	Head  audit.Head
	Group uint64 // the last that is in it
	Size  int64  // bytes
	b     *bbolt.Tx
}

// WriteTo copies it.
func (s Snapshot) WriteTo(w io.Writer) (int64, error) { return s.b.WriteTo(w) }

// Snapshot runs fn with the database as it is on disk now. It waits for its turn as a
// writer does. It pins the pages that are freed meanwhile, so fn copies and does
// nothing else.
func (s *Store) Snapshot(fn func(Snapshot) error) error {
	if err := s.Enter(); err != nil {
		return err
	}
	defer s.Exit()
	var b *bbolt.Tx
	var end func()
	err := s.submit(&Call{Ctx: context.Background(), alone: func() (err error) {
		if s.log.Load() != nil { // without its list of free pages, opening the copy would write to it
			if err := s.commitFreelist(); err != nil {
				return err
			}
		}
		b, end, err = s.beginRead(false)
		return err
	}})
	if err != nil {
		return err
	}
	defer end()
	head, err := lastHead(b)
	if err != nil {
		return err
	}
	return fn(Snapshot{head, b.Bucket(Log).Sequence(), b.Size(), b})
}

// readers knows how old a state somebody may still be reading. bbolt keeps the
// pages of that state from being used again, and does not tell.
type readers struct {
	mu   sync.Mutex     // leaf lock
	open map[uint64]int // readers, by the last transaction on disk before they began
}

// begin is called before the transaction begins, so that there is no moment in
// which it reads and is not counted.
func (r *readers) begin(durable *atomic.Uint64) (since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[uint64]int)
	}
	since = durable.Load()
	r.open[since]++
	return since
}

func (r *readers) end(since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[since]--; r.open[since] == 0 {
		delete(r.open, since)
	}
}

// oldest is a transaction that nobody reads the state before of.
func (r *readers) oldest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for since := range r.open {
		oldest = min(oldest, since)
	}
	return oldest
}
