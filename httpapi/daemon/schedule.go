package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
)

// schedule ticks: it calls each vault's Sweep when that is due, and writes
// the heads down daily.
type schedule struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	heads   *headLog
}

// startSchedule writes the heads down, if headLog names a file, and starts
// ticking. scrubRate is in bytes per second, 0 scrubs nothing. The logs of the vaults
// in public are signed from now on. Of vaults that are not owned, which follow what
// another server does, only what keeps their copy in order is done. The caller stops it
// before it closes the vaults.
func startSchedule(vaults, owned map[string]*engine.Vault, headLogPath string, scrubRate int64, public []string, log zerolog.Logger) (*schedule, error) {
	s := &schedule{heads: &headLog{path: headLogPath, vaults: vaults}}
	if err := s.heads.append(); err != nil {
		return nil, fmt.Errorf("--head-log: %w", err)
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	for name, v := range vaults {
		log := log.With().Str("vault", name).Logger()
		s.running.Go(func() {
			if slices.Contains(public, name) && owned[name] != nil {
				signFirst(ctx, v, log)
			}
			sweep(ctx, v, log)
		})
		if owned[name] == nil {
			continue
		}
		s.running.Go(func() { recordSignIns(ctx, v, log) })
		if scrubRate > 0 {
			s.running.Go(func() { scrub(ctx, v, scrubRate, log) })
		}
	}
	s.running.Go(func() { s.heads.keep(ctx, log) })
	return s, nil
}

// stop ends the ticking and writes the heads down once more.
func (s *schedule) stop() error {
	s.cancel()
	s.running.Wait()
	if err := s.heads.append(); err != nil {
		return fmt.Errorf("--head-log: %w", err)
	}
	return nil
}

// signFirst signs a checkpoint, and has Sweep go on with it: strangers who follow the
// log cause none.
func signFirst(ctx context.Context, v *engine.Vault, log zerolog.Logger) {
	if _, err := v.Checkpoint(ctx); err != nil && ctx.Err() == nil {
		log.Error().Err(err).Msg("the log is open to all, and cannot be signed")
	}
}

const (
	// A sweep that fails is tried again after sweepRetry, and no sweep
	// follows another in less than sweepPause.
	sweepRetry = time.Minute
	sweepPause = time.Second
	// sweepLimit is how long a vault goes without, whatever it said: clocks
	// are set, and machines sleep.
	sweepLimit = time.Hour
)

// sweep calls v.Sweep whenever it is due, and when something came up.
func sweep(ctx context.Context, v *engine.Vault, log zerolog.Logger) {
	for ctx.Err() == nil {
		next, err := v.Sweep(ctx)
		pause := sweepLimit
		switch {
		case err != nil && ctx.Err() == nil:
			log.Error().Err(err).Msg("sweep failed; it is tried again")
			pause = sweepRetry
		case !next.IsZero():
			pause = min(max(time.Until(next), sweepPause), sweepLimit)
		}
		waiting, cancel := context.WithTimeout(ctx, pause)
		select {
		case <-v.Due():
		case <-waiting.Done():
		}
		cancel()
	}
}

// signInPause is how long a failed sign-in waits for its entry at least, which a
// sweep may keep waiting for hours.
const signInPause = 5 * time.Second

// recordSignIns has failed sign-ins written down, at the end once more.
func recordSignIns(ctx context.Context, v *engine.Vault, log zerolog.Logger) {
	for over := false; !over; {
		wait(ctx, signInPause)
		over = ctx.Err() != nil
		if v.Writable() != nil {
			continue // they are kept
		}
		if err := v.RecordFailedSignIns(context.WithoutCancel(ctx)); err != nil {
			log.Error().Err(err).Msg("failed sign-ins not written down; it is tried again")
		}
	}
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// acceptClocks has the vaults write although their logs are ahead of the clock.
func acceptClocks(ctx context.Context, vaults map[string]*engine.Vault, log zerolog.Logger) error {
	for name, v := range vaults {
		receipt, err := v.AcceptClock(ctx, engine.Operator())
		if err != nil {
			return fmt.Errorf("--accept-clock: vault %q: %w", name, err)
		}
		if receipt.Seq > 0 {
			log.Warn().Str("vault", name).Uint64("seq", receipt.Seq).Msg("the clock is behind the audit log and was accepted")
		}
	}
	return nil
}

// headLog appends heads to a file. Kept where the server cannot change it, or
// printed, it shows a cut tail and a rewritten log, which the log itself
// cannot show.
type headLog struct {
	path   string // "": none is kept
	vaults map[string]*engine.Vault
}

// append writes the head of each vault, durably.
func (h *headLog) append() error {
	if h.path == "" {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(h.vaults)) {
		text = append(text, h.vaults[name].Head().Text()...)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// keep appends at each midnight, UTC. It looks at the clock every hour at
// least, since a timer does not see the clock being set or the machine asleep.
func (h *headLog) keep(ctx context.Context, log zerolog.Logger) {
	if h.path == "" {
		return
	}
	for next := midnight(time.Now()); ; {
		wait(ctx, min(time.Until(next), time.Hour))
		if ctx.Err() != nil {
			return
		}
		if now := time.Now(); !now.Before(next) {
			if err := h.append(); err != nil {
				log.Error().Err(err).Msg("heads not written down; they are tomorrow")
			}
			next = midnight(now)
		}
	}
}

// midnight returns the first midnight after t, UTC.
func midnight(t time.Time) time.Time {
	return t.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
}
