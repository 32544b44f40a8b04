package engine

import (
	"context"
	"errors"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// ObligationPatch: nil leaves a member alone. An obligation stays with its
// document.
type ObligationPatch struct {
	Title       *string
	Description *string
	DueDate     *Due
	OwnerID     *string
	Recurrence  *Recurrence
}

// UpdateObligation changes an obligation. It needs upload access. Another due
// date begins the reminders anew. If the due date or the recurrence changes,
// recurrences are counted from the due date as it is then. ErrObligationNotFound.
func (v *Vault) UpdateObligation(ctx context.Context, actor Actor, obligationID string, cond Condition, p ObligationPatch) (Obligation, Receipt, error) {
	if err := p.check(); err != nil {
		return Obligation{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Obligation, audit.Event, error) {
		old, err := t.changeable(obligationID, cond.IfMatch)
		if err != nil {
			return Obligation{}, audit.Event{}, err
		}
		o := t.revise(old)
		if p.OwnerID != nil {
			if o.OwnerID, err = t.owner(*p.OwnerID); err != nil {
				return Obligation{}, audit.Event{}, err
			}
		}
		p.apply(o)
		detail := o.differences(old)
		if len(detail) == 0 {
			shown, err := t.showObligation(old)
			return shown, audit.Event{}, err
		}
		return t.storeObligation(old, o, audit.Event{Op: audit.OpObligationUpdated, Facts: o.facts(), Detail: encodeDetail(detail)})
	})
}

func (p *ObligationPatch) check() error {
	var c checks
	if p.Title != nil {
		title := check.Trim(*p.Title)
		p.Title = &title
		c.Required("title", title, check.MaxName)
	}
	if p.Description != nil {
		c.Prose("description", *p.Description, check.MaxDescription)
	}
	if p.DueDate != nil && p.DueDate.IsZero() {
		c.Fail("dueDate", "%v", errDue)
	}
	if p.OwnerID != nil && *p.OwnerID == "" {
		c.Fail("ownerId", "must be the id of a user of this vault")
	}
	if p.Recurrence != nil {
		c.recurrence(*p.Recurrence)
	}
	return c.err()
}

// apply takes over all but the owner.
func (p *ObligationPatch) apply(o *obligation) {
	due, recurrence := o.DueDate, o.Recurrence
	set(&o.Title, p.Title)
	set(&o.Description, p.Description)
	set(&o.DueDate, p.DueDate)
	set(&o.Recurrence, p.Recurrence)
	o.moved(due, recurrence)
}

// moved works out what follows from another due date or recurrence.
func (o *obligation) moved(due Due, recurrence Recurrence) {
	if o.DueDate != due {
		o.reminded = notReminded
	}
	if o.DueDate != due || o.Recurrence != recurrence {
		o.anchor = o.DueDate
	}
}

// differences tells, member by member, what was and what is.
func (o *obligation) differences(old *obligation) map[string]any {
	m := map[string]any{}
	note := func(name, was, is string) {
		if was != is {
			m[name] = changed{was, is}
		}
	}
	note("title", old.Title, o.Title)
	note("description", old.Description, o.Description)
	note("dueDate", old.DueDate.String(), o.DueDate.String())
	note("ownerId", old.OwnerID, o.OwnerID)
	note("recurrence", string(old.Recurrence), string(o.Recurrence))
	return m
}

// Completion says how an obligation was met. Both members may be left out.
type Completion struct {
	Note     string
	Evidence *Evidence
}

// CompleteObligation says that an obligation was met. It needs upload access.
// One that recurs is followed by the next, in the same transaction and with an
// entry of its own; the receipt is that of the completion. Completing what is
// completed returns it as it is. ErrObligationNotFound; *InvalidError if the
// evidence is no version of the vault.
func (v *Vault) CompleteObligation(ctx context.Context, actor Actor, obligationID string, cond Condition, c Completion) (Obligation, Receipt, error) {
	var wrong checks
	wrong.Prose("note", c.Note, check.MaxComment)
	if err := wrong.err(); err != nil {
		return Obligation{}, Receipt{}, err
	}
	done, receipts, err := updateAll(v, ctx, actor,
		func(t *tx) (Obligation, audit.Event, error) { return t.complete(obligationID, cond.IfMatch, c) },
		func(t *tx) (Obligation, audit.Event, error) { return t.recur(obligationID) })
	if err != nil {
		return Obligation{}, Receipt{}, err
	}
	return done[0], receipts[0], nil
}

func (t *tx) complete(obligationID string, m Match, c Completion) (Obligation, audit.Event, error) {
	old, err := t.changeable(obligationID, m)
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	if !old.CompletedAt.IsZero() {
		shown, err := t.showObligation(old)
		return shown, audit.Event{}, err
	}
	o := t.revise(old)
	o.CompletedAt, o.CompletedBy, o.Note = t.Now(), t.actor.UserID, c.Note
	facts := audit.Facts{"obligation": audit.Text(o.ID)}
	if c.Evidence != nil {
		if o.Evidence, err = t.evidence(*c.Evidence); err != nil {
			return Obligation{}, audit.Event{}, err
		}
		facts["evidence"] = audit.Text(o.Evidence.DocumentID)
		facts["evidenceVersion"] = audit.Number(o.Evidence.Version)
	}
	// One that was completed before, and reopened, is followed already.
	if o.Recurrence != "" && o.next == "" {
		if _, more, err := t.nextDue(o); err != nil {
			return Obligation{}, audit.Event{}, err
		} else if more {
			next, err := t.NewID()
			if err != nil {
				return Obligation{}, audit.Event{}, err
			}
			o.next = next.String()
			facts["next"] = audit.Text(o.next)
		}
	}
	detail := detailMembers{}
	detail.text("note", o.Note)
	return t.storeObligation(old, o, audit.Event{Op: audit.OpObligationCompleted, Facts: facts, Detail: encodeDetail(detail)})
}

// evidence guards that the version named is there, and spells its document's id.
func (t *tx) evidence(e Evidence) (*Evidence, error) {
	d, err := t.obliging("evidence.documentId", e.DocumentID)
	if err != nil {
		return nil, err
	}
	if _, err := t.version(d, e.Version); errors.Is(err, ErrVersionNotFound) {
		return nil, invalid("evidence.version", "must be the number of a version of that document")
	} else if err != nil {
		return nil, err
	}
	return &Evidence{d.ID, e.Version}, nil
}

func (t *tx) nextDue(o *obligation) (next Due, ok bool, err error) {
	zone, err := t.zone()
	if err != nil {
		return Due{}, false, err
	}
	next, ok = o.DueDate.recurs(o.anchor, periodOf(o.Recurrence), zone)
	return next, ok, nil
}

// recur makes the obligation that follows the one completed in the step before.
// The log says whether that step did so, and which id it gave: the entry of a
// completion that has a next is never the last one of a commit.
func (t *tx) recur(obligationID string) (Obligation, audit.Event, error) {
	last, err := t.entry(t.Head().Seq)
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	done, err := t.obligation(obligationID)
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	subject, _ := last.Facts["obligation"].AsText()
	next, _ := last.Facts["next"].AsText()
	if last.Op != audit.OpObligationCompleted || subject != done.ID || next == "" {
		return Obligation{}, audit.Event{}, nil
	}
	due, _, err := t.nextDue(done)
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	key, _ := store.ParseID(next)
	return t.addObligation(&obligation{id: key, anchor: done.anchor, Obligation: Obligation{
		Title: done.Title, Description: done.Description, DueDate: due, OwnerID: done.OwnerID,
		DocumentID: done.DocumentID, Recurrence: done.Recurrence,
	}})
}

// ReopenObligation undoes a completion. The obligation that recurs after it
// stays. It needs upload access. Reopening what is not completed returns it as
// it is. ErrObligationNotFound.
func (v *Vault) ReopenObligation(ctx context.Context, actor Actor, obligationID string, cond Condition) (Obligation, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Obligation, audit.Event, error) {
		old, err := t.changeable(obligationID, cond.IfMatch)
		if err != nil {
			return Obligation{}, audit.Event{}, err
		}
		if old.CompletedAt.IsZero() {
			shown, err := t.showObligation(old)
			return shown, audit.Event{}, err
		}
		o := t.revise(old)
		o.reopen()
		return t.storeObligation(old, o, audit.Event{
			Op: audit.OpObligationReopened, Facts: audit.Facts{"obligation": audit.Text(o.ID)},
		})
	})
}

func (o *obligation) reopen() {
	var open Obligation
	o.CompletedAt, o.CompletedBy, o.Note, o.Evidence = open.CompletedAt, open.CompletedBy, open.Note, open.Evidence
}
