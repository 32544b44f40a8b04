package search

import (
	"cmp"
	"slices"

	"strongroom/engine/search/segment"
)

// walker walks the documents of a segment that meet a part of a query, in order.
type walker interface {
	// seek goes on to the first not before doc, or segment.End.
	seek(doc uint32) uint32
	// score is that of the document where it stands.
	score() float32
	err() error
	// docs is how many documents it meets, at most, or what comes near it.
	docs() int
}

// meet is the walker of a node in a segment; nil if nothing there meets it.
func (e *evaluation) meet(pl *plan, n *node) (walker, error) {
	switch n.op {
	case opClause:
		m, err := pl.matcher(n.clause)
		if m == nil || err != nil {
			return nil, err
		}
		return &one{m, e.rarity[n.clause], pl.docs(n.clause)}, nil
	case opNot:
		w, err := e.meet(pl, &n.nodes[0])
		return &none{of: w, n: uint32(pl.part.Len())}, err
	}
	var of []walker
	for i := range n.nodes {
		w, err := e.meet(pl, &n.nodes[i])
		if err != nil {
			return nil, err
		}
		if w != nil {
			of = append(of, w)
		} else if n.op == opAll {
			return nil, nil
		}
	}
	switch {
	case len(of) == 0:
		return nil, nil
	case len(of) == 1:
		return of[0], nil
	case n.op == opAll:
		a := &all{of: of, pace: slices.Clone(of)}
		// The rarest sets the pace.
		slices.SortStableFunc(a.pace, func(a, b walker) int { return cmp.Compare(a.docs(), b.docs()) })
		return a, nil
	}
	return &either{of: of, best: n.op == opBest}, nil
}

// docs is how many documents a clause has in the segment, at most.
func (pl *plan) docs(clause int) (n int) {
	if m := pl.any[clause]; m != nil {
		return m.docs
	}
	for _, t := range pl.terms[clause] {
		n += t.Docs
	}
	return n
}

// matcher is nil when nothing in the segment meets the clause.
func (pl *plan) matcher(clause int) (matcher, error) {
	terms, field := pl.terms[clause], pl.fields[clause]
	switch m := pl.any[clause]; {
	case m != nil && m.docs > 0:
		return m, nil
	case len(terms) == 0 || slices.ContainsFunc(terms, func(t segment.Term) bool { return t.Docs == 0 }):
		return nil, nil
	case field.Key != "" && field.Docs == 0:
		return nil, nil
	case len(terms) == 1 && field.Key == "":
		p, err := terms[0].Postings()
		if err != nil {
			return nil, err
		}
		return oneWord{p}, nil
	}
	m := &phrase{places: make([]segment.Places, len(terms))}
	for _, t := range terms {
		p, err := t.Postings()
		if err != nil {
			return nil, err
		}
		m.words = append(m.words, p)
	}
	if field.Key == "" {
		return m, nil
	}
	var err error
	m.field, err = field.Postings()
	return m, err
}

// one meets a clause.
type one struct {
	matcher
	rarity float32
	n      int
}

func (w *one) score() float32 { return w.rarity * impacts[w.weight()] }
func (w *one) docs() int      { return w.n }

// all meets what all meet. What it scores does not depend on which is rarest in
// a segment.
type all struct{ of, pace []walker }

func (w *all) seek(doc uint32) uint32 {
	for agreed := 0; ; {
		for _, m := range w.pace {
			at := m.seek(doc)
			if at == segment.End {
				return at
			}
			if at != doc {
				doc, agreed = at, 0
			}
			if agreed++; agreed >= len(w.pace) {
				return doc
			}
		}
	}
}

func (w *all) score() (sum float32) {
	for _, m := range w.of {
		sum += m.score()
	}
	return sum
}

func (w *all) docs() int  { return w.pace[0].docs() }
func (w *all) err() error { return firstErr(w.of) }

// either meets what any meets.
type either struct {
	of   []walker
	best bool // the best counts, and not the sum
	at   uint32
}

func (w *either) seek(doc uint32) uint32 {
	w.at = segment.End
	for _, m := range w.of {
		w.at = min(w.at, m.seek(doc))
	}
	return w.at
}

func (w *either) score() (sum float32) {
	for _, m := range w.of {
		switch {
		case m.seek(w.at) != w.at:
		case w.best:
			sum = max(sum, m.score())
		default:
			sum += m.score()
		}
	}
	return sum
}

func (w *either) docs() (n int) {
	for _, m := range w.of {
		n += m.docs()
	}
	return n
}

func (w *either) err() error { return firstErr(w.of) }

// none meets what its part does not meet. It adds nothing to a score.
type none struct {
	of   walker // nil: nothing meets it
	n    uint32
	at   uint32
	some bool // it stands at
}

func (w *none) seek(doc uint32) uint32 {
	if w.some && doc <= w.at { // the part is beyond what is in between, and cannot tell of it any more
		return w.at
	}
	w.at, w.some = segment.End, true
	for ; doc < w.n; doc++ {
		if w.of == nil || w.of.seek(doc) != doc {
			w.at = doc
			break
		}
	}
	return w.at
}

func (w *none) score() float32 { return 0 }
func (w *none) docs() int      { return int(w.n) }

func (w *none) err() error {
	if w.of == nil {
		return nil
	}
	return w.of.err()
}

func firstErr(of []walker) error {
	for _, m := range of {
		if err := m.err(); err != nil {
			return err
		}
	}
	return nil
}
