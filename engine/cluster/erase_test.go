package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// eraseOne erases a document in the vault, and waits until it is wiped there.
func eraseOne(s *shelf, k *enginetest.Kit, documentID string) {
	s.t.Helper()
	_, _, err := k.RequestErasure(s.t.Context(), s.admin, engine.NewErasure{
		DocumentIDs: []string{documentID}, LegalBasis: "Art. 17 GDPR", Requester: "case 1",
	})
	s.must(err)
	sweepUntilWiped(s, k.Vault)
}

// erasure looks at how the only erasure stands.
func (s *shelf) erasure(k *enginetest.Kit, want engine.ErasureStatus) {
	s.t.Helper()
	page, err := k.Erasures(s.t.Context(), engine.Paging{})
	s.must(err)
	if len(page.Items) != 1 || page.Items[0].Status != want {
		s.t.Errorf("the erasures are %+v, want one that is %s", page.Items, want)
	}
	e, err := k.Erasure(s.t.Context(), page.Items[0].ID)
	s.must(err)
	if e.Status != want {
		s.t.Errorf("the erasure by itself is %s, want %s", e.Status, want)
	}
}

func sweepUntilWiped(s *shelf, v *engine.Vault) {
	s.t.Helper()
	for range 50 {
		_, err := v.Sweep(s.t.Context())
		s.must(err)
		if last, err := erasureSince(s.t.Context(), v, 0, v.Head().Seq); err == nil && last > 0 && v.Wiped() >= last {
			return
		}
	}
	s.t.Fatal("the vault is not wiped")
}

// What was erased is nowhere in the store: in no commit, in no snapshot.
func TestErase(t *testing.T) {
	const word = "Solbergmannsson"
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	kept := s.tend(m, nil)
	gone := k.Create("Personal file of "+word, "bytes of it")
	s.snapshot(m)
	other := k.Create("Other", "bytes of the other")
	if !bytes.Contains(s.everything(), []byte(word)) {
		t.Fatal("the word is not in the store to begin with")
	}
	eraseOne(s, k, gone.ID)
	erased := k.Head().Seq
	s.erasure(k, engine.ErasureRunning) // it is in the store yet
	kept = s.tend(m, kept)
	m.c.clean.Store(kept.Snapshot.Clean) // as the owner's housekeeping does
	s.erasure(k, engine.ErasureCompleted)
	if bytes.Contains(s.everything(), []byte(word)) {
		t.Error("what was erased is in the store")
	}
	if kept.Snapshot.Clean == 0 || kept.Snapshot.Clean > erased || kept.Snapshot.CleanAt.IsZero() {
		t.Errorf("the store is clean up to entry %d of %d, at %v", kept.Snapshot.Clean, erased, kept.Snapshot.CleanAt)
	}
	if got := len(s.keys(keySnapshots)); got != 1 {
		t.Errorf("%d snapshots are left", got)
	}
	f, err := Join(t.Context(), s.server("reader"))
	s.must(err)
	sweepUntilWiped(s, f.Vault())
	s.erasure(&enginetest.Kit{Vault: f.Vault(), TB: t}, engine.ErasureCompleted)
	s.must(f.Close(t.Context()))
	// The numbers stay taken: a request that was sent before may come yet.
	for n := kept.Snapshot.Commit; n > kept.Snapshot.Commit-3; n-- {
		if cm, err := m.c.readCommit(t.Context(), n); err != nil || cm.Kind != kindErased || len(cm.Record) > 0 {
			t.Errorf("commit %d: kind %d, %d bytes, %v", n, cm.Kind, len(cm.Record), err)
		}
	}
	// It costs nothing to ask again, and the vault goes on.
	puts := len(s.keys(""))
	again := s.tend(m, kept)
	if again.Snapshot.Key != kept.Snapshot.Key || len(s.keys("")) != puts {
		t.Error("the same erasure was done in the store twice")
	}
	k.AddText(other.ID, "more")
	s.must(m.Close(t.Context()))
	m, _ = s.own(s.server("second"))
	s.verify(m.Vault())
	s.must(m.Close(t.Context()))

	m, _ = s.own(s.server("third"))
	s.age(26 * time.Hour)
	s.must(m.c.collect(t.Context(), m.s.place().Epoch))
	p, _, err := m.c.loadPointer(t.Context())
	s.must(err)
	if got := s.keys(keyCommits)[0]; got < commitKey(p.Commit) {
		t.Errorf("emptied commits are kept beyond a day, from %s", got)
	}
}

// Wherever it is cut off, the store does not say that it is clean, and whoever owns the
// vault next makes it so.
func TestEraseCut(t *testing.T) {
	const word = "Solbergmannsson"
	step := 1
	if testing.Short() {
		step = 4
	}
	for n := 0; ; n += step {
		s := newShelf(t)
		m, k := s.own(s.server("first"))
		gone := k.Create("File of "+word, "bytes")
		s.snapshot(m)
		eraseOne(s, k, gone.ID)
		ctx, cancel := s.cutAfter(n)
		_, err := m.c.tend(ctx, m.v, m.s.tended(), nil)
		cancel()
		s.failing(nil)
		p, _, failed := m.c.loadPointer(t.Context())
		s.must(failed)
		if clean := p.Clean > 0; clean && bytes.Contains(s.everything(), []byte(word)) {
			t.Fatalf("cut after %d calls: the store says that it is clean, and is not", n)
		}
		if err == nil {
			return
		}
		s.must(m.Close(t.Context()))
		m, k = s.own(s.server(fmt.Sprint("next ", n)))
		sweepUntilWiped(s, k.Vault)
		if kept := s.tend(m, nil); kept.Snapshot.Clean == 0 {
			t.Fatalf("cut after %d calls: the next owner does not say that the store is clean", n)
		}
		if bytes.Contains(s.everything(), []byte(word)) {
			t.Fatalf("cut after %d calls: the next owner leaves what was erased", n)
		}
		s.verify(m.Vault())
		s.must(m.Close(t.Context()))
		if n > 100 {
			t.Fatal("it never ends")
		}
	}
}

// Nobody can restore to a time before an erasure, and is told why.
func TestEraseEndsHistory(t *testing.T) {
	s := newShelf(t)
	c := s.server("first")
	m, k := s.own(c)
	gone := k.Create("One", "bytes")
	before := k.Head().Time
	s.snapshot(m)
	time.Sleep(2 * time.Millisecond)
	eraseOne(s, k, gone.ID)
	s.tend(m, nil)
	to := s.server("restored")
	var ended *HistoryError
	if err := Restore(t.Context(), to, before); !errors.As(err, &ended) || ended.ErasedTo == 0 || ended.From.IsZero() {
		t.Errorf("restore to before an erasure: %v", err)
	}
	h, err := ReadHistory(t.Context(), to)
	s.must(err)
	if ended != nil && h != ended.History {
		t.Errorf("the history is %+v, the error says %+v", h, ended.History)
	}
	s.must(Restore(t.Context(), to, h.From))
}
