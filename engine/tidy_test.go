package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A file of somebody else's among the blobs does not keep the litter of a crash
// from being removed.
func TestSweepPassesOverForeignFiles(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	k.Close()
	// As a crash leaves it: the lock file names a process, and bytes lie about.
	disk, err := blobstore.Open(filepath.Join(k.Dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	staged, err := disk.Stage(t.Context(), newText(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := staged.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(k.Dir, "blobs", "sha256", "00", "notes.txt")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.Dir, "vault.lock"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := engine.Open(k.Dir, k.Options)
	if err != nil {
		t.Fatal(err)
	}
	k.Vault = v
	if _, err := k.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := disk.Stat(staged.Digest()); !errors.Is(err, blobstore.ErrNotFound) {
		t.Error("the litter is still there:", err)
	}
	if k.Content(d.ID, 0) != "text" {
		t.Error("what is needed is gone")
	}
	if err := os.Remove(foreign); err != nil {
		t.Error("the foreign file was touched:", err)
	}
}
