package pdf

import (
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// keptMemory is how much of it is used again; most files need less.
const keptMemory = 64 << 20

// memory is what instances live in, one after another. By default each growth
// would copy all there is, and for a moment take it twice. Here all of it is
// reserved once; the system gives a page when it is first written to.
type memory struct {
	mu    sync.Mutex
	space []byte
	taken bool
}

// Allocate implements experimental.MemoryAllocator.
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	most = min(most, MaxMemory)
	if m.taken { // an instance that was killed still runs to its end
		return &linear{space: make([]byte, most)}
	}
	if uint64(len(m.space)) < most {
		m.space = make([]byte, most)
	}
	m.taken = true
	return &linear{of: m, space: m.space[:most]}
}

// linear is the memory of one instance.
type linear struct {
	of    *memory // nil: its own
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

// Free implements experimental.LinearMemory: the next instance must find nothing
// of this one's file.
func (l *linear) Free() {
	if l.of == nil {
		return
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.taken = false; l.used > keptMemory {
		l.of.space = nil // the system has it back sooner than the next large file comes
	} else {
		clear(l.space[:l.used])
	}
	l.of, l.space = nil, nil
}
