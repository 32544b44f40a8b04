package engine

import (
	"bytes"
	"slices"

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

// expect tallies the rows that something must have in an index.
func (c *checker) expect(owner id, bucket []byte, rows [][]byte) {
	for _, row := range rows {
		c.tally.expect(owner, bucket, row)
	}
}

// eachOwner calls first for every row of a bucket whose things have rows in an
// index; when these are looked at again, again for those that are suspect.
func (c *checker) eachOwner(bucket []byte, first, again func(c *checker, t *tx, at id, value []byte)) error {
	return c.divided(c.pages(bucket), func(c *checker, of span) error {
		return c.eachOf(of, (*checker).view, bucket, CodeState, len(id{}), func(t *tx, k, value []byte) error {
			switch at := id(k); {
			case c.suspects == nil:
				first(c, t, at, value)
			case c.suspects[cellOf(at)]:
				again(c, t, at, value)
			}
			return nil
		})
	}, nil)
}

// rows is each for the rows of an index, whose values are empty, on all cores.
func (c *checker) rows(bucket []byte, size int, fn func(c *checker, t *tx, k []byte)) error {
	return c.divided(c.letters, func(c *checker, of span) error {
		return c.eachOf(of, (*checker).view, bucket, CodeIndex, size, func(t *tx, k, value []byte) error {
			if len(value) > 0 && c.suspects == nil {
				c.find(0, CodeIndex, "%s has a row with a value, at %.80x", bucket, k)
			}
			fn(c, t, k)
			return nil
		})
	}, nil)
}

// owned finds rows of an index, each of which ends with the id of what it is of,
// that nothing has. But for those of suspects it tallies them, and may leave some
// to nobody's tally.
func (c *checker) owned(bucket []byte, owner replay.Kind, tallied bool, rowsOf func(c *checker, t *tx, of id, k []byte) ([][]byte, error)) error {
	return c.rows(bucket, 0, func(c *checker, t *tx, k []byte) {
		if len(k) <= len(id{}) {
			if c.suspects == nil {
				c.find(0, CodeIndex, "the row %q of %s is of no %s", bytes.Clone(k), bucket, owner)
			}
			return
		}
		of := id(k[len(k)-len(id{}):])
		if tallied && c.suspects == nil {
			c.tally.meet(of, bucket, k)
			return
		}
		if tallied && !c.suspects[cellOf(of)] {
			return
		}
		if rows, err := rowsOf(c, t, of, k); err != nil || !containsRow(rows, k) {
			c.find(0, CodeIndex, "the row %q of %s is of no %s", bytes.Clone(k), bucket, owner)
		}
	})
}

// indexes compares what leads to users, policies and versions with what it is of.
// That no row is missing is looked for where that is compared.
func (c *checker) indexes() error {
	for _, check := range []func() error{c.kinds, c.versions, c.emails, c.identities} {
		if err := check(); err != nil {
			return err
		}
	}
	return c.owned(bucketScopes, replay.Policies, false, func(_ *checker, t *tx, of id, _ []byte) ([][]byte, error) {
		p, err := t.policyAt(of)
		return rowsIf(policyRows, &p, err)
	})
}

// tallied compares the indexes whose rows are tallied.
func (c *checker) tallied() error {
	for _, index := range []struct {
		bucket []byte
		owner  replay.Kind
		rowsOf func(c *checker, t *tx, of id, k []byte) ([][]byte, error)
	}{
		{bucketIndex, "document", func(_ *checker, t *tx, of id, _ []byte) ([][]byte, error) {
			d, err := t.documentAt(of)
			return rowsIf(indexRows, d, err)
		}},
		{bucketDues, "obligation", func(_ *checker, t *tx, of id, _ []byte) ([][]byte, error) {
			o, err := t.obligation(of.String())
			return rowsIf(dueRows, o, err)
		}},
		{bucketHoldRows, "hold", func(_ *checker, t *tx, of id, _ []byte) ([][]byte, error) {
			h, err := t.hold(of.String())
			return rowsIf(holdRows, h, err)
		}},
		{bucketStarts, "document", (*checker).startsLike},
	} {
		if err := c.owned(index.bucket, index.owner, true, index.rowsOf); err != nil {
			return err
		}
	}
	if err := c.references(); err != nil {
		return err
	}
	return c.externals()
}

// lookAgain looks at the rows one by one of what the tally was not right for, and
// at what should have them.
func (c *checker) lookAgain() error {
	if c.suspects = c.tally.suspects(); c.suspects == nil {
		return nil
	}
	if err := c.eachOwner(bucketDocuments, nil, (*checker).rowsOf); err != nil {
		return err
	}
	for _, check := range []func() error{c.holds, c.obligations, c.tallied} {
		if err := check(); err != nil {
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
func (c *checker) startsLike(t *tx, of id, k []byte) ([][]byte, error) {
	kinds, err := c.kindsIn(t)
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

// kindsIn is t.kinds, read once in a transaction.
func (c *checker) kindsIn(t *tx) ([]kind, error) {
	if c.kindsOf != t {
		c.kindsOf = t
		c.kindsSeen, c.kindsErr = t.kinds()
	}
	return c.kindsSeen, c.kindsErr
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

// expectRows tallies the rows in which a document must be found.
func (c *checker) expectRows(t *tx, d *document) {
	c.expect(d.id, bucketIndex, indexRows(d))
	if kinds, err := c.kindsIn(t); err != nil {
		c.find(0, CodeIndex, "the kinds of starts cannot be read: %v", err)
	} else if len(kinds) > 0 {
		c.expect(d.id, bucketStarts, startRows(d, kinds))
	}
	if d.ExternalID == "" {
		return
	}
	keys := externalKeys(d.ExternalID)
	if len(keys) > 1 { // it stands under one of them, or both
		keys = slices.DeleteFunc(keys, func(key []byte) bool { return !bytes.Equal(t.Get(bucketExternals, key), d.id[:]) })
		if len(keys) == 0 {
			keys = externalKeys(d.ExternalID)[:1]
		}
	}
	for _, key := range keys {
		c.tally.expect(d.id, bucketExternals, append(key, d.id[:]...))
	}
}

// rowsOf looks for the rows in which a document must be found, and for the
// references of its versions.
func (c *checker) rowsOf(t *tx, at id, value []byte) {
	d, err := decodeDocument(at, value)
	if err != nil {
		return // a finding already
	}
	c.lacks(t, d.AuditSeq, d.String(), bucketIndex, indexRows(d))
	if kinds, err := c.kindsIn(t); err == nil {
		c.lacks(t, d.AuditSeq, d.String(), bucketStarts, startRows(d, kinds))
	}
	if d.ExternalID != "" && !t.leadsTo(bucketExternals, externalKeys(d.ExternalID), d.id) {
		c.find(d.AuditSeq, CodeIndex, "%s is not found by its external id %q", d, d.ExternalID)
	}
	if d.deleted {
		return
	}
	versions := t.Cursor(bucketVersions)
	for k, row := versions.Seek(at[:]); bytes.HasPrefix(k, at[:]); k, row = versions.Next() {
		ver, err := decodeVersion(at, row)
		if err != nil {
			continue
		}
		for i, ref := range refRows(d, ver) {
			if t.Get(bucketRefs, ref) == nil {
				c.find(d.AuditSeq, CodeIndex, "%s, version %d has no reference to %s", d, ver.Number, []string{"its bytes", "the bytes of its text"}[i])
			}
		}
	}
}

// glimpse reads as much of the record of a document as tells whether it is there,
// in a fraction of the time that decoding takes. One that was never there is
// damage.
func (t *tx) glimpse(doc id) (deleted bool, versions uint64, err error) {
	b := t.Get(bucketDocuments, doc[:])
	if b == nil {
		return false, 0, errDamaged
	}
	r := store.NewDecoder(b)
	r.Num() // seq
	deleted = r.Flag()
	r.Flag() // archived
	r.Num()  // revision
	return deleted, r.Num(), r.Err()
}

// versions finds rows of versions that no document has. One that a deletion has
// left, and Sweep has yet to clear, is as the certificate says.
func (c *checker) versions() error {
	return c.divided(c.pages(bucketVersions), func(c *checker, of span) error {
		var certificate Certificate // of the last document that was deleted
		return c.eachOf(of, (*checker).view, bucketVersions, CodeState, 24, func(t *tx, k, value []byte) error {
			doc, number := id(k[:16]), store.SeqOf(k[16:])
			deleted, versions, err := t.glimpse(doc)
			if err == nil && deleted {
				if certificate.DocumentID != doc.String() {
					certificate, _ = t.certificate(doc)
				}
				if ver, err := decodeVersion(doc, value); err == nil && certificate.names(ver, number) {
					return nil
				}
			}
			c.report.Versions++
			if err != nil || deleted || number == 0 || number > versions {
				c.find(0, CodeState, "version %d of document %s belongs to no document", number, doc)
			}
			return nil
		})
	}, nil)
}

// names says whether a version is the one that the certificate has under a number.
func (c *Certificate) names(ver *Version, number uint64) bool {
	return number-1 < uint64(len(c.Versions)) && c.Versions[number-1] == CertifiedVersion{ver.Number, ver.Digest, ver.Size, ver.Chain}
}

// references finds references of versions that do not have those bytes.
func (c *checker) references() error {
	return c.rows(bucketRefs, 56, func(c *checker, t *tx, k []byte) {
		digest, doc, number := Digest(k[:32]), id(k[32:48]), store.SeqOf(k[48:])
		switch {
		case isDraftRef(number):
			if c.suspects == nil && !t.inAnyScratchpad(doc, digest, number) {
				c.find(0, CodeIndex, "a reference of document %s to %s is of no scratchpad", doc, digest)
			}
		case c.suspects == nil:
			c.tally.meet(doc, bucketRefs, k)
		case c.suspects[cellOf(doc)]:
			c.reference(t, digest, doc, number)
		}
	})
}

// reference looks for the version that a reference is of.
func (c *checker) reference(t *tx, digest Digest, doc id, number uint64) {
	of, isText := versionOfText(number)
	ver, err := decodeVersion(doc, t.Get(bucketVersions, versionKey(doc, of)))
	if isText && err == nil && (ver.TextSize == 0 || ver.TextDigest != digest) {
		c.find(0, CodeIndex, "the reference of document %s, version %d to %s is of no text", doc, of, digest)
	}
	if err != nil || !isText && ver.Digest != digest {
		c.find(0, CodeIndex, "the reference of document %s, version %d to %s is of no version", doc, number, digest)
	}
}

// externals finds external ids that lead nowhere.
func (c *checker) externals() error {
	return c.divided(c.letters, func(c *checker, of span) error {
		return c.eachOf(of, (*checker).view, bucketExternals, CodeIndex, 0, func(t *tx, k, value []byte) error {
			switch {
			case len(value) == len(id{}) && c.suspects == nil:
				c.tally.meet(id(value), bucketExternals, append(bytes.Clone(k), value...))
				return nil
			case len(value) == len(id{}) && !c.suspects[cellOf(id(value))], len(value) != len(id{}) && c.suspects != nil:
				return nil
			}
			if d, err := t.document(idText(value)); err != nil || !containsRow(externalKeys(d.ExternalID), k) {
				c.find(0, CodeIndex, "the external id %q is of no document", k)
			}
			return nil
		})
	}, nil)
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
