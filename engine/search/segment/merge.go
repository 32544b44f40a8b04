package segment

import (
	"bytes"
	"cmp"
	"container/heap"
	"io"
	"slices"
)

// gone stands for a document that a merge leaves behind.
const gone = End

// merging is one of several segments that become one.
type merging struct {
	seg  *Segment
	dead Set
	to   []uint32 // the number each document gets, or gone
	at   uint32   // the next document
	term Term     // the next term
	left []block  // behind that in which the next term is
	walk cursor
	list Postings // of the next term
}

// merge writes what is alive of several segments as one. It returns, for each,
// the number its documents got. A term that only dead documents had is gone.
func merge(inputs []*merging, out io.Writer, stop func() error) error {
	w := newWriter(out)
	if err := mergeDocs(inputs, w, stop); err != nil {
		return err
	}
	if err := mergeTerms(inputs, w, stop); err != nil {
		return err
	}
	return w.end()
}

// mergeDocs merges the documents in the order of their ids.
func mergeDocs(inputs []*merging, w *writer, stop func() error) error {
	for _, in := range inputs {
		in.to = make([]uint32, in.seg.Len())
	}
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
		var best *merging
		var first ID
		for _, in := range inputs {
			for int(in.at) < in.seg.Len() && in.dead.Has(in.at) {
				in.to[in.at] = gone
				in.at++
			}
			if int(in.at) == in.seg.Len() {
				continue
			}
			if id := in.seg.ID(in.at); best == nil || bytes.Compare(id[:], first[:]) < 0 {
				best, first = in, id
			}
		}
		if best == nil {
			return nil
		}
		stored, err := best.seg.Stored(best.at)
		if err != nil {
			return err
		}
		best.to[best.at] = w.docs
		w.doc(first, best.seg.Updated(best.at), stored)
		best.at++
	}
}

// next goes on to the next term; false at the end.
func (in *merging) next() (more bool, err error) {
	for {
		var ok bool
		if in.term, err, ok = in.walk.next(); ok || len(in.left) == 0 {
			return ok, err
		}
		b := in.left[0]
		data, begins, err := in.seg.lists(b, nil)
		if err != nil {
			return false, err
		}
		in.left, in.walk = in.left[1:], in.seg.cursor(b, data, begins)
	}
}

// mergeTerms merges the terms in order, and of each the postings.
func mergeTerms(inputs []*merging, w *writer, stop func() error) error {
	var waiting byTerm
	for _, in := range inputs {
		in.left = in.seg.blocks
		more, err := in.next()
		if err != nil {
			return err
		}
		if more {
			waiting = append(waiting, in)
		}
	}
	heap.Init(&waiting)
	var entries []entry
	var l list
	byDoc := func(a, b entry) int { return cmp.Compare(a.doc, b.doc) }
	for n := 0; len(waiting) > 0; n++ {
		if n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
		key := waiting[0].term.Key
		entries = entries[:0]
		for len(waiting) > 0 && waiting[0].term.Key == key {
			in := waiting[0]
			var err error
			if entries, err = in.entries(entries); err != nil {
				return err
			}
			more, err := in.next()
			if err != nil {
				return err
			}
			if more {
				heap.Fix(&waiting, 0)
			} else {
				heap.Pop(&waiting)
			}
		}
		if !slices.IsSortedFunc(entries, byDoc) {
			slices.SortFunc(entries, byDoc)
		}
		l.reset()
		for _, e := range entries {
			l.add(e.doc, e.weight, e.positions)
		}
		if l.count > 0 {
			w.term(key, &l)
		}
	}
	return w.err
}

// byTerm is a heap of inputs, that with the first term on top.
type byTerm []*merging

func (h byTerm) Len() int           { return len(h) }
func (h byTerm) Less(i, j int) bool { return h[i].term.Key < h[j].term.Key }
func (h byTerm) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTerm) Push(x any)        { *h = append(*h, x.(*merging)) }
func (h *byTerm) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

type entry struct {
	doc       uint32
	weight    byte
	positions []byte
}

// entries appends the postings of the input's term that are alive.
func (in *merging) entries(to []entry) ([]entry, error) {
	p := &in.list
	if err := p.open(in.term); err != nil {
		return nil, err
	}
	for p.Next() != End {
		doc := in.to[p.Doc]
		if doc == gone {
			continue
		}
		e := entry{doc: doc, weight: p.Weight}
		if in.term.pos > 0 {
			var err error
			if e.positions, err = p.sized(); err != nil {
				return nil, err
			}
		}
		to = append(to, e)
	}
	return to, p.Err
}
