package engine

import (
	"math"
	"sync"
	"sync/atomic"
)

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
