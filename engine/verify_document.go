package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// documents compares every document with its entries, and tallies its rows in the
// indexes.
func (c *checker) documents() error {
	told := uint64(0)
	err := c.divided(c.pages(bucketDocuments), (*checker).documentsOf, func() {
		if ten := c.report.Documents / 10_000; ten > told {
			told = ten
			c.progress(c.chained, c.e.Head.Seq)
		}
	})
	if err == nil && c.chained != c.entries {
		c.find(c.e.Head.Seq, CodeState, "the log has %d entries about documents, the documents' chains have %d", c.entries, c.chained)
	}
	return err
}

func (c *checker) documentsOf(of span) error {
	return c.eachOf(of, (*checker).viewFollowed, bucketDocuments, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		d, err := decodeDocument(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		said, err := c.follow(t, d)
		if err != nil {
			c.find(d.AuditSeq, CodeState, "%s: its entries cannot be followed: %v", d, err)
			return nil
		}
		if hidden, err := t.restricts(d); hidden || err != nil { // settings that cannot be read are a finding of their own
			c.report.hidden.documents++
			if !d.deleted {
				c.report.hidden.versions += d.VersionCount
			}
		}
		c.report.Documents++
		c.compare(t, d, said)
		c.expectRows(t, d)
		return nil
	})
}

// follow goes through a document's entries from its last to its first, and
// replays them in order. What it returns lives until the next document is followed.
func (c *checker) follow(t *tx, d *document) (*replay.Document, error) {
	type link struct {
		audit.Entry
		detail []byte // a view
	}
	var links []link
	behind := uint64(0) // entries not after the head
	for seq := d.AuditSeq; seq != 0; {
		e, err := audit.ParseEntry(c.logRows.get(t, bucketLog, store.SeqKey(seq)))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", seq, err)
		}
		if e.Document != d.ID {
			return nil, fmt.Errorf("entry %d is about another document, %q", seq, e.Document)
		}
		if seq <= c.e.Head.Seq {
			behind++
		}
		row, err := store.DecodeDetail(c.detailRows.get(t, bucketDetail, store.SeqKey(seq)))
		if err != nil || row.Prev >= seq {
			return nil, fmt.Errorf("entry %d: %w", seq, errors.Join(err, errDamaged))
		}
		links = append(links, link{e, row.Detail})
		seq = row.Prev
	}
	said := &c.document
	said.Reset(d.ID)
	said.Migrations = c.said.Migrations()
	for _, e := range slices.Backward(links) {
		if err := said.Follow(e.Entry, e.detail); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	c.chained += behind
	return said, nil
}

// compare tells where a document, and what hangs on it, is not what its entries
// say.
func (c *checker) compare(t *tx, d *document, said *replay.Document) {
	c.findAll(d.AuditSeq, d, said.Record().DifferencesOf(d.record()))
	c.compareEdits(t, d, said)
	if d.deleted && t.Get(bucketCertificates, d.id[:]) == nil {
		c.find(d.AuditSeq, CodeState, "%s was deleted and has no certificate", d)
	}
	c.compareErasures(t, d, said)
	c.compareObligations(t, d, said)
	c.compareHolds(t, d, said)
	if d.deleted || said.Deleted {
		return
	}
	for i := range said.Versions {
		c.compareVersion(t, d, &said.Versions[i])
	}
}

// compareEdits tells where what hangs on a document's locks is not what was bound:
// what is kept to go back to, and the scratchpads.
func (c *checker) compareEdits(t *tx, d *document, said *replay.Document) {
	var kept replay.Value
	if record := t.Get(bucketSnapshots, d.id[:]); record != nil {
		kept = boundBy(digestOf(record))
	}
	if kept != replay.Text(said.Snapshot) {
		c.find(d.AuditSeq, CodeState, "%s: what it was at locking is not what the log binds", d)
	}
	users := t.scratchpadUsers(d.id)
	for _, userID := range users {
		record := t.Get(bucketDrafts, scratchpadKey(d.id, userID))
		if boundBy(digestOf(record)) != replay.Text(said.Drafts[userID].Digest) {
			c.find(d.AuditSeq, CodeState, "%s: the scratchpad of user %s is not what the log binds", d, userID)
		}
	}
	for _, userID := range sortedKeys(said.Drafts) {
		if !slices.Contains(users, userID) {
			c.find(d.AuditSeq, CodeState, "%s: the scratchpad of user %s is missing", d, userID)
		}
	}
}

// How many facts and texts a document's record has, its custom fields left aside.
const mostFacts, mostTexts = 24, 11

// record is what the log can tell of a document. That the deadline of its lock
// has passed is in no entry, so a lease that nobody released is there, live or
// not.
func (d *document) record() replay.Row {
	facts := append(make([]replay.Member, 0, mostFacts),
		replay.Is("deleted", replay.Flag(d.deleted)),
		replay.Is("the number of versions", replay.Number(d.VersionCount)),
		replay.Is("the revision", replay.Number(d.Revision)),
		replay.Is("created at", replay.Time(d.CreatedAt)),
		replay.Is("created by", replay.Text(d.CreatedBy)),
		replay.Is("updated at", replay.Time(d.UpdatedAt)),
		replay.Is("updated by", replay.Text(d.UpdatedBy)),
		replay.Is("archived", replay.Flag(d.Archived)), // a tombstone is not
		replay.Is("restricted", replay.Flag(d.restricted)),

		replay.Is("its erasure is deferred", replay.Flag(d.deferred)),
	)
	if d.deleted {
		return replay.Row{Facts: facts, Texts: []replay.Member{replay.Is("name", replay.Text(d.Name))}}
	}
	facts = append(facts,
		replay.Is("the owner", replay.Text(d.OwnerID)),
		replay.Is("the end of its retention", replay.Time(d.retainUntil)),
		replay.Is("the confirmed dates", replay.List(d.confirmed)),
		replay.Is("the current version", replay.Number(d.Current.Number)),
		replay.Is("the fence of its lock", replay.Number(d.fence)),
		replay.Is("its active holds by matter", borne(d.holds)),
		replay.Is(replay.Password, boundBy(digestOfPassword(d.password))),
	)
	texts := append(make([]replay.Member, 0, mostTexts+len(d.CustomFields)),
		replay.Is("name", replay.Text(d.Name)),
		replay.Is("category", replay.Text(d.Category)),
		replay.Is("description", replay.Text(d.Description)),
		replay.Is("externalId", replay.Text(d.ExternalID)),
		replay.Is("product", replay.Text(d.Product)),
		replay.Is("templateId", replay.Text(d.TemplateID)),
		replay.Is("agreementId", replay.Text(d.AgreementID)),
		replay.Is("path", replay.Text(d.Path)),
		replay.Is("editProtected", replay.Flag(d.EditProtected)),
		replay.Is("tags", replay.List(d.Tags)),
	)
	for key, value := range d.CustomFields {
		texts = append(texts, replay.Is("customFields."+key, replay.Given(value)))
	}
	if l := d.lease; l != nil {
		facts = append(facts,
			replay.Is(replay.Locker, replay.Text(l.userID)),
			replay.Is(replay.LockKey, replay.Text(l.keyID)),
			replay.Is(replay.LockSeconds, replay.Number(uint64(l.window/time.Second))),
			replay.Is(replay.LockUntil, replay.Time(l.until)),
			replay.Is(replay.Scratchpad, replay.Flag(l.scratchPad)),
			replay.Is(replay.LockFence, replay.Number(l.fence)),
			replay.Is(replay.LockBase, replay.Number(l.base)),
		)
		texts = append(texts, replay.Is(replay.LockedByApp, replay.Text(l.app)))
	}
	return replay.Row{Facts: facts, Texts: texts}
}

// versionName names a version in a finding.
type versionName struct {
	of     *document
	number uint64
}

func (n versionName) String() string { return fmt.Sprintf("%s, version %d", n.of, n.number) }

func (c *checker) compareVersion(t *tx, d *document, said *replay.Version) {
	what := versionName{d, said.Number}
	row := c.versionRows.get(t, bucketVersions, versionKey(d.id, said.Number))
	ver := d.Current
	// The current one is kept twice, and is most often the only one.
	if said.Number != ver.Number || !bytes.Equal(encodeVersion(ver), row) {
		var err error
		if ver, err = decodeVersion(d.id, row); err != nil {
			c.find(said.Seq, CodeState, "%s cannot be read: %v", what, err)
			return
		}
		if d.Current.Number == ver.Number && !bytes.Equal(encodeVersion(d.Current), encodeVersion(ver)) {
			c.find(said.Seq, CodeState, "%s carries a copy of its current version that differs", d)
		}
	}
	c.findAll(said.Seq, what, said.DifferencesOf(ver.record()))
	c.expect(d.id, bucketRefs, refRows(d, ver))
	c.bytesOf(said.Seq, what, ver.Digest, ver.Size)
	if ver.TextSize != 0 {
		c.bytesOf(said.Seq, what.String()+", its text", ver.TextDigest, ver.TextSize)
	}
}

// refRows are the references of a version: to its bytes, and those of its text.
func refRows(d *document, ver *Version) [][]byte {
	rows := [][]byte{refKey(ver.Digest, d.id, ver.Number)}
	if ver.TextSize != 0 {
		rows = append(rows, refKey(ver.TextDigest, d.id, textRef(ver.Number)))
	}
	return rows
}

func (v *Version) record() replay.Row {
	return replay.Row{
		Facts: []replay.Member{
			replay.Is("the number", replay.Number(v.Number)),
			replay.Is("the digest", replay.Text(v.Digest.String())),
			replay.Is("the size", replay.Number(uint64(v.Size))),
			replay.Is("the media type", replay.Text(v.MediaType)),
			replay.Is("the chain", replay.Hash(v.Chain)),
			replay.Is("the previous chain", replay.Hash(v.PreviousChain)),
			replay.Is("created at", replay.Time(v.CreatedAt)),
			replay.Is("created by", replay.Text(v.CreatedBy)),
			replay.Is("discarded", replay.Flag(v.Discarded)),
			replay.Is(replay.TextDigest, replay.Text(v.textDigest())),
			replay.Is(replay.TextSize, replay.Number(uint64(v.TextSize))),
		},
		Texts: []replay.Member{
			replay.Is("the file name", replay.Text(v.FileName)),
			replay.Is("the comment", replay.Text(v.Comment)),
			replay.Is("the label", replay.Text(v.Label)),
		},
	}
}

// certificates compares every certificate with the entry it came with.
func (c *checker) certificates() error {
	return c.each(bucketCertificates, CodeState, len(id{}), func(t *tx, k, _ []byte) error {
		cert, err := t.certificate(id(k))
		if err != nil {
			c.find(0, CodeState, "the certificate of document %s cannot be read: %v", id(k), err)
			return nil
		}
		e, err := t.entry(cert.AuditSeq)
		if err != nil || e.Op != audit.OpDocumentDeleted || e.Document != cert.DocumentID {
			c.find(cert.AuditSeq, CodeState, "the certificate of document %s names an entry that is not its deletion", cert.DocumentID)
			return nil
		}
		c.differ(cert.AuditSeq, "the certificate of document "+cert.DocumentID, cert.record(), replay.Certificate(e.Entry))
		return nil
	})
}

func (c *Certificate) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"the digest":  replay.Text(c.digest()),
		"the right":   replay.Text(c.Right),
		"the policy":  replay.Text(c.PolicyID),
		"the erasure": replay.Text(c.ErasureID),
		"deleted at":  replay.Time(c.DeletedAt),
		"deleted by":  replay.Text(c.DeletedBy),
	}}
}

// scratchpads finds those that cannot be read, belong to no document or user, or
// whose bytes are not kept for them.
func (c *checker) scratchpads() error {
	return c.each(bucketDrafts, CodeState, len(id{})+26, func(t *tx, k, value []byte) error {
		doc, userID := id(k[:16]), string(k[16:])
		pad, err := decodeScratchpad(value)
		if err != nil {
			c.find(0, CodeState, "of document %s and user %s: %v", doc, userID, err)
			return nil
		}
		if d, err := t.documentAt(doc); err != nil || d.deleted {
			c.find(0, CodeState, "a scratchpad is of document %s, which is not there", doc)
			return nil
		}
		if _, err := t.user(userID); err != nil || len(pad.Changes) == 0 {
			c.find(0, CodeState, "a scratchpad of document %s is of user %s, with %d changes", doc, userID, len(pad.Changes))
		}
		for i, change := range pad.Changes {
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
		was, err := decodeSnapshot(id(k), value)
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
