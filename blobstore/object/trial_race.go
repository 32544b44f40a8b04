package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	racers = 32
	// gathering is how long the first to begin wait for the last: a store may take fewer
	// at once, and then the others come after.
	gathering = 3 * time.Second
	// racerBytes are more than a connection holds back by itself, so that the store has
	// the beginning of each when the last begins.
	racerBytes = 32 << 10
)

func (t *trial) tryAbsentAtOnce(ctx context.Context) error {
	return t.race(ctx, "If-None-Match: *", func(name string) (string, Condition, error) {
		return t.key("absent-at-once" + name), Condition{Absent: true}, nil
	})
}

func (t *trial) tryMatchAtOnce(ctx context.Context) error {
	return t.race(ctx, "If-Match", func(name string) (string, Condition, error) {
		key := t.key("matched-at-once" + name)
		was, err := t.write(ctx, key, words(), Condition{Absent: true})
		if err != nil {
			return "", Condition{}, orLie(err, "it refuses If-None-Match: * for what is not there")
		}
		return key, Condition{Match: was.ETag}, nil
	})
}

// race has many put one key at once. Where they can be held back, none ends before all
// have begun; where not, it is run more often.
func (t *trial) race(ctx context.Context, condition string, start func(name string) (string, Condition, error)) error {
	holder, ok := t.s.(Holder)
	put, times := func(key string, b []byte, c Condition, ready func() error) (Info, error) {
		if err := ready(); err != nil {
			return Info{}, err
		}
		return t.s.Put(ctx, key, b, c)
	}, rounds
	if ok {
		put, times = func(key string, b []byte, c Condition, ready func() error) (Info, error) {
			return holder.PutHeld(ctx, key, b, c, ready)
		}, 1
	}
	for n := range times {
		key, c, err := start(fmt.Sprint("-", n))
		if err != nil {
			return err
		}
		bodies, errs := make([][]byte, racers), make([]error, racers)
		gate := &gate{ctx: ctx, left: racers, open: make(chan struct{})}
		var all sync.WaitGroup
		for i := range racers {
			bodies[i] = bytes.Repeat([]byte{byte('A' + i)}, racerBytes)
			all.Go(func() { _, errs[i] = put(key, bodies[i], c, gate.pass) })
		}
		all.Wait()
		if err := t.judge(ctx, condition, key, bodies, errs); err != nil {
			return err
		}
	}
	return nil
}

// judge looks at who has won, and at what stands there.
func (t *trial) judge(ctx context.Context, condition, key string, bodies [][]byte, errs []error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	won, winner, lost := 0, 0, 0
	for i, err := range errs {
		switch {
		case err == nil:
			won, winner = won+1, i
		case decided(err):
			lost++
		}
	}
	if won > 1 {
		return lie("%d of %d puts at once have won, and each asked for %s", won, racers, condition)
	}
	if won+lost == 0 {
		return fmt.Errorf("none of %d puts at once had an answer: %w", racers, errors.Join(errs...))
	}
	b, _, err := t.read(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	stands := func(i int) bool { return err == nil && bytes.Equal(b, bodies[i]) }
	if won == 1 {
		if !stands(winner) {
			return lie("of %d puts at once with %s it acknowledged one, and has another", racers, condition)
		}
		return nil
	}
	// Nobody was told. It has to be one of them: one whose answer was lost, or whose
	// request came twice, so that its own success was in its way.
	for i := range errs {
		if stands(i) {
			return nil
		}
	}
	if lost == racers {
		return lie("it refused all of %d puts at once with %s, and has none of them", racers, condition)
	}
	return nil
}

// gate holds everybody back until all are there.
type gate struct {
	ctx  context.Context
	mu   sync.Mutex // guards left
	left int
	open chan struct{} // closed by the last
}

func (g *gate) pass() error {
	g.mu.Lock()
	g.left--
	if g.left == 0 {
		close(g.open)
	}
	g.mu.Unlock()
	select {
	case <-g.open:
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	case <-time.After(gathering):
		return nil
	}
}
