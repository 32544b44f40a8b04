package store

import "bytes"

// SortedRows walks the rows of a sorting index in several states at once, in
// one order.
type SortedRows struct {
	desc    bool
	walkers []*walker
}

// walker walks the rows of one prefix.
type walker struct {
	c      Cursor
	prefix []byte
	row    []byte // where it stands; nil at the end
}

// Sorted walks the rows with these prefixes, each of which ends in a letter. It
// begins after place, what stands behind a prefix, or for nil at from, a value,
// which descending is left out; or for nil too at the beginning. What stood at
// place need not be there any more.
func (t *Tx) Sorted(bucket []byte, prefixes [][]byte, desc bool, place, from []byte) *SortedRows {
	s := &SortedRows{desc: desc}
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

// Next returns the value and id of the next row; nil at the end. It is a view.
func (s *SortedRows) Next() []byte {
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
