package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// Policy says how long documents live: a Period after what StartFrom names,
// they are archived or deleted. Which policy counts for a document, if several
// apply, and what Protect forbids meanwhile, is told in
// strongroom/engine/internal/retention.
type Policy struct {
	ID        string
	Name      string
	Scope     Scope
	Target    string // a product, a template id, a category or a document id; "" for an organization
	Period    Period
	Action    Action
	StartFrom Start
	StartAt   StartAt
	Protect   Protect
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Revision  uint64
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
// organization) and Action are required; empty StartFrom is createdAt, empty
// StartAt is day, empty Protect is none.
type NewPolicy struct {
	Name       string
	Scope      Scope
	Target     string
	Period     Period // "": PeriodDays
	PeriodDays uint64 // so many days; beside a Period, the same as that
	Action     Action
	StartFrom  Start   // "": StartCreated
	StartAt    StartAt // "": StartAtDay
	Protect    Protect // none or governance
	Disabled   bool
	// PlanDigest is that of a preview of exactly this policy: see [Vault.Preview].
	PlanDigest *audit.Hash
}

// PolicyPatch: nil leaves a member alone. To make a policy one of compliance,
// Confirm must be its name.
type PolicyPatch struct {
	Name       *string
	Scope      *Scope
	Target     *string
	Period     *Period
	PeriodDays *uint64 // so many days; beside a Period, the same as that
	Action     *Action
	StartFrom  *Start
	StartAt    *StartAt
	Protect    *Protect
	Enabled    *bool
	Confirm    string
	// PlanDigest is that of a preview of exactly this change: see [Vault.Preview].
	PlanDigest *audit.Hash
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
// has it confirmed. *PreviewRequiredError if documents would be due for deletion
// at once and the PlanDigest is not that of a preview of this policy.
func (v *Vault) CreatePolicy(ctx context.Context, actor Actor, n NewPolicy) (Policy, Receipt, error) {
	if err := v.mayAsk(actor, AccessAdmin); err != nil {
		return Policy{}, Receipt{}, err
	}
	v.planning.Lock() // the rules must not change between the look and the change
	defer v.planning.Unlock()
	supposed, err := view(v, func(t *tx) (Policy, error) { return t.newPolicy(n) })
	if err == nil {
		err = v.foreseen(ctx, &Policy{}, &supposed, n.PlanDigest)
	}
	if err != nil {
		return Policy{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Policy{}, audit.Event{}, err
		}
		p, err := t.newPolicy(n)
		if err == nil {
			err = t.policyNeedsTwo(Policy{}, p, new(policyCreate(n)))
		}
		if err != nil {
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

// newPolicy is the policy described, checked, with the id of one that a preview
// adds.
func (t *tx) newPolicy(n NewPolicy) (Policy, error) {
	p := n.policy()
	period, err := onePeriod(p.Period, n.PeriodDays, n.PeriodDays != 0)
	if err != nil {
		return Policy{}, err
	}
	p.Period = period
	if err := t.checkPolicy(Policy{}, &p); err != nil {
		return Policy{}, err
	}
	p.ID = NewPolicyID
	return p, nil
}

func (n NewPolicy) policy() Policy {
	return Policy{
		Name: n.Name, Scope: n.Scope, Target: n.Target, Period: n.Period, Action: n.Action,
		StartFrom: cmp.Or(n.StartFrom, StartCreated), StartAt: cmp.Or(n.StartAt, StartAtDay),
		Protect: cmp.Or(n.Protect, ProtectNone), Enabled: !n.Disabled,
	}
}

func (p *Policy) facts() audit.Facts {
	facts := audit.Facts{
		"action": audit.Text(string(p.Action)), "enabled": audit.Text(fmt.Sprint(p.Enabled)), "period": audit.Text(string(p.Period)),
		"policy": audit.Text(p.ID), "protect": audit.Text(string(p.Protect)), "scope": audit.Text(string(p.Scope)),
		"startAt": audit.Text(string(p.StartAt)), "startFrom": audit.Text(string(p.StartFrom)),
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
	p.Period, p.StartAt = Period(word("period")), StartAt(word("startAt"))
	if days, told := facts["days"].AsNumber(); told { // an entry of before there were calendar periods
		p.Period = Days(days)
	}
	p.Action, p.Protect, p.Enabled = Action(word("action")), Protect(word("protect")), word("enabled") == "true"
	p.Scope, p.StartFrom = Scope(word("scope")), Start(word("startFrom"))
	if target, err := audit.Unescape(word("target")); err == nil && target != "" {
		p.Target = target
	}
	if p.Scope == ScopeOrganization {
		p.Target = ""
	}
}

// DeletePolicy removes a policy and returns it as it was. What it has done
// stays. It needs admin access. ErrPolicyLocked for one of compliance,
// ErrPolicyNotFound. *PreviewRequiredError if that would make documents due for
// deletion at once by others, which it has won over: disable it first, as
// previewed. *NeedsTwoError.
func (v *Vault) DeletePolicy(ctx context.Context, actor Actor, policyID string, cond Condition) (Policy, Receipt, error) {
	v.planning.Lock()
	defer v.planning.Unlock()
	old, err := view(v, func(t *tx) (Policy, error) {
		if err := t.admit(actor); err != nil {
			return Policy{}, err
		}
		return t.removablePolicy(policyID, cond)
	})
	if err == nil {
		off := old
		off.Enabled = false
		err = v.foreseen(ctx, &old, &off, nil)
	}
	if err != nil {
		return Policy{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Policy, audit.Event, error) {
		p, err := t.removablePolicy(policyID, cond)
		if err == nil {
			err = t.policyNeedsTwo(p, Policy{}, &policyDelete{p.ID, cond.IfMatch})
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

func (t *tx) removablePolicy(policyID string, cond Condition) (Policy, error) {
	p, err := t.changeablePolicy(policyID, cond.IfMatch)
	if err == nil && p.Protect == ProtectCompliance {
		err = ErrPolicyLocked
	}
	return p, err
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
