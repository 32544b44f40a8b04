package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// AcquireLock takes the lock of a document, and returns it with its token. It
// needs upload access, and a user who may lock (User.CanLockEnvelopes).
// *LockedError if somebody holds it, the caller too: Lock tells its holder the
// token. *PermissionError without the document's edit password, *ThrottledError
// after too many wrong ones. ErrLockState for an archived document.
func (v *Vault) AcquireLock(ctx context.Context, actor Actor, documentID string, cond Condition, n NewLock) (Lock, Receipt, error) {
	window, err := lockWindow(n.Duration, defaultWindow)
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	if err := checkApp(n.LockedByApp); err != nil {
		return Lock{}, Receipt{}, err
	}
	for {
		proof, err := v.provePassword(ctx, actor, documentID, cond, n)
		if err != nil {
			return Lock{}, Receipt{}, err
		}
		lock, receipt, err := v.acquireLock(ctx, actor, documentID, cond, n, window, proof)
		if !errors.Is(err, errPasswordMoved) {
			return lock, receipt, err
		}
	}
}

func (v *Vault) acquireLock(ctx context.Context, actor Actor, documentID string, cond Condition, n NewLock, window time.Duration, proof passwordProof) (Lock, Receipt, error) {
	taken, receipt, err := update(v, ctx, actor, func(t *tx) (locked, audit.Event, error) {
		old, err := t.lockable(documentID, cond.IfMatch)
		if err == nil {
			err = proof.stands(old)
		}
		if err != nil {
			return locked{}, audit.Event{}, err
		}
		d := old.clone()
		proof.raise(d)
		d.fence++
		d.lease = &lease{
			userID: t.actor.UserID, keyID: t.actor.KeyID, app: n.LockedByApp, window: window,
			until: t.Now().Add(window), scratchPad: n.UseScratchPad, fence: d.fence,
		}
		facts := audit.Facts{
			"fence": audit.Number(d.fence), "seconds": audit.Number(uint64(window / time.Second)),
			"scratchpad": audit.Text(strconv.FormatBool(n.UseScratchPad)),
		}
		if d.password != old.password {
			facts["password"] = digestOfPassword(d.password)
		}
		litter, err := t.beginEdit(d, facts)
		if err != nil {
			return locked{}, audit.Event{}, err
		}
		t.store(old, d, grant{}).tell(facts)
		lock, err := t.showLock(d)
		return locked{lock, litter}, audit.Event{
			Op: audit.OpLockAcquired, Document: d.ID, Facts: facts, Detail: appDetail(n.LockedByApp),
		}, err
	})
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	v.purge(context.WithoutCancel(ctx), taken.litter...)
	return taken.Lock, receipt, nil
}

// lockable is the guard of AcquireLock, but for the password.
func (t *tx) lockable(documentID string, m Match) (*document, error) {
	if err := t.may(AccessUpload); err != nil {
		return nil, err
	}
	d, err := t.liveDocument(documentID)
	if err != nil {
		return nil, err
	}
	u, err := t.user(t.actor.UserID)
	if errors.Is(err, ErrUserNotFound) || err == nil && !u.CanLockEnvelopes {
		return nil, &PermissionError{Required: AccessUpload, Actual: t.actor.Access, Reason: "this user may not lock documents; an admin can allow it (canLockEnvelopes)"}
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
	return d, m.check(d.Revision)
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
	c.Line("lockedByApp", app, check.MaxShort)
	return c.err()
}

func appDetail(app string) []byte {
	if app == "" {
		return nil
	}
	return encodeDetail(map[string]any{"lockedByApp": app})
}

// Lock returns the lock of a document. The actor must be an active user whose key
// works; the host decides who may ask. The token is in it only for the key that
// took the lock. ErrNotLocked.
func (v *Vault) Lock(ctx context.Context, actor Actor, documentID string) (Lock, error) {
	return view(v, func(t *tx) (Lock, error) {
		if err := t.admit(actor); err != nil {
			return Lock{}, err
		}
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Lock{}, err
		}
		return t.showLock(d)
	})
}

// RenewLock moves the deadline on, by the lock's window or a new one, and may
// change the application's name. It needs upload access and takes
// Condition.LockToken. ErrNotLocked, *LockedError.
func (v *Vault) RenewLock(ctx context.Context, actor Actor, documentID string, cond Condition, p LockPatch) (Lock, Receipt, error) {
	if p.Duration != nil {
		window, err := lockWindow(*p.Duration, 0)
		if err == nil && window == 0 {
			err = invalid("lockDurationInSeconds", "must be above 0")
		}
		if err != nil {
			return Lock{}, Receipt{}, err
		}
		cond.LockDuration = window // a value in the body wins
	}
	if p.LockedByApp != nil {
		if err := checkApp(*p.LockedByApp); err != nil {
			return Lock{}, Receipt{}, err
		}
	}
	return update(v, ctx, actor, func(t *tx) (Lock, audit.Event, error) {
		old, g, err := t.held(documentID, cond)
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		d := old.clone()
		var detail []byte
		if p.LockedByApp != nil && *p.LockedByApp != d.lease.app {
			d.lease.app = *p.LockedByApp
			detail = encodeDetail(map[string]any{"lockedByApp": d.lease.app}) // also that there is none now
		}
		facts := audit.Facts{"fence": audit.Number(d.lease.fence)}
		t.store(old, d, g).tell(facts)
		if d.lease.scratchPad {
			if err := t.keepScratchpadUntil(d, d.lease.until, facts); err != nil {
				return Lock{}, audit.Event{}, err
			}
		}
		lock, err := t.showLock(d)
		return lock, audit.Event{Op: audit.OpLockRenewed, Document: d.ID, Facts: facts, Detail: detail}, err
	})
}

// held is the guard of what only the holder may do: the lock is there, and the
// token is its.
func (t *tx) held(documentID string, c Condition) (*document, grant, error) {
	d, g, err := t.writable(documentID, AccessUpload, c)
	if err == nil && t.live(d) == nil {
		err = ErrNotLocked
	}
	return d, g, err
}

// ReleaseLock ends a lock; it takes the token. Without a scratchpad, save keeps
// the changes that landed, and not to save takes them back: metadata is again
// what it was at locking, where that is still valid, and versions added since
// are marked as discarded. With a scratchpad, save lands its changes, all or
// nothing, each with an entry of its own, and not to save drops them. If saving
// fails, the lock stays. The lock returned is as it was. The receipt is of the
// last entry, lock.released. *HeldError when a scratchpad with changes is to be
// dropped while the document is held.
func (v *Vault) ReleaseLock(ctx context.Context, actor Actor, documentID string, cond Condition, save bool) (Lock, Receipt, error) {
	scratchPad, err := foresee(v, func(t *tx) (bool, error) {
		d, err := t.liveDocument(documentID)
		return err == nil && d.lease != nil && d.lease.scratchPad, err
	})
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	switch {
	case scratchPad && save:
		return v.saveScratchpad(ctx, actor, documentID, cond)
	case save || scratchPad:
		lock, receipt, err := update(v, ctx, actor, func(t *tx) (locked, audit.Event, error) { return t.release(documentID, cond, scratchPad, !save) })
		v.purge(context.WithoutCancel(ctx), lock.litter...)
		return lock.Lock, receipt, err
	}
	locks, receipts, err := updateAll(v, ctx, actor,
		func(t *tx) (locked, audit.Event, error) { return t.revert(documentID, cond) },
		func(t *tx) (locked, audit.Event, error) { return t.release(documentID, cond.token(), false, false) })
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	return locks[1].Lock, receipts[1], nil
}

// locked is a lock, and the bytes of a scratchpad that went, which may now be
// litter.
type locked struct {
	Lock
	litter []Digest
}

// release ends the lock. scratchPad is what the caller took the lock to be: if
// another has come in its place, nothing happens. drops says that what is in the
// scratchpad has not landed, and goes.
func (t *tx) release(documentID string, c Condition, scratchPad, drops bool) (locked, audit.Event, error) {
	old, g, err := t.held(documentID, c)
	if err != nil {
		return locked{}, audit.Event{}, err
	}
	if old.lease.scratchPad != scratchPad {
		return locked{}, audit.Event{}, ErrNotLocked
	}
	lock, err := t.showLock(old)
	if err != nil {
		return locked{}, audit.Event{}, err
	}
	facts := audit.Facts{"fence": audit.Number(old.lease.fence)}
	d := old.clone()
	var litter []Digest
	if scratchPad {
		if drops {
			err = t.mayDrop(d)
		}
		if err == nil {
			litter, err = t.dropScratchpad(d, d.lease.userID)
		}
		if err != nil {
			return locked{}, audit.Event{}, err
		}
		if litter != nil {
			facts["draft"] = audit.Text("dropped")
		}
	}
	t.endEdit(d)
	d.lease = nil
	t.store(old, d, g).tell(facts)
	return locked{lock, litter}, audit.Event{Op: audit.OpLockReleased, Document: d.ID, Facts: facts}, nil
}

// mayDrop is the guard of dropping the holder's scratchpad: while the document is
// held nothing of one is destroyed, and an empty one is nothing.
func (t *tx) mayDrop(d *document) error {
	pad, err := t.scratchpadOf(d, d.lease.userID)
	if err == nil && len(pad.Changes) > 0 {
		err = d.unheld()
	}
	return err
}

// BreakLock ends somebody's lock, without its token, and returns it as it was:
// for locks that were forgotten. What has landed stays. A scratchpad waits for
// its user to lock the document again. It needs admin access and a reason.
// ErrNotLocked, *NeedsTwoError.
func (v *Vault) BreakLock(ctx context.Context, actor Actor, documentID string, cond Condition, reason string) (Lock, Receipt, error) {
	var c checks
	c.Required("reason", reason, check.MaxComment)
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
			err = cond.IfMatch.check(old.Revision)
		}
		if err == nil {
			err = t.needsTwo(CoveredLockBreak, &lockBreak{old.ID, cond.IfMatch, check.Trim(reason)})
		}
		if err != nil {
			return Lock{}, audit.Event{}, err
		}
		d := old.clone()
		d.fence++
		facts := audit.Facts{"fence": audit.Number(d.fence), "user": audit.Text(old.lease.userID)}
		if d.lease.scratchPad {
			if err := t.keepScratchpadUntil(d, t.Now(), facts); err != nil {
				return Lock{}, audit.Event{}, err
			}
		}
		t.endEdit(d)
		d.lease = nil
		t.store(old, d, grant{}).tell(facts)
		return *lock, audit.Event{
			Op: audit.OpLockBroken, Document: d.ID, Facts: facts,
			Detail: encodeDetail(map[string]any{"reason": check.Trim(reason)}),
		}, nil
	})
}
