package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Nothing but the index of starts is written without an entry.
func TestOnlyTheIndexOfStartsIsDerived(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Spoilt = true
	head := k.Head()
	_, _, err := k.Update(t.Context(), engine.System(), func(t *engine.Tx) (string, audit.Event, error) {
		t.DeriveMark()
		return "", audit.Event{}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "settings is not derived") {
		t.Errorf("%v", err)
	}
	if marks, err := k.Marks(); err != nil || len(marks) != 0 || k.Head() != head {
		t.Errorf("%v, %v", marks, err)
	}
}

// A kind of start is filled while documents come, change and go, and whatever is
// cut off is gone on with; the rows are right at every moment, which the check at
// the end of the test looks at as well.
func TestStartsAreFilledWhileDocumentsChange(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("thousands of documents")
	}
	k := enginetest.New(t)
	ctx := t.Context()
	u := k.Upload("text")
	must(t, k.Fill(ctx, k.Admin, 3_500, u, func(i int) engine.NewDocument {
		return engine.NewDocument{Name: fmt.Sprint(i), Category: "invoice", Product: []string{"cpq", "clm"}[i%2], CustomFields: map[string]any{"renewalDate": "2001-02-03"}}
	}))
	u.Discard()
	page, err := k.Documents(ctx, engine.DocumentQuery{Sort: "createdAt", Paging: engine.Paging{Limit: 500}})
	must(t, err)
	policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "cpq", PeriodDays: 1, Action: engine.ActionArchive, StartFrom: "field:renewalDate"})
	var changing sync.WaitGroup
	changing.Go(func() {
		for i, d := range page.Items {
			switch i % 4 {
			case 0:
				k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})
			case 1:
				k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"renewalDate": "2099-01-01"}})
			case 2:
				k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"renewalDate": nil}})
			}
		}
	})
	_, err = k.FillSome(ctx, "field:renewalDate")
	must(t, err)
	if r, err := k.Verify(ctx, engine.VerifyOptions{}); err != nil || len(r.Findings) > 0 {
		t.Errorf("%v, %v", r.Findings, err)
	}
	changing.Wait()
	p, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{})
	must(t, err)
	if want := uint64(3_500/2 - 250); p.Counts != (engine.RunCounts{Archived: want}) {
		t.Errorf("%+v, want %d", p.Counts, want)
	}
	if kinds, err := k.Kinds(); err != nil || !kinds["field:renewalDate"] {
		t.Errorf("%v, %v", kinds, err)
	}
}

// What a policy counts from stays a date field, and comes to be indexed when it
// is named, and not any more when nobody names it.
func TestOnlyWhatPoliciesNameIsIndexed(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		for n := range 5 {
			k.CreateFrom(engine.NewDocument{Name: "n", CustomFields: map[string]any{"closed": "2001-01-01"}}, fmt.Sprint(n))
		}
		p := policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 9_999, Action: engine.ActionDelete, StartFrom: "field:closed"})
		text := engine.TextField
		if _, _, err := k.UpdateField(ctx, k.Admin, "closed", engine.Condition{}, engine.FieldPatch{Type: &text}); !errors.Is(err, engine.ErrFieldInUse) {
			t.Errorf("another type: %v", err)
		}
		runNow(k)
		created := engine.StartCreated
		_, _, err := k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{StartFrom: &created})
		must(t, err)
		time.Sleep(25 * time.Hour)
		sweep(k)
		if kinds, err := k.Kinds(); err != nil || len(kinds) != 1 || !kinds["createdAt"] {
			t.Errorf("named for the first time, and looked at for what would be deleted: %v, %v", kinds, err)
		}
		_, _, err = k.DeleteField(ctx, k.Admin, "closed", engine.Condition{}, true)
		must(t, err)
	})
}

// A document explains itself in the words of a records manager, and says what a
// run then does.
func TestDisposition(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		d := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice"}, "text")
		next := func(want string) engine.Disposition {
			t.Helper()
			x, err := k.Disposition(ctx, k.Admin, d.ID)
			if must(t, err); x.Next != want {
				t.Errorf("it says %q, want %q", x.Next, want)
			}
			return x
		}
		next("It is kept: no policy will archive or delete it as things are.")
		old := policy(k, engine.NewPolicy{Name: "Old", Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionArchive})
		next("The first run after 11 January 2000 00:00 UTC will archive it, and nothing will delete it as things are.")
		policy(k, engine.NewPolicy{Name: "All", Scope: engine.ScopeOrganization, PeriodDays: 5, Action: engine.ActionDelete})
		next("The first run after 6 January 2000 00:00 UTC will delete it.")
		bills := policy(k, engine.NewPolicy{Name: "Bills", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 20, Action: engine.ActionDelete})
		x := next("The first run after 11 January 2000 00:00 UTC will archive it, and the first after 21 January 2000 00:00 UTC will delete it.")
		if x.Archive.PolicyID != old.ID || x.Delete.PolicyID != bills.ID || !x.Delete.EligibleAt.Equal(d.CreatedAt.Add(20*24*time.Hour)) {
			t.Errorf("%+v", x)
		}
		if p := x.Policies[len(x.Policies)-1]; p.Wins || p.Why != `the policy "Bills" is more specific: it is for the category` {
			t.Errorf("%+v", p)
		}
		h := place(t, k, d.ID, "m")
		next("The first run after 11 January 2000 00:00 UTC will archive it, and the first after 21 January 2000 00:00 UTC will delete it, but not before its legal hold is released.")
		days(12)
		next("It is due to be archived, and stays until its legal hold is released; then the next run does it.")
		release(t, k, h.ID)
		next("The next run archives it.")
		runNow(k)
		next("The first run after 21 January 2000 00:00 UTC will delete it.")
		policy(k, engine.NewPolicy{Name: "Keep", Scope: engine.ScopeOrganization, PeriodDays: 30, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		days(10)
		x = next("It is due to be deleted, and a policy protects it until 31 January 2000 00:00 UTC; the next run after that does it.")
		if x.Protected != engine.ProtectGovernance || !x.ProtectedUntil.Equal(d.CreatedAt.Add(30*24*time.Hour)) {
			t.Errorf("%+v", x)
		}
		if r := runNow(k); r.Counts.Protected != 1 {
			t.Errorf("%+v", r)
		}
		days(10)
		next("The next run deletes it, with all its versions, for good.")
		runNow(k)
		if _, err := k.Disposition(ctx, k.Admin, d.ID); !errors.Is(err, engine.ErrDocumentDeleted) {
			t.Errorf("%v", err)
		}
		viewer, _ := k.Person("Vera View", engine.AccessView)
		if _, err := k.Disposition(ctx, viewer, d.ID); !errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("by a viewer: %v", err)
		}
	})
}

// What happens next waits for the end of protection, before the period of the
// deletion is over and after it.
func TestDispositionOfAProtectedDocument(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		d := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice"}, "text")
		next := func(want string) {
			t.Helper()
			if x, err := k.Disposition(ctx, k.Admin, d.ID); err != nil || x.Next != want {
				t.Errorf("it says %q, want %q, %v", x.Next, want, err)
			}
		}
		policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 5, Action: engine.ActionDelete})
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 30, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		next("The first run after 31 January 2000 00:00 UTC will delete it.")
		policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 20, Action: engine.ActionArchive})
		both := "The first run after 21 January 2000 00:00 UTC will archive it, and the first after 31 January 2000 00:00 UTC will delete it."
		next(both)
		days(10)
		next(both)
		k.Define(engine.DateField, "closed")
		policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "p", PeriodDays: 1, Action: engine.ActionArchive, StartFrom: "field:closed", Protect: engine.ProtectGovernance})
		next(both)
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionArchive, StartFrom: "field:closed", Protect: engine.ProtectGovernance})
		next("The first run after 21 January 2000 00:00 UTC will archive it, and nothing will delete it as things are.")
	})
}
