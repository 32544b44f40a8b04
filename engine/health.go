package engine

import (
	"context"
	"fmt"

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

// AcceptClock says that the clock is right although the log is ahead of it, so
// that writing goes on while this vault is open; the log's time runs on from
// its last entry until the clock has caught up. It needs admin access. Without a
// clock that writes are refused for, it does nothing.
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

// Concerns says what the vault's operator should see to, although the vault
// works: that nothing can be written because of the clock, that the last run of
// retention was refused because of it, and that files were found damaged.
func (v *Vault) Concerns(ctx context.Context) (concerns []string, err error) {
	if err := v.store.Clock.Unwritable(); err != nil {
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

// Writable is nil, or why every change is refused now while reads go on:
// ErrNoSpace, or an *UnavailableError because of the clock. It is cheap to ask.
func (v *Vault) Writable() error { return v.store.Writable() }
