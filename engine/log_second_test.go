package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"go.etcd.io/bbolt"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func keyMLDSA(seed []byte) ([]byte, func([]byte) ([]byte, error), error) {
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		return nil, nil, err
	}
	return key.PublicKey().Bytes(), func(m []byte) ([]byte, error) { return key.Sign(nil, m, nil) }, nil
}

func verifyMLDSA(publicKey, message, signature []byte) bool {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), publicKey)
	return err == nil && mldsa.Verify(key, message, signature, nil) == nil
}

// twice returns a checkpoint with both signatures, each of which is checked alone,
// and the key.
func twice(t testing.TB, v *engine.Vault) (engine.Checkpoint, engine.LogKey) {
	t.Helper()
	c := signed(t, v)
	key, err := v.LogKey(t.Context())
	must(t, err)
	note, err := v.SignTwice(t.Context(), c)
	must(t, err)
	for _, vkey := range []string{key.Verifier, key.MLDSA} {
		policy, err := audit.PolicyOf(vkey)
		must(t, err)
		policy.VerifyMLDSA = verifyMLDSA
		o, err := policy.Open(note)
		must(t, err)
		if o.Checkpoint != c.Checkpoint || len(o.Unknown) != 1 {
			t.Fatalf("%.80s opens %+v", vkey, o)
		}
	}
	c.Note = note
	return c, key
}

func withMLDSA(t testing.TB) *enginetest.Kit {
	return enginetest.NewWith(t, engine.Options{MLDSA: keyMLDSA})
}

// The second key is made with the first, and the log names it. What it signs is
// asked for, and nothing is written for it.
func TestSignTwice(t *testing.T) {
	t.Parallel()
	k := withMLDSA(t)
	before := k.Head().Seq
	first, key := twice(t, k.Vault)
	if got := ops(t, k.Vault, before); fmt.Sprint(got) != "[vault.signer vault.signer checkpoint.signed]" {
		t.Errorf("the log says %v", got)
	}
	e, err := k.Entry(t.Context(), before+2)
	must(t, err)
	if named, _ := e.Facts["mldsa"].AsText(); named != key.MLDSA || !strings.HasPrefix(named, key.Origin+"+") {
		t.Errorf("the log names %.80q", named)
	}
	if info, err := os.Stat(filepath.Join(k.Dir, "mldsa.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mldsa.key: %v %v", info, err)
	}
	head := k.Head()
	if again, _ := twice(t, k.Vault); !bytes.Equal(again.Note, first.Note) || k.Head() != head {
		t.Error("asked again, it signed again")
	}
	p := proves(t, k.Vault, 1)
	if bytes.Count(p.Proof.Checkpoint, []byte("— ")) != 1 {
		t.Errorf("a proof has %s", p.Proof.Checkpoint)
	}
	p.Proof.Checkpoint = first.Note
	if policy, err := audit.PolicyOf(key.MLDSA); err != nil {
		t.Error(err)
	} else if _, err := p.Proof.Verify(policy); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("without the means to check it: %v", err)
	} else if policy.VerifyMLDSA = verifyMLDSA; true {
		_, err := p.Proof.Verify(policy)
		must(t, err)
	}
	k.Reopen()
	if _, same := twice(t, k.Vault); same != key || k.Head() != head {
		t.Errorf("opened again, the key is %.80s", same.MLDSA)
	}
	k.Check()
}

// Without the option nothing is signed twice, and the key is named on.
func TestSecondKeyIsTurnedOnAndOff(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	c := signed(t, k.Vault)
	if note, err := k.SignTwice(t.Context(), c); err != nil || !bytes.Equal(note, c.Note) {
		t.Errorf("without a second key: %s %v", note, err)
	}
	k.Options.MLDSA = keyMLDSA
	k.Reopen()
	if note, err := k.SignTwice(t.Context(), c); err != nil || !bytes.Equal(note, c.Note) {
		t.Errorf("before the log names one: %s %v", note, err)
	}
	on, key := twice(t, k.Vault)
	if on.Verifier != c.Verifier {
		t.Errorf("the first key was %s and is %s", c.Verifier, on.Verifier)
	}
	k.Options.MLDSA = nil
	k.Reopen()
	before := k.Head()
	off := signed(t, k.Vault)
	if note, err := k.SignTwice(t.Context(), off); err != nil || !bytes.Equal(note, off.Note) || k.Head() != before {
		t.Errorf("turned off: %s %v", note, err)
	}
	if is, err := k.LogKey(t.Context()); err != nil || is != key {
		t.Errorf("turned off, the key is %+v, %v", is, err)
	}
	k.Check()
}

// A second key that is lost gives way to another, which the log names; with a wrong
// one nothing is signed. One that was named and whose file has not got its name yet
// gets it.
func TestSecondKeyIsGone(t *testing.T) {
	t.Parallel()
	k := withMLDSA(t)
	_, first := twice(t, k.Vault)
	path := filepath.Join(k.Dir, "mldsa.key")
	key := readFile(t, path)
	must(t, os.Remove(path))
	before := k.Head().Seq
	_, second := twice(t, k.Vault)
	if got := ops(t, k.Vault, before); fmt.Sprint(got) != "[vault.signer checkpoint.signed]" || second.MLDSA == first.MLDSA || second.Verifier != first.Verifier {
		t.Errorf("the log says %v, and the key is %.80s", got, second.MLDSA)
	}
	good := readFile(t, path)
	for _, other := range [][]byte{key, []byte("nonsense"), nil, readFile(t, filepath.Join(k.Dir, "sign.key"))} {
		must(t, os.WriteFile(path, other, 0o600))
		k.Reopen()
		_, err := k.Checkpoint(t.Context())
		if is, ok := errors.AsType[*engine.SignKeyError](err); !ok || !is.Second || !strings.HasPrefix(second.MLDSA, is.Verifier+"+") || len(is.Verifier) != len(second.Origin)+9 {
			t.Errorf("with the key %.20q: %v", other, err)
		}
		proves(t, k.Vault, 1)
	}
	must(t, os.Remove(path))
	must(t, os.WriteFile(path+".new", good, 0o600))
	if _, third := twice(t, k.Vault); third != second {
		t.Errorf("the key is %.80s", third.MLDSA)
	}
	must(t, os.Remove(filepath.Join(k.Dir, "sign.key")))
	if _, moved := twice(t, k.Vault); moved.Origin == second.Origin || moved.MLDSA == second.MLDSA {
		t.Errorf("without the first key: %.80s", moved.MLDSA)
	}
	k.Reopen()
	twice(t, k.Vault)
	k.Check()
}

// The second key goes where the first goes, under the other origin of what was
// restored.
func TestSecondKeyInBackups(t *testing.T) {
	t.Parallel()
	k := withMLDSA(t)
	_, was := twice(t, k.Vault)
	to := filepath.Join(t.TempDir(), "backup")
	public := func(vkey string) []byte {
		v, err := audit.ParseVerifier(vkey)
		must(t, err)
		return v.PublicKey()
	}
	for _, with := range []bool{true, false} {
		_, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, SignKey: with})
		must(t, err)
		if _, err := os.Stat(filepath.Join(to, "mldsa.key")); (err == nil) != with {
			t.Errorf("in a backup with keys %v: %v", with, err)
		}
		dir := filepath.Join(t.TempDir(), "main")
		_, err = engine.Restore(t.Context(), dir, engine.RestoreOptions{From: to})
		must(t, err)
		v, err := engine.Open(dir, engine.Options{MLDSA: keyMLDSA})
		must(t, err)
		t.Cleanup(func() { v.Close() })
		_, is := twice(t, v)
		if is.Origin == was.Origin || bytes.Equal(public(is.MLDSA), public(was.MLDSA)) != with {
			t.Errorf("restored from a backup with keys %v, it signs as %.80s", with, is.MLDSA)
		}
	}
}

// Which second key signs stands in the log: another, or none, is found.
func TestVerifyFindsTamperedSecondKey(t *testing.T) {
	t.Parallel()
	k := withMLDSA(t)
	twice(t, k.Vault)
	must(t, k.Close())
	path := filepath.Join(k.Dir, "rows.db")
	good := readFile(t, path)
	for name, db := range map[string]func(*bbolt.Tx) error{
		"another": edit("meta", []byte("mldsa"), func(_, b []byte) []byte { return append(b, 'A') }),
		"none":    drop("meta", []byte("mldsa")),
	} {
		spoil(t, k.Dir, db)
		if found := findings(k.Dir, engine.VerifyOptions{}); !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == engine.CodeState }) {
			t.Errorf("%s: got %v", name, found)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
	reopenClosed(t, k)
}

// A checkpoint with the second signature may go to a witness; what comes back is
// kept with those of witnesses alone.
func TestWitnessOfWhatIsSignedTwice(t *testing.T) {
	t.Parallel()
	k := withMLDSA(t)
	keys, policy := witnesses(t)
	c, _ := twice(t, k.Vault)
	_, by, err := k.AddCosignatures(t.Context(), c.Note, cosign(t, keys[0], c), policy)
	if err != nil || len(by) != 1 {
		t.Fatalf("%v %v", by, err)
	}
	kept, err := k.Witnessed(t.Context())
	if err != nil || bytes.Count(kept.Note, []byte("— ")) != 2 {
		t.Fatalf("%s %v", kept.Note, err)
	}
	if note, err := k.SignTwice(t.Context(), kept); err != nil || bytes.Count(note, []byte("— ")) != 3 {
		t.Errorf("%s %v", note, err)
	}
	kept.Note = bytes.Replace(kept.Note, []byte("\n"), []byte("\n1"), 1)
	if _, err := k.SignTwice(t.Context(), kept); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("a checkpoint that was never signed: %v", err)
	}
}
