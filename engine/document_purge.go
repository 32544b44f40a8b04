package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// Certificate is what is left of a deleted document: ids, digests, numbers and
// states only.
type Certificate struct {
	DocumentID string
	Versions   []CertifiedVersion
	DeletedAt  time.Time
	DeletedBy  string
	Right      Right
	PolicyID   string
	ErasureID  string
	AuditSeq   uint64 // of document.deleted
	AuditHash  audit.Hash
	Revision   uint64 // of the document, deletion included
}

// CertifiedVersion names the bytes of one version, and the chain that proves
// its place.
type CertifiedVersion struct {
	Number uint64
	Digest Digest
	Size   int64
	Chain  audit.Hash
}

// digest is the fact that binds the certificate to its entry: the SHA-256 of a
// line for every version, "number digest size chain".
func (c *Certificate) digest() string {
	var lines []byte
	for _, v := range c.Versions {
		lines = audit.AppendCertificate(lines, v.Number, v.Digest.String(), uint64(v.Size), v.Chain)
	}
	return audit.HashLine(lines).String()
}

// Right is by what a document is disposed of, as certificates and entries spell
// it.
type Right string

const (
	RightManual    Right = "manual"    // an admin deleted it
	RightRetention Right = "retention" // it was due by a policy
	RightErasure   Right = "erasure"   // somebody's right that it be erased

	// rightBypass is manual, by an admin who bypasses governance and says why. It
	// is spelled manual, with the fact bypass.
	rightBypass Right = "bypass"
)

// disposable is the one place that asks whether a document may be disposed of by
// this right. [retention.ObstacleTo] decides: a hold stands before every right,
// then protection, then a clock that is doubted. A run asks the same through [tx.judge].
func (t *tx) disposable(d *document, right Right) error {
	if err := d.unheld(); err != nil { // before anything is read
		return err
	}
	policies, err := t.rulesFor(d)
	if err != nil {
		return err
	}
	doubt, err := t.doubt()
	if err != nil {
		return err
	}
	facts := d.forRules()
	facts.Doubted = doubt != ""
	obstacle := retention.ObstacleTo(retention.Right(right), facts, policies, t.sure(doubt))
	switch {
	case obstacle == nil:
		return nil
	case obstacle.Because == retention.Held:
		return d.unheld()
	case obstacle.Because == retention.Archived:
		return ErrDocumentArchived
	case obstacle.Because == retention.Doubted:
		return doubtful(doubt)
	}
	return t.retained(obstacle.Protection)
}

// DeleteDocument removes a document for good, with all its versions and its
// obligations, which have no entry of their own then. When it returns, the files of bytes
// that nobody else needs are gone. The bytes of a small upload may stand in the
// write-ahead log as well, until the checkpoints after it have let that be used again, and so may
// what the document's rows said, on pages of rows.db that are free: an erasure overwrites both, a
// deletion does not. It needs admin access. *HeldError,
// ErrDocumentArchived, *RetainedError, unless only governance protects it and the
// condition says to bypass that; *UnavailableError with ReasonClock while the clock
// is doubted; *NeedsTwoError. Deleting what is deleted returns its certificate.
func (v *Vault) DeleteDocument(ctx context.Context, actor Actor, documentID string, cond Condition) (Certificate, Receipt, error) {
	if err := cond.checkReason(); err != nil {
		return Certificate{}, Receipt{}, err
	}
	gone, receipt, err := update(v, ctx, actor, func(t *tx) (disposal, audit.Event, error) {
		d, _, err := t.writable(documentID, AccessAdmin, cond)
		if deleted, ok := err.(*DeletedError); ok {
			return disposal{Certificate: deleted.Certificate}, audit.Event{}, nil
		}
		if err == nil && t.inScratchpad(d) {
			err = fmt.Errorf("%w: its scratchpad is open; save or drop it first", ErrLockState)
		}
		if err == nil {
			err = t.disposable(d, RightManual)
		}
		w := warrant{right: RightManual, reason: check.Trim(cond.Reason)}
		if e, ok := errors.AsType[*RetainedError](err); ok && cond.BypassGovernance && e.Protect == ProtectGovernance {
			w.bypass, err = true, t.disposable(d, rightBypass)
		}
		if err != nil {
			return disposal{}, audit.Event{}, err
		}
		if err := t.deletionNeedsTwo(d, cond, w.bypass); err != nil {
			return disposal{}, audit.Event{}, err
		}
		return t.dispose(d, w)
	})
	if err != nil {
		return Certificate{}, Receipt{}, err
	}
	if receipt.Seq != 0 {
		gone.AuditHash = receipt.Hash
		v.settle(context.WithoutCancel(ctx), gone)
	}
	return gone.Certificate, receipt, nil
}

// deletionNeedsTwo guards a deletion by hand that nothing else forbids.
func (t *tx) deletionNeedsTwo(d *document, cond Condition, bypasses bool) error {
	call := &documentDelete{d.ID, cond.IfMatch, cond.BypassGovernance, check.Trim(cond.Reason)}
	if bypasses {
		if err := t.needsTwo(CoveredGovernanceBypass, call); err != nil {
			return err
		}
	}
	return t.needsTwo(CoveredDocumentDelete, call)
}

// checkReason looks at why a document is deleted; to bypass governance it must
// be said.
func (c *Condition) checkReason() error {
	var wrong checks
	wrong.Prose("reason", c.Reason, check.MaxComment)
	if c.BypassGovernance && check.Trim(c.Reason) == "" {
		wrong.Fail("reason", "must say why the protection of the policy is bypassed")
	}
	return wrong.err()
}

// warrant is by what right a document is disposed of, and on whose account.
type warrant struct {
	right           Right
	policyID, runID string // of retention
	erasureID       string // of an erasure
	bypass          bool   // of the protection of a policy of governance
	reason          string // "": none was given
}

// tell adds to the facts of an entry what the warrant says.
func (w *warrant) tell(facts audit.Facts) {
	for name, value := range map[string]string{"policy": w.policyID, "run": w.runID, "erasure": w.erasureID} {
		if value != "" {
			facts[name] = audit.Text(value)
		}
	}
	if w.bypass {
		facts["bypass"] = audit.Text("true")
	}
}

// disposal is a certificate, and the bytes that may now be litter.
type disposal struct {
	Certificate
	left   bool // its versions are there yet: see clear
	litter []Digest
}

// settle removes after the commit what a document leaves: its versions, if they
// were too many, and its bytes. What it cannot do now, Sweep does later.
func (v *Vault) settle(ctx context.Context, gone disposal) error {
	if gone.left {
		of, _ := store.ParseID(gone.DocumentID)
		if err := v.clear(ctx, of); err != nil {
			return err
		}
	}
	return v.purge(ctx, gone.litter...)
}

// dispose leaves tombstone and certificate in a document's place. The rest is
// settled after the commit.
func (t *tx) dispose(d *document, w warrant) (disposal, audit.Event, error) {
	litter, err := t.dropScratchpads(d)
	if err != nil {
		return disposal{}, audit.Event{}, err
	}
	obligations, err := t.dropObligations(d)
	if err != nil {
		return disposal{}, audit.Event{}, err
	}
	c := Certificate{
		DocumentID: d.ID, DeletedAt: t.Now(), DeletedBy: t.actor.UserID, AuditSeq: t.Seq(),
		Right: w.right, PolicyID: w.policyID, ErasureID: w.erasureID,
	}
	left := d.VersionCount > clearAtOnce
	for number := uint64(1); number <= d.VersionCount; number++ {
		ver, err := t.version(d, number)
		if err != nil {
			return disposal{}, audit.Event{}, fmt.Errorf("%w: %s lacks version %d", errDamaged, d, number)
		}
		c.Versions = append(c.Versions, CertifiedVersion{ver.Number, ver.Digest, ver.Size, ver.Chain})
		if litter = append(litter, ver.Digest); ver.TextSize > 0 {
			litter = append(litter, ver.TextDigest)
		}
		if !left {
			t.dropVersion(d.id, ver)
		}
	}
	t.Delete(bucketSnapshots, d.id[:])
	if d.ExternalID != "" {
		t.unlink(bucketExternals, externalKeys(d.ExternalID), d.id)
	}
	tombstone := &document{id: d.id, deleted: true, Document: Document{
		ID: d.ID, VersionCount: d.VersionCount, Revision: d.Revision, CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy,
	}, restricted: d.restricted, deferred: d.deferred}
	if w.right != RightErasure { // whose next step would take it away
		tombstone.Name = d.Name
	}
	t.changes(tombstone)
	t.store(d, tombstone, grant{}) // no stamp: what is gone needs none
	t.Put(bucketCertificates, d.id[:], c.encode())
	c.Revision = tombstone.Revision
	last := c.Versions[len(c.Versions)-1]
	facts := audit.Facts{
		"right": audit.Text(string(w.right)), "versions": audit.Number(uint64(len(c.Versions))),
		"chain": audit.Text(last.Chain.String()), "certificate": audit.Text(c.digest()),
	}
	if obligations > 0 {
		facts["obligations"] = audit.Number(obligations)
	}
	w.tell(facts)
	detail := detailMembers{}
	detail.text("reason", w.reason)
	detail.text("name", tombstone.Name)
	return disposal{c, left, litter}, audit.Event{
		Op: audit.OpDocumentDeleted, Document: d.ID, Version: last.Number, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// Certificate returns the deletion certificate of a document.
// ErrCertificateNotFound if it was not deleted, or never was.
func (v *Vault) Certificate(ctx context.Context, documentID string) (Certificate, error) {
	return view(v, func(t *tx) (Certificate, error) {
		d, err := t.document(documentID)
		if errors.Is(err, ErrDocumentNotFound) {
			err = ErrCertificateNotFound
		}
		if err != nil {
			return Certificate{}, err
		}
		return t.certificate(d.id)
	})
}

func (t *tx) certificate(doc id) (Certificate, error) {
	b := t.Get(bucketCertificates, doc[:])
	if b == nil {
		return Certificate{}, ErrCertificateNotFound
	}
	c, err := decodeCertificate(doc, b)
	if err != nil {
		return Certificate{}, err
	}
	d, err := t.documentAt(doc)
	if err != nil {
		return Certificate{}, err
	}
	c.Revision = d.Revision
	c.AuditHash, err = t.entryHash(c.AuditSeq)
	return c, err
}

// purge unlinks bytes that no version needs. It holds the lock that uploads
// share, one unlink at a time, so nobody can come to need them in between; and
// it writes nothing to rows.db. What it cannot do now, Sweep does later, and what
// a running backup holds, that does when it ends.
func (v *Vault) purge(ctx context.Context, digests ...Digest) error {
	for _, d := range digests {
		if err := v.purgeOne(ctx, d); err != nil {
			v.litter.Store(true)
			return err
		}
	}
	return nil
}

func (v *Vault) purgeOne(ctx context.Context, d Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.bytes.Lock()
	defer v.bytes.Unlock()
	needed, err := view(v, func(t *tx) (bool, error) { return t.needed(d), nil })
	if err != nil || !needed && v.pins.hold(d) {
		return err
	}
	if !needed {
		err = v.blobs.Remove(d)
	}
	if err != nil && !v.refused(d, err) {
		return fmt.Errorf("purge %s: %w", d, err)
	}
	if err == nil {
		v.pins.settled(d)
	}
	return nil
}

func (t *tx) needed(d Digest) bool {
	k, _ := t.Cursor(bucketRefs).Seek(d[:])
	return bytes.HasPrefix(k, d[:])
}

// tidyBatch is how many blobs are looked up in one transaction.
const tidyBatch = 1_000

// tidy looks at every blob and purges those nobody needs: what a crash left
// between placing bytes and recording them, or between a deletion and its
// unlinking. Before that it removes the versions that one left: they need bytes.
func (v *Vault) tidy(ctx context.Context) error {
	v.litter.Store(false) // whoever leaves litter from now on says so anew
	if _, err := v.clearLeft(ctx); err != nil {
		return err
	}
	var batch []Digest
	flush := func() error {
		litter, err := view(v, func(t *tx) ([]Digest, error) {
			var unneeded []Digest
			for _, d := range batch {
				if !t.needed(d) {
					unneeded = append(unneeded, d)
				}
			}
			return unneeded, nil
		})
		batch = batch[:0]
		if err != nil {
			return err
		}
		return v.purge(ctx, litter...)
	}
	err := v.blobs.Each(ctx, func(d blobstore.Digest, _ int64) error {
		if batch = append(batch, d); len(batch) < tidyBatch {
			return nil
		}
		return flush()
	})
	if err == nil || errors.Is(err, blobstore.ErrForeign) {
		err = flush() // files that are not ours are for Verify to report
	}
	if err != nil {
		v.litter.Store(true)
	}
	return err
}
