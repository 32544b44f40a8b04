package engine_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
