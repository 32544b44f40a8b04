package engine_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// obligationModel is what the vault must hold of obligations, in a map.
type obligationModel struct {
	t      *testing.T
	k      *enginetest.Kit
	random *rand.Rand
	docs   map[string]bool
	holds  map[string]engine.Obligation // without status and names
}

// TestObligationModel makes random changes and verifies the vault after each.
func TestObligationModel(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, testObligationModel)
}

func testObligationModel(t *testing.T, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("repeat with -run TestObligationModel -modelseed %d", seed)
		}
	}()
	steps := 150
	if testing.Short() {
		steps = 50
	}
	synctest.Test(t, func(t *testing.T) {
		m := &obligationModel{t: t, k: enginetest.New(t), random: rand.New(rand.NewPCG(seed, 0)), docs: map[string]bool{}, holds: map[string]engine.Obligation{}}
		for range 3 {
			m.docs[m.k.Create("Lease", "x").ID] = true
		}
		calls := []func(){m.create, m.create, m.create, m.update, m.update, m.complete, m.complete, m.reopen, m.remove, m.sweep, m.sweep, m.zone, m.document}
		for range steps {
			calls[m.random.IntN(len(calls))]()
			if m.random.IntN(25) == 0 {
				m.k.Reopen()
			}
			m.compare()
			m.k.Check()
			if t.Failed() {
				return
			}
			time.Sleep(time.Duration(m.random.IntN(20)) * time.Hour)
		}
	})
}

// any returns one of the keys, or one that never was.
func (m *obligationModel) any() string {
	ids := slices.Sorted(maps.Keys(m.holds))
	if n := m.random.IntN(len(ids) + 1); n < len(ids) {
		return ids[n]
	}
	return engine.NewID()
}

func (m *obligationModel) when() engine.Due {
	at := time.Now().UTC().Add(time.Duration(m.random.IntN(60*24)-10*24) * time.Hour)
	return due(m.t, pickOne(m.random, at.Format(time.DateOnly), at.Format(time.RFC3339)))
}

func pickOne[T any](random *rand.Rand, list ...T) T { return list[random.IntN(len(list))] }

// plain is what does not depend on the clock.
func plain(o engine.Obligation) engine.Obligation {
	o.Status, o.OwnerName, o.DocumentName = "", "", ""
	return o
}

// settled checks an answer to a change: refused for what was never there, with a
// receipt if something changed.
func (m *obligationModel) settled(id string, o engine.Obligation, r engine.Receipt, err error, changes func(*engine.Obligation) bool) (changed bool) {
	m.t.Helper()
	want, ok := m.holds[id]
	if !ok {
		if !errors.Is(err, engine.ErrObligationNotFound) {
			m.t.Fatalf("%s: %v", id, err)
		}
		return false
	}
	must(m.t, err)
	if changed = changes(&want); changed {
		want.Revision++
		want.UpdatedAt = o.UpdatedAt
		m.holds[id] = want
	}
	if (r.Seq != 0) != changed || plain(o) != want && want.Evidence == nil {
		m.t.Fatalf("got %+v, want %+v, changed %v, receipt %d", o, want, changed, r.Seq)
	}
	return changed
}

func (m *obligationModel) create() {
	docs := slices.Sorted(maps.Keys(m.docs))
	o, _, err := m.k.CreateObligation(m.t.Context(), m.k.Admin, engine.NewObligation{
		Title: pickOne(m.random, "Pay", "Give notice"), Description: pickOne(m.random, "", "soon"), DueDate: m.when(),
		OwnerID: m.k.Admin.UserID, DocumentID: pickOne(m.random, docs...), Recurrence: pickOne[engine.Recurrence](m.random, "", "monthly", "yearly"),
	})
	must(m.t, err)
	m.holds[o.ID] = plain(o)
}

func (m *obligationModel) update() {
	id := m.any()
	title, recurrence, day := pickOne(m.random, "Pay", "Terminate"), pickOne[engine.Recurrence](m.random, "", "monthly", "quarterly"), m.when()
	p := engine.ObligationPatch{Title: &title}
	if m.random.IntN(2) == 0 {
		p.Recurrence = &recurrence
	}
	if m.random.IntN(2) == 0 {
		p.DueDate = &day
	}
	o, r, err := m.k.UpdateObligation(m.t.Context(), m.k.Admin, id, engine.Condition{}, p)
	m.settled(id, o, r, err, func(o *engine.Obligation) bool {
		was := *o
		o.Title = title
		if p.Recurrence != nil {
			o.Recurrence = recurrence
		}
		if p.DueDate != nil {
			o.DueDate = day
		}
		return *o != was
	})
}

func (m *obligationModel) complete() {
	id := m.any()
	o, r, err := m.k.CompleteObligation(m.t.Context(), m.k.Admin, id, engine.Condition{}, engine.Completion{Note: "done"})
	m.settled(id, o, r, err, func(want *engine.Obligation) bool {
		if !want.CompletedAt.IsZero() {
			return false
		}
		want.CompletedAt, want.CompletedBy, want.Note = o.CompletedAt, m.k.Admin.UserID, "done"
		return true
	})
	// What recurs is the only other one there may be now.
	for _, found := range obligations(m.k, engine.ObligationQuery{}) {
		if _, known := m.holds[found.ID]; !known {
			if found.Recurrence == "" || found.Recurrence != o.Recurrence || !found.CreatedAt.Equal(o.CompletedAt) || found.Revision != 1 {
				m.t.Fatalf("after %+v there is %+v", o, found)
			}
			m.holds[found.ID] = plain(found)
		}
	}
}

func (m *obligationModel) reopen() {
	id := m.any()
	o, r, err := m.k.ReopenObligation(m.t.Context(), m.k.Admin, id, engine.Condition{})
	m.settled(id, o, r, err, func(o *engine.Obligation) bool {
		was := *o
		o.CompletedAt, o.CompletedBy, o.Note = time.Time{}, "", ""
		return *o != was
	})
}

func (m *obligationModel) remove() {
	id := m.any()
	_, _, err := m.k.DeleteObligation(m.t.Context(), m.k.Admin, id, engine.Condition{})
	if _, ok := m.holds[id]; ok != (err == nil) || !ok && !errors.Is(err, engine.ErrObligationNotFound) {
		m.t.Fatalf("delete %s: %v", id, err)
	}
	delete(m.holds, id)
}

func (m *obligationModel) sweep() {
	_, err := m.k.Sweep(m.t.Context())
	must(m.t, err)
	before := m.k.Head()
	_, err = m.k.Sweep(m.t.Context())
	must(m.t, err)
	if m.k.Head() != before {
		m.t.Fatal("a second sweep wrote something")
	}
}

func (m *obligationModel) zone() {
	inZone(m.k, pickOne(m.random, "UTC", "Asia/Tokyo", "America/New_York"), pickOne(m.random, []uint64{30, 7, 1}, []uint64{14}, nil)...)
}

func (m *obligationModel) document() {
	docs := slices.Sorted(maps.Keys(m.docs))
	gone := pickOne(m.random, docs...)
	_, _, err := m.k.DeleteDocument(m.t.Context(), m.k.Admin, gone, engine.Condition{})
	must(m.t, err)
	delete(m.docs, gone)
	maps.DeleteFunc(m.holds, func(_ string, o engine.Obligation) bool { return o.DocumentID == gone })
	m.docs[m.k.Create("Lease", "x").ID] = true
}

// compare holds all lists, and the summary, against the map.
func (m *obligationModel) compare() {
	m.t.Helper()
	var counts engine.ObligationCounts
	all := obligations(m.k, engine.ObligationQuery{Paging: engine.Paging{Limit: 7}})
	for _, o := range all {
		if plain(o) != m.holds[o.ID] {
			m.t.Fatalf("got %+v, want %+v", o, m.holds[o.ID])
		}
		switch o.Status {
		case engine.ObligationPending:
			counts.Pending++
		case engine.ObligationOverdue:
			counts.Overdue++
		default:
			counts.Completed++
		}
	}
	if len(all) != len(m.holds) {
		m.t.Fatalf("there are %d, want %d", len(all), len(m.holds))
	}
	s, err := m.k.ObligationSummary(m.t.Context())
	must(m.t, err)
	if s.ByStatus != counts || s.Partial || len(s.ByOwner) > 1 || len(s.ByOwner) == 1 && s.ByOwner[0].ObligationCounts != counts || len(s.Next) != int(min(counts.Pending, 10)) {
		m.t.Fatalf("got %+v, want %+v", s, counts)
	}
}
