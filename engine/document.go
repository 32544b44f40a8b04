package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// Status is what people see of a document's state.
type Status string

const (
	StatusActive    Status = "active"     // none of the others
	StatusArchived  Status = "archived"   // and not held
	StatusLegalHold Status = "legal_hold" // archived or not
	StatusDeleted   Status = "deleted"    // its tombstone is left
	StatusAll       Status = "all"        // of a query: any of these
)

// Document is a document with its current version. Of a deleted one only the
// identity, the name until it is erased, the counts, and when and by whom it was made and deleted
// (UpdatedAt, UpdatedBy) are left; Current is nil then.
type Document struct {
	ID           string
	ExternalID   string
	Name         string
	Category     string
	Description  string
	OwnerID      string
	Tags         []string       // sorted
	CustomFields map[string]any // string, json.Number or bool
	Status       Status         // deleted, else legal_hold, else archived, else active
	Archived     bool           // also under a legal hold
	Product      string
	TemplateID   string
	AgreementID  string
	Path         string // the folder it lies in; "": none
	Current      *Version
	VersionCount uint64
	HoldCount    uint64
	Lock         *Lock // the live one, without its token; nil if there is none
	// EditProtected: it takes a password to lock the document.
	EditProtected bool
	// Restricted: only admins and auditors see it, by hand or while its erasure is
	// deferred and the setting RestrictDeferred is on.
	Restricted bool
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string
	Revision   uint64 // counts changes of metadata, versions and archived state
	AuditSeq   uint64 // the last entry about the document, of any kind
}

// document is a Document as stored; deleted makes it a tombstone.
type document struct {
	Document
	id       id
	deleted  bool
	fence    uint64          // of the last lock, or its breaking
	lease    *lease          // the last lock, if it was not released; see live
	password secret.Password // the edit password; "": none
	// holds has an entry for each matter it was ever held for; see recount.
	holds []matterHolds
	// retainUntil is the end of a period of compliance that it has left; see retain.
	retainUntil time.Time
	// confirmed are the custom fields with a date that an admin has set, or has sent
	// again, sorted; see confirm.
	confirmed []string
	// restricted: by hand. deferred: an erasure of it is, until it is done: who deletes
	// the document before leaves its name and its details.
	restricted, deferred bool
}

func (d *document) state() string {
	switch {
	case d.deleted:
		return stateDeleted
	case d.Archived && d.HoldCount > 0:
		return stateArchivedHeld
	case d.Archived:
		return stateArchived
	case d.HoldCount > 0:
		return stateLiveHeld
	}
	return stateLive
}

func (d *document) status() Status {
	switch {
	case d.deleted:
		return StatusDeleted
	case d.HoldCount > 0:
		return StatusLegalHold
	case d.Archived:
		return StatusArchived
	}
	return StatusActive
}

// clone is deep enough to be changed and compared with the original.
func (d *document) clone() *document {
	c := *d
	c.Tags = slices.Clone(d.Tags)
	c.CustomFields = maps.Clone(d.CustomFields)
	c.holds = slices.Clone(d.holds)
	c.confirmed = slices.Clone(d.confirmed)
	if d.Current != nil {
		current := *d.Current
		c.Current = &current
	}
	if d.lease != nil {
		l := *d.lease
		c.lease = &l
	}
	return &c
}

// NFC returns text in the form in which a vault keeps, and compares, tags, names,
// paths, e-mail addresses, external ids and custom values: Unicode's canonical
// composition. It is for who compares with them what came from elsewhere.
func NFC(s string) string { return check.NFC(s) }

// Document returns a document. ErrDocumentNotFound; *DeletedError once deleted.
func (v *Vault) Document(ctx context.Context, documentID string) (Document, error) {
	return view(v, func(t *tx) (Document, error) {
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Document{}, err
		}
		return d.Document, nil
	})
}

// document returns a document or its tombstone, if who asks may see it.
func (t *tx) document(documentID string) (*document, error) {
	key, ok := store.ParseID(documentID)
	if !ok {
		return nil, ErrDocumentNotFound
	}
	b := t.Get(bucketDocuments, key[:])
	if b == nil {
		return nil, ErrDocumentNotFound
	}
	d, err := t.decode(key, b)
	if err == nil && d.Restricted && t.partial() {
		return nil, ErrDocumentNotFound // exactly as what does not exist
	}
	return d, err
}

// decode adds to a document what its record does not say: who holds it now.
func (t *tx) decode(key id, b []byte) (*document, error) {
	d, err := decodeDocument(key, b)
	if err != nil {
		return nil, err
	}
	if d.Restricted, err = t.restricts(d); err != nil || d.lease == nil {
		return d, err
	}
	d.Lock, err = t.lock(d)
	return d, err
}

func (t *tx) liveDocument(documentID string) (*document, error) {
	d, err := t.document(documentID)
	if err != nil || !d.deleted {
		return d, err
	}
	c, err := t.certificate(d.id)
	if err != nil {
		return nil, err
	}
	return nil, &DeletedError{c}
}

// writable is the guard of every change of a document: it is there, the actor
// may, nobody else holds its lock, and it is the revision the caller knows.
func (t *tx) writable(documentID string, required Access, c Condition) (*document, grant, error) {
	if err := t.may(required); err != nil {
		return nil, grant{}, err
	}
	d, err := t.liveDocument(documentID)
	if err != nil {
		return nil, grant{}, err
	}
	g, err := t.admitToken(d, c)
	if err != nil {
		return nil, grant{}, err
	}
	return d, g, c.IfMatch.check(d.Revision)
}

// store writes a document with the difference its index rows make. It is the one
// place through which every change of a document goes. old is the
// document before the change, nil for a new one; g is what the token grants that
// was shown for it. The entry that the running closure will have is linked to the
// one before, and tells of the stamp that is returned.
func (t *tx) store(old, d *document, g grant) stamp {
	kinds, unknown := t.kinds()
	d.forget()
	left, err := t.retain(old, d)
	left.confirms(old, d)
	t.Fail(errors.Join(unknown, err))
	var before, began [][]byte
	var prev uint64
	if old != nil {
		before, began, prev = indexRows(old), startRows(old, kinds), old.AuditSeq
	}
	t.Link(d.ID, prev)
	d.AuditSeq = t.Seq()
	left.window = g.slide(d, t.Now())
	t.putRows(bucketIndex, before, indexRows(d))
	t.putRows(bucketStarts, began, startRows(d, kinds))
	t.Put(bucketDocuments, d.id[:], d.encode())
	d.Status = d.status()
	restricted, err := t.restricts(d)
	d.Restricted = restricted
	t.Fail(err)
	if d.Lock = nil; d.lease != nil {
		lock, err := t.lock(d)
		d.Lock = lock
		t.Fail(err)
	}
	return left
}

// touch makes the entry of the running closure the document's last. Nothing of
// the document itself changes.
func (t *tx) touch(d *document) { t.store(d, d.clone(), grant{}) }

// putRows writes the difference between the rows of an index before a change and
// after it.
func (t *tx) putRows(bucket []byte, before, after [][]byte) {
	for _, row := range before {
		if !containsRow(after, row) {
			t.Delete(bucket, row)
		}
	}
	for _, row := range after {
		if !containsRow(before, row) {
			t.Put(bucket, row, nil)
		}
	}
}

func containsRow(rows [][]byte, row []byte) bool {
	return slices.ContainsFunc(rows, func(r []byte) bool { return bytes.Equal(r, row) })
}

// changes counts a change of metadata, versions or archived state.
func (t *tx) changes(d *document) {
	d.Revision++
	d.UpdatedAt, d.UpdatedBy = t.Now(), t.actor.UserID
}

// ArchiveDocument takes a document out of the default lists. It takes no more
// versions then and cannot be deleted by hand. It needs admin access. Archiving
// what is archived returns it as it is. *HeldError.
func (v *Vault) ArchiveDocument(ctx context.Context, actor Actor, documentID string, cond Condition) (Document, Receipt, error) {
	return v.setArchived(ctx, actor, documentID, cond, true)
}

// UnarchiveDocument undoes ArchiveDocument. It needs admin access. A document
// that is not archived is returned as it is.
func (v *Vault) UnarchiveDocument(ctx context.Context, actor Actor, documentID string, cond Condition) (Document, Receipt, error) {
	return v.setArchived(ctx, actor, documentID, cond, false)
}

func (v *Vault) setArchived(ctx context.Context, actor Actor, documentID string, cond Condition, archived bool) (Document, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
		old, g, err := t.writable(documentID, AccessAdmin, cond)
		if err != nil {
			return Document{}, audit.Event{}, err
		}
		return t.setArchived(old, archived, g)
	})
}

func (t *tx) setArchived(old *document, archived bool, g grant) (Document, audit.Event, error) {
	if old.Archived == archived {
		return old.Document, audit.Event{}, nil
	}
	if t.inScratchpad(old) {
		return Document{}, audit.Event{}, fmt.Errorf("%w: its scratchpad is open; save or drop it first", ErrLockState)
	}
	if err := old.unheld(); archived && err != nil {
		return Document{}, audit.Event{}, err
	}
	d, event := t.archive(old, archived, g, warrant{})
	return d.Document, event, nil
}

// ArchiveDocuments archives at most MaxBulk documents, in order, or takes them out
// of the archive. It needs admin access. Each stands alone, and a dry run writes
// nothing, as in UpdateDocuments. *InvalidError for too many.
func (v *Vault) ArchiveDocuments(ctx context.Context, actor Actor, documentIDs []string, archived, dryRun bool) ([]DocumentOutcome, error) {
	if len(documentIDs) > MaxBulk {
		return nil, invalid("ids", "must be at most %d", MaxBulk)
	}
	outcomes := make([]DocumentOutcome, len(documentIDs))
	fns := make([]func(*tx) (audit.Event, error), len(documentIDs))
	for i, documentID := range documentIDs {
		out := &outcomes[i]
		fns[i] = func(t *tx) (audit.Event, error) {
			*out = DocumentOutcome{DocumentID: documentID}
			old, g, err := t.writable(documentID, AccessAdmin, Condition{})
			if err != nil {
				return audit.Event{}, err
			}
			out.DocumentID, out.Revision = old.ID, old.Revision
			d, event, err := t.setArchived(old, archived, g)
			out.landed(d, event, err, dryRun)
			return event, err
		}
	}
	return v.changeDocuments(ctx, actor, outcomes, fns, dryRun)
}

// archive archives a document or takes it out of the archive, on whose account
// the warrant says.
func (t *tx) archive(old *document, archived bool, g grant, w warrant) (*document, audit.Event) {
	d := old.clone()
	d.Archived = archived
	t.changes(d)
	facts := audit.Facts{"revision": audit.Number(d.Revision)}
	t.store(old, d, g).tell(facts)
	w.tell(facts)
	op := audit.OpDocumentUnarchived
	if archived {
		op = audit.OpDocumentArchived
	}
	return d, audit.Event{Op: op, Document: d.ID, Facts: facts}
}

func (d *document) String() string { return fmt.Sprintf("document %s", d.ID) }
