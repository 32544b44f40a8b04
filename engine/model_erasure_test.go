package engine_test

import (
	"errors"
	"slices"

	"strongroom/engine"
)

// requestErasure asks for the erasure of some documents, and now and then the
// vault is swept: then those that are not held are gone, and nothing else is.
func (m *model) requestErasure() {
	a, n := pick(m, m.actors...), engine.NewErasure{LegalBasis: "Art. 17", Requester: pick(m, "case 1", "case 2", " ")}
	for range 1 + m.random.IntN(3) {
		n.DocumentIDs = append(n.DocumentIDs, m.anyID())
	}
	var want error
	switch {
	case n.Requester == " ": // before anything is asked
		want = engine.ErrInvalid
	case a.Access < engine.AccessAdmin:
		want = engine.ErrLacksPermission
	case slices.ContainsFunc(n.DocumentIDs, func(id string) bool { _, ok := m.documents[canonical(id)]; return !ok }):
		want = engine.ErrInvalid
	}
	e, r, err := m.k.RequestErasure(m.ctx(), a, n)
	m.answered("request an erasure", err, want)
	if err == nil {
		if r.Seq != m.k.Head().Seq || e.RequestedBy != a.UserID || int(e.Total) != len(e.Documents) {
			m.t.Fatalf("call %d: %+v, %v", m.n, e, r)
		}
		for _, d := range e.Documents {
			m.erasing[d.DocumentID] = append(m.erasing[d.DocumentID], e.ID)
		}
	}
	if m.random.IntN(2) == 0 {
		m.sweep()
	}
}

func (m *model) sweep() {
	runNow(m.k)
	for id, erasures := range m.erasing {
		was := m.documents[id]
		for _, w := range m.walks {
			w.touched[id] = true
		}
		page, err := m.k.Entries(m.ctx(), engine.EntryQuery{DocumentID: id, After: was.AuditSeq, Limit: 500})
		must(m.t, err)
		if n := len(page.Items); n > 0 {
			was.AuditSeq = page.Items[n-1].Seq
		}
		m.documents[id] = was
		if m.bears(id, "*") > 0 {
			m.heldOnly(id)
			continue
		}
		delete(m.erasing, id)
		_, err = m.k.Document(m.ctx(), id)
		gone, ok := errors.AsType[*engine.DeletedError](err)
		if !ok {
			m.t.Fatalf("call %d: to be erased, and there: %v", m.n, err)
		}
		for _, e := range page.Items {
			if e.Detail != nil {
				m.t.Fatalf("call %d: erased, and entry %d has a detail", m.n, e.Seq)
			}
		}
		if was.Status == engine.StatusDeleted {
			was.Name = "" // which its tombstone had until then
			m.documents[id] = was
			continue
		}
		if c := gone.Certificate; c.Right != "erasure" || !slices.Contains(erasures, c.ErasureID) {
			m.t.Fatalf("call %d: %+v", m.n, c)
		}
		delete(m.texts, id)
		m.documents[id] = engine.Document{
			ID: id, VersionCount: was.VersionCount, Revision: was.Revision + 1, CreatedAt: was.CreatedAt, CreatedBy: was.CreatedBy,
			UpdatedAt: gone.Certificate.DeletedAt, UpdatedBy: engine.System().UserID, Status: engine.StatusDeleted, AuditSeq: was.AuditSeq,
		}
	}
}
