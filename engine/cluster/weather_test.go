package cluster

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"strongroom/blobstore/object"
)

var (
	errUnknown = errors.New("503 slow down")
	errCut     = errors.New("no route to the store")
)

// weather is one server's way to a store: slow, or broken in each way that a network
// is. Make it with over.
type weather struct {
	object.Store

	mu     sync.Mutex // guards what follows
	draw   *rand.Rand // nil: no faults by chance
	faults float64    // how likely one is
	delay  time.Duration
	cut    bool
	gate   chan struct{}              // while it is not nil, requests wait until it is closed
	skew   time.Duration              // of the store's clock, as this server sees it
	put    func(key string) outcome   // what becomes of a Put; nil: well
	gets   func(key string) (no bool) // which objects are not there
}

// outcome is what becomes of a Put.
type outcome int

const (
	well  outcome = iota
	lost          // not carried out, and nobody is told
	mute          // carried out, and nobody is told
	twice         // carried out twice, and told of the second
	late          // carried out when nobody expects it any more
)

func over(s object.Store) *weather { return &weather{Store: s} }

func (w *weather) set(change func(*weather)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// pause holds every request, also those that are on their way, until resume.
func (w *weather) pause() { w.set(func(w *weather) { w.gate = make(chan struct{}) }) }

func (w *weather) resume() {
	w.set(func(w *weather) {
		if w.gate != nil {
			close(w.gate)
			w.gate = nil
		}
	})
}

// through waits as long as half a request takes.
func (w *weather) through(ctx context.Context) error {
	w.mu.Lock()
	gate, delay, cut := w.gate, w.delay, w.cut
	if w.draw != nil && delay > 0 {
		delay = time.Duration(w.draw.Int64N(int64(delay)))
	}
	w.mu.Unlock()
	if delay > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay):
		}
	}
	if gate != nil {
		<-gate // a process that is stopped does not see its context end
	}
	if cut {
		return errCut
	}
	return ctx.Err()
}

// fate draws what becomes of a request.
func (w *weather) fate(key string) (outcome, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.put != nil {
		if o := w.put(key); o != well {
			return o, 5 * time.Second
		}
	}
	if w.draw == nil || w.draw.Float64() >= w.faults {
		return well, 0
	}
	return lost + outcome(w.draw.IntN(4)), time.Duration(w.draw.Int64N(int64(40 * time.Second)))
}

func (w *weather) Put(ctx context.Context, key string, b []byte, c object.Condition) (object.Info, error) {
	if err := w.through(ctx); err != nil {
		return object.Info{}, err
	}
	carry := func() (object.Info, error) { return w.Store.Put(context.Background(), key, b, c) }
	switch o, after := w.fate(key); o {
	case lost:
		return object.Info{}, errUnknown
	case mute:
		carry()
		return object.Info{}, errUnknown
	case twice:
		carry()
	case late:
		time.AfterFunc(after, func() { carry() })
		return object.Info{}, errUnknown
	}
	info, err := carry()
	if failed := w.through(ctx); failed != nil {
		return object.Info{}, failed
	}
	return w.skewed(info), err
}

func (w *weather) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, object.Info, error) {
	if err := w.through(ctx); err != nil {
		return nil, object.Info{}, err
	}
	w.mu.Lock()
	denied := w.gets != nil && w.gets(key)
	fails := w.draw != nil && w.draw.Float64() < w.faults
	w.mu.Unlock()
	if denied {
		return nil, object.Info{}, object.ErrNotFound
	}
	if fails {
		return nil, object.Info{}, errUnknown
	}
	r, info, err := w.Store.Get(ctx, key, offset)
	if failed := w.through(ctx); failed != nil {
		return nil, object.Info{}, failed
	}
	return r, w.skewed(info), err
}

func (w *weather) skewed(info object.Info) object.Info {
	w.mu.Lock()
	defer w.mu.Unlock()
	info.Now = info.Now.Add(w.skew)
	return info
}
