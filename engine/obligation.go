package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// ObligationStatus is how an obligation stands now.
type ObligationStatus string

const (
	ObligationPending   ObligationStatus = "pending"   // it is open, and due later
	ObligationOverdue   ObligationStatus = "overdue"   // it is open, and was due
	ObligationCompleted ObligationStatus = "completed" // it was met
)

// Recurrence is how often an obligation comes back once it is met. "" is never.
type Recurrence string

const (
	RecurMonthly   Recurrence = "monthly"
	RecurQuarterly Recurrence = "quarterly" // every three months
	RecurYearly    Recurrence = "yearly"
)

// Obligation is something that somebody is to do because of a document.
type Obligation struct {
	ID           string
	Title        string
	Description  string
	DueDate      Due
	Status       ObligationStatus // as the clock has it when it is read
	OwnerID      string
	OwnerName    string
	DocumentID   string
	DocumentName string
	Recurrence   Recurrence // "": once
	CompletedAt  time.Time  // zero: it is not completed, and so the three below
	CompletedBy  string
	Note         string
	Evidence     *Evidence
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Revision     uint64
}

// Evidence names the version of a document that proves a completion.
type Evidence struct {
	DocumentID string
	Version    uint64
}

// NewObligation describes an obligation to be made. All but Description and
// Recurrence are required.
type NewObligation struct {
	Title       string
	Description string
	DueDate     Due
	OwnerID     string
	DocumentID  string
	Recurrence  Recurrence // "": once
}

// notReminded is the place of an obligation before its first reminder.
const notReminded = 1<<16 - 1

// obligation is an Obligation as stored. The names in it, and the status, are
// filled in when it is shown.
type obligation struct {
	Obligation
	id     id
	anchor Due    // what its recurrences are counted from
	next   string // the id of the one that recurs after it, if that was made
	// reminded is the last reminder that was logged, in days before it is due:
	// 0 that it is overdue, notReminded none.
	reminded uint64
}

// maxObligations bounds what is deleted with a document. Those that recur are
// made beyond it.
const maxObligations = 1_000

// CreateObligation makes an obligation, which is deleted with its document. It
// needs upload access. *InvalidError if there is no such document or owner, or
// if the document has 1,000 obligations already.
func (v *Vault) CreateObligation(ctx context.Context, actor Actor, n NewObligation) (Obligation, Receipt, error) {
	if err := n.check(); err != nil {
		return Obligation{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Obligation, audit.Event, error) {
		if err := t.may(AccessUpload); err != nil {
			return Obligation{}, audit.Event{}, err
		}
		o, err := t.newObligation(n)
		if err != nil {
			return Obligation{}, audit.Event{}, err
		}
		return t.addObligation(o)
	})
}

func (n *NewObligation) check() error {
	var c checks
	n.Title = check.Trim(n.Title)
	c.Required("title", n.Title, check.MaxName)
	c.Prose("description", n.Description, check.MaxDescription)
	if n.DueDate.IsZero() {
		c.Fail("dueDate", "%v", errDue)
	}
	if n.OwnerID == "" {
		c.Fail("ownerId", "must be the id of a user of this vault")
	}
	c.recurrence(n.Recurrence)
	return c.err()
}

func (c *checks) recurrence(r Recurrence) {
	if r != "" && periodOf(r) == 0 {
		c.Fail("recurrence", "must be monthly, quarterly or yearly, or empty for once")
	}
}

// periodOf is how many months a recurrence takes; 0 if it is none.
func periodOf(recurrence Recurrence) int {
	switch recurrence {
	case RecurMonthly:
		return 1
	case RecurQuarterly:
		return 3
	case RecurYearly:
		return 12
	}
	return 0
}

// newObligation asks the guards of an obligation to be made.
func (t *tx) newObligation(n NewObligation) (*obligation, error) {
	owner, err := t.owner(n.OwnerID)
	if err != nil {
		return nil, err
	}
	d, err := t.obliging("documentId", n.DocumentID)
	if err != nil {
		return nil, err
	}
	if len(t.obligationsOf(d.id)) >= maxObligations {
		return nil, invalid("documentId", "has %d obligations already, the most there may be; delete some first", maxObligations)
	}
	key, err := t.NewID()
	if err != nil {
		return nil, err
	}
	return &obligation{id: key, anchor: n.DueDate, Obligation: Obligation{
		Title: n.Title, Description: n.Description, DueDate: n.DueDate, OwnerID: owner, DocumentID: d.ID, Recurrence: n.Recurrence,
	}}, nil
}

// obliging returns a document that a body names.
func (t *tx) obliging(field, documentID string) (*document, error) {
	d, err := t.document(documentID)
	switch {
	case errors.Is(err, ErrDocumentNotFound) || err == nil && d.deleted:
		return nil, invalid(field, "must be the id of a document of this vault that is not deleted")
	case err != nil:
		return nil, err
	}
	return d, nil
}

// addObligation makes an obligation of what it is to be.
func (t *tx) addObligation(o *obligation) (Obligation, audit.Event, error) {
	o.ID, o.reminded = o.id.String(), notReminded
	o.CreatedAt, o.UpdatedAt, o.Revision = t.Now(), t.Now(), 1
	detail := detailMembers{}
	detail.text("title", o.Title)
	detail.text("description", o.Description)
	return t.storeObligation(nil, o, audit.Event{Op: audit.OpObligationCreated, Facts: o.facts(), Detail: encodeDetail(detail)})
}

// facts are what holds of an obligation from now on.
func (o *obligation) facts() audit.Facts {
	f := audit.Facts{
		"due": audit.Text(o.DueDate.String()), "obligation": audit.Text(o.ID), "owner": audit.Text(o.OwnerID),
		"recurrence": audit.Text(string(o.Recurrence)),
	}
	if o.anchor != o.DueDate {
		f["anchor"] = audit.Text(o.anchor.String())
	}
	return f
}

// storeObligation writes an obligation with the difference its index rows make;
// old is nil for a new one, o for one that goes. Its entry is about its document
// and stands in the document's chain; nothing else of the document changes.
func (t *tx) storeObligation(old, o *obligation, event audit.Event) (Obligation, audit.Event, error) {
	subject := o
	if o == nil {
		subject = old
	}
	d, err := t.liveDocument(subject.DocumentID)
	if err != nil {
		return Obligation{}, audit.Event{}, fmt.Errorf("obligation %s: %w", subject.ID, err)
	}
	shown, err := t.showObligation(subject)
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	t.putObligation(old, o)
	t.touch(d)
	event.Document = d.ID
	return shown, event, nil
}

func (t *tx) putObligation(old, o *obligation) {
	var before, after [][]byte
	if old != nil {
		before = dueRows(old)
	}
	if o != nil {
		after = dueRows(o)
		t.Put(bucketObligations, o.id[:], o.encode())
	} else {
		t.Delete(bucketObligations, old.id[:])
	}
	t.putRows(bucketDues, before, after)
}

// Obligation returns one obligation. ErrObligationNotFound.
func (v *Vault) Obligation(ctx context.Context, obligationID string) (Obligation, error) {
	return view(v, func(t *tx) (Obligation, error) {
		o, err := t.obligation(obligationID)
		if err != nil {
			return Obligation{}, err
		}
		return t.showObligation(o)
	})
}

func (t *tx) obligation(obligationID string) (*obligation, error) {
	key, ok := store.ParseID(obligationID)
	if !ok {
		return nil, ErrObligationNotFound
	}
	b := t.Get(bucketObligations, key[:])
	if b == nil {
		return nil, ErrObligationNotFound
	}
	o, err := decodeObligation(key, b)
	if err == nil && t.partial() && !t.seen(o.DocumentID) {
		return nil, ErrObligationNotFound
	}
	return o, err
}

// showObligation fills in what the record does not say.
func (t *tx) showObligation(o *obligation) (Obligation, error) {
	zone, err := t.zone()
	if err != nil {
		return Obligation{}, err
	}
	owner, err := t.user(o.OwnerID)
	if err != nil {
		return Obligation{}, fmt.Errorf("who owns obligation %s: %w", o.ID, err)
	}
	d, err := t.document(o.DocumentID)
	if err != nil {
		return Obligation{}, fmt.Errorf("what obligation %s is about: %w", o.ID, err)
	}
	shown := o.Obligation
	shown.OwnerName, shown.DocumentName = owner.Name, d.Name
	if shown.Evidence != nil && t.partial() && !t.seen(shown.Evidence.DocumentID) {
		shown.Evidence = nil
	}
	shown.Status = statusAt(t.Now(), o.DueDate, !o.CompletedAt.IsZero(), zone)
	return shown, nil
}

func statusAt(now time.Time, due Due, completed bool, zone *time.Location) ObligationStatus {
	switch {
	case completed:
		return ObligationCompleted
	case now.Before(due.ends(zone)):
		return ObligationPending
	}
	return ObligationOverdue
}

// changeable is the guard of every change of an obligation.
func (t *tx) changeable(obligationID string, m Match) (*obligation, error) {
	if err := t.may(AccessUpload); err != nil {
		return nil, err
	}
	o, err := t.obligation(obligationID)
	if err != nil {
		return nil, err
	}
	return o, m.check(o.Revision)
}

// revise returns the obligation as its next revision.
func (t *tx) revise(old *obligation) *obligation {
	o := *old
	o.Revision++
	o.UpdatedAt = t.Now()
	return &o
}

// DeleteObligation removes an obligation and returns it as it was. It needs
// upload access. ErrObligationNotFound.
func (v *Vault) DeleteObligation(ctx context.Context, actor Actor, obligationID string, cond Condition) (Obligation, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Obligation, audit.Event, error) {
		o, err := t.changeable(obligationID, cond.IfMatch)
		if err != nil {
			return Obligation{}, audit.Event{}, err
		}
		return t.storeObligation(o, nil, audit.Event{
			Op: audit.OpObligationDeleted, Facts: audit.Facts{"obligation": audit.Text(o.ID)},
		})
	})
}

// value is the zero Evidence for none.
func (e *Evidence) value() Evidence {
	if e == nil {
		return Evidence{}
	}
	return *e
}
