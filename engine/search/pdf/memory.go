package pdf

import (
	"context"
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// keptMemory is how much of it stays with the process; most files need less.
const keptMemory = 64 << 20

// memory is what instances live in, one after another. By default each growth
// would copy all there is, and for a moment take it twice. Here all of it is
// reserved once; the system gives a page when it is first written to.
//
// An instance that is closed may still run, so that it says it is free means
// nothing. The sandbox takes the memory back, when the call has returned that
// the instance ran in.
type memory struct {
	mu    sync.Mutex
	space []byte
	taken *linear
}

// Allocate implements experimental.MemoryAllocator.
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	most = min(most, MaxMemory)
	if m.taken != nil {
		return &linear{space: make([]byte, most)}
	}
	if m.space == nil {
		space, err := reserve(MaxMemory)
		if err != nil {
			return &linear{} // the instance has no memory, and says so
		}
		m.space = space
	}
	m.taken = &linear{space: m.space[:most]}
	return m.taken
}

// takeBack is called when no instance runs: the next one must find nothing of this
// one's file.
func (m *memory) takeBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken == nil {
		return
	}
	if m.taken.used > keptMemory {
		empty(m.space[:m.taken.used])
	} else {
		clear(m.space[:m.taken.used])
	}
	m.taken = nil
}

// close gives all of it back. No instance is left.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.space != nil {
		release(m.space)
	}
	m.space, m.taken = nil, nil
}

// linear is the memory of one instance. Only the call that it runs in uses it.
type linear struct {
	space []byte
	used  uint64
}

// Reallocate implements experimental.LinearMemory. nil is no more memory.
func (l *linear) Reallocate(size uint64) []byte {
	if size > uint64(len(l.space)) {
		return nil
	}
	l.used = max(l.used, size)
	return l.space[:size:size]
}

// Free implements experimental.LinearMemory. See memory.
func (l *linear) Free() {}

// running is the context of all instances; it stops the one that runs. What
// go-pdfium has for that, Kill, closes the instance besides, beside the call that
// still runs in it.
type running struct {
	context.Context
	done chan struct{} // never closed: the next instance is not to be stopped

	mu      sync.Mutex
	stopped bool
	stops   map[int]func()
	next    int
	late    sync.WaitGroup // of what was begun after stop
}

func newRunning(ctx context.Context) *running {
	return &running{Context: context.WithoutCancel(ctx), done: make(chan struct{}), stops: map[int]func(){}}
}

// AfterFunc is what package context calls when a context is derived from this one,
// as that of each instance is.
func (r *running) AfterFunc(stop func()) func() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		r.late.Go(stop)
		return func() bool { return false }
	}
	id := r.next
	r.next++
	r.stops[id] = stop
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, was := r.stops[id]
		delete(r.stops, id)
		return was
	}
}

// Done implements context.Context: it may end.
func (r *running) Done() <-chan struct{} { return r.done }

// Err implements context.Context.
func (r *running) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return context.Canceled
	}
	return nil
}

// stop ends what runs.
func (r *running) stop() {
	r.mu.Lock()
	r.stopped = true
	var stops []func()
	for id, stop := range r.stops {
		stops = append(stops, stop)
		delete(r.stops, id)
	}
	r.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// restart lets the next instance run. Nothing runs, and nobody stops.
func (r *running) restart() {
	r.late.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = false
	clear(r.stops)
}
