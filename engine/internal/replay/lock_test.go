package replay

import (
	"testing"

	"strongroom/audit"
)

// keyed is try with the key of the request.
func (d *narrator) keyed(key string, op audit.Op, detail string, facts ...any) {
	d.Helper()
	d.n++
	e, bytes := said(d.n, op, d.ID, 0, detail, facts...)
	e.Key = key
	if err := d.Follow(e, bytes); err != nil {
		d.Fatalf("%s: %v", op, err)
	}
}

func (d *narrator) is(name string, value Value) {
	d.Helper()
	want(d.T, name, d.Record().Facts[name], value)
}

// TestTheEndOfALock: the end of a lock is told by the entries that were made with its token,
// and by no others.
func TestTheEndOfALock(t *testing.T) {
	d := newNarrator(t)
	d.keyed("K", audit.OpLockAcquired, `{"lockedByApp":"Desk"}`, "fence", 1, "seconds", 300, "scratchpad", "false", "snapshot", "5a")
	begun := "created at: 2026-11-21T17:36:02.123Z; created by: ada; "
	d.stands(begun+"for how long its lock lives: 300; the current version: 1; the end of its lock: 2026-11-21T17:41:03.123Z; the fence of its lock: 1; the fence of who locks it: 1; "+
		"the key of its lock: K; the number of versions: 1; the owner: ada; the revision: 1; updated at: 2026-11-21T17:36:02.123Z; updated by: ada; who locks it: ada",
		`customFields.amount: 12; customFields.note: ""; lockedByApp: Desk; name: Lease; tags: "a" "b" `)
	want(t, "the snapshot", d.Snapshot, "5a")
	d.tell(audit.OpDocumentUpdated, 0, "", "revision", 2) // without the token
	d.is(LockUntil, Time(at(2).Add(300e9)))
	d.tell(audit.OpDocumentUpdated, 0, "", "revision", 3, "seconds", 60, "password", "9f")
	d.is(LockUntil, Time(at(4).Add(60e9)))
	d.is(Password, Text("9f"))
	d.tell(audit.OpDocumentArchived, 0, "", "revision", 4, "seconds", 60)
	d.is(LockUntil, Time(at(5).Add(60e9)))
	d.tell(audit.OpLockRenewed, 0, `{"lockedByApp":""}`, "fence", 1, "seconds", 90)
	d.is(LockUntil, Time(at(6).Add(90e9)))
	d.is(LockSeconds, Number(90))
	want(t, "the application", d.Record().Texts[LockedByApp], Value{})
	d.tell(audit.OpLockReleased, 0, "", "fence", 1)
	for _, name := range lockFacts {
		d.is(name, Value{})
	}
	d.is("the fence of its lock", Number(1))
	want(t, "the snapshot", d.Snapshot, "")
	d.tell(audit.OpLockAcquired, 0, "", "fence", 2, "seconds", 1, "scratchpad", "false", "snapshot", "5b", "password", "")
	d.is(Password, Value{})
	d.tell(audit.OpLockAcquired, 0, "", "fence", 3, "seconds", 1, "scratchpad", "true") // the one before ended by its deadline
	want(t, "the snapshot", d.Snapshot, "")
	d.is(LockFence, Number(3))
}

// TestDrafts: a scratchpad outlives its lock, but not what becomes of it.
func TestDrafts(t *testing.T) {
	d := newNarrator(t)
	acquire := func(facts ...any) {
		t.Helper()
		d.tell(audit.OpLockAcquired, 0, "", append([]any{"fence", 1, "seconds", 300, "scratchpad", "true"}, facts...)...)
	}
	drafts := func(what string, wanted Draft) {
		t.Helper()
		want(t, what, d.Drafts["ada"], wanted)
	}
	d.tell(audit.OpDocumentUpdated, 0, "", "revision", 2)
	acquire()
	fails(t, d.try(audit.OpLockRenewed, 0, "", "draft", 2, "drafts", "d2", "seconds", 300), "has none before")
	d.tell(audit.OpLockRenewed, 0, "", "draft", 1, "drafts", "d1", "seconds", 300)
	d.tell(audit.OpLockRenewed, 0, "", "draft", 2, "drafts", "d2", "seconds", 300)
	d.is(LockBase, Number(2))
	d.tell(audit.OpLockRenewed, 0, "", "fence", 1, "drafts", "d3", "seconds", 300)
	drafts("renewed", Draft{"d3", 2})
	d.tell(audit.OpLockBroken, 0, "", "fence", 2, "user", "ada", "drafts", "d4")
	drafts("broken", Draft{"d4", 2})
	d.is(LockBase, Value{})
	d.tell(audit.OpDocumentUpdated, 0, "", "revision", 3)
	acquire("drafts", "d5")
	drafts("taken up", Draft{"d5", 2})
	d.is(LockBase, Number(2))
	d.tell(audit.OpLockReleased, 0, "", "fence", 1, "draft", "dropped")
	drafts("dropped", Draft{})
	acquire()
	d.tell(audit.OpLockRenewed, 0, "", "draft", 1, "drafts", "d6", "seconds", 300)
	drafts("begun anew", Draft{"d6", 3})
	d.tell(audit.OpLockReleased, 0, "", "draft", "purged", "user", "eve")
	drafts("of another, purged", Draft{"d6", 3})
	d.tell(audit.OpLockReleased, 0, "", "draft", "purged", "user", "ada")
	drafts("purged", Draft{})
	d.is(Locker, Text("ada")) // it ended by its deadline
	acquire()
	d.is(LockBase, Value{})
	d.tell(audit.OpLockRenewed, 0, "", "draft", 1, "drafts", "d7", "seconds", 300)
	d.tell(audit.OpDocumentDeleted, 1, "", "certificate", "c", "right", "erasure", "erasure", "E")
	drafts("of what is deleted", Draft{})
}
