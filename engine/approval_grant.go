package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"strongroom/audit"
)

// assent is another person's approval of one call. It is made by Approve alone, is
// good for one transaction, and nobody outside this package can make one.
type assent struct {
	approvalID string
	plan       audit.Hash // that the approver has seen
	approver   Actor
	call       string
	arguments  []byte
}

// stale tells the approver that who asked may not any more.
func (a *assent) stale(err error) error {
	if a != nil && (errors.Is(err, ErrTokenRevoked) || errors.Is(err, ErrTokenExpired)) {
		return &StaleError{"who asked for it, or their key, is out of service"}
	}
	return err
}

// needsTwo guards what the setting TwoPersons covers: it is refused, unless it is
// the very call that another person has approved. The system is no person, and
// carries on what was approved before.
func (t *tx) needsTwo(what Covered, d deed) error {
	s, err := t.settings()
	if err != nil || !s.needsTwo(what) || t.actor.UserID == systemActor {
		return err
	}
	if given := t.actor.assent; given != nil {
		if call, arguments := callOf(d); call == given.call && bytes.Equal(arguments, given.arguments) {
			return nil
		}
	}
	return &NeedsTwoError{What: what, deed: d}
}

func (s *Settings) needsTwo(what Covered) bool {
	if what == CoveredAdmin || what == CoveredSettings {
		return len(s.TwoPersons) > 0
	}
	return slices.Contains(s.TwoPersons, what)
}

// RequestApproval asks for another person's approval of what was refused with
// needs, as the actor who was refused. It needs admin access, for an export auditor
// access. Somebody who asks for
// the same again, of the same state, gets the request that waits.
func (v *Vault) RequestApproval(ctx context.Context, actor Actor, needs *NeedsTwoError) (Approval, Receipt, error) {
	if needs == nil || needs.deed == nil {
		return Approval{}, Receipt{}, invalid("needs", "must be the error that a call was refused with")
	}
	made, receipt, err := update(v, ctx, actor, func(t *tx) (*approval, audit.Event, error) {
		required := AccessAdmin
		if needs.What == CoveredExport { // which auditors do too
			required = AccessAuditor
		}
		if err := t.may(required); err != nil {
			return nil, audit.Event{}, err
		}
		if t.actor.impersonated {
			return nil, audit.Event{}, errImpersonated()
		}
		return t.requestApproval(needs)
	})
	if err != nil {
		return Approval{}, Receipt{}, err
	}
	v.signalDue()
	return made.Approval, receipt, nil
}

// errImpersonated keeps a program that may act as anybody from being both persons.
func errImpersonated() error {
	return &PermissionError{Required: AccessAdmin, Actual: AccessAdmin, Reason: "a program that impersonates somebody neither asks for an approval nor gives one; do it by your own sign-in or key"}
}

func (t *tx) requestApproval(needs *NeedsTwoError) (*approval, audit.Event, error) {
	call, arguments := callOf(needs.deed)
	state, err := t.stateOf(needs.deed)
	if err != nil {
		return nil, audit.Event{}, err
	}
	plan, waiting := planDigest(needs.What, call, arguments, state), 0
	var same *approval
	err = t.recentApprovals(t.Now().Add(-approvalLifetime), func(a *approval) {
		if a.at(t.Now()).Status == ApprovalWaiting {
			if waiting++; a.PlanDigest == plan && a.RequestedBy == t.actor.UserID && a.key == t.actor.KeyID {
				same = a
			}
		}
	})
	if err != nil || same != nil {
		return same, audit.Event{}, err
	}
	if waiting >= maxWaiting {
		return nil, audit.Event{}, invalid("approval", "would be one too many: %d wait already; decide on some first", maxWaiting)
	}
	key, err := t.NewID()
	if err != nil {
		return nil, audit.Event{}, err
	}
	a := &approval{id: key, key: t.actor.KeyID, state: state, Approval: Approval{
		ID: key.String(), What: needs.What, Status: ApprovalWaiting, PlanDigest: plan, RequestedBy: t.actor.UserID,
		RequestedAt: t.Now(), ExpiresAt: t.Now().Add(approvalLifetime), Call: call, Arguments: arguments,
	}}
	t.Put(bucketApprovals, key[:], a.encode())
	return a, audit.Event{Op: audit.OpApprovalRequested, Facts: audit.Facts{
		"approval": audit.Text(a.ID), "call": audit.Text(call), "expires": audit.Text(factTime(a.ExpiresAt)),
		"plan": audit.Text(plan.String()), "what": audit.Text(string(a.What)),
	}}, nil
}

// Granted is what a call came to that was approved: Result is what the call returns,
// but its receipt and error: a Hold, a []HoldOutcome, an Erasure, a Certificate, a
// Lock, a Policy, a Run, the Settings, a User, an Issued, a Client, an
// IssuedClient or a *Bag to be written.
type Granted struct {
	Approval Approval
	Result   any
}

// Approve carries out what was asked for, exactly and once: in one transaction with
// the end of the request, as the actor who asked. The plan is the one that was seen.
// The actor is another active admin than who asked, with admin access, or the
// operator. The receipt is that of the call.
//
// *StaleError if the request was decided, has expired, has another plan, was judged
// on another state than there is now, or if who asked has lost their access since;
// *PermissionError for who asked; ErrApprovalNotFound; and whatever else the call is
// refused with now.
func (v *Vault) Approve(ctx context.Context, actor Actor, approvalID string, plan audit.Hash) (Granted, Receipt, error) {
	given := &assent{approvalID: approvalID, plan: plan, approver: actor}
	asker := Actor{Access: AccessAdmin, assent: given}
	a, err := view(v, func(t *tx) (*approval, error) {
		a, err := t.mayGrant(given)
		given.approver = t.actor // in the one spelling of its ids
		if err != nil {
			return nil, err
		}
		asker.UserID, asker.KeyID, asker.ClientID = a.RequestedBy, a.key, ""
		if _, row := t.clientRow(a.key); row != nil { // it was asked by a client
			asker.KeyID, asker.ClientID = "", a.key
		}
		return a, nil
	})
	if err != nil {
		return Granted{}, Receipt{}, err
	}
	d, err := a.deed()
	if err != nil {
		return Granted{}, Receipt{}, err
	}
	given.approvalID, given.call, given.arguments = a.ID, a.Call, a.Arguments
	result, receipt, err := d.run(v, ctx, asker)
	if errors.Is(err, ErrLacksPermission) { // the approver was asked before
		err = &StaleError{"who asked for it may not do it any more"}
	}
	if errors.Is(err, ErrPreviewRequired) || errors.Is(err, ErrPlanChanged) || errors.Is(err, ErrNeedsTwo) {
		err = &StaleError{"what would be done has changed since it was asked for; ask again"}
	}
	if err != nil {
		return Granted{}, Receipt{}, given.stale(err)
	}
	ended, err := v.Approval(ctx, a.ID)
	if err == nil && ended.Status == ApprovalWaiting { // the call found that there is nothing to do, and opened no transaction
		err = &StaleError{"there is nothing to do any more"}
	}
	return Granted{ended, result}, receipt, err
}

// mayGrant guards an approval, and returns the request.
func (t *tx) mayGrant(given *assent) (*approval, error) {
	a, err := t.decidable(given.approver, given.approvalID)
	if err != nil {
		return nil, err
	}
	by := t.actor
	if by.impersonated {
		return nil, errImpersonated()
	}
	if by.UserID == systemActor || by.UserID == a.RequestedBy && by.UserID != operatorActor {
		return nil, &PermissionError{Required: AccessAdmin, Actual: by.Access, Reason: "who asks for an approval cannot give it; another admin can"}
	}
	if a.Status != ApprovalWaiting {
		return nil, &StaleError{"the request is " + string(a.Status) + " already"}
	}
	if a.at(t.Now()).Status == ApprovalExpired {
		return nil, &StaleError{"the request has expired; ask again"}
	}
	if a.PlanDigest != given.plan {
		return nil, &StaleError{"the request has another plan than the one that was seen; read it again"}
	}
	d, err := a.deed()
	if err != nil {
		return nil, err
	}
	state, err := t.stateOf(d)
	if err != nil || planDigest(a.What, a.Call, a.Arguments, state) != a.PlanDigest {
		return nil, &StaleError{"what the request was judged on has changed since; ask again"}
	}
	return a, nil
}

// decidable makes the actor the one who acts, who must be an admin, and returns a
// request.
func (t *tx) decidable(actor Actor, approvalID string) (*approval, error) {
	if actor.assent != nil {
		return nil, ErrLacksPermission
	}
	if err := t.admit(actor); err != nil {
		return nil, err
	}
	if err := t.may(AccessAdmin); err != nil {
		return nil, err
	}
	return t.approval(approvalID)
}

// stillGranted guards a call that was approved, before anything of it is done.
func (t *tx) stillGranted() error {
	asked := t.actor
	defer func() { t.actor = asked }()
	_, err := t.mayGrant(asked.assent)
	return err
}

// grantApproval is the step behind a call that was approved.
func (t *tx) grantApproval() (audit.Event, error) {
	given := t.actor.assent
	a, err := t.approval(given.approvalID)
	if err != nil {
		return audit.Event{}, err
	}
	return t.endApproval(a, ApprovalGranted, given.approver.UserID), nil
}

// RejectApproval ends a request. It needs admin access; who asked may take it back.
// Rejecting what is rejected returns it as it is; *StaleError if it was granted or
// has expired.
func (v *Vault) RejectApproval(ctx context.Context, actor Actor, approvalID string) (Approval, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Approval, audit.Event, error) {
		a, err := t.decidable(actor, approvalID)
		if err != nil {
			return Approval{}, audit.Event{}, err
		}
		switch now := a.at(t.Now()); now.Status {
		case ApprovalRejected:
			return now, audit.Event{}, nil
		case ApprovalWaiting:
			event := t.endApproval(a, ApprovalRejected, t.actor.UserID)
			a, err = t.approval(a.ID)
			if err != nil {
				return Approval{}, audit.Event{}, err
			}
			return a.Approval, event, nil
		default:
			return Approval{}, audit.Event{}, &StaleError{"the request is " + string(now.Status) + " already"}
		}
	})
}
