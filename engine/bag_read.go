package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/bag"
)

// What a bag is told of a document. The members of these structs are what the
// reader of a bag finds in its JSON; they are named as in the API.

type baggedDocument struct {
	ID           string         `json:"id"`
	ExternalID   string         `json:"externalId"`
	Name         string         `json:"name"`
	Path         string         `json:"path"`
	Category     string         `json:"category"`
	Description  string         `json:"description"`
	OwnerID      string         `json:"ownerId"`
	OwnerName    string         `json:"ownerName"`
	Tags         []string       `json:"tags"`
	CustomFields map[string]any `json:"customFields"`
	Status       Status         `json:"status"`
	Archived     bool           `json:"archived"`
	Restricted   bool           `json:"restricted"`
	Product      string         `json:"product"`
	TemplateID   string         `json:"templateId"`
	AgreementID  string         `json:"agreementId"`
	VersionCount uint64         `json:"versionCount"`
	HoldCount    uint64         `json:"holdCount"`
	CreatedAt    string         `json:"createdAt"`
	CreatedBy    string         `json:"createdBy"`
	CreatedName  string         `json:"createdByName"`
	UpdatedAt    string         `json:"updatedAt"`
	UpdatedBy    string         `json:"updatedBy"`
	UpdatedName  string         `json:"updatedByName"`
	Revision     uint64         `json:"revision"`
	AuditSeq     uint64         `json:"auditSeq"`
}

type baggedVersion struct {
	Number        uint64     `json:"number"`
	Digest        Digest     `json:"digest"`
	Size          int64      `json:"size"`
	MediaType     string     `json:"mediaType"`
	FileName      string     `json:"fileName"`
	Comment       string     `json:"comment"`
	Label         string     `json:"label"`
	CreatedAt     string     `json:"createdAt"`
	CreatedBy     string     `json:"createdBy"`
	CreatedName   string     `json:"createdByName"`
	PreviousChain audit.Hash `json:"previousChain"`
	Chain         audit.Hash `json:"chain"`
	Current       bool       `json:"current"`
	Discarded     bool       `json:"discarded"`
	File          string     `json:"file"`              // in the bag; "": it is not there
	Problem       string     `json:"problem,omitempty"` // with its bytes
}

type baggedHold struct {
	ID            string     `json:"id"`
	Matter        string     `json:"matter"`
	Reason        string     `json:"reason"`
	Status        HoldStatus `json:"status"`
	PlacedAt      string     `json:"placedAt"`
	PlacedBy      string     `json:"placedBy"`
	PlacedName    string     `json:"placedByName"`
	ReleasedAt    string     `json:"releasedAt"`
	ReleasedBy    string     `json:"releasedBy"`
	ReleaseReason string     `json:"releaseReason"`
}

type baggedObligation struct {
	ID          string           `json:"id"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	DueDate     Due              `json:"dueDate"`
	Status      ObligationStatus `json:"status"`
	OwnerID     string           `json:"ownerId"`
	OwnerName   string           `json:"ownerName"`
	Recurrence  Recurrence       `json:"recurrence"`
	CompletedAt string           `json:"completedAt"`
	Note        string           `json:"note"`
}

type baggedCertificate struct {
	DocumentID string            `json:"documentId"`
	DeletedAt  string            `json:"deletedAt"`
	DeletedBy  string            `json:"deletedBy"`
	Right      Right             `json:"right"`
	PolicyID   string            `json:"policyId"`
	ErasureID  string            `json:"erasureId"`
	AuditSeq   uint64            `json:"auditSeq"`
	AuditHash  audit.Hash        `json:"auditHash"`
	Versions   []baggedCertified `json:"versions"`
}

type baggedCertified struct {
	Number uint64     `json:"number"`
	Digest Digest     `json:"digest"`
	Size   int64      `json:"size"`
	Chain  audit.Hash `json:"chain"`
}

// bagged is one document, read in one transaction, but for its versions.
type bagged struct {
	Document    baggedDocument     `json:"document"`
	Versions    []baggedVersion    `json:"versions"`
	Holds       []baggedHold       `json:"holds"`
	Obligations []baggedObligation `json:"obligations"`
	Certificate *baggedCertificate `json:"certificate,omitempty"`
}

// written spells a time, "" for none.
func written(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return audit.FormatTime(at)
}

// bagged reads a document. names are of those people who were met.
func (t *tx) bagged(doc id, names people) (*bagged, error) {
	d, err := t.documentAt(doc)
	if err != nil {
		return nil, err
	}
	b := &bagged{Versions: []baggedVersion{}, Holds: []baggedHold{}, Obligations: []baggedObligation{}, Document: baggedDocument{
		ID: d.ID, ExternalID: d.ExternalID, Name: d.Name, Path: d.Path, Category: d.Category, Description: d.Description,
		OwnerID: d.OwnerID, OwnerName: names.of(t, d.OwnerID), Tags: append([]string{}, d.Tags...), CustomFields: d.CustomFields,
		Status: d.Document.Status, Archived: d.Archived, Restricted: d.Restricted, Product: d.Product, TemplateID: d.TemplateID, AgreementID: d.AgreementID,
		VersionCount: d.VersionCount, HoldCount: d.HoldCount, CreatedAt: written(d.CreatedAt), CreatedBy: d.CreatedBy, CreatedName: names.of(t, d.CreatedBy),
		UpdatedAt: written(d.UpdatedAt), UpdatedBy: d.UpdatedBy, UpdatedName: names.of(t, d.UpdatedBy), Revision: d.Revision, AuditSeq: d.AuditSeq,
	}}
	for _, key := range t.holdsOf(doc) {
		h, err := t.hold(key.String())
		if err != nil {
			return nil, err
		}
		b.Holds = append(b.Holds, baggedHold{h.ID, h.Matter, h.Reason, h.Status, written(h.PlacedAt), h.PlacedBy, names.of(t, h.PlacedBy), written(h.ReleasedAt), h.ReleasedBy, h.ReleaseReason})
	}
	for _, key := range t.obligationsOf(doc) {
		o, err := t.obligation(key.String())
		if err != nil {
			return nil, err
		}
		shown, err := t.showObligation(o)
		if err != nil {
			return nil, err
		}
		b.Obligations = append(b.Obligations, baggedObligation{o.ID, o.Title, o.Description, o.DueDate, shown.Status, o.OwnerID, shown.OwnerName, o.Recurrence, written(o.CompletedAt), o.Note})
	}
	if !d.deleted {
		return b, nil
	}
	c, err := t.certificate(doc)
	if err != nil {
		return nil, err
	}
	b.Certificate = &baggedCertificate{c.DocumentID, written(c.DeletedAt), c.DeletedBy, c.Right, c.PolicyID, c.ErasureID, c.AuditSeq, c.AuditHash, nil}
	for _, ver := range c.Versions {
		b.Certificate.Versions = append(b.Certificate.Versions, baggedCertified(ver))
	}
	return b, nil
}

// people are the names of users by id, so many at most.
type people map[string]string

const maxPeople = 10_000

func (p people) of(t *tx, userID string) string {
	name, known := p[userID]
	if known {
		return name
	}
	if u, err := t.user(userID); err == nil {
		name = u.Name
	}
	if len(p) < maxPeople {
		p[userID] = name
	}
	return name
}

// versionsFrom reads some versions of a document from a number on, as far as another.
// A document that was deleted meanwhile has none.
func (v *Vault) versionsFrom(doc id, number, last uint64, names people) (versions []baggedVersion, err error) {
	_, err = view(v, func(t *tx) (struct{}, error) {
		d, err := t.liveDocument(doc.String())
		for ; err == nil && number <= min(last, d.VersionCount) && len(versions) < maxLimit; number++ {
			var ver *Version
			if ver, err = t.version(d, number); err == nil {
				versions = append(versions, baggedVersion{
					Number: ver.Number, Digest: ver.Digest, Size: ver.Size, MediaType: ver.MediaType, FileName: ver.FileName, Comment: ver.Comment, Label: ver.Label,
					CreatedAt: written(ver.CreatedAt), CreatedBy: ver.CreatedBy, CreatedName: names.of(t, ver.CreatedBy),
					PreviousChain: ver.PreviousChain, Chain: ver.Chain, Current: ver.Number == d.Current.Number, Discarded: ver.Discarded,
				})
			}
		}
		return struct{}{}, err
	})
	if errors.Is(err, ErrDocumentDeleted) {
		err = nil
	}
	return versions, err
}

// recordReads notes that versions are read, where the settings ask for it.
func (v *Vault) recordReads(ctx context.Context, actor Actor, doc id, versions []baggedVersion) error {
	s, err := v.Settings(ctx)
	if err != nil || !s.AuditReads || len(versions) == 0 {
		return err
	}
	steps := make([]func(*tx) (struct{}, audit.Event, error), len(versions))
	for i := range versions {
		number := versions[i].Number
		steps[i] = func(t *tx) (none struct{}, event audit.Event, err error) {
			event, err = t.download(doc.String(), number)
			if errors.Is(err, ErrDocumentNotFound) || errors.Is(err, ErrDocumentDeleted) {
				return none, audit.Event{}, nil
			}
			return none, event, err
		}
	}
	_, _, err = updateAll(v, ctx, actor, steps...)
	return err
}

// dirExports holds what exports that run keep aside. It is emptied when the vault is
// opened: a crash may leave something there.
const dirExports = "exports"

// spool makes a file for what an export keeps aside. It has no name any more where
// the system allows that, so it goes with the process.
func (v *Vault) spool() (bag.Spool, error) {
	dir := filepath.Join(v.dir, dirExports)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("export: %w", err)
	}
	f, err := os.CreateTemp(dir, "*.tmp")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	os.Remove(f.Name()) // if it cannot be yet, Close does it
	return spoolFile{f}, nil
}

type spoolFile struct{ *os.File }

func (f spoolFile) Close() error {
	err := f.File.Close()
	os.Remove(f.Name())
	return err
}

// pages is a reader of what comes in pages: fill returns the next, nil at the end.
type pages struct {
	fill func() ([]byte, error)
	page []byte
}

func (p *pages) Read(b []byte) (int, error) {
	for len(p.page) == 0 {
		page, err := p.fill()
		if err != nil {
			return 0, err
		}
		if page == nil {
			return 0, io.EOF
		}
		p.page = page
	}
	n := copy(b, p.page)
	p.page = p.page[n:]
	return n, nil
}

// entriesOf reads entries by their numbers, some in each transaction.
func (v *Vault) entriesOf(seqs []uint64) (entries []Entry, err error) {
	return view(v, func(t *tx) ([]Entry, error) {
		size := 0
		for _, seq := range seqs {
			if len(entries) == maxLimit || size >= maxPageBytes {
				break
			}
			e, err := t.entry(seq)
			if err != nil {
				return nil, err
			}
			size += len(e.Line) + len(e.Detail)
			entries = append(entries, e)
		}
		return entries, nil
	})
}

// seqSet is a set of numbers of entries: a bit for each of the log's.
type seqSet []uint64

func (s *seqSet) add(seq uint64) {
	for uint64(len(*s)) <= seq/64 {
		*s = append(*s, 0)
	}
	(*s)[seq/64] |= 1 << (seq % 64)
}

// from returns members from a number on, so many at most.
func (s seqSet) from(seq uint64, most int) (members []uint64) {
	for ; seq/64 < uint64(len(s)) && len(members) < most; seq++ {
		if s[seq/64] == 0 {
			seq |= 63
		} else if s[seq/64]&(1<<(seq%64)) != 0 {
			members = append(members, seq)
		}
	}
	return members
}
