package engine

import (
	"bytes"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

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
		was := said.Erasures[erasureID]
		of, _ := store.ParseID(erasureID)
		key := erasureKey(of, d.id)
		if row := t.Get(bucketErased, key); row != nil {
			if !bytes.Equal(row, erasedRow(was.Completed)) {
				c.find(was.Completed, CodeState, "%s: erasure %s does not know the entry that completed it", d, erasureID)
			}
			if said.Told != 0 {
				c.find(said.Told, CodeState, "%s was erased, and the detail of entry %d is there", d, said.Told)
			}
			continue
		}
		left, err := decodeErasing(t.Get(bucketErasing, key))
		if err != nil || left.deferred != was.Deferred {
			c.find(d.AuditSeq, CodeState, "%s: how far erasure %s has come is not what the log says", d, erasureID)
		}
	}
}

// addsUp compares what an erasure counts with its documents.
func (c *checker) addsUp(t *tx, e *erasure) {
	if last, err := t.entry(e.last); e.last != 0 && (err != nil || last.Op != audit.OpErasureCompleted) {
		c.find(e.last, CodeState, "erasure %s names an entry that completes nothing", e.ID)
	}
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
	counted, rows := replay.Members{}, replay.Members{}
	if e.UserID != "" {
		counted["completed"], rows["completed"] = replay.Flag(e.userErased), replay.Flag(completed == 1)
		counted["what is left"], rows["what is left"] = replay.Number(e.left()), replay.Number(running)
	} else {
		counted["completed"], rows["completed"] = replay.Number(e.Completed), replay.Number(completed)
		counted["deferred"], rows["deferred"] = replay.Number(e.Deferred), replay.Number(deferred)
		counted["documents"], rows["documents"] = replay.Number(e.Total), replay.Number(completed+deferred+running)
	}
	c.differ(0, "erasure "+e.ID, replay.Thing{Facts: counted}, replay.Thing{Facts: rows})
}

// erasures compares the rows of every document, or user, of an erasure with the
// entries they name.
func (c *checker) erasures() error {
	for _, bucket := range [][]byte{bucketErasing, bucketErased} {
		err := c.each(bucket, CodeState, 2*len(id{}), func(t *tx, k, value []byte) error {
			return c.erasureRow(t, id(k), id(k[len(id{}):]), value, bytes.Equal(bucket, bucketErased))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erasureRow checks that a row is of an erasure, and that one which says that a
// document was deferred, or erased, names the entry about that.
func (c *checker) erasureRow(t *tx, of, subject id, value []byte, completed bool) error {
	e, err := t.erasure(of.String())
	if err != nil {
		c.find(0, CodeState, "what is to be erased of %s belongs to no erasure", subject)
		return nil
	}
	op, seq := audit.OpErasureCompleted, uint64(0)
	if left, err := decodeErasing(value); !completed && err == nil {
		if op, seq = audit.OpErasureDeferred, left.deferred; seq == 0 {
			return nil
		}
	} else if completed && len(value) == 8 {
		seq = store.SeqOf(value)
	}
	entry, err := t.entry(seq)
	erasure, _ := entry.Facts["erasure"].AsText()
	user, _ := entry.Facts["user"].AsText()
	if err != nil || entry.Op != op || erasure != e.ID || user != e.UserID || user == "" && entry.Document != subject.String() {
		c.find(seq, CodeState, "how far erasure %s of %s has come names an entry that does not say so", e.ID, subject)
	}
	return nil
}
