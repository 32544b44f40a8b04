package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// What becomes of a scratchpad that others, time or the settings went past.

func setCategories(t *testing.T, k *enginetest.Kit, categories ...string) {
	t.Helper()
	categories = append([]string{}, categories...)
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{Categories: &categories}); err != nil {
		t.Fatal(err)
	}
}

// TestTwoDraftsOfTheSameBytes: dropping one leaves the other its bytes.
func TestTwoDraftsOfTheSameBytes(t *testing.T) {
	k := enginetest.New(t)
	grace, _ := k.Person("Grace", engine.AccessUpload)
	d := k.Create("contract", "text")
	draft := func(who engine.Actor) engine.Lock {
		t.Helper()
		l := lock(t, k, who, d.ID, engine.NewLock{UseScratchPad: true})
		u := k.Upload("the same bytes")
		defer u.Discard()
		if _, _, err := k.AddVersion(t.Context(), who, d.ID, with(l.Token), engine.NewVersion{}, u); err != nil {
			t.Fatal(err)
		}
		return l
	}
	draft(k.Admin)
	if _, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, "urgent"); err != nil {
		t.Fatal(err)
	}
	l := draft(grace)
	k.Check()
	if _, _, err := k.ReleaseLock(t.Context(), grace, d.ID, with(l.Token), false); err != nil {
		t.Fatal(err)
	}
	k.Check()
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
		t.Fatal(err)
	}
	if text := k.Content(d.ID, 2); text != "the same bytes" {
		t.Errorf("saved is %q", text)
	}
}

// TestADraftIsNotRevived: after its day it is gone, though no sweep came by.
func TestADraftIsNotRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		d := k.Create("contract", "text")
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "drafted", with(l.Token)))
		time.Sleep(5*time.Minute + 24*time.Hour)
		l = lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		if s, err := k.Sketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token}); err != nil || s.Document.Name != "contract" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestADraftWhoseCategoryIsGone shows nothing of the change that set it, cannot
// be saved, and can be mended, also by setting what is shown.
func TestADraftWhoseCategoryIsGone(t *testing.T) {
	for _, mended := range []string{"contract", "other"} {
		k := enginetest.New(t)
		doc := orFail[engine.Document](t)
		d := k.Create("contract", "text")
		setCategories(t, k, "short-lived")
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		patch := func(p engine.DocumentPatch) (engine.Document, error) {
			d, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, with(l.Token), p)
			return d, err
		}
		doc(patch(engine.DocumentPatch{Name: new("drafted"), Category: new("short-lived"), AddTags: []string{"t"}}))
		doc(patch(engine.DocumentPatch{Description: new("shown")}))
		setCategories(t, k)
		s, err := k.Sketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token})
		if err != nil || s.Document.Name != "contract" || s.Document.Category != "other" || len(s.Document.Tags) != 0 || s.Document.Description != "shown" {
			t.Errorf("half shown: %+v, %v", s.Document, err)
		}
		head := k.Head()
		if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); !errors.Is(err, engine.ErrLockState) || k.Head() != head {
			t.Error(err)
		}
		if got := doc(patch(engine.DocumentPatch{Category: &mended})); got.Name != "drafted" || got.Category != mended {
			t.Errorf("the answer is %+v", got)
		}
		if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
			t.Fatal(err)
		}
		if got := doc(k.Document(t.Context(), d.ID)); got.Name != "drafted" || got.Category != mended || len(got.Tags) != 1 || got.Description != "shown" {
			t.Errorf("saved is %+v", got)
		}
	}
}

// TestAnExternalIDIsSetAnewInADraft, or emptied, for as long as the document
// itself has none.
func TestAnExternalIDIsSetAnewInADraft(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	k.CreateFrom(engine.NewDocument{Name: "other", ExternalID: "taken"}, "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	for _, step := range []struct {
		external string
		want     error
	}{{"first", nil}, {"taken", engine.ErrExists}, {"", nil}, {"second", nil}} {
		patch := engine.DocumentPatch{ExternalID: &step.external}
		got, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, with(l.Token), patch)
		if !errors.Is(err, step.want) || err == nil && got.ExternalID != step.external {
			t.Errorf("%q: %q, %v", step.external, got.ExternalID, err)
		}
	}
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Document(t.Context(), d.ID); err != nil || got.ExternalID != "second" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAScratchpadHoldsTwoHundredChanges, and can be saved with them.
func TestAScratchpadHoldsTwoHundredChanges(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	for i := range 200 {
		orFail[engine.Document](t)(rename(k, k.Admin, d.ID, fmt.Sprint("name ", i), with(l.Token)))
	}
	if _, err := rename(k, k.Admin, d.ID, "one more", with(l.Token)); !errors.Is(err, engine.ErrLockState) {
		t.Error(err)
	}
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Document(t.Context(), d.ID); err != nil || got.Name != "name 199" || got.Revision != 201 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestThousandsOfVersionsAreTakenBack, and the entry tells them as a range.
func TestThousandsOfVersionsAreTakenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of changes")
	}
	const clients, each = 16, 128
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{Duration: 30 * time.Minute})
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			for range each {
				if _, _, err := k.RestoreVersion(t.Context(), k.Admin, d.ID, with(l.Token), 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	head := k.Head().Seq
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); err != nil {
		t.Fatal(err)
	}
	e, err := k.Entry(t.Context(), head+1)
	from, _ := e.Facts["discardedFrom"].AsNumber()
	to, _ := e.Facts["discardedTo"].AsNumber()
	if err != nil || e.Op != audit.OpDocumentReverted || e.Version != 1 || from != 2 || to != clients*each+1 {
		t.Errorf("%+v, %v", e, err)
	}
	if got, err := k.Document(t.Context(), d.ID); err != nil || got.Current.Number != 1 || got.VersionCount != clients*each+1 {
		t.Errorf("%+v, %v", got, err)
	}
}
