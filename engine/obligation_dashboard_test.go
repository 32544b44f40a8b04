package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestObligationSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		if s, err := k.ObligationSummary(ctx); err != nil || s.ByStatus != (engine.ObligationCounts{}) || s.ByMonth != nil || s.ByOwner != nil || s.Next != nil || s.Partial {
			t.Errorf("of none: %+v, %v", s, err)
		}
		inZone(k, "Asia/Tokyo")
		doc := k.Create("Lease", "x").ID
		bob, _ := k.Person("Bob", engine.AccessUpload)
		time.Sleep(100 * time.Hour)                         // it is 5 January 2000
		oblige(k, doc, "late", "2000-01-04", "")            // overdue
		oblige(k, doc, "later", "2000-01-31T16:00:00Z", "") // February in Tokyo
		oblige(k, doc, "soon", "2000-01-06", "")
		oblige(k, doc, "far", "2050-01-01", "") // beyond the months told
		done := oblige(k, doc, "done", "1999-12-31", "")
		_, _, err := k.CompleteObligation(ctx, k.Admin, done.ID, engine.Condition{}, engine.Completion{})
		must(t, err)
		for range 5 {
			_, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "Bob's", DueDate: due(t, "2000-01-07"), OwnerID: bob.UserID, DocumentID: doc})
			must(t, err)
		}
		s, err := k.ObligationSummary(ctx)
		must(t, err)
		counts := func(pending, overdue, completed uint64) engine.ObligationCounts {
			return engine.ObligationCounts{Pending: pending, Overdue: overdue, Completed: completed}
		}
		months := []engine.MonthCounts{
			{Month: "1999-12", ObligationCounts: counts(0, 0, 1)}, {Month: "2000-01", ObligationCounts: counts(6, 1, 0)},
			{Month: "2000-02", ObligationCounts: counts(1, 0, 0)},
		}
		owners := []engine.OwnerCounts{
			{OwnerID: bob.UserID, OwnerName: "Bob", ObligationCounts: counts(5, 0, 0)},
			{OwnerID: k.Admin.UserID, OwnerName: "Ada Admin", ObligationCounts: counts(3, 1, 1)},
		}
		if s.ByStatus != counts(8, 1, 1) || !slices.Equal(s.ByMonth, months) || !slices.Equal(s.ByOwner, owners) || s.Partial {
			t.Errorf("%+v", s)
		}
		if len(s.Next) != 8 || s.Next[0].Title != "soon" || s.Next[7].Title != "far" {
			t.Errorf("next: %+v", s.Next)
		}
	})
}

// TestObligationSummaryOfSome counts no more than it may, and says so, but only
// if there are more.
func TestObligationSummaryOfSome(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	doc := k.Create("Lease", "x").ID
	bob, _ := k.Person("Bob", engine.AccessUpload)
	for i, owner := range []string{k.Admin.UserID, bob.UserID, k.Admin.UserID, bob.UserID, k.Admin.UserID} {
		o, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "t", DueDate: due(t, "2099-01-01"), OwnerID: owner, DocumentID: doc})
		must(t, err)
		if i < 2 { // one of each owner's
			_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{})
			must(t, err)
		}
	}
	for most, want := range map[int]engine.ObligationCounts{
		0: {}, 1: {Pending: 1, Completed: 1}, 2: {Pending: 2, Completed: 2}, 3: {Pending: 3, Completed: 2}, 4: {Pending: 3, Completed: 2},
	} {
		s, err := k.SummaryOf(ctx, most)
		must(t, err)
		if s.ByStatus != want || s.Partial != (most < 3) || len(s.Next) != 3 {
			t.Errorf("of %d at most: %+v", most, s)
		}
	}
}
