package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"strongroom/audit"
)

// clock gives every transaction its one instant: the wall clock, but never
// before the last entry's time plus the time that has passed since then on the
// monotonic clock. So time in the log neither runs back, when somebody sets
// the clock back, nor stands still until it has caught up.
//
// After a restart the monotonic clock says nothing about the last entry, and
// counts from opening.
//
// It also says when the wall clock cannot be trusted: with what it would destroy
// (see doubt), or at all (see unwritable).
type clock struct {
	mu   sync.Mutex // leaf lock: nothing is called under it
	last time.Time  // the last entry's time
	mark time.Time  // when that was, as read then: carries the monotonic reading

	wall    time.Time     // what the clock said when it was last trusted, as told
	since   time.Time     // the same, with the monotonic reading
	silence time.Duration // how long there had been no entry when the vault was opened
	lead    time.Duration // how far somebody has accepted that the log is ahead of the clock
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
func (c *clock) start(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.last, c.mark = last, now
	c.wall, c.since = now.Round(0), now
	c.silence = max(c.silence, c.wall.Sub(last))
}

// moved tells the clock that an entry with this time is on disk.
func (c *clock) moved(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.mark = last, time.Now()
}

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

// Doubt is why the clock is not trusted with what cannot be undone.
type Doubt string

const (
	DoubtBehind  Doubt = "behind"  // the clock is behind the last entry
	DoubtParted  Doubt = "parted"  // it has been set, by more than an hour, since the vault was opened
	DoubtSilence Doubt = "silence" // there was no entry for longer than the setting maxClockGapDays
)

// doubt returns why a run of retention must not trust the clock; "" if it may.
func (c *clock) doubt(maxGap time.Duration) Doubt {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	wall := now.Round(0)
	parted := wall.Sub(c.wall) - now.Sub(c.since)
	switch {
	case c.last.Sub(wall)-c.lead > clockSlack:
		return DoubtBehind
	case parted.Abs() > clockParted:
		return DoubtParted
	case max(c.silence, wall.Sub(c.last)) > maxGap:
		return DoubtSilence
	}
	return ""
}

// unwritable is why nothing can be written, nil if it can: an entry far ahead of
// the clock would be taken for the truth ever after.
func (c *clock) unwritable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := wallTime()
	if c.last.Sub(wall)-c.lead <= clockBehind {
		return nil
	}
	return &UnavailableError{Reason: ReasonClock, Err: fmt.Errorf("it says %s, the last entry of the log is of %s; set the clock right, or accept it",
		audit.FormatTime(wall), audit.FormatTime(c.last))}
}

// wallTime is what the clock says, as the log would spell it.
func wallTime() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// accept trusts the clock as it is now.
func (c *clock) accept() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.wall, c.since, c.silence = now.Round(0), now, 0
	c.lead = max(0, c.last.Sub(c.wall))
}

// AcceptClock says that the clock is right although the log is ahead of it, so
// that writing goes on while this vault is open; the log's time runs on from
// its last entry until the clock has caught up. It needs admin access. Without a
// clock that writes are refused for, it does nothing.
func (v *Vault) AcceptClock(ctx context.Context, actor Actor) (Receipt, error) {
	if v.clock.unwritable() == nil {
		return Receipt{}, v.enterError()
	}
	c := newCall(ctx, actor)
	c.corrects = true
	c.steps = append(c.steps, func(t *tx) (audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return audit.Event{}, err
		}
		t.note()
		return audit.Event{Op: audit.OpClockCorrected, Facts: audit.Facts{
			"last": audit.Text(audit.FormatTime(t.head.Time)), "wall": audit.Text(audit.FormatTime(wallTime())),
		}}, nil
	})
	if err := v.submit(c); err != nil {
		return Receipt{}, err
	}
	v.clock.accept()
	return c.out.receipts[0], nil
}

// stopwatch returns how long it runs.
func stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// Concerns says what the vault's operator should see to, although the vault
// works: that nothing can be written because of the clock, that the last run of
// retention was refused because of it, and that files were found damaged.
func (v *Vault) Concerns(ctx context.Context) (concerns []string, err error) {
	if err := v.clock.unwritable(); err != nil {
		concerns = append(concerns, err.Error())
	}
	if n := len(v.Fixity().Damaged); n > 0 {
		concerns = append(concerns, fmt.Sprintf("%d files do not have the bytes they came with; restore them from a backup", n))
	}
	last, err := view(v, (*tx).lastRun)
	if err == nil && last != nil && last.Status == RunRefused {
		concerns = append(concerns, "the last run of retention was refused: "+last.Why.words()+"; if the clock is right, start a run with acceptClock and a reason")
	}
	return concerns, err
}

func (d Doubt) words() string {
	switch d {
	case DoubtBehind:
		return "the clock is behind the last entry of the log"
	case DoubtParted:
		return "the clock was set by more than an hour since the vault was opened"
	}
	return "there had been no entry for longer than the setting maxClockGapDays"
}
