package engine

import (
	"bytes"
	"context"

	"strongroom/engine/internal/store"
)

// HoldQuery chooses holds. Zero members choose all.
type HoldQuery struct {
	Status string // "", active or released
	Matter string
	Paging
}

// Holds returns one page of a list, the hold placed last first.
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
func (v *Vault) DocumentHolds(ctx context.Context, documentID, status string, p Paging) (Page[Hold], error) {
	return view(v, func(t *tx) (Page[Hold], error) {
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Page[Hold]{}, err
		}
		return t.holdPage(holdDocument, string(d.id[:]), status, p)
	})
}

// holdPage walks the rows of one kind and value.
func (t *tx) holdPage(kind byte, of, status string, p Paging) (page Page[Hold], err error) {
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
	switch HoldStatus(status) {
	case "":
		prefixes = [][]byte{indexPrefix(kind, of+holdActive), indexPrefix(kind, of+holdReleased)}
	case HoldActive:
		prefixes = [][]byte{indexPrefix(kind, of+holdActive)}
	case HoldReleased:
		prefixes = [][]byte{indexPrefix(kind, of+holdReleased)}
	default:
		return page, invalid("status", "must be active or released")
	}
	rows := t.sortedRows(bucketHoldRows, prefixes, true, place, nil)
	for at := rows.next(); at != nil; at = rows.next() {
		if len(page.Items) == limit {
			page.NextCursor = store.EncodePlace(listHolds, place)
			return page, nil
		}
		h, err := t.hold(id(at).String())
		if err != nil {
			return page, err
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
