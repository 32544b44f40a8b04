package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// signed returns a checkpoint that must be signed, and checked with its key.
func signed(t testing.TB, v *engine.Vault) engine.Checkpoint {
	t.Helper()
	c, err := v.Checkpoint(t.Context())
	must(t, err)
	key, err := v.LogKey(t.Context())
	must(t, err)
	is, err := audit.OpenCheckpoint(c.Note, key.Verifier)
	must(t, err)
	if is != c.Checkpoint || is.Origin != key.Origin || c.Verifier != key.Verifier {
		t.Fatalf("%+v is not %+v of %+v", is, c, key)
	}
	return c
}

// ops are those of the entries after one, in order.
func ops(t testing.TB, v *engine.Vault, after uint64) (names []string) {
	t.Helper()
	page, err := v.Entries(t.Context(), engine.EntryQuery{After: after, Limit: 500})
	must(t, err)
	for _, e := range page.Items {
		names = append(names, string(e.Op))
	}
	return names
}

// proves checks the proof of an entry with the key alone.
func proves(t testing.TB, v *engine.Vault, seq uint64) engine.EntryProof {
	t.Helper()
	p, err := v.ProveEntry(t.Context(), seq)
	must(t, err)
	policy, err := audit.PolicyOf(p.Checkpoint.Verifier)
	must(t, err)
	read, err := audit.ParseProof(p.Proof.Marshal())
	must(t, err)
	proved, err := read.Verify(policy)
	must(t, err)
	e, err := v.Entry(t.Context(), seq)
	must(t, err)
	if proved.Entry.Seq != seq || proved.Hash != e.Hash {
		t.Fatalf("it proves entry %d, %s, not %d, %s", proved.Entry.Seq, proved.Hash, seq, e.Hash)
	}
	return p
}

// Nothing of signing is there until it is asked for; then the log names the key, and
// each checkpoint is an entry before it is given out. Nothing new is nothing signed.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	sweep(k)
	for _, name := range []string{"tree", "sign.key"} {
		if _, err := os.Stat(filepath.Join(k.Dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s before anybody asked: %v", name, err)
		}
	}
	if _, err := k.LastCheckpoint(ctx); !errors.Is(err, engine.ErrNoCheckpoint) {
		t.Errorf("a checkpoint before anybody asked: %v", err)
	}
	before := k.Head().Seq
	first := signed(t, k.Vault)
	if got := ops(t, k.Vault, before); fmt.Sprint(got) != "[vault.signer checkpoint.signed]" {
		t.Errorf("the log says %v", got)
	}
	if first.Origin != "strongroom/"+k.ID() || uint64(first.Size) != before+1 {
		t.Errorf("%+v", first)
	}
	if info, err := os.Stat(filepath.Join(k.Dir, "sign.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("sign.key: %v %v", info.Mode(), err)
	}
	for range 3 {
		if again := signed(t, k.Vault); !bytes.Equal(again.Note, first.Note) || k.Head().Seq != before+2 {
			t.Errorf("with nothing new %+v at %d", again, k.Head().Seq)
		}
	}
	d := k.Create("a", "text")
	k.Reopen()
	second := signed(t, k.Vault)
	if second.Size <= first.Size || second.Verifier != first.Verifier {
		t.Errorf("after a change %+v", second)
	}
	proof, err := k.ProveConsistency(ctx, second, first.Size)
	must(t, err)
	must(t, audit.CheckConsistency(first.Size, first.Root, second.Size, second.Root, proof))
	e, err := k.Entry(ctx, uint64(second.Size)+1)
	must(t, err)
	if root, _ := e.Facts["root"].AsText(); e.Op != audit.OpCheckpointSigned || root != audit.Hash(second.Root).String() || e.Actor != "system" {
		t.Errorf("its entry is %s", e.Line)
	}
	for seq := uint64(1); seq <= uint64(second.Size); seq++ {
		proves(t, k.Vault, seq)
	}
	p, err := k.ProveVersion(ctx, d.ID, 1)
	must(t, err)
	if p.Proof.Index+1 != int64(d.AuditSeq) {
		t.Errorf("version 1 is proved by entry %d, not %d", p.Proof.Index+1, d.AuditSeq)
	}
	if len(p.Proof.Marshal()) > 2500 {
		t.Errorf("a proof of %d bytes", len(p.Proof.Marshal()))
	}
	proves(t, k.Vault, k.Head().Seq) // signs another, which covers it
	if _, err := k.ProveEntry(ctx, k.Head().Seq+1); !errors.Is(err, engine.ErrEntryNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	must(t, k.Close())
	if _, err := k.Checkpoint(ctx); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("a closed vault signs: %v", err)
	}
	reopenClosed(t, k)
}

// The tree is derived: whatever becomes of the file, the same is signed and proved.
func TestTreeIsDerived(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for i := range 40 {
		k.Create(fmt.Sprint(i), "text")
	}
	signed(t, k.Vault)
	path := filepath.Join(k.Dir, "tree")
	good := readFile(t, path)
	for what, spoil := range map[string]func() error{
		"deleted":  func() error { return os.Remove(path) },
		"empty":    func() error { return os.Truncate(path, 0) },
		"cut":      func() error { return os.Truncate(path, int64(len(good))/2+5) },
		"zeros":    func() error { return os.WriteFile(path, make([]byte, len(good)), 0o600) },
		"a zero":   func() error { return os.WriteFile(path, append(make([]byte, 32), good[32:]...), 0o600) },
		"longer":   func() error { return os.WriteFile(path, append(good, make([]byte, 320)...), 0o600) },
		"of nulls": func() error { return os.WriteFile(path, append(good[:320:320], make([]byte, len(good)-320)...), 0o600) },
	} {
		must(t, k.Close())
		must(t, spoil())
		v, err := engine.Open(k.Dir, k.Options)
		must(t, err)
		k.Vault = v
		k.Create(what, "text")
		for seq := uint64(1); seq < 30; seq++ {
			proves(t, k.Vault, seq)
		}
		signed(t, k.Vault)
		if got := readFile(t, path); !bytes.HasPrefix(got, good) {
			t.Errorf("%s: the tree was not made again", what)
		}
	}
	// A tree that goes wrong while the vault is open is made again too.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 64), 0)
	must(t, errors.Join(err, f.Close()))
	proves(t, k.Vault, 1)
	proves(t, k.Vault, 2)
}

// Without its key a vault signs under another origin, never silently: the log says so.
func TestSignKeyIsGone(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	first := signed(t, k.Vault)
	path := filepath.Join(k.Dir, "sign.key")
	key := readFile(t, path)
	must(t, os.Remove(path))
	before := k.Head().Seq
	second := signed(t, k.Vault)
	if got := ops(t, k.Vault, before); fmt.Sprint(got) != "[vault.signer checkpoint.signed]" {
		t.Errorf("the log says %v", got)
	}
	if suffix, is := strings.CutPrefix(second.Origin, first.Origin+"/"); !is || len(suffix) != 16 {
		t.Errorf("the origin was %s and is %s", first.Origin, second.Origin)
	}
	k.Reopen()
	if again := signed(t, k.Vault); again.Verifier != second.Verifier {
		t.Errorf("another key: %s", again.Verifier)
	}
	k.Create("a", "text")
	for _, other := range [][]byte{key, []byte("nonsense"), nil} {
		must(t, os.WriteFile(path, other, 0o600))
		k.Reopen()
		_, err := k.Checkpoint(t.Context())
		if is, ok := errors.AsType[*engine.SignKeyError](err); !ok || is.Verifier != second.Verifier {
			t.Errorf("with the key %.20q: %v", other, err)
		}
		if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) != 1 || !strings.Contains(concerns[0], "move it away") {
			t.Errorf("with the key %.20q operators are told %q %v", other, concerns, err)
		}
		proves(t, k.Vault, 1) // what was signed proves on
	}
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700)) // it is there, and cannot be read
	if _, err := k.Checkpoint(t.Context()); !errors.Is(err, engine.ErrSignKey) {
		t.Errorf("with a key that cannot be read: %v", err)
	}
	must(t, os.Remove(path))
	if third := signed(t, k.Vault); third.Origin == second.Origin || strings.Count(third.Origin, "/") != 2 {
		t.Errorf("the origin is %s", third.Origin)
	}
}

// The host names the log; another name is another signer.
func TestOrigin(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	signed(t, k.Vault)
	reopen := func(origin string) {
		t.Helper()
		k.Options.Origin = origin
		k.Reopen()
	}
	reopen("vault.example.com/log")
	c := signed(t, k.Vault)
	if c.Origin != "vault.example.com/log" {
		t.Errorf("the origin is %s", c.Origin)
	}
	before := k.Head()
	reopen("")
	if again := signed(t, k.Vault); again.Origin != c.Origin || k.Head() != before {
		t.Errorf("without a name the origin is %s", again.Origin)
	}
	must(t, k.Close())
	for _, bad := range []string{"a b", "a+b", "ä", "a\nb", "vault/0123456789abcdef", strings.Repeat("a", 300), `a"b`} {
		if _, err := engine.Open(k.Dir, engine.Options{Origin: bad}); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	reopenClosed(t, k)
}

func reopenClosed(t testing.TB, k *enginetest.Kit) {
	t.Helper()
	v, err := engine.Open(k.Dir, k.Options)
	must(t, err)
	k.Vault = v
}

// A restored vault signs under another origin, so that what was signed after the
// backup is not contradicted; also if nothing was signed before the backup.
func TestRestoredVaultSignsUnderAnotherOrigin(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} {
		k := enginetest.New(t)
		k.Create("a", "text")
		if asked {
			signed(t, k.Vault)
		}
		to := filepath.Join(t.TempDir(), "backup")
		backUp(t, k, to)
		k.Create("b", "text")
		was := signed(t, k.Vault)
		v := restored(t, to)
		if _, err := v.LastCheckpoint(t.Context()); !errors.Is(err, engine.ErrNoCheckpoint) {
			t.Errorf("the restored vault has one of before: %v", err)
		}
		is := signed(t, v)
		if suffix, begins := strings.CutPrefix(is.Origin, was.Origin+"/"); !begins || len(suffix) != 16 {
			t.Errorf("asked before: %v: the origin was %s and is %s", asked, was.Origin, is.Origin)
		}
		proves(t, v, 1)
	}
}

// A backup has the key only if that is asked for. A vault restored with it has the
// same key under another name.
func TestBackupOfTheSignKey(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	to := filepath.Join(t.TempDir(), "backup")
	asked := engine.BackupOptions{To: to, SignKey: true}
	if _, _, err := k.Backup(t.Context(), engine.Operator(), asked); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("a key that is not there: %v", err)
	}
	was := signed(t, k.Vault)
	_, _, err := k.Backup(t.Context(), engine.Operator(), asked)
	must(t, err)
	is := signed(t, restored(t, to))
	keyOf := func(c engine.Checkpoint) string {
		of, err := audit.ParseVerifier(c.Verifier)
		must(t, err)
		return string(of.PublicKey())
	}
	if is.Origin == was.Origin || keyOf(is) != keyOf(was) {
		t.Errorf("%s and %s", is.Verifier, was.Verifier)
	}
	backUp(t, k, to)
	if _, err := os.Stat(filepath.Join(to, "sign.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was not asked for: %v", err)
	}
	if other := signed(t, restored(t, to)); keyOf(other) == keyOf(was) {
		t.Error("the key came from nowhere")
	}
}

// A directory that was copied and went on twice signs two histories: whoever sees
// both has two checkpoints of one size with two roots.
func TestCopiedVaultEquivocates(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	signed(t, k.Vault)
	must(t, k.Close())
	dir := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(dir, os.DirFS(k.Dir)))
	reopenClosed(t, k)
	other := open(t, dir)
	k.Create("a", "text")
	_, _, err := other.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})
	must(t, err)
	here, there := signed(t, k.Vault), signed(t, other)
	if here.Verifier != there.Verifier || here.Size != there.Size || here.Root == there.Root {
		t.Errorf("%+v and %+v", here, there)
	}
}

// Hourly, where signing was ever asked for and something has changed.
func TestSweepSigns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		k.Create("a", "text")
		sweepUntil(k, time.Now().Add(3*time.Hour))
		if _, err := k.LastCheckpoint(t.Context()); !errors.Is(err, engine.ErrNoCheckpoint) {
			t.Errorf("nobody asked: %v", err)
		}
		first := signed(t, k.Vault)
		k.Create("b", "text")
		sweepUntil(k, time.Now().Add(59*time.Minute))
		if last, err := k.LastCheckpoint(t.Context()); err != nil || last.Size != first.Size {
			t.Errorf("too early: %+v %v", last, err)
		}
		sweepUntil(k, time.Now().Add(2*time.Minute))
		last, err := k.LastCheckpoint(t.Context())
		must(t, err)
		if last.Size <= first.Size {
			t.Errorf("after an hour: %+v", last)
		}
		head := k.Head().Seq
		sweepUntil(k, time.Now().Add(3*time.Hour))
		if got := ops(t, k.Vault, head); len(got) > 0 {
			t.Errorf("with nothing new the log says %v", got)
		}
	})
}
