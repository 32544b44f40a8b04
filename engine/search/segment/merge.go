package segment

import (
	"bytes"
	"io"
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
	list Postings // of the term that is merged, and
	doc  uint32   // the number of the document where it stands; gone behind the last
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
			waiting.push(in)
		}
	}
	var same []*merging
	var l list
	for n := 0; len(waiting) > 0; n++ {
		if n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
		key := waiting[len(waiting)-1].term.Key
		same = same[:0]
		for len(waiting) > 0 && waiting[len(waiting)-1].term.Key == key {
			same = append(same, waiting[len(waiting)-1])
			waiting = waiting[:len(waiting)-1]
		}
		l.reset()
		if err := mergePostings(same, &l); err != nil {
			return err
		}
		if l.count > 0 {
			w.term(key, &l)
		}
		for _, in := range same {
			more, err := in.next()
			if err != nil {
				return err
			}
			if more {
				waiting.push(in)
			}
		}
	}
	return w.err
}

// mergePostings merges those of the inputs' terms that are alive, in the order of the
// documents they get. Each is in that order by itself, and an id is alive in one of
// them, so each stays in front until another's next is before its own: what was put in at
// one time stands together.
func mergePostings(inputs []*merging, l *list) error {
	for _, in := range inputs {
		if err := in.list.open(in.term); err != nil {
			return err
		}
		if err := in.step(); err != nil {
			return err
		}
	}
	for {
		var first *merging
		second := uint32(gone) // where another is in front
		for _, in := range inputs {
			switch {
			case in.doc == gone:
			case first == nil || in.doc < first.doc:
				if first != nil {
					second = first.doc
				}
				first = in
			case in.doc < second:
				second = in.doc
			}
		}
		if first == nil {
			return nil
		}
		for first.doc < second {
			var positions []byte
			if first.term.pos > 0 {
				var err error
				if positions, err = first.list.sized(); err != nil {
					return err
				}
			}
			l.add(first.doc, first.list.Weight, positions)
			if err := first.step(); err != nil {
				return err
			}
		}
	}
}

// step goes on to the next document of the term that is alive; gone behind the last.
func (in *merging) step() error {
	for p := &in.list; ; {
		if p.Next() == End {
			in.doc = gone
			return p.Err
		}
		if in.doc = in.to[p.Doc]; in.doc != gone {
			return nil
		}
	}
}

// byTerm are inputs, that with the first term last. They are few, and most terms are of
// one of them, which comes before all others again or nearly so.
type byTerm []*merging

func (b *byTerm) push(in *merging) {
	all := append(*b, in)
	at := len(all) - 1
	for ; at > 0 && all[at-1].term.Key < in.term.Key; at-- {
		all[at] = all[at-1]
	}
	all[at] = in
	*b = all
}
