package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sweep does what is due, and says when to call it again: writes down when keys
// were last used, drops scratchpads nobody came back for, logs reminders of
// obligations, starts the daily run of retention and works off what was started,
// erases what was asked to be erased and may be, and after an unclean end looks
// for bytes that no version needs. What fails does not keep the rest from being
// done. The host calls it, from one goroutine of its own, and again when Due says
// so.
func (v *Vault) Sweep(ctx context.Context) (next time.Time, err error) {
	if err := v.store.Ready(); err != nil {
		return time.Time{}, err
	}
	next = v.store.Clock.Now().Add(time.Minute)
	for _, work := range []struct {
		what string
		do   func(context.Context) (time.Time, error) // and returns when to come back, zero if it does not know
	}{
		{"write down when keys were used", func(context.Context) (time.Time, error) { return time.Time{}, v.used.save() }},
		{"drop scratchpads nobody came back for", v.purgeScratchpads},
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
		// Bytes that have yet to be unlinked, for a backup that copies them or
		// because that failed, are waited for elsewhere.
		wait := func() bool { return v.pins.waiting() || v.litter.Load() }
		wiped, done, err := v.store.Wipe(ctx, wait)
		if err != nil {
			return time.Time{}, err
		}
		if !done {
			return v.store.Clock.Now().Add(time.Second), nil
		}
		v.wiped.Store(wiped)
		v.unwiped.Store(v.erased > wiped)
	}
	return time.Time{}, nil
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
