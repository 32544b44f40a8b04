package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A hold against what it forbids, at the same time: whoever comes first wins,
// and the other is told so.
func TestAHoldRacesWithWhatItForbids(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	cond := engine.Condition{}
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for round := range rounds {
		d := k.Create("contract", fmt.Sprint("text ", round))
		var held, done error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _, held = k.PlaceHold(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "litigation"})
		})
		deletes := round%2 == 0
		wg.Go(func() {
			if deletes {
				_, _, done = k.DeleteDocument(t.Context(), k.Admin, d.ID, cond)
			} else {
				_, _, done = k.ArchiveDocument(t.Context(), k.Admin, d.ID, cond)
			}
		})
		wg.Wait()
		is, err := k.Document(t.Context(), d.ID)
		switch {
		case held == nil && errors.Is(done, engine.ErrOnHold) && err == nil && is.HoldCount == 1 && !is.Archived:
		case deletes && errors.Is(held, engine.ErrDocumentDeleted) && done == nil && errors.Is(err, engine.ErrDocumentDeleted):
		case !deletes && held == nil && done == nil && err == nil && is.Archived && is.HoldCount == 1: // archived first, then held
		default:
			t.Fatalf("round %d: the hold %v, the other %v, left %+v, %v", round, held, done, is, err)
		}
	}
}

// Many hold and release the same documents for the same matter at once: each
// bears one hold in the end, or none, and all of it adds up.
func TestBulkHoldsRaceWithOneAnother(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	var ids []string
	for i := range 40 {
		ids = append(ids, k.Create("contract", fmt.Sprint("text ", i)).ID)
	}
	placed := make(chan string, 8*len(ids))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			outcomes, err := k.PlaceHolds(t.Context(), k.Admin, ids, engine.NewHold{Reason: "litigation", Matter: "Acme"}, false)
			if err != nil {
				t.Error(err)
			}
			for _, out := range outcomes {
				if out.Err != nil {
					t.Error(out.Err)
				}
				if out.Changed {
					placed <- out.HoldID
				}
			}
		})
	}
	wg.Wait()
	close(placed)
	var holds []string
	for id := range placed {
		holds = append(holds, id)
	}
	if len(holds) != len(ids) {
		t.Fatalf("%d holds of %d documents", len(holds), len(ids))
	}
	for range 3 {
		wg.Go(func() {
			if _, err := k.ReleaseHolds(t.Context(), k.Admin, holds, "", false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	page, err := k.Matters(t.Context(), engine.Paging{})
	must(t, err)
	if m := page.Items[0]; m.Active != 0 || m.Released != uint64(len(ids)) || m.Documents != uint64(len(ids)) {
		t.Errorf("the matter is %+v", m)
	}
}
