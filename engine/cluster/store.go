package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// requestTimeout ends one request to the store; a commit of many megabytes has longer.
	requestTimeout = 15 * time.Second
	firstPause     = 50 * time.Millisecond
	longestPause   = 2 * time.Second
)

// until calls do again until the store has answered or ctx ends: what do returns else
// says that nobody knows.
func (c *Config) until(ctx context.Context, what string, do func(context.Context) error) error {
	for try := 0; ; try++ {
		err := do(ctx)
		if answered(err) {
			return err
		}
		if err := c.pause(ctx, try, what, err); err != nil {
			return err
		}
	}
}

// pause waits before another try, longer each time, and at random so that servers do
// not meet again. It returns why nobody waits any more.
func (c *Config) pause(ctx context.Context, try int, what string, cause error) error {
	if try > 2 && try&(try-1) == 0 { // the 4th, 8th, 16th…
		c.log("%s: trying again: %v", what, cause)
	}
	wait := min(firstPause<<min(try, 10), longestPause)
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w, after %w", what, context.Cause(ctx), cause)
	case <-timer.C:
		return nil
	}
}
