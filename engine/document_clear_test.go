package engine_test

import (
	"errors"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// many makes a document of n versions, each with its own bytes but the last, which
// another document shares.
func many(k *enginetest.Kit, n int) engine.Document {
	d := k.Create("contract", "text 1")
	for i := 2; i < n; i++ {
		k.AddText(d.ID, "text "+string(rune('a'+i%26))+time.Duration(i).String())
	}
	k.Create("another", "shared")
	return k.AddText(d.ID, "shared")
}

// A deletion of many versions is cleared in steps, each of a few rows, and is
// whole when it returns.
func TestDeletionOfManyVersionsIsDividedIntoSteps(t *testing.T) {
	k := enginetest.New(t)
	d := many(k, 600)
	commits := 0
	k.SetCommit(func(commit, _ func() error) error { commits++; return commit() })
	c, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	k.SetCommit(func(commit, _ func() error) error { return commit() })
	if err != nil || len(c.Versions) != 600 {
		t.Fatal(len(c.Versions), err)
	}
	if commits < 3 {
		t.Errorf("%d commits", commits)
	}
	if n, err := k.VersionRows(); n != 1 || err != nil {
		t.Errorf("%d versions are left, %v", n, err)
	}
	for _, ver := range c.Versions[:599] {
		if kept(k, ver.Digest) {
			t.Fatalf("the bytes of version %d are there", ver.Number)
		}
	}
	if !kept(k, c.Versions[599].Digest) {
		t.Error("bytes of another document are gone")
	}
	if k.Litter() {
		t.Error("there is litter")
	}
}

// Whichever commit fails, in either way, the document is deleted or whole; after
// the vault is opened anew, Sweep has removed what was left, from a backup too.
func TestCrashInADeletionLeavesGarbage(t *testing.T) {
	if testing.Short() {
		t.Skip("a vault for each commit, twice")
	}
	lost := errors.New("the power is cut")
	for _, done := range []bool{false, true} {
		for step := range 4 {
			k := enginetest.New(t)
			d := many(k, 600)
			n := 0
			k.SetCommit(func(commit, rollback func() error) error {
				if n++; n-1 != step {
					return commit()
				}
				if done {
					return errors.Join(commit(), lost)
				}
				return errors.Join(rollback(), lost)
			})
			k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
			k.Reopen()
			k.Check() // what is left is no finding
			_, err := k.Document(t.Context(), d.ID)
			deleted := errors.Is(err, engine.ErrDocumentDeleted)
			if deleted != (step > 0 || done) || !deleted && err != nil {
				t.Fatalf("step %d, done %v: %v", step, done, err)
			}
			backup := t.TempDir()
			backUp(t, k, backup)
			v := restored(t, backup)
			if _, err := k.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := 601
			if deleted {
				want = 1
			}
			for _, v := range []*engine.Vault{k.Vault, v} {
				if rows, err := v.VersionRows(); rows != want || err != nil {
					t.Errorf("step %d, done %v: %d versions, want %d; %v", step, done, rows, want, err)
				}
			}
			if c, err := k.Certificate(t.Context(), d.ID); deleted && (err != nil || kept(k, c.Versions[0].Digest)) {
				t.Errorf("step %d, done %v: bytes are left; %v", step, done, err)
			}
		}
	}
}

// An erasure clears too, and its words are in no page afterwards.
func TestErasureOfManyVersions(t *testing.T) {
	k := enginetest.New(t)
	d := many(k, 300)
	u := k.Upload("last")
	if _, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewVersion{FileName: secret(1)}, u); err != nil {
		t.Fatal(err)
	}
	erase(t, k, d.ID)
	if _, err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := k.VersionRows(); n != 1 || err != nil {
		t.Errorf("%d versions are left, %v", n, err)
	}
	if files := left(t, k.Dir, secret(1)); files != nil {
		t.Error("the name of a file is in", files)
	}
}

// BenchmarkDeleteManyVersions tells how long the longest commit of a deletion of
// 10,000 versions takes, whose references lie all over those of a larger vault.
func BenchmarkDeleteManyVersions(b *testing.B) {
	k := enginetest.NewWith(b, engine.Options{Name: "main"})
	var longest, deleting, all time.Duration
	for b.Loop() {
		u := k.Upload("text")
		d := k.Create("contract", "text")
		if err := k.FillVersions(b.Context(), k.Admin, d.ID, 9_999, u.Digest(), u.Size(), true); err != nil {
			b.Fatal(err)
		}
		u.Discard()
		n := 0
		last := time.Now()
		k.SetCommit(func(commit, _ func() error) error {
			err := commit()
			took := time.Since(last)
			if n++; n == 1 {
				deleting = max(deleting, took)
			}
			longest = max(longest, took)
			last = time.Now()
			return err
		})
		last = time.Now()
		began := last
		if _, _, err := k.DeleteDocument(b.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
			b.Fatal(err)
		}
		all = max(all, time.Since(began))
		k.SetCommit(func(commit, _ func() error) error { return commit() })
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(longest), "longest-ms")
	b.ReportMetric(ms(deleting), "deleting-ms")
	b.ReportMetric(ms(all), "whole-ms")
}
