package engine

import (
	"bytes"
	"context"
	"fmt"

	"strongroom/audit"
)

// HoldOutcome is what became of one of several holds to be placed or released.
// Of a failure only what was given is known.
type HoldOutcome struct {
	DocumentID string
	HoldID     string
	Revision   uint64 // of the document, which holds leave alone
	Changed    bool
	Err        error
}

// PlaceHolds places a hold on each of at most MaxBulk documents, in order, for a
// matter, which is required: by it a call that is repeated finds what it has done
// already, and the holds are found again to be released together. A document
// that an active hold keeps for that matter stays unchanged, with that hold. It
// needs admin access. Each stands alone, as in UpdateDocuments, with an entry of
// its own.
func (v *Vault) PlaceHolds(ctx context.Context, actor Actor, documentIDs []string, n NewHold) ([]HoldOutcome, error) {
	err := n.check()
	if err == nil && n.Matter == "" {
		err = invalid("matter", "must not be empty: it is by their matter that holds of many documents are known and released")
	}
	if err != nil {
		return nil, err
	}
	return v.changeHolds(ctx, actor, documentIDs, func(documentID string) HoldOutcome { return HoldOutcome{DocumentID: documentID} },
		func(t *tx, documentID string) (Hold, audit.Event, error) {
			d, err := t.holdable(documentID)
			if err != nil {
				return Hold{}, audit.Event{}, err
			}
			if i, found := d.heldFor(n.Matter); found && d.holds[i].active > 0 {
				h, err := t.activeHold(d, n.Matter)
				return h, audit.Event{}, err
			}
			return t.placeHold(d, n)
		})
}

// ReleaseHolds releases at most MaxBulk holds, in order; the reason may be "". It
// needs admin access. One that is released already stays as it is. Each stands
// alone, as in UpdateDocuments, with an entry of its own.
func (v *Vault) ReleaseHolds(ctx context.Context, actor Actor, holdIDs []string, reason string) ([]HoldOutcome, error) {
	reason, err := releaseReason(reason)
	if err != nil {
		return nil, err
	}
	return v.changeHolds(ctx, actor, holdIDs, func(holdID string) HoldOutcome { return HoldOutcome{HoldID: holdID} },
		func(t *tx, holdID string) (Hold, audit.Event, error) { return t.releaseHold(holdID, nil, reason) })
}

// changeHolds does one thing for each id; given is what is known of it before.
func (v *Vault) changeHolds(ctx context.Context, actor Actor, ids []string, given func(id string) HoldOutcome,
	one func(t *tx, id string) (Hold, audit.Event, error)) ([]HoldOutcome, error) {
	if len(ids) > MaxBulk {
		return nil, invalid("ids", "must be at most %d", MaxBulk)
	}
	outcomes := make([]HoldOutcome, len(ids))
	fns := make([]func(*tx) (audit.Event, error), len(ids))
	for i, id := range ids {
		fns[i] = func(t *tx) (audit.Event, error) {
			h, event, err := one(t, id)
			outcomes[i] = HoldOutcome{DocumentID: h.DocumentID, HoldID: h.ID, Revision: h.Revision, Changed: !event.IsZero()}
			return event, err
		}
	}
	errs, err := v.updateEach(ctx, actor, fns)
	for i := range errs { // not to land is known only after the commit
		if errs[i] != nil {
			outcomes[i] = given(ids[i])
			outcomes[i].Err = errs[i]
		}
	}
	return outcomes, err
}

// activeHold returns the hold placed first of those that keep a document for a
// matter.
func (t *tx) activeHold(d *document, matter string) (Hold, error) {
	prefix := indexPrefix(holdDocument, string(d.id[:])+holdActive)
	c := t.Cursor(bucketHoldRows)
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		h, err := t.hold(id(k[len(prefix):]).String())
		if err != nil {
			return Hold{}, err
		}
		if h.Matter == matter {
			h.Revision = d.Revision
			return h.Hold, nil
		}
	}
	return Hold{}, fmt.Errorf("%w: %s is held for a matter, and no hold is", errDamaged, d)
}
