package webhook

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// starting is how much of an attempt costs this machine something: what comes
	// after is waiting for an answer, which a slow endpoint may take its time for.
	starting = 500 * time.Microsecond
	// yield is how many times as long as attempts take they make way for, while
	// the vault is written to.
	yield = 12
	// quiet is how long after the last entry the vault is not written to any more.
	quiet = 50 * time.Millisecond
)

// pace has those who deliver make way for those who write. There may be hundreds
// of endpoints with something to be told, and a change is worth a message to each
// of them: without this the writer would get a hundredth of the processors. What
// is late is in the log.
type pace struct {
	slots chan struct{} // holds a token for each attempt that costs something now

	mu      sync.Mutex // leaf lock
	written time.Time  // when the last entry was seen
}

func newPace() *pace { return &pace{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// note says that entries have been written.
func (p *pace) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = time.Now()
}

func (p *pace) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.written) < quiet
}

// take returns when an attempt may begin, with what ends it.
func (p *pace) take(ctx context.Context) (end func(), err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := time.Now()
	release := sync.OnceFunc(func() {
		if p.busy() {
			time.AfterFunc(yield*min(time.Since(began), starting), p.free)
			return
		}
		p.free()
	})
	timer := time.AfterFunc(starting, release)
	return func() {
		timer.Stop()
		release()
	}, nil
}

func (p *pace) free() { <-p.slots }
