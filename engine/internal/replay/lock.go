package replay

import (
	"fmt"
	"time"

	"strongroom/audit"
)

// The members of a document that tell who may change it, and what that takes.
const (
	Locker      = "who locks it"
	LockKey     = "the key of its lock"
	LockSeconds = "for how long its lock lives"
	LockUntil   = "the end of its lock"
	Scratchpad  = "whether its lock has a scratchpad"
	LockFence   = "the fence of who locks it"
	LockBase    = "the revision at which the scratchpad of its lock was begun"
	LockedByApp = "lockedByApp" // one of Thing.Texts
	Password    = "its edit password"
)

var lockFacts = []string{Locker, LockKey, LockSeconds, LockUntil, Scratchpad, LockFence, LockBase}

// Draft is what a log says of a scratchpad: the digest of its record, and the
// document's revision when it was begun.
type Draft struct {
	Digest string
	Base   uint64
}

// slide moves the end of the lock, if the entry says that it was made with the
// lock's token.
func (d *Document) slide(e *entry) {
	if _, told := e.Facts["seconds"]; told {
		d.record.Facts[LockSeconds] = Number(e.number("seconds"))
		d.record.Facts[LockUntil] = Time(e.Time.Add(time.Duration(min(e.number("seconds"), maxSeconds)) * time.Second))
	}
}

// maxSeconds is more than any lock lives, so that a duration does not overflow.
const maxSeconds = 1 << 30

// lock takes an entry about the lock, or about a scratchpad, into account.
func (d *Document) lock(e *entry) error {
	if _, told := e.Facts["fence"]; told {
		d.record.Facts["the fence of its lock"] = Number(e.number("fence"))
	}
	switch e.Op {
	case audit.OpLockAcquired:
		d.acquired(e)
	case audit.OpLockRenewed:
		d.slide(e)
		if app, told := e.members["lockedByApp"]; told {
			d.record.Texts[LockedByApp] = spelled(app)
		}
		d.record.Erased = d.record.Erased || e.erased
		return d.drafted(e)
	case audit.OpLockReleased:
		d.released(e)
	case audit.OpLockBroken:
		if digest := e.word("drafts"); digest != "" {
			d.keepDraft(e.word("user"), digest, d.Drafts[e.word("user")].Base)
		}
		d.unlocked()
	}
	return nil
}

func (d *Document) acquired(e *entry) {
	d.unlocked()
	d.record.Facts[Locker] = Text(e.Actor)
	d.record.Facts[LockKey] = Text(e.Key)
	d.record.Facts[Scratchpad] = Flag(e.flag("scratchpad"))
	d.record.Facts[LockFence] = Number(e.number("fence"))
	d.record.Texts[LockedByApp] = Text(e.text("lockedByApp"))
	d.record.Erased = d.record.Erased || e.erased
	d.slide(e)
	if _, told := e.Facts["password"]; told {
		d.record.Facts[Password] = Text(e.word("password"))
	}
	d.Snapshot = e.word("snapshot")
	if !e.flag("scratchpad") {
		return
	}
	if digest := e.word("drafts"); digest == "" {
		delete(d.Drafts, e.Actor) // it waited too long
	} else {
		d.keepDraft(e.Actor, digest, d.Drafts[e.Actor].Base)
	}
	d.record.Facts[LockBase] = Number(d.Drafts[e.Actor].Base)
}

// drafted takes a change to the scratchpad of who locks the document into
// account, or to until when it is kept.
func (d *Document) drafted(e *entry) error {
	base, n := d.Drafts[e.Actor].Base, e.number("draft")
	if n == 1 {
		base = uint64(d.record.Facts["the revision"].number)
	}
	if n > 1 && base == 0 {
		return fmt.Errorf("is change %d to a scratchpad that has none before", n)
	}
	if digest := e.word("drafts"); digest != "" || n > 0 {
		d.keepDraft(e.Actor, digest, base)
		d.record.Facts[LockBase] = Number(base)
	}
	return nil
}

func (d *Document) keepDraft(user, digest string, base uint64) {
	if d.Drafts == nil {
		d.Drafts = map[string]Draft{}
	}
	d.Drafts[user] = Draft{digest, base}
}

// released ends a lock, and its scratchpad. One without a fence is of a scratchpad
// alone, for which nobody came back.
func (d *Document) released(e *entry) {
	if _, told := e.Facts["fence"]; !told {
		delete(d.Drafts, e.word("user"))
		return
	}
	if d.record.Facts[Scratchpad] == Flag(true) {
		delete(d.Drafts, e.Actor)
	}
	d.unlocked()
}

// unlocked leaves nothing of a lock but the fence, which rises, and scratchpads
// that wait.
func (d *Document) unlocked() {
	for _, name := range lockFacts {
		delete(d.record.Facts, name)
	}
	delete(d.record.Texts, LockedByApp)
	d.Snapshot = ""
}
