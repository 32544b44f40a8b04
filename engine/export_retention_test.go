package engine

import (
	"context"
	"errors"
	"time"

	"strongroom/audit"
)

// InterruptRun works the first lines of the run's plan off, and stops as a crash
// would.
func (v *Vault) InterruptRun(ctx context.Context, lines int) error {
	r, err := v.unfinished()
	if err != nil {
		return err
	}
	w := &worker{v: v, run: r}
	stop := errors.New("stop")
	err = v.readPlan(r.PlanDigest, lines, func(page []planLine) error { return errors.Join(w.carryOut(ctx, page), stop) })
	if !errors.Is(err, stop) {
		return err
	}
	return nil
}

// StartDailyRun starts the run that is due, and does not work it off.
func (v *Vault) StartDailyRun(ctx context.Context) error {
	_, err := v.schedule(ctx)
	return err
}

// WorkOffSlowly works the run's plan off line by line, and does something after
// each.
func (v *Vault) WorkOffSlowly(ctx context.Context, after func()) error {
	r, err := v.unfinished()
	if err != nil {
		return err
	}
	w := &worker{v: v, run: r}
	return v.readPlan(r.PlanDigest, 1, func(page []planLine) error {
		defer after()
		return w.carryOut(ctx, page)
	})
}

// SetClock makes the vault see a clock that has been set by so much since it
// was opened.
func (v *Vault) SetClock(by time.Duration) { v.store.Clock.Set(by) }

// Kinds says of each kind of start that is indexed whether it is whole.
func (v *Vault) Kinds() (map[string]bool, error) {
	return view(v, func(t *tx) (map[string]bool, error) {
		all := map[string]bool{}
		kinds, err := t.kinds()
		for _, k := range kinds {
			all[k.from] = k.whole && !k.draining
		}
		return all, err
	})
}

func EditPolicy(key, record []byte, fn func(*Policy)) []byte {
	p, err := decodePolicy(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&p)
	return p.encode()
}

func EditRun(key, record []byte, fn func(*Run)) []byte {
	r, err := decodeRun(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&r.Run)
	return r.encode()
}

// EditRetained moves the end of a document's retention.
func EditRetained(key, record []byte, by time.Duration) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil || d.retainUntil.IsZero() {
		panic(err)
	}
	d.retainUntil = d.retainUntil.Add(by)
	return d.encode()
}

// EditConfirmed changes which dates of a document are confirmed.
func EditConfirmed(key, record []byte, fields ...string) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil {
		panic(err)
	}
	d.confirmed = fields
	return d.encode()
}

// EditFormerZones changes the zones that ends of compliance are reckoned in.
func EditFormerZones(record []byte, zones ...string) []byte {
	s, err := decodeSettings(record)
	if err != nil {
		panic(err)
	}
	s.formerZones = zones
	return s.encode()
}

// DeriveMark tries to pass a mark off as derived.
func (t *tx) DeriveMark() { t.Derive(func() { t.Mark("derived") }) }

// FillSome fills one batch of a kind of start.
func (v *Vault) FillSome(ctx context.Context, from string) (more bool, err error) {
	more, _, err = update(v, ctx, System(), func(t *tx) (bool, audit.Event, error) {
		more, err := t.fillSome(from)
		return more, audit.Event{}, err
	})
	return more, err
}

// FillStart fills a kind of start to its end.
func (v *Vault) FillStart(ctx context.Context, from string) error { return v.fill(ctx, []string{from}) }
