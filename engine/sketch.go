package engine

import (
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
)

// drafting says whether a change that was let through belongs in a scratchpad.
func (t *tx) drafting(d *document) bool {
	l := t.live(d)
	return l != nil && l.scratchPad
}

// sketch puts a change into the holder's scratchpad. The answer is the document
// as the holder sees it from then on.
func (t *tx) sketch(old *document, change draftChange) (Document, audit.Event, error) {
	dr, err := t.draftOf(old, old.lease.userID)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	if len(dr.Changes) == 0 {
		dr.Base = old.Revision
	}
	if len(dr.Changes) == maxDraft {
		return Document{}, audit.Event{}, fmt.Errorf("%w: its scratchpad is full; save it first", ErrLockState)
	}
	before, err := t.sketched(old, dr)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	change.At = t.now
	dr.Changes = append(dr.Changes, change)
	after := before.clone()
	if err := t.replay(after, change, dr.versions()); err != nil {
		return Document{}, audit.Event{}, err
	}
	if change.Version == nil && len(differences(before, after)) == 0 {
		return before.Document, audit.Event{}, nil
	}
	d := old.clone()
	t.store(old, d)
	dr.Ends = d.lease.until
	if err := t.putDraft(d, d.lease.userID, dr); err != nil {
		return Document{}, audit.Event{}, err
	}
	if change.Version != nil {
		t.put(bucketRefs, refKey(change.Digest, d.id, draftNumber(len(dr.Changes))), nil)
	}
	after.Lock, after.AuditSeq = d.Lock, d.AuditSeq
	return after.Document, audit.Event{
		Op: audit.OpLockRenewed, Document: d.ID,
		Facts: audit.Facts{"draft": audit.Number(uint64(len(dr.Changes)))},
	}, nil
}

// sketched is the document as the holder of a scratchpad sees it.
func (t *tx) sketched(d *document, dr *draft) (*document, error) {
	shown, n := d.clone(), uint64(0)
	for _, change := range dr.Changes {
		if change.Version != nil {
			n++
		}
		if err := t.replay(shown, change, n); err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
	return shown, nil
}

// replay applies a change to a document that is only shown.
func (t *tx) replay(d *document, change draftChange, n uint64) error {
	if change.Version == nil {
		return t.patch(d, *change.Patch)
	}
	v := change.Version
	d.Current = &Version{
		DocumentID: d.ID, Draft: n, Digest: change.Digest, Size: change.Size, MediaType: v.MediaType,
		FileName: v.FileName, Comment: v.Comment, Label: v.Label,
		CreatedAt: change.At, CreatedBy: t.actor.UserID, Current: true,
	}
	return nil
}

// Sketch is what the holder of a scratchpad sees: the document with its changes,
// and the versions in it, newest first.
type Sketch struct {
	Document Document
	Versions []Version
}

// Sketch returns the document as the holder of this token sees it. ErrNotLocked
// if the token is not that of a live lock with a scratchpad: then there is
// nothing to see but the document itself.
func (v *Vault) Sketch(ctx context.Context, actor Actor, documentID, token string) (Sketch, error) {
	return view(v, func(t *tx) (Sketch, error) {
		if err := t.admit(actor); err != nil {
			return Sketch{}, err
		}
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Sketch{}, err
		}
		l := t.live(d)
		if l == nil || !l.scratchPad || l.userID != t.actor.UserID || !v.isToken(d.ID, l, token) {
			return Sketch{}, ErrNotLocked
		}
		dr, err := t.draftOf(d, l.userID)
		if err != nil {
			return Sketch{}, err
		}
		shown, err := t.sketched(d, dr)
		if err != nil {
			return Sketch{}, err
		}
		s := Sketch{Document: shown.Document}
		only := d.clone()
		for i, n := 0, uint64(0); i < len(dr.Changes); i++ {
			if dr.Changes[i].Version == nil {
				continue
			}
			n++
			t.replay(only, dr.Changes[i], n)
			ver := *only.Current
			ver.Current = n == dr.versions()
			s.Versions = append([]Version{ver}, s.Versions...)
		}
		return s, nil
	})
}
