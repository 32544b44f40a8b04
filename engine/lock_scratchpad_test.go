package engine_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestPagesOfAScratchpad: whatever the size of a page, the drafts come first,
// then what is saved, each once.
func TestPagesOfAScratchpad(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "one")
	k.AddText(d.ID, "two")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	for n := range 3 {
		orFail[engine.Document](t)(addText(k, d.ID, fmt.Sprint("draft ", n), with(l.Token)))
	}
	for limit := 1; limit <= 6; limit++ {
		var seen []string
		p := engine.Paging{Limit: limit}
		for {
			page, err := k.SketchVersions(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token}, p)
			if err != nil || len(page.Items) > limit || len(page.Items) == 0 {
				t.Fatalf("%d of %d: %+v, %v", len(page.Items), limit, page, err)
			}
			for _, v := range page.Items {
				seen = append(seen, fmt.Sprint(v.Number, "/", v.Draft, "/", v.Current))
			}
			if p.Cursor = page.NextCursor; p.Cursor == "" {
				break
			}
		}
		if want := []string{"0/3/true", "0/2/false", "0/1/false", "2/0/false", "1/0/false"}; !slices.Equal(seen, want) {
			t.Errorf("by %d: %v", limit, seen)
		}
	}
	if _, err := k.SketchVersions(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: "made up"}, engine.Paging{}); !errors.Is(err, engine.ErrNotLocked) {
		t.Error(err)
	}
	if _, err := k.SketchVersions(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token}, engine.Paging{Cursor: "nonsense"}); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
}

// TestOpenSketch: the holder reads the draft, the log learns nothing of it, and
// before there is one, reading is as for everybody.
func TestOpenSketch(t *testing.T) {
	k := enginetest.New(t)
	yes := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &yes}); err != nil {
		t.Fatal(err)
	}
	d := k.Create("contract", "saved")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	read := func() (engine.Version, string, engine.Receipt) {
		v, f, r, err := k.OpenSketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b strings.Builder
		if _, err := io.Copy(&b, f); err != nil {
			t.Fatal(err)
		}
		return v, b.String(), r
	}
	if v, text, r := read(); v.Number != 1 || text != "saved" || r.Seq == 0 {
		t.Error(v, text, r)
	}
	orFail[engine.Document](t)(addText(k, d.ID, "drafted", with(l.Token)))
	head := k.Head()
	if v, text, r := read(); v.Draft != 1 || v.Number != 0 || text != "drafted" || r.Seq != 0 || k.Head() != head {
		t.Error(v, text, r)
	}
	if _, _, _, err := k.OpenSketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: "made up"}); !errors.Is(err, engine.ErrNotLocked) {
		t.Error(err)
	}
}

// TestExpect: what AddVersion refuses for the document's sake is refused before
// there are bytes.
func TestExpect(t *testing.T) {
	k := enginetest.New(t)
	viewer, _ := k.Person("Vera", engine.AccessView)
	d := k.Create("contract", "text")
	expect := func(actor engine.Actor, c engine.Condition, want error) {
		t.Helper()
		if err := k.Expect(t.Context(), actor, d.ID, c); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	expect(k.Admin, engine.Condition{}, nil)
	expect(viewer, engine.Condition{}, engine.ErrLacksPermission)
	expect(k.Admin, engine.Condition{IfMatch: engine.Match{7}}, engine.ErrPrecondition)
	expect(k.Admin, with("made up"), engine.ErrNotLocked)
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{})
	expect(k.Admin, engine.Condition{}, engine.ErrLocked)
	expect(k.Admin, with(l.Token), nil)
	if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, with(l.Token)); err != nil {
		t.Fatal(err)
	}
	expect(k.Admin, with(l.Token), engine.ErrDocumentArchived)
}

// TestLocksHonourIfMatch, though they leave the revision alone.
func TestLocksHonourIfMatch(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{IfMatch: engine.Match{2}}, engine.NewLock{}); !errors.Is(err, engine.ErrPrecondition) {
		t.Error(err)
	}
	l, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{IfMatch: engine.Match{1}}, engine.NewLock{})
	if err != nil || l.Token == "" || l.Revision != 1 {
		t.Error(l, err)
	}
	if _, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{IfMatch: engine.Match{2}}, "urgent"); !errors.Is(err, engine.ErrPrecondition) {
		t.Error(err)
	}
	if l, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{IfMatch: engine.Match{1}}, "urgent"); err != nil || l.Revision != 1 {
		t.Error(l.Revision, err)
	}
}

func TestUUID(t *testing.T) {
	k := enginetest.New(t)
	id := k.Admin.UserID
	for _, spelling := range []string{id, strings.ToLower(id), uuid(id), strings.ToUpper(uuid(id))} {
		if got, ok := engine.UUID(spelling); !ok || got != uuid(id) {
			t.Errorf("%s: %s %v", spelling, got, ok)
		}
	}
	for _, no := range []string{"", "main", id[1:], uuid(id)[1:], strings.ReplaceAll(uuid(id), "-", "")} {
		if got, ok := engine.UUID(no); ok || got != "" {
			t.Errorf("%q: %s", no, got)
		}
	}
}
