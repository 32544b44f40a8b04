package engine

import (
	"bytes"
	"slices"

	"strongroom/engine/internal/store"
)

// idSet is a set of document ids that can be walked in order, in either
// direction, and asked about one id. It lives as long as its transaction.
type idSet interface {
	// seek returns the first member not before from, or, descending, the last
	// not after it.
	seek(from id, desc bool) (id, bool)
	has(doc id) bool
}

// intersection walks what is in all of several sets. It leaps: each set in
// turn seeks to where the others stand, so the smallest sets the pace. It stops
// when it has sought so many times: left is 0 or less then.
type intersection struct {
	sets []idSet
	desc bool
	left int
}

// seek returns the first common member from at on. If it has stopped before it
// found one, the id returned is one before which there is none.
func (x *intersection) seek(at id) (id, bool) {
	for agreed := 0; ; {
		for _, s := range x.sets {
			found, ok := s.seek(at, x.desc)
			if !ok {
				x.left = max(x.left, 1) // it ended; it did not stop
				return id{}, false
			}
			if found != at {
				at, agreed = found, 0
			}
			if agreed++; agreed == len(x.sets) {
				x.left--
				return at, true
			}
			if x.left--; x.left <= 0 {
				return at, false
			}
		}
	}
}

func inAll(sets []idSet, doc id) bool {
	for _, s := range sets {
		if !s.has(doc) {
			return false
		}
	}
	return true
}

// oneID is the set of one.
type oneID id

func (o oneID) seek(from id, desc bool) (id, bool) {
	c := bytes.Compare(from[:], o[:])
	return id(o), c == 0 || (c > 0) == desc
}

func (o oneID) has(doc id) bool { return id(o) == doc }

// sortedIDs is a set of ids in memory, in order.
type sortedIDs []id

func (s sortedIDs) seek(from id, desc bool) (id, bool) {
	i, found := s.find(from)
	if desc && !found {
		i--
	}
	if i < 0 || i == len(s) {
		return id{}, false
	}
	return s[i], true
}

func (s sortedIDs) has(doc id) bool {
	_, found := s.find(doc)
	return found
}

func (s sortedIDs) find(doc id) (int, bool) {
	return slices.BinarySearchFunc(s, doc, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
}

// union is the set of what is in any of several.
type union []idSet

func (u union) seek(from id, desc bool) (best id, ok bool) {
	for _, s := range u {
		found, some := s.seek(from, desc)
		if some && (!ok || (bytes.Compare(found[:], best[:]) < 0) != desc) {
			best, ok = found, true
		}
	}
	return best, ok
}

func (u union) has(doc id) bool {
	for _, s := range u {
		if s.has(doc) {
			return true
		}
	}
	return false
}

// rowSet is the ids of the index rows with one prefix.
type rowSet struct {
	t      *tx
	c      store.Cursor
	prefix []byte
	key    []byte // scratch
	from   id     // what was sought last, in the direction desc, if sought; and
	at     id     // what was found: where c stands, if placed
	sought bool
	desc   bool
	placed bool
}

func (s *rowSet) keyOf(doc id) []byte {
	s.key = append(append(s.key[:0], s.prefix...), doc[:]...)
	return s.key
}

func (s *rowSet) seek(from id, desc bool) (id, bool) {
	if s.skips(from, desc) {
		return s.at, s.placed
	}
	s.from, s.desc, s.sought = from, desc, true
	if s.placed {
		// One step mostly suffices when sets are dense, and costs less than
		// finding the way from the root.
		if next, ok := from.Beside(!desc); ok && next == s.at {
			var k []byte
			if desc {
				k, _ = s.c.Prev()
			} else {
				k, _ = s.c.Next()
			}
			return s.place(k)
		}
	}
	k, _ := s.c.Seek(s.keyOf(from))
	if desc && !bytes.Equal(k, s.key) {
		if k == nil {
			k, _ = s.c.Last()
		} else {
			k, _ = s.c.Prev()
		}
	}
	return s.place(k)
}

// skips says whether from lies between what was sought last and what was found,
// where there is no member: beside a dense set, one with few members is sought
// once for each of its own.
func (s *rowSet) skips(from id, desc bool) bool {
	if !s.sought || s.desc != desc {
		return false
	}
	since, until := bytes.Compare(from[:], s.from[:]), bytes.Compare(from[:], s.at[:])
	if desc {
		since, until = -since, -until
	}
	return since >= 0 && (until <= 0 || !s.placed)
}

func (s *rowSet) place(k []byte) (id, bool) {
	s.placed = len(k) == len(s.prefix)+len(s.at) && bytes.HasPrefix(k, s.prefix)
	if s.placed {
		s.at = id(k[len(s.prefix):])
	}
	return s.at, s.placed
}

func (s *rowSet) has(doc id) bool { return s.t.Get(bucketIndex, s.keyOf(doc)) != nil }

// sortedRows walks the rows of a sorting index in several states at once, in
// one order.
type sortedRows struct {
	desc    bool
	walkers []*walker
}

// walker walks the rows of one prefix.
type walker struct {
	c      store.Cursor
	prefix []byte
	row    []byte // where it stands; nil at the end
}

// sorted begins after place, a value and id, or for nil at from, a value, which
// descending is left out; or for nil too at the beginning. What stood at place
// need not be there any more.
func (t *tx) sorted(o order, states []string, place, from []byte) *sortedRows {
	kind := byte(kindName)
	if o.list == listUpdated {
		kind = kindUpdated
	}
	var prefixes [][]byte
	for _, state := range states {
		prefixes = append(prefixes, indexPrefix(kind, state))
	}
	return t.sortedRows(bucketIndex, prefixes, o.desc, place, from)
}

// sortedRows is sorted for any rows with these prefixes, each of which ends
// in a letter.
func (t *tx) sortedRows(bucket []byte, prefixes [][]byte, desc bool, place, from []byte) *sortedRows {
	s := &sortedRows{desc: desc}
	for _, prefix := range prefixes {
		w := &walker{c: t.Cursor(bucket), prefix: prefix}
		if place != nil {
			w.start(place, desc, true)
		} else {
			w.start(from, desc, false)
		}
		s.walkers = append(s.walkers, w)
	}
	return s
}

// start stands at the first row from at on, without that row itself if past.
func (w *walker) start(at []byte, desc, past bool) {
	from := append(bytes.Clone(w.prefix), at...)
	if desc && at == nil {
		from[len(from)-1]++ // the first row behind the prefix, which ends in a letter
	}
	row, _ := w.c.Seek(from)
	switch {
	case desc && row == nil:
		row, _ = w.c.Last()
	case desc:
		row, _ = w.c.Prev()
	case past && bytes.Equal(row, from):
		row, _ = w.c.Next()
	}
	w.stand(row)
}

func (w *walker) stand(row []byte) {
	w.row = nil
	if bytes.HasPrefix(row, w.prefix) {
		w.row = row
	}
}

// place is what stands behind the prefix of the row.
func (w *walker) place() []byte { return w.row[len(w.prefix):] }

// next returns the value and id of the next row; nil at the end. It is a view.
func (s *sortedRows) next() []byte {
	var best *walker
	for _, w := range s.walkers {
		if w.row == nil {
			continue
		}
		if best == nil || (bytes.Compare(w.place(), best.place()) < 0) != s.desc {
			best = w
		}
	}
	if best == nil {
		return nil
	}
	place := best.place()
	if s.desc {
		row, _ := best.c.Prev()
		best.stand(row)
	} else {
		row, _ := best.c.Next()
		best.stand(row)
	}
	return place
}

// rows returns the ids of one kind and value in the index.
func (t *tx) rows(kind byte, value string) *rowSet {
	return &rowSet{t: t, c: t.Cursor(bucketIndex), prefix: indexPrefix(kind, value)}
}
