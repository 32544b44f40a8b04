package engine

import (
	"context"
	"strings"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// ObligationPatch: nil leaves a member alone. An obligation stays with its
// document.
type ObligationPatch struct {
	Title       *string
	Description *string
	DueDate     *Due
	OwnerID     *string
	Recurrence  *string
}

// UpdateObligation needs upload access. Another due date begins the reminders
// anew, and it, or another recurrence, is what recurrences are counted from.
func (v *Vault) UpdateObligation(ctx context.Context, actor Actor, obligationID string, m Match, p ObligationPatch) (Obligation, Receipt, error) {
	if err := p.check(); err != nil {
		return Obligation{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Obligation, audit.Event, error) {
		old, err := t.changeable(obligationID, m)
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
		title := strings.TrimSpace(*p.Title)
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
func (o *obligation) moved(due Due, recurrence string) {
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
	note("recurrence", old.Recurrence, o.Recurrence)
	return m
}
