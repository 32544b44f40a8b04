package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// A vault of format 2 whose people were at work when it was frozen.
const frozenLocked = "../testdata/vaults/format-2-locked.zip"

// fillLocked makes what people leave behind who are at work: locks that run,
// with a snapshot or a scratchpad, scratchpads that wait, and edit passwords. It
// returns the tokens of Grace and of her locks. It takes some seconds only, so
// that a clock that starts where this one did is not behind the log.
func fillLocked(t *testing.T, k *enginetest.Kit) map[string]string {
	t.Helper()
	ctx := t.Context()
	grace, token := k.Person("Grace", engine.AccessUpload)
	k.Define(engine.TextField, "note", "gone")
	k.Define(engine.NumberField, "amount")
	k.Define(engine.BooleanField, "signed", "paid")
	k.Define(engine.DateField, "closed")
	setCategories(t, k, "minutes")
	beside := map[string]string{"grace.txt": token}
	long := engine.NewLock{Duration: 30 * time.Minute, LockedByApp: "Desk", UseScratchPad: true}
	patch := func(who engine.Actor, documentID string, c engine.Condition, p engine.DocumentPatch) {
		t.Helper()
		_, _, err := k.UpdateDocument(ctx, who, documentID, c, p)
		must(t, err)
	}
	addVersion := func(who engine.Actor, documentID, text string, c engine.Condition, n engine.NewVersion) {
		t.Helper()
		u := k.Upload(text)
		defer u.Discard()
		_, _, err := k.AddVersion(ctx, who, documentID, c, n, u)
		must(t, err)
	}

	// Every member that a patch has, set, emptied and cleared.
	d := k.CreateFrom(engine.NewDocument{Name: "patched", Description: "as it was", Tags: []string{"a", "b"}, CustomFields: map[string]any{"gone": "soon", "paid": true}}, "first\n")
	l := lock(t, k, grace, d.ID, long)
	beside["patched.txt"] = l.Token
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{CustomFields: map[string]any{"note": "an intermediate <note>"}, Tags: &[]string{}})
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{
		ClearCustomFields: true,
		CustomFields:      map[string]any{"note": "seen\nby \"Grace\" \u2028", "amount": json.Number("-12.50"), "signed": true, "paid": false, "closed": "2027-01-31"},
	})
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{CustomFields: map[string]any{"closed": nil}})
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{
		Name: new("Patched, by Grace"), Category: new("minutes"), Description: new(""), OwnerID: &grace.UserID, ExternalID: new("erp-7"),
		Tags: &[]string{"x", "y:z", "urgent"}, AddTags: []string{"new"}, RemoveTags: []string{"x"},
	})

	// Versions: new bytes with all that is said of them, the bytes of an earlier
	// one, and metadata in between.
	d = k.Create("versions", "first\n")
	l = lock(t, k, k.Admin, d.ID, long)
	beside["versions.txt"] = l.Token
	addVersion(k.Admin, d.ID, "second\n", with(l.Token), engine.NewVersion{MediaType: "text/plain", FileName: "second.txt", Comment: "two\nlines", Label: "draft"})
	patch(k.Admin, d.ID, with(l.Token), engine.DocumentPatch{Description: new("in between")})
	_, _, err := k.RestoreVersion(ctx, k.Admin, d.ID, with(l.Token), 1)
	must(t, err)
	addVersion(k.Admin, d.ID, "", with(l.Token), engine.NewVersion{})

	// Two scratchpads on one document. One waits, because its lock was broken; it
	// is stale, because the document went on. The other is open.
	d = k.Create("two", "first\n")
	l = lock(t, k, k.Admin, d.ID, long)
	patch(k.Admin, d.ID, with(l.Token), engine.DocumentPatch{Name: new("two, by Ada")})
	addVersion(k.Admin, d.ID, "by Ada\n", with(l.Token), engine.NewVersion{FileName: "ada.txt"})
	_, _, err = k.BreakLock(ctx, k.Admin, d.ID, engine.Condition{}, "urgent")
	must(t, err)
	patch(k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Description: new("moved on")})
	l = lock(t, k, grace, d.ID, long)
	beside["two.txt"] = l.Token
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{Name: new("two, by Grace")})

	// Edit passwords: without a lock, under a lock that runs, and set under one.
	d = k.Create("protected", "first\n")
	setEditPassword(t, k, d.ID, "open sesame")
	d = k.Create("locked", "first\n")
	setEditPassword(t, k, d.ID, "under lock and key")
	l = lock(t, k, grace, d.ID, engine.NewLock{Duration: 30 * time.Minute, Password: "under lock and key"})
	beside["locked.txt"] = l.Token
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{Name: new("locked, renamed")})
	addVersion(grace, d.ID, "second\n", with(l.Token), engine.NewVersion{})
	d = k.Create("set under lock", "first\n")
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{Duration: 30 * time.Minute})
	beside["set.txt"] = l.Token
	patch(k.Admin, d.ID, with(l.Token), engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: "later"}})

	// Locks that ended by their deadline, with what they leave.
	d = k.Create("ended", "first\n")
	setEditPassword(t, k, d.ID, "ended")
	l = lock(t, k, grace, d.ID, engine.NewLock{Duration: time.Second, Password: "ended"})
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{Description: new("landed")})
	d = k.Create("ended draft", "first\n")
	l = lock(t, k, grace, d.ID, engine.NewLock{Duration: time.Second, UseScratchPad: true})
	patch(grace, d.ID, with(l.Token), engine.DocumentPatch{Description: new("waits")})
	time.Sleep(2 * time.Second)
	k.Create("later", "first\n") // the log's time is past their deadline
	_, err = k.Sweep(ctx)
	must(t, err)
	return beside
}

// atWork tells what those at work see: each lock, and what its holder sees of a
// scratchpad.
func atWork(t *testing.T, v *engine.Vault, told map[string]string) (said []string) {
	t.Helper()
	ctx := t.Context()
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	page, err := v.Documents(ctx, engine.DocumentQuery{Sort: "createdAt"})
	must(t, err)
	for _, d := range page.Items {
		say("%q %q %v %v revision %d, %d versions, protected %v, locked %v", d.Name, d.Description, d.Tags, d.CustomFields, d.Revision, d.VersionCount, d.EditProtected, d.Lock != nil)
	}
	for _, at := range []struct{ token, holder, name string }{
		{"patched.txt", "grace.txt", "patched"}, {"versions.txt", "token.txt", "versions"}, {"two.txt", "grace.txt", "two"},
	} {
		who := actorOf(t, v, told, at.holder)
		d := named(t, v, at.name)
		l, err := v.Lock(ctx, who, d.ID)
		must(t, err)
		if l.Token != strings.TrimSpace(told[at.token]) {
			t.Errorf("%s: the token is another", at.name)
		}
		s, err := v.Sketch(ctx, who, d.ID, engine.Condition{LockToken: l.Token})
		must(t, err)
		is := s.Document
		say("%s: %q %s %q owner %v ext %q %q %v until %s, stale %v", at.name, is.Name, is.Category, is.Description,
			is.OwnerID == who.UserID, is.ExternalID, is.Tags, is.CustomFields, l.Until.Format("15:04:05"), l.ScratchPadStale)
		for _, ver := range s.Versions {
			say("draft %d %s %q %q %q %d bytes, current %v, %s", ver.Draft, ver.MediaType, ver.FileName, ver.Comment, ver.Label, ver.Size, ver.Current, ver.Digest.Hex()[:8])
		}
	}
	return said
}

func actorOf(t *testing.T, v *engine.Vault, told map[string]string, file string) engine.Actor {
	t.Helper()
	who, err := v.Authenticate(t.Context(), strings.TrimSpace(told[file]))
	must(t, err)
	return who
}

func named(t *testing.T, v *engine.Vault, name string) engine.Document {
	t.Helper()
	page, err := v.Documents(t.Context(), engine.DocumentQuery{})
	must(t, err)
	for _, d := range page.Items {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("no document is named %q", name)
	return engine.Document{}
}

var whatIsAtWork = []string{
	`"patched" "as it was" [a b] map[gone:soon paid:true] revision 1, 1 versions, protected false, locked true`,
	`"versions" "" [] map[] revision 1, 1 versions, protected false, locked true`,
	`"two" "moved on" [] map[] revision 2, 1 versions, protected false, locked true`,
	`"protected" "" [] map[] revision 2, 1 versions, protected true, locked false`,
	`"locked, renamed" "" [] map[] revision 4, 2 versions, protected true, locked true`,
	`"set under lock" "" [] map[] revision 2, 1 versions, protected true, locked true`,
	`"ended" "landed" [] map[] revision 3, 1 versions, protected true, locked false`,
	`"ended draft" "" [] map[] revision 1, 1 versions, protected false, locked false`,
	`"later" "" [] map[] revision 1, 1 versions, protected false, locked false`,
	"patched: \"Patched, by Grace\" minutes \"\" owner true ext \"erp-7\" [\"new\" \"urgent\" \"y:z\"] map[amount:-12.50 note:seen\nby \"Grace\" \u2028 paid:false signed:true] until 00:30:00, stale false",
	`versions: "versions" other "in between" owner true ext "" [] map[] until 00:30:00, stale false`,
	`draft 3 application/octet-stream "" "" "" 0 bytes, current true, e3b0c442`,
	`draft 2 application/octet-stream "" "" "" 6 bytes, current false, b640e840`,
	`draft 1 text/plain "second.txt" "two\nlines" "draft" 7 bytes, current false, 480c2336`,
	`two: "two, by Grace" other "moved on" owner false ext "" [] map[] until 00:30:00, stale false`,
}

// TestLockedIsMigrated: those who were at work when the vault's format changed
// go on as if nothing had happened. The clock of a bubble starts where that of
// the frozen vault did, so their locks run.
func TestLockedIsMigrated(t *testing.T) {
	for from, make := range map[uint64]func(t *testing.T, dir string){
		2: func(*testing.T, string) {},
		1: asFormat1,
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "frozen")
			told := thaw(t, frozenLocked, dir)
			make(t, dir)
			head, err := audit.ParseHead(told["head.txt"])
			must(t, err)
			v := open(t, dir)
			defer v.Close()
			wasMigrated(t, v, head, from)
			verified(t, v, head)
			if said := atWork(t, v, told); !slices.Equal(said, whatIsAtWork) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(whatIsAtWork, "\n"))
			}
			saveAll(t, v, told)
			goOn(t, v, told)
			verified(t, v, head)
		})
	}
}

// asFormat1 makes a vault of format 2 without holds, policies, erasures and
// webhooks one of format 1, which has no buckets for them.
func asFormat1(t *testing.T, dir string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "vault.db"), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(b *bbolt.Tx) error {
		for _, name := range []string{"holds", "holdrows", "matters", "webhooks", "policies", "scopes", "kinds", "starts", "runs", "erasures", "erasing", "erased"} {
			if err := b.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		return b.Bucket([]byte("meta")).Put([]byte("format"), []byte("1"))
	}))
	must(t, db.Close())
}

// saveAll saves the scratchpads that are open, and takes up those that wait.
func saveAll(t *testing.T, v *engine.Vault, told map[string]string) {
	t.Helper()
	ctx := t.Context()
	ada, grace := actorOf(t, v, told, "token.txt"), actorOf(t, v, told, "grace.txt")
	save := func(who engine.Actor, name, token string, c engine.Condition) engine.Document {
		t.Helper()
		d := named(t, v, name)
		c.LockToken = strings.TrimSpace(token)
		_, _, err := v.ReleaseLock(ctx, who, d.ID, c, true)
		must(t, err)
		d, err = v.Document(ctx, d.ID)
		must(t, err)
		return d
	}
	d := save(grace, "patched", told["patched.txt"], engine.Condition{})
	if d.Name != "Patched, by Grace" || d.Category != "minutes" || d.Description != "" || d.OwnerID != grace.UserID || d.ExternalID != "erp-7" ||
		!slices.Equal(d.Tags, []string{"new", "urgent", "y:z"}) || fmt.Sprint(d.CustomFields) != "map[amount:-12.50 note:seen\nby \"Grace\" \u2028 paid:false signed:true]" {
		t.Errorf("%+v", d)
	}
	d = save(ada, "versions", told["versions.txt"], engine.Condition{})
	if d.VersionCount != 4 || d.Description != "in between" {
		t.Errorf("%+v", d)
	}
	ver, err := v.Version(ctx, d.ID, 2)
	if err != nil || ver.MediaType != "text/plain" || ver.FileName != "second.txt" || ver.Comment != "two\nlines" || ver.Label != "draft" || ver.Size != 7 {
		t.Errorf("%+v, %v", ver, err)
	}
	e, err := v.Entry(ctx, v.Head().Seq-2)
	if from, _ := e.Facts["restored"].AsNumber(); err != nil || e.Op != audit.OpDocumentVersionAdded || from != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	save(grace, "two", told["two.txt"], engine.Condition{})

	d = named(t, v, "two, by Grace")
	l, _, err := v.AcquireLock(ctx, ada, d.ID, engine.Condition{}, engine.NewLock{UseScratchPad: true})
	must(t, err)
	if !l.ScratchPadStale {
		t.Error("the scratchpad that waited is not stale")
	}
	if _, _, err := v.ReleaseLock(ctx, ada, d.ID, with(l.Token), true); !errors.Is(err, engine.ErrLockState) {
		t.Error(err)
	}
	d = save(ada, "two, by Grace", l.Token, engine.Condition{Overwrite: true})
	if d.Name != "two, by Ada" || d.Current.FileName != "ada.txt" || d.VersionCount != 2 {
		t.Errorf("%+v", d)
	}
	d = named(t, v, "ended draft")
	l, _, err = v.AcquireLock(ctx, grace, d.ID, engine.Condition{}, engine.NewLock{UseScratchPad: true})
	must(t, err)
	if d = save(grace, "ended draft", l.Token, engine.Condition{}); d.Description != "waits" {
		t.Errorf("%+v", d)
	}
}

// goOn uses the locks that run, and the edit passwords.
func goOn(t *testing.T, v *engine.Vault, told map[string]string) {
	t.Helper()
	ctx := t.Context()
	ada, grace := actorOf(t, v, told, "token.txt"), actorOf(t, v, told, "grace.txt")
	token := strings.TrimSpace(told["locked.txt"])
	d := named(t, v, "locked, renamed")
	if _, _, err := v.UpdateDocument(ctx, ada, d.ID, engine.Condition{}, engine.DocumentPatch{Name: new("taken")}); !errors.Is(err, engine.ErrLocked) {
		t.Error(err)
	}
	_, _, err := v.UpdateDocument(ctx, grace, d.ID, with(token), engine.DocumentPatch{Name: new("once more")})
	must(t, err)
	_, _, err = v.ReleaseLock(ctx, grace, d.ID, with(token), false)
	must(t, err)
	if d, err = v.Document(ctx, d.ID); err != nil || d.Name != "locked" || d.Current.Number != 1 || d.VersionCount != 2 || !d.EditProtected {
		t.Errorf("as it was at locking: %+v, %v", d, err)
	}
	set := named(t, v, "set under lock")
	_, _, err = v.ReleaseLock(ctx, ada, set.ID, with(strings.TrimSpace(told["set.txt"])), true)
	must(t, err)
	for name, password := range map[string]string{"locked": "under lock and key", "protected": "open sesame", "set under lock": "later", "ended": "ended"} {
		d := named(t, v, name)
		for _, wrong := range []string{"", "wrong"} {
			if _, _, err := v.AcquireLock(ctx, grace, d.ID, engine.Condition{}, engine.NewLock{Password: wrong}); !errors.Is(err, engine.ErrLacksPermission) {
				t.Errorf("%s with %q: %v", name, wrong, err)
			}
		}
		l, _, err := v.AcquireLock(ctx, grace, d.ID, engine.Condition{}, engine.NewLock{Password: password})
		must(t, err)
		_, _, err = v.ReleaseLock(ctx, grace, d.ID, with(l.Token), true)
		must(t, err)
	}
}

// TestAMigrationThatFails leaves the vault as it was, with a copy of it, if its
// commit did not land, and else a migrated one.
func TestAMigrationThatFails(t *testing.T) {
	cause := errors.New("the machine stopped")
	for name, commit := range map[string]func(commit, rollback func() error) error{
		"before": func(_, _ func() error) error { return cause },
		"after":  func(commit, _ func() error) error { return errors.Join(commit(), cause) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "frozen")
			told := thaw(t, frozenLocked, dir)
			head, err := audit.ParseHead(told["head.txt"])
			must(t, err)
			path := filepath.Join(dir, "vault.db")
			before := rowsOf(t, path)
			if err := engine.OpenWith(dir, commit); !errors.Is(err, cause) {
				t.Fatal(err)
			}
			if !maps.Equal(rowsOf(t, path+".format-2"), before) {
				t.Error("the copy does not hold what the vault held")
			}
			if name == "before" && !maps.Equal(rowsOf(t, filepath.Join(dir, "rows.db")), before) {
				t.Error("the vault was changed")
			}
			v := open(t, dir)
			defer v.Close()
			wasMigrated(t, v, head, 2)
			verified(t, v, head)
		})
	}
}

// TestWhatCannotBeReadIsNotMigrated: it is left as it is, the vault can be
// opened, and Verify says where it is.
func TestWhatCannotBeReadIsNotMigrated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "frozen")
	thaw(t, frozenLocked, dir)
	path := filepath.Join(dir, "vault.db")
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(b *bbolt.Tx) error {
		drafts, snapshots := b.Bucket([]byte("drafts")), b.Bucket([]byte("snapshots"))
		k, value := drafts.Cursor().First()
		err := drafts.Put(k, value[:len(value)-2])
		k, value = snapshots.Cursor().First()
		return errors.Join(err, snapshots.Put(k, value[:len(value)-3]))
	}))
	must(t, db.Close())
	before := rowsOf(t, path)
	v := open(t, dir)
	report, err := v.Verify(t.Context(), engine.VerifyOptions{})
	must(t, err)
	if len(report.Findings) < 2 {
		t.Errorf("%+v", report.Findings)
	}
	must(t, v.Close())
	kept := 0
	for key, value := range rowsOf(t, filepath.Join(dir, "rows.db")) {
		if (strings.HasPrefix(key, "drafts/") || strings.HasPrefix(key, "snapshots/")) && before[key] == value {
			kept++
		}
	}
	if kept < 2 {
		t.Errorf("%d rows were left as they were", kept)
	}
}

func verified(t *testing.T, v *engine.Vault, heads ...audit.Head) {
	t.Helper()
	report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true, Heads: heads})
	must(t, err)
	if len(report.Findings) > 0 {
		t.Errorf("%+v", report.Findings)
	}
}
