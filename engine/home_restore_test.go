package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// keeper is a home that keeps records in memory.
type keeper struct {
	mu      sync.Mutex
	records [][]byte
	erased  uint64
}

func (k *keeper) Ship(group uint64, record []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, slices.Clone(record))
	return nil
}

func (k *keeper) Erased() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.erased
}

// Digests are all that the vault needs, each once, over many pages too.
func TestDigests(t *testing.T) {
	k := enginetest.New(t)
	want := map[engine.Digest]bool{}
	for i := range 7 {
		content := fmt.Sprint("bytes ", i%5)
		d := k.Create(fmt.Sprint("document ", i), content)
		v, err := k.Version(t.Context(), d.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		want[v.Digest] = true
	}
	gone := k.Create("gone", "bytes of its own")
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	var got []engine.Digest
	if err := k.Digests(t.Context(), func(d engine.Digest) error {
		got = append(got, d)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || !slices.IsSortedFunc(got, func(a, b engine.Digest) int { return slices.Compare(a[:], b[:]) }) {
		t.Errorf("%d digests, want %d, in order: %v", len(got), len(want), got)
	}
	for _, d := range got {
		if !want[d] {
			t.Errorf("%v is of no document", d)
		}
	}
	stop := errors.New("enough")
	if err := k.Digests(t.Context(), func(engine.Digest) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("fn's error: %v", err)
	}
}

// A record tells the time of its last entry; an empty one tells none.
func TestRecordTime(t *testing.T) {
	home := &keeper{}
	k := enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: -1, Home: home})
	k.Create("one", "bytes")
	if at, err := engine.RecordTime(home.records[len(home.records)-1]); err != nil || !at.Equal(k.Head().Time) {
		t.Errorf("the last record is of %v, the head of %v: %v", at, k.Head().Time, err)
	}
	_, empty, err := k.EmptyGroup()
	if err != nil {
		t.Fatal(err)
	}
	if at, err := engine.RecordTime(empty); err != nil || !at.IsZero() {
		t.Errorf("an empty record is of %v: %v", at, err)
	}
	if _, err := engine.RecordTime([]byte("no record")); err == nil {
		t.Error("what is no record has a time")
	}
}

// A vault that was brought to an instant says so, and does nothing by itself.
func TestRecordRestore(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("one", "bytes")
	if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Duration: time.Minute}); err != nil {
		t.Fatal(err)
	}
	head := k.Head()
	if err := k.RecordRestore(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := k.Entries(t.Context(), engine.EntryQuery{After: head.Seq})
	if err != nil || len(page.Items) == 0 || page.Items[0].Op != audit.OpVaultRestored || page.Items[0].Prev != head.Hash {
		t.Errorf("after entry %d: %+v, %v", head.Seq, page.Items, err)
	}
	if s, err := k.Settings(t.Context()); err != nil || !s.Paused {
		t.Errorf("the vault is not paused: %v", err)
	}
	if last := page.Items[len(page.Items)-1]; last.Op != audit.OpLockBroken {
		t.Errorf("the last entry is %s, not of the lock's end", last.Op)
	}
}

// An erasure is running while its home has something of it.
func TestErasureWaitsForHome(t *testing.T) {
	home := &keeper{}
	k := enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: -1, Home: home})
	d := k.Create("one", "bytes")
	e, _, err := k.RequestErasure(t.Context(), k.Admin, engine.NewErasure{DocumentIDs: []string{d.ID}, LegalBasis: "law", Requester: "case"})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	status := func() engine.ErasureStatus {
		got, err := k.Erasure(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	if got := status(); got != engine.ErasureRunning {
		t.Errorf("it is %s while the home has it", got)
	}
	home.mu.Lock()
	home.erased = k.Wiped()
	home.mu.Unlock()
	if got := status(); got != engine.ErasureCompleted {
		t.Errorf("it is %s when nothing is left", got)
	}
}
