package engine

import (
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
)

// retained is the refusal that a protection is. Its end is in the zone of the vault,
// as in the sentences about a document: elsewhere it may be another day.
func (t *tx) retained(p *retention.Protection) error {
	e := &RetainedError{Until: p.Until, PolicyID: p.PolicyID, Protect: Protect(p.By)}
	zone, err := t.zone()
	if err != nil {
		return err
	}
	if !e.Until.IsZero() {
		e.Until = e.Until.In(zone)
	}
	return e
}

// compliance is all that protects a document by compliance now.
func (t *tx) compliance(d *document) (retention.Compliance, error) {
	policies, at, err := t.protecting(d)
	return retention.ComplianceOf(d.forRules(), policies, at), err
}

// protecting returns the policies that are for a document, and the instant by
// which they are judged. A doubt counts, or a change would be a way out while the
// clock is wrong.
func (t *tx) protecting(d *document) ([]retention.Policy, time.Time, error) {
	policies, err := t.rulesFor(d)
	if err != nil || len(policies) == 0 && d.retainUntil.IsZero() {
		return nil, t.Now(), err
	}
	doubt, err := t.doubt()
	return policies, t.sure(doubt), err
}

// retain keeps a change from leading out of compliance. It stamps on the document
// what the change must leave behind (see [retention.StampOf]). The stamp only
// rises, and is a fact of the change's entry.
func (t *tx) retain(old, d *document) (stamp, error) {
	if old == nil || d.deleted {
		return stamp{}, nil
	}
	policies, at, err := t.protecting(old)
	if err != nil || len(policies) == 0 {
		return stamp{}, err
	}
	after, _, err := t.protecting(d)
	if err != nil {
		return stamp{}, err
	}
	left := stamp{until: retention.StampOf(old.forRules(), d.forRules(), policies, after, at)}
	if !left.until.IsZero() {
		d.retainUntil = left.until
	}
	return left, nil
}

// stamp is what a change has come to beside what was asked for, which its entry
// tells.
type stamp struct {
	until     time.Time     // it is bound until then to a compliance that it leaves; zero: it leaves none
	confirmed *[]string     // the dates that are confirmed from now on; nil: the same as before
	window    time.Duration // for how long from now on its lock lives; 0: the change was made without its token
}

// confirms notes which dates are confirmed, if the change changes that.
func (s *stamp) confirms(old, d *document) {
	var before []string
	if old != nil {
		before = old.confirmed
	}
	if !slices.Equal(before, d.confirmed) {
		s.confirmed = &d.confirmed
	}
}

// tell adds the stamp to the facts of the change's entry.
func (s stamp) tell(facts audit.Facts) {
	if s.window > 0 {
		facts["seconds"] = audit.Number(uint64(s.window / time.Second))
	}
	if s.confirmed != nil {
		facts["confirmed"] = audit.Texts(*s.confirmed...)
	}
	if !s.until.IsZero() {
		facts["retainUntil"] = audit.Text(audit.FormatTime(s.until))
	}
}

// confirm notes which dates are confirmed after a change of custom fields: those
// that stay as they were, and those given by somebody with admin access, were
// they so before or not.
func (t *tx) confirm(was map[string]any, d *document, given map[string]any) error {
	d.confirmed = slices.DeleteFunc(d.confirmed, func(key string) bool { return d.CustomFields[key] != was[key] })
	if t.may(AccessAdmin) != nil {
		return nil
	}
	for _, key := range sortedKeys(given) {
		if _, has := d.CustomFields[key]; !has {
			continue
		}
		f, err := t.field(key)
		if err != nil {
			return err
		}
		if f.Type == DateField && !slices.Contains(d.confirmed, key) {
			d.confirmed = append(d.confirmed, key)
		}
	}
	slices.Sort(d.confirmed)
	return nil
}

// forget drops what is confirmed of fields that the document has no more.
func (d *document) forget() {
	d.confirmed = slices.DeleteFunc(d.confirmed, func(key string) bool { return d.CustomFields[key] == nil })
}

// mayLeave is the guard of changes that give a document another category (see
// [retention.Compliance.Leaves]).
func (t *tx) mayLeave(old, d *document) error {
	if d.group() == old.group() {
		return nil
	}
	was, err := t.compliance(old)
	if err != nil || len(was.Undated) == 0 {
		return err
	}
	is, err := t.compliance(d)
	if err != nil {
		return err
	}
	if policyID := was.Leaves(is); policyID != "" {
		return &RetainedError{PolicyID: policyID, Protect: ProtectCompliance}
	}
	return nil
}
