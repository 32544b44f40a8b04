package engine

// compareLock tells where a document's lock is not what its entries say. That
// the deadline has passed is in no entry, so a lease that nobody released is
// there, live or not.
func (c *checker) compareLock(t *tx, d *document, h *history) {
	holder, snapshot := "", false
	if d.lease != nil {
		holder, snapshot = d.lease.userID, !d.lease.scratchPad
	}
	if d.fence != h.fence || holder != h.holder {
		c.find(d.AuditSeq, CodeState, "%s: its lock is of %q with fence %d, the log says of %q with fence %d", d, holder, d.fence, h.holder, h.fence)
	}
	if has := t.get(bucketSnapshots, d.id[:]) != nil; snapshot && !has {
		c.find(d.AuditSeq, CodeState, "%s is locked, and what it was at locking is not there", d)
	}
}

// scratchpads finds those that cannot be read, belong to no document or user, or
// whose bytes are not kept for them.
func (c *checker) scratchpads() error {
	return c.each(bucketDrafts, CodeState, len(id{})+26, func(t *tx, k, value []byte) error {
		doc, userID := id(k[:16]), string(k[16:])
		dr, err := decodeDraft(value)
		if err != nil {
			c.find(0, CodeState, "of document %s and user %s: %v", doc, userID, err)
			return nil
		}
		if d, err := t.documentAt(doc); err != nil || d.deleted {
			c.find(0, CodeState, "a scratchpad is of document %s, which is not there", doc)
			return nil
		}
		if _, err := t.user(userID); err != nil || len(dr.Changes) == 0 {
			c.find(0, CodeState, "a scratchpad of document %s is of user %s, with %d changes", doc, userID, len(dr.Changes))
		}
		for i, change := range dr.Changes {
			if change.Version == nil {
				continue
			}
			if t.get(bucketRefs, refKey(change.Digest, doc, change.Ref)) == nil {
				c.find(0, CodeIndex, "change %d in the scratchpad of document %s has no reference to its bytes", i+1, doc)
			}
			if size, err := c.v.blobs.Stat(change.Digest); err != nil || size != change.Size {
				c.missing = append(c.missing, saidVersion{Version: Version{DocumentID: doc.String(), Draft: uint64(i + 1), Digest: change.Digest}})
			}
		}
		return nil
	})
}

// snapshots finds those of documents that are not locked, or that cannot be
// read.
func (c *checker) snapshots() error {
	return c.each(bucketSnapshots, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		was, err := decodeDocument(id(k), value)
		if err != nil {
			c.find(0, CodeState, "as it was at locking: %v", err)
			return nil
		}
		d, err := t.documentAt(was.id)
		if err != nil || d.deleted || d.lease == nil || d.lease.scratchPad || was.Revision > d.Revision {
			c.find(0, CodeState, "%s as it was at locking is there, and it is not locked so", was)
		}
		return nil
	})
}
