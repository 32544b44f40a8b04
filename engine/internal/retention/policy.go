// Package retention is the rules by which a vault keeps documents and disposes
// of them: which policy counts, what protects, when something is due, whether a
// document may be disposed of, and when the daily run starts. They are functions
// of what they are given. The package reads no database and no clock, and knows
// documents and policies only by the values declared here.
//
// # Which policy counts
//
// Archiving and deleting are decided apart. For each, the candidates are the
// policies that are enabled, have that action, and are for the document. Of these
//
//  1. the most specific scope wins: document before category before template
//     before product before organization;
//  2. within it the longest period, or the shortest if the vault's settings say
//     so: counted in days from the fact that each counts from, for the document in
//     question, since a month is longer than 30 days or shorter;
//  3. of equal periods the policy that was made first.
//
// The winner alone decides, even if the fact its period counts from is missing:
// then the document is never due, and no less specific policy takes its place.
// It is due when the period has passed since its start, to the millisecond.
// What is due to be deleted and archived is deleted.
//
// # When a period is over
//
// Periods are reckoned in calendar dates in the vault's zone. An instant has the
// date that the clocks show there; a date field has its own, in every zone. The
// period ends on the date so many years, months, weeks or days later, on the last
// day of a month that lacks it, at the time of day at which it began: an instant's
// own, and noon in UTC of a date. A start that is moved to the end of its month or
// calendar year is the last millisecond of that in the zone, and such a period
// ends with the last millisecond of a day. TestWhenAPeriodIsOver has a table.
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
// # What protects
//
// Every enabled policy that is for the document and protects does so until its
// own period is over, whichever wins and whatever it does to documents: no more
// specific policy is a way out of a less specific one. If the fact is missing
// from which its period counts, it protects without a known end.
//
// Compliance ends when it has ended in each zone that the vault had since a policy
// promised it. A date that it counts from has to be confirmed by somebody with
// admin access. Until then the period counts from the document's creation too, and
// the later end holds: who may upload can set a date that is long past. What is
// due goes by the date as it is given.
//
// # What may be disposed of
//
// A hold stands before every right, then protection, then a clock that is doubted.
// The first obstacle of a row counts, from left to right; - is no obstacle. Stamped
// is the end of a period of compliance that the document has left (see
// Compliance.Stamp).
//
//	right      held  archived  stamped    compliance  governance  doubted
//	manual     held  archived  protected  protected   protected   doubted
//	bypass     held  archived  protected  protected   -           doubted
//	retention  held  -         protected  protected   protected   doubted
//	erasure    held  -         protected  protected   -           doubted
//
// TestTruthTable and TestTableOfRights hold each row.
package retention

import (
	"cmp"
	"slices"
)

// Policy is of a policy what the rules look at.
type Policy struct {
	ID      string // of two policies, the smaller one was made first
	Scope   Scope
	Target  string // what the scope needs named; see Document.Target
	Action  Action
	Start   Start
	Period  Period
	Protect Protect
	Enabled bool
}

// Scope is what a policy is for.
type Scope string

const (
	ScopeOrganization Scope = "organization"
	ScopeProduct      Scope = "product"
	ScopeTemplate     Scope = "template"
	ScopeCategory     Scope = "category"
	ScopeDocument     Scope = "document"
)

// Scopes are in rising order: the more specific, the later.
func Scopes() []Scope {
	return []Scope{ScopeOrganization, ScopeProduct, ScopeTemplate, ScopeCategory, ScopeDocument}
}

// Rank rises with how specific a scope is.
func (s Scope) Rank() int {
	for rank, other := range Scopes() {
		if s == other {
			return rank
		}
	}
	return -1
}

// Action is what a policy does to a document that is due.
type Action string

const (
	ActionArchive Action = "archive"
	ActionDelete  Action = "delete"
)

// Choose returns the policy that wins among those that are for a document, nil
// if none has this action. Of equal scopes the longest period wins, or the
// shortest, counted in days from each one's own fact (see length).
func Choose(d *Document, policies []Policy, action Action, shortest bool) *Policy {
	var best *Policy
	for i := range policies {
		p := &policies[i]
		if !p.Enabled || p.Action != action {
			continue
		}
		if best == nil || p.order(d, best, shortest) < 0 {
			best = p
		}
	}
	return best
}

// order is negative if p wins over another policy for the same document.
func (p *Policy) order(d *Document, other *Policy, shortest bool) int {
	if scope := cmp.Compare(other.Scope.Rank(), p.Scope.Rank()); scope != 0 {
		return scope
	}
	period := cmp.Compare(other.length(d), p.length(d))
	if shortest {
		period = -period
	}
	return cmp.Or(period, cmp.Compare(p.ID, other.ID))
}

// Contenders are those of which one wins, whatever the facts of the document for
// which all of these policies are: a month is longer than 30 days, or shorter.
func Contenders(policies []Policy, action Action, shortest bool) (found []Policy) {
	rank := -1
	for _, p := range policies {
		if !p.Enabled || p.Action != action || p.Scope.Rank() < rank {
			continue
		}
		if p.Scope.Rank() > rank {
			rank, found = p.Scope.Rank(), nil
		}
		found = append(found, p)
	}
	if len(found) < 2 {
		return found
	}
	var longest, short int // what another has at least, and at most
	for i := range found {
		least, most := found[i].lengths()
		if longest = max(longest, least); i == 0 || most < short {
			short = most
		}
	}
	return slices.DeleteFunc(found, func(p Policy) bool {
		least, most := p.lengths()
		return shortest && least > short || !shortest && most < longest
	})
}

// Advantage is what one policy wins over another by.
type Advantage int

const (
	ByScope  Advantage = iota // it is more specific
	ByPeriod                  // its period is longer, or shorter if that counts
	ByAge                     // it was made first
)

// Advantage says what p has won over another policy for a document by.
func (p *Policy) Advantage(d *Document, other *Policy) Advantage {
	switch {
	case p.Scope != other.Scope:
		return ByScope
	case p.length(d) != other.length(d):
		return ByPeriod
	}
	return ByAge
}

// Loosens says whether a change of a policy weakens what it protects. A period
// that is never shorter is the one change that never does.
func Loosens(old, changed Policy) bool {
	same := old
	same.Period = changed.Period
	return changed != same || !changed.Period.NeverShorter(old.Period)
}
