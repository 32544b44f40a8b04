package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestSeveralChangesStandAlone(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	one := k.CreateFrom(engine.NewDocument{Name: "one", ExternalID: "erp-1", Tags: []string{"old"}}, "text")
	two := k.CreateFrom(engine.NewDocument{Name: "two", Tags: []string{"new"}}, "text")
	held := k.Create("held", "text")
	lock(t, k, k.Admin, held.ID, engine.NewLock{})
	gone := k.Create("gone", "text")
	_, _, err := k.DeleteDocument(ctx, k.Admin, gone.ID, engine.Condition{})
	must(t, err)
	tag := engine.DocumentPatch{AddTags: []string{"new"}, RemoveTags: []string{"old"}}
	changes := []engine.DocumentChange{
		{ExternalID: "erp-1", Patch: tag},
		{DocumentID: uuid(two.ID), Patch: tag},
		{DocumentID: held.ID, Patch: tag},
		{DocumentID: gone.ID, Patch: tag},
		{DocumentID: engine.NewID(), Patch: tag},
		{ExternalID: "none", Patch: tag},
		{Patch: tag},
		{DocumentID: two.ID, Condition: engine.Condition{IfMatch: engine.Match{9}}, Patch: tag},
		{DocumentID: two.ID, Patch: engine.DocumentPatch{CustomFields: map[string]any{"unknown": 1}}},
		{DocumentID: two.ID, Patch: engine.DocumentPatch{AddTags: []string{"a,b"}}},
		{DocumentID: two.ID, Patch: engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: "secret"}}},
		{DocumentID: two.ID, Patch: engine.DocumentPatch{AddTags: []string{"last"}}},
		{DocumentID: two.ID, Condition: engine.Condition{IfMatch: engine.Match{2}}, Patch: engine.DocumentPatch{RemoveTags: []string{"last"}}},
	}
	want := []error{nil, nil, engine.ErrLocked, engine.ErrDocumentDeleted, engine.ErrDocumentNotFound, engine.ErrDocumentNotFound, engine.ErrDocumentNotFound,
		engine.ErrPrecondition, engine.ErrInvalid, engine.ErrInvalid, engine.ErrInvalid, nil, nil}
	head := k.Head()
	for _, dryRun := range []bool{true, false} {
		got, err := k.UpdateDocuments(ctx, k.Admin, changes, dryRun)
		must(t, err)
		for i, out := range got {
			if wanted := want[i]; !errors.Is(out.Err, wanted) || wanted == nil && out.Err != nil {
				t.Errorf("dry run %v, %d: %+v, want %v", dryRun, i, out, wanted)
			}
			if changed := i == 0 || i >= 11; out.Changed != changed {
				t.Errorf("dry run %v, %d: %+v, changed should be %v", dryRun, i, out, changed)
			}
		}
		if got[0].DocumentID != one.ID || got[1].DocumentID != two.ID {
			t.Errorf("%+v", got)
		}
		if dryRun && k.Head() != head {
			t.Error("a dry run wrote")
		}
	}
	if k.Head().Seq != head.Seq+3 {
		t.Errorf("%d entries, want 3", k.Head().Seq-head.Seq)
	}
	viewer, _ := k.Person("View", engine.AccessView)
	for _, dryRun := range []bool{true, false} {
		got, err := k.UpdateDocuments(ctx, viewer, changes[:1], dryRun)
		if err != nil || !errors.Is(got[0].Err, engine.ErrLacksPermission) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := k.UpdateDocuments(ctx, k.Admin, make([]engine.DocumentChange, engine.MaxBulk+1), false); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
	if got, err := k.UpdateDocuments(ctx, k.Admin, nil, false); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

// What a dry run says of each document is what the real run does: whatever stands
// in the way, and what a change before it in the same run did.
func TestADryRunSaysWhatTheRealRunDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		comply(k, policy(k, engine.NewPolicy{Name: "law", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 30, Action: engine.ActionArchive, StartFrom: "field:closed"}))
		must2 := func(_ engine.Document, _ engine.Receipt, err error) { t.Helper(); must(t, err) }
		create := func(n engine.NewDocument) string { return k.CreateFrom(n, n.Name).ID }
		free, kept := create(engine.NewDocument{Name: "free"}), create(engine.NewDocument{Name: "kept", Category: "invoice"})
		locked, pad, held := create(engine.NewDocument{Name: "locked"}), create(engine.NewDocument{Name: "pad"}), create(engine.NewDocument{Name: "held"})
		archived, gone := create(engine.NewDocument{Name: "archived", ExternalID: "erp-1"}), create(engine.NewDocument{Name: "gone"})
		lock(t, k, k.Admin, locked, engine.NewLock{})
		lock(t, k, k.Admin, pad, engine.NewLock{UseScratchPad: true})
		place(t, k, held, "m")
		must2(k.ArchiveDocument(ctx, k.Admin, archived, engine.Condition{}))
		must(t, deleteOne(k, gone, engine.Condition{}))
		_, _, err := k.CreateField(ctx, k.Admin, engine.NewField{Key: "note", Type: engine.TextField, Required: true})
		must(t, err)
		must(t, setFields(k, free, map[string]any{"note": "x"}))
		report, none, erp1, erp2 := "report", "no-such", "erp-1", "erp-2"
		viewer, _ := k.Person("View", engine.AccessView)

		all := []string{free, kept, locked, pad, held, archived, gone, engine.NewID(), free, uuid(held)}
		var changes []engine.DocumentChange
		for _, patch := range []engine.DocumentPatch{
			{Category: &report}, {Category: &none}, {OwnerID: &none}, {AddTags: []string{"a"}}, {RemoveTags: []string{"a"}}, {ExternalID: &erp1}, {ExternalID: &erp2},
			{CustomFields: map[string]any{"note": nil}}, {CustomFields: map[string]any{"closed": "soon"}}, {CustomFields: map[string]any{"note": "y"}}, {},
		} {
			for _, documentID := range all {
				changes = append(changes, engine.DocumentChange{DocumentID: documentID, Patch: patch})
			}
			changes = append(changes, engine.DocumentChange{ExternalID: erp1, Patch: patch}, engine.DocumentChange{ExternalID: erp2, Patch: patch},
				engine.DocumentChange{DocumentID: free, Condition: engine.Condition{IfMatch: engine.Match{4}}, Patch: patch})
		}
		documents := func(who engine.Actor) func(bool) ([]engine.DocumentOutcome, error) {
			return func(dry bool) ([]engine.DocumentOutcome, error) { return k.UpdateDocuments(ctx, who, changes, dry) }
		}
		archive := func(who engine.Actor, archived bool) func(bool) ([]engine.DocumentOutcome, error) {
			return func(dry bool) ([]engine.DocumentOutcome, error) {
				return k.ArchiveDocuments(ctx, who, all, archived, dry)
			}
		}
		holds := holdsOf(t, k, held)
		place := func(who engine.Actor) func(bool) ([]engine.DocumentOutcome, error) {
			return func(dry bool) ([]engine.DocumentOutcome, error) {
				out, err := k.PlaceHolds(ctx, who, all, engine.NewHold{Reason: "r", Matter: "m"}, dry)
				return asDocuments(t, out, dry), err
			}
		}
		release := func(who engine.Actor) func(bool) ([]engine.DocumentOutcome, error) {
			return func(dry bool) ([]engine.DocumentOutcome, error) {
				out, err := k.ReleaseHolds(ctx, who, []string{holds[0].ID, engine.NewID(), holds[0].ID}, "over", dry)
				return asDocuments(t, out, false), err
			}
		}
		for i, run := range []func(dryRun bool) ([]engine.DocumentOutcome, error){
			documents(viewer), archive(viewer, true), place(viewer), release(viewer),
			documents(k.Admin), archive(k.Admin, true), archive(k.Admin, false), place(k.Admin), archive(k.Admin, true), release(k.Admin), archive(k.Admin, true),
		} {
			head := k.Head()
			would, err := run(true)
			must(t, err)
			if k.Head() != head {
				t.Errorf("run %d: a dry run wrote", i)
			}
			is, err := run(false)
			must(t, err)
			for n := range is {
				if fmt.Sprint(would[n].Err) != fmt.Sprint(is[n].Err) || would[n].Changed != is[n].Changed || would[n].DocumentID != is[n].DocumentID {
					t.Errorf("run %d, %d: the dry run says %+v, the real one %+v", i, n, would[n], is[n])
				}
			}
		}
		var kinds []error
		is, err := k.UpdateDocuments(ctx, k.Admin, changes, true)
		must(t, err)
		for _, kind := range []error{engine.ErrRetained, engine.ErrLocked, engine.ErrInvalid, engine.ErrExists, engine.ErrPrecondition, engine.ErrDocumentDeleted, engine.ErrDocumentNotFound} {
			for _, out := range is {
				if errors.Is(out.Err, kind) {
					kinds = append(kinds, kind)
					break
				}
			}
		}
		if len(kinds) < 7 {
			t.Errorf("only these were met: %v", kinds)
		}
	})
}

// asDocuments also sees that a hold which would be placed has no id.
func asDocuments(t *testing.T, holds []engine.HoldOutcome, noID bool) (out []engine.DocumentOutcome) {
	t.Helper()
	for _, h := range holds {
		if noID && h.Changed && h.HoldID != "" {
			t.Errorf("a hold that is not placed has the id %s", h.HoldID)
		}
		out = append(out, engine.DocumentOutcome{DocumentID: h.DocumentID, Changed: h.Changed, Err: h.Err})
	}
	return out
}

// Many at once, beside callers of single changes: all land, in order.
func TestSeveralCallersOfSeveralChanges(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	docs := make([]engine.Document, 4)
	for i := range docs {
		docs[i] = k.Create(fmt.Sprint("d", i), "text")
	}
	before := k.Stats()
	const n = 300
	var wg sync.WaitGroup
	for _, d := range docs {
		wg.Go(func() {
			var changes []engine.DocumentChange
			for i := range n {
				name := fmt.Sprint(i)
				changes = append(changes, engine.DocumentChange{
					DocumentID: d.ID, Condition: engine.Condition{IfMatch: engine.Match{uint64(i + 1)}}, Patch: engine.DocumentPatch{Name: &name},
				})
			}
			got, err := k.UpdateDocuments(ctx, k.Admin, changes, false)
			for i, out := range got {
				if out.Err != nil || out.Revision != uint64(i+2) {
					t.Errorf("%d: %+v", i, out)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	single := k.Create("single", "text")
	for i := range 50 {
		if _, err := rename(k, k.Admin, single.ID, fmt.Sprint(i), engine.Condition{}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	after := k.Stats()
	if changes := after.Changes - before.Changes; changes != 4*n+51 {
		t.Errorf("%d changes", changes)
	}
	if commits := after.Commits - before.Commits; commits > 4*n {
		t.Errorf("%d commits for %d changes", commits, 4*n)
	}
}

// TestSeveralChangesEndWithTheirCaller: what waits behind a commit when the
// caller goes away is not done any more.
func TestSeveralChangesEndWithTheirCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		first := k.Create("first", "text")
		var changes []engine.DocumentChange
		for i := range 5 {
			changes = append(changes, engine.DocumentChange{
				DocumentID: k.Create(fmt.Sprint("d", i), "text").ID, Patch: engine.DocumentPatch{AddTags: []string{"late"}},
			})
		}
		proceed := make(chan struct{})
		k.SetCommit(func(commit, _ func() error) error {
			<-proceed
			return commit()
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := rename(k, k.Admin, first.ID, "renamed", engine.Condition{})
			must(t, err)
		})
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		var got []engine.DocumentOutcome
		wg.Go(func() {
			var err error
			got, err = k.UpdateDocuments(ctx, k.Admin, changes, false)
			must(t, err)
		})
		synctest.Wait()
		leave()
		close(proceed)
		wg.Wait()
		for i, out := range got {
			if d, err := k.Document(t.Context(), changes[i].DocumentID); err != nil || len(d.Tags) > 0 || !errors.Is(out.Err, context.Canceled) || out.Changed {
				t.Errorf("%d: %+v, %v, %v", i, out, d.Tags, err)
			}
		}
		if _, err := k.UpdateDocuments(ctx, k.Admin, changes, true); !errors.Is(err, context.Canceled) {
			t.Errorf("a dry run of a caller who is gone: %v", err)
		}
	})
}
