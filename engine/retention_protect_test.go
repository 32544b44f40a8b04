package engine_test

import (
	"errors"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func deleteOne(k *enginetest.Kit, documentID string, c engine.Condition) error {
	_, _, err := k.DeleteDocument(k.TB.Context(), k.Admin, documentID, c)
	return err
}

func retained(t *testing.T, err error) *engine.RetainedError {
	t.Helper()
	e, ok := errors.AsType[*engine.RetainedError](err)
	if !ok {
		t.Fatalf("not retained: %v", err)
	}
	return e
}

func bypass(reason string) engine.Condition {
	return engine.Condition{BypassGovernance: true, Reason: reason}
}

// Governance refuses deletion by hand until the period is over; an admin who
// says why may bypass it, and the log tells.
func TestGovernance(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		first, second := k.Create("a", "text"), k.Create("b", "text")
		p := policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		e := retained(t, deleteOne(k, first.ID, engine.Condition{}))
		if e.Protect != "governance" || e.PolicyID != p.ID || !e.Until.Equal(first.CreatedAt.Add(10*24*time.Hour)) {
			t.Errorf("%+v", e)
		}
		if err := deleteOne(k, first.ID, bypass(" ")); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("without a reason: %v", err)
		}
		must(t, deleteOne(k, first.ID, bypass("uploaded by mistake")))
		entry, err := k.Entry(ctx, k.Head().Seq)
		must(t, err)
		if flag, _ := entry.Facts["bypass"].AsText(); flag != "true" || string(entry.Detail) != `{"name":"a","reason":"uploaded by mistake"}` {
			t.Errorf("%s %s", entry.Line, entry.Detail)
		}
		place(t, k, second.ID, "m")
		if err := deleteOne(k, second.ID, bypass("again")); !errors.Is(err, engine.ErrOnHold) {
			t.Errorf("a hold is not bypassed: %v", err)
		}
		release(t, k, holdsOf(t, k, second.ID)[0].ID)
		days(10)
		must(t, deleteOne(k, second.ID, engine.Condition{Reason: "of no use"}))
		entry, err = k.Entry(ctx, k.Head().Seq)
		must(t, err)
		if _, told := entry.Facts["bypass"]; told {
			t.Errorf("nothing was bypassed: %s", entry.Line)
		}
	})
}

func holdsOf(t *testing.T, k *enginetest.Kit, documentID string) []engine.Hold {
	t.Helper()
	page, err := k.DocumentHolds(t.Context(), documentID, "active", engine.Paging{})
	must(t, err)
	return page.Items
}

// A policy of compliance is made on purpose only, and then only prolonged.
func TestComplianceIsLocked(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	_, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "n", Scope: engine.ScopeOrganization, Action: engine.ActionDelete, Protect: engine.ProtectCompliance})
	if !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("made by creation: %v", err)
	}
	p := policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionDelete})
	change := func(patch engine.PolicyPatch) error {
		_, _, err := k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, patch)
		return err
	}
	compliance, off, no, name := engine.ProtectCompliance, engine.ProtectNone, false, "The law"
	shorter, longer, days := uint64(9), uint64(11), engine.StartUpdated
	for _, confirm := range []string{"", "law", "Law "} {
		if err := change(engine.PolicyPatch{Protect: &compliance, Confirm: confirm}); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("confirmed by %q: %v", confirm, err)
		}
	}
	if err := change(engine.PolicyPatch{Protect: &compliance, Confirm: "Law", Enabled: &no}); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("disabled: %v", err)
	}
	must(t, change(engine.PolicyPatch{Protect: &compliance, Confirm: "Law"}))
	archive, product, target := engine.ActionArchive, engine.ScopeProduct, "x"
	for _, patch := range []engine.PolicyPatch{
		{Protect: &off}, {Enabled: &no}, {PeriodDays: &shorter}, {StartFrom: &days}, {Action: &archive},
		{Scope: &product, Target: &target}, {PeriodDays: &longer, Enabled: &no},
	} {
		if err := change(patch); !errors.Is(err, engine.ErrPolicyLocked) {
			t.Errorf("%+v: %v", patch, err)
		}
	}
	if _, _, err := k.DeletePolicy(ctx, k.Admin, p.ID, engine.Condition{}); !errors.Is(err, engine.ErrPolicyLocked) {
		t.Errorf("deleted: %v", err)
	}
	must(t, change(engine.PolicyPatch{Name: &name, PeriodDays: &longer}))
	if now, err := k.Policy(ctx, p.ID); err != nil || now.Period != "P11D" || now.Name != name || now.Protect != compliance {
		t.Errorf("%+v, %v", now, err)
	}
}

// No change of a document leads out of compliance: what it leaves behind is
// stamped, and only rises.
func TestNoChangeLeadsOutOfCompliance(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed", "signed")
		cat := func(name string, days uint64, from engine.Start) {
			comply(k, policy(k, engine.NewPolicy{Name: name, Scope: engine.ScopeCategory, Target: name, PeriodDays: days, Action: engine.ActionArchive, StartFrom: from}))
		}
		cat("contract", 100, "createdAt")
		cat("report", 50, "createdAt")
		cat("invoice", 30, "field:closed")
		cat("receipt", 20, "field:signed")
		patch := func(d engine.Document, p engine.DocumentPatch) error {
			_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, p)
			return err
		}
		category := func(name string) engine.DocumentPatch { return engine.DocumentPatch{Category: &name} }
		until := func(d engine.Document, want time.Time) {
			t.Helper()
			e := retained(t, deleteOne(k, d.ID, bypass("try")))
			if !e.Until.Equal(want) || e.Protect != "compliance" {
				t.Errorf("%+v, want until %v", e, want)
			}
		}
		after := func(d engine.Document, days int) time.Time {
			return d.CreatedAt.Add(time.Duration(days) * 24 * time.Hour)
		}

		d := k.CreateFrom(engine.NewDocument{Name: "d", Category: "contract"}, "text")
		must(t, patch(d, category("report")))
		until(d, after(d, 100))
		e, err := k.Entry(ctx, k.Head().Seq)
		must(t, err)
		if stamp, _ := e.Facts["retainUntil"].AsText(); stamp != audit.FormatTime(after(d, 100)) {
			t.Errorf("%s", e.Line)
		}
		must(t, patch(d, category("other")))
		until(d, after(d, 100))
		x, err := k.Disposition(ctx, k.Admin, d.ID)
		if want := "It is kept: no policy will archive or delete it as things are; nobody may delete it before 10 April 2000 00:00 UTC."; err != nil || x.Next != want {
			t.Errorf("it says %q, want %q, %v", x.Next, want, err)
		}

		dated := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice", CustomFields: map[string]any{"closed": "2000-01-20"}}, "text")
		end := time.Date(2000, 2, 19, 12, 0, 0, 0, time.UTC)
		until(dated, end)
		must(t, patch(dated, engine.DocumentPatch{CustomFields: map[string]any{"closed": nil}}))
		if e := retained(t, deleteOne(k, dated.ID, engine.Condition{})); !e.Until.IsZero() {
			t.Errorf("with the fact gone: %+v", e)
		}
		must(t, patch(dated, engine.DocumentPatch{CustomFields: map[string]any{"closed": "1970-01-01"}}))
		until(dated, end)
		must(t, patch(dated, engine.DocumentPatch{CustomFields: map[string]any{"closed": "2000-02-20"}}))
		until(dated, end.AddDate(0, 0, 31))

		open := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice"}, "text")
		for _, name := range []string{"other", "contract", "receipt"} {
			retained(t, patch(open, category(name)))
		}
		must(t, patch(open, engine.DocumentPatch{CustomFields: map[string]any{"closed": "2000-01-01"}}))
		must(t, patch(open, category("receipt")))
		retained(t, patch(open, category("other")))

		for _, key := range []string{"closed", "signed"} {
			if _, _, err := k.DeleteField(ctx, k.Admin, key, engine.Condition{}, true); !errors.Is(err, engine.ErrFieldInUse) {
				t.Errorf("a field that a policy counts from was deleted: %v", err)
			}
		}
		if stored(t, k, dated.ID).CustomFields["closed"] == nil {
			t.Error("and cleared")
		}
		lock, _, err := k.AcquireLock(ctx, k.Admin, open.ID, engine.Condition{}, engine.NewLock{})
		must(t, err)
		k.Check()
		_, _, err = k.ReleaseLock(ctx, k.Admin, open.ID, engine.Condition{LockToken: lock.Token}, false)
		must(t, err)
		days(100)
		wantDoubt(t, deleteOne(k, d.ID, engine.Condition{}))
		_, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{AcceptClock: true, Reason: "nobody came by"})
		must(t, err)
		must(t, deleteOne(k, d.ID, engine.Condition{}))
	})
}

// What a lock's holder takes back does not lead out of compliance either.
func TestRevertingStaysUnderCompliance(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		comply(k, policy(k, engine.NewPolicy{Name: "i", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 30, Action: engine.ActionArchive, StartFrom: "field:closed"}))
		comply(k, policy(k, engine.NewPolicy{Name: "v", Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 30, Action: engine.ActionArchive, StartFrom: "currentVersion"}))
		d, c := k.Create("d", "text"), k.CreateFrom(engine.NewDocument{Name: "c", Category: "contract"}, "text")
		days(5)
		for _, d := range []engine.Document{d, c} {
			lock, _, err := k.AcquireLock(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewLock{})
			must(t, err)
			held := engine.Condition{LockToken: lock.Token}
			invoice, name := "invoice", "renamed"
			patch := engine.DocumentPatch{Name: &name}
			if d.Category == "other" {
				patch.Category = &invoice
			}
			_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, held, patch)
			must(t, err)
			u := k.Upload("more")
			_, _, err = k.AddVersion(ctx, k.Admin, d.ID, held, engine.NewVersion{}, u)
			u.Discard()
			must(t, err)
			_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, held, false)
			must(t, err)
		}
		if now := stored(t, k, d.ID); now.Category != "invoice" || now.Name != "d" {
			t.Errorf("%+v", now)
		}
		if e := retained(t, deleteOne(k, d.ID, engine.Condition{})); !e.Until.IsZero() {
			t.Errorf("%+v", e)
		}
		days(26) // the first version's period is over, that of the one taken back is not
		if e := retained(t, deleteOne(k, c.ID, engine.Condition{})); !e.Until.Equal(c.CreatedAt.Add(35 * 24 * time.Hour)) {
			t.Errorf("%+v", e)
		}
		days(4)
		must(t, deleteOne(k, c.ID, engine.Condition{}))
	})
}

// A date may be so far ahead that its period ends after the last year the log can
// spell: the document is protected until that year's end, can be changed, and
// keeps no other document from being erased.
func TestComplianceBeyondTheLastYear(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		comply(k, policy(k, engine.NewPolicy{Name: "i", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 3650, Action: engine.ActionArchive, StartFrom: "field:closed"}))
		far := k.CreateFrom(engine.NewDocument{Name: "far", Category: "invoice", CustomFields: map[string]any{"closed": "9999-12-31"}}, "text")
		end := time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
		if e := retained(t, deleteOne(k, far.ID, engine.Condition{})); !e.Until.Equal(end) {
			t.Errorf("until %v", e.Until)
		}
		free := k.Create("free", "text")
		e, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{far.ID, free.ID}, LegalBasis: "law", Requester: "case 1"})
		must(t, err)
		sweep(k)
		e, err = k.Erasure(ctx, e.ID)
		if err != nil || e.Completed != 1 || e.Deferred != 1 || !gone(k, free.ID) {
			t.Errorf("%+v, %v", e, err)
		}
		other := "other"
		_, _, err = k.UpdateDocument(ctx, k.Admin, far.ID, engine.Condition{}, engine.DocumentPatch{Category: &other})
		must(t, err)
		if e := retained(t, deleteOne(k, far.ID, engine.Condition{})); !e.Until.Equal(end) {
			t.Errorf("stamped until %v", e.Until)
		}
		k.Check()
	})
}
