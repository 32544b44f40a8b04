package engine_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// The report tells of a document from reception to its deletion, is signed by the key
// of the log, and all it says of versions is proved.
func TestIntegrityReport(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	d := k.CreateFrom(engine.NewDocument{Name: "lease <1> & \u00e4"}, "first")
	hold := place(t, k, d.ID, "secret matter")
	k.AddText(d.ID, "second")
	_, _, err := k.ReleaseHold(ctx, k.Admin, hold.ID, engine.Condition{}, "settled")
	must(t, err)
	for _, deleted := range []bool{false, true} {
		if deleted {
			_, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})
			must(t, err)
		}
		made, err := k.IntegrityReport(ctx, d.ID)
		must(t, err)
		key, err := k.LogKey(ctx)
		must(t, err)
		text, err := audit.OpenText(made.Signature, key.Verifier)
		must(t, err)
		sum := sha256.Sum256(made.JSON)
		if !strings.Contains(text, "sha256:"+hex.EncodeToString(sum[:])+"\n") || !strings.Contains(text, d.ID) {
			t.Errorf("signed is %s", text)
		}
		if _, err := audit.OpenText(made.Checkpoint.Note, key.Verifier); err == nil {
			t.Error("a checkpoint passes for a text")
		}
		if _, err := audit.OpenCheckpoint(made.Signature, key.Verifier); err == nil {
			t.Error("a report passes for a checkpoint")
		}
		var r struct {
			Document struct{ ID, Status, ReceivedAt, DeletedAt string }
			Versions []struct {
				Number, Size         uint64
				Digest, Bytes, Proof string
			}
			Holds  []struct{ ID, PlacedAt, ReleasedAt string }
			Events []struct{ Op string }
		}
		must(t, json.Unmarshal(made.JSON, &r))
		if r.Document.ID != d.ID || r.Document.ReceivedAt == "" || deleted != (r.Document.DeletedAt != "") || deleted != (r.Document.Status == "deleted") {
			t.Errorf("%+v", r.Document)
		}
		if len(r.Versions) != 2 || len(r.Holds) != 1 || r.Holds[0].ReleasedAt == "" || strings.Contains(string(made.JSON), "secret matter") {
			t.Fatalf("%s", made.JSON)
		}
		policy, err := audit.PolicyOf(key.Verifier)
		must(t, err)
		for i, ver := range r.Versions {
			proof, err := audit.ParseProof([]byte(ver.Proof))
			must(t, err)
			proved, err := proof.Verify(policy)
			must(t, err)
			if digest, _ := proved.Entry.Facts["digest"].AsText(); digest != ver.Digest || proved.Entry.Version != uint64(i+1) || (ver.Bytes == "deleted") != deleted {
				t.Errorf("%+v", ver)
			}
		}
	}
	if _, err := k.IntegrityReport(ctx, engine.NewID()); !errors.Is(err, engine.ErrDocumentNotFound) {
		t.Errorf("of no document: %v", err)
	}
}

// A deleted document's report says the names it had, as long as they are not erased: of
// one that an earlier version has deleted too, whose tombstone has none.
func TestAReportKeepsNamesUntilTheyAreErased(t *testing.T) {
	t.Parallel()
	names := func(v *engine.Vault, documentID string) string {
		t.Helper()
		made, err := v.IntegrityReport(t.Context(), documentID)
		must(t, err)
		var r struct {
			Document struct{ Name string }
			Versions []struct{ FileName string }
		}
		must(t, json.Unmarshal(made.JSON, &r))
		return fmt.Sprintf("%s %v", r.Document.Name, r.Versions)
	}
	k := enginetest.New(t)
	ctx, cond := t.Context(), engine.Condition{}
	d := k.CreateFrom(engine.NewDocument{Name: "before", Version: engine.NewVersion{FileName: "before.txt"}}, "text")
	_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Name: new("Lease")})
	must(t, err)
	k.AddText(d.ID, "another")
	for _, state := range []string{"active", "deleted", "erased"} {
		want := "Lease [{before.txt} {}]"
		switch state {
		case "deleted":
			_, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, cond)
			must(t, err)
		case "erased":
			erase(t, k, d.ID)
			sweep(k)
			want = " [{} {}]"
		}
		if is := names(k.Vault, d.ID); is != want {
			t.Errorf("%s: %q, want %q", state, is, want)
		}
	}
	for path, want := range map[string]string{frozenPath: "Gone [{}]", frozenPath2: " [{}]"} {
		dir := filepath.Join(t.TempDir(), "frozen")
		thaw(t, path, dir)
		v := open(t, dir)
		page, err := v.Documents(ctx, engine.DocumentQuery{Status: engine.StatusDeleted})
		must(t, err)
		if len(page.Items) != 1 || page.Items[0].Name != "" {
			t.Fatalf("%+v", page.Items)
		}
		if is := names(v, page.Items[0].ID); is != want {
			t.Errorf("%s: %q, want %q", path, is, want)
		}
	}
}
