package engine

import (
	"sync"
	"time"
)

// clock gives every transaction its one instant: the wall clock, but never
// before the last entry's time plus the time that has passed since then on the
// monotonic clock. So time in the log neither runs back, when somebody sets
// the clock back, nor stands still until it has caught up.
//
// After a restart the monotonic clock says nothing about the last entry, and
// counts from opening.
type clock struct {
	mu   sync.Mutex // leaf lock: nothing is called under it
	last time.Time  // the last entry's time
	mark time.Time  // when that was, as read then: carries the monotonic reading
}

func (c *clock) start(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.mark = last, time.Now()
}

// moved tells the clock that an entry with this time is on disk.
func (c *clock) moved(last time.Time) { c.start(last) }

// now is truncated to the millisecond, the resolution of the log.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if floor := c.last.Add(now.Sub(c.mark)); now.Before(floor) {
		now = floor
	}
	return now.UTC().Truncate(time.Millisecond)
}

// stopwatch returns how long it runs.
func stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
