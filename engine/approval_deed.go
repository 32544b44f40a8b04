package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// deed is a call that two persons may be needed for: the exact method with its
// arguments, as they are stored until it is decided on. A deed is made of checked
// arguments, so that it encodes the same each time.
type deed interface {
	// judged spells what the request is judged on: if that changes, so has what
	// would be done.
	judged(t *tx) (string, error)
	// run makes the call.
	run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error)
}

// deeds are the calls by the names that they are stored and shown under.
var deeds = map[string]func() deed{
	"hold.release":    func() deed { return &holdRelease{} },
	"holds.release":   func() deed { return &holdsRelease{} },
	"erasure.request": func() deed { return &erasureRequest{} },
	"document.delete": func() deed { return &documentDelete{} },
	"lock.break":      func() deed { return &lockBreak{} },
	"policy.create":   func() deed { return &policyCreate{} },
	"policy.update":   func() deed { return &policyUpdate{} },
	"policy.delete":   func() deed { return &policyDelete{} },
	"run.start":       func() deed { return &runStart{} },
	"settings.update": func() deed { return &settingsUpdate{} },
	"user.create":     func() deed { return &userCreate{} },
	"user.update":     func() deed { return &userUpdate{} },
	"key.create":      func() deed { return &keyCreate{} },
	"key.rotate":      func() deed { return &keyRotate{} },
	"export.make":     func() deed { return &exportMake{} },
	"client.create":   func() deed { return &clientCreate{} },
	"client.update":   func() deed { return &clientUpdate{} },
	"client.rotate":   func() deed { return &clientRotate{} },
}

// nameOfDeed is the name of a call; "" if it has none.
func nameOfDeed(d deed) string {
	for name, make := range deeds {
		if fmt.Sprintf("%T", make()) == fmt.Sprintf("%T", d) {
			return name
		}
	}
	return ""
}

// callOf is the call as it is stored: its name and its arguments.
func callOf(d deed) (name string, arguments []byte) {
	arguments, err := json.Marshal(d)
	if err != nil { // it holds nothing that has no JSON
		panic(err)
	}
	return nameOfDeed(d), arguments
}

// deed reads the call of a request back. One that does not encode the same again, as
// after an upgrade that spells it otherwise, is refused.
func (a *approval) deed() (deed, error) {
	made := deeds[a.Call]
	if made == nil {
		return nil, &StaleError{"this version of the program does not know what was asked for; ask again"}
	}
	d := made()
	from := json.NewDecoder(bytes.NewReader(a.Arguments))
	from.DisallowUnknownFields()
	if err := from.Decode(d); err != nil {
		return nil, &StaleError{"this version of the program does not know what was asked for; ask again"}
	}
	if _, again := callOf(d); !bytes.Equal(again, a.Arguments) {
		return nil, &StaleError{"this version of the program spells what was asked for otherwise; ask again"}
	}
	return d, nil
}

// planDigest binds what is approved: the call, what it needs two for, and the state
// it was judged on.
func planDigest(what Covered, call string, arguments []byte, state string) audit.Hash {
	return audit.HashLine(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n", what, call, arguments, state))
}

// stateOf is the digest of what a call is judged on now.
func (t *tx) stateOf(d deed) (string, error) {
	spelled, err := d.judged(t)
	return audit.HashLine([]byte(spelled)).String(), err
}

// rowState spells a row as it is stored; a row that is not there is empty.
func (t *tx) rowState(bucket []byte, of string) string {
	key, _ := store.ParseID(of)
	return audit.HashLine(t.Get(bucket, key[:])).String() + "\n"
}

// documentState spells what matters of a document to whoever destroys it, or breaks
// its lock.
func (t *tx) documentState(documentID string) (string, error) {
	d, err := t.document(documentID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %s %d %d\n", d.ID, d.Revision, d.indexState(), d.HoldCount, d.fence), nil
}

// rulesState spells the policies and the settings.
func (t *tx) rulesState() (string, error) {
	var all strings.Builder
	err := t.eachPolicy(func(p Policy) { fmt.Fprintf(&all, "%s %d\n", p.ID, p.Revision) })
	s, failed := t.settings()
	if err == nil {
		err = failed
	}
	fmt.Fprintf(&all, "%s %s %d\n", s.RetentionConflict, s.TimeZone, s.MaxClockGapDays)
	return all.String(), err
}

type holdRelease struct {
	Hold    string   `json:"holdId"`
	IfMatch []uint64 `json:"ifMatch,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

func (d *holdRelease) judged(t *tx) (string, error) { return t.rowState(bucketHolds, d.Hold), nil }

func (d *holdRelease) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.ReleaseHold(ctx, actor, d.Hold, Condition{IfMatch: d.IfMatch}, d.Reason))
}

type holdsRelease struct {
	Holds  []string `json:"holdIds"`
	Reason string   `json:"reason,omitempty"`
}

func (d *holdsRelease) judged(t *tx) (string, error) {
	var all strings.Builder
	for _, holdID := range d.Holds {
		all.WriteString(t.rowState(bucketHolds, holdID))
	}
	return all.String(), nil
}

func (d *holdsRelease) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	outcomes, err := v.ReleaseHolds(ctx, actor, d.Holds, d.Reason, false)
	return outcomes, Receipt{}, err
}

type erasureRequest struct {
	Documents  []string `json:"documentIds,omitempty"`
	User       string   `json:"userId,omitempty"`
	LegalBasis string   `json:"legalBasis"`
	Requester  string   `json:"requester"`
}

// judged: an erasure is of what the documents are, whatever has become of them; what
// came to hold them since defers it.
func (d *erasureRequest) judged(t *tx) (string, error) {
	if d.User != "" {
		return t.rowState(bucketUsers, d.User), nil
	}
	var all strings.Builder
	for _, documentID := range d.Documents {
		state, err := t.documentState(documentID)
		if err != nil {
			return "", err
		}
		all.WriteString(state)
	}
	return all.String(), nil
}

func (d *erasureRequest) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.RequestErasure(ctx, actor, NewErasure{DocumentIDs: d.Documents, UserID: d.User, LegalBasis: d.LegalBasis, Requester: d.Requester}))
}

// documentDelete has no token of a lock: it would be one for whoever reads the
// request.
type documentDelete struct {
	Document string   `json:"documentId"`
	IfMatch  []uint64 `json:"ifMatch,omitempty"`
	Bypass   bool     `json:"bypassGovernance,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

func (d *documentDelete) judged(t *tx) (string, error) { return t.documentState(d.Document) }

func (d *documentDelete) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.DeleteDocument(ctx, actor, d.Document, Condition{IfMatch: d.IfMatch, BypassGovernance: d.Bypass, Reason: d.Reason}))
}

type lockBreak struct {
	Document string   `json:"documentId"`
	IfMatch  []uint64 `json:"ifMatch,omitempty"`
	Reason   string   `json:"reason"`
}

func (d *lockBreak) judged(t *tx) (string, error) { return t.documentState(d.Document) }

func (d *lockBreak) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.BreakLock(ctx, actor, d.Document, Condition{IfMatch: d.IfMatch}, d.Reason))
}

type runStart struct {
	PlanDigest  *audit.Hash `json:"planDigest,omitempty"`
	AcceptClock bool        `json:"acceptClock"`
	Reason      string      `json:"reason"`
}

func (d *runStart) judged(t *tx) (string, error) { return string(t.Get(bucketMeta, metaDoubt)), nil }

func (d *runStart) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.StartRun(ctx, actor, NewRun(*d)))
}

// Issued is a key that was made, with its token.
type Issued struct {
	Key    Key
	Secret Secret
}

type keyCreate struct {
	Name      string    `json:"name"`
	UserID    string    `json:"userId"`
	Access    Access    `json:"access,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

func (d *keyCreate) judged(t *tx) (string, error) { return t.rowState(bucketUsers, d.UserID), nil }

func (d *keyCreate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	k, token, receipt, err := v.CreateKey(ctx, actor, NewKey(*d))
	return Issued{k, token}, receipt, err
}

type keyRotate struct {
	Key     string        `json:"keyId"`
	Overlap time.Duration `json:"overlapNanoseconds"`
}

func (d *keyRotate) judged(t *tx) (string, error) {
	k, err := t.key(d.Key)
	if err != nil {
		return "", err
	}
	return t.rowState(bucketKeys, k.ID) + t.rowState(bucketUsers, k.UserID), nil
}

func (d *keyRotate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	k, token, receipt, err := v.RotateKey(ctx, actor, d.Key, d.Overlap)
	return Issued{k, token}, receipt, err
}

// boxed is the result of a call, of whatever type.
func boxed[T any](result T, receipt Receipt, err error) (any, Receipt, error) {
	return result, receipt, err
}
