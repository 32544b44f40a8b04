package engine_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func addText(k *enginetest.Kit, documentID, text string, c engine.Condition) (engine.Document, error) {
	u := k.Upload(text)
	defer u.Discard()
	d, _, err := k.AddVersion(k.TB.Context(), k.Admin, documentID, c, engine.NewVersion{FileName: "a.txt"}, u)
	return d, err
}

// orFail unwraps what must not fail.
func orFail[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestNotToSaveTakesBackWhatLanded(t *testing.T) {
	k := enginetest.New(t)
	k.Define(engine.NumberField, "n")
	doc := orFail[engine.Document](t)
	d := k.CreateFrom(engine.NewDocument{Name: "contract", Tags: []string{"a"}, CustomFields: map[string]any{"n": 1}}, "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{})
	doc(rename(k, k.Admin, d.ID, "under the lock", with(l.Token)))
	doc(addText(k, d.ID, "second", with(l.Token)))
	doc(addText(k, d.ID, "third", with(l.Token)))
	head := k.Head().Seq
	if _, r, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); err != nil || r.Seq != head+2 {
		t.Fatal(r, err)
	}
	got, err := k.Document(t.Context(), d.ID)
	if err != nil || got.Name != "contract" || got.Current.Number != 1 || got.VersionCount != 3 || got.Lock != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if e, _ := k.Entry(t.Context(), head+1); e.Op != audit.OpDocumentReverted || e.Version != 1 {
		t.Errorf("%+v", e)
	}
	page, err := k.Versions(t.Context(), d.ID, engine.Paging{})
	if err != nil || !page.Items[0].Discarded || !page.Items[1].Discarded || page.Items[2].Discarded {
		t.Errorf("%+v, %v", page, err)
	}
	// Nothing leaves the chain: the next version follows the last.
	next := k.AddText(d.ID, "fourth")
	if next.Current.Number != 4 || next.Current.PreviousChain != page.Items[0].Chain {
		t.Errorf("%+v", next.Current)
	}
	if k.Content(d.ID, 2) != "second" {
		t.Error("a discarded version lost its bytes")
	}
}

func TestNotToSaveNothingIsNoRevert(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{})
	head := k.Head().Seq
	if _, r, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); err != nil || r.Seq != head+1 {
		t.Error(r, err)
	}
}

func TestAScratchpadIsSeenByItsHolderAlone(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	doc := orFail[engine.Document](t)
	if got := doc(rename(k, k.Admin, d.ID, "drafted", with(l.Token))); got.Name != "drafted" || got.Revision != d.Revision {
		t.Errorf("%+v", got)
	}
	if got := doc(addText(k, d.ID, "drafted text", with(l.Token))); got.Current.Number != 0 || got.Current.Draft != 1 {
		t.Errorf("%+v", got.Current)
	}
	if got := doc(k.Document(t.Context(), d.ID)); got.Name != "contract" || got.Current.Number != 1 {
		t.Errorf("others see %+v", got)
	}
	for _, q := range []engine.DocumentQuery{{Sort: "name"}, {Sort: "-updatedAt"}} {
		if page, err := k.Documents(t.Context(), q); err != nil || page.Items[0].Name != "contract" || !page.Items[0].UpdatedAt.Equal(d.UpdatedAt) {
			t.Errorf("a list shows %+v, %v", page, err)
		}
	}
	e, err := k.Entry(t.Context(), k.Head().Seq)
	if n, _ := e.Facts["draft"].AsNumber(); err != nil || e.Op != audit.OpLockRenewed || n != 2 || e.Detail != nil {
		t.Errorf("%+v, %v", e, err)
	}
	s, err := k.Sketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token})
	if err != nil || s.Document.Name != "drafted" || len(s.Versions) != 1 || s.Versions[0].Draft != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := k.Sketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: "made up"}); !errors.Is(err, engine.ErrNotLocked) {
		t.Error(err)
	}
	head := k.Head().Seq
	if _, r, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil || r.Seq != head+3 {
		t.Fatal(r, err)
	}
	if got := doc(k.Document(t.Context(), d.ID)); got.Name != "drafted" || got.Current.Number != 2 || k.Content(d.ID, 0) != "drafted text" {
		t.Errorf("saved: %+v", got)
	}
}

func TestAFailedSaveSavesNothing(t *testing.T) {
	k := enginetest.New(t)
	doc := orFail[engine.Document](t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	doc(rename(k, k.Admin, d.ID, "drafted", with(l.Token)))
	external := "taken"
	if _, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, with(l.Token), engine.DocumentPatch{ExternalID: &external}); err != nil {
		t.Fatal(err)
	}
	k.CreateFrom(engine.NewDocument{Name: "other", ExternalID: external}, "x")
	head := k.Head().Seq
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); !errors.Is(err, engine.ErrExists) {
		t.Error(err)
	}
	if got := doc(k.Document(t.Context(), d.ID)); got.Name != "contract" || got.Lock == nil || k.Head().Seq != head {
		t.Errorf("%+v", got)
	}
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false); err != nil {
		t.Error(err)
	}
	if got := doc(k.Document(t.Context(), d.ID)); got.Name != "contract" || got.Lock != nil {
		t.Errorf("%+v", got)
	}
}

func TestADraftWaitsADayForItsUser(t *testing.T) {
	for _, back := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			k := enginetest.New(t)
			doc := orFail[engine.Document](t)
			grace, _ := k.Person("Grace", engine.AccessUpload)
			d := k.Create("contract", "text")
			l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
			doc(rename(k, k.Admin, d.ID, "drafted", with(l.Token)))
			digest := doc(addText(k, d.ID, "drafted bytes", with(l.Token))).Current.Digest
			time.Sleep(5 * time.Minute) // it ends
			doc(rename(k, grace, d.ID, "meanwhile", engine.Condition{}))
			time.Sleep(24*time.Hour - time.Second)
			next, err := k.Sweep(t.Context())
			if err != nil || next.After(time.Now().Add(2*time.Second)) {
				t.Error("the next sweep is due at", next, err)
			}
			if back {
				again := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
				if !again.ScratchPadStale {
					t.Error("the document has moved on, and the lock does not say so")
				}
				if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(again.Token), true); !errors.Is(err, engine.ErrLockState) {
					t.Error(err)
				}
				over := engine.Condition{LockToken: again.Token, Overwrite: true}
				if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, over, true); err != nil {
					t.Fatal(err)
				}
				if got := doc(k.Document(t.Context(), d.ID)); got.Name != "drafted" || got.Current.Digest != digest {
					t.Errorf("%+v", got)
				}
				return
			}
			time.Sleep(time.Second)
			if _, err := k.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			e, _ := k.Entry(t.Context(), k.Head().Seq)
			if what, _ := e.Facts["draft"].AsText(); e.Op != audit.OpLockReleased || what != "purged" || e.Actor != "system" {
				t.Errorf("%+v", e)
			}
			disk, err := blobstore.Open(k.Dir + "/blobs")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := disk.Stat(digest); !errors.Is(err, blobstore.ErrNotFound) {
				t.Error("the draft's bytes are still there:", err)
			}
			if fresh := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true}); fresh.ScratchPadStale {
				t.Errorf("%+v", fresh)
			}
		})
	}
}

func TestABrokenScratchpadWaitsToo(t *testing.T) {
	k := enginetest.New(t)
	doc := orFail[engine.Document](t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	doc(rename(k, k.Admin, d.ID, "drafted", with(l.Token)))
	if _, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, "urgent"); err != nil {
		t.Fatal(err)
	}
	k.Reopen()
	again := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	if s, err := k.Sketch(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: again.Token}); err != nil || s.Document.Name != "drafted" || again.ScratchPadStale {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestADeletionTakesWaitingDraftsWithIt(t *testing.T) {
	k := enginetest.New(t)
	doc := orFail[engine.Document](t)
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	digest := doc(addText(k, d.ID, "drafted bytes", with(l.Token))).Current.Digest
	if _, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, "urgent"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	disk, err := blobstore.Open(k.Dir + "/blobs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Stat(digest); !errors.Is(err, blobstore.ErrNotFound) {
		t.Error("the draft's bytes are still there:", err)
	}
}

func TestAScratchpadIsBounded(t *testing.T) {
	k := enginetest.New(t)
	for f := range 20 {
		k.Define(engine.TextField, "field"+strconv.Itoa(f))
	}
	d := k.Create("contract", "text")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	for i := range 20 {
		long := strings.Repeat("a clause. ", 990) + strconv.Itoa(i)
		fields := map[string]any{}
		for f := range 20 {
			fields["field"+strconv.Itoa(f)] = strings.Repeat("x", 3_990) + strconv.Itoa(i)
		}
		_, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, with(l.Token), engine.DocumentPatch{Description: &long, CustomFields: fields})
		if errors.Is(err, engine.ErrLockState) {
			if i < 5 {
				t.Error("full after", i)
			}
			if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
				t.Error(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("never full")
}
