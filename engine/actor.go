package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
)

// Access is what a user or key may do. view < upload < admin are cumulative.
// auditor stands beside upload, between view and admin: neither of the two may
// what the other may. So accesses are compared by Permits and Meet, never as
// numbers. The zero Access may do nothing.
type Access uint8

const (
	AccessNone    Access = 0 // nothing
	AccessView    Access = 1 // reads what everybody in its vault reads
	AccessUpload  Access = 2 // also creates documents, versions and metadata
	AccessAdmin   Access = 3 // does all of it: also archives, deletes, and governs
	AccessAuditor Access = 8 // reads all that an admin reads, and changes nothing
)

// accesses are those a user or a key can have.
var accesses = []Access{AccessView, AccessUpload, AccessAuditor, AccessAdmin}

const errAccess = "must be view, upload, auditor or admin"

// String is none, view, upload, auditor or admin.
func (a Access) String() string {
	switch a {
	case AccessView:
		return "view"
	case AccessUpload:
		return "upload"
	case AccessAdmin:
		return "admin"
	case AccessAuditor:
		return "auditor"
	}
	return "none"
}

// MarshalText is String.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts view, upload, auditor and admin.
func (a *Access) UnmarshalText(text []byte) error {
	for _, level := range accesses {
		if string(text) == level.String() {
			*a = level
			return nil
		}
	}
	return errors.New(errAccess)
}

// Permits is nil if this access is enough for what takes another, *PermissionError
// if it is not. What takes AccessAuditor is what an admin reads: the error says
// that it takes an admin. Permits is the one place that compares two.
func (a Access) Permits(required Access) error {
	switch {
	case Meet(a, required) == required:
		return nil
	case required == AccessAuditor:
		required = AccessAdmin
	}
	return &PermissionError{Required: required, Actual: a}
}

// Meet is what both of two accesses may: an auditor with a key for uploads may
// view, one with a key for admins audits.
func Meet(a, b Access) Access {
	if a > b {
		a, b = b, a
	}
	switch {
	case b > AccessAdmin && b != AccessAuditor || a > AccessAdmin && a != AccessAuditor: // there is no such access
		return AccessNone
	case b == AccessAuditor && a == AccessAdmin:
		return AccessAuditor
	case b == AccessAuditor && a == AccessUpload:
		return AccessView
	}
	return a
}

// Actor is who acts. It is a parameter, second after ctx, of every call that
// changes something, and stands in the entry that records the change.
//
// UserID is the id of a user of the vault, or the name of one of the two
// actors that are no user: "system", for what schedules do, and "operator",
// for who works at the machine itself. KeyID is "" when no key was used.
// Access may narrow what the user and the key may do, never widen it: the
// effective level is looked up again in the transaction of each change, so a
// key that is revoked while its upload is on the way changes nothing any more.
type Actor struct {
	UserID string
	KeyID  string
	Access Access
	// ClientID is the client by which somebody acts, with a token of the host's;
	// "": none. It stands as the key in entries, and KeyID is not looked at. What
	// the client may not do, nobody may who acts by it; once it is closed, nobody
	// acts by it any more.
	ClientID string
	// Grant is how the client got its token. Once it has the grant no more, or may
	// no more be this user by it, nobody acts by it. "": that is not asked.
	Grant Grant

	assent *assent // of another person, to one call; only Approve gives one
	// impersonated: a client acts as the user by its own word, which admit finds out.
	impersonated bool
}

const (
	systemActor   = "system"
	operatorActor = "operator"
)

// System is the actor of schedules.
func System() Actor { return Actor{UserID: systemActor, Access: AccessAdmin} }

// Operator is the actor of who works at the machine: the command line on a
// vault at rest, and the control socket. Who can use it can read the files.
func Operator() Actor { return Actor{UserID: operatorActor, Access: AccessAdmin} }

// Receipt names the audit entry that records a change. The zero Receipt says
// that nothing was written, because what was asked for held already.
type Receipt = audit.Receipt

// Condition is what the caller asks for, besides the rules, before a change goes
// ahead. Every call that changes something with a revision takes one, after the
// ids of what it changes. The zero Condition asks for nothing. A member that
// means nothing to a call is not looked at:
//
//	IfMatch           every call; of a lock or a hold it is the document's revision
//	LockToken         what changes a document; RenewLock and ReleaseLock require it, and Sketch, SketchVersions and OpenSketch read with it
//	LockDuration      wherever LockToken is looked at, but for the three that read
//	Overwrite         ReleaseLock
//	BypassGovernance  DeleteDocument
//	Reason            DeleteDocument
//
// A lock stands in the way of what changes a document's metadata, versions or
// state. It does not of AcquireLock and BreakLock, of holds and obligations, nor
// of what is no document: there, LockToken means nothing.
type Condition struct {
	// IfMatch are the revisions of which one must be the current one:
	// *PreconditionError if none is.
	IfMatch Match
	// LockToken proves the lock the caller holds. "": none is claimed, and a
	// document that is locked is refused with a *LockedError. A token whose lock
	// has ended is refused with ErrNotLocked.
	LockToken string
	// LockDuration is the window of the lock from this change on, in whole
	// seconds, 1,800 s at most. 0 leaves it as it is.
	LockDuration time.Duration
	// Overwrite lets a scratchpad be saved although the document has changed
	// since it was begun.
	Overwrite bool
	// BypassGovernance lets a document be deleted that a policy of governance
	// protects. It needs a Reason.
	BypassGovernance bool
	// Reason is why a document is deleted. It stands in the entry's detail.
	Reason string
}

// token is the condition of what follows in the same transaction, where the
// revision has moved on.
func (c Condition) token() Condition {
	return Condition{LockToken: c.LockToken, LockDuration: c.LockDuration}
}

// Match lists the revisions a caller accepts. Nil accepts any; an empty list
// that is not nil accepts none.
type Match []uint64

func (m Match) check(revision uint64) error {
	if m == nil || slices.Contains(m, revision) {
		return nil
	}
	return &PreconditionError{revision}
}

// admit looks the actor up in the transaction and makes it the one who acts:
// with what its own, its user's and its key's access all may, as they are
// now.
func (t *tx) admit(a Actor) error {
	t.actor = a
	t.actor.impersonated = false
	if a.UserID == systemActor || a.UserID == operatorActor {
		if a.ClientID != "" { // a client acts as users, and as nobody else
			return ErrInvalidToken
		}
		return nil
	}
	userID, access, err := t.admitUser(a.UserID)
	if err != nil {
		return err
	}
	t.actor.UserID, t.actor.Access = userID, Meet(a.Access, access)
	if a.ClientID != "" {
		return t.admitClient(a)
	}
	if a.KeyID == "" {
		return nil
	}
	k, err := t.key(a.KeyID)
	if err != nil {
		return err
	}
	if k.UserID != userID {
		return ErrInvalidToken
	}
	t.actor.KeyID, t.actor.Access = k.ID, Meet(t.actor.Access, k.Access)
	return k.usable(t.Now())
}

// Admit looks up who acts, for a host that keeps sessions of its own: the user,
// and the actor with the access that its user and its key leave it now. Whoever
// authorizes a read by a session asks it each time. ErrTokenRevoked if the user
// is closed, ErrUserNotFound, and the errors of Authenticate for a key that has
// ended.
func (v *Vault) Admit(ctx context.Context, a Actor) (User, Actor, error) {
	type admitted struct {
		user  User
		actor Actor
	}
	in, err := view(v, func(t *tx) (in admitted, err error) {
		if err = t.admit(a); err == nil {
			in.actor = t.actor
			in.user, err = t.user(t.actor.UserID)
		}
		return in, err
	})
	return in.user, in.actor, err
}

// RecordSession writes the entry that says that a user's session began or ended.
// The actor is the user, or the system for a session that ended by itself. The
// id is the host's: 1 to 40 letters, digits, "-" and "_", and no secret.
func (v *Vault) RecordSession(ctx context.Context, actor Actor, sessionID, userID string, ended bool) (Receipt, error) {
	if len(sessionID) == 0 || len(sessionID) > 40 || strings.Trim(sessionID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return Receipt{}, invalid("session", "must be 1 to 40 letters, digits, - and _")
	}
	op := audit.OpSessionStarted
	if ended {
		op = audit.OpSessionEnded
	}
	_, receipt, err := update(v, ctx, actor, func(t *tx) (struct{}, audit.Event, error) {
		u, err := t.user(userID)
		if err == nil && t.actor.UserID != u.ID && t.actor.UserID != systemActor {
			err = t.may(AccessAdmin)
		}
		if err != nil {
			return struct{}{}, audit.Event{}, err
		}
		t.Note()
		return struct{}{}, audit.Event{Op: op, Facts: audit.Facts{"session": audit.Text(sessionID), "user": audit.Text(u.ID)}}, nil
	})
	return receipt, err
}

// self says whether who acts is a user, and themselves: what a client does in
// somebody's name whom it impersonates, they have not done.
func (t *tx) self(userID string) bool { return t.actor.UserID == userID && !t.actor.impersonated }

// may is the guard that every change asks first.
func (t *tx) may(required Access) error { return t.actor.Access.Permits(required) }

// lastUsed is when keys were last used: derived, disposable, and so not in
// rows.db but in a file of its own, written by Sweep and Close. A file that
// is missing or damaged means nothing is known.
type lastUsed struct {
	mu    sync.Mutex // leaf lock
	path  string
	times map[string]time.Time
	dirty bool
}

func (l *lastUsed) load(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path, l.times = path, map[string]time.Time{}
	if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &l.times) != nil {
		l.times = map[string]time.Time{}
	}
	if l.times == nil { // the file said null
		l.times = map[string]time.Time{}
	}
}

func (l *lastUsed) note(keyID string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[keyID], l.dirty = at, true
}

func (l *lastUsed) at(keyID string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times[keyID]
}

// save writes outside the lock: whoever authenticates does not wait for a disk.
// Sweep and Close do not run at the same time.
func (l *lastUsed) save() error {
	l.mu.Lock()
	b, err := json.Marshal(l.times)
	dirty := l.dirty
	l.dirty = false
	l.mu.Unlock()
	if err != nil || !dirty {
		return err
	}
	if err := blobstore.WriteFile(l.path, b); err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return err
	}
	return nil
}
