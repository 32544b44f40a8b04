package engine_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// scrubbed scrubs with a budget until all is read.
func scrubbed(t *testing.T, v *engine.Vault, budget int64) (calls int, next time.Time) {
	t.Helper()
	for next.IsZero() {
		var err error
		if next, err = v.Scrub(t.Context(), budget); err != nil {
			t.Fatal(err)
		}
		calls++
	}
	return calls, next
}

// Scrubbing finds the file that has changed on the disk, names who has it, does
// not forget it over a restart, and is content once it is mended or gone.
func TestScrub(t *testing.T) {
	k := enginetest.New(t)
	long := k.Create("long", strings.Repeat("a long text. ", 300_000))
	k.Create("whole", "whole")
	gone := k.Create("gone", "bytes that will go")
	if f := k.Fixity(); !f.Oldest.IsZero() || f.Damaged != nil {
		t.Errorf("before anything was read: %+v", f)
	}
	began := k.Head().Time
	if calls, next := scrubbed(t, k.Vault, 1<<20); calls < 4 || next.Before(began.Add(6*24*time.Hour)) {
		t.Errorf("%d calls for 4 MB at 1 MiB each, the next on %v", calls, next)
	}
	if f := k.Fixity(); f.Oldest.Before(began) || f.Damaged != nil || f.Read < 3_900_000 {
		t.Errorf("all was read: %+v", f)
	}

	mend := rot(t, blobOf(k.Dir, long.Current.Digest))
	rot(t, blobOf(k.Dir, gone.Current.Digest))
	rest := func() { // the week is over
		t.Helper()
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(k.Dir, "fixity.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		year := time.Now().UTC().Format("2006-")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), `":"`+year, `":"2001-`)), 0o600); err != nil {
			t.Fatal(err)
		}
		if k.Vault, err = engine.Open(k.Dir, k.Options); err != nil {
			t.Fatal(err)
		}
	}
	rest()
	scrubbed(t, k.Vault, 1<<30)
	k.Reopen()
	damaged := k.Fixity().Damaged
	if len(damaged) != 2 {
		t.Fatalf("found: %+v", damaged)
	}
	for _, d := range damaged {
		if !strings.HasPrefix(d.Problem, blobstore.ErrCorrupt.Error()+": its bytes have digest sha256:") {
			t.Errorf("found: %+v", d)
		}
		if d.Digest == long.Current.Digest && (len(d.Versions) != 1 || !strings.Contains(d.Versions[0], long.ID) || d.Found.Before(began)) {
			t.Errorf("found: %+v", d)
		}
	}
	if list := k.Examine(t.Context()); !says(list, engine.LevelError, "fixity", "restore") {
		t.Errorf("the doctor says %v", list)
	}

	mend()
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	rest()
	scrubbed(t, k.Vault, 1<<30)
	if damaged := k.Fixity().Damaged; len(damaged) != 0 {
		t.Errorf("mended and gone: %+v", damaged)
	}
}

// forbidding is a disk whose files this process may not read.
type forbidding struct {
	*blobstore.Disk
	all bool
}

func (f *forbidding) Open(d blobstore.Digest) (io.ReadSeekCloser, error) {
	if f.all {
		return nil, &fs.PathError{Op: "open", Path: d.String(), Err: fs.ErrPermission}
	}
	return f.Disk.Open(d)
}

// TestForbiddenBytes holds that a file that may not be read is called that, and no
// damage, and that the alarm ends with a clean reading.
func TestForbiddenBytes(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("kept", "kept")
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	disk, err := blobstore.Open(filepath.Join(k.Dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	blobs := &forbidding{disk, true}
	k.Options.Blobs = blobs
	if k.Vault, err = engine.Open(k.Dir, k.Options); err != nil {
		t.Fatal(err)
	}
	scrubbed(t, k.Vault, 1<<30)
	concerns, err := k.Concerns(t.Context())
	if err != nil || len(concerns) != 1 || !strings.Contains(concerns[0], "1 files may not be read") || !strings.Contains(concerns[0], d.ID+" version 1") ||
		strings.Contains(concerns[0], "backup") {
		t.Errorf("%q, %v", concerns, err)
	}
	if list := k.Examine(t.Context()); !says(list, engine.LevelError, "fixity", "permission is denied") {
		t.Errorf("%+v", list)
	}
	_, _, err = k.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: filepath.Join(t.TempDir(), "to")})
	if damaged := (*engine.DamagedError)(nil); !errors.Is(err, fs.ErrPermission) || errors.As(err, &damaged) || !strings.Contains(err.Error(), d.ID) {
		t.Errorf("a backup: %v", err)
	}

	blobs.all = false
	if r, err := k.Verify(t.Context(), engine.VerifyOptions{Bytes: true}); err != nil || len(r.Findings) > 0 {
		t.Errorf("%+v, %v", r.Findings, err)
	}
	if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) > 0 {
		t.Errorf("the alarm goes on: %q, %v", concerns, err)
	}
}

// Derived state may be deleted, or be anything.
func TestFixityIsDerived(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[1]", `{"Checked":{"00":"2026-01-01T00:00:00Z"},"Damaged":null}`} {
		k := enginetest.New(t)
		k.Create("contract", "text")
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(k.Dir, "fixity.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if k.Vault, err = engine.Open(k.Dir, k.Options); err != nil {
			t.Fatal(err)
		}
		scrubbed(t, k.Vault, 1<<20)
		if f := k.Fixity(); f.Oldest.IsZero() || f.Damaged != nil {
			t.Errorf("after %q: %+v", text, f)
		}
	}
}

func says(list []engine.Diagnosis, level engine.Level, what, word string) bool {
	for _, d := range list {
		if d.Level == level && d.What == what && strings.Contains(d.Says, word) {
			return true
		}
	}
	return false
}

// The doctor sees what an operator can mend.
func TestExamine(t *testing.T) {
	k := enginetest.New(t)
	list := k.Examine(t.Context())
	if len(list) < 8 {
		t.Errorf("only %v", list)
	}
	for _, d := range list {
		if d.Level == engine.LevelError {
			t.Errorf("a vault that is well: %+v", d)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(k.Dir, "probe-*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
	paused := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &paused}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(k.Dir, "rows.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	list = k.Examine(t.Context())
	if !says(list, engine.LevelWarn, "permissions", "chmod") || !says(list, engine.LevelWarn, "schedules", "resume") {
		t.Errorf("%v", list)
	}
}
