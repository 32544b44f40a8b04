package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// backUp makes a backup that must succeed.
func backUp(t testing.TB, k *enginetest.Kit, to string) engine.BackupReport {
	t.Helper()
	report, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// restored restores a backup and returns the vault, which is verified, bytes
// included, and closed when the test ends.
func restored(t testing.TB, from string) *engine.Vault {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "main")
	if _, err := engine.Restore(t.Context(), dir, engine.RestoreOptions{From: from}); err != nil {
		t.Fatal(err)
	}
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		report, err := v.Verify(context.Background(), engine.VerifyOptions{Bytes: true})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("the restored vault: %v %v", err, report.Findings)
		}
		v.Close()
	})
	return v
}

// While writers write and delete, backups are made one upon the other. Each can
// be restored, and is the vault as it was at one instant: what was acknowledged
// before the backup began is there.
func TestBackupUnderLoad(t *testing.T) {
	k := enginetest.New(t)
	to := filepath.Join(t.TempDir(), "main")
	stop := make(chan struct{})
	var writing sync.WaitGroup
	var acknowledged atomic.Uint64
	for w := range 4 {
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				u, err := k.Stage(t.Context(), strings.NewReader(fmt.Sprintf("%d of %d", n, w)), 0)
				if err != nil {
					t.Error(err)
					return
				}
				d, receipt, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "under load"}, u)
				if err != nil {
					t.Error(err)
					return
				}
				if n%3 == 0 {
					_, receipt, err = k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
					if err != nil {
						t.Error(err)
						return
					}
				}
				for was := acknowledged.Load(); was < receipt.Seq && !acknowledged.CompareAndSwap(was, receipt.Seq); was = acknowledged.Load() {
				}
			}
		})
	}
	for range 3 {
		before := acknowledged.Load()
		report := backUp(t, k, to)
		if report.Head.Seq < before {
			t.Errorf("the backup ends at entry %d, and %d was acknowledged before it began", report.Head.Seq, before)
		}
		v := restored(t, to)
		if e, err := v.Entry(t.Context(), report.Head.Seq); err != nil || e.Hash != report.Head.Hash {
			t.Errorf("restored, entry %d is %v, %v", report.Head.Seq, e.Hash, err)
		}
	}
	close(stop)
	writing.Wait()
}

// A second backup copies what is new and drops what is gone; blobs that were
// there are the same files.
func TestIncrementalBackup(t *testing.T) {
	k := enginetest.New(t)
	stays := k.Create("stays", "bytes that stay")
	goes := k.Create("goes", "bytes that go")
	to := filepath.Join(t.TempDir(), "main")
	first := backUp(t, k, to)
	if first.Blobs != 2 || first.CopiedBlobs != 2 || first.Documents != 2 {
		t.Errorf("the first backup: %+v", first)
	}
	kept := blobFile(to, stays.Current.Digest)
	before, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, goes.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	k.Create("new", "bytes that are new")
	second := backUp(t, k, to)
	if second.Blobs != 2 || second.CopiedBlobs != 1 || second.RemovedBlobs != 1 {
		t.Errorf("the second backup: %+v", second)
	}
	if after, err := os.Stat(kept); err != nil || !os.SameFile(before, after) {
		t.Errorf("what was there was copied again: %v", err)
	}
	if _, err := os.Stat(blobFile(to, goes.Current.Digest)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was deleted is still in the backup: %v", err)
	}
	databases, _ := filepath.Glob(filepath.Join(to, "vault-*"))
	if len(databases) != 1 {
		t.Errorf("databases left in the backup: %q", databases)
	}
	head, err := os.ReadFile(filepath.Join(to, "head.txt"))
	if parsed, parseErr := audit.ParseHead(string(head)); err != nil || parseErr != nil || parsed != second.Head {
		t.Errorf("the printed head: %q %v", head, err)
	}
	restored(t, to)
}

func blobFile(backup string, d engine.Digest) string {
	return filepath.Join(backup, "blobs", d.Hex()[:2], d.Hex())
}

// No file is longer than the cut, and the parts come together again.
func TestBackupInParts(t *testing.T) {
	k := enginetest.New(t)
	long := strings.Repeat("a long contract. ", 20_000)
	d := k.Create("long", long)
	to := filepath.Join(t.TempDir(), "main")
	const cut = 100_000
	if _, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Cut: cut}); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		info, infoErr := entry.Info()
		if infoErr != nil {
			return infoErr
		}
		if !entry.IsDir() {
			files++
			if info.Size() > cut {
				t.Errorf("%s has %d bytes", path, info.Size())
			}
			if strings.ContainsAny(entry.Name(), `:*?"<>|\`) {
				t.Errorf("FAT has no name %q", entry.Name())
			}
		}
		return err
	})
	if err != nil || files < 6 {
		t.Errorf("%d files, %v", files, err)
	}
	if left, _ := filepath.Glob(filepath.Join(k.Dir, "*.check")); left != nil {
		t.Errorf("left in the vault: %q", left)
	}
	if again, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Cut: cut}); err != nil || again.CopiedBlobs != 0 {
		t.Errorf("again: %+v %v", again, err)
	}
	v := restored(t, to)
	_, f, _, err := v.OpenContent(t.Context(), engine.Operator(), d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text strings.Builder
	if _, err := f.(*os.File).WriteTo(&text); err != nil || text.String() != long {
		t.Errorf("the long document has %d bytes, %v", text.Len(), err)
	}
}
