package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// lister is one call of Documents.
type lister struct {
	t      *tx
	q      DocumentQuery
	order  order
	states []string
	sets   []store.IDSet
	ranges []fieldRange // with many documents, so not among the sets
	name   string       // how the name begins, as the index spells it; "": in any way
	limit  int
	place  []byte // where the page before ended: sort value ‖ id
	page   Page[Document]
	size   int // of the page's records, in bytes
}

// addUpdated makes a set of the documents last changed in the times asked for,
// if they are few. If they are many, whoever walks another order meets one
// soon; and the order of changes is walked between the bounds.
func (l *lister) addUpdated() error {
	if l.q.UpdatedFrom.IsZero() && l.q.UpdatedTo.IsZero() {
		return nil
	}
	var ids store.SortedIDs
	w := l.t.sorted(order{listUpdated, false}, l.states, nil, ceilMillis(l.q.UpdatedFrom))
	end := ceilMillis(l.q.UpdatedTo)
	for place := w.Next(); place != nil && (end == nil || bytes.Compare(place, end) < 0); place = w.Next() {
		if len(ids) == gatherMost {
			return nil
		}
		ids = append(ids, id(place[len(place)-len(id{}):]))
	}
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	l.sets = append(l.sets, ids)
	return nil
}

// addName makes a set of the documents whose name begins as asked for, if they are
// few. If they are many, each that is met is looked at; and the order of names is
// walked between the bounds.
func (l *lister) addName() {
	if l.q.Name == "" {
		return
	}
	l.name = namePrefix(l.q.Name)
	var ids store.SortedIDs
	w := l.t.sorted(order{listName, false}, l.states, nil, []byte(l.name))
	for place := w.Next(); bytes.HasPrefix(place, []byte(l.name)); place = w.Next() {
		if len(ids) == gatherMost {
			return
		}
		ids = append(ids, id(place[len(place)-len(id{}):]))
	}
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	l.sets = append(l.sets, ids)
}

// ceilMillis is how the index spells the first millisecond not before an
// instant; nil for the zero time.
func ceilMillis(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	ms := at.Add(time.Millisecond - 1).UnixMilli()
	return []byte(millis(time.UnixMilli(min(max(ms, 1), 1<<48-1))))
}

// anyState is the set of ids in any of the states asked for.
func (l *lister) anyState() store.IDSet {
	var u store.Union
	for _, s := range l.states {
		u = append(u, l.t.rows(kindState, s))
	}
	if len(u) == 1 {
		return u[0]
	}
	return u
}

// bounds are the first and last id the query's times of creation allow.
func (l *lister) bounds() (first, last id) {
	last = id(bytes.Repeat([]byte{0xff}, len(last)))
	if from := l.q.CreatedFrom; !from.IsZero() {
		copy(first[:], idTime(from))
	}
	if to := l.q.CreatedTo; !to.IsZero() {
		last, _ = id(append([]byte(idTime(to)), make([]byte, 10)...)).Beside(true)
	}
	return first, last
}

// idTime is how the ids of documents begin that were made at this instant, or
// in the first millisecond after it.
func idTime(at time.Time) string {
	return string(ceilMillis(at)[2:])
}

// byCreation walks the intersection itself.
func (l *lister) byCreation() (Page[Document], error) {
	first, last := l.bounds()
	at, ok := first, true
	if l.order.desc {
		at = last
	}
	if l.place != nil {
		at, ok = id(l.place).Beside(l.order.desc)
	}
	walk := store.Intersection{Sets: append(l.sets, l.anyState()), Desc: l.order.desc, Left: lookMost}
	for ok {
		if at, ok = walk.Seek(at); !ok || bytes.Compare(at[:], first[:]) < 0 || bytes.Compare(at[:], last[:]) > 0 {
			break
		}
		if full, err := l.add(at, at[:], walk.Left <= 0); full || err != nil {
			return l.page, err
		}
		at, ok = at.Beside(l.order.desc)
	}
	if walk.Left <= 0 { // at may be a match: the next call begins with it
		if before, ok := at.Beside(!l.order.desc); ok {
			l.page.NextCursor = store.EncodePlace(l.order.list, before[:])
		}
	}
	return l.page, nil
}

// byIndex walks the rows of the sorting index, so many at most, and keeps those
// in all sets.
func (l *lister) byIndex(most int) (Page[Document], error) {
	first, last := l.bounds()
	var from, end []byte // between which the order of changes is walked
	if l.order.list == listUpdated {
		from, end = ceilMillis(l.q.UpdatedFrom), ceilMillis(l.q.UpdatedTo)
	}
	if l.order.list == listName && l.name != "" {
		from, end = []byte(l.name), []byte(l.name+pastPrefix)
	}
	if l.order.desc {
		from, end = end, from
	}
	w := l.t.sorted(l.order, l.states, l.place, from)
	for looked := 1; ; looked++ {
		place := w.Next()
		if place == nil || end != nil && (bytes.Compare(place, end) < 0) == l.order.desc {
			return l.page, nil
		}
		doc := id(place[len(place)-len(id{}):])
		if bytes.Compare(doc[:], first[:]) < 0 || bytes.Compare(doc[:], last[:]) > 0 || !store.InAll(l.sets, doc) {
			if looked >= most {
				l.page.NextCursor = store.EncodePlace(l.order.list, place)
				return l.page, nil
			}
			continue
		}
		if full, err := l.add(doc, place, looked >= most); full || err != nil {
			return l.page, err
		}
	}
}

// fewItems is how many items a page has before it is likely to be filled, and
// manyItems how many it is likely to have then.
const fewItems, manyItems = 8, 64

// withRoom gives a page that is likely to be filled the room for all of it, in place
// of twice as much each time it is too small. One of a reader that follows the log may
// have hundreds, and seldom has.
func withRoom[T any](items []T, limit int) []T {
	if len(items) == fewItems && limit > fewItems {
		return slices.Grow(items, min(limit, manyItems)-fewItems)
	}
	return items
}

// add puts a document on the page if it matches what the sets do not say. full
// says that the page is, or that this was the last row one call looks at; the
// cursor then stands at the last row that was looked at.
func (l *lister) add(doc id, place []byte, last bool) (full bool, err error) {
	if len(l.page.Items) == l.limit || l.size >= maxPageBytes {
		l.page.NextCursor = store.EncodePlace(l.order.list, l.place)
		return true, nil
	}
	g, record, err := l.t.glance(doc)
	if err != nil {
		return false, err
	}
	l.place = append(l.place[:0:0], place...)
	if l.matches(&g) {
		d, err := l.t.decode(doc, record)
		if err != nil {
			return false, err
		}
		l.size += len(record)
		l.page.Items = append(withRoom(l.page.Items, l.limit), d.Document)
	}
	if last {
		l.page.NextCursor = store.EncodePlace(l.order.list, l.place)
	}
	return last, nil
}

func (q *DocumentQuery) updatedMatches(at time.Time) bool {
	return (q.UpdatedFrom.IsZero() || !at.Before(q.UpdatedFrom)) && (q.UpdatedTo.IsZero() || at.Before(q.UpdatedTo))
}

func (l *lister) nameMatches(g *glance) bool {
	return l.name == "" || strings.HasPrefix(foldName(check.NFC(string(g.name))), l.name)
}

// gather collects all matches, if they are so many at most, and sorts them. ok
// is false if they are more.
func (l *lister) gather(most int) (page Page[Document], ok bool, err error) {
	ids, few := l.few(most)
	if !few {
		return page, false, nil
	}
	type match struct {
		place string
		doc   id
	}
	var found []match
	for _, doc := range ids {
		g, _, err := l.t.glance(doc)
		if err != nil {
			return page, false, err
		}
		if l.matches(&g) {
			found = append(found, match{l.order.place(doc, &g), doc})
		}
	}
	before := func(a, b string) int {
		if l.order.desc {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	}
	slices.SortFunc(found, func(a, b match) int { return before(a.place, b.place) })
	if l.place != nil {
		last := string(l.place)
		found = found[sort.Search(len(found), func(i int) bool { return before(found[i].place, last) > 0 }):]
	}
	for _, m := range found {
		if full, err := l.add(m.doc, []byte(m.place), false); full || err != nil {
			return l.page, true, err
		}
	}
	return l.page, true, nil
}

// few returns the ids in all sets, if they are so many at most.
func (l *lister) few(most int) (ids []id, few bool) {
	first, last := l.bounds()
	walk := store.Intersection{Sets: append(l.sets, l.anyState()), Left: 10 * most}
	for at, more := first, true; more; at, more = at.Beside(false) {
		if at, more = walk.Seek(at); !more || bytes.Compare(at[:], last[:]) > 0 {
			break
		}
		if ids = append(ids, at); len(ids) > most {
			return nil, false
		}
	}
	return ids, walk.Left > 0
}

// place is where a document stands in an order: the value and id of its row in
// that order's index.
func (o order) place(doc id, g *glance) string {
	if o.list == listUpdated {
		return millis(g.updatedAt) + string(doc[:])
	}
	return foldName(check.NFC(string(g.name))) + string(doc[:])
}

func (t *tx) documentAt(doc id) (*document, error) {
	b := t.Get(bucketDocuments, doc[:])
	if b == nil {
		return nil, fmt.Errorf("%w: the index names document %s, which is missing", errDamaged, doc)
	}
	return t.decode(doc, b)
}

// glance is what a list must know of a document to decide whether it is on the
// page and where: views into its record, read without decoding the rest, which
// takes ten times as long. It lives as long as its transaction.
type glance struct {
	updatedAt time.Time
	name      []byte
	fields    store.Decoder // stands at the custom fields
}

// glanceAt reads as decodeDocument does, as far as it goes.
func glanceAt(b []byte) (glance, error) {
	r := store.NewDecoder(b)
	r.Num() // seq
	deleted := r.Flag()
	r.Flag()   // archived
	r.Num()    // revision
	r.Num()    // versions
	r.Num()    // created at
	r.Nested() // and by
	g := glance{updatedAt: r.Time()}
	r.Nested() // and by
	if deleted {
		g.name = r.Nested()
	} else {
		r.Nested() // version
		g.name = r.Nested()
		r.Nested() // category
		r.Nested() // description
		r.Nested() // owner
		for range r.Count() {
			r.Nested() // tag
		}
		g.fields = *r
	}
	return g, r.Err()
}

// row is the value of a custom field, as fieldRow spells it; "" if it has none.
func (g *glance) row(key string) (row string) {
	r := g.fields // a copy: the glance stays where it stands
	for range r.Count() {
		name, kind := r.Nested(), r.Num()
		var text []byte
		if kind == fieldText || kind == fieldNumber {
			text = r.Nested()
		}
		if string(name) != key {
			continue
		}
		switch kind {
		case fieldText:
			row = fieldRow(string(text))
		case fieldNumber:
			row = fieldRow(json.Number(text))
		default:
			row = fieldRow(kind == fieldTrue)
		}
	}
	return row
}

// has says whether the document has a value within.
func (r fieldRange) has(g *glance) bool {
	row := g.row(r.key)
	return row != "" && (r.from == "" || row >= r.from) && (r.to == "" || row < r.to)
}

// glance returns a document's record too.
func (t *tx) glance(doc id) (glance, []byte, error) {
	b := t.Get(bucketDocuments, doc[:])
	if b == nil {
		return glance{}, nil, fmt.Errorf("%w: the index names document %s, which is missing", errDamaged, doc)
	}
	g, err := glanceAt(b)
	if err != nil {
		return glance{}, nil, fmt.Errorf("document %s: %w", doc, err)
	}
	return g, b, nil
}

// sorted begins after place, a value and id, or for nil at from, a value, which
// descending is left out; or for nil too at the beginning. What stood at place
// need not be there any more.
func (t *tx) sorted(o order, states []string, place, from []byte) *store.SortedRows {
	kind := byte(kindName)
	if o.list == listUpdated {
		kind = kindUpdated
	}
	var prefixes [][]byte
	for _, state := range states {
		prefixes = append(prefixes, indexPrefix(kind, state))
	}
	return t.Sorted(bucketIndex, prefixes, o.desc, place, from)
}

// rows returns the ids of one kind and value in the index.
func (t *tx) rows(kind byte, value string) *store.RowSet {
	return t.IDs(bucketIndex, indexPrefix(kind, value))
}
