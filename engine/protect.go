package engine

import (
	"strongroom/engine/internal/retention"
)

// retained is the refusal that a protection is.
func retained(p *retention.Protection) error {
	return &RetainedError{Until: p.Until, PolicyID: p.PolicyID, Protect: string(p.By)}
}

func (t *tx) compliance(d *document) (retention.Compliance, error) {
	policies, err := t.policiesOf(d)
	return retention.ComplianceOf(d.forRules(), rulesOf(policies), t.now), err
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

// mayLeave is the guard of changes that give a document another category. While
// a policy of compliance protects it without a date, there is no end to stamp;
// so it stays under that policy until the fact is known.
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
