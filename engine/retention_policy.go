package engine

import (
	"context"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// Policy says how long documents live: PeriodDays after what StartFrom names,
// they are archived or deleted. Which policy counts for a document, if several
// apply, and what Protect forbids meanwhile, is told in
// strongroom/engine/internal/retention.
type Policy struct {
	ID         string
	Name       string
	Scope      Scope
	Target     string // a product, a template id, a category or a document id; "" for an organization
	PeriodDays uint64 // of 24 hours
	Action     Action
	StartFrom  Start
	Protect    Protect
	Enabled    bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Revision   uint64
}

// Scope is what a policy is for.
type Scope string

const (
	ScopeOrganization Scope = "organization" // every document
	ScopeProduct      Scope = "product"      // those of one product
	ScopeTemplate     Scope = "template"     // those made from one template
	ScopeCategory     Scope = "category"     // those of one category
	ScopeDocument     Scope = "document"     // one
)

// Action is what a policy does to a document that is due.
type Action string

const (
	ActionArchive Action = "archive" // takes it out of the default lists
	ActionDelete  Action = "delete"  // removes it for good
)

// Start is what the period of a policy counts from. A document that lacks the
// fact is not due.
type Start string

const (
	StartCreated Start = retention.FromCreated // when the document was made
	StartUpdated Start = retention.FromUpdated // when it was changed last
	StartVersion Start = retention.FromVersion // when its current version was made
)

// StartField counts from the day in a custom field of type date: from noon in
// UTC, when the day has begun everywhere.
func StartField(key string) Start { return retention.FromField + Start(key) }

// Protect is how a policy keeps documents from being deleted before their
// period is over.
type Protect string

const (
	ProtectNone       Protect = "none"       // it does not
	ProtectGovernance Protect = "governance" // an admin may bypass it, with a reason
	ProtectCompliance Protect = "compliance" // nobody may bypass it, and the policy can only be prolonged
)

// NewPolicy describes a policy to be made. Name, Scope, Target (but for an
// organization), PeriodDays and Action are required; empty StartFrom is
// createdAt, empty Protect is none.
type NewPolicy struct {
	Name       string
	Scope      Scope
	Target     string
	PeriodDays uint64
	Action     Action
	StartFrom  Start   // "": StartCreated
	Protect    Protect // none or governance
	Disabled   bool
}

// PolicyPatch: nil leaves a member alone. To make a policy one of compliance,
// Confirm must be its name.
type PolicyPatch struct {
	Name       *string
	Scope      *Scope
	Target     *string
	PeriodDays *uint64
	Action     *Action
	StartFrom  *Start
	Protect    *Protect
	Enabled    *bool
	Confirm    string
}

// Policy returns one policy of retention. ErrPolicyNotFound.
func (v *Vault) Policy(ctx context.Context, policyID string) (Policy, error) {
	return view(v, func(t *tx) (Policy, error) { return t.policy(policyID) })
}

// Policies lists the policies of retention in the order in which they were made.
func (v *Vault) Policies(ctx context.Context, p Paging) (Page[Policy], error) {
	return view(v, func(t *tx) (Page[Policy], error) { return idPage(t, bucketPolicies, listPolicies, p, decodePolicy) })
}

func (t *tx) policy(policyID string) (Policy, error) {
	key, ok := store.ParseID(policyID)
	if !ok {
		return Policy{}, ErrPolicyNotFound
	}
	return t.policyAt(key)
}

func (t *tx) policyAt(key id) (Policy, error) {
	b := t.Get(bucketPolicies, key[:])
	if b == nil {
		return Policy{}, ErrPolicyNotFound
	}
	return decodePolicy(key, b)
}

// CreatePolicy makes a policy. It needs admin access. *InvalidError for values
// that do not go together, for a category or a field that the vault does not
// have, and for one of compliance: a policy becomes one by UpdatePolicy, which
// has it confirmed.
func (v *Vault) CreatePolicy(ctx context.Context, actor Actor, n NewPolicy) (Policy, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Policy{}, audit.Event{}, err
		}
		p := n.policy()
		if err := t.checkPolicy(Policy{}, &p); err != nil {
			return Policy{}, audit.Event{}, err
		}
		if t.count(bucketPolicies, maxPolicies) >= maxPolicies {
			return Policy{}, audit.Event{}, invalid("name", "would be that of one policy too many: a vault has at most %d", maxPolicies)
		}
		key, err := t.NewID()
		if err != nil {
			return Policy{}, audit.Event{}, err
		}
		p.ID = key.String()
		return t.addPolicy(p)
	})
}

// addPolicy stores a policy that is checked and has an id.
func (t *tx) addPolicy(p Policy) (Policy, audit.Event, error) {
	p.CreatedAt, p.UpdatedAt, p.Revision = t.Now(), t.Now(), 1
	detail := detailMembers{}
	detail.text("name", p.Name)
	detail.text("target", p.Target)
	return p, audit.Event{Op: audit.OpPolicyCreated, Facts: p.facts(), Detail: encodeDetail(detail)}, t.putPolicy(nil, &p)
}

func (n NewPolicy) policy() Policy {
	p := Policy{
		Name: n.Name, Scope: n.Scope, Target: n.Target, PeriodDays: n.PeriodDays, Action: n.Action,
		StartFrom: n.StartFrom, Protect: n.Protect, Enabled: !n.Disabled,
	}
	if p.StartFrom == "" {
		p.StartFrom = StartCreated
	}
	if p.Protect == "" {
		p.Protect = ProtectNone
	}
	return p
}

func (p *Policy) facts() audit.Facts {
	facts := audit.Facts{
		"action": audit.Text(string(p.Action)), "days": audit.Number(p.PeriodDays), "enabled": audit.Text(fmt.Sprint(p.Enabled)),
		"policy": audit.Text(p.ID), "protect": audit.Text(string(p.Protect)), "scope": audit.Text(string(p.Scope)),
		"startFrom": audit.Text(string(p.StartFrom)),
	}
	if p.Target != "" {
		facts["target"] = audit.Text(audit.Escape(p.Target))
	}
	return facts
}

// take takes over what the facts of an entry say of a policy. The target stays
// if they do not tell it, as those of before did not.
func (p *Policy) take(facts audit.Facts) {
	word := func(name string) string {
		s, _ := facts[name].AsText()
		return s
	}
	p.PeriodDays, _ = facts["days"].AsNumber()
	p.Action, p.Protect, p.Enabled = Action(word("action")), Protect(word("protect")), word("enabled") == "true"
	p.Scope, p.StartFrom = Scope(word("scope")), Start(word("startFrom"))
	if target, err := audit.Unescape(word("target")); err == nil && target != "" {
		p.Target = target
	}
	if p.Scope == ScopeOrganization {
		p.Target = ""
	}
}

// UpdatePolicy changes a policy. It needs admin access. One that protects by
// compliance can only be renamed and prolonged: ErrPolicyLocked for anything
// else. ErrPolicyNotFound.
func (v *Vault) UpdatePolicy(ctx context.Context, actor Actor, policyID string, cond Condition, patch PolicyPatch) (Policy, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		old, err := t.changeablePolicy(policyID, cond.IfMatch)
		if err != nil {
			return Policy{}, audit.Event{}, err
		}
		p := patch.apply(old)
		if err := patch.confirms(old, p); err != nil {
			return Policy{}, audit.Event{}, err
		}
		if err := t.checkPolicy(old, &p); err != nil {
			return Policy{}, audit.Event{}, err
		}
		if p == old {
			return old, audit.Event{}, nil
		}
		return t.changePolicy(old, p)
	})
}

// changePolicy stores a policy, checked, as it is from now on.
func (t *tx) changePolicy(old, p Policy) (Policy, audit.Event, error) {
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

func (patch *PolicyPatch) apply(p Policy) Policy {
	set(&p.Name, patch.Name)
	set(&p.Scope, patch.Scope)
	set(&p.Target, patch.Target)
	set(&p.PeriodDays, patch.PeriodDays)
	set(&p.Action, patch.Action)
	set(&p.StartFrom, patch.StartFrom)
	set(&p.Protect, patch.Protect)
	set(&p.Enabled, patch.Enabled)
	return p
}

// confirms guards compliance on both sides: a policy protects by compliance only
// if somebody has confirmed that, and it never protects less afterwards.
func (patch *PolicyPatch) confirms(old, p Policy) error {
	if old.Protect == ProtectCompliance {
		if retention.Loosens(old.forRules(), p.forRules()) {
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

// DeletePolicy removes a policy and returns it as it was. What it has done
// stays. It needs admin access. ErrPolicyLocked for one of compliance,
// ErrPolicyNotFound.
func (v *Vault) DeletePolicy(ctx context.Context, actor Actor, policyID string, cond Condition) (Policy, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		p, err := t.changeablePolicy(policyID, cond.IfMatch)
		if err == nil && p.Protect == ProtectCompliance {
			err = ErrPolicyLocked
		}
		if err != nil {
			return Policy{}, audit.Event{}, err
		}
		return t.removePolicy(p)
	})
}

func (t *tx) removePolicy(p Policy) (Policy, audit.Event, error) {
	return p, audit.Event{Op: audit.OpPolicyDeleted, Facts: audit.Facts{"policy": audit.Text(p.ID)}}, t.putPolicy(&p, nil)
}

// putPolicy writes a policy with its row by scope, and has what it counts from
// indexed; p is nil if it is removed.
func (t *tx) putPolicy(old, p *Policy) error {
	var before, after [][]byte
	if old != nil {
		before = policyRows(old)
	}
	if p == nil {
		key, _ := store.ParseID(old.ID)
		t.Delete(bucketPolicies, key[:])
	} else {
		key, _ := store.ParseID(p.ID)
		after = policyRows(p)
		t.Put(bucketPolicies, key[:], p.encode())
		if err := t.index(string(p.StartFrom)); err != nil {
			return err
		}
	}
	t.putRows(bucketScopes, before, after)
	return nil
}
