package segment

import (
	"bytes"
	"cmp"
	"container/heap"
	"io"
	"iter"
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
	next func() (Term, error, bool)
	stop func()
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

// mergeTerms merges the terms in order, and of each the postings.
func mergeTerms(inputs []*merging, w *writer, stop func() error) error {
	var waiting byTerm
	for _, in := range inputs {
		in.next, in.stop = iter.Pull2(in.seg.Lists("", "", nil))
		defer in.stop()
		if err := waiting.advance(in); err != nil {
			return err
		}
	}
	var entries []entry
	var l list
	for n := 0; len(waiting) > 0; n++ {
		if n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
		key := waiting[0].term.Key
		entries = entries[:0]
		for len(waiting) > 0 && waiting[0].term.Key == key {
			in := heap.Pop(&waiting).(*merging)
			var err error
			if entries, err = in.entries(entries); err != nil {
				return err
			}
			if err := waiting.advance(in); err != nil {
				return err
			}
		}
		byDoc := func(a, b entry) int { return cmp.Compare(a.doc, b.doc) }
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

func (h *byTerm) advance(in *merging) error {
	t, err, ok := in.next()
	if ok && err == nil {
		in.term = t
		heap.Push(h, in)
	}
	return err
}

type entry struct {
	doc       uint32
	weight    byte
	positions []byte
}

// entries appends the postings of the input's term that are alive.
func (in *merging) entries(to []entry) ([]entry, error) {
	p, err := in.term.Postings()
	if err != nil {
		return nil, err
	}
	for p.Next() != End {
		doc := in.to[p.Doc]
		if doc == gone {
			continue
		}
		e := entry{doc: doc, weight: p.Weight}
		if in.term.pos > 0 {
			if e.positions, err = p.sized(); err != nil {
				return nil, err
			}
		}
		to = append(to, e)
	}
	return to, p.Err
}
