package engine

import (
	"bytes"
	"context"
	"fmt"

	"strongroom/audit"
)

// erasing is what is left to be done for a document, or a user, of an erasure.
type erasing struct {
	deferred uint64 // seq of erasure.deferred; 0: it was not deferred
	next     uint64 // where to go on among the entries; 0: at the beginning
}

// eraseEntries is how many entries one mutation looks at for details to be
// erased. A document with more has several, each with an entry erasure.completed
// of its own: no detail is ever missing without a later one.
const eraseEntries = 2_000

// erase does what erasures have left to do, but what is deferred and still has
// to wait. What stands in erasing is the only plan: a crash at any point leaves
// there what is left, and the next sweep goes on with it. What was deferred is
// not completed on a clock that a run of retention would not trust either: it may
// say that protection has ended, and be wrong. A vault that is paused, as it is
// after it was restored, destroys nothing by itself: holds may be lost that the
// log tells of.
func (v *Vault) erase(ctx context.Context) error {
	doubt, err := v.doubt()
	if err != nil {
		return err
	}
	if s, err := v.Settings(ctx); err != nil || s.Paused {
		return err
	}
	var due [][]byte
	for from, more := []byte{}, true; more; {
		next, err := view(v, func(t *tx) (next []byte, err error) {
			due, next, err = t.dueErasures(from, doubt == "")
			return next, err
		})
		if err != nil {
			return err
		}
		for _, key := range due {
			if err := v.eraseSubject(ctx, id(key), id(key[len(id{}):])); err != nil {
				return err
			}
		}
		from, more = next, next != nil
	}
	return nil
}

// dueErasures returns the rows of a stretch of erasing that nothing stands in
// the way of now, and where the next stretch begins; deferred ones only if they
// are asked for.
func (t *tx) dueErasures(from []byte, deferred bool) (due [][]byte, next []byte, err error) {
	c := t.bucket(bucketErasing).Cursor()
	looked := 0
	for k, value := c.Seek(from); k != nil; k, value = c.Next() {
		if looked++; looked > checkRows {
			return due, bytes.Clone(k), nil
		}
		left, err := decodeErasing(value)
		if err != nil {
			return nil, nil, err
		}
		if left.deferred != 0 && !deferred {
			continue
		}
		if left.deferred != 0 {
			shown, err := t.showErasing(id(k[len(id{}):]))
			if err != nil {
				return nil, nil, err
			}
			if shown.Status == ErasureDeferred {
				continue
			}
		}
		due = append(due, bytes.Clone(k))
	}
	return due, nil, nil
}

// eraseSubject erases a document or a user, in as many mutations as it takes.
func (v *Vault) eraseSubject(ctx context.Context, of, subject id) error {
	e, err := view(v, func(t *tx) (*erasure, error) { return t.erasure(of.String()) })
	if err != nil {
		return err
	}
	if e.UserID != "" {
		return v.eraseWith(ctx, of, subject, v.eraseUser)
	}
	return v.eraseWith(ctx, of, subject, func(ctx context.Context, of, doc id) (bool, Receipt, error) {
		return v.eraseDocument(ctx, of, doc, false)
	})
}

// eraseWith repeats a step while there is more.
func (v *Vault) eraseWith(ctx context.Context, of, subject id, step func(ctx context.Context, of, subject id) (more bool, r Receipt, err error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		v.unwiped.Store(true) // before it is so, for a Close in between
		more, receipt, err := step(ctx, of, subject)
		if err != nil {
			return fmt.Errorf("erasure %s of %s: %w", of, subject, err)
		}
		v.erased = max(v.erased, receipt.Seq)
		if !more {
			return nil
		}
	}
}

// erasedPart is what one mutation came to.
type erasedPart struct {
	disposal
	more bool
}

// eraseDocument disposes of a document, if it is there and may be, and erases
// the details of its entries: one transaction with two entries, which may need
// followers for the details. Again says that it was erased before, in a vault of
// which this is an earlier state: then it may be.
func (v *Vault) eraseDocument(ctx context.Context, of, doc id, again bool) (more bool, r Receipt, err error) {
	parts, receipts, err := updateAll(v, ctx, System(),
		func(t *tx) (erasedPart, audit.Event, error) { return t.disposeErased(of, doc, again) },
		func(t *tx) (erasedPart, audit.Event, error) { return t.eraseDetails(of, doc) })
	if err != nil {
		return false, Receipt{}, err
	}
	return parts[1].more, receipts[1], v.purge(ctx, parts[0].litter...)
}

func (t *tx) disposeErased(of, doc id, again bool) (erasedPart, audit.Event, error) {
	d, err := t.documentAt(doc)
	if err != nil || d.deleted {
		return erasedPart{}, audit.Event{}, err
	}
	if why, _, err := deferral(t.disposable(d, rightErasure)); !again && (why != "" || err != nil) {
		return erasedPart{}, audit.Event{}, err
	}
	gone, event, err := t.dispose(d, warrant{right: rightErasure, erasureID: of.String()})
	return erasedPart{disposal: gone}, event, err
}

// eraseDetails erases the details of some entries about a deleted document, the
// last first. A document that is still there is deferred.
func (t *tx) eraseDetails(of, doc id) (erasedPart, audit.Event, error) {
	e, left, err := t.erasing(of, doc)
	if err != nil || left == nil {
		return erasedPart{}, audit.Event{}, err
	}
	d, err := t.documentAt(doc)
	if err != nil {
		return erasedPart{}, audit.Event{}, err
	}
	if !d.deleted {
		event, err := t.deferErasure(e, left, d)
		return erasedPart{}, event, err
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
			return erasedPart{}, audit.Event{}, err
		}
	}
	left.next = seq
	t.store(d, d.clone())
	t.progress(e, left, doc, seq == 0)
	return erasedPart{more: seq != 0}, audit.Event{
		Op: audit.OpErasureCompleted, Document: d.ID, Facts: audit.Facts{"erasure": audit.Text(e.ID)},
	}, nil
}

// eraseDetail erases the detail of an entry, unless it outlives an erasure, and
// returns the entry before it about the same document.
func (t *tx) eraseDetail(seq uint64) (prev uint64, err error) {
	key := seqKey(seq)
	e, err := audit.ParseEntry(t.get(bucketLog, key))
	if err != nil {
		return 0, fmt.Errorf("entry %d: %w", seq, err)
	}
	row, err := decodeDetail(t.get(bucketDetail, key))
	if err != nil || row.prev >= seq {
		return 0, fmt.Errorf("detail of entry %d: %w", seq, errDamaged)
	}
	switch {
	case row.salt == nil || e.Op.Kept():
	case row.prev == 0:
		t.delete(bucketDetail, key)
	default:
		t.put(bucketDetail, key, detailRow{prev: row.prev}.encode())
	}
	return row.prev, nil
}

// erasing returns an erasure and what is left of it to be done for a document or
// a user, nil if nothing is.
func (t *tx) erasing(of, subject id) (*erasure, *erasing, error) {
	b := t.get(bucketErasing, erasureKey(of, subject))
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
	e.last = t.seq()
	if !done {
		t.put(bucketErasing, key, left.encode())
		t.putErasure(e)
		return
	}
	t.delete(bucketErasing, key)
	t.put(bucketErased, key, erasedRow(e.last))
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
	why, until, err := deferral(t.disposable(d, rightErasure))
	if err != nil || why == "" || left.deferred != 0 {
		return audit.Event{}, err
	}
	left.deferred = t.seq()
	e.Deferred++
	t.put(bucketErasing, erasureKey(e.id, d.id), left.encode())
	t.putErasure(e)
	t.store(d, d.clone())
	return audit.Event{
		Op: audit.OpErasureDeferred, Document: d.ID,
		Facts: audit.Facts{"erasure": audit.Text(e.ID), "why": audit.Text(why), "until": audit.Text(factTime(until))},
	}, nil
}
