package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// seenBy are the names a view of the vault lists, in every order and by walking
// pages of one.
func seenBy(t testing.TB, v *engine.Vault) string {
	t.Helper()
	var all []string
	for _, sort := range []engine.Sort{engine.SortCreated, engine.SortUpdated, engine.SortName, engine.SortName.Descending()} {
		var names []string
		q := engine.DocumentQuery{Status: engine.StatusAll, Sort: sort, Paging: engine.Paging{Limit: 1}}
		for more := true; more; more = q.Cursor != "" {
			page, err := v.Documents(t.Context(), q)
			must(t, err)
			for _, d := range page.Items {
				names = append(names, d.Name)
			}
			if q.Cursor = page.NextCursor; q.Cursor != "" && len(page.Items) == 0 {
				t.Errorf("%s: an empty page has a cursor", sort)
			}
		}
		slices.Sort(names)
		all = append(all, strings.Join(names, " "))
	}
	if len(slices.Compact(all)) != 1 {
		t.Errorf("the orders have different documents: %q", all)
	}
	return all[0]
}

// restricted makes a document restricted.
func restricted(t testing.TB, k *enginetest.Kit, documentID string) engine.Document {
	t.Helper()
	d, r, err := k.RestrictDocument(t.Context(), k.Admin, documentID, engine.Condition{}, "accuracy contested")
	if err != nil || !d.Restricted || r.Seq == 0 {
		t.Fatalf("restrict: %+v %v %v", d, r, err)
	}
	return d
}

func TestRestrictionIsAskedForOnce(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx, cond := t.Context(), engine.Condition{}
	made := k.Create("a", "text")
	is := restricted(t, k, made.ID)
	if is.Revision != made.Revision || !is.UpdatedAt.Equal(made.UpdatedAt) || is.AuditSeq <= made.AuditSeq {
		t.Errorf("%+v, was %+v", is, made)
	}
	again, r, err := k.RestrictDocument(ctx, k.Admin, made.ID, cond, "again")
	if err != nil || r.Seq != 0 || !again.Restricted {
		t.Errorf("restricted twice: %v %v", r, err)
	}
	for _, reason := range []string{"", " \t", strings.Repeat("x", 100_000)} {
		_, _, err := k.RestrictDocument(ctx, k.Admin, made.ID, cond, reason)
		wantField(t, err, "reason")
		_, _, err = k.UnrestrictDocument(ctx, k.Admin, made.ID, cond, reason)
		wantField(t, err, "reason")
	}
	if _, _, err := k.UnrestrictDocument(ctx, k.Admin, made.ID, engine.Condition{IfMatch: engine.Match{9}}, "x"); !errors.Is(err, engine.ErrPrecondition) {
		t.Errorf("a stale revision: %v", err)
	}
	shown, r, err := k.UnrestrictDocument(ctx, k.Admin, made.ID, cond, "settled")
	if err != nil || r.Seq == 0 || shown.Restricted {
		t.Errorf("unrestrict: %+v %v", shown, err)
	}
	if _, r, err := k.UnrestrictDocument(ctx, k.Admin, made.ID, cond, "again"); err != nil || r.Seq != 0 {
		t.Errorf("shown twice: %v %v", r, err)
	}
	e, err := k.Entry(ctx, shown.AuditSeq)
	if must(t, err); e.Op != audit.OpDocumentUnrestricted || string(e.Detail) != `{"reason":"settled"}` {
		t.Errorf("%s %s", e.Line, e.Detail)
	}
}

// TestWhatIsRestrictedIsNotFound asks for a restricted document by every call that
// names one, in the name of who may not see it.
func TestWhatIsRestrictedIsNotFound(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx, cond := t.Context(), engine.Condition{}
	uploader, _ := k.Person("Ulla", engine.AccessUpload)
	auditor, _ := k.Person("Anna", engine.AccessAuditor)
	seen := k.Create("seen", "text")
	d := k.CreateFrom(engine.NewDocument{Name: "hidden", ExternalID: "taken"}, "text")
	about := func(documentID string) engine.Obligation {
		o, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "pay", OwnerID: uploader.UserID, DocumentID: documentID, DueDate: due(t, "2099-01-01")})
		must(t, err)
		return o
	}
	hidden, shown := about(d.ID), about(seen.ID)
	_, _, err := k.CompleteObligation(ctx, k.Admin, shown.ID, cond, engine.Completion{Evidence: &engine.Evidence{DocumentID: d.ID, Version: 1}})
	must(t, err)
	is := restricted(t, k, d.ID)

	v, fresh := k.As(uploader), func() *engine.Upload { u := k.Upload("more"); t.Cleanup(func() { u.Discard() }); return u }
	none, bad, gone := engine.ErrDocumentNotFound, engine.ErrInvalid, engine.ErrObligationNotFound
	for _, c := range []struct {
		what string
		want error
		call func() error
	}{
		{"Document", none, func() error { _, err := v.Document(ctx, d.ID); return err }},
		{"Document in lower case", none, func() error { _, err := v.Document(ctx, strings.ToLower(d.ID)); return err }},
		{"Version", none, func() error { _, err := v.Version(ctx, d.ID, 1); return err }},
		{"Versions", none, func() error { _, err := v.Versions(ctx, d.ID, engine.Paging{}); return err }},
		{"OpenContent", none, func() error { _, _, _, err := v.OpenContent(ctx, uploader, d.ID, 0); return err }},
		{"Certificate", engine.ErrCertificateNotFound, func() error { _, err := v.Certificate(ctx, d.ID); return err }},
		{"Entries", none, func() error { _, err := v.Entries(ctx, engine.EntryQuery{DocumentID: d.ID}); return err }},
		{"Obligation", gone, func() error { _, err := v.Obligation(ctx, hidden.ID); return err }},
		// By the actor alone, whatever the view.
		{"Lock", none, func() error { _, err := k.Lock(ctx, uploader, d.ID); return err }},
		{"Expect", none, func() error { return k.Expect(ctx, uploader, d.ID, cond) }},
		{"AcquireLock", none, func() error { _, _, err := k.AcquireLock(ctx, uploader, d.ID, cond, engine.NewLock{}); return err }},
		{"UpdateDocument", none, func() error {
			_, _, err := k.UpdateDocument(ctx, uploader, d.ID, cond, engine.DocumentPatch{Name: new("x")})
			return err
		}},
		{"AddVersion", none, func() error {
			_, _, err := k.AddVersion(ctx, uploader, d.ID, cond, engine.NewVersion{}, fresh())
			return err
		}},
		{"RestoreVersion", none, func() error { _, _, err := k.RestoreVersion(ctx, uploader, d.ID, cond, 1); return err }},
		{"UpdateDocuments", none, func() error {
			out, err := k.UpdateDocuments(ctx, uploader, []engine.DocumentChange{{DocumentID: d.ID, Patch: engine.DocumentPatch{AddTags: []string{"x"}}}}, false)
			return errors.Join(err, out[0].Err)
		}},
		{"CreateObligation", bad, func() error {
			_, _, err := k.CreateObligation(ctx, uploader, engine.NewObligation{Title: "x", OwnerID: uploader.UserID, DocumentID: d.ID, DueDate: due(t, "2099-01-01")})
			return err
		}},
		{"CompleteObligation", gone, func() error {
			_, _, err := k.CompleteObligation(ctx, uploader, hidden.ID, cond, engine.Completion{})
			return err
		}},
		{"DeleteObligation", gone, func() error { _, _, err := k.DeleteObligation(ctx, uploader, hidden.ID, cond); return err }},
	} {
		if err := c.call(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, err, c.want)
		}
	}
	if seenBy(t, v) != "seen" || seenBy(t, k.As(auditor)) != "hidden seen" || seenBy(t, k.As(k.Admin)) != "hidden seen" || seenBy(t, k.Vault) != "hidden seen" {
		t.Errorf("lists: %q, %q, %q", seenBy(t, v), seenBy(t, k.As(auditor)), seenBy(t, k.Vault))
	}
	_, _, err = k.CreateDocument(ctx, uploader, engine.NewDocument{Name: "x", ExternalID: "taken"}, fresh())
	if e, ok := errors.AsType[*engine.ExistsError](err); !ok || e.ID != "" {
		t.Errorf("who may not see it learns what has the external id: %v", err)
	}
	list, err := v.Obligations(ctx, engine.ObligationQuery{Paging: engine.Paging{Limit: 1}})
	if must(t, err); len(list.Items) != 1 || list.Items[0].ID != shown.ID || list.Items[0].Evidence != nil || list.NextCursor != "" {
		t.Errorf("obligations: %+v", list)
	}
	sum, err := v.ObligationSummary(ctx)
	if must(t, err); sum.ByStatus != (engine.ObligationCounts{Completed: 1}) {
		t.Errorf("the dashboard counts %+v", sum.ByStatus)
	}
	e, err := v.Entry(ctx, is.AuditSeq)
	if must(t, err); e.Detail != nil || e.Salt != nil {
		t.Errorf("a detail is shown: %s", e.Detail)
	}
	if e, err = k.As(auditor).Entry(ctx, is.AuditSeq); err != nil || e.Detail == nil || e.Salt == nil {
		t.Errorf("an auditor is shown no detail: %v", err)
	}
	if got, err := k.As(auditor).Document(ctx, d.ID); err != nil || !got.Restricted {
		t.Errorf("an auditor does not see it: %v", err)
	}
	// What is deleted stays restricted, and so does its certificate.
	_, _, err = k.DeleteDocument(ctx, k.Admin, d.ID, cond)
	must(t, err)
	_, err = v.Document(ctx, d.ID)
	_, certificate := v.Certificate(ctx, d.ID)
	if !errors.Is(err, none) || !errors.Is(certificate, engine.ErrCertificateNotFound) || seenBy(t, v) != "seen" {
		t.Errorf("once deleted: %v, %v, %q", err, certificate, seenBy(t, v))
	}
	if _, err := k.As(auditor).Certificate(ctx, d.ID); err != nil {
		t.Errorf("an auditor asks for the certificate: %v", err)
	}
}

// TestDeferredErasureRestricts: as long as it is deferred and the setting is on.
func TestDeferredErasureRestricts(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	viewer, _ := k.Person("Vera", engine.AccessView)
	v := k.As(viewer)
	d := k.Create("held", "text")
	h := place(t, k, d.ID, "M")
	erase(t, k, d.ID)
	sweep(k)
	set := func(on bool) {
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{RestrictDeferred: &on})
		must(t, err)
	}
	sees := func(when string, want bool) {
		t.Helper()
		_, err := v.Document(ctx, d.ID)
		all, whole := k.Document(ctx, d.ID)
		if must(t, whole); (err == nil) != want || (seenBy(t, v) != "") != want || all.Restricted == want {
			t.Errorf("%s: %v, listed %q, restricted %v", when, err, seenBy(t, v), all.Restricted)
		}
	}
	sees("by itself", true)
	set(true)
	sees("with the setting", false)
	k.Reopen()
	v = k.As(viewer)
	sees("opened again", false)
	restricted(t, k, d.ID)
	set(false)
	sees("by hand", false)
	_, _, err := k.UnrestrictDocument(ctx, k.Admin, d.ID, engine.Condition{}, "settled")
	must(t, err)
	sees("without either", true)
	set(true)
	_, _, err = k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "")
	must(t, err)
	sees("released, and waiting for a run", false)
	_, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{})
	must(t, err)
	sweep(k)
	if _, err := v.Certificate(ctx, d.ID); err != nil {
		t.Errorf("erased: %v", err)
	}
}

// TestWhoDeletesWhatIsDeferredShowsNothing: of a document that is deleted before its
// erasure has come to it, the name and the details are left, for admins and
// auditors, until it has.
func TestWhoDeletesWhatIsDeferredShowsNothing(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	viewer, _ := k.Person("Vera", engine.AccessView)
	d := k.Create("held", "text")
	h := place(t, k, d.ID, "M")
	erase(t, k, d.ID)
	sweep(k)
	_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{RestrictDeferred: new(true)})
	must(t, err)
	_, _, err = k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "")
	must(t, err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})
	must(t, err)
	k.Reopen()
	v := k.As(viewer)
	_, err = v.Document(ctx, d.ID)
	_, certificate := v.Certificate(ctx, d.ID)
	_, entries := v.Entries(ctx, engine.EntryQuery{DocumentID: d.ID})
	if !errors.Is(err, engine.ErrDocumentNotFound) || !errors.Is(certificate, engine.ErrCertificateNotFound) || !errors.Is(entries, engine.ErrDocumentNotFound) || seenBy(t, v) != "" {
		t.Errorf("a viewer is told %v, %v, %v, lists %q", err, certificate, entries, seenBy(t, v))
	}
	if all := seenBy(t, k.Vault); all != "held" {
		t.Errorf("an admin lists %q", all)
	}
	_, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{})
	must(t, err)
	sweep(k)
	page, err := v.Documents(ctx, engine.DocumentQuery{Status: engine.StatusDeleted})
	if must(t, err); len(page.Items) != 1 || page.Items[0].Name != "" {
		t.Errorf("once erased, a viewer lists %+v", page.Items)
	}
	if _, err := v.Certificate(ctx, d.ID); err != nil {
		t.Errorf("once erased: %v", err)
	}
}

// TestRestoreRepeatsRestriction: what a log tells is in force before anybody can
// come in, and to show a document again loosens.
func TestRestoreRepeatsRestriction(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	kept, freed := k.Create("kept", "1"), k.Create("freed", "2")
	restricted(t, k, freed.ID)
	to := filepath.Join(t.TempDir(), "backup")
	made := backUp(t, k, to)
	restricted(t, k, kept.ID)
	_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{RestrictDeferred: new(true)})
	must(t, err)
	r, _ := restoredWith(t, k, to, exportSince(t, k, made.Head.Seq))
	is := func(documentID string) bool {
		d, err := r.Document(context.Background(), documentID)
		must(t, err)
		return d.Restricted
	}
	s, err := r.Settings(ctx)
	if must(t, err); !is(kept.ID) || !is(freed.ID) || !s.RestrictDeferred {
		t.Errorf("restricted: %v, %v; the setting: %v", is(kept.ID), is(freed.ID), s.RestrictDeferred)
	}
	_, _, err = k.UnrestrictDocument(ctx, k.Admin, freed.ID, engine.Condition{}, "settled")
	must(t, err)
	s2 := exportSince(t, k, made.Head.Seq)
	if r, _ = restoredWith(t, k, to, s2, s2.head); is(freed.ID) {
		t.Error("what was shown again is restricted")
	}
	refusedWith(t, "a log that loosens", to, engine.RestoreOptions{Log: strings.NewReader(string(s2.log))}, fmt.Sprintf("shows document %s", freed.ID))
}

// TestAViewersVerifyTellsNothingOfWhatIsRestricted: no finding of a vault in order,
// the same counts as if there were nothing restricted, and of damage no more than
// that it is there.
func TestAViewersVerifyTellsNothingOfWhatIsRestricted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	viewer, _ := k.Person("Vera", engine.AccessView)
	auditor, _ := k.Person("Anna", engine.AccessAuditor)
	k.Create("seen", "text")
	report := func(as engine.Actor) engine.VerifyReport {
		t.Helper()
		r, err := k.As(as).Verify(ctx, engine.VerifyOptions{Bytes: true})
		must(t, err)
		return r
	}
	before := report(viewer)
	d := k.CreateFrom(engine.NewDocument{Name: "hidden", ExternalID: "taken"}, "hidden text")
	_, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "pay", OwnerID: viewer.UserID, DocumentID: d.ID, DueDate: due(t, "2099-01-01")})
	must(t, err)
	place(t, k, d.ID, "Acme")
	restricted(t, k, d.ID)
	after := report(viewer)
	if len(after.Findings) > 0 || after.Documents != before.Documents || after.Versions != before.Versions || after.Blobs != before.Blobs {
		t.Errorf("a viewer is told %+v, was %+v", after, before)
	}
	if all := report(auditor); len(all.Findings) > 0 || all.Documents != 2 || all.Versions != 2 || all.Blobs != 2 {
		t.Errorf("an auditor is told %+v", all)
	}
	if again := k.As(viewer).Told(report(auditor)); again.Documents != 1 || again.Versions != 1 || again.Blobs != 0 {
		t.Errorf("of an auditor's report a viewer is told %+v", again)
	}
	path := blobPath(k, d.Current.Digest)
	must(t, os.Rename(path, path+".away"))
	found := report(viewer).Findings
	if len(found) == 0 || found[0].Code != engine.CodeBlob || strings.Contains(fmt.Sprint(found), d.ID) || strings.Contains(fmt.Sprint(found), "sha256") {
		t.Errorf("a viewer is told %+v", found)
	}
	if found := report(auditor).Findings; len(found) == 0 || !strings.Contains(found[0].Message, d.ID) {
		t.Errorf("an auditor is told %+v", found)
	}
	_, err = k.Scrub(ctx, 1<<20)
	must(t, err)
	for who, names := range map[engine.Actor]bool{viewer: false, auditor: true} {
		concerns, err := k.As(who).Concerns(ctx)
		must(t, err)
		if told := fmt.Sprint(concerns); len(concerns) == 0 || strings.Contains(told, d.ID) != names || strings.Contains(told, d.Current.Digest.String()) != names {
			t.Errorf("%s is told %v", who.Access, concerns)
		}
	}
	must(t, os.Rename(path+".away", path))
}

// TestAPartialViewHasNoHoldsOfWhatIsRestricted: hosts show holds to admins and
// auditors alone; a program that embeds the engine may not.
func TestAPartialViewHasNoHoldsOfWhatIsRestricted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	viewer, _ := k.Person("Vera", engine.AccessView)
	v := k.As(viewer)
	seen := k.Create("seen", "text")
	place(t, k, seen.ID, "Acme")
	told := func(v *engine.Vault) string {
		t.Helper()
		holds, err := v.Holds(ctx, engine.HoldQuery{Paging: engine.Paging{Limit: 1}})
		must(t, err)
		matters, err := v.Matters(ctx, engine.Paging{Limit: 1})
		must(t, err)
		acme, err := v.Matter(ctx, "Acme")
		must(t, err)
		_, other := v.Matter(ctx, "Other")
		census, err := v.Census(ctx)
		must(t, err)
		return fmt.Sprint(holds, matters, acme, other, census)
	}
	before := told(v)
	d := k.Create("hidden", "text")
	_, _, err := k.AcquireLock(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewLock{})
	must(t, err)
	h := place(t, k, d.ID, "Acme")
	place(t, k, d.ID, "Other")
	restricted(t, k, d.ID)
	if is := told(v); is != before {
		t.Errorf("a viewer is told %s, was %s", is, before)
	}
	if _, err := v.Hold(ctx, h.ID); !errors.Is(err, engine.ErrHoldNotFound) {
		t.Errorf("a viewer asks for its hold: %v", err)
	}
	if is := told(k.Vault); is == before || !strings.Contains(is, "Acme 2 0 2") {
		t.Errorf("an admin is told %s", is)
	}
}

// TestPagesLeadPastWhatIsRestricted: wherever it lies among the others, no page is
// short because of it, and none is empty with a cursor.
func TestPagesLeadPastWhatIsRestricted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	viewer, _ := k.Person("Vera", engine.AccessView)
	v := k.As(viewer)
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		d := k.CreateFrom(engine.NewDocument{Name: name, Tags: []string{"client:acme"}, Product: "vault", Path: "2024/" + name}, name)
		if i%2 == 1 {
			restricted(t, k, d.ID)
		}
	}
	if seen := seenBy(t, v); seen != "a c e" {
		t.Errorf("listed are %q", seen)
	}
	for _, sort := range []engine.Sort{"", engine.SortCreated, engine.SortUpdated, engine.SortUpdated.Descending(), engine.SortName, engine.SortName.Descending()} {
		for _, q := range []engine.DocumentQuery{{Tags: []string{"client:*"}}, {Product: "vault", Path: "2024"}, {Name: "F"}, {Name: "b", Product: "vault"}} {
			q.Sort, q.Limit = sort, 1
			want := 3
			if q.Name != "" {
				want = 0
			}
			for n := 1; ; n++ {
				page, err := v.Documents(t.Context(), q)
				if must(t, err); len(page.Items) != min(want, 1) || (page.NextCursor != "") != (n < want) {
					t.Errorf("page %d of %+v: %d documents, cursor %q", n, q, len(page.Items), page.NextCursor)
				}
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
		}
	}
	for limit, want := range map[int]string{1: "2024/a 2024/c 2024/e", 3: "2024/a 2024/c 2024/e"} {
		var paths []string
		q := engine.FolderQuery{Path: "2024", Paging: engine.Paging{Limit: limit}}
		for more := true; more; more = q.Cursor != "" {
			page, err := v.Folders(t.Context(), q)
			if must(t, err); len(page.Items) == 0 {
				t.Error("an empty page of folders")
			}
			for _, f := range page.Items {
				paths = append(paths, f.Path)
			}
			q.Cursor = page.NextCursor
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("folders: %q", got)
		}
	}
}
