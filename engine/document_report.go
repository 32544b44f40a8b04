package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/fixity"
)

// IntegrityReport tells what the vault can show of a document, from reception to
// now, for those who examine archives. It is no claim of conformance with anything.
type IntegrityReport struct {
	JSON       []byte     // the report, in its exact bytes: one line, without a newline
	Digest     audit.Hash // the SHA-256 of these
	Signature  []byte     // a signed note of the log's key: see [audit.OpenText]
	Checkpoint Checkpoint // what the proofs in it are under
}

// The members of the report, as its reader finds them.
type (
	integrityReport struct {
		Title      string              `json:"title"`
		MadeAt     string              `json:"madeAt"`
		Vault      integrityVault      `json:"vault"`
		Document   integrityDocument   `json:"document"`
		Versions   []integrityVersion  `json:"versions"`
		Holds      []integrityHold     `json:"holds"`
		Protection integrityProtection `json:"protection"`
		Decisions  []integrityDecision `json:"decisions"`
		Events     []integrityEvent    `json:"events"`
		Checkpoint integrityCheckpoint `json:"checkpoint"`

		name string // that which details tell last; "": none does any more
	}
	integrityVault struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	integrityDocument struct {
		ID         string `json:"id"`
		Name       string `json:"name"` // of a deleted one that which it had; "": it was erased
		Status     Status `json:"status"`
		ReceivedAt string `json:"receivedAt"`
		ReceivedBy string `json:"receivedBy"`
		DeletedAt  string `json:"deletedAt"`
		DeletedBy  string `json:"deletedBy"`
		Right      Right  `json:"right"` // by which it was deleted
	}
	integrityVersion struct {
		Number    uint64     `json:"number"`
		Digest    string     `json:"digest"`
		Size      uint64     `json:"size"`
		MediaType string     `json:"mediaType"`
		FileName  string     `json:"fileName"`
		Current   bool       `json:"current"`
		Discarded bool       `json:"discarded"`
		CreatedAt string     `json:"createdAt"`
		CreatedBy string     `json:"createdBy"`
		Chain     string     `json:"chain"`
		Seq       uint64     `json:"seq"` // of the entry that made it
		Hash      audit.Hash `json:"hash"`
		Bytes     string     `json:"bytes"`  // what the last reading found: see bytesOf
		ReadAt    string     `json:"readAt"` // when that was; "": not since it came in
		Proof     string     `json:"proof"`  // a .tlog-proof of that entry
	}
	integrityHold struct {
		ID          string `json:"id"`
		PlacedAt    string `json:"placedAt"`
		PlacedBy    string `json:"placedBy"`
		PlacedSeq   uint64 `json:"placedSeq"`
		ReleasedAt  string `json:"releasedAt"`
		ReleasedBy  string `json:"releasedBy"`
		ReleasedSeq uint64 `json:"releasedSeq"`
	}
	integrityEvent struct {
		Seq     uint64          `json:"seq"`
		Time    string          `json:"time"`
		Op      audit.Op        `json:"op"`
		Actor   string          `json:"actor"`
		Version uint64          `json:"version"`
		Facts   json.RawMessage `json:"facts"`
		Hash    audit.Hash      `json:"hash"`
	}
	integrityCheckpoint struct {
		Origin string `json:"origin"`
		Size   int64  `json:"size"`
		Root   string `json:"root"`
		VKey   string `json:"vkey"`
		Note   string `json:"note"` // with its signatures
	}
)

// reportTitle is also the first line of what is signed.
const reportTitle = "strongroom integrity report"

// IntegrityReport makes the report of a document, deleted ones too, and signs it with
// the key of the log. All in it but the state of today is in the log. It tells no more
// than who reads the document may know. ErrDocumentNotFound, and the errors of
// Checkpoint.
func (v *Vault) IntegrityReport(ctx context.Context, documentID string) (IntegrityReport, error) {
	chain, err := v.chain(ctx, documentID, 0)
	if err != nil {
		return IntegrityReport{}, err
	}
	protection, err := v.newProtection(ctx)
	if err != nil {
		return IntegrityReport{}, err
	}
	r := &integrityReport{
		Title: reportTitle, MadeAt: audit.FormatTime(v.store.Clock.Now()), Vault: integrityVault{v.ID(), v.Name()},
		Versions: []integrityVersion{}, Holds: []integrityHold{}, Decisions: []integrityDecision{},
	}
	var lines [][]byte // of the entries that made the versions
	for i := len(chain) - 1; i >= 0; i-- {
		e, err := v.Entry(ctx, chain[i])
		if err != nil {
			return IntegrityReport{}, err
		}
		if err := protection.through(ctx, e.Seq); err != nil {
			return IntegrityReport{}, err
		}
		past, gone := told(&e)
		protection.document(&past, gone)
		if r.event(&e, &past) {
			lines = append(lines, e.Line[:len(e.Line)-1])
		}
		if err := ctx.Err(); err != nil {
			return IntegrityReport{}, err
		}
	}
	if err := protection.end(ctx); err != nil {
		return IntegrityReport{}, err
	}
	r.Protection.OverTime, r.Protection.Complete = protection.spans, protection.complete
	if _, err := view(v, func(t *tx) (struct{}, error) { return struct{}{}, t.report(r, documentID) }); err != nil {
		return IntegrityReport{}, err
	}
	return v.signReport(ctx, r, lines)
}

// event takes an entry about the document in. It says whether that made a version.
func (r *integrityReport) event(e *Entry, past *pastEntry) (version bool) {
	at := audit.FormatTime(e.Time)
	facts, _ := e.Facts.MarshalJSON() // they were read from a line, so they can be printed
	r.Events = append(r.Events, integrityEvent{e.Seq, at, e.Op, e.Actor, e.Version, facts, e.Hash})
	word := past.word
	if name, told := past.members["name"].(string); told {
		r.name = name
	}
	switch e.Op {
	case audit.OpDocumentArchived, audit.OpDocumentUnarchived, audit.OpDocumentDeleted:
		r.Decisions = append(r.Decisions, integrityDecision{e.Seq, at, e.Op, e.Actor, Right(word("right")), word("policy"), word("run"), word("bypass") == "true"})
	}
	switch e.Op {
	case audit.OpDocumentCreated, audit.OpDocumentVersionAdded:
		r.Versions = append(r.Versions, integrityVersion{
			Number: e.Version, Digest: word("digest"), Size: past.number("size"), MediaType: word("mediaType"), FileName: past.text("fileName"), CreatedAt: at, CreatedBy: e.Actor,
			Chain: word("chain"), Seq: e.Seq, Hash: e.Hash, Bytes: "deleted",
		})
		return true
	case audit.OpHoldPlaced:
		r.Holds = append(r.Holds, integrityHold{ID: word("hold"), PlacedAt: at, PlacedBy: e.Actor, PlacedSeq: e.Seq})
	case audit.OpHoldReleased:
		for i := range r.Holds {
			if h := &r.Holds[i]; h.ID == word("hold") {
				h.ReleasedAt, h.ReleasedBy, h.ReleasedSeq = at, e.Actor, e.Seq
			}
		}
	case audit.OpDocumentDeleted:
		r.Document.DeletedAt, r.Document.DeletedBy, r.Document.Right = at, e.Actor, Right(word("right"))
	case audit.OpErasureCompleted: // maybe of a part of it: the rest goes too
		r.forget()
	}
	return false
}

// told reads an entry with its detail. gone says that it had one, which is erased, or is
// not that of which the entry tells.
func told(e *Entry) (past pastEntry, gone bool) {
	past.Entry = e.Entry
	switch {
	case e.Entry.Detail.IsZero():
		return past, false
	case len(e.Salt) != 16 || audit.DetailHash([16]byte(e.Salt), e.Detail) != e.Entry.Detail:
		return past, true
	}
	return past, past.read(e.Detail) != nil
}

// forget forgets the names that an erasure erases.
func (r *integrityReport) forget() {
	r.name = ""
	for i := range r.Versions {
		r.Versions[i].FileName = ""
	}
}

// report adds what holds today.
func (t *tx) report(r *integrityReport, documentID string) error {
	d, err := t.document(documentID)
	if err != nil {
		return err
	}
	r.Document.ID, r.Document.Name, r.Document.Status = d.ID, d.Name, d.Status
	if len(r.Versions) > 0 {
		r.Document.ReceivedAt, r.Document.ReceivedBy = r.Versions[0].CreatedAt, r.Versions[0].CreatedBy
	}
	if d.deleted {
		r.Document.Status = StatusDeleted
		if r.Events[len(r.Events)-1].Seq != d.AuditSeq { // it may have been erased since the entries were read
			r.forget()
		}
		if d.Name == "" { // in the log it may still be: it was deleted before tombstones had names
			r.Document.Name = r.name
		}
		return nil
	}
	fate, err := t.explain(d)
	if err != nil {
		return err
	}
	r.Protection.Protect = fate.Protected
	if !fate.ProtectedUntil.IsZero() {
		r.Protection.Until = audit.FormatTime(fate.ProtectedUntil)
	}
	for i := range r.Versions {
		of := &r.Versions[i]
		ver, err := t.version(d, of.Number)
		if err != nil {
			return err
		}
		of.FileName, of.Current, of.Discarded = ver.FileName, of.Number == d.Current.Number, ver.Discarded
		of.Bytes, of.ReadAt = t.v.bytesOf(ver)
	}
	return nil
}

// bytesOf is what the last reading of a version's bytes found, and when it was: whole,
// "received" while they were not read since they came in, when their digest was worked
// out, or what is wrong with them.
func (v *Vault) bytesOf(ver *Version) (found, at string) {
	read, wrong := v.scrub.Last(fixity.Digest(ver.Digest))
	switch at = audit.FormatTime(read.Truncate(time.Millisecond)); {
	case wrong != nil:
		return wrong.Problem, at
	case !read.After(ver.CreatedAt):
		return "received", ""
	}
	return "whole", at
}

// signReport adds the proofs, and signs.
func (v *Vault) signReport(ctx context.Context, r *integrityReport, lines [][]byte) (IntegrityReport, error) {
	if err := v.takeTurn(ctx); err != nil {
		return IntegrityReport{}, err
	}
	defer v.signing.leave()
	if len(r.Versions) == 0 {
		return IntegrityReport{}, fmt.Errorf("%w: no entry made document %s", errDamaged, r.Document.ID)
	}
	under, err := v.covering(ctx, r.Events[len(r.Events)-1].Seq)
	if err != nil {
		return IntegrityReport{}, err
	}
	for i := range r.Versions {
		proof, err := v.proveInTurn(ctx, under, r.Versions[i].Seq, lines[i])
		if err != nil {
			return IntegrityReport{}, err
		}
		r.Versions[i].Proof = string(proof.Marshal())
	}
	r.Checkpoint = integrityCheckpoint{under.Origin, under.Size, under.Root.String(), under.Verifier, string(under.Note)}
	key, err := v.signKey(ctx)
	if err == nil {
		err = v.contradicted(key.Verifier())
	}
	if err != nil {
		return IntegrityReport{}, err
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(r); err != nil {
		return IntegrityReport{}, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	sum := sha256.Sum256(text)
	signature, err := key.SignText(fmt.Sprintf("%s\n%s\n%s\nsha256:%s\n", reportTitle, r.Document.ID, r.MadeAt, hex.EncodeToString(sum[:])))
	if err != nil {
		return IntegrityReport{}, errors.Join(errDamaged, err)
	}
	return IntegrityReport{text, sum, signature, under}, nil
}
