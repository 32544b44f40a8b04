package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// Doubt is why the clock is not trusted with what cannot be undone.
type Doubt string

const (
	DoubtBehind  = Doubt(store.DoubtBehind)  // the clock is behind the last entry
	DoubtParted  = Doubt(store.DoubtParted)  // it has been set, by more than an hour, since the vault was opened
	DoubtSilence = Doubt(store.DoubtSilence) // there was no entry for longer than the setting maxClockGapDays
)

// Words say why, as a clause.
func (d Doubt) Words() string {
	switch d {
	case DoubtBehind:
		return "the clock is behind the last entry of the log"
	case DoubtParted:
		return "the clock was set by more than an hour since the vault was opened"
	}
	return "there had been no entry for longer than the setting maxClockGapDays"
}

// A doubt that the log shows is kept, or a restart would end it: the entry after
// the silence is the last one of the log then, and nothing seems to be amiss. So
// the transaction of the first entry after a silence has another one,
// clock.corrected, which tells the times before and after. While that doubt lasts,
// meta has the time before it, which is a fact of that entry. The entry of a run
// that accepts the clock ends it, and says so.

// factAccepted is what the clock said when a run accepted it.
const factAccepted = "clock"

// doubt is why the clock must not be trusted with what cannot be undone; "" if it
// may.
func (t *tx) doubt() (Doubt, error) {
	limit, err := t.longestSilence()
	if err != nil {
		return "", err
	}
	if doubt := t.v.store.Clock.Doubt(limit); doubt != "" {
		return Doubt(doubt), nil
	}
	if t.Get(bucketMeta, metaDoubt) != nil {
		return DoubtSilence, nil
	}
	// A vault may have refused a run before it kept its doubts.
	last, err := t.lastRun()
	if err != nil || last == nil || last.Why != DoubtSilence {
		return "", err
	}
	return DoubtSilence, nil
}

func (v *Vault) doubt() (Doubt, error) { return view(v, (*tx).doubt) }

// Doubt is why a run of retention would be refused now; "" if none would be.
func (v *Vault) Doubt(ctx context.Context) (Doubt, error) { return v.doubt() }

// sure is the instant by which protection is judged.
func (t *tx) sure(doubt Doubt) time.Time { return t.v.store.Clock.Sure(t.Now(), doubt != "") }

// doubtful is the refusal that a doubt is.
func doubtful(doubt Doubt) error {
	return &UnavailableError{Reason: ReasonClock, Err: fmt.Errorf(
		"%s: nothing is destroyed until it is right, or an admin has started a run of retention with acceptClock and a reason", doubt.Words())}
}

// shortestLimit is the least that maxClockGapDays can be.
const shortestLimit = 24 * time.Hour

// longestSilence is the setting maxClockGapDays.
func (t *tx) longestSilence() (time.Duration, error) {
	s, err := t.settings()
	return time.Duration(s.MaxClockGapDays) * 24 * time.Hour, err
}

// silence is one that is too long, if there is one.
type silence struct {
	seq   uint64    // of the last entry before the call
	last  time.Time // the time of the entry before the silence; zero: there was none
	ended bool      // the call accepts the clock
}

// silent looks for a silence before a call, by the settings before it.
func (t *tx) silent() (silence, error) {
	head := t.Head()
	s := silence{seq: head.Seq}
	if head.Seq == 0 || t.Trusted() {
		return s, nil
	}
	opened, before := t.v.store.Clock.Silence()
	if max(opened, t.Now().Sub(head.Time)) <= shortestLimit || t.Get(bucketMeta, metaDoubt) != nil {
		return s, nil
	}
	limit, err := t.longestSilence()
	if err != nil {
		return s, err
	}
	since := head.Time
	if opened > limit { // the head may be an entry after it: that of a migration
		since = before
	}
	if t.Now().Sub(since) > limit { // or the clock was set right before anything was written
		s.last = since
	}
	return s, nil
}

// keepDoubt is the last step of every call.
func (t *tx) keepDoubt(s silence) audit.Event {
	if s.last.IsZero() || s.ended || t.Head().Seq == s.seq {
		return audit.Event{}
	}
	// If the commit fails, the next entry comes after the same silence.
	t.v.store.Clock.Suspect(s.last)
	last := audit.FormatTime(s.last)
	t.Put(bucketMeta, metaDoubt, []byte(last))
	return audit.Event{Op: audit.OpClockCorrected, Facts: audit.Facts{
		"last": audit.Text(last), "wall": audit.Text(audit.FormatTime(t.Now())),
	}}
}

// endDoubt ends what is kept, and adds to the facts of the entry that it does. Who
// writes next, in the same group too, comes upon no silence any more.
func (t *tx) endDoubt(facts audit.Facts) {
	t.Delete(bucketMeta, metaDoubt)
	t.Trust()
	facts[factAccepted] = audit.Text(audit.FormatTime(store.WallTime()))
}

// loadDoubt tells the clock what is kept.
func (t *tx) loadDoubt() error {
	b := t.Get(bucketMeta, metaDoubt)
	if b == nil {
		return nil
	}
	last, err := time.Parse(time.RFC3339Nano, string(b[:min(len(b), 64)]))
	if err != nil {
		return fmt.Errorf("%w: since when the clock is doubted cannot be read", errDamaged)
	}
	t.v.store.Clock.Suspect(last)
	return nil
}

// keptDoubt says what is kept; "" if nothing is.
func (v *Vault) keptDoubt() (string, error) {
	return view(v, func(t *tx) (string, error) {
		b := t.Get(bucketMeta, metaDoubt)
		if b == nil {
			return "", nil
		}
		return fmt.Sprintf("nothing is destroyed: after the entry of %s there was none for longer than the setting maxClockGapDays; "+
			"if the clock is right, start a run with acceptClock and a reason", b), nil
	})
}

// AcceptClock says that the clock is right although the log is ahead of it, so
// that writing goes on while this vault is open; the log's time runs on from
// its last entry until the clock has caught up. It needs admin access. Without a
// clock that writes are refused for, it does nothing. It ends no doubt: what that
// keeps from being destroyed waits for a run that accepts the clock (see NewRun).
func (v *Vault) AcceptClock(ctx context.Context, actor Actor) (Receipt, error) {
	if v.store.Clock.Unwritable() == nil {
		return Receipt{}, v.store.Ready()
	}
	c := v.call(ctx, actor, func(t *tx) (audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return audit.Event{}, err
		}
		t.Note()
		return audit.Event{Op: audit.OpClockCorrected, Facts: audit.Facts{
			"last": audit.Text(audit.FormatTime(t.Head().Time)), "wall": audit.Text(audit.FormatTime(store.WallTime())),
		}}, nil
	})
	c.AcceptsClock = true
	if err := v.store.Submit(c); err != nil {
		return Receipt{}, err
	}
	v.store.Clock.Accept()
	return receipts(c)[0], nil
}

// Sweep does what is due, and says when to call it again: makes the database durable as
// it is, so that a crash leaves little of the write-ahead log to read; writes down when keys
// were last used, drops scratchpads nobody came back for, logs reminders of
// obligations, starts the daily run of retention and works off what was started,
// erases what was asked to be erased and may be, signs a checkpoint where that was
// ever asked for, and after an unclean end looks
// for bytes that no version needs. What fails does not keep the rest from being
// done. The host calls it, from one goroutine of its own, and again when Due says
// so. Hosts that never call it lose nothing: once the log is long, writers make the database
// durable themselves, and wait for that.
func (v *Vault) Sweep(ctx context.Context) (next time.Time, err error) {
	if err := v.store.Ready(); err != nil {
		return time.Time{}, err
	}
	next = v.store.Clock.Now().Add(time.Minute)
	for _, work := range v.work() {
		due, failed := work.do(ctx)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", work.what, failed))
		} else if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next, err
}

// sweeping is a part of Sweep.
type sweeping struct {
	what string
	do   func(context.Context) (time.Time, error) // and returns when to come back, zero if it does not know
}

// work is what Sweep does, in this order. What a follower leaves out is decided by
// the vault's owner.
func (v *Vault) work() []sweeping {
	durable := sweeping{"make the database durable", v.store.Checkpoint}
	used := sweeping{"write down when keys were used", func(context.Context) (time.Time, error) { return time.Time{}, v.used.save() }}
	wipe := sweeping{"overwrite what was erased", v.wipeErased}
	if v.follows {
		return []sweeping{durable, used, wipe}
	}
	return []sweeping{
		durable,
		{"write down who failed to sign in", func(ctx context.Context) (time.Time, error) { return time.Time{}, v.RecordFailedSignIns(ctx) }},
		used,
		{"drop scratchpads nobody came back for", v.purgeScratchpads},
		{"remind of obligations", v.remind},
		{"dispose of what has run out its retention", v.sweepRetention},
		{"erase", func(ctx context.Context) (time.Time, error) { return time.Time{}, v.erase(ctx) }},
		{"end requests that nobody decided on", v.expireApprovals},
		{"sign a checkpoint of the log", v.sweepCheckpoint},
		{"look for bytes nobody needs", v.tidyLitter},
		wipe,
	}
}

func (v *Vault) tidyLitter(ctx context.Context) (time.Time, error) {
	if !v.litter.Load() {
		return time.Time{}, v.retryRefused(ctx)
	}
	return time.Time{}, v.tidy(ctx)
}

// erasedTo says that what was erased up to an entry is to be overwritten. One goroutine
// calls it: Sweep's, or that of who follows.
func (v *Vault) erasedTo(seq uint64) { v.erased.Store(max(v.erased.Load(), seq)) }

// wipeErased overwrites what was erased; a reader may keep it from all of it for
// a while.
func (v *Vault) wipeErased(ctx context.Context) (next time.Time, err error) {
	for v.unwiped.Load() {
		// What is cleared after it has begun, a wipe may pass over.
		if v.litter.Load() {
			return v.store.Clock.Now().Add(time.Second), nil
		}
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
		v.unwiped.Store(false)
		if v.erased.Load() > wiped { // asked after that: who follows may say so meanwhile
			v.unwiped.Store(true)
		}
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
