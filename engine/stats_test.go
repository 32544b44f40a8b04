package engine_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestStats(t *testing.T) {
	k := enginetest.New(t)
	before := k.Stats()
	k.Create("a", "a")
	k.Create("b", "b")
	after := k.Stats()
	if n := after.Groups.Count - before.Groups.Count; n != 2 || after.Groups.Sum-before.Groups.Sum != 2 {
		t.Errorf("two changes, one after the other, are %d groups: %+v", n, after.Groups)
	}
	if n := after.CommitTimes.Count; n != after.Commits || after.CommitTimes.Sum <= 0 {
		t.Errorf("%d commits took %+v", after.Commits, after.CommitTimes)
	}
}

// TestLogIsMeasured: changes make the write-ahead log longer, and a checkpoint, which
// is counted, makes it short again.
func TestLogIsMeasured(t *testing.T) {
	k := enginetest.New(t)
	measure := func() engine.Measures {
		t.Helper()
		m, err := k.Measure()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	k.Create("a", "a")
	one := measure().LogBytes
	k.Create("b", "b")
	if two := measure().LogBytes; one <= 0 || two <= one || k.Stats().Checkpoints != 0 {
		t.Errorf("the log has %d bytes after a change, %d after another, and %d checkpoints", one, two, k.Stats().Checkpoints)
	}
	if _, err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := measure().LogBytes; left != 0 || k.Stats().Checkpoints != 1 {
		t.Errorf("after %d checkpoints %d bytes are left", k.Stats().Checkpoints, left)
	}
}

func TestMeasure(t *testing.T) {
	k := enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: 1 << 20})
	k.Create("a", "a")
	m, err := k.Measure()
	if err != nil || m.Entries != k.Head().Seq || m.Waiting != 0 || m.DatabaseBytes < int64(m.PageBytes) ||
		m.DiskFree == 0 || m.DiskReserve != 1<<20 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		var made []engine.Document
		for i := range 5 {
			made = append(made, k.Create(fmt.Sprint("d", i), "x"))
		}
		if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, made[0].ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, made[1].ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			h, _, err := k.PlaceHold(t.Context(), k.Admin, made[2].ID, engine.Condition{}, engine.NewHold{Reason: "a case"})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if _, _, err := k.ReleaseHold(t.Context(), k.Admin, h.ID, engine.Condition{}, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, d := range made[2:4] {
			l, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Duration: time.Minute, UseScratchPad: i == 1})
			if err != nil {
				t.Fatal(err)
			}
			name := "renamed"
			if _, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: l.Token}, engine.DocumentPatch{Name: &name}); err != nil {
				t.Fatal(err)
			}
		}
		want := map[engine.Status]uint64{engine.StatusActive: 2, engine.StatusLegalHold: 1, engine.StatusArchived: 1, engine.StatusDeleted: 1}
		c, err := k.Census(t.Context())
		if err != nil || !maps.Equal(c.Documents, want) || c.Locked != 2 || c.Holds != 1 {
			t.Errorf("%+v %v", c, err)
		}
		time.Sleep(time.Minute)
		if c, err = k.Census(t.Context()); err != nil || c.Locked != 0 {
			t.Errorf("after their deadline: %+v %v", c, err)
		}
	})
}
