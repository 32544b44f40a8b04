package engine

import (
	"bytes"
	"context"
	"strings"
	"time"

	"strongroom/engine/internal/store"
)

// ObligationQuery chooses obligations. Zero members choose all.
type ObligationQuery struct {
	Status     ObligationStatus
	OwnerID    string
	DocumentID string
	DueFrom    Due  // a date from its beginning on
	DueTo      Due  // a date with its end; a time is left out
	Sort       Sort // SortDue or its Descending; "" is SortDue
	Paging
}

// Obligations returns one page of the obligations that match the query, in the
// order in which they are due. A date stands behind the times of that day in
// UTC. A page may be short, or empty, and still have a cursor. *InvalidError for
// a status, a sort or a cursor that is none.
func (v *Vault) Obligations(ctx context.Context, q ObligationQuery) (Page[Obligation], error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return Page[Obligation]{}, err
	}
	place, err := decodeCursor(listDue, q.Cursor)
	if err == nil && place != nil && len(place) != dueSize+len(id{}) {
		err = invalid("cursor", "is not a cursor of this list; start again without one")
	}
	if err != nil {
		return Page[Obligation]{}, err
	}
	l := &dueLister{q: q, limit: limit, place: place}
	if err := l.check(); err != nil {
		return Page[Obligation]{}, err
	}
	return view(v, l.page)
}

// dueLister is one call of Obligations. It walks the rows of the document asked
// for, or of the owner, or all, between the bounds that status and due dates set.
type dueLister struct {
	q      ObligationQuery
	desc   bool
	states []string
	limit  int
	place  []byte // where the page before ended
	zone   *time.Location
	now    time.Time
}

// check reads the query, as far as that needs no vault.
func (l *dueLister) check() error {
	switch l.q.Sort {
	case "", SortDue:
	case SortDue.Descending():
		l.desc = true
	default:
		return invalid("sort", "must be dueDate, with - before it for descending order")
	}
	switch l.q.Status {
	case "":
		l.states = []string{dueOpen, dueCompleted}
	case ObligationPending, ObligationOverdue:
		l.states = []string{dueOpen}
	case ObligationCompleted:
		l.states = []string{dueCompleted}
	default:
		return invalid("status", "must be pending, overdue or completed")
	}
	return nil
}

func (l *dueLister) page(t *tx) (page Page[Obligation], err error) {
	if l.zone, err = t.zone(); err != nil {
		return page, err
	}
	l.now = t.Now()
	rows, some := l.rows(t)
	if !some {
		return page, nil
	}
	first, last := l.bounds()
	if l.desc {
		first, last = last, first
	}
	w := t.Sorted(bucketDues, rows, l.desc, l.place, first)
	hidden, err := t.hiddenObligations()
	if err != nil {
		return page, err
	}
	size := 0
	at := l.place
	for looked := 0; ; {
		place := w.Next()
		if place == nil || last != nil && (bytes.Compare(place, last) < 0) == l.desc {
			return page, nil
		}
		key := id(place[dueSize:])
		if hidden[key] { // before a cursor is made of it; it is not counted, for a page that is of nothing else leads nowhere
			continue
		}
		if looked == maxLook || len(page.Items) == l.limit || size >= maxPageBytes {
			page.NextCursor = store.EncodePlace(listDue, at)
			return page, nil
		}
		looked++
		at = bytes.Clone(place)
		if !l.inTime(dueAt(place)) {
			continue
		}
		o, err := t.obligation(key.String())
		if err != nil {
			return page, err
		}
		if !l.belongs(o) {
			continue
		}
		shown, err := t.showObligation(o)
		if err != nil {
			return page, err
		}
		size += len(shown.Description) + len(shown.Note)
		page.Items = append(page.Items, shown)
	}
}

// rows are the prefixes of the rows to be walked. some is false if there can be
// none.
func (l *dueLister) rows(t *tx) (prefixes [][]byte, some bool) {
	kind, of := byte(dueAll), ""
	for _, filter := range []struct {
		kind byte
		id   string
	}{{dueOwner, l.q.OwnerID}, {dueDocument, l.q.DocumentID}} {
		if filter.id == "" {
			continue
		}
		key, ok := store.ParseID(filter.id)
		if !ok {
			return nil, false
		}
		kind, of = filter.kind, string(key[:])
	}
	for _, state := range l.states {
		prefixes = append(prefixes, indexPrefix(kind, of+state))
	}
	return prefixes, true
}

// bounds are places before and behind which nothing can be in time.
func (l *dueLister) bounds() (first, last []byte) {
	var from, to time.Time
	if !l.q.DueFrom.IsZero() {
		from = l.q.DueFrom.starts(l.zone)
	}
	if !l.q.DueTo.IsZero() {
		to = l.q.DueTo.ends(l.zone)
	}
	switch l.q.Status {
	case ObligationPending:
		if from.Before(l.now) {
			from = l.now
		}
	case ObligationOverdue:
		if to.IsZero() || to.After(l.now) {
			to = l.now
		}
	}
	if !from.IsZero() {
		first = placeAt(from.Add(-zoneSlack))
	}
	if !to.IsZero() {
		last = placeAt(to.Add(zoneSlack))
	}
	return first, last
}

// inTime decides what its place says of an obligation in one of the states.
func (l *dueLister) inTime(due Due) bool {
	at := due.last(l.zone)
	switch l.q.Status {
	case ObligationPending, ObligationOverdue:
		if statusAt(l.now, due, false, l.zone) != l.q.Status {
			return false
		}
	}
	return (l.q.DueFrom.IsZero() || !at.Before(l.q.DueFrom.starts(l.zone))) && (l.q.DueTo.IsZero() || at.Before(l.q.DueTo.ends(l.zone)))
}

func (l *dueLister) belongs(o *obligation) bool {
	return (l.q.OwnerID == "" || sameID(l.q.OwnerID, o.OwnerID)) && (l.q.DocumentID == "" || sameID(l.q.DocumentID, o.DocumentID))
}

func sameID(spelled, id string) bool {
	key, ok := store.ParseID(spelled)
	return ok && strings.EqualFold(key.String(), id)
}

// obligationsOf returns the ids of the obligations of a document.
func (t *tx) obligationsOf(doc id) (ids []id) {
	prefix := indexPrefix(dueDocument, string(doc[:]))
	c := t.Cursor(bucketDues)
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if len(k) >= len(id{}) {
			ids = append(ids, id(k[len(k)-len(id{}):]))
		}
	}
	return ids
}

// dropObligations removes all obligations of a document that goes; its deletion
// is their entry. It returns how many there were.
func (t *tx) dropObligations(d *document) (uint64, error) {
	ids := t.obligationsOf(d.id)
	for _, key := range ids {
		o, err := t.obligation(key.String())
		if err != nil {
			return 0, err
		}
		t.putObligation(o, nil)
	}
	return uint64(len(ids)), nil
}
