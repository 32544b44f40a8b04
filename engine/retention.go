package engine

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Which policy counts
//
// Archiving and deleting are decided apart. For each, those policies stand for
// election that are enabled, have that action, and are for the document. Of
// these
//
//  1. the most specific scope wins: document before category before template
//     before product before organization;
//  2. within it the longest period, or the shortest if the setting
//     retentionConflict says so;
//  3. of equal periods the policy that was made first.
//
// The winner alone decides, even if the fact its period counts from is missing:
// then the document is never due, and no less specific policy takes its place. It
// is due when the period has passed since the start, to the millisecond; a day
// is 24 hours, and a date begins at noon, UTC (see startOf). What is due to be
// deleted and archived is deleted.
//
// The same as a table; 1y and 7y are periods, those of one scope in the order in
// which the policies were made; - is no enabled policy of that scope with the
// action in question.
//
//	document category template product organization conflict  wins
//	-        -        -        -       -            any       nothing: it is kept
//	-        -        -        -       1y           any       organization 1y
//	-        -        -        1y      7y           any       product 1y
//	-        -        7y       1y      1y           any       template 7y
//	-        1y       7y       7y      7y           any       category 1y
//	7y       1y       1y       1y      1y           any       document 7y
//	-        1y+7y    -        -       -            longest   category 7y
//	-        1y+7y    -        -       -            shortest  category 1y
//	-        1y+1y    -        -       7y           any       category 1y, made first
//	-        -        -        -       1y+7y        longest   organization 7y
//	-        -        -        -       1y+7y        shortest  organization 1y
//	7y+1y    1y       -        -       -            shortest  document 1y
//
// The test TestTruthTable holds each row of it.

// choose returns the policy that wins among those that are for a document, nil
// if none has this action.
func choose(policies []Policy, action Action, shortest bool) *Policy {
	var best *Policy
	for i := range policies {
		p := &policies[i]
		if p.Enabled && p.Action == action && (best == nil || p.before(best, shortest)) {
			best = p
		}
	}
	return best
}

// before says whether p wins over another for the same document.
func (p *Policy) before(other *Policy, shortest bool) bool {
	period := cmp.Compare(other.PeriodDays, p.PeriodDays)
	if shortest {
		period = -period
	}
	return cmp.Or(cmp.Compare(other.Scope.rank(), p.Scope.rank()), period, cmp.Compare(p.ID, other.ID)) < 0
}

func (s Scope) rank() int { return slices.Index(scopes(), s) }

// over is when the period that began at a start ends; zero if it never began.
func (p *Policy) over(start time.Time) time.Time {
	if start.IsZero() {
		return time.Time{}
	}
	return start.Add(p.period())
}

func (p *Policy) period() time.Duration { return time.Duration(p.PeriodDays) * 24 * time.Hour }

// Because is why a document that is due is left alone; Planned if it is not.
type Because string

const (
	Planned   Because = "due"
	Held      Because = "held"      // a legal hold keeps it
	Locked    Because = "locked"    // somebody edits it
	Protected Because = "protected" // a policy forbids its deletion, or it is retained otherwise
	Failed    Because = "failed"    // of a run: it was not as planned any more, or could not be done
)

// verdict is what retention says of one document.
type verdict struct {
	action   Action
	policyID string
	because  Because
}

// judge says what is to be done to a document at an instant, by these policies,
// which are all that are for it. due is false if nothing is, by this action. What
// is to be deleted is not archived, unless a policy protects it.
func (t *tx) judge(d *document, action Action, policies []Policy, shortest bool, at time.Time) (v verdict, due bool) {
	winner := choose(policies, action, shortest)
	if winner == nil || action == ActionArchive && d.Archived {
		return v, false
	}
	if over := winner.over(startOf(d, winner.StartFrom)); over.IsZero() || over.After(at) {
		return v, false
	}
	if action == ActionArchive {
		if other, too := t.judge(d, ActionDelete, policies, shortest, at); too && other.because != Protected {
			return v, false
		}
	}
	return verdict{action, winner.ID, t.obstacle(d, action, policies)}, true
}

// obstacle says what keeps a document from what is due. A lock does not stand
// before a hold or before protection: those stay when it has gone.
func (t *tx) obstacle(d *document, action Action, policies []Policy) Because {
	err := d.unheld()
	if action == ActionDelete {
		err = t.disposableUnder(d, rightPolicy, policies)
	}
	switch {
	case errors.Is(err, ErrOnHold):
		return Held
	case err != nil:
		return Protected
	case t.live(d) != nil:
		return Locked
	}
	return Planned
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

// rules are all enabled policies, as one plan applies them.
type rules struct {
	shortest bool
	by       map[scoped][]Policy
	kinds    map[Action][]string // of start, sorted, by which policies other than of scope document act
	alone    []string            // documents that have a policy of their own, sorted
}

type scoped struct {
	scope  Scope
	target string
}

// rules reads the policies, with one of them replaced or added, if given.
func (t *tx) rules(hypothetical *Policy) (*rules, error) {
	shortest, err := t.shortestWins()
	if err != nil {
		return nil, err
	}
	r := &rules{shortest: shortest, by: map[scoped][]Policy{}, kinds: map[Action][]string{}}
	if hypothetical != nil {
		r.add(*hypothetical)
	}
	err = t.eachPolicy(func(p Policy) {
		if hypothetical == nil || p.ID != hypothetical.ID {
			r.add(p)
		}
	})
	for action, kinds := range r.kinds {
		r.kinds[action] = slices.Compact(slices.Sorted(slices.Values(kinds)))
	}
	r.alone = slices.Compact(slices.Sorted(slices.Values(r.alone)))
	return r, err
}

func (r *rules) add(p Policy) {
	if !p.Enabled {
		return
	}
	at := scoped{p.Scope, p.Target}
	r.by[at] = append(r.by[at], p)
	if p.Scope == ScopeDocument {
		r.alone = append(r.alone, p.Target)
	} else {
		r.kinds[p.Action] = append(r.kinds[p.Action], p.StartFrom)
	}
}

// of returns the policies that are for a document.
func (r *rules) of(d *document) (found []Policy) {
	for _, s := range scopes() {
		if target := s.target(d); target != "" || s == ScopeOrganization {
			found = append(found, r.by[scoped{s, target}]...)
		}
	}
	return found
}

// ofGroup returns the policies that are for all documents of a group.
func (r *rules) ofGroup(g group) []Policy {
	return r.of(&document{Document: Document{Product: g.product, TemplateID: g.template, Category: g.category}})
}

// starts are all kinds of start by which the rules act on more than one
// document.
func (r *rules) starts() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.kinds[ActionArchive], r.kinds[ActionDelete]))))
}
