package engine

import (
	"strongroom/audit"
)

// saidErasing is what the entries about a document say of one erasure: the seqs
// of its deferral and of its last completion.
type saidErasing struct{ deferred, completed uint64 }

// erasing takes an entry about an erasure of the document into account.
func (h *history) erasing(e audit.Entry) {
	erasure, _ := e.Facts["erasure"].AsText()
	said := h.erasures[erasure]
	switch e.Op {
	case audit.OpErasureDeferred:
		said.deferred = e.Seq
	case audit.OpErasureCompleted:
		said.completed = e.Seq
	default:
		return
	}
	h.erasures[erasure] = said
}

// erase forgets what the entries before said of a user, as the vault did.
func (a *accounts) erase(u *saidUser, e audit.Entry) {
	u.Name, u.Email, u.erased = ErasedUserName, "", false
	u.UpdatedAt = e.Time
	u.Revision++
	for _, k := range a.keys {
		if k.UserID == u.ID {
			k.Name, k.erased = ErasedKeyName, false
		}
	}
}

// compareErasures tells where a document's erasures are not what its entries
// say, and what an erasure left that is completed.
func (c *checker) compareErasures(t *tx, d *document, h *history) {
	for _, erasureID := range sortedKeys(h.erasures) {
		said := h.erasures[erasureID]
		of, _ := parseID(erasureID)
		key := erasureKey(of, d.id)
		if row := t.get(bucketErased, key); row != nil {
			if string(row) != string(erasedRow(said.completed)) {
				c.find(said.completed, CodeState, "%s: erasure %s does not know the entry that completed it", d, erasureID)
			}
			if h.told != 0 {
				c.find(h.told, CodeState, "%s was erased, and the detail of entry %d is there", d, h.told)
			}
			continue
		}
		left, err := decodeErasing(t.get(bucketErasing, key))
		if err != nil || left.deferred != said.deferred {
			c.find(d.AuditSeq, CodeState, "%s: how far erasure %s has come is not what the log says", d, erasureID)
		}
	}
}

// erasures compares every erasure with the entry that asked for it, its counts
// with its documents, and those with the log.
func (c *checker) erasures() error {
	met := map[string]bool{}
	err := c.each(bucketErasures, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		c.catchUp(t)
		met[id(k).String()] = true
		e, err := decodeErasure(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		return c.compareErasure(t, e)
	})
	if err != nil {
		return err
	}
	for _, known := range sortedKeys(c.said.erasures) {
		if !met[known] {
			c.find(0, CodeState, "erasure %s of the log is missing", known)
		}
	}
	for _, bucket := range [][]byte{bucketErasing, bucketErased} {
		err := c.each(bucket, CodeState, 2*len(id{}), func(t *tx, k, value []byte) error {
			return c.erasureRow(t, id(k), id(k[len(id{}):]), value, string(bucket) == string(bucketErased))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) compareErasure(t *tx, e *erasure) error {
	what := "erasure " + e.ID
	said, ok := c.said.erasures[e.ID]
	if !ok {
		c.find(0, CodeState, "%s is not in the log", what)
		return nil
	}
	documents, _ := said.Facts["documents"].AsNumber()
	user, _ := said.Facts["user"].AsText()
	c.differ(what, member{"the number of documents", e.Total, documents}, member{"the user", e.UserID, user},
		member{"asked for at", e.RequestedAt, said.Time}, member{"asked for by", e.RequestedBy, said.Actor}, member{"its entry", e.seq, said.Seq})
	entry, err := t.entry(said.Seq)
	if err != nil {
		return err
	}
	if told, err := readDetail(entry.Entry, entry.Detail); err == nil && !told.erased {
		c.differ(what, member{"the legal basis", e.LegalBasis, told.text("legalBasis")}, member{"the requester", e.Requester, told.text("requester")})
	}
	if last, err := t.entry(e.last); e.last != 0 && (err != nil || last.Op != audit.OpErasureCompleted) {
		c.find(e.last, CodeState, "%s names an entry that completes nothing", what)
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
	if e.UserID != "" {
		c.differ(what, member{"completed", e.userErased, completed == 1}, member{"what is left", e.left(), running})
		return nil
	}
	c.differ(what, member{"completed", e.Completed, completed}, member{"deferred", e.Deferred, deferred},
		member{"documents", e.Total, completed + deferred + running})
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
		seq = seqOf(value)
	}
	entry, err := t.entry(seq)
	erasure, _ := entry.Facts["erasure"].AsText()
	user, _ := entry.Facts["user"].AsText()
	if err != nil || entry.Op != op || erasure != e.ID || user != e.UserID || user == "" && entry.Document != subject.String() {
		c.find(seq, CodeState, "how far erasure %s of %s has come names an entry that does not say so", e.ID, subject)
	}
	return nil
}
