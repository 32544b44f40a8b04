package engine

import "fmt"

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
			if t.Get(bucketRefs, refKey(change.Digest, doc, change.Ref)) == nil {
				c.find(0, CodeIndex, "change %d in the scratchpad of document %s has no reference to its bytes", i+1, doc)
			}
			c.bytesOf(0, fmt.Sprintf("change %d in the scratchpad of document %s", i+1, doc), change.Digest, change.Size)
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
