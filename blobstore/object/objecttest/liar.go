package objecttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"strongroom/blobstore/object"
)

// Lie is one way in which a store does not do what it says, or does it and does not
// say so.
type Lie int

const (
	// Honest does what it says: to be made a liar later.
	Honest Lie = iota
	// IgnoresAbsent puts what is there already.
	IgnoresAbsent
	// IgnoresMatch puts what has changed since.
	IgnoresMatch
	// ChecksEarly looks at the condition when a put begins, and writes when it has come
	// whole.
	ChecksEarly
	// Loses acknowledges a put and forgets it.
	Loses
	// Reorders acknowledges a put, and has what stood there before stand there again.
	Reorders
	// Stale answers the first two reads after a put or a delete as if it had not been.
	Stale
	// KeepsETag gives whatever is put the same ETag.
	KeepsETag
	// KeepsDeleted acknowledges a delete and forgets it.
	KeepsDeleted
	// IgnoresOffset reads from the beginning.
	IgnoresOffset
	// ListsLate leaves the last object that was put out of lists.
	ListsLate

	// Late says that a put or a delete has timed out, and carries it out some calls later.
	// It is no lie: who is told nothing must be ready for that.
	Late
	// Unanswered carries a put or a delete out and says that it has timed out. It is no
	// lie either.
	Unanswered
	// Twice delivers each put twice and tells of the second, so that one's own success is
	// in its way. It is no lie either.
	Twice
)

var names = [...]string{"honest", "ignores If-None-Match", "ignores If-Match", "checks early", "loses", "reorders", "stale", "keeps the ETag",
	"keeps what is deleted", "ignores the offset", "lists late", "late", "unanswered", "twice"}

func (l Lie) String() string { return names[l] }

// Lies are what no store may do.
func Lies() []Lie {
	return []Lie{IgnoresAbsent, IgnoresMatch, ChecksEarly, Loses, Reorders, Stale, KeepsETag, KeepsDeleted, IgnoresOffset, ListsLate}
}

// Troubles are what happens to good stores.
func Troubles() []Lie { return []Lie{Late, Unanswered, Twice} }

// ErrTimedOut is what a Liar says when it does not say what it has done.
var ErrTimedOut = errors.New("the store did not answer in time")

// behind is how many calls what is late stays behind.
const behind = 3

// Liar is a store that is honest but for one thing. All methods may be called from
// many goroutines.
type Liar struct {
	inner object.Store

	mu     sync.Mutex // guards what follows
	lie    Lie
	every  int    // 1: always
	within string // the keys that it lies about
	calls  int    // that it might have lied to
	past   map[string]*past
	late   []late
	last   string // put last
}

// past is what stood under a key before.
type past struct {
	b     []byte
	info  object.Info
	err   error
	reads int // that see it still
}

type late struct {
	calls int // until it is carried out
	do    func()
}

var _ object.Holder = (*Liar)(nil)

// NewLiar returns a liar over a store, as a rule Memory.
func NewLiar(inner object.Store, lie Lie) *Liar {
	return &Liar{inner: inner, lie: lie, every: 1, past: map[string]*past{}}
}

// Lie has it tell another lie from now on.
func (l *Liar) Lie(lie Lie) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

// Only has it lie to each n-th request alone, of those whose key has within in it.
func (l *Liar) Only(n int, within string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.every, l.within, l.calls = n, within, 0
}

// Settle carries out what is late.
func (l *Liar) Settle() {
	l.mu.Lock()
	due := l.late
	l.late = nil
	l.mu.Unlock()
	for _, d := range due {
		d.do()
	}
}

// now is the lie that it tells to a request, if it is one of some. It carries out what
// is due first.
func (l *Liar) now(key string, ways ...Lie) Lie {
	l.mu.Lock()
	var due, left []late
	for _, d := range l.late {
		if d.calls--; d.calls > 0 {
			left = append(left, d)
		} else {
			due = append(due, d)
		}
	}
	l.late = left
	way := Honest
	if slices.Contains(ways, l.lie) && strings.Contains(key, l.within) {
		if l.calls++; l.calls%l.every == 0 {
			way = l.lie
		}
	}
	l.mu.Unlock()
	for _, d := range due {
		d.do()
	}
	return way
}

func (l *Liar) later(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = append(l.late, late{behind, do})
}

// Put lies.
func (l *Liar) Put(ctx context.Context, key string, b []byte, c object.Condition) (object.Info, error) {
	return l.PutHeld(ctx, key, b, c, func() error { runtime.Gosched(); return nil })
}

// PutHeld lies.
func (l *Liar) PutHeld(ctx context.Context, key string, b []byte, c object.Condition, ready func() error) (object.Info, error) {
	b = slices.Clone(b)
	way := l.now(key, IgnoresAbsent, IgnoresMatch, ChecksEarly, Loses, Reorders, Stale, KeepsETag, ListsLate, Late, Unanswered, Twice)
	if way == KeepsETag && c.Match != "" {
		is, err := l.inner.Stat(ctx, key)
		if err != nil {
			return object.Info{}, object.ErrChanged
		}
		c.Match = is.ETag
	}
	if way == ChecksEarly || way == Loses {
		if err := l.check(ctx, key, c); err != nil {
			return object.Info{}, err
		}
		c = object.Condition{}
	}
	if err := ready(); err != nil {
		return object.Info{}, err
	}
	switch way {
	case IgnoresAbsent:
		c.Absent = false
	case IgnoresMatch:
		c.Match = ""
	case Loses:
		// What it would have been, told by a store that is not the one.
		return object.NewMemory().Put(ctx, key, b, object.Condition{})
	}
	info, err := l.carryOut(ctx, key, way, func(ctx context.Context) (object.Info, error) { return l.inner.Put(ctx, key, b, c) })
	return told(info, way), err
}

// carryOut is what becomes of a put.
func (l *Liar) carryOut(ctx context.Context, key string, way Lie, put func(context.Context) (object.Info, error)) (object.Info, error) {
	switch way {
	case Reorders:
		was, _, missing := object.Read(ctx, l.inner, key)
		info, err := put(ctx)
		if err == nil && missing == nil {
			_, err = l.inner.Put(ctx, key, was, object.Condition{})
		}
		return info, err
	case Stale:
		l.remember(ctx, key)
	case Late:
		l.later(func() { _, _ = put(context.WithoutCancel(ctx)) })
		return object.Info{}, ErrTimedOut
	case Unanswered:
		_, _ = put(ctx)
		return object.Info{}, ErrTimedOut
	case Twice:
		if info, err := put(ctx); err != nil {
			return info, err
		}
	}
	info, err := put(ctx)
	if err == nil {
		l.mu.Lock()
		l.last = key
		l.mu.Unlock()
	}
	return info, err
}

// check is whether a condition holds, now.
func (l *Liar) check(ctx context.Context, key string, c object.Condition) error {
	is, err := l.inner.Stat(ctx, key)
	switch {
	case c.Absent && err == nil:
		return object.ErrExists
	case c.Match != "" && (err != nil || is.ETag != c.Match):
		return object.ErrChanged
	}
	return nil
}

// told is what it tells of an object.
func told(info object.Info, way Lie) object.Info {
	if way == KeepsETag && info.ETag != "" {
		info.ETag = "the-only-one"
	}
	return info
}

// PutStream lies as Put does.
func (l *Liar) PutStream(ctx context.Context, key string, r io.Reader, size int64) (object.Info, error) {
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	if err == nil && int64(len(b)) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return object.Info{}, err
	}
	return l.Put(ctx, key, b, object.Condition{})
}

// remember keeps what stands under a key, for those who read next.
func (l *Liar) remember(ctx context.Context, key string) {
	b, info, err := object.Read(ctx, l.inner, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past[key] = &past{b, info, err, 2}
}

func (l *Liar) stale(key string) (past, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.past[key]
	if p == nil || p.reads == 0 {
		return past{}, false
	}
	p.reads--
	return *p, true
}

// Get lies.
func (l *Liar) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, object.Info, error) {
	way := l.now(key, Stale, KeepsETag, IgnoresOffset)
	if way == IgnoresOffset {
		offset = 0
	}
	if way == Stale {
		if was, ok := l.stale(key); ok {
			if was.err != nil {
				return nil, object.Info{}, was.err
			}
			return io.NopCloser(bytes.NewReader(was.b[min(offset, was.info.Size):])), was.info, nil
		}
	}
	r, info, err := l.inner.Get(ctx, key, offset)
	return r, told(info, way), err
}

// Stat lies.
func (l *Liar) Stat(ctx context.Context, key string) (object.Info, error) {
	way := l.now(key, Stale, KeepsETag)
	if way == Stale {
		if was, ok := l.stale(key); ok {
			return was.info, was.err
		}
	}
	info, err := l.inner.Stat(ctx, key)
	return told(info, way), err
}

// Delete lies.
func (l *Liar) Delete(ctx context.Context, key string) error {
	switch l.now(key, KeepsDeleted, Stale, Late, Unanswered) {
	case KeepsDeleted:
		return nil
	case Stale:
		l.remember(ctx, key)
	case Late:
		l.later(func() { _ = l.inner.Delete(context.WithoutCancel(ctx), key) })
		return ErrTimedOut
	case Unanswered:
		_ = l.inner.Delete(ctx, key)
		return ErrTimedOut
	}
	return l.inner.Delete(ctx, key)
}

// List lies.
func (l *Liar) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	way := l.now(prefix, ListsLate, KeepsETag)
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	return l.inner.List(ctx, prefix, after, func(info object.Info) error {
		if way == ListsLate && info.Key == last {
			return nil
		}
		return fn(told(info, way))
	})
}
