package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// exported is the log from after an entry.
func exported(t *testing.T, v *engine.Vault, after uint64) []byte {
	t.Helper()
	e, err := v.Export(t.Context(), engine.Operator(), after)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := e.WriteLog(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	return log.Bytes()
}

// A restored vault is the vault as it was, paused, its locks broken, with the
// entries that say so, and without the key that lock tokens are derived with.
func TestRestore(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "the text")
	k.AddText(d.ID, "the second text")
	if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{}); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "main")
	made := backUp(t, k, to)
	err := filepath.WalkDir(to, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, "lock.key") {
			t.Errorf("%s is in the backup", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	v := restored(t, to)
	now, err := v.Document(t.Context(), d.ID)
	if err != nil || now.VersionCount != 2 || now.ID != d.ID {
		t.Errorf("the document: %+v, %v", now, err)
	}
	if _, err := v.Lock(t.Context(), engine.Operator(), d.ID); !errors.Is(err, engine.ErrNotLocked) {
		t.Errorf("the lock lives: %v", err)
	}
	if s, err := v.Settings(t.Context()); err != nil || !s.Paused {
		t.Errorf("not paused: %v", err)
	}
	page, err := v.Entries(t.Context(), engine.EntryQuery{After: made.Head.Seq})
	if err != nil {
		t.Fatal(err)
	}
	var ops []audit.Op
	for _, e := range page.Items {
		ops = append(ops, e.Op)
	}
	if !slices.Equal(ops, []audit.Op{audit.OpVaultRestored, audit.OpSettingsUpdated, audit.OpLockBroken}) {
		t.Errorf("entries of restoring: %v", ops)
	}
	if hash, _ := page.Items[0].Facts["head"].AsText(); hash != made.Head.Hash.String() {
		t.Errorf("vault.restored says %s, the backup's head is %s", hash, made.Head.Hash)
	}
	if _, err := engine.Restore(t.Context(), k.Dir, engine.RestoreOptions{From: to}); !errors.Is(err, engine.ErrVaultExists) {
		t.Errorf("over a vault that is there: %v", err)
	}
}

// The log exported since says exactly what is missing, and what must be erased
// again is gone from every file of the restored vault.
func TestRestoreWithTheLogSince(t *testing.T) {
	k := enginetest.New(t)
	kept := k.Create("kept", "bytes that are kept")
	secret := k.Create("secretname", "bytes that must be forgotten")
	gone := k.Create("gone", "bytes that were deleted")
	to := filepath.Join(t.TempDir(), "main")
	made := backUp(t, k, to)
	later := k.Create("later", "bytes that came later")
	k.AddText(kept.ID, "a version that came later")
	short := k.Create("short", "bytes that came and went")
	for _, d := range []string{gone.ID, short.ID} {
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	erase(t, k, secret.ID)
	sweep(k)
	for _, after := range []uint64{0, 3, made.Head.Seq} {
		dir := filepath.Join(t.TempDir(), "main")
		report, err := engine.Restore(t.Context(), dir, engine.RestoreOptions{From: to, Log: bytes.NewReader(exported(t, k.Vault, after))})
		if err != nil {
			t.Fatalf("with the log after %d: %v", after, err)
		}
		s := report.Since
		if s.Head != k.Head() || s.Entries != k.Head().Seq-made.Head.Seq || s.Ops[audit.OpDocumentCreated] != 2 {
			t.Errorf("since: %+v", s)
		}
		want := []engine.LostVersion{
			{DocumentID: later.ID, Number: 1, Digest: later.Current.Digest.String()},
			{DocumentID: kept.ID, Number: 2, Digest: s.Versions[len(s.Versions)-1].Digest},
		}
		if !slices.Equal(s.Versions, want) {
			t.Errorf("missing: %v, want %v", s.Versions, want)
		}
		if !slices.Equal(s.Erased, []string{secret.ID}) || !slices.Equal(s.Deleted, []string{gone.ID}) {
			t.Errorf("erased %v, deleted %v", s.Erased, s.Deleted)
		}
		v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Document(t.Context(), secret.ID); !errors.Is(err, engine.ErrDocumentDeleted) {
			t.Errorf("what was erased is back: %v", err)
		}
		report2, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true, Heads: []audit.Head{made.Head}})
		if err != nil || len(report2.Findings) > 0 {
			t.Errorf("verify: %v %v", err, report2.Findings)
		}
		v.Close()
		holds(t, dir, "bytes that must be forgotten", false)
		holds(t, dir, "bytes that are kept", true)
	}
}

// holds looks for bytes in all files below dir.
func holds(t *testing.T, dir, text string, want bool) {
	t.Helper()
	found := ""
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = path
		}
		return err
	})
	if err != nil || (found != "") != want {
		t.Errorf("%q: found in %q, want %v, %v", text, found, want, err)
	}
}

// A log that is not the backup's, has a hole, was changed or ends too early is
// refused, and leaves nothing.
func TestRestoreRefusesAnotherLog(t *testing.T) {
	k, other := enginetest.New(t), enginetest.New(t)
	early := exported(t, k.Vault, 0)
	k.Create("contract", "text")
	to := filepath.Join(t.TempDir(), "main")
	made := backUp(t, k, to)
	k.Create("later", "text")
	for range 10 {
		other.Create("other", "text")
	}
	whole := exported(t, k.Vault, 0)
	changed := bytes.Replace(whole, []byte(`"size":4`), []byte(`"size":5`), 1)
	for name, log := range map[string][]byte{
		"of another vault":  exported(t, other.Vault, 0),
		"with a hole":       exported(t, k.Vault, made.Head.Seq+1),
		"changed":           changed,
		"from before":       early,
		"cut within a line": whole[:len(whole)-10],
		"no log":            []byte("this is no log\n"),
	} {
		parent := t.TempDir()
		_, err := engine.Restore(t.Context(), filepath.Join(parent, "main"), engine.RestoreOptions{From: to, Log: bytes.NewReader(log)})
		if !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// Whatever byte of a backup changes, restoring it fails, names the file, and
// leaves nothing; so it does for a file that is gone.
func TestRestoreNamesWhatIsDamaged(t *testing.T) {
	k := enginetest.New(t)
	k.Create("contract", "the text of the contract")
	k.Create("long", strings.Repeat("a long text. ", 20_000))
	to := filepath.Join(t.TempDir(), "main")
	if _, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Cut: 100_000}); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "head.txt" && entry.Name() != "reads.bin" && !strings.HasSuffix(path, ".001") { // one part does for all
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(whole)
		flipped[len(flipped)/2] ^= 1
		for what, damage := range map[string]func() error{
			"changed": func() error { return os.WriteFile(path, flipped, 0o600) },
			"gone":    func() error { return os.Remove(path) },
		} {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			parent := t.TempDir()
			_, err := engine.Restore(t.Context(), filepath.Join(parent, "main"), engine.RestoreOptions{From: to})
			digest, _, _ := strings.Cut(filepath.Base(path), ".")
			if strings.HasPrefix(digest, "vault-") || digest == "manifest" {
				digest = filepath.Base(path)
			}
			noBackup := what == "gone" && digest == "manifest.json" && errors.Is(err, engine.ErrNoBackup)
			if err == nil || !strings.Contains(err.Error(), digest) && !noBackup {
				t.Errorf("%s %s: got %v", path, what, err)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%s %s: left %v", path, what, left)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	restored(t, to)
}

// What a restore that was killed left is in nobody's way, and one that is
// stopped leaves nothing.
func TestRestoreAgain(t *testing.T) {
	k := enginetest.New(t)
	k.Create("contract", "text")
	to := filepath.Join(t.TempDir(), "main")
	backUp(t, k, to)
	dir := filepath.Join(t.TempDir(), "main")
	if err := os.MkdirAll(filepath.Join(dir+".partial", "blobs", "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := engine.Restore(ctx, dir, engine.RestoreOptions{From: to, Progress: func(_, _ int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) > 0 {
		t.Errorf("stopped, it left %v", left)
	}
	if _, err := engine.Restore(t.Context(), dir, engine.RestoreOptions{From: to}); err != nil {
		t.Fatal(err)
	}
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, f, _, err := v.OpenContent(t.Context(), engine.Operator(), firstDocument(t, v), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}

func firstDocument(t *testing.T, v *engine.Vault) string {
	t.Helper()
	page, err := v.Documents(t.Context(), engine.DocumentQuery{})
	if err != nil || len(page.Items) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return page.Items[0].ID
}
