package engine

import (
	"bytes"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
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
	if len(said.Holds) > 0 {
		c.counting.Lock()
		defer c.counting.Unlock()
		c.matters.Add(said, c.e.Head.Seq)
	}
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

// holds finds those that are of no document, and that the index lacks. That each
// hold is in the log of its document is seen by its row.
func (c *checker) holds() error {
	return c.eachOwner(bucketHolds, func(c *checker, t *tx, at id, value []byte) {
		h, err := decodeHold(at, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return
		}
		doc, _ := store.ParseID(h.DocumentID)
		if _, _, err := t.glimpse(doc); err != nil {
			c.find(0, CodeState, "hold %s is of document %s, which was never there", h.ID, h.DocumentID)
		}
		c.expect(at, bucketHoldRows, holdRows(h))
	}, func(c *checker, t *tx, at id, value []byte) {
		if h, err := decodeHold(at, value); err == nil {
			c.lacks(t, 0, "hold "+h.ID, bucketHoldRows, holdRows(h))
		}
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

// compareObligations tells where the obligations of a document are not what its
// entries say.
func (c *checker) compareObligations(t *tx, d *document, said *replay.Document) {
	for _, key := range t.obligationsOf(d.id) {
		if said.Obligations[key.String()] == nil {
			c.find(d.AuditSeq, CodeState, "obligation %s of %s is not in the log", key, d)
		}
	}
	for _, key := range sortedKeys(said.Obligations) {
		what := fmt.Sprintf("obligation %s of %s", key, d)
		if o, err := t.obligation(key); err != nil {
			c.find(d.AuditSeq, CodeState, "%s of the log cannot be read: %v", what, err)
		} else {
			c.differ(0, what, o.record(), *said.Obligations[key])
		}
	}
}

func (o *obligation) record() replay.Thing {
	facts := replay.Members{
		"the document":                 replay.Text(o.DocumentID),
		"the due date":                 replay.Text(o.DueDate.String()),
		"the owner":                    replay.Text(o.OwnerID),
		"the recurrence":               replay.Text(o.Recurrence),
		"the anchor of its recurrence": replay.Text(o.anchor.String()),
		"the next one":                 replay.Text(o.next),
		"completed at":                 replay.Time(o.CompletedAt),
		"completed by":                 replay.Text(o.CompletedBy),
		"the evidence":                 replay.Text(o.Evidence.value().DocumentID),
		"its version":                  replay.Number(o.Evidence.value().Version),
		"created at":                   replay.Time(o.CreatedAt),
		"updated at":                   replay.Time(o.UpdatedAt),
		"the revision":                 replay.Number(o.Revision),
	}
	if o.reminded != notReminded {
		facts["the last reminder"] = replay.Reminder(o.reminded)
	}
	return replay.Thing{Facts: facts, Texts: replay.Members{
		"the title":       replay.Text(o.Title),
		"the description": replay.Text(o.Description),
		"the note":        replay.Text(o.Note),
	}}
}

// obligations finds those that are of no document, and that the index lacks.
func (c *checker) obligations() error {
	return c.eachOwner(bucketObligations, func(c *checker, t *tx, at id, value []byte) {
		o, err := decodeObligation(at, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return
		}
		doc, _ := store.ParseID(o.DocumentID)
		if deleted, _, err := t.glimpse(doc); err != nil || deleted {
			c.find(0, CodeState, "obligation %s is of document %s, which is not there", o.ID, o.DocumentID)
		}
		c.expect(at, bucketDues, dueRows(o))
	}, func(c *checker, t *tx, at id, value []byte) {
		if o, err := decodeObligation(at, value); err == nil {
			c.lacks(t, 0, "obligation "+o.ID, bucketDues, dueRows(o))
		}
	})
}

// record is what the log tells of an erasure when it is asked for; how far it
// has come, its documents tell.
func (e *erasure) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"the number of documents": replay.Number(e.Total),
			"the user":                replay.Text(e.UserID),
			"asked for at":            replay.Time(e.RequestedAt),
			"asked for by":            replay.Text(e.RequestedBy),
			"its entry":               replay.Number(e.seq),
			"its last completion":     replay.Number(e.last),
		},
		Texts: replay.Members{
			"the legal basis": replay.Text(e.LegalBasis),
			"the requester":   replay.Text(e.Requester),
		},
	}
}

// compareErasures tells where a document's erasures are not what its entries
// say, and what an erasure left that is completed.
func (c *checker) compareErasures(t *tx, d *document, said *replay.Document) {
	for _, erasureID := range sortedKeys(said.Erasures) {
		completed := said.Erasures[erasureID]
		of, _ := store.ParseID(erasureID)
		row := t.Get(bucketErased, erasureKey(of, d.id))
		if (row == nil) != (c.said.Left(erasureID, d.ID) != replay.Left{}) || row != nil && !bytes.Equal(row, erasedRow(completed)) {
			c.find(completed, CodeState, "%s: whether erasure %s is done there, and by which entry, is not what the log says", d, erasureID)
		}
		if row != nil && said.Told != 0 {
			c.find(said.Told, CodeState, "%s was erased, and the detail of entry %d is there", d, said.Told)
		}
	}
}

// addsUp compares what an erasure counts with its documents, and those with what
// it was asked for.
func (c *checker) addsUp(t *tx, e *erasure) {
	var completed, deferred, running uint64
	for range t.subjects(bucketErased, e.id) {
		completed++
	}
	for _, row := range t.subjects(bucketErasing, e.id) {
		if left, err := decodeErasing(row); err == nil && left.deferred != 0 {
			deferred++
		} else {
			running++
		}
	}
	if boundBy(digestOfSubjects(t.allSubjects(e.id))) != replay.Text(c.said.Subjects(e.ID)) {
		c.find(e.seq, CodeState, "erasure %s: what it is to erase is not what was asked for", e.ID)
	}
	counted, rows := replay.Members{}, replay.Members{}
	if e.UserID != "" {
		counted["completed"], rows["completed"] = replay.Flag(e.userErased), replay.Flag(completed == 1)
		counted["what is left"], rows["what is left"] = replay.Number(e.left()), replay.Number(running)
		counted["completed documents"], counted["deferred"] = replay.Number(e.Completed), replay.Number(e.Deferred)
	} else {
		counted["completed"], rows["completed"] = replay.Number(e.Completed), replay.Number(completed)
		counted["deferred"], rows["deferred"] = replay.Number(e.Deferred), replay.Number(deferred)
		counted["documents"], rows["documents"] = replay.Number(e.Total), replay.Number(completed+deferred+running)
		counted["a user"] = replay.Flag(e.userErased)
	}
	c.differ(0, "erasure "+e.ID, replay.Thing{Facts: counted}, replay.Thing{Facts: rows})
}

// erasures compares the rows of every document, or user, of an erasure with the
// entries that tell how far it has come.
func (c *checker) erasures() error {
	for _, bucket := range [][]byte{bucketErasing, bucketErased} {
		err := c.eachOf(span{}, (*checker).viewFollowed, bucket, CodeState, 2*len(id{}), func(t *tx, k, value []byte) error {
			of, subject := id(k), id(k[len(id{}):])
			e, err := t.erasure(of.String())
			switch {
			case err != nil:
				c.find(0, CodeState, "what is to be erased of %s belongs to no erasure", subject)
			case bytes.Equal(bucket, bucketErased):
				c.erasedRow(t, e, subject, value)
			default:
				left, err := decodeErasing(value)
				if err != nil || c.said.Left(e.ID, subject.String()) != (replay.Left{Deferred: left.deferred, Resume: left.next}) {
					c.find(0, CodeState, "how far erasure %s of %s has come is not what the log says", e.ID, subject)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erasedRow checks that a row which says that a document, or a user, was erased
// names the last entry about that.
func (c *checker) erasedRow(t *tx, e *erasure, subject id, value []byte) {
	var seq uint64
	if len(value) == 8 {
		seq = store.SeqOf(value)
	}
	entry, err := t.entry(seq)
	erasure, _ := entry.Facts["erasure"].AsText()
	user, _ := entry.Facts["user"].AsText()
	switch {
	case err != nil || entry.Op != audit.OpErasureCompleted || erasure != e.ID || user != e.UserID,
		user == "" && entry.Document != subject.String(), user != "" && seq != e.last:
		c.find(seq, CodeState, "that erasure %s of %s is done names an entry that does not say so", e.ID, subject)
	}
}
