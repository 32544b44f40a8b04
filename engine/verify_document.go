package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"strongroom/blobstore"
)

// documents compares every document with its entries, from the last to the
// first, and with its rows in the index.
func (c *checker) documents() error {
	total := c.e.Head.Seq
	err := c.each(bucketDocuments, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		d, err := decodeDocument(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		h, err := t.history(d, c.e.Head.Seq)
		if err != nil {
			c.find(d.AuditSeq, CodeState, "%s: its entries cannot be followed: %v", d, err)
			return nil
		}
		c.chained += h.behind
		if c.report.Documents++; c.report.Documents%10_000 == 0 {
			c.progress(c.chained, total)
		}
		c.compare(t, d, h)
		for _, row := range indexRows(d) {
			if t.get(bucketIndex, row) == nil {
				c.find(d.AuditSeq, CodeIndex, "%s lacks the index row %q", d, row)
			}
		}
		c.startsOf(t, d)
		if d.ExternalID != "" && !bytes.Equal(t.get(bucketExternals, []byte(d.ExternalID)), k) {
			c.find(d.AuditSeq, CodeIndex, "%s is not found by its external id %q", d, d.ExternalID)
		}
		return nil
	})
	if err == nil && c.chained != c.entries {
		c.find(c.e.Head.Seq, CodeState, "the log has %d entries about documents, the documents' chains have %d", c.entries, c.chained)
	}
	return err
}

// compare tells where a document is not what its entries say.
func (c *checker) compare(t *tx, d *document, h *history) {
	differs := func(what string, is, was any) {
		if is != was {
			c.find(d.AuditSeq, CodeState, "%s: %s is %v, the log says %v", d, what, is, was)
		}
	}
	differs("deleted", d.deleted, h.deleted)
	differs("the number of versions", d.VersionCount, uint64(len(h.versions)))
	differs("the revision", d.Revision, h.revision)
	differs("created at", d.CreatedAt, h.created.Time)
	differs("created by", d.CreatedBy, h.created.Actor)
	differs("updated at", d.UpdatedAt, h.updated.Time)
	differs("updated by", d.UpdatedBy, h.updated.Actor)
	if d.deleted && t.get(bucketCertificates, d.id[:]) == nil {
		c.find(d.AuditSeq, CodeState, "%s was deleted and has no certificate", d)
	}
	c.compareErasures(t, d, h)
	c.compareObligations(t, d, h)
	c.compareHolds(t, d, h)
	if d.deleted || h.deleted {
		return
	}
	differs("archived", d.Archived, h.archived)
	differs("the owner", d.OwnerID, h.owner)
	differs("the end of its retention", d.retainUntil, h.retainUntil)
	differs("the current version", d.Current.Number, h.current)
	c.compareLock(t, d, h)
	if !h.erased {
		c.compareMetadata(d, h)
	}
	for _, said := range h.versions {
		ver, err := decodeVersion(d.id, t.get(bucketVersions, versionKey(d.id, said.Number)))
		if err != nil {
			c.find(said.seq, CodeState, "%s: version %d cannot be read: %v", d, said.Number, err)
			continue
		}
		if text := said.difference(ver); text != "" {
			c.find(said.seq, CodeState, "%s, version %d: %s", d, said.Number, text)
		}
		if d.Current.Number == ver.Number && !bytes.Equal(encodeVersion(d.Current), encodeVersion(ver)) {
			c.find(said.seq, CodeState, "%s carries a copy of its current version that differs", d)
		}
		if t.get(bucketRefs, refKey(ver.Digest, d.id, ver.Number)) == nil {
			c.find(said.seq, CodeIndex, "%s, version %d has no reference to its bytes", d, ver.Number)
		}
		size, err := c.v.blobs.Stat(ver.Digest)
		switch {
		case errors.Is(err, blobstore.ErrNotFound):
			c.missing = append(c.missing, said)
		case err != nil:
			c.find(said.seq, CodeBlob, "%s, version %d: its bytes cannot be looked at: %v", d, ver.Number, err)
		case size != ver.Size:
			c.find(said.seq, CodeBlob, "%s, version %d: its blob has %d bytes, the log says %d", d, ver.Number, size, ver.Size)
		}
	}
}

// compareMetadata compares what the details tell.
func (c *checker) compareMetadata(d *document, h *history) {
	is, err := asJSON(d.detail())
	if err != nil {
		c.find(d.AuditSeq, CodeState, "%s: its metadata cannot be spelled: %v", d, err)
		return
	}
	is = flatten(is)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(is), sortedKeys(h.metadata)...)))) {
		if !reflect.DeepEqual(is[name], h.metadata[name]) {
			c.find(d.AuditSeq, CodeState, "%s: its %s is not what the log says", d, name)
		}
	}
}

// asJSON spells members as a detail has them, so that they can be compared with
// one that was read.
func asJSON(members map[string]any) (map[string]any, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	var is map[string]any
	r := json.NewDecoder(bytes.NewReader(text))
	r.UseNumber()
	err = r.Decode(&is)
	return is, err
}

// missingBytes reports the bytes that were missing and are still needed: what
// was deleted since its transaction began is not.
func (c *checker) missingBytes() error {
	for _, said := range c.missing {
		if needed, err := c.needed(said.Digest); err != nil {
			return err
		} else if needed {
			c.find(said.seq, CodeBlob, "document %s, version %d: its bytes %s are missing", said.DocumentID, said.Number, said.Digest)
		}
	}
	return nil
}

func (c *checker) needed(d Digest) (bool, error) {
	return view(c.v, func(t *tx) (bool, error) { return t.needed(d), nil })
}
