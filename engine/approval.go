package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// Covered is what the setting TwoPersons can have two persons needed for.
type Covered string

const (
	CoveredHoldRelease      Covered = "hold.release"      // a hold is released
	CoveredErasure          Covered = "erasure"           // an erasure is asked for
	CoveredGovernanceBypass Covered = "governance.bypass" // a document is deleted that a policy of governance protects
	// CoveredPolicyWeaken: a policy comes to delete, or to delete sooner or other
	// documents, protects less, is disabled or deleted; RetentionConflict changes,
	// MaxClockGapDays rises, and a run accepts a clock that is doubted.
	CoveredPolicyWeaken   Covered = "policy.weaken"
	CoveredLockBreak      Covered = "lock.break"      // somebody's lock is broken
	CoveredDocumentDelete Covered = "document.delete" // a document is deleted by hand
	CoveredExport         Covered = "export"          // documents are exported

	// While the setting names any of those, two are needed for these as well, which
	// it cannot name:
	CoveredAdmin    Covered = "admin"    // an admin is made, raised or reopened, or a key of another admin's is made or rotated
	CoveredSettings Covered = "settings" // the setting itself changes
)

// Coverable are those that the setting TwoPersons can name, in its order.
func Coverable() []Covered {
	return []Covered{CoveredHoldRelease, CoveredErasure, CoveredGovernanceBypass, CoveredPolicyWeaken, CoveredLockBreak, CoveredDocumentDelete, CoveredExport}
}

// ApprovalStatus is how a request for approval stands.
type ApprovalStatus string

const (
	ApprovalWaiting  ApprovalStatus = "waiting"
	ApprovalGranted  ApprovalStatus = "granted"  // and what was asked for was done by it
	ApprovalRejected ApprovalStatus = "rejected" // by another admin, the operator, or who asked
	ApprovalExpired  ApprovalStatus = "expired"  // nobody decided in time
)

// approvalLifetime is how long a request waits.
const approvalLifetime = 7 * 24 * time.Hour

// maxWaiting bounds the requests that wait in a vault.
const maxWaiting = 1_000

// Approval is a request for what needs two persons. It outlives its decision; what
// was asked for in words does not, since it may name people.
type Approval struct {
	ID          string
	What        Covered
	Status      ApprovalStatus
	PlanDigest  audit.Hash // of the call, its arguments and the state it was judged on
	RequestedBy string
	RequestedAt time.Time
	ExpiresAt   time.Time
	DecidedBy   string // "" while it waits, and when it expired
	DecidedAt   time.Time
	Call        string // which call was asked for, such as hold.release or policy.update
	Arguments   []byte // its arguments, a JSON object; nil unless it waits
}

// approval is an Approval as stored. Its Status is never expired.
type approval struct {
	Approval
	id    id
	key   string // with which it was asked for; "": none
	state string // the digest of the state that the request was judged on
}

// at is the approval as it is then.
func (a *approval) at(now time.Time) Approval {
	shown := a.Approval
	if shown.Status == ApprovalWaiting && !now.Before(shown.ExpiresAt) {
		shown.Status = ApprovalExpired
	}
	if shown.Status != ApprovalWaiting {
		shown.Arguments = nil
	}
	return shown
}

// NeedsTwoError refuses what needs two persons. Nothing was written. Who was refused
// may give it to RequestApproval.
type NeedsTwoError struct {
	What Covered
	deed deed
}

func (e *NeedsTwoError) Error() string {
	return fmt.Sprintf("this needs two persons (%s): request it, and have another admin approve it", e.What)
}

func (e *NeedsTwoError) Is(target error) bool { return target == ErrNeedsTwo }

// StaleError is why an approval cannot be granted, or rejected, any more.
type StaleError struct{ Why string }

func (e *StaleError) Error() string { return e.Why }

func (e *StaleError) Is(target error) bool { return target == ErrApprovalStale }

// Approval returns one request for approval. ErrApprovalNotFound.
func (v *Vault) Approval(ctx context.Context, approvalID string) (Approval, error) {
	return view(v, func(t *tx) (Approval, error) {
		a, err := t.approval(approvalID)
		if err != nil {
			return Approval{}, err
		}
		return a.at(t.Now()), nil
	})
}

// Approvals lists requests for approval in the order in which they were made; of one
// status, or all for "". A page of one status may be short, and have a cursor.
func (v *Vault) Approvals(ctx context.Context, status ApprovalStatus, p Paging) (Page[Approval], error) {
	return view(v, func(t *tx) (Page[Approval], error) {
		page, err := idPage(t, bucketApprovals, listApprovals, p, func(at id, b []byte) (Approval, error) {
			a, err := decodeApproval(at, b)
			if err != nil {
				return Approval{}, err
			}
			return a.at(t.Now()), nil
		})
		if status == "" || err != nil {
			return page, err
		}
		kept := page.Items[:0]
		for _, a := range page.Items {
			if a.Status == status {
				kept = append(kept, a)
			}
		}
		page.Items = kept
		return page, nil
	})
}

// OperatorApproved returns the approvals that the operator granted in the last seven
// days, for whoever watches over the vault to be told.
func (v *Vault) OperatorApproved(ctx context.Context) ([]Approval, error) {
	return view(v, func(t *tx) (found []Approval, err error) {
		since := t.Now().Add(-approvalLifetime)
		err = t.recentApprovals(since.Add(-approvalLifetime), func(a *approval) {
			if a.Status == ApprovalGranted && a.DecidedBy == operatorActor && a.DecidedAt.After(since) {
				found = append(found, a.Approval)
			}
		})
		return found, err
	})
}

// recentApprovals goes through those asked for after an instant, the last first.
func (t *tx) recentApprovals(after time.Time, fn func(*approval)) error {
	c := t.Cursor(bucketApprovals)
	for k, b := c.Last(); k != nil; k, b = c.Prev() {
		a, err := decodeApproval(id(k), b)
		if err != nil {
			return err
		}
		if !a.RequestedAt.After(after) {
			return nil
		}
		fn(a)
	}
	return nil
}

func (t *tx) approval(approvalID string) (*approval, error) {
	key, ok := store.ParseID(approvalID)
	if !ok {
		return nil, ErrApprovalNotFound
	}
	b := t.Get(bucketApprovals, key[:])
	if b == nil {
		return nil, ErrApprovalNotFound
	}
	return decodeApproval(key, b)
}

// expireApprovals writes down which requests nobody has decided, and forgets what
// they asked for. It returns when the next one expires.
func (v *Vault) expireApprovals(ctx context.Context) (next time.Time, err error) {
	expired, err := view(v, func(t *tx) (expired []string, err error) {
		var after time.Time // all of them, the first time
		if v.swept {
			after = t.Now().Add(-2 * approvalLifetime)
		}
		next = time.Time{}
		err = t.recentApprovals(after, func(a *approval) {
			switch {
			case a.Status != ApprovalWaiting:
			case !t.Now().Before(a.ExpiresAt):
				expired = append(expired, a.ID)
			case next.IsZero() || a.ExpiresAt.Before(next):
				next = a.ExpiresAt
			}
		})
		return expired, err
	})
	for _, approvalID := range expired {
		_, _, failed := update(v, ctx, System(), func(t *tx) (struct{}, audit.Event, error) {
			a, err := t.approval(approvalID)
			if err != nil || a.Status != ApprovalWaiting || t.Now().Before(a.ExpiresAt) {
				return struct{}{}, audit.Event{}, err
			}
			return struct{}{}, t.endApproval(a, ApprovalExpired, ""), nil
		})
		err = errors.Join(err, failed)
	}
	v.swept = err == nil
	return next, err
}

// endApproval stores how a request ended, without what it asked for.
func (t *tx) endApproval(a *approval, as ApprovalStatus, by string) audit.Event {
	ended := *a
	ended.Status, ended.Arguments, ended.state, ended.key = as, nil, "", ""
	ended.DecidedBy, ended.DecidedAt = by, t.Now()
	t.Put(bucketApprovals, a.id[:], ended.encode())
	op := map[ApprovalStatus]audit.Op{
		ApprovalGranted: audit.OpApprovalGranted, ApprovalRejected: audit.OpApprovalRejected, ApprovalExpired: audit.OpApprovalExpired,
	}[as]
	return audit.Event{Op: op, Facts: audit.Facts{"approval": audit.Text(a.ID), "plan": audit.Text(a.PlanDigest.String())}}
}

func (a *approval) encode() []byte {
	e := store.NewEncoder(256 + len(a.Arguments))
	e.Str(string(a.What))
	e.Str(string(a.Status))
	e.Hash(a.PlanDigest)
	e.Str(a.RequestedBy)
	e.Str(a.key)
	e.Time(a.RequestedAt)
	e.Time(a.ExpiresAt)
	e.Str(a.DecidedBy)
	e.Time(a.DecidedAt)
	e.Str(a.Call)
	e.Str(a.state)
	e.Nested(a.Arguments)
	return e.Bytes()
}

func decodeApproval(at id, b []byte) (*approval, error) {
	d := store.NewDecoder(b)
	a := &approval{id: at, Approval: Approval{ID: at.String()}}
	a.What, a.Status = Covered(d.Str()), ApprovalStatus(d.Str())
	a.PlanDigest = d.Hash()
	a.RequestedBy = d.Str()
	a.key = d.Str()
	a.RequestedAt = d.Time()
	a.ExpiresAt = d.Time()
	a.DecidedBy = d.Str()
	a.DecidedAt = d.Time()
	a.Call = d.Str()
	a.state = d.Str()
	a.Arguments = append(a.Arguments, d.Nested()...)
	return a, d.Done("approval " + a.ID)
}
