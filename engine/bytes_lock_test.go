package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Bytes are to be locked for as long as any of the documents that have them is.
func TestByteLock(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		k.Define(engine.DateField, "closed")
		comply(k, policy(k, engine.NewPolicy{Name: "law", Scope: engine.ScopeCategory, Target: "invoice", Period: "P1Y", Action: engine.ActionArchive}))
		comply(k, policy(k, engine.NewPolicy{Name: "longer", Scope: engine.ScopeCategory, Target: "policy", Period: "P2Y", Action: engine.ActionArchive, StartFrom: engine.StartField("closed")}))
		free := k.CreateFrom(engine.NewDocument{Name: "free"}, "shared")
		d := free.Current.Digest
		says := func(held bool, until string) {
			t.Helper()
			l, err := k.ByteLock(t.Context(), d)
			must(t, err)
			got := "-"
			if !l.Until.IsZero() {
				got = l.Until.Format(time.DateOnly)
			}
			if l.Held != held || got != until || !l.Needed {
				t.Errorf("held %v until %s, needed %v; want %v until %s", l.Held, got, l.Needed, held, until)
			}
		}
		protected := func(documentID string, want bool) {
			t.Helper()
			digests, is, err := k.DocumentBytes(t.Context(), documentID)
			must(t, err)
			if is != want || !slices.Contains(digests, d) {
				t.Errorf("protected %v, %v", is, digests)
			}
		}
		says(false, "-")
		protected(free.ID, false)
		first, second := place(t, k, free.ID, ""), place(t, k, free.ID, "Acme")
		says(true, "-")
		protected(free.ID, true)
		k.AddText(free.ID, "another") // the first version is held as well
		invoice := k.CreateFrom(engine.NewDocument{Name: "invoice", Category: "invoice"}, "shared")
		says(true, "2001-01-01")
		protected(invoice.ID, true)
		release(t, k, first.ID)
		says(true, "2001-01-01")
		release(t, k, second.ID)
		says(false, "2001-01-01")
		// Its end is not known while the date is missing.
		deed := k.CreateFrom(engine.NewDocument{Name: "deed", Category: "policy"}, "shared")
		says(true, "2001-01-01")
		_, _, err := k.UpdateDocument(t.Context(), k.Admin, deed.ID, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"closed": "2000-06-01"}})
		must(t, err)
		says(false, "2002-06-01")
		days(3 * 365)
		says(false, "-")
		protected(invoice.ID, true) // the policy is still for it
	})
}

// What the store keeps locked is litter until it lets go: the deletion stands, others
// go on, and somebody is told.
func TestUndeletable(t *testing.T) {
	for _, restart := range []bool{false, true} {
		k, blobs := faulty(t)
		locked, other := k.Create("locked", "bytes that the store keeps"), k.Create("other", "bytes that it does not")
		blobs.step, blobs.cause = "remove", blobstore.ErrLocked
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, locked.ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
		blobs.step = ""
		if got := k.Undeletable(); !slices.Equal(got, []engine.Digest{locked.Current.Digest}) {
			t.Errorf("undeletable are %v", got)
		}
		concerns, err := k.Concerns(t.Context())
		must(t, err)
		if !strings.Contains(strings.Join(concerns, "\n"), "keeps 1 files locked") {
			t.Errorf("concerns are %q", concerns)
		}
		if restart {
			k.Reopen()
		}
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, other.ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := blobs.Stat(other.Current.Digest); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("the other's bytes: %v", err)
		}
		if _, err := k.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := blobs.Stat(locked.Current.Digest); !errors.Is(err, blobstore.ErrNotFound) || len(k.Undeletable()) > 0 {
			t.Errorf("restart %v: the bytes are still there: %v", restart, err)
		}
	}
}
