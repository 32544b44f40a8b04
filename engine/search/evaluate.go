package search

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"strongroom/engine"
	"strongroom/engine/search/segment"
)

// evaluation is one query over all segments.
type evaluation struct {
	ctx      context.Context
	language string
	clauses  []clause
	criteria engine.Criteria
	rarity   []float32 // of each clause; nil: that of the index as it is
	plans    []*plan
}

// plan is a segment and where the terms of the query are in it.
type plan struct {
	part  *segment.Part
	terms [][]segment.Term // of each clause: its words in turn
	any   []*anyWord       // of each clause that is a prefix
}

// hit is a document that was found.
type hit struct {
	id    segment.ID
	score float32
}

// before is the order of hits: by score, then the newest first.
func before(a, b hit) int {
	return cmp.Or(cmp.Compare(b.score, a.score), bytes.Compare(b.id[:], a.id[:]))
}

// look finds the terms, and how rare each clause is.
func (e *evaluation) look(parts []*segment.Part) error {
	total := 0
	counts := make([][]int, len(e.clauses)) // of documents, by clause and word
	for i, c := range e.clauses {
		counts[i] = make([]int, max(len(c.words), 1))
	}
	for _, part := range parts {
		total += part.Len()
		pl := &plan{part: part, terms: make([][]segment.Term, len(e.clauses)), any: make([]*anyWord, len(e.clauses))}
		for i, c := range e.clauses {
			if c.prefix != "" {
				m, err := newAnyWord(e.ctx, part, keyForm+c.prefix)
				if err != nil {
					return err
				}
				pl.any[i] = m
				counts[i][0] += m.docs
				continue
			}
			terms, err := c.terms(part)
			if err != nil {
				return err
			}
			pl.terms[i] = terms
			for n, t := range terms {
				counts[i][n] += t.Docs
			}
		}
		e.plans = append(e.plans, pl)
	}
	if e.rarity != nil {
		return nil
	}
	for _, words := range counts {
		sum := 0.0
		for _, n := range words { // those of a prefix may count a document twice
			some := float64(min(n, total))
			sum += math.Log1p((float64(total) - some + 0.5) / (some + 0.5))
		}
		e.rarity = append(e.rarity, float32(sum))
	}
	return nil
}

// terms are the clause's terms in a segment.
func (c *clause) terms(part *segment.Part) (terms []segment.Term, err error) {
	for _, w := range c.words {
		t, err := part.Term(keyStem + w.Stem)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// each calls found with every document that meets all clauses and the criteria,
// and its score.
func (e *evaluation) each(found func(part *segment.Part, doc uint32, score float32)) error {
	for _, pl := range e.plans {
		if err := e.segment(pl, found); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) segment(pl *plan, found func(*segment.Part, uint32, float32)) error {
	matchers := make([]matcher, len(e.clauses))
	for i := range e.clauses {
		m, err := pl.matcher(i)
		if err != nil || m == nil {
			return err
		}
		matchers[i] = m
	}
	set, err := allowed(pl.part, e.criteria)
	if err != nil {
		return err
	}
	last := segment.ID(e.criteria.Last)
	end := pl.part.Search(last)
	if _, ok := pl.part.Find(last); ok {
		end++
	}
	ordered := slices.Clone(matchers) // the rarest sets the pace
	rank := func(m matcher) int { return slices.Index(matchers, m) }
	slices.SortStableFunc(ordered, func(a, b matcher) int { return cmp.Compare(pl.docs(rank(a)), pl.docs(rank(b))) })
	dated := !e.criteria.UpdatedFrom.IsZero() || !e.criteria.UpdatedTo.IsZero()
	for doc, n := pl.part.Search(segment.ID(e.criteria.First)), 0; doc < end; doc, n = doc+1, n+1 {
		if len(ordered) == 1 {
			doc = ordered[0].seek(doc)
		} else {
			doc = together(ordered, doc)
		}
		if doc >= end {
			break
		}
		if n%4096 == 4095 && e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		if !set.Has(doc) || dated && !within(pl.part, doc, e.criteria) {
			continue
		}
		score := float32(0)
		for i, m := range matchers {
			score += e.rarity[i] * impacts[m.weight()]
		}
		found(pl.part, doc, score)
	}
	for _, m := range matchers {
		if err := m.err(); err != nil {
			return err
		}
	}
	return nil
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
	terms := pl.terms[clause]
	switch m := pl.any[clause]; {
	case m != nil && m.docs > 0:
		return m, nil
	case len(terms) == 0 || slices.ContainsFunc(terms, func(t segment.Term) bool { return t.Docs == 0 }):
		return nil, nil
	case len(terms) == 1:
		p, err := terms[0].Postings()
		if err != nil {
			return nil, err
		}
		return oneWord{p}, nil
	}
	m := &phrase{places: make([][]uint32, len(terms))}
	for _, t := range terms {
		p, err := t.Postings()
		if err != nil {
			return nil, err
		}
		m.words = append(m.words, p)
	}
	return m, nil
}

// together goes on to the first document that all matchers meet.
func together(matchers []matcher, doc uint32) uint32 {
	for agreed := 0; ; {
		for _, m := range matchers {
			at := m.seek(doc)
			if at == segment.End {
				return at
			}
			if at != doc {
				doc, agreed = at, 0
			}
			if agreed++; agreed >= len(matchers) {
				return doc
			}
		}
	}
}

// best keeps the first so many hits, in no order until sorted.
type best struct {
	most int
	hits []hit // a heap with the worst on top
}

// hopeless says that no hit of this score can be among them: it spares most of
// what is found a closer look.
func (b *best) hopeless(score float32) bool { return len(b.hits) == b.most && score < b.hits[0].score }

func (b *best) add(h hit) {
	if len(b.hits) < b.most {
		b.hits = append(b.hits, h)
		for i := len(b.hits) - 1; i > 0; {
			up := (i - 1) / 2
			if before(b.hits[up], b.hits[i]) >= 0 {
				break
			}
			b.hits[up], b.hits[i] = b.hits[i], b.hits[up]
			i = up
		}
		return
	}
	if before(h, b.hits[0]) >= 0 {
		return
	}
	b.hits[0] = h
	for i := 0; ; {
		worst := i
		for _, down := range []int{2*i + 1, 2*i + 2} {
			if down < len(b.hits) && before(b.hits[down], b.hits[worst]) > 0 {
				worst = down
			}
		}
		if worst == i {
			return
		}
		b.hits[worst], b.hits[i] = b.hits[i], b.hits[worst]
		i = worst
	}
}

func (b *best) sorted() []hit {
	slices.SortFunc(b.hits, before)
	return b.hits
}
