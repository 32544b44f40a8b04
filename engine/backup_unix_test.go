//go:build unix

package engine_test

import (
	"errors"
	"os"
	"path/filepath"
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
