package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// erasing is what is left to be done for a document, or a user, of an erasure.
type erasing struct {
	deferred uint64 // seq of erasure.deferred; 0: it was not deferred
	next     uint64 // where to go on among the entries; 0: at the beginning
}

const (
	// eraseEntries is how many entries one mutation looks at for details to be
	// erased. A document with more has several, each with an entry erasure.completed
	// of its own: no detail is ever missing without a later one.
	eraseEntries = 500
	// eraseBatch is how many documents may share a transaction.
	eraseBatch = 16
)

// dueErasure is a document, or a user, to be erased now.
type dueErasure struct {
	of, subject id
	user        bool
	runID       string // of the run that found its deferral ended; "": it was not deferred
	// again: it was erased before, in a vault of which this is an earlier state,
	// and nothing stands in the way.
	again bool
}

// erase does what erasures have left to do, but what was deferred: that is a
// run's (see eraseDeferred). What stands in erasing is the only plan: a crash at
// any point leaves there what is left, and the next sweep goes on with it. A vault
// that is paused, as it is after it was restored, destroys nothing by itself:
// holds may be lost that the log tells of.
func (v *Vault) erase(ctx context.Context) error {
	if s, err := v.Settings(ctx); err != nil || s.Paused {
		return err
	}
	return v.eraseDue(ctx, (*tx).freshErasure)
}

// eraseDeferred completes, as part of a run of retention, what was deferred and
// has no longer to wait. The end of a hold disposes of nothing by itself, and the
// end of protection is told by a clock that a run has to trust. A paused vault
// keeps it for a later run: the one at hand may have begun before the backup that
// the vault was restored from.
func (v *Vault) eraseDeferred(ctx context.Context, r *run) error {
	if s, err := v.Settings(ctx); err != nil || s.Paused {
		return err
	}
	return v.eraseDue(ctx, func(t *tx, d *dueErasure, left *erasing) (bool, error) {
		d.runID = r.ID
		return t.endedDeferral(d, left)
	})
}

func (v *Vault) eraseDue(ctx context.Context, due func(*tx, *dueErasure, *erasing) (bool, error)) (failed error) {
	for from, more := []byte{}, true; more; {
		var found []dueErasure
		next, err := view(v, func(t *tx) (next []byte, err error) {
			found, next, err = t.dueErasures(from, due)
			return next, err
		})
		if err == nil {
			err = v.eraseSubjects(ctx, found)
		}
		failed = errors.Join(failed, err)
		if err != nil && !errors.Is(err, errDamaged) {
			return failed
		}
		from, more = next, next != nil
	}
	return failed
}

func (v *Vault) eraseSubjects(ctx context.Context, due []dueErasure) error {
	var documents []dueErasure
	for _, d := range due {
		if !d.user {
			documents = append(documents, d)
		} else if err := v.eraseUser(ctx, d); err != nil {
			return err
		}
	}
	return v.eraseDocuments(ctx, documents)
}

// dueErasures returns what of a stretch of erasing is due, and where the next
// stretch begins.
func (t *tx) dueErasures(from []byte, due func(*tx, *dueErasure, *erasing) (bool, error)) (found []dueErasure, next []byte, err error) {
	c := t.Cursor(bucketErasing)
	looked := 0
	for k, value := c.Seek(from); k != nil; k, value = c.Next() {
		if looked++; looked > checkRows {
			return found, bytes.Clone(k), nil
		}
		d := dueErasure{of: id(k), subject: id(k[len(id{}):])}
		left, err := decodeErasing(value)
		if err != nil {
			return nil, nil, err
		}
		e, err := t.erasure(d.of.String())
		if err != nil {
			return nil, nil, err
		}
		d.user = e.UserID != ""
		if is, err := due(t, &d, left); err != nil {
			return nil, nil, err
		} else if is {
			found = append(found, d)
		}
	}
	return found, nil, nil
}

func (t *tx) freshErasure(_ *dueErasure, left *erasing) (bool, error) { return left.deferred == 0, nil }

// endedDeferral says whether a document was deferred and nothing stands in the
// way of its erasure now.
func (t *tx) endedDeferral(d *dueErasure, left *erasing) (bool, error) {
	if left.deferred == 0 {
		return false, nil
	}
	shown, err := t.showErasing(d.subject)
	return shown.Status != ErasureDeferred, err
}

// deferralsEnded says whether a run would find something deferred to erase.
func (v *Vault) deferralsEnded() (bool, error) {
	for from, more := []byte{}, true; more; {
		var found []dueErasure
		next, err := view(v, func(t *tx) (next []byte, err error) {
			found, next, err = t.dueErasures(from, (*tx).endedDeferral)
			return next, err
		})
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
		from, more = next, next != nil
	}
	return false, nil
}

// erasedPart is what one mutation came to.
type erasedPart struct {
	disposal
	more bool
}

// eraseDocuments erases documents, each by itself: it is disposed of, if it is
// there and may be, and the details of its entries are erased, in one transaction
// with two entries, which may need followers for more details. They share
// transactions, as bulk changes do. One that cannot be read does not keep the
// others from being erased.
func (v *Vault) eraseDocuments(ctx context.Context, due []dueErasure) (failed error) {
	for len(due) > 0 {
		now := due[:min(len(due), eraseBatch)]
		more, err := v.eraseSome(ctx, now)
		failed = errors.Join(failed, err)
		if err != nil && !errors.Is(err, errDamaged) {
			return failed
		}
		due = append(more, due[len(now):]...)
	}
	return failed
}

// eraseSome is one mutation for each, and returns those that need another.
func (v *Vault) eraseSome(ctx context.Context, due []dueErasure) (more []dueErasure, err error) {
	v.unwiped.Store(true) // before it is so, for a Close in between
	calls, parts := make([]*store.Call, len(due)), make([]erasedPart, len(due))
	for i, d := range due {
		calls[i] = v.call(ctx, System(),
			func(t *tx) (event audit.Event, err error) {
				parts[i], event, err = t.disposeErased(d)
				return event, err
			},
			func(t *tx) (event audit.Event, err error) {
				parts[i].more, event, err = t.eraseDetails(d)
				return event, err
			})
	}
	if err := v.store.SubmitEach(ctx, calls); err != nil {
		return nil, err
	}
	for i, c := range calls {
		if c.Err != nil {
			err = errors.Join(err, fmt.Errorf("erasure %s of document %s: %w", due[i].of, due[i].subject, c.Err))
			continue
		}
		v.erasedTo(c.Heads[1].Seq)
		err = errors.Join(err, v.settle(ctx, parts[i].disposal))
		if parts[i].more {
			more = append(more, due[i])
		}
	}
	return more, err
}

func (t *tx) disposeErased(due dueErasure) (erasedPart, audit.Event, error) {
	d, err := t.documentAt(due.subject)
	if err != nil || d.deleted {
		return erasedPart{}, audit.Event{}, err
	}
	if why, _, err := deferral(t.disposable(d, RightErasure)); !due.again && (why != "" || err != nil) {
		return erasedPart{}, audit.Event{}, err
	}
	gone, event, err := t.dispose(d, warrant{right: RightErasure, erasureID: due.of.String(), runID: due.runID})
	return erasedPart{disposal: gone}, event, err
}

// eraseDetails erases the details of some entries about a deleted document, the
// last first. A document that is still there is deferred.
func (t *tx) eraseDetails(due dueErasure) (more bool, event audit.Event, err error) {
	e, left, err := t.erasing(due.of, due.subject)
	if err != nil || left == nil {
		return false, audit.Event{}, err
	}
	d, err := t.documentAt(due.subject)
	if err != nil {
		return false, audit.Event{}, err
	}
	if !d.deleted {
		event, err := t.deferErasure(e, left, d)
		return false, event, err
	}
	seq := left.next
	if seq == 0 {
		seq = d.AuditSeq
	}
	for range eraseEntries {
		if seq == 0 {
			break
		}
		if seq, err = t.eraseDetail(seq); err != nil {
			return false, audit.Event{}, err
		}
	}
	left.next = seq
	nameless := d.clone()
	nameless.Name = ""
	nameless.deferred = d.deferred && seq != 0 // once one erasure is done, nothing is left that another waits for
	t.store(d, nameless, grant{})
	t.progress(e, left, d.id, seq == 0)
	facts := audit.Facts{"erasure": audit.Text(e.ID)}
	if seq != 0 {
		facts["resume"] = audit.Number(seq)
	}
	return seq != 0, audit.Event{Op: audit.OpErasureCompleted, Document: d.ID, Facts: facts}, nil
}

// eraseDetail erases the detail of an entry, unless it outlives an erasure, and
// returns the entry before it about the same document.
func (t *tx) eraseDetail(seq uint64) (prev uint64, err error) {
	key := store.SeqKey(seq)
	e, err := audit.ParseEntry(t.Get(bucketLog, key))
	if err != nil {
		return 0, fmt.Errorf("entry %d: %w", seq, err)
	}
	row, err := store.DecodeDetail(t.Get(bucketDetail, key))
	if err != nil || row.Prev >= seq {
		return 0, fmt.Errorf("detail of entry %d: %w", seq, errDamaged)
	}
	switch {
	case row.Salt == nil || e.Op.Kept():
	case row.Prev == 0:
		t.Delete(bucketDetail, key)
	default:
		t.Put(bucketDetail, key, store.DetailRow{Prev: row.Prev}.Encode())
	}
	return row.Prev, nil
}

// erasing returns an erasure and what is left of it to be done for a document or
// a user, nil if nothing is.
func (t *tx) erasing(of, subject id) (*erasure, *erasing, error) {
	b := t.Get(bucketErasing, erasureKey(of, subject))
	if b == nil {
		return nil, nil, nil
	}
	left, err := decodeErasing(b)
	if err != nil {
		return nil, nil, err
	}
	e, err := t.erasure(of.String())
	return e, left, err
}

// progress notes that the entry of the running closure erased something, and
// whether that was all.
func (t *tx) progress(e *erasure, left *erasing, subject id, done bool) {
	key := erasureKey(e.id, subject)
	e.last = t.Seq()
	if !done {
		t.Put(bucketErasing, key, left.encode())
		t.putErasure(e)
		return
	}
	t.Delete(bucketErasing, key)
	t.Put(bucketErased, key, erasedRow(e.last))
	if left.deferred != 0 {
		e.Deferred--
	}
	if e.UserID != "" {
		e.userErased = true
	} else {
		e.Completed++
	}
	t.putErasure(e)
}

// deferErasure notes, once, that a document has to wait.
func (t *tx) deferErasure(e *erasure, left *erasing, d *document) (audit.Event, error) {
	why, until, err := deferral(t.disposable(d, RightErasure))
	if err != nil || why == "" || left.deferred != 0 {
		return audit.Event{}, err
	}
	left.deferred = t.Seq()
	e.Deferred++
	t.Put(bucketErasing, erasureKey(e.id, d.id), left.encode())
	t.putErasure(e)
	waits := d.clone()
	waits.deferred = true
	t.store(d, waits, grant{})
	return audit.Event{
		Op: audit.OpErasureDeferred, Document: d.ID,
		Facts: audit.Facts{"erasure": audit.Text(e.ID), "why": audit.Text(string(why)), "until": audit.Text(factTime(until))},
	}, nil
}
