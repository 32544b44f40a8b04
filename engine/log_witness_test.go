package engine_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// witnesses are the keys of two, and a policy that knows both.
func witnesses(t testing.TB) (keys []audit.WitnessKey, policy audit.Policy) {
	t.Helper()
	for _, name := range []string{"witness.example/a", "witness.example/b"} {
		key, err := audit.NewWitnessKey(name, rand.Reader)
		must(t, err)
		of, err := audit.ParseVerifier(key.Verifier())
		must(t, err)
		keys = append(keys, key)
		policy.Witnesses = append(policy.Witnesses, audit.PolicyWitness{Name: name, Key: of})
	}
	return keys, policy
}

func cosign(t testing.TB, key audit.WitnessKey, c engine.Checkpoint) []byte {
	t.Helper()
	line, err := key.Cosign(c.Checkpoint, time.Unix(1_800_000_000, 0))
	must(t, err)
	return line
}

// What witnesses have signed is checked, kept over restarts and goes into proofs of
// all it covers; what is false, or of another checkpoint, is refused.
func TestCosignatures(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	keys, policy := witnesses(t)
	first := signed(t, k.Vault)
	k.Create("a", "text")
	second := signed(t, k.Vault)
	by := func(v *engine.Vault, seq uint64) int {
		t.Helper()
		p := proves(t, v, seq)
		for_, err := policy.For(p.Checkpoint.Verifier)
		must(t, err)
		proved, err := p.Proof.Verify(for_)
		if err != nil && !errors.Is(err, audit.ErrQuorum) {
			t.Fatal(err)
		}
		return len(proved.Witnesses)
	}
	add := func(c engine.Checkpoint, lines []byte) error {
		_, _, err := k.AddCosignatures(ctx, c.Note, lines, policy)
		return err
	}
	if err := add(first, cosign(t, keys[0], second)); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("a cosignature of another checkpoint: %v", err)
	}
	forged := second
	forged.Root = audit.TreeHash{1}
	forged.Note = bytes.Replace(second.Note, []byte("\n"), []byte("\n1"), 1)
	if err := add(forged, cosign(t, keys[0], forged)); !errors.Is(err, engine.ErrNoCheckpoint) {
		t.Errorf("a checkpoint that was never signed: %v", err)
	}
	must(t, add(second, cosign(t, keys[0], second)))
	if n := by(k.Vault, 1); n != 1 {
		t.Errorf("%d witnesses, want one", n)
	}
	must(t, add(second, cosign(t, keys[1], second)))
	must(t, add(first, cosign(t, keys[0], first))) // the larger is kept
	k.Create("b", "text")
	third := signed(t, k.Vault)
	k.Reopen()
	if n := by(k.Vault, 1); n != 2 {
		t.Errorf("%d witnesses, want two", n)
	}
	if n := by(k.Vault, uint64(third.Size)); n != 0 {
		t.Errorf("%d witnesses of what they did not see", n)
	}
	must(t, add(third, cosign(t, keys[0], third)))
	last, err := k.LastCheckpoint(ctx)
	if err != nil || bytes.Count(last.Note, []byte("— ")) != 2 {
		t.Errorf("%s %v", last.Note, err)
	}
	// The file is derived: damaged, or deleted, it is as none.
	path := filepath.Join(k.Dir, "cosigned")
	good := readFile(t, path)
	for at := 0; at < len(good); at += 13 {
		bad := bytes.Clone(good)
		bad[at] ^= 4
		must(t, os.WriteFile(path, bad, 0o600))
		if n := by(k.Vault, 1); n != 0 && !bytes.Contains(bad, []byte("\n\n")) {
			t.Fatalf("byte %d: %d witnesses", at, n)
		}
	}
	must(t, os.Remove(path))
	if n := by(k.Vault, 1); n != 0 {
		t.Errorf("without the file %d witnesses", n)
	}
}

// A directory that was brought back to an earlier state cannot know it. When a witness
// says so, the vault stops signing, over restarts too, until it has another key.
func TestRolledBackDirectory(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	k.Create("reported", "text")
	signed(t, k.Vault)
	must(t, k.Close())
	old := filepath.Join(t.TempDir(), "old")
	must(t, os.CopyFS(old, os.DirFS(k.Dir)))
	reopenClosed(t, k)
	k.Create("a", "text")
	seen := signed(t, k.Vault)
	must(t, k.WitnessSaw(ctx, seen.Origin, seen.Size))
	must(t, k.WitnessSaw(ctx, "other.example", seen.Size+1))
	v := open(t, old)
	last, err := v.LastCheckpoint(ctx)
	must(t, err)
	if err := v.WitnessSaw(ctx, seen.Origin, seen.Size); !errors.Is(err, engine.ErrContradicted) {
		t.Errorf("a witness knows more: %v", err)
	}
	must(t, v.Close())
	v = open(t, old)
	if _, err := v.Checkpoint(ctx); !errors.Is(err, engine.ErrContradicted) {
		t.Errorf("signed: %v", err)
	}
	if _, err := v.ProveEntry(ctx, 1); err != nil {
		t.Errorf("what was signed proves on: %v", err)
	}
	if concerns, err := v.Concerns(ctx); err != nil || len(concerns) != 1 || !strings.Contains(concerns[0], "a witness has seen") {
		t.Errorf("%q %v", concerns, err)
	}
	examined := ""
	for _, d := range v.Examine(ctx) {
		if d.What == "checkpoints" {
			examined = string(d.Level) + " " + d.Says
		}
	}
	if !strings.HasPrefix(examined, "error ") {
		t.Errorf("doctor says %q", examined)
	}
	page, err := v.Documents(ctx, engine.DocumentQuery{})
	must(t, err)
	if r, err := v.IntegrityReport(ctx, page.Items[0].ID); !errors.Is(err, engine.ErrContradicted) {
		t.Errorf("a report of what may have changed since is signed: %s %v", r.Signature, err)
	}
	must(t, os.Rename(filepath.Join(old, "sign.key"), filepath.Join(old, "sign.key.away")))
	if c := signed(t, v); c.Origin == last.Origin {
		t.Errorf("signed under %s again", c.Origin)
	}
	if concerns, err := v.Concerns(ctx); err != nil || len(concerns) > 0 {
		t.Errorf("%q %v", concerns, err)
	}
}

// What witnesses signed last is beside the database. If that is brought back alone, it
// tells of what was signed since.
func TestRolledBackDatabase(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	keys, policy := witnesses(t)
	signed(t, k.Vault)
	must(t, k.Close())
	path := filepath.Join(k.Dir, "rows.db")
	old := readFile(t, path)
	reopenClosed(t, k)
	k.Create("a", "text")
	seen := signed(t, k.Vault)
	_, _, err := k.AddCosignatures(t.Context(), seen.Note, cosign(t, keys[0], seen), policy)
	must(t, err)
	must(t, k.Close())
	dir := filepath.Join(t.TempDir(), "back")
	must(t, os.CopyFS(dir, os.DirFS(k.Dir)))
	reopenClosed(t, k)
	must(t, os.WriteFile(filepath.Join(dir, "rows.db"), old, 0o600))
	v := open(t, dir)
	_, _, err = v.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})
	must(t, err)
	if c, err := v.Checkpoint(t.Context()); !errors.Is(err, engine.ErrContradicted) {
		t.Errorf("signed: %+v %v", c, err)
	}
	if report, err := v.Verify(t.Context(), engine.VerifyOptions{}); err != nil || len(report.Findings) > 0 {
		t.Errorf("%v %v", report.Findings, err)
	}
}

// Of a database that was brought back to before the first checkpoint, the key alone
// tells that something was signed: under that name nothing is signed again.
func TestAKeyThatTheLogDoesNotKnow(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	must(t, k.Close())
	path := filepath.Join(k.Dir, "rows.db")
	old := readFile(t, path)
	reopenClosed(t, k)
	was := signed(t, k.Vault)
	must(t, k.Close())
	must(t, os.WriteFile(path, old, 0o600))
	reopenClosed(t, k)
	is := signed(t, k.Vault)
	if suffix, begins := strings.CutPrefix(is.Origin, was.Origin+"/"); !begins || len(suffix) != 16 {
		t.Errorf("the origin was %s and is %s", was.Origin, is.Origin)
	}
}

// A tree that a power cut has torn costs no cosignature.
func TestTornTreeAndCosignatures(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	keys, policy := witnesses(t)
	k.Create("a", "text")
	first := signed(t, k.Vault)
	for range 40 {
		k.Create("b", "text")
	}
	signed(t, k.Vault)
	tear := func() { // of what lies within the full trees that a root is made of
		must(t, k.Close())
		path := filepath.Join(k.Dir, "tree")
		b := readFile(t, path)
		clear(b[:32*20])
		must(t, os.WriteFile(path, b, 0o600))
		reopenClosed(t, k)
	}
	tear()
	_, _, err := k.AddCosignatures(t.Context(), first.Note, cosign(t, keys[0], first), policy)
	must(t, err)
	tear()
	if p := proves(t, k.Vault, 1); p.Checkpoint.Size != first.Size {
		t.Errorf("it is under %d entries, not the %d that a witness has signed", p.Checkpoint.Size, first.Size)
	}
}
