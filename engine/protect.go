package engine

import (
	"slices"
	"time"
)

// protection is how long policies keep a document from being deleted.
type protection struct {
	by       Protect
	policyID string    // "": the date was stamped when the document left the policy
	until    time.Time // zero: the fact from which the period counts is missing, so it cannot be told
}

func (p *protection) err() error {
	return &RetainedError{Until: p.until, PolicyID: p.policyID, Protect: string(p.by)}
}

// later says whether p protects longer than another; without a date, longest.
func (p *protection) later(other *protection) bool {
	switch {
	case other == nil || p.until.IsZero():
		return other == nil || !other.until.IsZero()
	case other.until.IsZero():
		return false
	}
	return p.until.After(other.until)
}

// protection returns the one of a kind that lasts longest, nil if there is none
// at this instant. Every enabled policy that is for the document and protects,
// does so, whichever wins and whatever it does to documents: so no more specific
// policy is a way out of a less specific one. With compliance counts what was
// stamped as well.
func (d *document) protection(by Protect, policies []Policy, at time.Time) (longest *protection) {
	if by == ProtectCompliance && d.retainUntil.After(at) {
		longest = &protection{by: by, until: d.retainUntil}
	}
	for _, p := range policies {
		if !p.Enabled || p.Protect != by {
			continue
		}
		until := p.over(startOf(d, p.StartFrom))
		if c := (&protection{by, p.ID, until}); (until.IsZero() || until.After(at)) && c.later(longest) {
			longest = c
		}
	}
	return longest
}

// unprotected is nil if no policy forbids that a document be disposed of by this
// right. An erasure overrides governance: the law of the person stands before
// the rules of the house, but not before other law.
func (d *document) unprotected(right string, policies []Policy, at time.Time) error {
	longest := d.protection(ProtectCompliance, policies, at)
	if right != rightErasure && right != rightBypass {
		if g := d.protection(ProtectGovernance, policies, at); g != nil && (longest == nil || g.later(longest)) {
			longest = g
		}
	}
	if longest == nil {
		return nil
	}
	return longest.err()
}

// compliance is what protects a document that nobody can bypass, in full: the
// longest protection is not enough to tell whether a change is a way out.
type compliance struct {
	until   time.Time // the latest end that is known, what was stamped included; zero: none
	undated []string  // policies whose fact is missing
	all     []string  // policies that are for the document
}

func (t *tx) compliance(d *document) (c compliance, err error) {
	policies, err := t.policiesOf(d)
	if d.retainUntil.After(t.Now()) {
		c.until = d.retainUntil
	}
	for _, p := range policies {
		if !p.Enabled || p.Protect != ProtectCompliance {
			continue
		}
		c.all = append(c.all, p.ID)
		switch until := p.over(startOf(d, p.StartFrom)); {
		case until.IsZero():
			c.undated = append(c.undated, p.ID)
		case until.After(t.Now()) && until.After(c.until):
			c.until = until
		}
	}
	return c, err
}

// retain keeps a change from leading out of compliance: if it takes the document
// out of a period, or brings its end nearer, or makes it unknown, the end there
// was is stamped on the document. The stamp only rises. It is told as a fact of
// the entry (see tx.append).
func (t *tx) retain(old, d *document) error {
	if old == nil || d.deleted {
		return nil
	}
	was, err := t.compliance(old)
	if err != nil || was.until.IsZero() {
		return err
	}
	is, err := t.compliance(d)
	if err == nil && is.until.Before(was.until) {
		d.retainUntil, t.stamped = was.until, was.until
	}
	return err
}

// mayLeave is the guard of changes that give a document another category. While
// a policy of compliance protects it without a date, there is no end to stamp;
// so it stays under that policy until the fact is known.
func (t *tx) mayLeave(old, d *document) error {
	if d.group() == old.group() {
		return nil
	}
	was, err := t.compliance(old)
	if err != nil || len(was.undated) == 0 {
		return err
	}
	is, err := t.compliance(d)
	if err != nil {
		return err
	}
	for _, policyID := range was.undated {
		if !slices.Contains(is.all, policyID) {
			return &RetainedError{PolicyID: policyID, Protect: string(ProtectCompliance)}
		}
	}
	return nil
}
