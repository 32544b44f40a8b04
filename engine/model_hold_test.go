package engine_test

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"strongroom/engine"
)

var modelMatters = []string{"Acme ./. Bolt", "acme ./. bolt", "tax 2025"}

// bears counts the active holds of a document, of one matter or for "*" of all.
func (m *model) bears(documentID, matter string) (n uint64) {
	for _, h := range m.holds {
		if h.DocumentID == documentID && h.Status == engine.HoldActive && (matter == "*" || h.Matter == matter) {
			n++
		}
	}
	return n
}

// settle derives what a document shows of its holds and its state.
func (m *model) settle(d engine.Document) engine.Document {
	d.HoldCount = m.bears(d.ID, "*")
	switch {
	case d.HoldCount > 0:
		d.Status = engine.StatusLegalHold
	case d.Archived:
		d.Status = engine.StatusArchived
	default:
		d.Status = engine.StatusActive
	}
	return d
}

// held notes a hold that was placed or released by the entry seq.
func (m *model) held(h engine.Hold, seq uint64) {
	h.Revision = 0
	m.holds[h.ID] = h
	d := m.settle(m.documents[h.DocumentID])
	d.AuditSeq = seq
	m.documents[d.ID] = d
	for _, w := range m.walks {
		w.touched[d.ID] = true
	}
}

// heldOnly compares a document after something was done about its holds, which
// changes nothing else of it.
func (m *model) heldOnly(documentID string) {
	m.t.Helper()
	want := m.documents[documentID]
	if want.Status == engine.StatusDeleted {
		return
	}
	got, err := m.k.Document(m.ctx(), documentID)
	if must(m.t, err); !equal(got, want) {
		m.t.Fatalf("call %d:\ngot  %+v\nwant %+v", m.n, got, want)
	}
}

func (m *model) placeHold() {
	a, id, d, cond, want := m.subject(engine.AccessAdmin)
	n := engine.NewHold{Reason: pick(m, "litigation", " audit\tof 2025\n", "", " \n"), Matter: pick(m, append(modelMatters, "", " tax 2025 ")...)}
	if strings.TrimSpace(n.Reason) == "" {
		want = engine.ErrInvalid // before anything is asked
	}
	h, r, err := m.k.PlaceHold(m.ctx(), a, id, engine.Condition{IfMatch: cond.IfMatch}, n)
	m.answered("place hold", err, want)
	if err != nil {
		return
	}
	is := m.newHold(h.ID, d, n, a)
	if h != is || r.Seq != m.k.Head().Seq {
		m.t.Fatalf("call %d: got %+v, want %+v", m.n, h, is)
	}
	m.held(h, r.Seq)
	m.heldOnly(d.ID)
}

func (m *model) newHold(id string, d engine.Document, n engine.NewHold, a engine.Actor) engine.Hold {
	return engine.Hold{
		ID: id, DocumentID: d.ID, Reason: strings.TrimSpace(n.Reason), Matter: strings.TrimSpace(n.Matter), Status: engine.HoldActive,
		PlacedAt: m.k.Head().Time, PlacedBy: a.UserID, Revision: d.Revision,
	}
}

// anyHold is the id of a hold, mostly of one that is there.
func (m *model) anyHold() string {
	ids := slices.Sorted(maps.Keys(m.holds))
	if len(ids) == 0 || m.random.IntN(20) == 0 {
		return pick(m, engine.NewID(), "x")
	}
	id := pick(m, ids...)
	return pick(m, id, id, strings.ToLower(id), uuid(id))
}

func (m *model) releaseHold() {
	a, id := pick(m, m.actors...), m.anyHold()
	h, ok := m.holds[canonical(id)]
	d := m.documents[h.DocumentID]
	var match engine.Match
	if m.random.IntN(4) == 0 {
		match = engine.Match{d.Revision + uint64(m.random.IntN(2))}
	}
	var want error
	switch {
	case a.Access < engine.AccessAdmin:
		want = engine.ErrLacksPermission
	case !ok:
		want = engine.ErrHoldNotFound
	case match != nil && match[0] != d.Revision:
		want = engine.ErrPrecondition
	}
	reason := pick(m, "", "settled", " over ")
	got, r, err := m.k.ReleaseHold(m.ctx(), a, id, engine.Condition{IfMatch: match}, reason)
	m.answered("release hold", err, want)
	if err != nil {
		return
	}
	is := m.releasedHold(h, a, reason)
	if is.Revision = d.Revision; got != is || (r.Seq != 0) != (h.Status == engine.HoldActive) {
		m.t.Fatalf("call %d: got %+v %+v, want %+v", m.n, got, r, is)
	}
	if r.Seq != 0 {
		m.held(got, r.Seq)
	}
	m.heldOnly(d.ID)
}

// releasedHold is a hold after its release, now or before.
func (m *model) releasedHold(h engine.Hold, a engine.Actor, reason string) engine.Hold {
	if h.Status == engine.HoldActive {
		h.Status, h.ReleasedAt, h.ReleasedBy, h.ReleaseReason = engine.HoldReleased, m.k.Head().Time, a.UserID, strings.TrimSpace(reason)
	}
	return h
}

// bulkHolds places and releases some at once, one of them perhaps twice.
func (m *model) bulkHolds() {
	a, n := pick(m, m.actors...), engine.NewHold{Reason: "litigation", Matter: pick(m, modelMatters...)}
	var ids []string
	for range m.random.IntN(8) {
		ids = append(ids, m.anyID())
	}
	seq := m.k.Head().Seq
	outcomes, err := m.k.PlaceHolds(m.ctx(), a, ids, n, false)
	must(m.t, err)
	for i, out := range outcomes {
		d, ok := m.documents[canonical(ids[i])]
		var want error
		switch {
		case a.Access < engine.AccessAdmin:
			want = engine.ErrLacksPermission
		case !ok:
			want = engine.ErrDocumentNotFound
		case d.Status == engine.StatusDeleted:
			want = engine.ErrDocumentDeleted
		}
		m.answered("place holds", out.Err, want)
		changed := want == nil && m.bears(d.ID, n.Matter) == 0
		if out.Changed != changed || want == nil && (out.DocumentID != d.ID || out.Revision != d.Revision) {
			m.t.Fatalf("call %d: %+v", m.n, out)
		}
		if h := m.holds[out.HoldID]; want == nil && !changed && (h.DocumentID != d.ID || h.Matter != n.Matter || h.Status != engine.HoldActive) {
			m.t.Fatalf("call %d: %+v is unchanged by hold %+v", m.n, out, h)
		}
		if changed {
			seq++
			m.held(m.newHold(out.HoldID, d, n, a), seq)
		}
	}
	m.eachHeldOnly(outcomes)
	m.bulkReleases()
}

func (m *model) bulkReleases() {
	a := pick(m, m.actors...)
	var ids []string
	for range m.random.IntN(6) {
		ids = append(ids, m.anyHold())
	}
	seq := m.k.Head().Seq
	outcomes, err := m.k.ReleaseHolds(m.ctx(), a, ids, "settled", false)
	must(m.t, err)
	for i, out := range outcomes {
		h, ok := m.holds[canonical(ids[i])]
		var want error
		switch {
		case a.Access < engine.AccessAdmin:
			want = engine.ErrLacksPermission
		case !ok:
			want = engine.ErrHoldNotFound
		}
		m.answered("release holds", out.Err, want)
		if out.Changed != (want == nil && h.Status == engine.HoldActive) || want == nil && (out.HoldID != h.ID || out.DocumentID != h.DocumentID) {
			m.t.Fatalf("call %d: %+v", m.n, out)
		}
		if out.Changed {
			seq++
			m.held(m.releasedHold(h, a, "settled"), seq)
		}
	}
	m.eachHeldOnly(outcomes)
}

func (m *model) eachHeldOnly(outcomes []engine.HoldOutcome) {
	m.t.Helper()
	for _, out := range outcomes {
		if out.Err == nil {
			m.heldOnly(out.DocumentID)
		}
	}
}

// allHolds compares every list of holds, and the matters, with a scan.
func (m *model) allHolds() {
	m.t.Helper()
	in := func(belongs func(engine.Hold) bool) (list []engine.Hold) {
		for _, h := range m.holds {
			if belongs(h) {
				list = append(list, h)
			}
		}
		slices.SortFunc(list, func(a, b engine.Hold) int { return cmp.Compare(b.ID, a.ID) })
		return list
	}
	for _, status := range []engine.HoldStatus{"", "active", "released"} {
		for _, matter := range append(modelMatters, "", "none") {
			q := engine.HoldQuery{Status: status, Matter: matter}
			compareHolds(m, in(func(h engine.Hold) bool {
				return (status == "" || h.Status == status) && (matter == "" || h.Matter == matter)
			}), func(ctx context.Context, p engine.Paging) (engine.Page[engine.Hold], error) {
				q.Paging = p
				return m.k.Holds(ctx, q)
			})
		}
		for id, d := range m.documents {
			if d.Status == engine.StatusDeleted {
				continue
			}
			compareHolds(m, in(func(h engine.Hold) bool {
				return (status == "" || h.Status == status) && h.DocumentID == id
			}), func(ctx context.Context, p engine.Paging) (engine.Page[engine.Hold], error) {
				return m.k.DocumentHolds(ctx, id, status, p)
			})
		}
	}
	compareHolds(m, m.matters(), m.k.Matters)
}

func compareHolds[T any](m *model, want []T, list func(context.Context, engine.Paging) (engine.Page[T], error)) {
	m.t.Helper()
	var got []T
	for p := (engine.Paging{Limit: 1 + m.random.IntN(9)}); ; {
		page, err := list(m.ctx(), p)
		must(m.t, err)
		got = append(got, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			break
		}
	}
	if !reflect.DeepEqual(got, want) {
		m.t.Fatalf("call %d:\ngot  %+v\nwant %+v", m.n, got, want)
	}
}

// matters adds up the holds.
func (m *model) matters() (list []engine.Matter) {
	for _, name := range slices.Sorted(slices.Values(modelMatters)) {
		is, documents := engine.Matter{Name: name}, map[string]bool{}
		for _, h := range m.holds {
			if h.Matter != name {
				continue
			}
			documents[h.DocumentID] = true
			if is.FirstPlacedAt.IsZero() || h.PlacedAt.Before(is.FirstPlacedAt) {
				is.FirstPlacedAt = h.PlacedAt
			}
			if h.Status == engine.HoldActive {
				is.Active++
				continue
			}
			is.Released++
			if h.ReleasedAt.After(is.LastReleasedAt) {
				is.LastReleasedAt = h.ReleasedAt
			}
		}
		if is.Documents = uint64(len(documents)); is.Documents > 0 {
			list = append(list, is)
		}
	}
	return list
}
