package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A date that compliance counts from counts when an admin has confirmed it. Until
// then the document is protected from its creation on.
func TestComplianceCountsFromAConfirmedDate(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		uploader, _ := k.Person("Ulla Upload", engine.AccessUpload)
		law := comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeCategory, Target: "invoice", Period: "P10Y", Action: engine.ActionArchive, StartFrom: "field:closed"}))
		set := func(a engine.Actor, id string, value any) engine.Document {
			t.Helper()
			d, _, err := k.UpdateDocument(ctx, a, id, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"closed": value}})
			must(t, err)
			return d
		}
		// until is the year until whose end it is protected; 0: it is not, -1: without a date.
		until := func(what, id string, want int) string {
			t.Helper()
			x, err := k.Disposition(ctx, k.Admin, id)
			must(t, err)
			got := x.ProtectedUntil.Year()
			switch {
			case x.Protected == "":
				got = 0
			case x.ProtectedUntil.IsZero():
				got = -1
			}
			if got != want {
				t.Errorf("%s: protected until %d, want %d; %s", what, got, want, x.Next)
			}
			return x.Next
		}
		year := time.Now().Year()
		made := func(fields map[string]any) engine.Document {
			return k.CreateFrom(engine.NewDocument{Name: "n", Category: "invoice", CustomFields: fields}, "text")
		}

		d := made(nil)
		until("without a date", d.ID, -1)
		set(uploader, d.ID, "1900-01-01")
		next := until("with an uploader's date", d.ID, year+10)
		if !strings.Contains(next, `No admin has confirmed the date in its field "closed"`) || !strings.Contains(next, "an admin confirms the date by setting it to the same value again") {
			t.Errorf("it says %q", next)
		}
		if _, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{}); !errors.Is(err, engine.ErrRetained) {
			t.Fatalf("deleted: %v", err)
		}
		seq := k.Head().Seq
		if again := set(uploader, d.ID, "1900-01-01"); again.AuditSeq > seq {
			t.Error("an uploader confirms")
		}
		before := stored(t, k, d.ID)
		if after := set(k.Admin, d.ID, "1900-01-01"); after.Revision != before.Revision+1 || after.CustomFields["closed"] != "1900-01-01" {
			t.Errorf("confirmed: %+v", after)
		}
		if next := until("confirmed", d.ID, 0); strings.Contains(next, "confirm") {
			t.Errorf("it says %q", next)
		}
		seq = k.Head().Seq
		if set(k.Admin, d.ID, "1900-01-01"); k.Head().Seq != seq {
			t.Error("it is confirmed twice")
		}

		// What was confirmed is left behind by a stamp, and the new date is not confirmed.
		d = made(map[string]any{"closed": "2100-05-05"})
		until("an admin's date", d.ID, 2110)
		set(uploader, d.ID, "1900-01-01")
		until("brought nearer by an uploader", d.ID, 2110)
		set(k.Admin, d.ID, "1900-01-01")
		until("and confirmed", d.ID, 2110)

		// The later of the two protects.
		d = made(nil)
		set(uploader, d.ID, "2100-05-05")
		until("later than its creation", d.ID, 2110)

		// To leave the policy, to lose the date or to bring it back is no way round.
		category := "other"
		d = made(nil)
		set(uploader, d.ID, "1900-01-01")
		_, _, err := k.UpdateDocument(ctx, uploader, d.ID, engine.Condition{}, engine.DocumentPatch{Category: &category})
		must(t, err)
		until("it left", d.ID, year+10)
		d = made(nil)
		set(uploader, d.ID, "1900-01-01")
		set(uploader, d.ID, nil)
		until("without the date again", d.ID, -1)
		_, _, err = k.UpdateDocument(ctx, uploader, d.ID, engine.Condition{}, engine.DocumentPatch{ClearCustomFields: true})
		must(t, err)
		set(uploader, d.ID, "1900-01-01")
		until("set again", d.ID, year+10)
		set(k.Admin, d.ID, "1900-01-01")
		until("what was stamped when the date went stays", d.ID, year+10)

		d = made(map[string]any{"closed": "1900-01-01"})
		until("an admin's upload", d.ID, 0)
		lock, _, err := k.AcquireLock(ctx, uploader, d.ID, engine.Condition{}, engine.NewLock{})
		must(t, err)
		token := engine.Condition{LockToken: lock.Token}
		_, _, err = k.UpdateDocument(ctx, uploader, d.ID, token, engine.DocumentPatch{CustomFields: map[string]any{"closed": "1901-01-01"}})
		must(t, err)
		until("changed under a lock", d.ID, year+10)
		_, _, err = k.ReleaseLock(ctx, uploader, d.ID, token, false)
		must(t, err)
		until("put back to what was confirmed", d.ID, 0)
		if _, _, err := k.DeleteField(ctx, k.Admin, "closed", engine.Condition{}, true); !errors.Is(err, engine.ErrFieldInUse) {
			t.Errorf("the field is deleted: %v", err)
		}
		k.Check()
		k.Reopen()
		_ = law
	})
}

// In a scratchpad a date is confirmed when it is saved, and in bulk as by hand.
func TestDatesAreConfirmedInScratchpadsAndInBulk(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		uploader, _ := k.Person("Ulla Upload", engine.AccessUpload)
		comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeOrganization, Period: "P10Y", Action: engine.ActionArchive, StartFrom: "field:closed"}))
		date := engine.DocumentPatch{CustomFields: map[string]any{"closed": "1900-01-01"}}
		protected := func(what, id string, want engine.Protect) {
			t.Helper()
			if x, err := k.Disposition(ctx, k.Admin, id); err != nil || x.Protected != want {
				t.Errorf("%s: %q, %v", what, x.Protected, err)
			}
		}
		made := func() engine.Document {
			d, _, err := k.CreateDocument(ctx, uploader, engine.NewDocument{Name: "n", CustomFields: date.CustomFields}, k.Upload("text"))
			must(t, err)
			return d
		}
		d := made()
		lock, _, err := k.AcquireLock(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewLock{UseScratchPad: true})
		must(t, err)
		token := engine.Condition{LockToken: lock.Token}
		_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, token, date)
		must(t, err)
		protected("in the scratchpad", d.ID, engine.ProtectCompliance)
		_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, token, true)
		must(t, err)
		protected("saved", d.ID, "")

		d = made()
		for _, by := range []struct {
			actor engine.Actor
			want  engine.Protect
		}{{uploader, engine.ProtectCompliance}, {engine.Operator(), ""}} {
			outcomes, err := k.UpdateDocuments(ctx, by.actor, []engine.DocumentChange{{DocumentID: d.ID, Patch: date}}, false)
			if err != nil || outcomes[0].Err != nil {
				t.Errorf("%+v, %v", outcomes, err)
			}
			protected("in bulk", d.ID, by.want)
		}
		d, _, err = k.CreateDocument(ctx, engine.Operator(), engine.NewDocument{Name: "n", OwnerID: uploader.UserID, CustomFields: date.CustomFields}, k.Upload("text"))
		must(t, err)
		protected("imported by the operator", d.ID, "")
	})
}

// A run leaves what is due by a date that nobody has confirmed.
func TestRunLeavesUnconfirmedDates(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		uploader, _ := k.Person("Ulla Upload", engine.AccessUpload)
		comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeOrganization, Period: "P1Y", Action: engine.ActionDelete, StartFrom: "field:closed"}))
		d, _, err := k.CreateDocument(ctx, uploader, engine.NewDocument{Name: "n", CustomFields: map[string]any{"closed": "1990-01-01"}}, k.Upload("text"))
		must(t, err)
		if r := runNow(k); r.Counts != (engine.RunCounts{Protected: 1}) {
			t.Errorf("%+v", r.Counts)
		}
		for range 26 {
			days(14)
			sweep(k)
		}
		if r := runNow(k); r.Counts != (engine.RunCounts{Protected: 1}) {
			t.Errorf("%+v", r.Counts)
		}
		days(2) // it is a leap year
		if r := runNow(k); r.Counts != (engine.RunCounts{Deleted: 1}) || !gone(k, d.ID) {
			t.Errorf("%+v", r.Counts)
		}
	})
}
