package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// ErasureStatus is how far an erasure, or a document of one, has come.
type ErasureStatus string

const (
	// ErasureRunning: there is something to be done that nothing stands in the
	// way of.
	ErasureRunning ErasureStatus = "running"
	// ErasureDeferred: what is left waits for the end of a hold, or of protection,
	// and then for a run of retention.
	ErasureDeferred ErasureStatus = "deferred"
	// ErasureCompleted: all is gone, and where it stood in rows.db has been
	// overwritten; where the vault is at home beyond this machine, nothing of it is left
	// there, and nobody can go back to a time before.
	ErasureCompleted ErasureStatus = "completed"
)

// Deferral is why a document is deferred, as entries spell it.
type Deferral string

const (
	DeferredHeld      Deferral = "held"      // it bears a legal hold
	DeferredProtected Deferral = "protected" // a policy of compliance protects it
	// DeferredRun: the hold or the protection has ended, or nothing but a clock that is
	// doubted stands in the way. The next run of retention that is not refused erases
	// the document. Only of a doubt does an entry spell it.
	DeferredRun Deferral = "run"
)

// Erasure is a request to erase documents, or a person, and what has become of
// it. It outlives what it erased: it is the proof.
type Erasure struct {
	ID          string
	Status      ErasureStatus
	UserID      string // who was erased; "": documents were
	LegalBasis  string
	Requester   string
	RequestedAt time.Time
	RequestedBy string
	Total       uint64 // documents
	Completed   uint64 // of them
	Deferred    uint64 // of them
	// Documents are in the order in which they were made. Lists leave them out.
	Documents []ErasedDocument
}

// ErasedDocument is how a document of an erasure stands.
type ErasedDocument struct {
	DocumentID string
	Status     ErasureStatus
	Why        Deferral  // of a deferred one; "" of any other
	Until      time.Time // when protection ends; zero: that cannot be told
}

// NewErasure asks for the erasure of documents, or of a user who is closed.
type NewErasure struct {
	DocumentIDs []string // MaxErased at most; deleted documents too
	UserID      string   // instead of documents
	LegalBasis  string   // required: by which law, or contract
	Requester   string   // required: who asked; it is kept, so a case number tells less than a name
}

// MaxErased is how many documents one erasure takes.
const MaxErased = 10_000

// erasure is an Erasure as stored.
type erasure struct {
	Erasure
	id         id
	seq        uint64 // of erasure.requested
	last       uint64 // the last erasure.completed of it
	userErased bool
}

// left is how many documents are not erased yet; of a user, 1 or 0.
func (e *erasure) left() uint64 {
	if e.UserID != "" && !e.userErased {
		return 1
	}
	return e.Total - e.Completed
}

// status counts what was erased, and not yet overwritten, as running.
func (e *erasure) status(wiped uint64) ErasureStatus {
	switch left := e.left(); {
	case left > e.Deferred:
		return ErasureRunning
	case left > 0:
		return ErasureDeferred
	case e.last > wiped:
		return ErasureRunning
	}
	return ErasureCompleted
}

// RequestErasure notes what is to be erased, and returns at once; Sweep, which
// Due calls for, erases it. It needs admin access.
//
// Retention and protection by governance do not stand in the way, nor does a
// lock. A legal hold and protection by compliance do: the document is deferred,
// and erased by the first run of retention after they have ended. *InvalidError for what is
// no document, and for a user who is not closed; *NeedsTwoError.
func (v *Vault) RequestErasure(ctx context.Context, actor Actor, n NewErasure) (Erasure, Receipt, error) {
	n.LegalBasis, n.Requester = check.Trim(n.LegalBasis), check.Trim(n.Requester)
	if err := n.check(); err != nil {
		return Erasure{}, Receipt{}, err
	}
	made, receipt, err := update(v, ctx, actor, func(t *tx) (*erasure, audit.Event, error) {
		if err := t.erasureNeedsTwo(n); err != nil {
			return nil, audit.Event{}, err
		}
		return t.requestErasure(n)
	})
	if err != nil {
		return Erasure{}, Receipt{}, err
	}
	v.signalDue()
	e, err := v.Erasure(ctx, made.ID)
	return e, receipt, err
}

// PreviewErasure answers as RequestErasure does, with how each document would stand,
// and writes nothing: what it returns has no id. A user, and what is not deferred,
// is running. It needs admin access, and refuses what RequestErasure does.
func (v *Vault) PreviewErasure(ctx context.Context, actor Actor, n NewErasure) (Erasure, error) {
	n.LegalBasis, n.Requester = check.Trim(n.LegalBasis), check.Trim(n.Requester)
	if err := n.check(); err != nil {
		return Erasure{}, err
	}
	return view(v, func(t *tx) (Erasure, error) {
		if err := t.admit(actor); err != nil {
			return Erasure{}, err
		}
		if err := t.may(AccessAdmin); err != nil {
			return Erasure{}, err
		}
		subjects, err := t.erasable(n)
		if err != nil {
			return Erasure{}, err
		}
		subjects = inOrder(subjects)
		e := &erasure{Erasure: Erasure{
			LegalBasis: n.LegalBasis, Requester: n.Requester, RequestedAt: t.Now(), RequestedBy: t.actor.UserID, Documents: []ErasedDocument{},
		}}
		if n.UserID != "" {
			e.UserID = subjects[0].String()
			e.Status = e.status(0)
			return e.Erasure, nil
		}
		e.Total = uint64(len(subjects))
		for _, doc := range subjects {
			shown, err := t.showErasing(doc)
			if err != nil {
				return Erasure{}, err
			}
			if shown.Status == ErasureDeferred {
				e.Deferred++
			}
			e.Documents = append(e.Documents, shown)
		}
		e.Status = e.status(0)
		return e.Erasure, nil
	})
}

// erasureNeedsTwo guards an erasure that could be asked for.
func (t *tx) erasureNeedsTwo(n NewErasure) error {
	if err := t.may(AccessAdmin); err != nil {
		return err
	}
	if _, err := t.erasable(n); err != nil {
		return err
	}
	return t.needsTwo(CoveredErasure, &erasureRequest{n.DocumentIDs, n.UserID, n.LegalBasis, n.Requester})
}

func (n *NewErasure) check() error {
	var c checks
	c.Required("legalBasis", n.LegalBasis, check.MaxComment)
	c.Required("requester", n.Requester, check.MaxShort)
	switch {
	case n.UserID != "" && n.DocumentIDs != nil:
		c.Fail("userId", "must not be given together with documents; ask for two erasures")
	case n.UserID == "" && len(n.DocumentIDs) == 0:
		c.Fail("documentIds", "must name a document at least")
	case len(n.DocumentIDs) > MaxErased:
		c.Fail("documentIds", "must be at most %d", MaxErased)
	}
	return c.err()
}

func (t *tx) requestErasure(n NewErasure) (*erasure, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return nil, audit.Event{}, err
	}
	subjects, err := t.erasable(n)
	if err != nil {
		return nil, audit.Event{}, err
	}
	key, err := t.NewID()
	if err != nil {
		return nil, audit.Event{}, err
	}
	e := &erasure{id: key, Erasure: Erasure{LegalBasis: n.LegalBasis, Requester: n.Requester}}
	if n.UserID != "" {
		e.UserID = subjects[0].String()
	}
	event := t.addErasure(e, subjects)
	event.Detail = encodeDetail(map[string]any{"legalBasis": n.LegalBasis, "requester": n.Requester})
	return e, event, nil
}

// erasable returns the documents, or the user.
func (t *tx) erasable(n NewErasure) ([]id, error) {
	var c checks
	if n.UserID != "" {
		u, err := t.user(n.UserID)
		if errors.Is(err, ErrUserNotFound) {
			c.Fail("userId", "must be the id of a user of this vault")
		} else if err != nil {
			return nil, err
		} else if u.Status != UserClosed {
			c.Fail("userId", "must be a user who is closed; close the user first")
		}
		key, _ := store.ParseID(n.UserID)
		return []id{key}, c.err()
	}
	subjects := make([]id, len(n.DocumentIDs))
	for i, documentID := range n.DocumentIDs {
		key, ok := store.ParseID(documentID)
		if !ok || t.Get(bucketDocuments, key[:]) == nil {
			c.Fail(fmt.Sprintf("documentIds[%d]", i), "must be the id of a document of this vault, deleted or not")
		}
		subjects[i] = key
	}
	return subjects, c.err()
}

// addErasure writes a new erasure with all that is to be done, in the order of ids.
func (t *tx) addErasure(e *erasure, subjects []id) audit.Event {
	subjects = inOrder(subjects)
	e.ID, e.RequestedAt, e.RequestedBy, e.seq = e.id.String(), t.Now(), t.actor.UserID, t.Seq()
	facts := audit.Facts{"erasure": audit.Text(e.ID)}
	if e.UserID != "" {
		facts["user"] = audit.Text(e.UserID)
	} else {
		e.Total = uint64(len(subjects))
	}
	facts["documents"] = audit.Number(e.Total)
	facts["subjects"] = digestOfSubjects(subjects)
	for _, subject := range subjects {
		t.Put(bucketErasing, erasureKey(e.id, subject), (&erasing{}).encode())
	}
	t.putErasure(e)
	return audit.Event{Op: audit.OpErasureRequested, Facts: facts}
}

// inOrder sorts what is to be erased, and has each once.
func inOrder(subjects []id) []id {
	slices.SortFunc(subjects, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(subjects)
}

// digestOfSubjects is the fact that binds what is to be erased, in its order.
func digestOfSubjects(subjects []id) audit.Value {
	var lines []byte
	for _, subject := range subjects {
		lines = append(append(lines, subject.String()...), '\n')
	}
	return digestOf(lines)
}

func (t *tx) putErasure(e *erasure) { t.Put(bucketErasures, e.id[:], e.encode()) }

func (t *tx) erasure(erasureID string) (*erasure, error) {
	key, ok := store.ParseID(erasureID)
	if !ok {
		return nil, ErrErasureNotFound
	}
	b := t.Get(bucketErasures, key[:])
	if b == nil {
		return nil, ErrErasureNotFound
	}
	return decodeErasure(key, b)
}

// Erasure returns one erasure with its documents. ErrErasureNotFound.
func (v *Vault) Erasure(ctx context.Context, erasureID string) (Erasure, error) {
	return view(v, func(t *tx) (Erasure, error) {
		e, err := t.erasure(erasureID)
		if err != nil {
			return Erasure{}, err
		}
		e.Status, e.Documents = e.status(v.overwritten()), []ErasedDocument{}
		if e.UserID != "" {
			return e.Erasure, nil
		}
		for doc := range t.subjects(bucketErased, e.id) {
			e.Documents = append(e.Documents, ErasedDocument{DocumentID: doc.String(), Status: ErasureCompleted})
		}
		for doc, value := range t.subjects(bucketErasing, e.id) {
			shown, err := t.showErasing(doc)
			if err != nil {
				return Erasure{}, err
			}
			left, err := decodeErasing(value)
			if err != nil {
				return Erasure{}, err
			}
			if left.deferred != 0 && shown.Status == ErasureRunning {
				shown.Status, shown.Why = ErasureDeferred, DeferredRun
			}
			e.Documents = append(e.Documents, shown)
		}
		slices.SortFunc(e.Documents, func(a, b ErasedDocument) int { return strings.Compare(a.DocumentID, b.DocumentID) })
		return e.Erasure, nil
	})
}

// subjects are the documents, or the user, of an erasure in one of its buckets.
func (t *tx) subjects(bucket []byte, of id) iter.Seq2[id, []byte] {
	return func(yield func(id, []byte) bool) {
		c := t.Cursor(bucket)
		for k, value := c.Seek(of[:]); bytes.HasPrefix(k, of[:]) && yield(id(k[len(of):]), value); k, value = c.Next() {
		}
	}
}

// allSubjects are those that are done, and those that are not, in the order of ids.
func (t *tx) allSubjects(of id) (all []id) {
	for _, bucket := range [][]byte{bucketErased, bucketErasing} {
		for subject := range t.subjects(bucket, of) {
			all = append(all, subject)
		}
	}
	slices.SortFunc(all, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// showErasing tells what stands in the way of a document's erasure now: it may
// be something else than when it was deferred.
func (t *tx) showErasing(doc id) (ErasedDocument, error) {
	shown := ErasedDocument{DocumentID: doc.String(), Status: ErasureRunning}
	d, err := t.documentAt(doc)
	if err != nil || d.deleted {
		return shown, err
	}
	why, until, err := deferral(t.disposable(d, RightErasure))
	if why != "" {
		shown.Status, shown.Why, shown.Until = ErasureDeferred, why, until
	}
	return shown, err
}

// deferral sorts out what forbids an erasure: what will end, with its end if
// that is known, or an error.
func deferral(forbidden error) (why Deferral, until time.Time, err error) {
	if _, held := errors.AsType[*HeldError](forbidden); held {
		return DeferredHeld, time.Time{}, nil
	}
	if retained, ok := errors.AsType[*RetainedError](forbidden); ok {
		return DeferredProtected, retained.Until, nil
	}
	if e, ok := errors.AsType[*UnavailableError](forbidden); ok && e.Reason == ReasonClock {
		return DeferredRun, time.Time{}, nil
	}
	return "", time.Time{}, forbidden
}

// Erasures lists erasures, without their documents, in the order in which they
// were asked for.
func (v *Vault) Erasures(ctx context.Context, p Paging) (Page[Erasure], error) {
	return view(v, func(t *tx) (Page[Erasure], error) {
		return idPage(t, bucketErasures, listErasures, p, func(at id, b []byte) (Erasure, error) {
			e, err := decodeErasure(at, b)
			if err != nil {
				return Erasure{}, err
			}
			e.Status = e.status(v.overwritten())
			return e.Erasure, nil
		})
	})
}
