package engine_test

import (
	"context"
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

// Bytes that a running backup has yet to copy outlive their document, and go
// when the backup has ended.
func TestADeletionDuringABackup(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("goes", "bytes that go meanwhile")
	k.Create("stays", strings.Repeat("bytes that stay. ", 10_000))
	to := filepath.Join(t.TempDir(), "main")
	deleted := false
	report, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Progress: func(done, _ int64) {
		if deleted {
			return
		}
		deleted = true
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(blobOf(k.Dir, d.Current.Digest)); err != nil {
			t.Error("the bytes went before they were copied:", err)
		}
	}})
	if err != nil || report.Blobs != 2 {
		t.Fatal(report, err)
	}
	if _, err := os.Stat(blobOf(k.Dir, d.Current.Digest)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the bytes outlive the backup:", err)
	}
	if _, err := restored(t, to).Document(t.Context(), d.ID); err != nil {
		t.Error("it was there at the instant of the backup:", err)
	}
}

func blobOf(vault string, d engine.Digest) string {
	return filepath.Join(vault, "blobs", "sha256", d.Hex()[:2], d.Hex())
}

// Wherever a backup is broken off, the earlier one can be restored, and the next
// one goes on.
func TestABackupBrokenOff(t *testing.T) {
	k := enginetest.New(t)
	k.Create("first", "the first text")
	to := filepath.Join(t.TempDir(), "main")
	earlier := backUp(t, k, to)
	for range 3 {
		k.Create("more", "more "+engine.NewID())
	}
	broken := 0
	for at := 1; ; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		_, _, err := k.Backup(ctx, engine.Operator(), engine.BackupOptions{To: to, Progress: func(_, _ int64) {
			if steps++; steps == at {
				cancel()
			}
		}})
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		broken++
		if b, err := engine.ReadBackup(to); err != nil || b.Head != earlier.Head {
			t.Errorf("broken off at step %d, the backup is of %v, %v", at, b.Head, err)
		}
		if left, _ := filepath.Glob(filepath.Join(to, "vault-*")); len(left) != 1 {
			t.Errorf("broken off at step %d, it left %q", at, left)
		}
		if at == 1 {
			restored(t, to)
		}
	}
	if broken < 2 { // in the database, and among the files, of which the next one keeps what is there
		t.Errorf("broken off %d times", broken)
	}
	restored(t, to)
}

// What is none of its own, a backup leaves alone.
func TestABackupRefusesWhatIsElse(t *testing.T) {
	k, other := enginetest.New(t), enginetest.New(t)
	parent := t.TempDir()
	file, full, foreign := filepath.Join(parent, "file"), filepath.Join(parent, "full"), filepath.Join(parent, "foreign")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(full, "letters"), 0o700); err != nil {
		t.Fatal(err)
	}
	backUp(t, other, foreign)
	for to, want := range map[string]error{
		"": engine.ErrInvalid, full: engine.ErrInvalid, foreign: engine.ErrInvalid, filepath.Join(k.Dir, "backup"): engine.ErrInvalid,
		filepath.Join(parent, "not", "mounted"): engine.ErrInvalid, file: nil, filepath.Join(file, "below"): nil,
	} {
		_, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("to %q: got %v", to, err)
		}
	}
	for _, path := range []string{file, filepath.Join(full, "letters")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	restored(t, foreign)
	reader, _ := k.Person("Rita Reader", engine.AccessUpload)
	if _, _, err := k.Backup(t.Context(), reader, engine.BackupOptions{To: filepath.Join(parent, "main")}); !errors.Is(err, engine.ErrLacksPermission) {
		t.Errorf("without access: %v", err)
	}
}

// Bytes that the vault has lost are named, and the rest is backed up; one that the
// earlier backup still has stays there, and is named too.
func TestABackupOfADamagedVault(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("old", "bytes that an earlier backup has")
	to := filepath.Join(t.TempDir(), "main")
	backUp(t, k, to)
	for what, damage := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 1) }, // found by its size
		"gone":      os.Remove,
	} {
		mend := rot(t, blobOf(k.Dir, d.Current.Digest))
		if report := backUp(t, k, to); report.CopiedBlobs != 0 { // nobody has read it
			t.Errorf("%+v", report)
		}
		if err := damage(blobOf(k.Dir, d.Current.Digest)); err != nil {
			t.Fatal(err)
		}
		report := backUpDamaged(t, k, engine.BackupOptions{To: to}, d.ID+" version 1: damaged in the vault, the backup has kept it whole")
		if report.Lost != 0 || report.Blobs != 1 || report.Bytes != d.Current.Size {
			t.Errorf("%s: %+v", what, report)
		}
		restored(t, to)
		mend()
	}
	fresh := k.Create("new", "bytes that nobody else has")
	whole := k.Create("whole", "bytes that are whole")
	mend := rot(t, blobOf(k.Dir, fresh.Current.Digest))
	report := backUpDamaged(t, k, engine.BackupOptions{To: to}, fresh.ID+" version 1: damaged in the vault, and not in the backup")
	if b, err := engine.ReadBackup(to); err != nil || b.Head != report.Head || b.Lost != 1 || len(b.Missing) != 1 || b.Missing[0] != fresh.Current.Digest || b.Blobs != 2 {
		t.Errorf("it does not count: %+v %v", b, err)
	}
	if page, err := k.Entries(t.Context(), engine.EntryQuery{After: report.Head.Seq}); err != nil || len(page.Items) != 1 || fmt.Sprint(page.Items[0].Facts["missing"]) != fmt.Sprint(audit.Number(1)) {
		t.Errorf("the entry: %+v, %v", page.Items, err)
	}
	if _, err := os.Stat(blobFile(to, whole.Current.Digest)); err != nil {
		t.Error("the rest was not backed up:", err)
	}
	backUpDamaged(t, k, engine.BackupOptions{To: to}, fresh.ID) // it is said until it is mended
	mend()
	if report := backUp(t, k, to); report.Lost != 0 || report.CopiedBlobs != 1 {
		t.Errorf("mended: %+v", report)
	}
	restored(t, to)
}

// backUpDamaged makes a backup that finds one damaged file, and counts.
func backUpDamaged(t *testing.T, k *enginetest.Kit, o engine.BackupOptions, says string) engine.BackupReport {
	t.Helper()
	report, _, err := k.Backup(t.Context(), engine.Operator(), o)
	damaged, ok := errors.AsType[*engine.DamagedError](err)
	if !ok || len(damaged.Files) != 1 || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %v, want %q", err, says)
	}
	if b, err := engine.ReadBackup(o.To); err != nil || b.Head != report.Head || report.Head.Seq == 0 {
		t.Errorf("it does not count: %v, %v", b, err)
	}
	return report
}

// rot changes a byte of a file and returns what mends it.
func rot(t *testing.T, path string) (mend func()) {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	spoilt := []byte(string(whole))
	spoilt[len(spoilt)/2] ^= 1
	write(spoilt)
	return func() { write(whole) }
}
