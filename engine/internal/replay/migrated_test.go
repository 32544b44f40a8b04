package replay

import (
	"testing"

	"strongroom/audit"
)

// TestSecrets: of a key, of the one that follows it, and of a webhook before and
// after a rotation.
func TestSecrets(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpKeyCreated, "", "key", "K", "user", "U", "access", "view", "expires", "", "secret", "s1")
	a.tell(audit.OpKeyRotated, "", "key", "K", "user", "U", "access", "view", "expires", "", "successor", "L", "until", "", "secret", "s2")
	want(t, "of the key", a.Things(Keys)["K"].Facts[Secret], Text("s1"))
	want(t, "of its successor", a.Things(Keys)["L"].Facts[Secret], Text("s2"))
	a.tell(audit.OpWebhookCreated, "", "webhook", "W", "active", "true", "events", nil, "secret", "w1")
	a.tell(audit.OpWebhookUpdated, "", "webhook", "W", "active", "false", "events", nil)
	w := a.Things(Webhooks)["W"].Facts
	want(t, "of the webhook", w[Secret], Text("w1"))
	want(t, "the former one", w[FormerSecret], Value{})
	a.tell(audit.OpWebhookUpdated, "", "webhook", "W", "active", "false", "events", nil, "secret", "w2", "until", "2026-12-01T00:00:00.000Z")
	want(t, "of the webhook", w[Secret], Text("w2"))
	want(t, "the former one", w[FormerSecret], Text("w1"))
	a.tell(audit.OpRetentionStarted, "", "run", "R", "at", "2026-12-01T00:00:00.000Z")
	want(t, "the plan", a.Things(Runs)["R"].Facts[PlannedAt].String(), "2026-12-01T00:00:00.000Z")
}

// TestErasing: how far erasures have come is told by their entries, about documents
// too.
func TestErasing(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpUserCreated, "", "user", "U", "access", "view", "status", "closed", "canLock", "true")
	a.tell(audit.OpErasureRequested, "", "erasure", "E", "documents", 1, "subjects", "d1")
	a.tell(audit.OpErasureRequested, "", "erasure", "F", "documents", 0, "subjects", "u1", "user", "U")
	want(t, "what E erases", a.Subjects("E"), "d1")
	about := func(op audit.Op, facts ...any) {
		t.Helper()
		a.n++
		if err := a.Follow(said(a.n, op, "D", 0, "", facts...)); err != nil {
			t.Error(err)
		}
	}
	want(t, "at first", a.Left("E", "D"), Left{})
	about(audit.OpErasureDeferred, "erasure", "E", "until", "", "why", "held")
	want(t, "deferred", a.Left("E", "D"), Left{Deferred: 4})
	about(audit.OpErasureCompleted, "erasure", "E", "resume", 2)
	want(t, "in part", a.Left("E", "D"), Left{Deferred: 4, Resume: 2})
	want(t, "the last", a.Things(Erasures)["E"].Facts["its last completion"], Number(5))
	about(audit.OpErasureCompleted, "erasure", "E")
	want(t, "done", a.Left("E", "D"), Left{})
	a.tell(audit.OpErasureCompleted, "", "erasure", "F", "user", "U", "resume", 3)
	want(t, "of a user", a.Left("F", "U"), Left{Resume: 3})
	want(t, "of another", a.Left("E", "U"), Left{})
}

// TestMigrated: a migration, in as many entries as it takes, tells all that the
// entries before did not.
func TestMigrated(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpVaultCreated, "", "vault", "V", "format", 2)
	a.tell(audit.OpKeyCreated, "", "key", "K", "user", "U", "access", "view", "expires", "")
	a.tell(audit.OpWebhookCreated, "", "webhook", "W", "active", "true", "events", nil)
	a.tell(audit.OpErasureRequested, "", "erasure", "E", "documents", 2)
	fails(t, a.try(audit.OpVaultMigrated, "", "from", 2, "format", 3, "part", 2), "did not begin")
	a.tell(audit.OpVaultMigrated, "", "from", 2, "format", 3, "state", []string{"key K s", "webhook W w -", "erasure E d"})
	a.tell(audit.OpVaultMigrated, "", "from", 2, "format", 3, "part", 2, "state", []string{"erasing E D 3 0",
		"lock D 4 eve K 300 2026-12-01T00:00:00.000Z true 1 true", "drafts D eve p 1", "drafts D ada q 7", "password D 9f", "lock X 1 eve - 1 - false 0 false", "snapshot X 5a"})
	want(t, "the format", a.Vault.Facts[Format], Number(3))
	want(t, "the key", a.Things(Keys)["K"].Facts[Secret], Text("s"))
	want(t, "the webhook", a.Things(Webhooks)["W"].Facts[Secret], Text("w"))
	want(t, "its former secret", a.Things(Webhooks)["W"].Facts[FormerSecret], Value{})
	want(t, "what is erased", a.Subjects("E"), "d")
	want(t, "what is left", a.Left("E", "D"), Left{Deferred: 3})
	for state, why := range map[string]string{"key X s": "tells of no key", "webhook W w": "tells of no webhook", "key": "tells of nothing", "run R 1": "tells of no run"} {
		fails(t, a.try(audit.OpVaultMigrated, "", "from", 2, "format", 3, "part", 3, "state", []string{state}), why)
	}
	fails(t, a.try(audit.OpVaultMigrated, "", "from", 2, "format", 3), "the vault had 3")
	fails(t, a.try(audit.OpVaultMigrated, "", "from", 3, "format", 3), "the vault had 3")

	d := newNarrator(t)
	d.tell(audit.OpLockAcquired, 0, `{"lockedByApp":"Desk"}`, "fence", 4, "seconds", 300, "scratchpad", "false")
	d.n = 6
	d.Migrations = a.Migrations()
	d.tell(audit.OpDocumentDownloaded, 1, "", "digest", "x")
	for name, value := range map[string]Value{
		Locker: Text("eve"), LockKey: Text("K"), LockFence: Number(4), LockSeconds: Number(300), LockUntil: instant("2026-12-01T00:00:00.000Z"),
		Scratchpad: Flag(true), LockBase: Number(1), Password: Text("9f"),
	} {
		d.is(name, value)
	}
	want(t, "the application", d.Record().Texts[LockedByApp], Text("Desk"))
	want(t, "drafts", len(d.Drafts), 2)
	want(t, "a draft", d.Drafts["ada"], Draft{"q", 7})

	// One that was made after it, and one of which it tells nothing.
	d = newNarrator(t)
	d.tell(audit.OpLockAcquired, 0, "", "fence", 1, "seconds", 300, "scratchpad", "false", "snapshot", "5a", "password", "9f")
	d.ID = "later"
	d.Migrations = a.Migrations()
	d.is(Locker, Value{})
	d.is(Password, Value{})
	want(t, "the snapshot", d.Snapshot, "")
}
