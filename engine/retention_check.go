package engine

import (
	"time"

	"strongroom/engine/internal/retention"
)

// The engine reads what a decision needs. The rules in
// strongroom/engine/internal/retention decide, and need no database.

// Because is why a document that is due is left alone. It is Planned if the
// document is not left alone.
type Because string

const (
	Planned   Because = "due"
	Held      Because = "held"      // a legal hold keeps it
	Locked    Because = "locked"    // somebody edits it
	Protected Because = "protected" // a policy forbids its deletion, or a stamp of one that it has left
	Failed    Because = "failed"    // of a run: the document was not as planned any more, or could not be dealt with
)

// forRules is what the rules look at.
func (p *Policy) forRules() retention.Policy {
	return retention.Policy{
		ID: p.ID, Scope: retention.Scope(p.Scope), Target: p.Target, Action: retention.Action(p.Action),
		Start: retention.Start{From: p.StartFrom}, Period: retention.Days(p.PeriodDays),
		Protect: retention.Protect(p.Protect), Enabled: p.Enabled,
	}
}

// rulesOf is what the rules look at, of each policy.
func rulesOf(policies []Policy) []retention.Policy {
	list := make([]retention.Policy, len(policies))
	for i := range policies {
		list[i] = policies[i].forRules()
	}
	return list
}

// forRules is what the rules look at. It does not say whether the document is
// locked: that depends on the clock.
func (d *document) forRules() *retention.Document {
	return &retention.Document{
		ID: d.ID, Product: d.Product, Template: d.TemplateID, Category: d.Category,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, VersionAt: d.Current.CreatedAt, Fields: d.CustomFields,
		Archived: d.Archived, Held: d.HoldCount > 0, RetainUntil: d.retainUntil,
	}
}

// judge decides on one document for retention: what is to be done to it by an
// action that is due at an instant. The policies are all that are for it. due is
// false if nothing is.
func (t *tx) judge(d *document, action retention.Action, policies []retention.Policy, shortest bool, at time.Time) (v retention.Verdict, due bool) {
	facts := d.forRules()
	facts.Locked = t.live(d) != nil
	return retention.Judge(facts, action, policies, shortest, at, t.Now())
}

// shortestWins is the setting retentionConflict.
func (t *tx) shortestWins() (bool, error) {
	s, err := t.settings()
	return s.RetentionConflict == conflictShortest, err
}

const (
	conflictLongest  = "longest"
	conflictShortest = "shortest"
)

// rules reads the policies, with one of them replaced or added, if given.
func (t *tx) rules(hypothetical *Policy) (*retention.Rules, error) {
	shortest, err := t.shortestWins()
	if err != nil {
		return nil, err
	}
	var policies []retention.Policy
	if hypothetical != nil {
		policies = append(policies, hypothetical.forRules())
	}
	err = t.eachPolicy(func(p Policy) {
		if hypothetical == nil || p.ID != hypothetical.ID {
			policies = append(policies, p.forRules())
		}
	})
	return retention.NewRules(policies, shortest), err
}
