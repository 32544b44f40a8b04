package engine

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
)

// saidHold is a hold as the entries tell it. Their details are kept, whatever
// else is erased, so all of it is known.
type saidHold struct {
	Hold
	placed, released uint64 // the entries; 0: it was not released
}

// hold takes an entry about a hold of the document into account.
func (h *history) hold(e audit.Entry, told detail) error {
	key, _ := e.Facts["hold"].AsText()
	s := h.holds[key]
	switch {
	case e.Op == audit.OpHoldPlaced && s == nil:
		h.holds[key] = &saidHold{placed: e.Seq, Hold: Hold{
			ID: key, DocumentID: e.Document, Reason: told.text("reason"), Matter: told.text("matter"), Status: HoldActive,
			PlacedAt: e.Time, PlacedBy: e.Actor,
		}}
	case e.Op == audit.OpHoldReleased && s != nil && s.released == 0:
		s.released, s.Status = e.Seq, HoldReleased
		s.ReleasedAt, s.ReleasedBy, s.ReleaseReason = e.Time, e.Actor, told.text("reason")
	default:
		return fmt.Errorf("hold %s cannot be %s then", key, e.Op)
	}
	return nil
}

// unheld says that no hold stood in the way of an entry.
func (h *history) unheld() error {
	for _, key := range sortedKeys(h.holds) {
		if h.holds[key].released == 0 {
			return fmt.Errorf("hold %s was active then", key)
		}
	}
	return nil
}

// borne is what the document's record must count.
func (h *history) borne() []matterHolds {
	var d document
	for _, key := range sortedKeys(h.holds) {
		d.bear(h.holds[key].Matter)
		if h.holds[key].released != 0 {
			d.shed(h.holds[key].Matter) // it bears it, so this cannot fail
		}
	}
	return d.holds
}

// compareHolds tells where the holds of a document are not what its entries say,
// and adds those up that were placed and released up to the head.
func (c *checker) compareHolds(t *tx, d *document, h *history) {
	if !d.deleted && !slices.Equal(d.holds, h.borne()) {
		c.find(d.AuditSeq, CodeState, "%s counts %d active holds by matter other than the log does", d, d.HoldCount)
	}
	for _, key := range t.holdsOf(d.id) {
		if h.holds[key.String()] == nil {
			c.find(d.AuditSeq, CodeState, "hold %s of %s is not in the log", key, d)
		}
	}
	for _, key := range sortedKeys(h.holds) {
		said, what := h.holds[key], "hold "+key+" of "+d.String()
		is, err := t.hold(key)
		if err != nil {
			c.find(said.placed, CodeState, "%s cannot be read: %v", what, err)
			continue
		}
		c.differ(what, member{"the document", is.DocumentID, said.DocumentID}, member{"the reason", is.Reason, said.Reason},
			member{"the matter", is.Matter, said.Matter}, member{"the status", is.Status, said.Status},
			member{"placed at", is.PlacedAt, said.PlacedAt}, member{"placed by", is.PlacedBy, said.PlacedBy},
			member{"released at", is.ReleasedAt, said.ReleasedAt}, member{"released by", is.ReleasedBy, said.ReleasedBy},
			member{"the reason of the release", is.ReleaseReason, said.ReleaseReason})
	}
	c.addUp(h)
}

func (c *checker) addUp(h *history) {
	seen := map[string]bool{} // matters of this document
	for _, said := range h.holds {
		if said.Matter == "" || said.placed > c.e.Head.Seq {
			continue
		}
		m := c.matters[said.Matter]
		if m == nil {
			m = &matter{Matter: Matter{Name: said.Matter, FirstPlacedAt: said.PlacedAt}}
			c.matters[said.Matter] = m
		}
		m.placed(said.PlacedAt, !seen[said.Matter])
		seen[said.Matter] = true
		m.FirstPlacedAt = earlier(m.FirstPlacedAt, said.PlacedAt) // documents do not come in the order of the log
		m.seq = max(m.seq, said.placed)
		if said.released != 0 && said.released <= c.e.Head.Seq {
			last := m.LastReleasedAt
			m.released(said.ReleasedAt)
			if last.After(said.ReleasedAt) {
				m.LastReleasedAt = last
			}
			m.seq = max(m.seq, said.released)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// holds finds those that the index lacks, rows of the index that no hold has, and
// matters that do not add up. That each hold is of a document, and in its log, is
// seen by its row.
func (c *checker) holds() error {
	err := c.each(bucketHolds, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		h, err := decodeHold(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if _, err := t.document(h.DocumentID); err != nil {
			c.find(0, CodeState, "hold %s is of document %s, which was never there", h.ID, h.DocumentID)
		}
		for _, row := range holdRows(h) {
			if t.get(bucketHoldRows, row) == nil {
				c.find(0, CodeIndex, "hold %s lacks the index row %q", h.ID, row)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.rows(bucketHoldRows, 0, func(t *tx, k []byte) error {
		var h *hold
		var err error = errDamaged
		if len(k) > len(id{}) {
			h, err = t.hold(id(k[len(k)-len(id{}):]).String())
		}
		if err != nil || !containsRow(holdRows(h), k) {
			c.find(0, CodeIndex, "the index row %q is of no hold", bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.compareMatters()
}

// compareMatters compares what is kept of each matter with what its holds add up
// to, unless it has moved on since the verification began.
func (c *checker) compareMatters() error {
	err := c.each(bucketMatters, CodeState, 0, func(t *tx, k, value []byte) error {
		is, err := decodeMatter(k, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		said := c.matters[is.Name]
		delete(c.matters, is.Name)
		switch {
		case is.seq > c.e.Head.Seq && t.changesMatter(is):
		case said == nil:
			c.find(0, CodeState, "no hold was placed for the matter %q", is.Name)
		case *is != *said:
			c.find(is.seq, CodeState, "the matter %q has %d active and %d released holds of %d documents, the log says %d, %d and %d; or their times differ",
				is.Name, is.Active, is.Released, is.Documents, said.Active, said.Released, said.Documents)
		}
		return nil
	})
	for _, name := range sortedKeys(c.matters) {
		c.find(0, CodeState, "holds were placed for the matter %q, and nothing is kept of it", name)
	}
	return err
}

// changesMatter says whether the entry a matter names is about a hold of it.
func (t *tx) changesMatter(m *matter) bool {
	e, err := t.entry(m.seq)
	if err != nil {
		return false
	}
	key, _ := e.Facts["hold"].AsText()
	h, err := t.hold(key)
	return err == nil && h.Matter == m.Name
}
