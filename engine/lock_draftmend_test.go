package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// While a document is held nothing of a draft is destroyed, by whatever road, until
// its last hold is released.
func TestDraftsOfAHeldDocumentWait(t *testing.T) {
	begin := func(t *testing.T, k *enginetest.Kit) (engine.Document, engine.Lock) {
		d := k.Create("contract", "text")
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
		orFail[engine.Document](t)(addText(k, d.ID, "draft one", with(l.Token)))
		orFail[engine.Document](t)(addText(k, d.ID, "draft two", with(l.Token)))
		return d, l
	}
	kept := func(t *testing.T, k *enginetest.Kit, want bool) {
		t.Helper()
		sweep(k)
		for _, text := range []string{"draft one", "draft two"} {
			if has := hasBytes(k, text); has != want {
				t.Errorf("%s is there: %v", text, has)
			}
		}
	}
	t.Run("dropped", func(t *testing.T) {
		inBubble(t, func(t *testing.T, k *enginetest.Kit) {
			d, l := begin(t, k)
			first, second := place(t, k, d.ID, "m"), place(t, k, d.ID, "n")
			head := k.Head()
			if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); !errors.Is(err, engine.ErrOnHold) || k.Head() != head {
				t.Errorf("%v", err)
			}
			release(t, k, first.ID)
			if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); !errors.Is(err, engine.ErrOnHold) {
				t.Errorf("one hold is left: %v", err)
			}
			kept(t, k, true)
			release(t, k, second.ID)
			_, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false)
			must(t, err)
			kept(t, k, false)
		})
	})
	t.Run("empty", func(t *testing.T) {
		inBubble(t, func(t *testing.T, k *enginetest.Kit) {
			d := k.Create("contract", "text")
			l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
			place(t, k, d.ID, "m")
			_, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false)
			must(t, err)
		})
	})
	t.Run("saved", func(t *testing.T) {
		inBubble(t, func(t *testing.T, k *enginetest.Kit) {
			d, l := begin(t, k)
			place(t, k, d.ID, "m")
			_, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true)
			must(t, err)
			kept(t, k, true)
		})
	})
	for name, breaks := range map[string]bool{"left": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, k *enginetest.Kit) {
				ctx := t.Context()
				d, _ := begin(t, k)
				if breaks {
					_, _, err := k.BreakLock(ctx, k.Admin, d.ID, engine.Condition{}, "forgotten")
					must(t, err)
				}
				h := place(t, k, d.ID, "m")
				days(3)
				kept(t, k, true)
				k.Reopen()
				erase(t, k, d.ID)
				kept(t, k, true)
				if err := deleteOne(k, d.ID, engine.Condition{}); !errors.Is(err, engine.ErrOnHold) {
					t.Error(err)
				}
				// Its user finds it, late as it is.
				l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
				s, err := k.Sketch(ctx, k.Admin, d.ID, with(l.Token))
				if err != nil || len(s.Versions) != 2 {
					t.Errorf("%+v, %v", s, err)
				}
				_, _, err = k.BreakLock(ctx, k.Admin, d.ID, engine.Condition{}, "forgotten again")
				must(t, err)
				days(2)
				kept(t, k, true)
				other := k.Create("other", "x")
				l = lock(t, k, k.Admin, other.ID, engine.NewLock{UseScratchPad: true})
				orFail[engine.Document](t)(addText(k, other.ID, "of another", with(l.Token)))
				days(2)
				kept(t, k, true) // and keeps no other waiting
				if hasBytes(k, "of another") {
					t.Error("a draft of a document that is not held waits too")
				}
				release(t, k, h.ID)
				kept(t, k, false)
			})
		})
	}
}

// hasBytes says whether a file of this content is in the vault's directory.
func hasBytes(k *enginetest.Kit, content string) bool {
	found := false
	filepath.WalkDir(filepath.Join(k.Dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, _ := os.ReadFile(path)
			found = found || string(b) == content
		}
		return nil
	})
	return found
}
