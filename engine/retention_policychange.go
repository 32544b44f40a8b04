package engine

import (
	"context"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
)

// UpdatePolicy changes a policy. It needs admin access. One that protects by
// compliance can only be renamed and prolonged: ErrPolicyLocked for anything
// else. ErrPolicyNotFound. *PreviewRequiredError if documents that were not would
// be due for deletion at once, and the PlanDigest is not that of a preview of this
// change. *NeedsTwoError.
func (v *Vault) UpdatePolicy(ctx context.Context, actor Actor, policyID string, cond Condition, patch PolicyPatch) (Policy, Receipt, error) {
	v.planning.Lock()
	defer v.planning.Unlock()
	change, err := view(v, func(t *tx) (policyChange, error) {
		if err := t.admit(actor); err != nil {
			return policyChange{}, err
		}
		return t.changePolicy(policyID, cond, patch)
	})
	if err == nil {
		err = v.foreseen(ctx, &change.old, &change.is, patch.PlanDigest)
	}
	if err != nil {
		return Policy{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		change, err := t.changePolicy(policyID, cond, patch)
		if err != nil {
			return Policy{}, audit.Event{}, err
		}
		old, p := change.old, change.is
		if p == old {
			return old, audit.Event{}, nil
		}
		if err := t.policyNeedsTwo(old, p, &policyUpdate{old.ID, cond.IfMatch, policyPatch(patch)}); err != nil {
			return Policy{}, audit.Event{}, err
		}
		return t.storePolicy(old, p)
	})
}

// storePolicy stores a policy, checked, as it is from now on.
func (t *tx) storePolicy(old, p Policy) (Policy, audit.Event, error) {
	detail := map[string]any{}
	if p.Name != old.Name {
		detail["name"] = changed{old.Name, p.Name}
	}
	if p.Target != old.Target {
		detail["target"] = changed{old.Target, p.Target}
	}
	p.UpdatedAt, p.Revision = t.Now(), old.Revision+1
	return p, audit.Event{Op: audit.OpPolicyUpdated, Facts: p.facts(), Detail: encodeDetail(detail)}, t.putPolicy(&old, &p)
}

// policyChange is a policy as it was, and as it is to be.
type policyChange struct{ old, is Policy }

func (t *tx) changePolicy(policyID string, cond Condition, patch PolicyPatch) (policyChange, error) {
	old, err := t.changeablePolicy(policyID, cond.IfMatch)
	if err != nil {
		return policyChange{}, err
	}
	p, err := patch.apply(old)
	if err == nil {
		err = patch.confirms(old, p)
	}
	if err == nil {
		err = t.checkPolicy(old, &p)
	}
	return policyChange{old, p}, err
}

func (t *tx) changeablePolicy(policyID string, m Match) (Policy, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Policy{}, err
	}
	p, err := t.policy(policyID)
	if err != nil {
		return Policy{}, err
	}
	return p, m.check(p.Revision)
}

func (patch *PolicyPatch) apply(p Policy) (Policy, error) {
	set(&p.Name, patch.Name)
	set(&p.Scope, patch.Scope)
	set(&p.Target, patch.Target)
	set(&p.Period, patch.Period)
	set(&p.Action, patch.Action)
	set(&p.StartFrom, patch.StartFrom)
	set(&p.StartAt, patch.StartAt)
	set(&p.Protect, patch.Protect)
	set(&p.Enabled, patch.Enabled)
	if patch.PeriodDays == nil {
		return p, nil
	}
	if patch.Period == nil {
		p.Period = ""
	}
	var err error
	p.Period, err = onePeriod(p.Period, *patch.PeriodDays, true)
	return p, err
}

// confirms guards compliance on both sides: a policy protects by compliance only
// if somebody has confirmed that, and it never protects less afterwards.
func (patch *PolicyPatch) confirms(old, p Policy) error {
	if old.Protect == ProtectCompliance {
		if retention.Loosens(old.forRules(nil), p.forRules(nil)) {
			return ErrPolicyLocked
		}
		return nil
	}
	if p.Protect != ProtectCompliance {
		return nil
	}
	if patch.Confirm != old.Name {
		return invalid("confirm", "must be the name of the policy: once it protects by compliance, nobody can weaken, disable or delete it, and nobody can delete its documents before their time")
	}
	if !p.Enabled {
		return invalid("enabled", "must be true for a policy of compliance")
	}
	return nil
}
