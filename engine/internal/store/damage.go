package store

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// bbolt trusts the pages it reads. Where they lie it panics, or follows them out
// of the file; and where the disk cannot give a page that is mapped, the system
// raises a fault in whoever reads it, which ends the process unless faults are
// set to be panics (debug.SetPanicOnFault). A damaged rows.db is to be an error
// of its vault, and not the end of all others of the process. What cannot be
// caught is a collector that meets a row which a damaged small bucket made of
// freed memory.

// Damaged is deferred where all of rows.db is gone through: whatever panics
// there is damage. was is what SetPanicOnFault was before:
//
//	defer Damaged(&err, debug.SetPanicOnFault(true))
func Damaged(err *error, was bool) {
	debug.SetPanicOnFault(was)
	if p := recover(); p != nil {
		*err = &UnavailableError{Reason: ReasonDamaged, Err: fmt.Errorf("%w: %v", ErrDamaged, p)}
	}
}

// guard is deferred where a call reads: damage stops the store, since nobody
// knows what else is wrong, and other panics are what they were.
func (s *Store) guard(err *error, was bool) {
	debug.SetPanicOnFault(was)
	p := recover()
	if p == nil {
		return
	}
	if !isDamage(p) {
		panic(p)
	}
	s.failDamaged(p)
	*err = s.Ready()
}

func (s *Store) failDamaged(p any) {
	s.Stop(ReasonDamaged, fmt.Errorf("%w: %s: %v; restore it from a backup", ErrDamaged, s.path, p))
}

// begin and rollback read the file while bbolt holds locks of its own: what they
// panic with leaves those held, and Close must not wait for them.
func (s *Store) begin(writable bool) (b *bbolt.Tx, err error) {
	s.holding(func() { b, err = s.db.Begin(writable) })
	return b, err
}

func (s *Store) rollback(b *bbolt.Tx) { s.holding(func() { b.Rollback() }) }

func (s *Store) holding(call func()) {
	ended := false
	defer func() {
		if !ended {
			s.stuck.Store(true)
		}
	}()
	call()
	ended = true
}

// isDamage knows a fault of memory, an error of the runtime in bbolt's own code,
// which counts with what a page says, and bbolt's words for pages that lie. It
// is called by the function that recovered p.
func isDamage(p any) bool {
	if fault, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	}); ok && fault.Addr() != 0 {
		return true
	}
	if _, ok := p.(runtime.Error); ok {
		return panickedInBbolt()
	}
	text, ok := p.(string)
	return ok && slices.ContainsFunc([]string{
		"assertion failed", "invalid page type", "invalid meta pages", "high water mark", "bucket header", "inode overflow", "inline bucket",
	}, func(said string) bool { return strings.Contains(text, said) })
}

// panickedInBbolt looks at the stack, on which the frames of a panic still stand
// below the function that recovered it.
func panickedInBbolt() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for panicked, more := false, true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicked && !inRuntime {
			return strings.HasPrefix(frame.Function, "go.etcd.io/bbolt")
		}
		panicked = panicked || inRuntime
	}
	return false
}
