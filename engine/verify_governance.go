package engine

import (
	"fmt"

	"strongroom/engine/internal/replay"
)

// compareHolds tells where the holds of a document are not what its entries say,
// and adds those up that were placed and released up to the head.
func (c *checker) compareHolds(t *tx, d *document, said *replay.Document) {
	for _, key := range t.holdsOf(d.id) {
		if said.Holds[key.String()] == nil {
			c.find(d.AuditSeq, CodeState, "hold %s of %s is not in the log", key, d)
		}
	}
	for _, key := range sortedKeys(said.Holds) {
		what, was := fmt.Sprintf("hold %s of %s", key, d), said.Holds[key]
		if h, err := t.hold(key); err != nil {
			c.find(was.Placed, CodeState, "%s cannot be read: %v", what, err)
		} else {
			c.differ(0, what, h.record(), was.Thing)
		}
	}
	c.matters.Add(said, c.e.Head.Seq)
}

func (h *hold) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"the document":              replay.Text(h.DocumentID),
		"the reason":                replay.Text(h.Reason),
		"the matter":                replay.Text(h.Matter),
		"the status":                replay.Text(h.Status),
		"placed at":                 replay.Time(h.PlacedAt),
		"placed by":                 replay.Text(h.PlacedBy),
		"released at":               replay.Time(h.ReleasedAt),
		"released by":               replay.Text(h.ReleasedBy),
		"the reason of the release": replay.Text(h.ReleaseReason),
	}}
}

// borne spells what a document's record counts, row by row.
func borne(holds []matterHolds) replay.Value {
	var each []string
	for _, h := range holds {
		each = append(each, fmt.Sprintf("%d %s", h.active, h.matter))
	}
	return replay.List(each)
}

// holds finds those that the index lacks. That each hold is of a document, and in
// its log, is seen by its row.
func (c *checker) holds() error {
	return c.each(bucketHolds, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		h, err := decodeHold(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if _, err := t.document(h.DocumentID); err != nil {
			c.find(0, CodeState, "hold %s is of document %s, which was never there", h.ID, h.DocumentID)
		}
		c.lacks(t, 0, "hold "+h.ID, bucketHoldRows, holdRows(h))
		return nil
	})
}

// compareMatters compares what is kept of each matter with what its holds add up
// to, unless it has moved on since the verification began.
func (c *checker) compareMatters() error {
	err := c.each(bucketMatters, CodeState, 0, func(t *tx, k, value []byte) error {
		m, err := decodeMatter(k, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		said := c.matters[m.Name]
		delete(c.matters, m.Name)
		switch {
		case m.seq > c.e.Head.Seq && t.changesMatter(m):
		case said == nil:
			c.find(0, CodeState, "no hold was placed for the matter %q", m.Name)
		default:
			c.differ(m.seq, fmt.Sprintf("the matter %q", m.Name), m.record(), said.Thing())
		}
		return nil
	})
	for _, name := range sortedKeys(c.matters) {
		c.find(0, CodeState, "holds were placed for the matter %q, and nothing is kept of it", name)
	}
	return err
}

func (m *matter) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"active":           replay.Number(m.Active),
		"released":         replay.Number(m.Released),
		"documents":        replay.Number(m.Documents),
		"first placed at":  replay.Time(m.FirstPlacedAt),
		"last released at": replay.Time(m.LastReleasedAt),
		"its last entry":   replay.Number(m.seq),
	}}
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
