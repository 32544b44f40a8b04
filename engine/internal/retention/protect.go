package retention

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// Protect is how a policy keeps documents from being deleted before their
// period is over.
type Protect string

const (
	ProtectNone       Protect = "none"
	ProtectGovernance Protect = "governance" // an admin may bypass it
	ProtectCompliance Protect = "compliance" // nobody may
)

// Protection is how long a document is kept from being deleted.
type Protection struct {
	By       Protect
	PolicyID string    // "": by what was stamped when the document left the policy
	Until    time.Time // zero: the end is not known, because a fact is missing
}

// LastsLonger says whether p lasts longer than another; nil is none, and one
// without a known end lasts longest.
func (p *Protection) LastsLonger(other *Protection) bool {
	switch {
	case p == nil:
		return false
	case other == nil || p.Until.IsZero():
		return other == nil || !other.Until.IsZero()
	case other.Until.IsZero():
		return false
	}
	return p.Until.After(other.Until)
}

// ProtectionBy returns the protection of one kind that lasts longest, nil if
// there is none at an instant. What was stamped counts as compliance.
func ProtectionBy(by Protect, d *Document, policies []Policy, at time.Time) (longest *Protection) {
	if by == ProtectCompliance && d.RetainUntil.After(at) {
		longest = &Protection{By: by, Until: d.RetainUntil}
	}
	for i := range policies {
		p := &policies[i]
		if !p.Enabled || p.Protect != by {
			continue
		}
		until := p.Keeps(d)
		if c := (&Protection{by, p.ID, until}); (until.IsZero() || until.After(at)) && c.LastsLonger(longest) {
			longest = c
		}
	}
	return longest
}

// LongestProtection returns the protection that lasts longest, nil if there is
// none at an instant. Of equal ones it is that by compliance.
func LongestProtection(d *Document, policies []Policy, at time.Time) *Protection {
	longest := ProtectionBy(ProtectCompliance, d, policies, at)
	if g := ProtectionBy(ProtectGovernance, d, policies, at); g.LastsLonger(longest) {
		return g
	}
	return longest
}

// Compliance is all that protects a document by compliance. The longest
// protection alone does not say whether a change of the document is a way out.
type Compliance struct {
	Until   time.Time // the latest end that is known, what was stamped included; zero: none
	Undated []string  // the policies whose fact is missing
	All     []string  // the policies that are for the document
}

// ComplianceOf returns it as it is at an instant.
func ComplianceOf(d *Document, policies []Policy, at time.Time) (c Compliance) {
	if d.RetainUntil.After(at) {
		c.Until = d.RetainUntil
	}
	for i := range policies {
		p := &policies[i]
		if !p.Enabled || p.Protect != ProtectCompliance {
			continue
		}
		c.All = append(c.All, p.ID)
		switch until := p.Keeps(d); {
		case until.IsZero():
			c.Undated = append(c.Undated, p.ID)
		case until.After(at) && until.After(c.Until):
			c.Until = until
		}
	}
	return c
}

// Stamp is what a change must stamp on the document, which takes it out of a
// period, brings the period's end nearer or makes the end unknown: the end there
// was. Zero: nothing.
func (was Compliance) Stamp(is Compliance) time.Time {
	if is.Until.Before(was.Until) {
		return was.Until
	}
	return time.Time{}
}

// StampOf is what a change of a document must stamp on it, zero: nothing. It is
// that of the dates as they are given; and that of the periods which count from
// the creation because a date is not confirmed, unless the change confirms it.
func StampOf(old, d *Document, policies, policiesAfter []Policy, at time.Time) time.Time {
	given := ComplianceOf(old.vouched(maps.Keys(old.Fields)), policies, at).Stamp(
		ComplianceOf(d.vouched(maps.Keys(d.Fields)), policiesAfter, at))
	counted := ComplianceOf(old.vouched(slices.Values(d.Confirmed)), policies, at).Stamp(ComplianceOf(d, policiesAfter, at))
	return later(given, counted)
}

// vouched is the document with these dates confirmed too.
func (d *Document) vouched(keys iter.Seq[string]) *Document {
	c := *d
	c.Confirmed = slices.AppendSeq(slices.Clone(d.Confirmed), keys)
	return &c
}

// Leaves returns a policy that a change must not take the document away from,
// "" if there is none. While the fact is missing from which the period of a
// policy counts, there is no end to stamp; so the document stays under that
// policy until the fact is known.
func (was Compliance) Leaves(is Compliance) (policyID string) {
	for _, policyID := range was.Undated {
		if !slices.Contains(is.All, policyID) {
			return policyID
		}
	}
	return ""
}
