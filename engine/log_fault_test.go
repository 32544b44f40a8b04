package engine_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// grewOutOf checks that a checkpoint does not contradict one from before.
func grewOutOf(t testing.TB, v *engine.Vault, is, was engine.Checkpoint) {
	t.Helper()
	proof, err := v.ProveConsistency(t.Context(), is, was.Size)
	must(t, err)
	must(t, audit.CheckConsistency(was.Size, was.Root, is.Size, is.Root, proof))
}

// A vault that is killed anywhere between the tree, the entry and the hand-out goes
// on with the signer that the log names, and contradicts nothing that was given out.
func TestKilledWhileSigning(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	states := filepath.Join(t.TempDir(), "states")
	var dirs []string
	keep := func() {
		dir := filepath.Join(states, string(rune('a'+len(dirs))))
		must(t, os.CopyFS(dir, os.DirFS(k.Dir)))
		dirs = append(dirs, dir)
	}
	k.SetCommit(func(commit, _ func() error) error {
		keep()
		err := commit()
		keep()
		return err
	})
	first := signed(t, k.Vault)
	given := len(dirs) // states from here on must not contradict it
	keep()
	k.Create("a", "text")
	second := signed(t, k.Vault)
	after := len(dirs)
	keep()
	for i, dir := range dirs {
		must(t, os.Remove(filepath.Join(dir, "vault.lock")))
		v := open(t, dir)
		is := signed(t, v)
		if i >= given {
			grewOutOf(t, v, is, first)
		}
		if i >= after {
			grewOutOf(t, v, is, second)
		}
		if i >= 1 && is.Verifier != first.Verifier {
			t.Errorf("state %d: signed by %s, not %s", i, is.Verifier, first.Verifier)
		}
		report, err := v.Verify(t.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("state %d: %v %v", i, err, report.Findings)
		}
	}
}

// A commit that fails, done or not, hands nothing out, and what is signed after grew
// out of what was given out before.
func TestSigningFails(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			k := enginetest.New(t)
			first := signed(t, k.Vault)
			k.Create("a", "text")
			k.SetCommit(func(commit, rollback func() error) error {
				if done {
					return errors.Join(commit(), cause)
				}
				return errors.Join(rollback(), cause)
			})
			c, err := k.Checkpoint(t.Context())
			switch {
			case errors.Is(cause, syscall.ENOSPC) && !done: // reads go on, so the last one is given
				if err != nil || !bytes.Equal(c.Note, first.Note) {
					t.Errorf("on a full disk: %+v %v", c, err)
				}
			case err == nil:
				t.Errorf("done %v, %v: %+v is given out", done, cause, c)
			}
			k.Reopen()
			grewOutOf(t, k.Vault, signed(t, k.Vault), first)
		}
	}
}

// Whatever is changed about the signer and what it signed, behind the engine's back,
// is found; a log that was rewritten under a checkpoint is signed no more.
func TestVerifyFindsTamperedSigning(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	signed(t, k.Vault)
	k.Create("a", "text")
	signed(t, k.Vault)
	other := enginetest.New(t)
	foreign := signed(t, other.Vault)
	must(t, k.Close())
	row := func(name string, fn func(b []byte) []byte) func(*bbolt.Tx) error {
		return edit("meta", []byte(name), func(_, b []byte) []byte { return fn(b) })
	}
	path := filepath.Join(k.Dir, "rows.db")
	good := readFile(t, path)
	for name, db := range map[string]func(*bbolt.Tx) error{
		"another signer":    row("signer", func([]byte) []byte { return []byte(foreign.Verifier) }),
		"no signer":         drop("meta", []byte("signer")),
		"no checkpoint":     drop("meta", []byte("signed")),
		"of another vault":  row("signed", func([]byte) []byte { return append([]byte(foreign.Verifier+"\n"), foreign.Note...) }),
		"signed by another": row("signed", func(b []byte) []byte { return append([]byte(foreign.Verifier), b[bytes.IndexByte(b, '\n'):]...) }),
		"a longer note":     row("signed", func(b []byte) []byte { return append(b, b[bytes.LastIndex(b, []byte("— ")):]...) }),
		"a stranger signs too": row("signed", func(b []byte) []byte {
			return append(b, foreign.Note[bytes.LastIndex(foreign.Note, []byte("— ")):]...)
		}),
	} {
		spoil(t, k.Dir, db)
		if found := findings(k.Dir, engine.VerifyOptions{}); !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == engine.CodeState }) {
			t.Errorf("%s: got %v", name, found)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
	reopenClosed(t, k)
}

// A log whose lines are not those that were signed is never signed again with that
// key, and says so where operators look.
func TestRewrittenLogIsNotSigned(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	signed(t, k.Vault)
	k.Create("a", "text")
	rewrite := func(old, by string) {
		spoil(t, k.Dir, edit("log", engine.SeqKey(2), func(_, line []byte) []byte { return bytes.Replace(line, []byte(old), []byte(by), 1) }))
	}
	must(t, k.Close())
	rewrite("operator", "oberator")
	must(t, os.Remove(filepath.Join(k.Dir, "tree")))
	reopenClosed(t, k)
	for range 2 {
		if _, err := k.Checkpoint(t.Context()); !errors.Is(err, engine.ErrContradicted) {
			t.Errorf("signed: %v", err)
		}
		concerns, err := k.Concerns(t.Context())
		if err != nil || !strings.Contains(strings.Join(concerns, "\n"), "not those that were signed") {
			t.Errorf("%q %v", concerns, err)
		}
		k.Reopen()
	}
	must(t, k.Close())
	rewrite("oberator", "operator")
	reopenClosed(t, k)
}
