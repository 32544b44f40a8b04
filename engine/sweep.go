package engine

import (
	"context"
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
// obligations, erases what was asked to be erased and may be, and after an unclean
// end looks for bytes that no version needs.
// The host calls it, from one goroutine of its own.
func (v *Vault) Sweep(ctx context.Context) (next time.Time, err error) {
	if err := v.enterError(); err != nil {
		return time.Time{}, err
	}
	next = v.clock.now().Add(time.Minute)
	if err := v.used.save(); err != nil {
		return next, fmt.Errorf("write down when keys were used: %w", err)
	}
	if due, err := v.purgeDrafts(ctx); err != nil {
		return next, fmt.Errorf("drop scratchpads nobody came back for: %w", err)
	} else if !due.IsZero() && due.Before(next) {
		next = due
	}
	if due, err := v.remind(ctx); err != nil {
		return next, fmt.Errorf("remind of obligations: %w", err)
	} else if !due.IsZero() && due.Before(next) {
		next = due
	}
	if err := v.erase(ctx); err != nil {
		return next, err
	}
	if v.litter.Load() {
		if err := v.tidy(ctx); err != nil {
			return next, fmt.Errorf("look for bytes nobody needs: %w", err)
		}
	}
	for v.unwiped.Load() {
		if done, err := v.wipe(ctx); err != nil {
			return next, fmt.Errorf("overwrite what was erased: %w", err)
		} else if !done {
			return v.clock.now().Add(time.Second), nil
		}
	}
	return next, nil
}

// Due has a token when something came up that Sweep should do now, whatever it
// said when it is due. It is for the host's one goroutine that calls Sweep.
func (v *Vault) Due() <-chan struct{} { return v.due }

func (v *Vault) signalDue() {
	select {
	case v.due <- struct{}{}:
	default: // it has one already
	}
}
