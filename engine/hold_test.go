package engine_test

import (
	"errors"
	"slices"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func place(t testing.TB, k *enginetest.Kit, documentID, matter string) engine.Hold {
	t.Helper()
	h, receipt, err := k.PlaceHold(t.Context(), k.Admin, documentID, engine.Condition{}, engine.NewHold{Reason: "litigation is expected", Matter: matter})
	if err != nil || receipt.Seq == 0 {
		t.Fatalf("place a hold: receipt %v, %v", receipt, err)
	}
	return h
}

func stored(t testing.TB, k *enginetest.Kit, documentID string) engine.Document {
	t.Helper()
	d, err := k.Document(t.Context(), documentID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func release(t testing.TB, k *enginetest.Kit, holdID string) engine.Hold {
	t.Helper()
	h, _, err := k.ReleaseHold(t.Context(), k.Admin, holdID, engine.Condition{}, "settled")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// As long as one hold stands, the document does; the release of the last one
// disposes of nothing and lets others.
func TestEachHoldIsReleasedByItself(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	first, second := place(t, k, d.ID, "Acme ./. Bolt"), place(t, k, d.ID, "")
	del := func() error {
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		return err
	}
	for n, h := range []engine.Hold{first, second} {
		held, ok := errors.AsType[*engine.HeldError](del())
		if !ok || held.Holds != uint64(2-n) {
			t.Errorf("deleting with %d holds: %v", 2-n, held)
		}
		_, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		if !errors.Is(err, engine.ErrOnHold) {
			t.Errorf("archiving with %d holds: %v", 2-n, err)
		}
		if now := stored(t, k, d.ID); now.HoldCount != uint64(2-n) || now.Status != engine.StatusLegalHold || now.Revision != d.Revision || !now.UpdatedAt.Equal(d.UpdatedAt) {
			t.Errorf("held: %+v", now)
		}
		h = release(t, k, h.ID)
		if h.Status != engine.HoldReleased || h.ReleasedAt.IsZero() || h.ReleasedBy != k.Admin.UserID || h.ReleaseReason != "settled" {
			t.Errorf("released: %+v", h)
		}
	}
	if now := stored(t, k, d.ID); now.Status != engine.StatusActive || now.HoldCount != 0 || now.Revision != d.Revision {
		t.Errorf("after the last release: %+v", now)
	}
	if err := del(); err != nil {
		t.Fatal(err)
	}
	if h, err := k.Hold(t.Context(), first.ID); err != nil || h.Reason != first.Reason || h.DocumentID != d.ID {
		t.Errorf("a hold of a deleted document: %+v, %v", h, err)
	}
	if _, err := k.DocumentHolds(t.Context(), d.ID, "", engine.Paging{}); !errors.Is(err, engine.ErrDocumentDeleted) {
		t.Errorf("the holds of a deleted document: %v", err)
	}
}

func ids(page engine.Page[engine.Document], err error) []string {
	if err != nil {
		return []string{err.Error()}
	}
	list := []string{}
	for _, d := range page.Items {
		list = append(list, d.ID)
	}
	return list
}

// What is held shows as such, whether archived or not; an archived one leaves
// the default list all the same.
func TestListsTellHeldDocumentsApart(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	active, held, archived, both := k.Create("active", "a"), k.Create("held", "b"), k.Create("archived", "c"), k.Create("both", "d")
	for _, d := range []engine.Document{archived, both} {
		if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	place(t, k, held.ID, "M")
	place(t, k, both.ID, "M")
	yes, no := true, false
	for _, ask := range []struct {
		q    engine.DocumentQuery
		want []string
	}{
		{engine.DocumentQuery{}, []string{active.ID, held.ID}},
		{engine.DocumentQuery{Status: "active"}, []string{active.ID}},
		{engine.DocumentQuery{Status: "archived"}, []string{archived.ID}},
		{engine.DocumentQuery{Status: "legal_hold"}, []string{held.ID, both.ID}},
		{engine.DocumentQuery{Status: "legal_hold", Archived: &no}, []string{held.ID}},
		{engine.DocumentQuery{Status: "all"}, []string{active.ID, held.ID, archived.ID, both.ID}},
		{engine.DocumentQuery{Archived: &yes}, []string{archived.ID, both.ID}},
		{engine.DocumentQuery{Archived: &no}, []string{active.ID, held.ID}},
		{engine.DocumentQuery{Matter: "M"}, []string{held.ID}},
		{engine.DocumentQuery{Matter: "M", Status: "all"}, []string{held.ID, both.ID}},
		{engine.DocumentQuery{Matter: "N", Status: "all"}, []string{}},
	} {
		for _, sort := range []engine.Sort{"createdAt", "name", "updatedAt"} {
			ask.q.Sort = sort
			got := ids(k.Documents(t.Context(), ask.q))
			slices.Sort(got)
			if !slices.Equal(got, ask.want) {
				t.Errorf("%+v: got %v, want %v", ask.q, got, ask.want)
			}
		}
	}
}
