package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// HoldQuery chooses holds. Zero members choose all.
type HoldQuery struct {
	Status HoldStatus
	Matter string
	Paging
}

// Holds returns one page of the holds of the vault, the hold placed last first.
func (v *Vault) Holds(ctx context.Context, q HoldQuery) (Page[Hold], error) {
	return view(v, func(t *tx) (Page[Hold], error) {
		kind, of := byte(holdAll), ""
		if q.Matter != "" {
			kind, of = holdMatter, text(q.Matter)
		}
		return t.holdPage(kind, of, q.Status, q.Paging)
	})
}

// DocumentHolds lists the holds of a document, the one placed last first.
// ErrDocumentNotFound, *DeletedError; the holds of a deleted document are found
// by their ids, and in Holds.
func (v *Vault) DocumentHolds(ctx context.Context, documentID string, status HoldStatus, p Paging) (Page[Hold], error) {
	return view(v, func(t *tx) (Page[Hold], error) {
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Page[Hold]{}, err
		}
		return t.holdPage(holdDocument, string(d.id[:]), status, p)
	})
}

// holdPage walks the rows of one kind and value.
func (t *tx) holdPage(kind byte, of string, status HoldStatus, p Paging) (page Page[Hold], err error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return page, err
	}
	place, err := decodeCursor(listHolds, p.Cursor)
	if err == nil && place != nil && len(place) != len(id{}) {
		err = invalid("cursor", "is not a cursor of this list; start again without one")
	}
	if err != nil {
		return page, err
	}
	var prefixes [][]byte
	switch status {
	case "":
		prefixes = [][]byte{indexPrefix(kind, of+holdActive), indexPrefix(kind, of+holdReleased)}
	case HoldActive:
		prefixes = [][]byte{indexPrefix(kind, of+holdActive)}
	case HoldReleased:
		prefixes = [][]byte{indexPrefix(kind, of+holdReleased)}
	default:
		return page, invalid("status", "must be active or released")
	}
	rows := t.Sorted(bucketHoldRows, prefixes, true, place, nil)
	for at := rows.Next(); at != nil; at = rows.Next() {
		h, err := t.hold(id(at).String())
		if errors.Is(err, ErrHoldNotFound) && t.partial() { // before a cursor is made of it
			continue
		}
		if err != nil {
			return page, err
		}
		if len(page.Items) == limit {
			page.NextCursor = store.EncodePlace(listHolds, place)
			return page, nil
		}
		page.Items = append(page.Items, h.Hold)
		place = bytes.Clone(at)
	}
	return page, nil
}

// holdsOf returns the ids of all holds of a document.
func (t *tx) holdsOf(doc id) (ids []id) {
	prefix := indexPrefix(holdDocument, string(doc[:]))
	c := t.Cursor(bucketHoldRows)
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if len(k) == len(prefix)+1+len(id{}) {
			ids = append(ids, id(k[len(k)-len(id{}):]))
		}
	}
	return ids
}

// HoldOutcome is what became of one of several holds to be placed or released.
// Of a failure only what was given is known.
type HoldOutcome struct {
	DocumentID string
	HoldID     string
	Revision   uint64 // of the document, which holds leave alone
	Changed    bool   // or, in a dry run, would be
	Err        error
}

// PlaceHolds places a hold on each of at most MaxBulk documents, in order, for a
// matter, which is required: by it a call that is repeated finds what it has done
// already, and the holds are found again to be released together. A document
// that an active hold keeps for that matter stays unchanged, with that hold. It
// needs admin access. Each stands alone, as in UpdateDocuments, with an entry of
// its own. A dry run writes nothing, and a hold that it would place has no id.
func (v *Vault) PlaceHolds(ctx context.Context, actor Actor, documentIDs []string, n NewHold, dryRun bool) ([]HoldOutcome, error) {
	err := n.check()
	if err == nil && n.Matter == "" {
		err = invalid("matter", "must not be empty: it is by their matter that holds of many documents are known and released")
	}
	if err != nil {
		return nil, err
	}
	outcomes, err := v.changeHolds(ctx, actor, documentIDs, dryRun, func(documentID string) HoldOutcome { return HoldOutcome{DocumentID: documentID} },
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
	if dryRun {
		forgetHolds(outcomes)
	}
	return outcomes, err
}

// forgetHolds takes the ids of holds that were rolled back out of the outcomes, of
// those too that found such a hold in place.
func forgetHolds(outcomes []HoldOutcome) {
	tried := map[string]bool{}
	for i := range outcomes {
		if outcomes[i].Changed {
			tried[outcomes[i].HoldID] = true
		}
		if tried[outcomes[i].HoldID] {
			outcomes[i].HoldID = ""
		}
	}
}

// ReleaseHolds releases at most MaxBulk holds, in order; the reason may be "". It
// needs admin access. One that is released already stays as it is. Each stands
// alone, as in UpdateDocuments, with an entry of its own. A dry run writes nothing.
// Where two persons are needed, nothing is released, *NeedsTwoError, and what is
// approved then is all of them, at most MaxReleased, all or none.
func (v *Vault) ReleaseHolds(ctx context.Context, actor Actor, holdIDs []string, reason string, dryRun bool) ([]HoldOutcome, error) {
	reason, err := releaseReason(reason)
	if err != nil {
		return nil, err
	}
	if actor.assent != nil {
		return v.releaseTogether(ctx, actor, &holdsRelease{holdIDs, reason})
	}
	if err := v.ReleasingNeedsTwo(actor, holdIDs, reason); err != nil && !dryRun {
		return nil, err
	}
	return v.changeHolds(ctx, actor, holdIDs, dryRun, func(holdID string) HoldOutcome { return HoldOutcome{HoldID: holdID} },
		func(t *tx, holdID string) (Hold, audit.Event, error) {
			if !dryRun {
				if err := t.releaseNeedsTwo(holdID, nil, &holdRelease{Hold: holdID, Reason: reason}); err != nil {
					return Hold{}, audit.Event{}, err
				}
			}
			return t.releaseHold(holdID, nil, reason)
		})
}

// MaxReleased is how many holds one approval releases.
const MaxReleased = 10_000

// ReleasingNeedsTwo refuses the release of all these holds with *NeedsTwoError, if
// one of them needs two persons: they are approved as one. A host that releases many
// in several calls asks it of all before. *InvalidError for more than MaxReleased.
func (v *Vault) ReleasingNeedsTwo(actor Actor, holdIDs []string, reason string) error {
	reason, err := releaseReason(reason)
	if err != nil {
		return err
	}
	all := &holdsRelease{holdIDs, reason}
	_, err = view(v, func(t *tx) (struct{}, error) {
		if err := t.admit(actor); err != nil {
			return struct{}{}, nil // which is told elsewhere
		}
		for _, holdID := range all.Holds {
			err := t.releaseNeedsTwo(holdID, nil, all)
			if err != nil && len(all.Holds) > MaxReleased {
				err = invalid("holdIds", "must be at most %d where the release needs two persons", MaxReleased)
			}
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// releaseTogether releases holds as they were approved: in one transaction with the
// end of the request, all or none.
func (v *Vault) releaseTogether(ctx context.Context, actor Actor, all *holdsRelease) ([]HoldOutcome, error) {
	fns := make([]func(*tx) (HoldOutcome, audit.Event, error), len(all.Holds))
	for i, holdID := range all.Holds {
		fns[i] = func(t *tx) (HoldOutcome, audit.Event, error) {
			if err := t.releaseNeedsTwo(holdID, nil, all); err != nil {
				return HoldOutcome{}, audit.Event{}, err
			}
			h, event, err := t.releaseHold(holdID, nil, all.Reason)
			return HoldOutcome{DocumentID: h.DocumentID, HoldID: h.ID, Revision: h.Revision, Changed: !event.IsZero()}, event, err
		}
	}
	outcomes, _, err := updateAll(v, ctx, actor, fns...)
	return outcomes, err
}

// changeHolds does one thing for each id; given is what is known of it before.
func (v *Vault) changeHolds(ctx context.Context, actor Actor, ids []string, dryRun bool, given func(id string) HoldOutcome,
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
	errs, err := v.updateEach(ctx, actor, fns, dryRun)
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
