package engine_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
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
	_, _, err := k.RestoreVersion(ctx, k.Admin, d.ID, 1, with(l.Token))
	must(t, err)
	addVersion(k.Admin, d.ID, "", with(l.Token), engine.NewVersion{})

	// Two scratchpads on one document. One waits, because its lock was broken; it
	// is stale, because the document went on. The other is open.
	d = k.Create("two", "first\n")
	l = lock(t, k, k.Admin, d.ID, long)
	patch(k.Admin, d.ID, with(l.Token), engine.DocumentPatch{Name: new("two, by Ada")})
	addVersion(k.Admin, d.ID, "by Ada\n", with(l.Token), engine.NewVersion{FileName: "ada.txt"})
	_, _, err = k.BreakLock(ctx, k.Admin, d.ID, nil, "urgent")
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
		s, err := v.Sketch(ctx, who, d.ID, l.Token)
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

// TestLockedIsRead finds in the vault what those who are at work left in it.
func TestLockedIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "frozen")
		told := thaw(t, frozenLocked, dir)
		head, err := audit.ParseHead(told["head.txt"])
		must(t, err)
		v := open(t, dir)
		defer v.Close()
		verified(t, v, head)
		if said := atWork(t, v, told); !slices.Equal(said, whatIsAtWork) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(whatIsAtWork, "\n"))
		}
	})
}

func verified(t *testing.T, v *engine.Vault, heads ...audit.Head) {
	t.Helper()
	report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true, Heads: heads})
	must(t, err)
	if len(report.Findings) > 0 {
		t.Errorf("%+v", report.Findings)
	}
}
