package engine_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// about returns the operations of a document's entries, in order, and checks
// that none but those that outlive an erasure has its detail if erased is set.
func about(t testing.TB, k *enginetest.Kit, documentID string, erased bool) (ops []string) {
	t.Helper()
	page, err := k.Entries(t.Context(), engine.EntryQuery{DocumentID: documentID, Limit: 500})
	must(t, err)
	for _, e := range page.Items {
		ops = append(ops, string(e.Op))
		if erased && (e.Detail != nil) != (!e.Entry.Detail.IsZero() && e.Op.Kept()) {
			t.Errorf("entry %d, %s: detail %q", e.Seq, e.Op, e.Detail)
		}
	}
	return ops
}

// What an erasure does to a document in every state it can be in.
func TestErasureInEveryState(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx, cond := t.Context(), engine.Condition{}
	archive := func(d string) {
		_, _, err := k.ArchiveDocument(ctx, k.Admin, d, cond)
		must(t, err)
	}
	lock := func(d string, pad bool) {
		_, _, err := k.AcquireLock(ctx, k.Admin, d, engine.Condition{}, engine.NewLock{UseScratchPad: pad})
		must(t, err)
	}
	held := func(d string) engine.Hold { return place(t, k, d, "Acme ./. Bolt") }
	for n, state := range []struct {
		name   string
		before func(d string) (hold []engine.Hold)
	}{
		{"active", func(d string) []engine.Hold { return nil }},
		{"archived", func(d string) []engine.Hold { archive(d); return nil }},
		{"locked", func(d string) []engine.Hold { lock(d, false); return nil }},
		{"with a scratchpad", func(d string) []engine.Hold { lock(d, true); return nil }},
		{"held", func(d string) []engine.Hold { return []engine.Hold{held(d)} }},
		{"held twice", func(d string) []engine.Hold { return []engine.Hold{held(d), held(d)} }},
		{"archived and held", func(d string) []engine.Hold { archive(d); return []engine.Hold{held(d)} }},
		{"locked and held", func(d string) []engine.Hold { lock(d, false); return []engine.Hold{held(d)} }},
		{"once held", func(d string) []engine.Hold { release(t, k, held(d).ID); return nil }},
		{"deleted", func(d string) []engine.Hold {
			_, _, err := k.DeleteDocument(ctx, k.Admin, d, cond)
			must(t, err)
			return nil
		}},
	} {
		word := secret(100 + n)
		d := k.CreateFrom(engine.NewDocument{Name: word, Tags: []string{word}}, "text of "+word)
		holds := state.before(d.ID)
		e := erase(t, k, d.ID)
		for _, h := range holds {
			sweep(k)
			got := readErasure(t, k, e.ID)
			if got.Status != engine.ErasureDeferred || got.Documents[0].Status != engine.ErasureDeferred || got.Documents[0].Why != engine.DeferredHeld {
				t.Errorf("%s: %+v", state.name, got)
			}
			if k.Content(d.ID, 0) != "text of "+word {
				t.Errorf("%s: the content is another", state.name)
			}
			release(t, k, h.ID)
		}
		if len(holds) > 0 {
			sweep(k) // the end of a hold disposes of nothing
			if got := readErasure(t, k, e.ID); got.Status != engine.ErasureDeferred || got.Documents[0].Why != engine.DeferredRun {
				t.Errorf("%s, and released: %+v", state.name, got)
			}
		}
		sweep(k)
		r := runNow(k)
		if n := uint64(min(1, len(holds))); r.Counts != (engine.RunCounts{Erased: n}) {
			t.Errorf("%s: the run says %+v", state.name, r.Counts)
		}
		if done := outcomes(k, r.ID)[d.ID]; (len(holds) > 0) != slices.Equal(done, []string{"erased"}) {
			t.Errorf("%s: the run's outcomes say %q", state.name, done)
		}
		ops := strings.Join(about(t, k, d.ID, true), " ")
		if n := strings.Count(ops, "erasure.deferred"); n != min(1, len(holds)) {
			t.Errorf("%s: deferred %d times in %s", state.name, n, ops)
		}
		if !strings.HasSuffix(ops, "document.deleted erasure.completed") || strings.Count(ops, "document.deleted") != 1 {
			t.Errorf("%s: %s", state.name, ops)
		}
		if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted || got.Completed != 1 || got.Documents[0].Status != engine.ErasureCompleted {
			t.Errorf("%s: %+v", state.name, got)
		}
		c, err := k.Certificate(ctx, d.ID)
		must(t, err)
		if byErasure := state.name != "deleted"; (c.ErasureID == e.ID && c.Right == "erasure") != byErasure {
			t.Errorf("%s: certificate %+v", state.name, c)
		}
		if files := left(t, k.Dir, word); files != nil {
			t.Errorf("%s: the word is in %q", state.name, files)
		}
		k.Check()
	}
	page, err := k.Holds(ctx, engine.HoldQuery{Matter: "Acme ./. Bolt"})
	if err != nil || len(page.Items) != 6 || page.Items[0].Reason == "" {
		t.Errorf("the holds that stood before erasures: %+v, %v", page.Items, err)
	}
}

// Bytes that another document needs too stay for it.
func TestErasureLeavesSharedBytes(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	one, other := k.Create("one", "the same bytes"), k.Create("other", "the same bytes")
	erase(t, k, one.ID)
	sweep(k)
	if k.Content(other.ID, 0) != "the same bytes" {
		t.Error("the bytes of the other document are gone")
	}
	erase(t, k, other.ID)
	sweep(k)
	if files := left(t, k.Dir, "the same bytes"); files != nil {
		t.Errorf("still in %q", files)
	}
}

// A document may be in several erasures, and deleted meanwhile: each is
// completed, and it is deleted once.
func TestErasedTwice(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d, h := k.Create(secret(1), "text"), engine.Hold{}
	h = place(t, k, d.ID, "M")
	first, second := erase(t, k, d.ID), erase(t, k, d.ID, d.ID)
	if second.Total != 1 || len(second.Documents) != 1 {
		t.Errorf("the same document twice: %+v", second)
	}
	sweep(k)
	release(t, k, h.ID)
	runNow(k)
	third := erase(t, k, d.ID)
	sweep(k)
	for _, e := range []engine.Erasure{first, second, third} {
		if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted {
			t.Errorf("%+v", got)
		}
	}
	ops := strings.Join(about(t, k, d.ID, true), " ")
	if strings.Count(ops, "document.deleted") != 1 || strings.Count(ops, "erasure.completed") != 3 || strings.Count(ops, "erasure.deferred") != 2 {
		t.Error(ops)
	}
	c, err := k.Certificate(t.Context(), d.ID)
	if err != nil || c.ErasureID != first.ID {
		t.Errorf("%+v, %v", c, err)
	}
	page, err := k.Erasures(t.Context(), engine.Paging{Limit: 2})
	if err != nil || len(page.Items) != 2 || page.Items[0].ID != first.ID || page.NextCursor == "" || page.Items[0].Documents != nil {
		t.Errorf("%+v, %v", page, err)
	}
}

// The details of a document with more entries than one mutation looks at go in
// several, each with an entry after what it erased.
func TestErasureOfALongHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("a history of more than a thousand changes")
	}
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create(secret(1), "text")
	changes := make([]engine.DocumentChange, 400)
	for round := range 3 {
		for n := range changes {
			text := fmt.Sprint(secret(2), " ", round, " ", n)
			changes[n] = engine.DocumentChange{DocumentID: d.ID, Patch: engine.DocumentPatch{Description: &text}}
		}
		_, err := k.UpdateDocuments(t.Context(), k.Admin, changes, false)
		must(t, err)
	}
	e := erase(t, k, d.ID)
	sweep(k)
	page, err := k.Entries(t.Context(), engine.EntryQuery{Op: audit.OpErasureCompleted})
	if err != nil || len(page.Items) != 3 {
		t.Errorf("%d entries, %v", len(page.Items), err)
	}
	if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted {
		t.Errorf("%+v", got)
	}
	for n := range 3 {
		if files := left(t, k.Dir, secret(n)); files != nil {
			t.Errorf("still in %q", files)
		}
	}
}

// What cannot be erased is refused by name, and nothing is noted.
func TestWhatCannotBeErased(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	upload, _ := k.Person("Una", engine.AccessUpload)
	basis := engine.NewErasure{LegalBasis: "Art. 17", Requester: "case 1"}
	with := func(change func(n *engine.NewErasure)) engine.NewErasure { n := basis; change(&n); return n }
	head := k.Head()
	for field, n := range map[string]engine.NewErasure{
		"documentIds":    basis,
		"documentIds[1]": with(func(n *engine.NewErasure) { n.DocumentIDs = []string{d.ID, engine.NewID()} }),
		"userId":         with(func(n *engine.NewErasure) { n.UserID = upload.UserID }),
		"legalBasis":     with(func(n *engine.NewErasure) { n.DocumentIDs, n.LegalBasis = []string{d.ID}, " " }),
		"requester":      with(func(n *engine.NewErasure) { n.DocumentIDs, n.Requester = []string{d.ID}, "" }),
	} {
		_, _, err := k.RequestErasure(t.Context(), k.Admin, n)
		wrong, ok := errors.AsType[*engine.InvalidError](err)
		if !ok || len(wrong.Fields) != 1 || wrong.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, _, err := k.RequestErasure(t.Context(), upload, with(func(n *engine.NewErasure) { n.DocumentIDs = []string{d.ID} }))
	if !errors.Is(err, engine.ErrLacksPermission) {
		t.Error(err)
	}
	if _, err := k.Erasure(t.Context(), engine.NewID()); !errors.Is(err, engine.ErrErasureNotFound) {
		t.Error(err)
	}
	if k.Head() != head {
		t.Error("something was noted")
	}
}

// An erased user keeps their id and what they did, and loses what names them.
func TestErasureOfAUser(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	word := secret(1)
	u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: word, Email: word + "@example.com", Access: engine.AccessUpload})
	must(t, err)
	_, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: word + "'s laptop", UserID: u.ID})
	must(t, err)
	name := "now " + word
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Name: &name})
	must(t, err)
	upload := k.Upload("text")
	defer upload.Discard()
	d, _, err := k.CreateDocument(ctx, engine.Actor{UserID: u.ID, Access: engine.AccessUpload}, engine.NewDocument{Name: "theirs"}, upload)
	must(t, err)
	closed := engine.UserClosed
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	e, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{UserID: u.ID, LegalBasis: "Art. 17", Requester: "case 2"})
	must(t, err)
	sweep(k)
	if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted || got.UserID != u.ID || got.Requester != "case 2" {
		t.Errorf("%+v", got)
	}
	now, err := k.User(ctx, u.ID)
	if err != nil || now.Name != "erased user" || now.Email != "" || now.Status != engine.UserClosed || now.Revision != 4 {
		t.Errorf("%+v, %v", now, err)
	}
	if got := stored(t, k, d.ID); got.OwnerID != u.ID || got.Name != "theirs" {
		t.Errorf("the document: %+v", got)
	}
	if files := left(t, k.Dir, word); files != nil {
		t.Errorf("still in %q", files)
	}
	k.Check()
	// The address is free, and the name can be given anew.
	_, _, err = k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Another", Email: word + "@example.com", Access: engine.AccessView})
	must(t, err)
	name = "A new name"
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Name: &name})
	must(t, err)
}

// Protection by governance does not stand in the way of an erasure. Protection by
// compliance does, until it ends: then the document is erased by itself, unless
// the clock that says so cannot be trusted.
func TestErasureOfProtectedDocuments(t *testing.T) {
	for name, days := range map[string]int{"": 11, "silence": 40} {
		synctest.Test(t, func(t *testing.T) {
			k := enginetest.New(t)
			ctx := t.Context()
			for category, protect := range map[string]engine.Protect{"report": engine.ProtectGovernance, "invoice": engine.ProtectCompliance} {
				p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{
					Name: category, Scope: engine.ScopeCategory, Target: category, PeriodDays: 10, Action: engine.ActionArchive, StartFrom: "createdAt",
				})
				must(t, err)
				_, _, err = k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{Protect: &protect, Confirm: p.Name})
				must(t, err)
			}
			governed := k.CreateFrom(engine.NewDocument{Name: secret(1), Category: "report"}, "text one")
			kept := k.CreateFrom(engine.NewDocument{Name: secret(2), Category: "invoice"}, "text two")
			e := erase(t, k, governed.ID, kept.ID)
			sweep(k)
			got := readErasure(t, k, e.ID)
			until := kept.CreatedAt.Add(10 * 24 * time.Hour)
			if got.Status != engine.ErasureDeferred || got.Documents[0].Status != engine.ErasureCompleted ||
				got.Documents[1] != (engine.ErasedDocument{DocumentID: kept.ID, Status: engine.ErasureDeferred, Why: engine.DeferredProtected, Until: until}) {
				t.Errorf("%+v", got)
			}
			page, err := k.Entries(ctx, engine.EntryQuery{Op: audit.OpErasureDeferred})
			must(t, err)
			if f := page.Items[0].Facts; len(page.Items) != 1 || fmt.Sprint(f["why"], f["until"]) != fmt.Sprint(audit.Text("protected"), audit.Text(audit.FormatTime(until))) {
				t.Errorf("%v", page.Items)
			}
			if files := left(t, k.Dir, secret(1)); files != nil {
				t.Errorf("protected by governance, and still in %q", files)
			}
			time.Sleep(time.Duration(days) * 24 * time.Hour)
			sweep(k)
			if got, trusted := readErasure(t, k, e.ID), name == ""; (got.Status == engine.ErasureCompleted) != trusted {
				t.Errorf("after %d days: %+v", days, got)
			}
		})
	}
}

// A dry run of an erasure says how each document would stand, and leaves nothing.
func TestAnErasureIsPreviewed(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		free, held, gone := k.Create("free", "a"), k.Create("held", "b"), k.Create("gone", "c")
		kept := k.CreateFrom(engine.NewDocument{Name: "kept", Category: "invoice"}, "d")
		comply(k, policy(k, engine.NewPolicy{Name: "law", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 30, Action: engine.ActionArchive}))
		place(t, k, held.ID, "m")
		must(t, deleteOne(k, gone.ID, engine.Condition{}))
		head := k.Head()
		n := engine.NewErasure{DocumentIDs: []string{kept.ID, gone.ID, held.ID, free.ID, held.ID}, LegalBasis: "Art. 17", Requester: "case 1"}
		would, err := k.PreviewErasure(ctx, k.Admin, n)
		must(t, err)
		if would.ID != "" || k.Head() != head {
			t.Errorf("something was noted: %+v, %+v", would, k.Head())
		}
		e, _, err := k.RequestErasure(ctx, k.Admin, n)
		must(t, err)
		if !reflect.DeepEqual(would.Documents, e.Documents) || would.Status != e.Status || would.Total != e.Total || would.Deferred != 2 {
			t.Errorf("it would be %+v, and is %+v", would, e)
		}
		viewer, _ := k.Person("View", engine.AccessUpload)
		if _, err := k.PreviewErasure(ctx, viewer, n); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
		for _, wrong := range []engine.NewErasure{{}, {DocumentIDs: []string{engine.NewID()}, LegalBasis: "l", Requester: "r"}, {UserID: k.Admin.UserID, LegalBasis: "l", Requester: "r"}} {
			if _, err := k.PreviewErasure(ctx, k.Admin, wrong); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
	})
}
