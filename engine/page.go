package engine

import (
	"maps"
	"slices"

	"strongroom/engine/internal/store"
)

// Page is one page of a list. NextCursor is "" on the last one.
type Page[T any] struct {
	Items      []T
	NextCursor string
}

// Paging chooses a page: Limit 1 to 500, 0 is 50; Cursor is the NextCursor of
// the page before, "" for the first.
type Paging struct {
	Limit  int
	Cursor string
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultLimit, nil
	case limit < 0 || limit > maxLimit:
		return 0, invalid("limit", "must be between 1 and %d", maxLimit)
	}
	return limit, nil
}

// decodeCursor returns the place that a cursor of this list names, nil for none.
func decodeCursor(list byte, cursor string) (place []byte, err error) {
	if cursor == "" {
		return nil, nil
	}
	place, ok := store.DecodePlace(list, cursor)
	if !ok {
		return nil, invalid("cursor", "is not a cursor of this list; start again without one")
	}
	return place, nil
}

// idPage pages through a bucket keyed by id, in the order of creation.
func idPage[T any](t *tx, bucket []byte, list byte, p Paging, decode func(id, []byte) (T, error)) (Page[T], error) {
	return rowPage(t, bucket, list, p, func(k, value []byte) (T, error) { return decode(id(k), value) })
}

// rowPage pages through a bucket in the order of its keys.
func rowPage[T any](t *tx, bucket []byte, list byte, p Paging, decode func(k, value []byte) (T, error)) (Page[T], error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return Page[T]{}, err
	}
	place, err := decodeCursor(list, p.Cursor)
	if err != nil {
		return Page[T]{}, err
	}
	var page Page[T]
	c := t.Cursor(bucket)
	k, value := c.Seek(place)
	if place != nil && string(k) == string(place) {
		k, value = c.Next()
	}
	for ; k != nil; k, value = c.Next() {
		if len(page.Items) == limit {
			page.NextCursor = store.EncodePlace(list, place)
			return page, nil
		}
		item, err := decode(k, value)
		if err != nil {
			return Page[T]{}, err
		}
		page.Items = append(page.Items, item)
		place = append(place[:0:0], k...)
	}
	return page, nil
}

// Lists that have cursors.
const (
	listUsers    = 'U'
	listKeys     = 'K'
	listFields   = 'F'
	listVersions = 'V'
	listWebhooks = 'W'
	listCreated  = 'c'
	listUpdated  = 'u'
	listName     = 'n'
	listDue      = 'd'
	listPolicies = 'P'
	listRuns     = 'R'
	listOutcomes = 'O'
	listPlan     = 'L'
	listHolds    = 'H'
	listMatters  = 'M'
	listErasures = 'E'
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
