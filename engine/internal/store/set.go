package store

import (
	"bytes"
	"slices"
)

// IDSet is a set of ids that can be walked in order, in either direction, and
// asked about one id. It lives as long as its transaction.
type IDSet interface {
	// Seek returns the first member not before from, or, descending, the last
	// not after it.
	Seek(from ID, desc bool) (ID, bool)
	Has(id ID) bool
}

// Intersection walks what is in all of several sets. It leaps: each set in
// turn seeks to where the others stand, so the smallest sets the pace. It stops
// when it has sought so many times: Left is 0 or less then.
type Intersection struct {
	Sets []IDSet
	Desc bool
	Left int
}

// Seek returns the first common member from at on. If it has stopped before it
// found one, the id returned is one before which there is none.
func (x *Intersection) Seek(at ID) (ID, bool) {
	for agreed := 0; ; {
		for _, s := range x.Sets {
			found, ok := s.Seek(at, x.Desc)
			if !ok {
				x.Left = max(x.Left, 1) // it ended; it did not stop
				return ID{}, false
			}
			if found != at {
				at, agreed = found, 0
			}
			if agreed++; agreed == len(x.Sets) {
				x.Left--
				return at, true
			}
			if x.Left--; x.Left <= 0 {
				return at, false
			}
		}
	}
}

// InAll says whether an id is in each of several sets.
func InAll(sets []IDSet, id ID) bool {
	for _, s := range sets {
		if !s.Has(id) {
			return false
		}
	}
	return true
}

// OneID is the set of one.
type OneID ID

func (o OneID) Seek(from ID, desc bool) (ID, bool) {
	c := bytes.Compare(from[:], o[:])
	return ID(o), c == 0 || (c > 0) == desc
}

func (o OneID) Has(id ID) bool { return ID(o) == id }

// SortedIDs is a set of ids in memory, in order.
type SortedIDs []ID

func (s SortedIDs) Seek(from ID, desc bool) (ID, bool) {
	i, found := s.find(from)
	if desc && !found {
		i--
	}
	if i < 0 || i == len(s) {
		return ID{}, false
	}
	return s[i], true
}

func (s SortedIDs) Has(id ID) bool {
	_, found := s.find(id)
	return found
}

func (s SortedIDs) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(s, id, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}

// Union is the set of what is in any of several.
type Union []IDSet

func (u Union) Seek(from ID, desc bool) (best ID, ok bool) {
	for _, s := range u {
		found, some := s.Seek(from, desc)
		if some && (!ok || (bytes.Compare(found[:], best[:]) < 0) != desc) {
			best, ok = found, true
		}
	}
	return best, ok
}

func (u Union) Has(id ID) bool {
	for _, s := range u {
		if s.Has(id) {
			return true
		}
	}
	return false
}

// IDs returns the ids of the rows with one prefix, in a bucket of index rows: a
// row is prefix ‖ id.
func (t *Tx) IDs(bucket, prefix []byte) *RowSet {
	return &RowSet{t: t, bucket: bucket, c: t.Cursor(bucket), prefix: prefix}
}

// Prefix is what stands before the ids.
func (s *RowSet) Prefix() []byte { return s.prefix }

// RowSet is the ids of the index rows with one prefix.
type RowSet struct {
	t      *Tx
	bucket []byte
	c      Cursor
	prefix []byte
	key    []byte // scratch
	from   ID     // what was sought last, in the direction desc, if sought; and
	at     ID     // what was found: where c stands, if placed
	sought bool
	desc   bool
	placed bool
}

func (s *RowSet) keyOf(id ID) []byte {
	s.key = append(append(s.key[:0], s.prefix...), id[:]...)
	return s.key
}

func (s *RowSet) Seek(from ID, desc bool) (ID, bool) {
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
func (s *RowSet) skips(from ID, desc bool) bool {
	if !s.sought || s.desc != desc {
		return false
	}
	since, until := bytes.Compare(from[:], s.from[:]), bytes.Compare(from[:], s.at[:])
	if desc {
		since, until = -since, -until
	}
	return since >= 0 && (until <= 0 || !s.placed)
}

func (s *RowSet) place(k []byte) (ID, bool) {
	s.placed = len(k) == len(s.prefix)+len(s.at) && bytes.HasPrefix(k, s.prefix)
	if s.placed {
		s.at = ID(k[len(s.prefix):])
	}
	return s.at, s.placed
}

func (s *RowSet) Has(id ID) bool { return s.t.Get(s.bucket, s.keyOf(id)) != nil }
