package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// An export has a proof of every version, of deleted documents too, which anybody
// checks with the key of the log.
func TestBagHasProofs(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d, gone := k.Create("a", "first"), k.Create("b", "first")
	k.AddText(d.ID, "second")
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{})
	must(t, err)
	b, files := bagOf(t, k, engine.BagChoice{DocumentIDs: []string{d.ID, gone.ID}})
	key, err := k.LogKey(t.Context())
	must(t, err)
	policy, err := audit.PolicyOf(key.Verifier)
	must(t, err)
	proofs := 0
	for path, text := range files {
		if !strings.HasSuffix(path, ".tlog-proof") {
			continue
		}
		proofs++
		proof, err := audit.ParseProof([]byte(text))
		must(t, err)
		proved, err := proof.Verify(policy)
		if err != nil || path != fmt.Sprintf("proofs/%s/%04d.tlog-proof", proved.Entry.Document, proved.Entry.Version) || !strings.Contains(files["data/log.jsonl"], string(proof.Line)+"\n") {
			t.Errorf("%s: %+v %v", path, proved.Entry, err)
		}
		if string(proof.Checkpoint) != files["proofs/checkpoint.txt"] {
			t.Errorf("%s is under another checkpoint", path)
		}
	}
	if proofs != 3 {
		t.Errorf("%d proofs, want 3", proofs)
	}
	if c, err := audit.OpenCheckpoint([]byte(files["proofs/checkpoint.txt"]), key.Verifier); err != nil || uint64(c.Size) < b.Seq {
		t.Errorf("%+v %v", c, err)
	}
	// Where nothing may be signed the rest is exported, and says why.
	must(t, os.WriteFile(filepath.Join(k.Dir, "sign.key"), nil, 0o600))
	k.Create("c", "text")
	k.Reopen()
	if _, err := k.Checkpoint(t.Context()); !errors.Is(err, engine.ErrSignKey) {
		t.Errorf("signed: %v", err)
	}
	_, files = bagOf(t, k, engine.BagChoice{DocumentIDs: []string{d.ID}})
	if !strings.Contains(files["data/problems.csv"], "there are no proofs") || !strings.Contains(files["proofs/README.txt"], "There are no proofs") {
		t.Errorf("%s\n%s", files["data/problems.csv"], files["proofs/README.txt"])
	}
}
