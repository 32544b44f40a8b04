package engine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
)

// The window of a lease: how long it lives without a change under it.
const (
	defaultWindow = 300 * time.Second
	maxWindow     = 1800 * time.Second
)

// Lock is an edit lock: a lease on one document, held by one user in one
// application (the API key), proved by a token. It ends by release, by breaking,
// or when its deadline passes, and every accepted change with the token moves
// the deadline on. Whether it is live is decided by the clock each time it is
// asked, so nothing has to be swept.
type Lock struct {
	Token           string // "" unless for the key that took it
	Duration        time.Duration
	Until           time.Time
	LockedByApp     string
	UseScratchPad   bool
	ScratchPadStale bool   // the document has moved on since the draft that waits was begun
	Fence           uint64 // rises with every acquisition and breaking, and outlives the lock
	User            User   // who holds it
	Revision        uint64 // of the document, which locking leaves alone
}

// NewLock describes a lock to be acquired.
type NewLock struct {
	Duration      time.Duration // 0: 300 s; more than 1,800 s is 1,800 s
	LockedByApp   string
	UseScratchPad bool
	Password      string // the document's edit password, if it has one
	IfMatch       Match  // revisions of the document
}

// LockPatch: nil leaves a member alone.
type LockPatch struct {
	Duration    *time.Duration
	LockedByApp *string
}

// lease is a lock as its document's record has it, live or not.
type lease struct {
	userID, keyID, app string
	window             time.Duration
	until              time.Time
	scratchPad         bool
	fence              uint64 // of this lease; the document's own may have risen since
}

func (l *lease) encode() []byte {
	e := newEncoder(96)
	e.str(l.userID)
	e.str(l.keyID)
	e.str(l.app)
	e.num(uint64(l.window / time.Second))
	e.time(l.until)
	e.flag(l.scratchPad)
	e.num(l.fence)
	return e.b
}

func decodeLease(b []byte) (*lease, error) {
	if len(b) == 0 {
		return nil, nil
	}
	d := newDecoder(b)
	l := &lease{userID: d.str(), keyID: d.str(), app: d.str()}
	l.window = time.Duration(d.num()) * time.Second
	l.until = d.time()
	l.scratchPad = d.flag()
	l.fence = d.num()
	return l, d.done("lease")
}

// live returns the lease that holds the document now, or nil.
func (t *tx) live(d *document) *lease {
	if d.lease != nil && t.now.Before(d.lease.until) {
		return d.lease
	}
	return nil
}

// lock is the live lease as others may see it: without the token.
func (t *tx) lock(d *document) (*Lock, error) {
	l := t.live(d)
	if l == nil {
		return nil, nil
	}
	u, err := t.user(l.userID)
	if err != nil {
		return nil, fmt.Errorf("who holds the lock of %s: %w", d, err)
	}
	lock := &Lock{
		Duration: l.window, Until: l.until, LockedByApp: l.app, UseScratchPad: l.scratchPad, Fence: l.fence, User: u,
		Revision: d.Revision,
	}
	if l.scratchPad {
		draft, err := t.draftOf(d, l.userID)
		if err != nil {
			return nil, err
		}
		lock.ScratchPadStale = draft.stale(d)
	}
	return lock, nil
}

// admitToken is the guard of every change of a document. A locked document is
// changed only with the token of the live lock, by the user who holds it; and a
// token that is not the live lock's is refused, lock or no lock: its holder
// believes in a lock that is gone. An accepted token makes store move the
// deadline.
func (t *tx) admitToken(d *document, c Condition) error {
	l := t.live(d)
	switch {
	case l == nil && c.LockToken == "":
		return nil
	case l == nil:
		return ErrNotLocked
	case l.userID != t.actor.UserID || !t.v.isToken(d.ID, l, c.LockToken):
		lock, err := t.lock(d)
		if err != nil {
			return err
		}
		return &LockedError{Lock: *lock}
	}
	t.window = l.window
	if c.LockDuration > 0 {
		t.window = min(c.LockDuration, maxWindow)
	}
	return nil
}

// slide moves the deadline of the lease whose token the running closure showed.
func (t *tx) slide(d *document) {
	if t.window > 0 && d.lease != nil {
		d.lease.window, d.lease.until = t.window, t.now.Add(t.window)
	}
}

// token derives what proves a lease: whoever has the key could make it, and
// nobody has to store it. A lease of a later fence, or of another user, has
// another.
func (v *Vault) token(documentID string, l *lease) string {
	mac := hmac.New(sha256.New, v.lockKey)
	mac.Write([]byte(documentID + "\n" + strconv.FormatUint(l.fence, 10) + "\n" + l.userID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (v *Vault) isToken(documentID string, l *lease, token string) bool {
	return hmac.Equal([]byte(v.token(documentID, l)), []byte(token))
}

// loadLockKey reads the key tokens are derived with, and makes it if it is not
// there: losing it voids the locks that run, and nothing else.
func loadLockKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, fileLockKey)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == sha256.Size {
		return key, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the key of lock tokens: %w", err)
	}
	key = make([]byte, sha256.Size)
	rand.Read(key) // never fails: crypto/rand
	if err := blobstore.WriteFile(path, key); err != nil {
		return nil, fmt.Errorf("the key of lock tokens: %w", err)
	}
	return key, nil
}

// shown adds the token for the key that took the lock.
func (t *tx) shown(d *document) (Lock, error) {
	lock, err := t.lock(d)
	if err != nil {
		return Lock{}, err
	}
	if lock == nil {
		return Lock{}, ErrNotLocked
	}
	if d.lease.userID == t.actor.UserID && d.lease.keyID == t.actor.KeyID {
		lock.Token = t.v.token(d.ID, d.lease)
	}
	return *lock, nil
}

// AcquireLock takes the lock of a document. It needs upload access, and a user
// who may lock. *LockedError if somebody holds it, the caller included: they
// have it already, and GET tells them the token. ErrLockState for an archived
// document.
func (v *Vault) AcquireLock(ctx context.Context, actor Actor, documentID string, n NewLock) (Lock, Receipt, error) {
	window, err := lockWindow(n.Duration, defaultWindow)
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	if err := checkApp(n.LockedByApp); err != nil {
		return Lock{}, Receipt{}, err
	}
	proof, err := v.provePassword(ctx, documentID, n.Password)
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Lock, audit.Event, error) {
		old, err := t.lockable(documentID, n.IfMatch, proof)
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		d := old.clone()
		d.fence++
		d.lease = &lease{
			userID: t.actor.UserID, keyID: t.actor.KeyID, app: n.LockedByApp, window: window,
			until: t.now.Add(window), scratchPad: n.UseScratchPad, fence: d.fence,
		}
		if err := t.beginEdit(d); err != nil {
			return Lock{}, audit.Event{}, err
		}
		t.store(old, d)
		lock, err := t.shown(d)
		return lock, audit.Event{
			Op: audit.OpLockAcquired, Document: d.ID,
			Facts: audit.Facts{
				"fence": audit.Number(d.fence), "seconds": audit.Number(uint64(window / time.Second)),
				"scratchpad": audit.Text(strconv.FormatBool(n.UseScratchPad)),
			},
			Detail: appDetail(n.LockedByApp),
		}, err
	})
}

// lockable is the guard of AcquireLock.
func (t *tx) lockable(documentID string, m Match, proof passwordProof) (*document, error) {
	if err := t.may(AccessUpload); err != nil {
		return nil, err
	}
	d, err := t.liveDocument(documentID)
	if err != nil {
		return nil, err
	}
	u, err := t.user(t.actor.UserID)
	if errors.Is(err, ErrUserNotFound) || err == nil && !u.CanLockEnvelopes {
		return nil, &PermissionError{Required: AccessUpload, Actual: t.actor.Access, Reason: "this user may not lock documents (canLockEnvelopes)"}
	}
	if err != nil {
		return nil, err
	}
	if lock, err := t.lock(d); err != nil {
		return nil, err
	} else if lock != nil {
		return nil, &LockedError{Lock: *lock}
	}
	if d.Archived {
		return nil, fmt.Errorf("%w: it is archived; unarchive it first", ErrLockState)
	}
	if err := m.check(d.Revision); err != nil {
		return nil, err
	}
	return d, proof.stands(d)
}

func lockWindow(asked, otherwise time.Duration) (time.Duration, error) {
	switch {
	case asked == 0:
		return otherwise, nil
	case asked < time.Second:
		return 0, invalid("lockDurationInSeconds", "must be above 0")
	}
	return min(asked.Truncate(time.Second), maxWindow), nil
}

func checkApp(app string) error {
	var c checks
	c.line("lockedByApp", app, maxShort)
	return c.err()
}

func appDetail(app string) []byte {
	if app == "" {
		return nil
	}
	return encodeDetail(map[string]any{"lockedByApp": app})
}

// Lock returns the lock of a document to anybody with view access; the token
// is in it only for the key that took it. ErrNotLocked.
func (v *Vault) Lock(ctx context.Context, actor Actor, documentID string) (Lock, error) {
	return view(v, func(t *tx) (Lock, error) {
		t.actor = actor
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Lock{}, err
		}
		return t.shown(d)
	})
}

// RenewLock moves the deadline on, by the lock's window or a new one, and may
// change the application's name. It takes the token (Condition.LockToken).
// ErrNotLocked, *LockedError.
func (v *Vault) RenewLock(ctx context.Context, actor Actor, documentID string, c Condition, p LockPatch) (Lock, Receipt, error) {
	if p.Duration != nil {
		window, err := lockWindow(*p.Duration, 0)
		if err == nil && window == 0 {
			err = invalid("lockDurationInSeconds", "must be above 0")
		}
		if err != nil {
			return Lock{}, Receipt{}, err
		}
		c.LockDuration = window // a value in the body wins
	}
	if p.LockedByApp != nil {
		if err := checkApp(*p.LockedByApp); err != nil {
			return Lock{}, Receipt{}, err
		}
	}
	return update(v, ctx, actor, func(t *tx) (Lock, audit.Event, error) {
		old, err := t.held(documentID, c)
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		d := old.clone()
		var detail []byte
		if p.LockedByApp != nil && *p.LockedByApp != d.lease.app {
			d.lease.app = *p.LockedByApp
			detail = appDetail(d.lease.app)
		}
		t.store(old, d)
		if d.lease.scratchPad {
			if err := t.keepDraftUntil(d, d.lease.until); err != nil {
				return Lock{}, audit.Event{}, err
			}
		}
		lock, err := t.shown(d)
		return lock, audit.Event{
			Op: audit.OpLockRenewed, Document: d.ID,
			Facts: audit.Facts{
				"fence": audit.Number(d.lease.fence), "seconds": audit.Number(uint64(d.lease.window / time.Second)),
			},
			Detail: detail,
		}, err
	})
}

// held is the guard of what only the holder may do: the lock is there, and the
// token is its.
func (t *tx) held(documentID string, c Condition) (*document, error) {
	d, err := t.writable(documentID, AccessUpload, c)
	if err == nil && t.live(d) == nil {
		err = ErrNotLocked
	}
	return d, err
}

// ReleaseLock ends a lock; it takes the token. Without a scratchpad, save keeps
// the changes that landed, and not to save takes them back: metadata is again
// what it was at locking, where that is still valid, and versions added since
// are marked as discarded. With a scratchpad, save lands its changes, all or
// nothing, each with an entry of its own, and not to save drops them. If saving
// fails, the lock stays. The lock returned is as it was. The receipt is of the
// last entry, lock.released.
func (v *Vault) ReleaseLock(ctx context.Context, actor Actor, documentID string, c Condition, save bool) (Lock, Receipt, error) {
	scratchPad, err := view(v, func(t *tx) (bool, error) {
		d, err := t.liveDocument(documentID)
		return err == nil && d.lease != nil && d.lease.scratchPad, err
	})
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	switch {
	case scratchPad && save:
		return v.saveDraft(ctx, actor, documentID, c)
	case save || scratchPad:
		lock, receipt, err := update(v, ctx, actor, func(t *tx) (released, audit.Event, error) { return t.release(documentID, c, scratchPad) })
		v.purge(context.WithoutCancel(ctx), lock.litter...)
		return lock.Lock, receipt, err
	}
	locks, receipts, err := updateAll(v, ctx, actor,
		func(t *tx) (released, audit.Event, error) { return t.revert(documentID, c) },
		func(t *tx) (released, audit.Event, error) { return t.release(documentID, c.token(), false) })
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	return locks[1].Lock, receipts[1], nil
}

// released is a lock as it was, and the bytes of the draft that went with it.
type released struct {
	Lock
	litter []Digest
}

// release ends the lock. scratchPad is what the caller took the lock to be: if
// another has come in its place, nothing happens.
func (t *tx) release(documentID string, c Condition, scratchPad bool) (released, audit.Event, error) {
	old, err := t.held(documentID, c)
	if err != nil {
		return released{}, audit.Event{}, err
	}
	if old.lease.scratchPad != scratchPad {
		return released{}, audit.Event{}, ErrNotLocked
	}
	lock, err := t.shown(old)
	if err != nil {
		return released{}, audit.Event{}, err
	}
	facts := audit.Facts{"fence": audit.Number(old.lease.fence)}
	d := old.clone()
	var litter []Digest
	if scratchPad {
		if litter, err = t.dropDraft(d, d.lease.userID); err != nil {
			return released{}, audit.Event{}, err
		}
		if litter != nil {
			facts["draft"] = audit.Text("dropped")
		}
	}
	t.endEdit(d)
	d.lease = nil
	t.store(old, d)
	return released{lock, litter}, audit.Event{Op: audit.OpLockReleased, Document: d.ID, Facts: facts}, nil
}

// BreakLock ends somebody's lock, without the token: for locks that were
// forgotten. What has landed stays; a scratchpad waits for its user. It needs
// admin access and a reason. ErrNotLocked.
func (v *Vault) BreakLock(ctx context.Context, actor Actor, documentID string, m Match, reason string) (Lock, Receipt, error) {
	var c checks
	c.required("reason", reason, maxComment)
	if err := c.err(); err != nil {
		return Lock{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Lock, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Lock{}, audit.Event{}, err
		}
		old, err := t.liveDocument(documentID)
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		lock, err := t.lock(old)
		if err == nil && lock == nil {
			err = ErrNotLocked
		}
		if err == nil {
			err = m.check(old.Revision)
		}
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		d := old.clone()
		if d.lease.scratchPad {
			if err := t.keepDraftUntil(d, t.now); err != nil {
				return Lock{}, audit.Event{}, err
			}
		}
		t.endEdit(d)
		d.fence++
		d.lease = nil
		t.store(old, d)
		return *lock, audit.Event{
			Op: audit.OpLockBroken, Document: d.ID,
			Facts:  audit.Facts{"fence": audit.Number(d.fence), "user": audit.Text(old.lease.userID)},
			Detail: encodeDetail(map[string]any{"reason": strings.TrimSpace(reason)}),
		}, nil
	})
}
