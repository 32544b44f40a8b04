package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// DocumentQuery chooses documents. Zero members choose all, but that the
// default Status leaves out what is archived or deleted.
type DocumentQuery struct {
	Status      Status // "" is what is neither archived nor deleted
	Archived    *bool
	Category    string
	OwnerID     string
	ExternalID  string
	Product     string
	TemplateID  string
	AgreementID string
	Matter      string        // of an active hold
	Tags        []string      // all must match; "key:*" matches any value
	Fields      []FieldFilter // all must match
	Path        string        // of the folder it lies in, or of one that lies in
	Name        string        // how the name begins, in any case
	CreatedFrom time.Time     // inclusive
	CreatedTo   time.Time     // exclusive
	UpdatedFrom time.Time     // inclusive
	UpdatedTo   time.Time     // exclusive
	// unrestricted leaves out what only admins and auditors see, as a partial view
	// of the vault does anyway: see Vault.Narrow.
	unrestricted bool
	Sort         Sort // "" is SortCreated.Descending(), the one made last first
	Paging
}

// Sort is the order of a list: rising, or falling with "-" before it. Each list
// says which it knows.
type Sort string

const (
	SortCreated Sort = "createdAt" // of documents
	SortUpdated Sort = "updatedAt" // of documents
	SortName    Sort = "name"      // of documents
	SortDue     Sort = "dueDate"   // of obligations
)

// Descending is the order the other way round, of a rising one.
func (s Sort) Descending() Sort { return "-" + s }

// The work of one call is bounded: gatherMost documents are gathered and
// sorted, or lookMost rows of the sorting index, or members of sets, looked at.
// Before that, less of both is tried: whether matches are few or many is not
// known, and one of the two is mostly quick.
const (
	gatherMost = 4_000
	gatherFew  = 1_000
	lookMost   = 40_000
	lookFew    = 1_000
)

// Documents returns one page of the documents that match the query. A page may
// be short, or empty, and still have a cursor: go on until it has none.
// *InvalidError for a status, a sort, a path or a cursor that is none, and for a field
// that is not defined or has no such values.
func (v *Vault) Documents(ctx context.Context, q DocumentQuery) (Page[Document], error) {
	l, err := q.lister()
	if err != nil {
		return Page[Document]{}, err
	}
	return view(v, func(t *tx) (Page[Document], error) { return t.documents(l) })
}

// lister reads a query, as far as that needs no vault.
func (q DocumentQuery) lister() (l lister, err error) {
	l.q = q
	if l.order, err = q.order(); err != nil {
		return l, err
	}
	if l.limit, err = pageLimit(q.Limit); err != nil {
		return l, err
	}
	l.place, err = decodeCursor(l.order.list, q.Cursor)
	if err == nil && l.place != nil && len(l.place) < len(id{}) {
		err = invalid("cursor", "is not a cursor of this list; start again without one")
	}
	if err == nil {
		l.states, err = q.states()
	}
	return l, err
}

// documents returns one page. Every filter is a set of ids in the index, in the
// order of creation. Several are intersected by walking them side by side. In
// another order, few matches are gathered and sorted. If they are many, the index of
// that order is walked, and a page is soon full.
func (t *tx) documents(asked lister) (Page[Document], error) {
	l := &asked
	var err error
	if l.states, err = t.shownStates(l.states, !l.q.unrestricted && !t.partial()); err != nil {
		return Page[Document]{}, err
	}
	l.t = t
	if err := l.addFields(); err != nil {
		return Page[Document]{}, err
	}
	sets, some := t.filters(l.q)
	if !some || len(l.states) == 0 {
		return Page[Document]{}, nil
	}
	l.sets = append(l.sets, sets...)
	if err := l.addUpdated(); err != nil {
		return Page[Document]{}, err
	}
	l.addName()
	if l.order.list == listCreated {
		return l.byCreation()
	}
	if len(l.sets) == 0 && l.q.CreatedFrom.IsZero() && l.q.CreatedTo.IsZero() {
		return l.byIndex(lookMost)
	}
	for gather, look := gatherFew, lookFew; ; gather, look = gatherMost, lookMost {
		if page, ok, err := l.gather(gather); ok || err != nil {
			return page, err
		}
		walk := *l // which the second try begins anew
		page, err := walk.byIndex(look)
		if err != nil || page.NextCursor == "" || len(page.Items) == l.limit || look == lookMost {
			return page, err
		}
	}
}

// order is a sort key and its direction.
type order struct {
	list byte // listCreated, listUpdated or listName
	desc bool
}

func (q *DocumentQuery) order() (order, error) {
	key, desc := strings.CutPrefix(string(q.Sort), "-")
	switch Sort(key) {
	case "":
		if !desc {
			return order{listCreated, true}, nil
		}
	case SortCreated:
		return order{listCreated, desc}, nil
	case SortUpdated:
		return order{listUpdated, desc}, nil
	case SortName:
		return order{listName, desc}, nil
	}
	return order{}, invalid("sort", "must be createdAt, updatedAt or name, with - before it for descending order")
}

// states are the states of documents a query asks for, as the index spells
// them.
func (q *DocumentQuery) states() ([]string, error) {
	var c checks
	if c.Path("path", q.Path); c.err() != nil {
		return nil, c.err()
	}
	var states []string
	switch q.Status {
	case "":
		states = []string{stateLive, stateLiveHeld}
		if q.Archived != nil {
			states = []string{stateLive, stateLiveHeld, stateArchived, stateArchivedHeld}
		}
	case StatusActive:
		states = []string{stateLive}
	case StatusArchived:
		states = []string{stateArchived}
	case StatusLegalHold:
		states = []string{stateLiveHeld, stateArchivedHeld}
	case StatusDeleted:
		states = []string{stateDeleted}
	case StatusAll:
		states = []string{stateLive, stateLiveHeld, stateArchived, stateArchivedHeld, stateDeleted}
	default:
		return nil, invalid("status", "must be active, archived, legal_hold, deleted or all")
	}
	if q.Archived != nil {
		states = slices.DeleteFunc(states, func(s string) bool { return isArchived(s) != *q.Archived })
	}
	return states, nil
}

func isArchived(state string) bool { return state == stateArchived || state == stateArchivedHeld }

// filters returns the sets of ids a query intersects, besides the states and
// those of custom fields. some is false if one of them is known to be empty.
func (t *tx) filters(q DocumentQuery) (sets []store.IDSet, some bool) {
	if q.ExternalID != "" {
		key := t.lookUp(bucketExternals, externalKeys(q.ExternalID))
		if key == nil {
			return nil, false
		}
		sets = append(sets, store.OneID(id(key)))
	}
	if q.OwnerID != "" {
		owner, ok := store.ParseID(q.OwnerID)
		if !ok {
			return nil, false
		}
		sets = append(sets, t.rows(kindOwner, string(owner[:])))
	}
	for _, filter := range []struct {
		kind  byte
		value string
	}{{kindCategory, q.Category}, {kindProduct, q.Product}, {kindTemplate, q.TemplateID}, {kindAgreement, q.AgreementID}, {kindMatter, q.Matter}} {
		if filter.value != "" {
			sets = append(sets, t.rows(filter.kind, text(filter.value)))
		}
	}
	if q.Path != "" {
		sets = append(sets, t.rows(kindPath, text(check.NFC(q.Path))))
	}
	for _, tag := range q.Tags {
		sets = append(sets, t.rows(kindTag, text(check.SpellTag(tag))))
	}
	return sets, true
}

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

// errUnseen has a row left out of a page, as if it were not there.
var errUnseen = errors.New("is not for who asks to see")

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
		item, err := decode(k, value)
		if err == errUnseen { // before a cursor is made of it
			continue
		}
		if err != nil {
			return Page[T]{}, err
		}
		if len(page.Items) == limit {
			page.NextCursor = store.EncodePlace(list, place)
			return page, nil
		}
		page.Items = append(page.Items, item)
		place = append(place[:0:0], k...)
	}
	return page, nil
}

// Lists that have cursors.
const (
	listUsers     = 'U'
	listKeys      = 'K'
	listFields    = 'F'
	listVersions  = 'V'
	listWebhooks  = 'W'
	listCreated   = 'c'
	listUpdated   = 'u'
	listName      = 'n'
	listDue       = 'd'
	listPolicies  = 'P'
	listRuns      = 'R'
	listOutcomes  = 'O'
	listPlan      = 'L'
	listHolds     = 'H'
	listMatters   = 'M'
	listErasures  = 'E'
	listApprovals = 'A'
	listFolders   = 'f'
	listClients   = 'C'
)

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
