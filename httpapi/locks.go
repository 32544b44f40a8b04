package httpapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"strongroom/engine"
)

// Lock is an edit lock. All of it is text, numbers and truths too, as in the
// API it is modelled on.
type Lock struct {
	LockToken             string   `json:"lockToken,omitempty" doc:"What proves the lock: send it as X-Lock-Token with each change. Only for the API key that took the lock."`
	LockDurationInSeconds string   `json:"lockDurationInSeconds" doc:"The window: how long the lock lives without a change under it."`
	LockedUntilDateTime   Time     `json:"lockedUntilDateTime" doc:"When it ends if no change comes."`
	LockedByApp           string   `json:"lockedByApp"`
	LockType              string   `json:"lockType" enum:"edit"`
	UseScratchPad         string   `json:"useScratchPad" enum:"true|false" doc:"Whether changes wait, seen only with the token, until the lock is released."`
	ScratchPadStale       string   `json:"scratchPadStale,omitempty" enum:"true" doc:"The document has changed since the scratchpad was begun: it is saved only with overwrite=true."`
	Fence                 string   `json:"fence" doc:"Rises with every lock and every breaking of one."`
	LockedByUser          LockUser `json:"lockedByUser"`
}

// LockUser is who holds a lock.
type LockUser struct {
	UserID      string `json:"userId"`
	UserName    string `json:"userName"`
	Email       string `json:"email"`
	UserStatus  string `json:"userStatus" enum:"active|closed"`
	AccountID   string `json:"accountId" doc:"The organization."`
	AccountName string `json:"accountName"`
}

const editLock = "edit"

func lockOf(v *engine.Vault, l engine.Lock) Lock {
	out := Lock{
		LockToken: l.Token, LockDurationInSeconds: inSeconds(l.Duration), LockedUntilDateTime: Time(l.Until),
		LockedByApp: l.LockedByApp, LockType: editLock, UseScratchPad: strconv.FormatBool(l.UseScratchPad),
		Fence: strconv.FormatUint(l.Fence, 10), LockedByUser: lockUserOf(v, l.User),
	}
	if l.ScratchPadStale {
		out.ScratchPadStale = "true"
	}
	return out
}

func inSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func lockUserOf(v *engine.Vault, u engine.User) LockUser {
	return LockUser{
		UserID: u.ID, UserName: u.Name, Email: u.Email, UserStatus: string(u.Status),
		AccountID: v.ID(), AccountName: v.Name(),
	}
}

func changedLock(c caller, l engine.Lock, r engine.Receipt, err error) (reply[Lock], error) {
	if err != nil {
		return reply[Lock]{}, err
	}
	return reply[Lock]{body: lockOf(c.vault, l), revision: l.Revision, receipt: r}, nil
}

// lockPatch is what can be changed of a lock that runs.
type lockPatch struct {
	LockDurationInSeconds *seconds `json:"lockDurationInSeconds" doc:"Above 1800 is 1800."`
	LockedByApp           *string  `json:"lockedByApp" doc:"What the user locks with, for others to read."`
	LockType              string   `json:"lockType" enum:"edit"`
}

func (p lockPatch) check() error {
	if p.LockType != "" && p.LockType != editLock {
		return inBody("lockType", "must be edit")
	}
	return nil
}

func (p lockPatch) engine() engine.LockPatch {
	out := engine.LockPatch{LockedByApp: p.LockedByApp}
	if p.LockDurationInSeconds != nil {
		window := p.LockDurationInSeconds.duration()
		out.Duration = &window
	}
	return out
}

// newLock is what a lock is taken with.
type newLock struct {
	lockPatch
	UseScratchPad    truth  `json:"useScratchPad" doc:"Absent: false."`
	TemplatePassword string `json:"templatePassword" doc:"The document's edit password, if it has one."`
}

func (n newLock) engine() engine.NewLock {
	out := engine.NewLock{UseScratchPad: bool(n.UseScratchPad), Password: n.TemplatePassword}
	if n.LockedByApp != nil {
		out.LockedByApp = *n.LockedByApp
	}
	if n.LockDurationInSeconds != nil {
		out.Duration = n.LockDurationInSeconds.duration()
	}
	return out
}

// A lock is taken and read without its token: one in the header, left there
// from an earlier lock, means nothing here.

type acquireLockInput struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
	Lock    newLock `body:"optional"`
}

func acquireLock(ctx context.Context, c caller, in acquireLockInput) (reply[Lock], error) {
	if err := in.Lock.check(); err != nil {
		return reply[Lock]{}, err
	}
	l, receipt, err := c.vault.AcquireLock(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Lock.engine())
	return changedLock(c, l, receipt, err)
}

func getLock(ctx context.Context, c caller, in documentInput) (reply[Lock], error) {
	l, err := c.vault.Lock(ctx, c.actor, in.ID)
	return changedLock(c, l, engine.Receipt{}, err)
}

type renewLockInput struct {
	change
	Patch lockPatch `body:"optional"`
}

func renewLock(ctx context.Context, c caller, in renewLockInput) (reply[Lock], error) {
	if err := in.Patch.check(); err != nil {
		return reply[Lock]{}, err
	}
	l, receipt, err := c.vault.RenewLock(ctx, c.actor, in.ID, in.condition(), in.Patch.engine())
	return changedLock(c, l, receipt, err)
}

// release says what becomes of the changes made under a lock.
type release struct {
	SaveChanges *bool `query:"save_changes" default:"true" doc:"false takes back what was changed under the lock, or drops the scratchpad."`
	Overwrite   bool  `query:"overwrite" doc:"Save a scratchpad although the document has changed since it was begun."`
}

func (r release) save() bool { return r.SaveChanges == nil || *r.SaveChanges }

type releaseLockInput struct {
	change
	release
}

func (in releaseLockInput) condition() engine.Condition {
	out := in.change.condition()
	out.Overwrite = in.Overwrite
	return out
}

func releaseLock(ctx context.Context, c caller, in releaseLockInput) (reply[Lock], error) {
	l, receipt, err := c.vault.ReleaseLock(ctx, c.actor, in.ID, in.condition(), in.save())
	return changedLock(c, l, receipt, err)
}

type breakLockInput struct {
	ID      string    `path:"id"`
	IfMatch ifMatch   `header:"If-Match"`
	Break   lockBreak `body:"json"`
}

type lockBreak struct {
	Reason string `json:"reason" required:"true" doc:"Why; it is kept in the audit log."`
}

func breakLock(ctx context.Context, c caller, in breakLockInput) (reply[Lock], error) {
	l, receipt, err := c.vault.BreakLock(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Break.Reason)
	return changedLock(c, l, receipt, err)
}

// document is a document as this caller sees it with what it showed: through
// the scratchpad, if that was the token of one.
func (c caller) document(ctx context.Context, id string, r reading) (engine.Document, error) {
	if token := r.token(); token != "" {
		s, err := c.vault.Sketch(ctx, c.actor, id, engine.Condition{LockToken: token})
		if !errors.Is(err, engine.ErrNotLocked) {
			return s.Document, err
		}
	}
	return c.vault.Document(ctx, id)
}
