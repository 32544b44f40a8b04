package store

import (
	"fmt"
	"sync"
	"time"

	"strongroom/audit"
)

// Clock gives every transaction its one instant: the wall clock, but never
// before the last entry's time plus the time that has passed since then on the
// monotonic clock. So time in the log neither runs back, when somebody sets
// the clock back, nor stands still until it has caught up.
//
// After a restart the monotonic clock says nothing about the last entry, and
// counts from opening.
//
// It also says when the wall clock cannot be trusted: with what it would destroy
// (see Doubt), or at all (see Unwritable).
type Clock struct {
	mu   sync.Mutex // leaf lock: nothing is called under it
	last time.Time  // the last entry's time
	mark time.Time  // when that was, as read then: carries the monotonic reading

	wall    time.Time     // what the clock said when it was last trusted, as told
	since   time.Time     // the same, with the monotonic reading
	silence time.Duration // how long there had been no entry when the vault was opened
	quiet   time.Time     // the time of the entry before that silence
	lead    time.Duration // how far somebody has accepted that the log is ahead of the clock

	sure time.Time // the time of the last entry that was written while nothing was in doubt
	seen time.Time // when that was, or the vault was opened, with the monotonic reading
	held bool      // entries are in doubt until somebody trusts the clock
}

const (
	// clockSlack is what a clock may be set back by who keeps it right.
	clockSlack = time.Second
	// clockParted is by how much the two clocks of a machine may differ.
	clockParted = time.Hour
	// clockBehind is by how much the clock may be behind the log for anything
	// still to be written.
	clockBehind = 5 * time.Minute
)

// start is called when the vault is opened, with the last entry's time.
func (c *Clock) start(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.last, c.mark = last, now
	c.wall, c.since = now.Round(0), now
	c.sure, c.seen = last, now
	if silence := c.wall.Sub(last); silence > c.silence {
		c.silence, c.quiet = silence, last
	}
}

// moved tells the clock that an entry with this time is on disk.
func (c *Clock) moved(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.last, c.mark = last, now
	if !c.held && c.parted(now).Abs() <= clockParted {
		c.sure, c.seen = last, now
	}
}

// parted is by how much the clock has been set since it was last trusted.
// Called under mu.
func (c *Clock) parted(now time.Time) time.Duration {
	return now.Round(0).Sub(c.wall) - now.Sub(c.since)
}

// Now is truncated to the millisecond, the resolution of the log.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if floor := c.last.Add(now.Sub(c.mark)); now.Before(floor) {
		now = floor
	}
	return now.UTC().Truncate(time.Millisecond)
}

// Doubt is why the clock is not trusted with what cannot be undone.
type Doubt string

const (
	DoubtBehind  Doubt = "behind"  // the clock is behind the last entry
	DoubtParted  Doubt = "parted"  // it has been set, by more than an hour, since the vault was opened
	DoubtSilence Doubt = "silence" // there was no entry for longer than the setting maxClockGapDays
)

// Doubt returns why the clock must not be trusted with what cannot be undone; ""
// if it may. maxGap is how long there may have been no entry.
func (c *Clock) Doubt(maxGap time.Duration) Doubt {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	wall := now.Round(0)
	switch {
	case c.last.Sub(wall)-c.lead > clockSlack:
		return DoubtBehind
	case c.parted(now).Abs() > clockParted:
		return DoubtParted
	case max(c.silence, wall.Sub(c.last)) > maxGap:
		return DoubtSilence
	}
	return ""
}

// Unwritable is why nothing can be written, nil if it can: an entry far ahead of
// the clock would be taken for the truth ever after.
func (c *Clock) Unwritable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := WallTime()
	if c.last.Sub(wall)-c.lead <= clockBehind {
		return nil
	}
	return &UnavailableError{Reason: ReasonClock, Err: fmt.Errorf("nothing can be written while the clock is wrong: it says %s, the last entry of the log is of %s; set the clock right, or accept it",
		audit.FormatTime(wall), audit.FormatTime(c.last))}
}

// WallTime is what the machine's clock says, as the log would spell it.
func WallTime() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Silence is how long there had been no entry when the vault was opened, and the
// time of the entry before.
func (c *Clock) Silence() (time.Duration, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silence, c.quiet
}

// Suspect puts the entries after this time in doubt, until Trust. Who has called it
// may do so again.
func (c *Clock) Suspect(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
	if last.Before(c.sure) { // those written since are in doubt, and how long ago it was is not known
		c.sure, c.seen = last, time.Now()
	}
}

// Sure is an instant that has certainly come, for a transaction's now. While
// nothing is in doubt it is now, but not after what the clock says: somebody may
// have accepted that the log is ahead of it. In doubt it is the time of the last
// entry before, and what has passed since then on the monotonic clock.
func (c *Clock) Sure(now time.Time, doubted bool) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	sure := WallTime()
	if doubted {
		sure = c.sure.Add(time.Since(c.seen)).UTC().Truncate(time.Millisecond)
	}
	if now.Before(sure) {
		return now
	}
	return sure
}

// Accept takes the clock as it is now, for writing. Entries that are in doubt stay
// so.
func (c *Clock) Accept() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accept(time.Now())
}

// Trust is Accept, and ends all doubt.
func (c *Clock) Trust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	c.accept(time.Now())
}

func (c *Clock) accept(now time.Time) {
	c.wall, c.since, c.silence = now.Round(0), now, 0
	c.lead = max(0, c.last.Sub(c.wall))
	if !c.held {
		c.sure, c.seen = c.wall, now
	}
}

// stopwatch returns how long it runs.
func stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
