//go:build unix

package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestBackupIntoATrap holds that a backup writes nothing where another user's links
// lead, and nothing into another user's directory.
func TestBackupIntoATrap(t *testing.T) {
	k := enginetest.New(t)
	k.Create("a", "text")
	medium, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(medium, "main")
	backup := func() error {
		_, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to})
		return err
	}
	lay := func(name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(medium, name)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string) {
		t.Helper()
		if err := backup(); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.RemoveAll(to + ".partial"); err != nil {
			t.Fatal(err)
		}
	}

	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, to+".partial"); err != nil {
		t.Fatal(err)
	}
	refused("a link")
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("it was followed: %v, %v", left, err)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Mkdir(to+".partial", 0o777), os.Chown(to+".partial", 61_002, 61_002)); err != nil {
			t.Fatal(err)
		}
		refused("a stranger's directory")
		// Where the whole medium is another user's, whoever can write there may.
		if err := errors.Join(os.Chown(medium, 61_002, 61_002), os.Mkdir(to+".partial", 0o777), os.Chown(to+".partial", 61_002, 61_002)); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Mkdir(to+".partial", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manifest.json.new", "head.txt.new", "staging"} {
		lay("main.partial/" + name)
	}
	if err := backup(); err != nil {
		t.Fatal(err)
	}
	lay("main/manifest.json.new")
	lay("main/head.txt.new")
	k.Create("b", "more")
	if err := backup(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "kept" {
		t.Errorf("what the links led to is %q, %v", got, err)
	}
	if b, err := engine.ReadBackup(to); err != nil || b.Blobs != 2 {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestBackupOfLinksAndPipes holds that what somebody laid in the place of a file, in
// the vault or in the backup, is not followed, holds up nobody, and is named.
func TestBackupOfLinksAndPipes(t *testing.T) {
	for what, lay := range map[string]func(at string) error{
		"pipe": func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"link": func(at string) error { return os.Symlink("/dev/zero", at) },
	} {
		k := enginetest.New(t)
		d := k.Create("a", "text")
		k.Create("b", "more text")
		to := filepath.Join(t.TempDir(), "main")
		o := engine.BackupOptions{To: to, Recheck: 1}
		backUp(t, k, to)
		path := blobFile(to, d.Current.Digest)
		if err := errors.Join(os.Remove(path), lay(path)); err != nil {
			t.Fatal(err)
		}
		verifyBackup(t, to, 2) // when it is looked for, and when it is read
		backUpDamaged(t, k, o, d.ID+" version 1: damaged in the backup, mended")
		verifyBackup(t, to, 0)
		kept := blobOf(k.Dir, d.Current.Digest)
		if err := errors.Join(os.Rename(kept, kept+"-"), lay(kept)); err != nil {
			t.Fatal(err)
		}
		backUpDamaged(t, k, o, d.ID+" version 1: damaged in the vault, the backup has kept it whole")
		if _, f, _, err := k.OpenContent(t.Context(), engine.Operator(), d.ID, 0); err == nil {
			t.Errorf("a %s is opened: %v", what, f)
		}
		if err := os.Rename(kept+"-", kept); err != nil {
			t.Fatal(err)
		}
		restored(t, to)
	}
}
