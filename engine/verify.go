package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// VerifyOptions of Verify. The zero value checks everything but the contents
// of the blobs.
type VerifyOptions struct {
	Bytes    bool         // read every blob and compare it with its digest
	Heads    []audit.Head // heads kept elsewhere: each must be an entry of the log
	Progress func(done, total uint64)
}

// VerifyReport is what Verify looked at and what it found. Without findings
// everything held.
type VerifyReport struct {
	Head      audit.Head
	Entries   uint64
	Documents uint64 // tombstones too
	Versions  uint64
	Blobs     uint64 // read, with VerifyOptions.Bytes
	Findings  []audit.Finding
}

// Codes of findings beyond those of the log, which package audit has.
const (
	CodeState audit.Code = "state" // what the vault holds is not what the log says
	CodeIndex audit.Code = "index" // an index row is missing, or says what is not so
	CodeBlob  audit.Code = "blob"  // bytes are missing or not those of their digest
)

// maxFindings is how many are listed; more would say nothing new.
const maxFindings = 1_000

// Verify checks the vault against itself while it is in use: that the log is
// one chain and its details are those hashed; that every document, version,
// obligation, hold, user and key is what the entries about it say, and every entry about a
// document is in its chain; that every index row and reference says what is so,
// and none is missing; and that the bytes of every version are there. An error
// means that it could not be carried out.
//
// It reads a page in each transaction, so it stalls nobody, and keeps nothing
// but the users, keys and matters in memory beside what audit.Verify does.
func (v *Vault) Verify(ctx context.Context, o VerifyOptions) (report VerifyReport, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	c := &checker{v: v, ctx: ctx, o: o, e: &Export{v: v, Head: v.Head()}, matters: map[string]*matter{}}
	log, err := audit.Verify(ctx, c.e.log(ctx), audit.VerifyOptions{Heads: o.Heads, Details: c.details()})
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verify the log: %w", err)
	}
	c.report.Head, c.report.Entries = log.Head, log.Entries
	c.report.Findings = append(c.report.Findings, log.Findings...)
	if log.Entries != c.e.Head.Seq {
		// The chain stops before its end: there is nothing to compare with.
		return c.report, nil
	}
	for _, check := range []func() error{c.accounts, c.documents, c.scratchpads, c.snapshots, c.obligations, c.holds, c.erasures, c.missingBytes, c.versions, c.references, c.index, c.starts, c.certificates, c.bytes} {
		if err := check(); err != nil {
			return VerifyReport{}, err
		}
	}
	return c.report, nil
}

// details are those of an export, but a row that cannot be read is a finding.
func (c *checker) details() io.Reader {
	r := c.e.details(c.ctx)
	spell := r.spell
	r.spell = func(b []byte, seq uint64, value []byte) ([]byte, error) {
		page, err := spell(b, seq, value)
		if err != nil {
			c.find(seq, audit.CodeDetailRow, "the detail of entry %d cannot be read: %v", seq, err)
			return b, nil
		}
		return page, nil
	}
	return r
}

// checker is one verification.
type checker struct {
	v       *Vault
	ctx     context.Context
	o       VerifyOptions
	e       *Export // fixes the head: entries behind it are not looked at
	report  VerifyReport
	said    *accounts
	matters map[string]*matter // what the holds up to the head add up to
	entries uint64             // about documents, in the log
	chained uint64             // about documents, in their chains
	missing []saidVersion      // whose bytes were not there when looked for
}

func (c *checker) find(seq uint64, code audit.Code, format string, args ...any) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, audit.Finding{Seq: seq, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) progress(done, total uint64) {
	if c.o.Progress != nil {
		c.o.Progress(done, total)
	}
}

// checkRows is how many rows are checked in one transaction.
const checkRows = 500

// each calls fn for every row of a bucket, some hundred in a transaction, with
// views. A row written meanwhile may or may not be met. Keys that are not of
// the size given, if it is not 0, are findings with the code given.
func (c *checker) each(bucket []byte, code audit.Code, size int, fn func(t *tx, k, value []byte) error) error {
	var next, last []byte
	for more := true; more; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var err error
		more, err = view(c.v, func(t *tx) (bool, error) {
			cursor := t.Cursor(bucket)
			k, value := cursor.Seek(next)
			for range checkRows {
				if k == nil {
					return false, nil
				}
				if len(k) > store.MaxKey || last != nil && bytes.Compare(k, last) <= 0 {
					c.find(0, code, "the rows of %s are out of order after %x", bucket, last)
					return false, nil // or a page that leads back would lead round for ever
				}
				last = append(last[:0], k...)
				if size != 0 && len(k) != size {
					c.find(0, code, "%s has a row with the key %x", bucket, k)
				} else if err := fn(t, k, value); err != nil {
					return false, err
				}
				k, value = cursor.Next()
			}
			next = bytes.Clone(k)
			return k != nil, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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

// versions finds rows of versions that no document has.
func (c *checker) versions() error {
	return c.each(bucketVersions, CodeState, 24, func(t *tx, k, _ []byte) error {
		c.report.Versions++
		doc, number := id(k[:16]), store.SeqOf(k[16:])
		if d, err := t.documentAt(doc); err != nil || d.deleted || number == 0 || number > d.VersionCount {
			c.find(0, CodeState, "version %d of document %s belongs to no document", number, doc)
		}
		return nil
	})
}

// references finds references of versions that do not have those bytes.
func (c *checker) references() error {
	return c.rows(bucketRefs, 56, func(t *tx, k []byte) error {
		digest, doc, number := Digest(k[:32]), id(k[32:48]), store.SeqOf(k[48:])
		if isDraftRef(number) {
			if !t.drafted(doc, digest, number) {
				c.find(0, CodeIndex, "a reference of document %s to %s is of no scratchpad", doc, digest)
			}
			return nil
		}
		ver, err := decodeVersion(doc, t.Get(bucketVersions, versionKey(doc, number)))
		if err != nil || ver.Digest != digest {
			c.find(0, CodeIndex, "the reference of document %s, version %d to %s is of no version", doc, number, digest)
		}
		return nil
	})
}

// index finds rows that no document has, and external ids and e-mail addresses
// that lead nowhere.
func (c *checker) index() error {
	err := c.rows(bucketIndex, 0, func(t *tx, k []byte) error {
		if len(k) < 17 {
			c.find(0, CodeIndex, "an index row has the key %x", k)
			return nil
		}
		if d, err := t.documentAt(id(k[len(k)-16:])); err != nil || !containsRow(indexRows(d), k) {
			c.find(0, CodeIndex, "the index row %q is of no document", k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.each(bucketExternals, CodeIndex, 0, func(t *tx, k, value []byte) error {
		if d, err := t.document(idText(value)); err != nil || d.ExternalID != string(k) {
			c.find(0, CodeIndex, "the external id %q is of no document", k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(bucketEmails, CodeIndex, 0, func(t *tx, k, value []byte) error {
		if u, err := t.user(idText(value)); err != nil || !bytes.Equal(emailKey(u.Email), k) {
			c.find(0, CodeIndex, "an e-mail address is of no user")
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
		digest, _ := e.Facts["certificate"].AsText()
		right, _ := e.Facts["right"].AsText()
		policyID, _ := e.Facts["policy"].AsText()
		if digest != cert.digest() || right != cert.Right || policyID != cert.PolicyID || e.Actor != cert.DeletedBy || !e.Time.Equal(cert.DeletedAt) {
			c.find(cert.AuditSeq, CodeState, "the certificate of document %s is not what its entry says", cert.DocumentID)
		}
		return nil
	})
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
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		default:
			if needed, unknown := c.needed(d); unknown != nil {
				return unknown
			} else if needed {
				c.find(0, CodeBlob, "%v", err)
			}
		}
		c.report.Blobs++
	}
	return nil
}
