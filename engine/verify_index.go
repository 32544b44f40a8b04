package engine

import (
	"bytes"
	"errors"
	"fmt"

	"strongroom/blobstore"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// lacks finds those of a thing's rows in an index that are not there.
func (c *checker) lacks(t *tx, seq uint64, what string, bucket []byte, rows [][]byte) {
	for _, row := range rows {
		if t.Get(bucket, row) == nil {
			c.find(seq, CodeIndex, "%s lacks the row %q of %s", what, row, bucket)
		}
	}
}

// rows is each for the rows of an index, whose values are empty.
func (c *checker) rows(bucket []byte, size int, fn func(t *tx, k []byte) error) error {
	return c.each(bucket, CodeIndex, size, func(t *tx, k, value []byte) error {
		if len(value) > 0 {
			c.find(0, CodeIndex, "%s has a row with a value, at %.80x", bucket, k)
		}
		return fn(t, k)
	})
}

// owned finds rows of an index, each of which ends with the id of what it is of,
// that nothing has.
func (c *checker) owned(bucket []byte, owner replay.Kind, rowsOf func(t *tx, of id, k []byte) ([][]byte, error)) error {
	return c.rows(bucket, 0, func(t *tx, k []byte) error {
		var rows [][]byte
		var err error = errDamaged
		if len(k) > len(id{}) {
			rows, err = rowsOf(t, id(k[len(k)-len(id{}):]), k)
		}
		if err != nil || !containsRow(rows, k) {
			c.find(0, CodeIndex, "the row %q of %s is of no %s", bytes.Clone(k), bucket, owner)
		}
		return nil
	})
}

// indexes compares every index with what it is of. That no row is missing is
// looked for where that is compared.
func (c *checker) indexes() error {
	for _, check := range []func() error{c.kinds, c.versions, c.references, c.externals, c.emails, c.identities} {
		if err := check(); err != nil {
			return err
		}
	}
	for _, index := range []struct {
		bucket []byte
		owner  replay.Kind
		rowsOf func(t *tx, of id, k []byte) ([][]byte, error)
	}{
		{bucketIndex, "document", func(t *tx, of id, _ []byte) ([][]byte, error) {
			d, err := t.documentAt(of)
			return rowsIf(indexRows, d, err)
		}},
		{bucketDues, "obligation", func(t *tx, of id, _ []byte) ([][]byte, error) {
			o, err := t.obligation(of.String())
			return rowsIf(dueRows, o, err)
		}},
		{bucketHoldRows, "hold", func(t *tx, of id, _ []byte) ([][]byte, error) {
			h, err := t.hold(of.String())
			return rowsIf(holdRows, h, err)
		}},
		{bucketScopes, replay.Policies, func(t *tx, of id, _ []byte) ([][]byte, error) {
			p, err := t.policyAt(of)
			return rowsIf(policyRows, &p, err)
		}},
		{bucketStarts, "document", (*tx).startsLike},
	} {
		if err := c.owned(index.bucket, index.owner, index.rowsOf); err != nil {
			return err
		}
	}
	return nil
}

// rowsIf is rowsOf, of what was read without an error.
func rowsIf[T any](rowsOf func(T) [][]byte, of T, err error) ([][]byte, error) {
	if err != nil {
		return nil, err
	}
	return rowsOf(of), nil
}

// startsLike returns the rows of starts that a document has, and the one asked
// for if its kind is being dropped: then it may be there.
func (t *tx) startsLike(of id, k []byte) ([][]byte, error) {
	kinds, err := t.kinds()
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if prefix := text(kind.from); kind.draining && len(k) > len(prefix) && string(k[:len(prefix)]) == prefix {
			return [][]byte{k}, nil
		}
	}
	d, err := t.documentAt(of)
	if err != nil {
		return nil, err
	}
	return startRows(d, kinds), nil
}

// kinds finds rows that say of a kind of start what none can say.
func (c *checker) kinds() error {
	return c.each(bucketKinds, CodeIndex, 0, func(t *tx, name, value []byte) error {
		k, err := decodeKind(name, value)
		if err != nil {
			return nil // found by each document
		}
		right := k.through == id{}
		switch {
		case k.draining:
			right = !k.whole && k.through == drained
		case !k.whole && !right:
			right = t.Get(bucketDocuments, k.through[:]) != nil
		}
		if !right || !bytes.Equal(value, k.encode()) {
			c.find(0, CodeIndex, "how far the kind of start %q is indexed makes no sense", name)
		}
		return nil
	})
}

// scopesOf looks for the rows by which a policy is found, and those it counts for.
func (c *checker) scopesOf(t *tx, p Policy) {
	if t.Get(bucketKinds, []byte(p.StartFrom)) == nil {
		c.find(0, CodeIndex, "policy %s counts from %q, which is not indexed", p.ID, p.StartFrom)
	}
	c.lacks(t, 0, "policy "+p.ID, bucketScopes, policyRows(&p))
}

// rowsOf looks for the rows in which a document must be found.
func (c *checker) rowsOf(t *tx, d *document) {
	c.lacks(t, d.AuditSeq, d.String(), bucketIndex, indexRows(d))
	if kinds, err := t.kinds(); err != nil {
		c.find(0, CodeIndex, "the kinds of starts cannot be read: %v", err)
	} else {
		c.lacks(t, d.AuditSeq, d.String(), bucketStarts, startRows(d, kinds))
	}
	if d.ExternalID != "" && !t.leadsTo(bucketExternals, externalKeys(d.ExternalID), d.id) {
		c.find(d.AuditSeq, CodeIndex, "%s is not found by its external id %q", d, d.ExternalID)
	}
}

// versions finds rows of versions that no document has. One that a deletion has
// left, and Sweep has yet to clear, is as the certificate says.
func (c *checker) versions() error {
	var certificate Certificate // of the last document that was deleted
	return c.each(bucketVersions, CodeState, 24, func(t *tx, k, value []byte) error {
		doc, number := id(k[:16]), store.SeqOf(k[16:])
		d, err := t.documentAt(doc)
		if err == nil && d.deleted {
			if certificate.DocumentID != d.ID {
				certificate, _ = t.certificate(doc)
			}
			if ver, err := decodeVersion(doc, value); err == nil && certificate.names(ver, number) {
				return nil
			}
		}
		c.report.Versions++
		if err == nil && d.Restricted {
			c.report.hidden.versions++
		}
		if err != nil || d.deleted || number == 0 || number > d.VersionCount {
			c.find(0, CodeState, "version %d of document %s belongs to no document", number, doc)
		}
		return nil
	})
}

// names says whether a version is the one that the certificate has under a number.
func (c *Certificate) names(ver *Version, number uint64) bool {
	return number-1 < uint64(len(c.Versions)) && c.Versions[number-1] == CertifiedVersion{ver.Number, ver.Digest, ver.Size, ver.Chain}
}

// references finds references of versions that do not have those bytes.
func (c *checker) references() error {
	return c.rows(bucketRefs, 56, func(t *tx, k []byte) error {
		digest, doc, number := Digest(k[:32]), id(k[32:48]), store.SeqOf(k[48:])
		if isDraftRef(number) {
			if !t.inAnyScratchpad(doc, digest, number) {
				c.find(0, CodeIndex, "a reference of document %s to %s is of no scratchpad", doc, digest)
			}
			return nil
		}
		of, isText := versionOfText(number)
		ver, err := decodeVersion(doc, t.Get(bucketVersions, versionKey(doc, of)))
		if isText && err == nil && (ver.TextSize == 0 || ver.TextDigest != digest) {
			c.find(0, CodeIndex, "the reference of document %s, version %d to %s is of no text", doc, of, digest)
		}
		if err != nil || !isText && ver.Digest != digest {
			c.find(0, CodeIndex, "the reference of document %s, version %d to %s is of no version", doc, number, digest)
		}
		return nil
	})
}

// externals finds external ids that lead nowhere.
func (c *checker) externals() error {
	return c.each(bucketExternals, CodeIndex, 0, func(t *tx, k, value []byte) error {
		if d, err := t.document(idText(value)); err != nil || !containsRow(externalKeys(d.ExternalID), k) {
			c.find(0, CodeIndex, "the external id %q is of no document", k)
		}
		return nil
	})
}

// emails finds e-mail addresses that lead nowhere.
func (c *checker) emails() error {
	return c.each(bucketEmails, CodeIndex, 0, func(t *tx, k, value []byte) error {
		if u, err := t.user(idText(value)); err != nil || !containsRow(emailKeys(u.Email), k) {
			c.find(0, CodeIndex, "an e-mail address is of no user")
		}
		return nil
	})
}

// identities finds identities that lead nowhere.
func (c *checker) identities() error {
	return c.each(bucketIdentities, CodeIndex, 0, func(t *tx, k, value []byte) error {
		if u, err := t.user(idText(value)); err != nil || !u.Identity.isSet() || string(u.Identity.row()) != string(k) {
			c.find(0, CodeIndex, "an identity is of no user")
		}
		return nil
	})
}

// idText spells an id that stands in a row; what is none is no id spelled
// either.
func idText(value []byte) string {
	if len(value) != len(id{}) {
		return ""
	}
	return id(value).String()
}

// absent are bytes that were not there when they were looked for.
type absent struct {
	seq    uint64
	what   string // needs them
	digest Digest
}

// bytesOf looks for the bytes that something needs.
func (c *checker) bytesOf(seq uint64, what string, digest Digest, size int64) {
	is, err := c.v.blobs.Stat(digest)
	switch {
	case c.o.lost[digest]:
	case errors.Is(err, blobstore.ErrNotFound):
		c.absent = append(c.absent, absent{seq, what, digest})
	case err != nil:
		c.find(seq, CodeBlob, "%s: its bytes cannot be looked at: %v", what, err)
	case is != size:
		c.find(seq, CodeBlob, "%s: its blob has %d bytes, its record says %d", what, is, size)
	}
}

// missingBytes reports the bytes that were missing, and still are and are needed:
// what was deleted since its transaction began is not, or has come back for
// another.
func (c *checker) missingBytes() error {
	for _, of := range c.absent {
		if lost, err := c.lost(of.digest); err != nil {
			return err
		} else if lost {
			c.find(of.seq, CodeBlob, "%s: its bytes %s are missing", of.what, of.digest)
		}
	}
	return nil
}

// lost looks again for bytes that were not there.
func (c *checker) lost(d Digest) (bool, error) {
	if needed, err := c.needed(d); err != nil || !needed {
		return false, err
	}
	if _, err := c.v.blobs.Stat(d); err == nil {
		return false, nil
	}
	return c.needed(d)
}

func (c *checker) needed(d Digest) (bool, error) {
	return view(c.v, func(t *tx) (bool, error) { return t.needed(d), nil })
}

// bytes reads every blob. Blobs that nobody needs are no finding: they are
// uploads on their way, or what Sweep has yet to find.
func (c *checker) bytes() error {
	if !c.o.Bytes {
		return nil
	}
	var digests []Digest
	err := c.v.blobs.Each(c.ctx, func(d blobstore.Digest, _ int64) error {
		digests = append(digests, d)
		return nil
	})
	if errors.Is(err, blobstore.ErrForeign) {
		c.find(0, CodeBlob, "%v", err)
	} else if err != nil {
		return fmt.Errorf("list the blobs: %w", err)
	}
	for _, d := range digests {
		c.progress(c.report.Blobs, uint64(len(digests)))
		_, err := c.v.blobs.Check(c.ctx, d)
		switch {
		case err == nil:
			if err := c.v.heal(d); err != nil {
				return err
			}
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		default:
			missed := c.needed
			if errors.Is(err, blobstore.ErrNotFound) {
				missed = c.lost
			}
			if missed, unknown := missed(d); unknown != nil {
				return unknown
			} else if missed {
				what, unknown := c.v.of(d, err)
				if unknown != nil {
					return unknown
				}
				c.find(0, CodeBlob, "%s", what)
			}
		}
		c.report.Blobs++
	}
	return nil
}
