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
			wanted := want[i]
			if dryRun && i == 12 { // of a change that was not made
				wanted = engine.ErrPrecondition
			}
			if !errors.Is(out.Err, wanted) || wanted == nil && out.Err != nil {
				t.Errorf("dry run %v, %d: %+v, want %v", dryRun, i, out, wanted)
			}
			if changed := i == 0 || i == 11 || i == 12 && !dryRun; out.Changed != changed {
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
