package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/blobstore"
)

// checkReserve refuses to write when little space is left, while there is
// still enough to do everything else.
func (v *Vault) checkReserve() error {
	if v.reserve < 0 {
		return nil
	}
	free, err := blobstore.Free(v.dir)
	if err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	if free < uint64(v.reserve) {
		return fmt.Errorf("%w: %d bytes free, %d are kept in reserve", ErrNoSpace, free, v.reserve)
	}
	return nil
}

// Sweep does what is due, and says when to call it again: writes down when keys
// were last used, drops scratchpads nobody came back for, logs reminders of
// obligations, starts the daily run of retention and works off what was started,
// erases what was asked to be erased and may be, and after an unclean end looks
// for bytes that no version needs. What fails does not keep the rest from being
// done. The host calls it, from one goroutine of its own, and again when Due says
// so.
func (v *Vault) Sweep(ctx context.Context) (next time.Time, err error) {
	if err := v.enterError(); err != nil {
		return time.Time{}, err
	}
	next = v.clock.now().Add(time.Minute)
	for _, work := range []struct {
		what string
		do   func(context.Context) (time.Time, error) // and returns when to come back, zero if it does not know
	}{
		{"write down when keys were used", func(context.Context) (time.Time, error) { return time.Time{}, v.used.save() }},
		{"drop scratchpads nobody came back for", v.purgeDrafts},
		{"remind of obligations", v.remind},
		{"dispose of what has run out its retention", v.sweepRetention},
		{"erase", func(ctx context.Context) (time.Time, error) { return time.Time{}, v.erase(ctx) }},
		{"look for bytes nobody needs", v.tidyLitter},
		{"overwrite what was erased", v.wipeErased},
	} {
		due, failed := work.do(ctx)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", work.what, failed))
		} else if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next, err
}

func (v *Vault) tidyLitter(ctx context.Context) (time.Time, error) {
	if !v.litter.Load() {
		return time.Time{}, nil
	}
	return time.Time{}, v.tidy(ctx)
}

// wipeErased overwrites what was erased; a reader may keep it from all of it for
// a while.
func (v *Vault) wipeErased(ctx context.Context) (next time.Time, err error) {
	for v.unwiped.Load() {
		if done, err := v.wipe(ctx); err != nil {
			return time.Time{}, err
		} else if !done {
			return v.clock.now().Add(time.Second), nil
		}
	}
	return time.Time{}, nil
}

// Due receives when there is something for Sweep to do before it said: a run that
// was started by hand, an erasure. Who calls Sweep waits for this as well.
func (v *Vault) Due() <-chan struct{} { return v.due }

func (v *Vault) signalDue() {
	select {
	case v.due <- struct{}{}:
	default: // it was told already
	}
}

// sweepRetention does what is due of retention: the daily run, what was started, and
// rows of the index of starts that nobody asks for any more. It returns when the
// next daily run is due.
func (v *Vault) sweepRetention(ctx context.Context) (next time.Time, err error) {
	if err := v.workOff(ctx); err != nil { // one that was cut off
		return next, err
	}
	if next, err = v.schedule(ctx); err == nil {
		err = v.workOff(ctx)
	}
	if err == nil {
		err = v.drain(ctx)
	}
	return next, err
}
