package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// Whatever is changed behind the engine's back about locks, and what people leave
// under them, is found.
func TestVerifyFindsTamperedLocks(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	grace, _ := k.Person("Grace", engine.AccessUpload)
	d, other := k.Create("locked", "text"), k.Create("other", "text")
	setEditPassword(t, k, d.ID, "open sesame")
	setEditPassword(t, k, other.ID, "close sesame")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{LockedByApp: "Desk", Password: "open sesame"})
	lock(t, k, grace, other.ID, engine.NewLock{Password: "close sesame"})
	orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "renamed", with(l.Token)))
	drafted := k.Create("drafted", "text")
	l = lock(t, k, grace, drafted.ID, engine.NewLock{UseScratchPad: true})
	orFail[engine.Document](t)(rename(k, grace, drafted.ID, "a draft", with(l.Token)))
	_, _, err := k.BreakLock(t.Context(), k.Admin, drafted.ID, engine.Condition{}, "urgent")
	must(t, err)
	l = lock(t, k, k.Admin, drafted.ID, engine.NewLock{UseScratchPad: true})
	orFail[engine.Document](t)(rename(k, k.Admin, drafted.ID, "another", with(l.Token)))
	must(t, k.Close())

	key, otherKey := engine.KeyOf(d.ID), engine.KeyOf(other.ID)
	lease := func(doc engine.Document, fn func(*engine.StoredLock)) func(*bbolt.Tx) error {
		return edit("documents", engine.KeyOf(doc.ID), func(k, b []byte) []byte { return engine.EditLock(k, b, fn) })
	}
	hers, mine := engine.DraftKey(drafted.ID, grace.UserID), engine.DraftKey(drafted.ID, k.Admin.UserID)
	path := filepath.Join(k.Dir, "rows.db")
	good := readFile(t, path)
	for name, change := range map[string]func(*bbolt.Tx) error{
		"a lock that lives longer":       lease(d, func(l *engine.StoredLock) { l.Until = l.Until.Add(time.Hour) }),
		"a lock that has ended":          lease(d, func(l *engine.StoredLock) { l.Until = l.Until.Add(-time.Hour) }),
		"a longer window":                lease(d, func(l *engine.StoredLock) { l.Duration *= 2 }),
		"a lock of another user":         lease(d, func(l *engine.StoredLock) { l.UserID = grace.UserID }),
		"a lock of another key":          lease(d, func(l *engine.StoredLock) { l.KeyID = grace.KeyID }),
		"a lock of another application":  lease(d, func(l *engine.StoredLock) { l.App = "" }),
		"a lock with a scratchpad":       lease(d, func(l *engine.StoredLock) { l.UseScratchPad = true }),
		"a lock with another fence":      lease(d, func(l *engine.StoredLock) { l.Fence++ }),
		"a scratchpad that is not stale": lease(drafted, func(l *engine.StoredLock) { l.Base++ }),
		"no lock":                        edit("documents", key, engine.Unlock),
		"another edit password": func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("documents"))
			return rows.Put(key, engine.ChangePassword(key, rows.Get(key), engine.PasswordOf("documents", otherKey, rows.Get(otherKey))))
		},
		"no edit password":      edit("documents", key, func(k, b []byte) []byte { return engine.ChangePassword(k, b, "") }),
		"as it was at locking":  swap("snapshots", key, otherKey),
		"nothing to go back to": drop("snapshots", key),
		"something to go back to": func(b *bbolt.Tx) error {
			return put("snapshots", engine.KeyOf(drafted.ID), bytes.Clone(b.Bucket([]byte("snapshots")).Get(key)))(b)
		},
		"the scratchpad of another": swap("drafts", hers, mine),
		"no scratchpad":             drop("drafts", hers),
		"a scratchpad on another document": func(b *bbolt.Tx) error {
			return put("drafts", engine.DraftKey(d.ID, grace.UserID), bytes.Clone(b.Bucket([]byte("drafts")).Get(hers)))(b)
		},
		"what a scratchpad says is replaced": edit("drafts", hers, replace("a draft", "a graft")),
	} {
		spoil(t, k.Dir, change)
		if found := findings(k.Dir, engine.VerifyOptions{}); !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == engine.CodeState }) {
			t.Errorf("%s: want a finding %q, got %v", name, engine.CodeState, found)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
}

// What people wrote under a lock is bound by facts that nobody can guess it from: the
// same scratchpad has another digest each time, and so has a snapshot.
func TestDigestsOfTextAreSalted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	seen := map[string]bool{}
	for range 2 {
		d := k.Create("contract", "text")
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{})
		_, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true)
		must(t, err)
		l = lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		for range 2 {
			orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "Ada Lovelace", with(l.Token)))
			_, _, err = k.RenewLock(t.Context(), k.Admin, d.ID, with(l.Token), engine.LockPatch{})
			must(t, err)
		}
	}
	page, err := k.Entries(t.Context(), engine.EntryQuery{Limit: 500})
	must(t, err)
	for _, e := range page.Items {
		for _, name := range []string{"drafts", "snapshot"} {
			if digest, told := e.Facts[name].AsText(); told {
				if seen[digest] {
					t.Errorf("entry %d: the digest was there before", e.Seq)
				}
				seen[digest] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d digests", len(seen))
	}
}
