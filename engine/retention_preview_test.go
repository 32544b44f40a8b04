package engine_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// preview reads all pages of one.
func preview(k *enginetest.Kit, q engine.PreviewQuery) (first engine.Preview, all []engine.PlannedOutcome) {
	k.TB.Helper()
	q.Limit = 2
	for {
		p, err := k.Preview(k.TB.Context(), k.Admin, q)
		must(k.TB, err)
		if first.PlanDigest.IsZero() {
			first = p
		}
		if p.PlanDigest != first.PlanDigest || p.Counts != first.Counts {
			k.TB.Errorf("the pages are of different plans: %+v, %+v", first, p)
		}
		all = append(all, p.Page.Items...)
		if q.Cursor = p.Page.NextCursor; q.Cursor == "" {
			return first, all
		}
	}
}

// A preview says what a run would do, and a run that is bound to it does that or
// nothing. What becomes due in between is no part of it.
func TestPreviewBindsTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		p := policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionDelete})
		var due []engine.Document
		for n := range 5 {
			due = append(due, k.Create(fmt.Sprint("due ", n), "text"))
		}
		place(t, k, due[4].ID, "m")
		days(1)
		head := k.Head()
		first, all := preview(k, engine.PreviewQuery{})
		if k.Head() != head {
			t.Error("a preview wrote to the log")
		}
		if first.Counts != (engine.RunCounts{Deleted: 4, Held: 1}) || len(all) != 5 {
			t.Errorf("%+v of %d", first.Counts, len(all))
		}
		for _, o := range all {
			if o.Would != engine.ActionDelete || o.PolicyID != p.ID || !strings.HasPrefix(o.Name, "due ") {
				t.Errorf("%+v", o)
			}
		}
		name := "changed"
		_, _, err := k.UpdateDocument(ctx, k.Admin, due[0].ID, engine.Condition{}, engine.DocumentPatch{Name: &name})
		must(t, err)
		_, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{PlanDigest: &audit.Hash{}})
		if !errors.Is(err, engine.ErrPlanChanged) {
			t.Errorf("another plan: %v", err)
		}
		place(t, k, due[1].ID, "m")
		if _, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{PlanDigest: &first.PlanDigest}); !errors.Is(err, engine.ErrPlanChanged) {
			t.Errorf("with one more held: %v", err)
		}
		release(t, k, holdsOf(t, k, due[1].ID)[0].ID)
		r, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{PlanDigest: &first.PlanDigest})
		must(t, err)
		place(t, k, due[2].ID, "m") // while it runs: a hold stands before it all the same
		sweep(k)
		if r, err = k.Run(ctx, r.ID); err != nil || r.Counts.Held != 2 || gone(k, due[2].ID) || !gone(k, due[1].ID) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// The pages of a preview hold each document of the plan once, whatever its state,
// group, kind of start and policy.
func TestPreviewPages(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	want := map[string]bool{}
	for n := range 40 {
		d := k.CreateFrom(engine.NewDocument{
			Name: "n", Category: []string{"invoice", "other", "report"}[n%3], Product: []string{"", "cpq"}[n%2],
			CustomFields: map[string]any{"renewalDate": fmt.Sprintf("19%d-01-01", 30+n)},
		}, fmt.Sprint(n))
		if n%4 == 0 {
			_, _, err := k.ArchiveDocument(ctx, k.Admin, d.ID, engine.Condition{})
			must(t, err)
		}
		if n%9 == 0 {
			policy(k, engine.NewPolicy{Scope: engine.ScopeDocument, Target: d.ID, Action: engine.ActionDelete})
		}
		want[d.ID] = n%3 != 2 || n%4 != 0 || n%9 == 0 // what is archived already is not again
	}
	policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", Action: engine.ActionDelete, StartFrom: "field:renewalDate"})
	policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "cpq", Action: engine.ActionDelete, StartFrom: "updatedAt"})
	policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "other", Action: engine.ActionDelete})
	policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionArchive})
	first, all := preview(k, engine.PreviewQuery{})
	met := map[string]bool{}
	for _, o := range all {
		if met[o.DocumentID] || !want[o.DocumentID] {
			t.Errorf("met twice, or not due: %+v", o)
		}
		met[o.DocumentID] = true
	}
	for documentID, due := range want {
		if due && !met[documentID] {
			t.Errorf("%s is on no page", documentID)
		}
	}
	if first.Counts.Archived+first.Counts.Deleted != uint64(len(all)) || first.Counts.Archived == 0 {
		t.Errorf("%+v of %d", first.Counts, len(all))
	}
	if r := runNow(k); r.PlanDigest != first.PlanDigest || r.Counts != first.Counts {
		t.Errorf("the run: %+v", r)
	}
}

// What becomes due between preview and run is left for the next run.
func TestPlanIsOfItsInstant(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx, paused := t.Context(), true // so that no daily run does it
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &paused})
		must(t, err)
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionDelete})
		early := k.Create("early", "text")
		time.Sleep(time.Hour)
		late := k.Create("late", "text")
		time.Sleep(23*time.Hour + time.Minute)
		seen, all := preview(k, engine.PreviewQuery{})
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		time.Sleep(2 * time.Hour)
		_, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{PlanDigest: &seen.PlanDigest})
		must(t, err)
		sweep(k)
		if !gone(k, early.ID) || gone(k, late.ID) {
			t.Error("the run did not do what was previewed")
		}
		if r := runNow(k); r.Counts.Deleted != 1 || !gone(k, late.ID) {
			t.Errorf("%+v", r)
		}
	})
}

// A preview may be of a policy that is not there, or is different, and indexes
// for it what it needs: for a day.
func TestPreviewOfAPolicyThatIsNotThere(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		var closed engine.Document
		for n := range 3 {
			closed = k.CreateFrom(engine.NewDocument{Name: "n", Category: "invoice", CustomFields: map[string]any{"closed": fmt.Sprintf("199%d-06-30", n)}}, "text")
		}
		k.CreateFrom(engine.NewDocument{Name: "n", Category: "invoice"}, "text")
		scope, target, from, days, action := engine.ScopeCategory, "invoice", engine.StartField("closed"), uint64(3*365), engine.ActionArchive
		q := engine.PreviewQuery{Policy: &engine.PolicyPatch{Scope: &scope, Target: &target, StartFrom: &from, PeriodDays: &days, Action: &action}}
		seen, all := preview(k, q)
		if seen.Counts != (engine.RunCounts{Archived: 3}) || all[0].PolicyID != engine.NewPolicyID || all[2].DocumentID != closed.ID {
			t.Errorf("%+v, %+v", seen, all)
		}
		if kinds, err := k.Kinds(); err != nil || !kinds[string(from)] || len(kinds) != 1 {
			t.Errorf("indexed: %v, %v", kinds, err)
		}
		k.Check()
		time.Sleep(25 * time.Hour)
		sweep(k)
		if kinds, err := k.Kinds(); err != nil || len(kinds) != 0 {
			t.Errorf("a day later: %v, %v", kinds, err)
		}
		bad := "customers"
		q.Policy.Target = &bad
		if _, err := k.Preview(ctx, k.Admin, q); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("of a policy that cannot be: %v", err)
		}
		q = engine.PreviewQuery{PolicyID: policy(k, engine.NewPolicy{Scope: scope, Target: target, PeriodDays: 9_000, Action: action}).ID, Policy: &engine.PolicyPatch{StartFrom: &from, PeriodDays: &days}}
		if seen, _ := preview(k, q); seen.Counts != (engine.RunCounts{Archived: 3}) {
			t.Errorf("of one that is changed: %+v", seen)
		}
		if r := runNow(k); r.Counts != (engine.RunCounts{}) {
			t.Errorf("as it is: %+v", r)
		}
	})
}

// A cursor made up by somebody makes no plan of a time to come, to which a run
// could be bound.
func TestPreviewIsNotOfTheFuture(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 0, Action: engine.ActionArchive})
		for range 2 {
			k.Create("due", "text")
		}
		first, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{Paging: engine.Paging{Limit: 1}})
		must(t, err)
		cursor, err := base64.RawURLEncoding.DecodeString(first.Page.NextCursor)
		must(t, err)
		const kind, instant = 1, 8 // the place follows
		binary.BigEndian.PutUint64(cursor[kind:kind+instant], uint64(time.Now().AddDate(20, 0, 0).UnixMilli()))
		q := engine.PreviewQuery{Paging: engine.Paging{Cursor: base64.RawURLEncoding.EncodeToString(cursor)}}
		if p, err := k.Preview(ctx, k.Admin, q); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
