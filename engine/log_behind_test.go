package engine_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A reader that has seen more of the log than a restored vault has is told so, by
// whatever it asks with, and when that happened. At the head itself it waits.
func TestAReaderBeyondTheLog(t *testing.T) {
	k := enginetest.New(t)
	k.Create("a", "text")
	to := filepath.Join(t.TempDir(), "main")
	backUp(t, k, to)
	for range 20 {
		k.Create("b", "text")
	}
	seen := k.Head().Seq
	v := restored(t, to)
	head := v.Head()
	if head.Seq >= seen {
		t.Fatal(head, seen)
	}
	entry, err := v.Entries(t.Context(), engine.EntryQuery{Op: "vault.restored"})
	if err != nil || len(entry.Items) != 1 {
		t.Fatal(entry, err)
	}
	document := firstDocument(t, v)
	for of, v := range map[*engine.Vault]time.Time{v: entry.Items[0].Time, k.Vault: {}} {
		head := of.Head()
		for _, after := range []uint64{head.Seq + 1, head.Seq + 100, 1<<53 - 1, 1<<64 - 1} {
			_, entries := of.Entries(t.Context(), engine.EntryQuery{After: after})
			_, chained := of.Entries(t.Context(), engine.EntryQuery{After: after, DocumentID: document})
			_, export := of.Export(t.Context(), engine.Operator(), after)
			for what, err := range map[string]error{"entries": entries, "of a document": chained, "export": export, "wait": of.Wait(t.Context(), after)} {
				behind, ok := errors.AsType[*engine.LogBehindError](err)
				if !ok || !errors.Is(err, engine.ErrLogBehind) || behind.After != after || behind.Head != head || !behind.RestoredAt.Equal(v) {
					t.Errorf("%s after %d: %+v", what, after, err)
				}
			}
		}
		if page, err := of.Entries(t.Context(), engine.EntryQuery{After: head.Seq}); err != nil || len(page.Items) > 0 {
			t.Errorf("at the head: %+v, %v", page, err)
		}
		if _, err := of.Export(t.Context(), engine.Operator(), head.Seq); err != nil {
			t.Error("export at the head:", err)
		}
		if of.Head() != head {
			t.Error("it left an entry")
		}
	}
	// An export that is recorded is so after the last entry.
	on := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on}); err != nil {
		t.Fatal(err)
	}
	at := k.Head().Seq
	if e, err := k.Export(t.Context(), engine.Operator(), at); err != nil || e.Head.Seq != at+1 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := k.Export(t.Context(), engine.Operator(), at+2); !errors.Is(err, engine.ErrLogBehind) || k.Head().Seq != at+1 {
		t.Errorf("beyond: %v, the log ends at %d", err, k.Head().Seq)
	}
}
