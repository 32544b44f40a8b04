package engine

import (
	"context"
	"slices"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// tx is one step within a transaction of one instant. Methods on it work inside;
// public methods of Vault open it; nothing does both.
type tx struct {
	*store.Tx
	v      *Vault
	actor  Actor   // as it was admitted
	upload *Upload // whose bytes the step refers to, nil if it brings none
}

// partial says whether what is restricted is out of sight: who acts, or for whom
// the vault is looked at, is neither admin nor auditor.
func (t *tx) partial() bool {
	return t.v.partial || t.actor.UserID != "" && Meet(t.actor.Access, AccessAuditor) != AccessAuditor
}

// update is the only way to write. fn returns its result and the event that
// records it; the event is appended to the log in the same transaction. fn
// asks its guards first and writes after, captures nothing, and may run more
// than once. The zero event says that nothing changed, and then nothing may
// have been written: the store checks wrote ⇔ entry, and a breach rolls back.
//
// The receipt names the entry, and is zero if nothing changed.
func update[T any](v *Vault, ctx context.Context, actor Actor, fn func(*tx) (T, audit.Event, error)) (T, Receipt, error) {
	results, receipts, err := updateAll(v, ctx, actor, fn)
	if err != nil {
		var zero T
		return zero, Receipt{}, err
	}
	return results[0], receipts[0], nil
}

// updateAll lands several changes together: one transaction, an entry each,
// all or nothing.
func updateAll[T any](v *Vault, ctx context.Context, actor Actor, fns ...func(*tx) (T, audit.Event, error)) ([]T, []Receipt, error) {
	results := make([]T, len(fns))
	steps := make([]func(*tx) (audit.Event, error), len(fns))
	for i, fn := range fns {
		steps[i] = func(t *tx) (event audit.Event, err error) {
			results[i], event, err = fn(t)
			return event, err
		}
	}
	c := v.call(ctx, actor, steps...)
	if err := v.store.Submit(c); err != nil {
		return nil, nil, err
	}
	return results, receipts(c)[:len(fns)], nil
}

// call makes the closures a call of the store's. Who acts is looked up before
// the first of them, in the same transaction, and also if there are none; with it,
// whether a call that was approved still is. Behind them is a step that ends the
// approval, and one that keeps a doubt of the clock (see keepDoubt).
func (v *Vault) call(ctx context.Context, actor Actor, fns ...func(*tx) (audit.Event, error)) *store.Call {
	if len(fns) == 0 {
		fns = append(fns, func(*tx) (audit.Event, error) { return audit.Event{}, nil })
	}
	if actor.assent != nil {
		fns = append(slices.Clip(fns), (*tx).grantApproval)
	}
	c := &store.Call{Ctx: ctx, Steps: make([]store.Step, len(fns), len(fns)+1)}
	first := &struct { // what the first step finds, in each attempt anew
		actor  Actor
		before silence
	}{actor: actor}
	for i, fn := range fns {
		c.Steps[i] = func(in *store.Tx) (store.Record, error) {
			t := &tx{Tx: in, v: v, actor: first.actor}
			if i == 0 {
				err := t.admit(actor)
				if err == nil && actor.assent != nil {
					err = t.stillGranted()
				}
				if err != nil {
					return store.Record{}, actor.assent.stale(err)
				}
				first.actor = t.actor
				if first.before, err = t.silent(); err != nil {
					return store.Record{}, err
				}
			}
			event, err := fn(t)
			if _, accepts := event.Facts[factAccepted]; accepts {
				first.before.ended = true
			}
			if by := actor.assent; by != nil && i == len(fns)-1 {
				return store.Record{Event: event, Actor: by.approver.UserID, Key: by.approver.KeyID}, err
			}
			return store.Record{Event: event, Actor: t.actor.UserID, Key: t.actor.KeyID}, err
		}
	}
	c.Steps = append(c.Steps, func(in *store.Tx) (store.Record, error) {
		if first.before.last.IsZero() {
			return store.Record{}, nil
		}
		event := (&tx{Tx: in, v: v}).keepDoubt(first.before)
		if event.IsZero() {
			return store.Record{}, nil
		}
		return store.Record{Event: event, Actor: systemActor}, nil
	})
	return c
}

// receipts are those of the closures, without that of the step behind them.
func receipts(c *store.Call) []Receipt {
	all := make([]Receipt, len(c.Heads)-1)
	for i, head := range c.Heads[:len(all)] {
		all[i] = Receipt{Seq: head.Seq, Hash: head.Hash}
	}
	return all
}

// updateEach lands changes that have nothing to do with one another, each by
// itself, in their order and in few groups. It returns what became of each. A dry
// run lands none: the same closures run, and all they did is rolled back.
func (v *Vault) updateEach(ctx context.Context, actor Actor, fns []func(*tx) (audit.Event, error), dryRun bool) ([]error, error) {
	calls := make([]*store.Call, len(fns))
	for i, fn := range fns {
		calls[i] = v.call(ctx, actor, fn)
	}
	submit := v.store.SubmitEach
	if dryRun {
		submit = v.store.Try
	}
	if err := submit(ctx, calls); err != nil {
		return nil, err
	}
	errs := make([]error, len(calls))
	for i, c := range calls {
		errs[i] = c.Err
	}
	return errs, nil
}

// checkRows is how many rows are gone through in one transaction.
const checkRows = 500

// view runs fn in a read transaction: a page's worth of work at most, because
// a reader that stays keeps pages from being used again. What it sees is on
// disk.
func view[T any](v *Vault, fn func(*tx) (T, error)) (T, error) {
	return store.Read(v.store, false, func(in *store.Tx) (T, error) { return fn(&tx{Tx: in, v: v}) })
}

// peek is view, but may see a commit whose fsync is still under way: for
// questions whose answer is asked for again in the transaction that counts.
func peek[T any](v *Vault, fn func(*tx) (T, error)) (T, error) {
	return store.Read(v.store, true, func(in *store.Tx) (T, error) { return fn(&tx{Tx: in, v: v}) })
}

// foresee is peek for what its caller asks again in the transaction that counts, but
// for refusals, which are told at once: they are told of what is on disk alone. So who
// comes to write does not wait for a sync first, to join the group behind the next.
func foresee[T any](v *Vault, fn func(*tx) (T, error)) (T, error) {
	found, err := peek(v, fn)
	if err != nil {
		return view(v, fn)
	}
	return found, nil
}
