package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A backup reads again what it carries over, those first that were read longest ago,
// so that some backups later all were; a new one is not among them.
func TestRecheckOldestFirst(t *testing.T) {
	k := enginetest.New(t)
	const files = 20
	digests := map[string]engine.Document{}
	for n := range files {
		d := k.Create("old", fmt.Sprintf("the text of document %d", n))
		digests[d.Current.Digest.Hex()] = d
	}
	to := filepath.Join(t.TempDir(), "main")
	backUp(t, k, to)
	// What is damaged in the backup is found within ten backups, whichever it is.
	names := make([]string, 0, files)
	for name := range digests {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, at := range []int{0, 9, 19} {
		d := digests[names[at]]
		rot(t, blobFile(to, d.Current.Digest))
		found := 0
		for range 10 {
			report, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to})
			if err != nil {
				found++
				if report.Mended != 1 || !strings.Contains(err.Error(), d.ID+" version 1: damaged in the backup, mended") {
					t.Errorf("%+v, %v", report, err)
				}
			}
			if report.Reread != 2 || report.Lost != 0 {
				t.Errorf("%d of %d were read again, %d are lost", report.Reread, files, report.Lost)
			}
		}
		if found != 1 {
			t.Errorf("the file at %d was found damaged %d times", at, found)
		}
	}
	restored(t, to)
	for recheck, want := range map[float64]uint64{1: files, 7: files, -1: 0, 0.01: 1} {
		if report, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Recheck: recheck}); err != nil || report.Reread != want {
			t.Errorf("recheck %v: %d, %v", recheck, report.Reread, err)
		}
	}
	// Without what it remembers, and with what anybody wrote there, all is as never read.
	for _, text := range []string{"", "strongroom reads 1\n", strings.Repeat("x", 500)} {
		if err := os.WriteFile(filepath.Join(to, "reads.bin"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if report := backUp(t, k, to); report.Reread != 2 || report.CopiedBlobs != 0 {
			t.Errorf("with %q: %+v", text, report)
		}
	}
	if err := errors.Join(os.Remove(filepath.Join(to, "reads.bin")), os.Mkdir(filepath.Join(to, "reads.bin"), 0o700)); err != nil {
		t.Fatal(err)
	}
	backUp(t, k, to)
}

// Whatever stands in the place of a file of the backup is named, and replaced by the
// vault's; parts that belong to no file are gone.
func TestBackupMendsWhatIsThere(t *testing.T) {
	k := enginetest.New(t)
	long := strings.Repeat("a long text. ", 20_000)
	d := k.Create("long", long)
	k.Create("short", "a short text")
	for what, damage := range map[string]func(path string) error{
		"a part changed": func(path string) error { return spoilFile(path + ".001") },
		"a part gone":    func(path string) error { return os.Remove(path + ".001") },
		"all gone": func(path string) error {
			return errors.Join(os.Remove(path+".000"), os.Remove(path+".001"), os.Remove(path+".002"))
		},
		"a part more":      func(path string) error { return os.WriteFile(path+".003", []byte("more"), 0o600) },
		"a part truncated": func(path string) error { return os.Truncate(path+".000", 10) },
		"a whole one":      func(path string) error { return os.WriteFile(path, []byte("another"), 0o600) },
		"a directory":      func(path string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) },
		"a link":           func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		to := filepath.Join(t.TempDir(), "main")
		o := engine.BackupOptions{To: to, Cut: 100_000, Recheck: 1}
		if _, _, err := k.Backup(t.Context(), engine.Operator(), o); err != nil {
			t.Fatal(err)
		}
		if err := damage(blobFile(to, d.Current.Digest)); err != nil {
			t.Fatal(err)
		}
		report, _, err := k.Backup(t.Context(), engine.Operator(), o)
		if err == nil || report.Mended != 1 || report.Lost != 0 || !strings.Contains(err.Error(), d.ID+" version 1: damaged in the backup, mended") {
			t.Errorf("%s: %+v, %v", what, report, err)
		}
		verifyBackup(t, to, 0)
		if report, _, err := k.Backup(t.Context(), engine.Operator(), o); err != nil || report.Mended != 0 {
			t.Errorf("%s: afterwards %+v, %v", what, report, err)
		}
		if left, _ := filepath.Glob(blobFile(to, d.Current.Digest) + "*"); len(left) != 3 {
			t.Errorf("%s: parts %v", what, left)
		}
	}
}

func spoilFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600))
}

// verifyBackup verifies one, bytes included, and holds it to a number of findings. It
// may write nothing there.
func verifyBackup(t *testing.T, to string, findings int) engine.VerifyReport {
	t.Helper()
	before := listing(t, to)
	report, _, err := engine.VerifyBackup(t.Context(), to, engine.VerifyOptions{Bytes: true})
	if err != nil || len(report.Findings) != findings {
		t.Errorf("verify the backup: %v, %+v", err, report.Findings)
	}
	if after := listing(t, to); after != before {
		t.Errorf("verifying changed the backup:\n%s\n%s", before, after)
	}
	return report
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Of a backup that has lost a file, the rest is restored if that is asked for, and
// what is missing is named by document and version, in the report and by verify.
func TestRestoreSkipsWhatIsDamaged(t *testing.T) {
	k := enginetest.New(t)
	whole := k.Create("whole", "bytes that are whole")
	lost := k.Create("lost", "bytes that both have lost")
	k.AddText(lost.ID, "a second version")
	twin := k.Create("twin", "bytes that both have lost")
	rotten := k.Create("rotten", "bytes that rot in the backup")
	to := filepath.Join(t.TempDir(), "main")
	mend := rot(t, blobOf(k.Dir, lost.Current.Digest))
	backUpDamaged(t, k, engine.BackupOptions{To: to}, lost.ID+" version 1")
	mend()
	rot(t, blobFile(to, rotten.Current.Digest))
	verify := verifyBackup(t, to, 3)
	for _, f := range verify.Findings {
		if f.Code != engine.CodeBlob || !strings.Contains(f.Message, lost.ID) && !strings.Contains(f.Message, twin.ID) && !strings.Contains(f.Message, rotten.ID) {
			t.Errorf("finding %+v", f)
		}
	}
	dir := filepath.Join(t.TempDir(), "main")
	_, err := engine.Restore(t.Context(), dir, engine.RestoreOptions{From: to})
	if damaged, ok := errors.AsType[*engine.DamagedError](err); !ok || !damaged.Bytes || len(damaged.Files) != 2 {
		t.Errorf("not asked to skip: %v", err)
	}
	report, err := engine.Restore(t.Context(), dir, engine.RestoreOptions{From: to, SkipDamaged: true})
	if err != nil {
		t.Fatal(err)
	}
	of := func(d engine.Document) engine.LostVersion {
		return engine.LostVersion{DocumentID: d.ID, Number: 1, Digest: d.Current.Digest.String()}
	}
	if len(report.Damaged) != 3 || report.Blobs != 2 || !slices.Contains(report.Damaged, of(lost)) || !slices.Contains(report.Damaged, of(twin)) || !slices.Contains(report.Damaged, of(rotten)) {
		t.Errorf("%+v", report)
	}
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	found, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true})
	if err != nil || len(found.Findings) != 3 {
		t.Errorf("verify: %+v, %v", found.Findings, err)
	}
	if _, f, _, err := v.OpenContent(t.Context(), engine.Operator(), lost.ID, 1); err == nil {
		t.Errorf("there are bytes: %v", f)
	}
	for _, of := range []struct {
		id string
		n  uint64
	}{{whole.ID, 1}, {lost.ID, 2}} {
		_, f, _, err := v.OpenContent(t.Context(), engine.Operator(), of.id, of.n)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	// What was lost comes back with the bytes.
	u, err := v.Stage(t.Context(), strings.NewReader("bytes that both have lost"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.AddVersion(t.Context(), engine.Operator(), whole.ID, engine.Condition{}, engine.NewVersion{}, u); err != nil {
		t.Error(err)
	}
	if _, f, _, err := v.OpenContent(t.Context(), engine.Operator(), lost.ID, 1); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// A backup is verified where it lies: in parts, with a damaged database, or none.
func TestVerifyBackup(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("long", strings.Repeat("a long text. ", 20_000))
	to := filepath.Join(t.TempDir(), "main")
	if _, _, err := k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: to, Cut: 20_000}); err != nil {
		t.Fatal(err)
	}
	report := verifyBackup(t, to, 0)
	if report.Blobs != 1 || report.Documents != 1 || report.Head.Seq == 0 {
		t.Errorf("%+v", report)
	}
	databases, err := filepath.Glob(filepath.Join(to, "vault-*"))
	if err != nil || len(databases) < 2 {
		t.Fatal(databases, err)
	}
	rot(t, databases[0])
	rot(t, blobFile(to, d.Current.Digest)+".000")
	report = verifyBackup(t, to, 2)
	if f := report.Findings[0]; f.Code != engine.CodeBackup || !strings.Contains(f.Message, filepath.Base(databases[0])) {
		t.Errorf("%+v", f)
	}
	if _, _, err := engine.VerifyBackup(t.Context(), t.TempDir(), engine.VerifyOptions{}); !errors.Is(err, engine.ErrNoBackup) {
		t.Error(err)
	}
}
