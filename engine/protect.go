package engine

import (
	"strongroom/engine/internal/retention"
)

// retained is the refusal that a protection is.
func retained(p *retention.Protection) error {
	return &RetainedError{Until: p.Until, PolicyID: p.PolicyID, Protect: string(p.By)}
}

// compliance is all that protects a document by compliance now.
func (t *tx) compliance(d *document) (retention.Compliance, error) {
	policies, err := t.policiesOf(d)
	return retention.ComplianceOf(d.forRules(), rulesOf(policies), t.Now()), err
}

// retain keeps a change from leading out of compliance. It stamps on the document
// what the change must leave behind (see [retention.Compliance.Stamp]). The stamp
// only rises. It is a fact of the change's entry (see tx.append).
func (t *tx) retain(old, d *document) error {
	if old == nil || d.deleted {
		return nil
	}
	was, err := t.compliance(old)
	if err != nil || was.Until.IsZero() {
		return err
	}
	is, err := t.compliance(d)
	if err != nil {
		return err
	}
	if stamp := was.Stamp(is); !stamp.IsZero() {
		d.retainUntil, t.stamped = stamp, stamp
	}
	return nil
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
		return &RetainedError{PolicyID: policyID, Protect: string(ProtectCompliance)}
	}
	return nil
}
