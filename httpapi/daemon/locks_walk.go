package daemon

import (
	"context"
	"strongroom/engine"
	"time"
)

func (l *locks) wantWalk() {
	l.mu.Lock()
	l.reached.Walk = true
	if l.walking.IsZero() {
		l.walking = time.Now()
	}
	l.mu.Unlock()
	select {
	case l.again <- struct{}{}:
	default:
	}
}

// walk looks through all bytes whenever that is wanted, and once a week. One that is
// wanted meanwhile begins when this one is over.
func (l *locks) walk(ctx context.Context) {
	for ctx.Err() == nil {
		weekly, cancel := context.WithTimeout(ctx, walkEvery)
		select {
		case <-l.again:
		case <-weekly.Done():
		}
		cancel()
		err := l.each(ctx)
		for ; err != nil && ctx.Err() == nil; err = l.each(ctx) {
			l.problem("look through all files", err)
			wait(ctx, locksRetry)
		}
		if ctx.Err() == nil {
			l.walked()
		}
	}
}

// each tells the store of all bytes.
func (l *locks) each(ctx context.Context) error {
	var batch []engine.Digest
	err := l.v.Digests(ctx, func(d engine.Digest) error {
		if batch = append(batch, d); len(batch) < walkBatch {
			return nil
		}
		return l.batch(ctx, &batch)
	})
	if err != nil {
		return err
	}
	return l.batch(ctx, &batch)
}

// batch tells the store of some, until it has taken them: it does not begin anew.
func (l *locks) batch(ctx context.Context, batch *[]engine.Digest) error {
	err := l.tell(ctx, *batch)
	for ; err != nil && ctx.Err() == nil; err = l.tell(ctx, *batch) {
		l.problem("look through all files", err)
		wait(ctx, locksRetry)
	}
	*batch = (*batch)[:0]
	if err == nil {
		l.problem("look through all files", nil)
	}
	return err
}

func (l *locks) walked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reached.Walked = time.Now().UTC()
	if len(l.again) > 0 { // it was wanted again meanwhile
		return
	}
	l.reached.Walk, l.walking = false, time.Time{}
}
