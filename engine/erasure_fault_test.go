package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// While somebody reads the vault as it was, the erasure is not completed, and
// then it is.
func TestErasureWaitsForReaders(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := noted(t, k)
	end, err := k.Linger()
	must(t, err)
	e := erase(t, k, d.ID)
	for range 3 {
		sweep(k)
		if got := readErasure(t, k, e.ID); got.Status != engine.ErasureRunning || got.Completed != 1 {
			t.Errorf("while somebody reads: %+v", got)
		}
	}
	if left(t, k.Dir, secret(1)) == nil {
		t.Error("the reader's pages are gone: the test says nothing")
	}
	end()
	sweep(k)
	if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted {
		t.Errorf("when nobody does: %+v", got)
	}
	if files := left(t, k.Dir, secret(1)); files != nil {
		t.Errorf("still in %q", files)
	}
}

func noted(t testing.TB, k *enginetest.Kit) engine.Document {
	k.Define(engine.TextField, "note")
	return full(t, k, secret(1))
}

// The vault ends at every commit of an erasure in turn, before it and after it.
// Opened again it goes on: the document is deleted once, and what it said is
// nowhere.
func TestErasureGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a vault for each commit, twice")
	}
	for _, applied := range []bool{false, true} {
		for at := 1; ; at++ {
			k := enginetest.New(t)
			d := noted(t, k)
			erase(t, k, d.ID)
			n, crashed := 0, false
			k.SetCommit(func(commit, rollback func() error) error {
				if n++; n != at {
					return commit()
				}
				crashed = true
				if applied {
					if err := commit(); err != nil {
						return err
					}
				} else if err := rollback(); err != nil {
					return err
				}
				return syscall.EIO
			})
			_, err := k.Sweep(t.Context())
			if !crashed {
				must(t, err)
				t.Logf("applied %v: %d commits", applied, at-1)
				break
			}
			if err == nil {
				t.Errorf("commit %d: no error", at)
			}
			k.Close()
			v, err := engine.Open(k.Dir, k.Options)
			must(t, err)
			k.Vault = v
			k.Check()
			sweep(k)
			if ops := strings.Join(about(t, k, d.ID, true), " "); strings.Count(ops, "document.deleted") != 1 || strings.Count(ops, "erasure.completed") != 1 {
				t.Errorf("commit %d, applied %v: %s", at, applied, ops)
			}
			if files := left(t, k.Dir, secret(1)); files != nil {
				t.Errorf("commit %d, applied %v: still in %q", at, applied, files)
			}
			page, err := k.Erasures(t.Context(), engine.Paging{})
			if err != nil || page.Items[0].Status != engine.ErasureCompleted {
				t.Errorf("commit %d, applied %v: %+v, %v", at, applied, page, err)
			}
		}
	}
}

// Overwriting takes the pages that are free, and hardly one more: the file does
// not grow with each erasure.
func TestErasureDoesNotGrowTheFile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hundreds of erasures")
	}
	k := enginetest.New(t)
	var documents []string
	for range 400 {
		documents = append(documents, k.CreateFrom(engine.NewDocument{Name: "contract", Description: strings.Repeat("text ", 1000)}, "text").ID)
	}
	erase(t, k, documents[50:]...)
	sweep(k)
	before, err := k.Used()
	must(t, err)
	for _, d := range documents[:50] {
		erase(t, k, d)
		sweep(k)
	}
	after, err := k.Used()
	must(t, err)
	if grown := (after - before) / 4096; grown > 50 {
		t.Errorf("50 erasures took %d pages beside %d", grown, before/4096)
	}
}

// The copy of its former format that a migration keeps tells what the vault told.
func TestErasureRemovesTheCopyOfAMigration(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create(secret(1), "text")
	for _, name := range []string{"vault.db.format-1", "vault.db.format-1.new"} {
		must(t, os.WriteFile(filepath.Join(k.Dir, name), []byte(secret(1)), 0o600))
	}
	erase(t, k, d.ID)
	sweep(k)
	if files := left(t, k.Dir, secret(1)); files != nil {
		t.Errorf("still in %q", files)
	}
}

// As long as bytes cannot be unlinked the erasure is not completed, and nobody is
// told that it is.
func TestErasureWaitsForBytes(t *testing.T) {
	t.Parallel()
	k, blobs := faulty(t)
	d := k.Create("contract", "bytes that must go")
	e := erase(t, k, d.ID)
	blobs.step, blobs.cause = "remove", syscall.EIO
	for range 2 {
		if _, err := k.Sweep(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("got %v", err)
		}
		if got := readErasure(t, k, e.ID); got.Status != engine.ErasureRunning || got.Completed != 1 {
			t.Errorf("%+v", got)
		}
	}
	blobs.step = ""
	sweep(k)
	if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted {
		t.Errorf("%+v", got)
	}
	if _, err := blobs.Stat(d.Current.Digest); !errors.Is(err, blobstore.ErrNotFound) {
		t.Error(err)
	}
}
