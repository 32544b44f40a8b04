package search

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"strongroom/engine"
	"strongroom/engine/search/segment"
	"strongroom/engine/search/words"
)

// evaluation is one query over all segments.
type evaluation struct {
	ctx      context.Context
	language string
	split    *words.Splitter
	*inquiry
	criteria engine.Criteria
	rarity   []float32 // of each clause; nil: that of the index as it is
	plans    []*plan
	any      int    // what is left of anyBytes
	buffer   []byte // see anyWord
}

// plan is a segment and where the terms of the query are in it.
type plan struct {
	part   *segment.Part
	terms  [][]segment.Term // of each clause: its words in turn
	any    []*anyWord       // of each clause that is a prefix or a needle
	fields []segment.Term   // of each clause that is of one field: where it is
	ignore segment.Set      // what does not count: see uncounted
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
		counts[i] = make([]int, max(len(c.stems), 1))
	}
	e.any = anyBytes
	for _, part := range parts {
		pl, err := e.plan(part)
		if err != nil {
			return err
		}
		total += part.Len() - pl.ignore.Len()
		for i := range e.clauses {
			if m := pl.any[i]; m != nil {
				counts[i][0] += m.docs
			}
			for n, t := range pl.terms[i] {
				docs, err := t.Outside(pl.ignore)
				if err != nil {
					return err
				}
				counts[i][n] += docs
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

// uncounted are the documents of a segment that count for nothing when it is
// reckoned how rare a word is. They are none if who asks may see all. Else a score
// must not tell of what is hidden: neither by what the index holds of it, nor by
// what it still holds from before it was hidden, nor by whether a merge, which
// hidden documents bring nearer too, has dropped what was replaced.
func uncounted(p *segment.Part, c engine.Criteria) (segment.Set, error) {
	if c.Hidden == nil {
		return nil, nil
	}
	hidden, err := anyFacet(p, c.Hidden)
	return hidden.Or(p.DeadDocs()), err
}

// plan looks up the terms of a segment.
func (e *evaluation) plan(part *segment.Part) (*plan, error) {
	n := len(e.clauses)
	pl := &plan{part: part, terms: make([][]segment.Term, n), any: make([]*anyWord, n), fields: make([]segment.Term, n)}
	var err error
	if pl.ignore, err = uncounted(part, e.criteria); err != nil {
		return nil, err
	}
	within, err := e.within(part)
	if err != nil {
		return nil, err
	}
	for i, c := range e.clauses {
		if c.stems == nil {
			m := &anyWord{ctx: e.ctx, part: part, buffer: &e.buffer, terms: within[i], ignore: pl.ignore}
			if c.prefix != "" {
				m.ranges = c.ranges(e.split.Compounds())
			}
			if err := m.open(&e.any); err != nil {
				return nil, err
			}
			pl.any[i] = m
			continue
		}
		for _, stem := range c.stems {
			t, err := part.Term(keyStem + stem)
			if err != nil {
				return nil, err
			}
			pl.terms[i] = append(pl.terms[i], t)
		}
		if c.field == "" {
			continue
		}
		var err error
		if pl.fields[i], err = part.Term(keyBounds + c.field); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// ranges are those of the keys of a prefix. Long words are apart if they may be
// compounds.
func (c *clause) ranges(compounds bool) [][2]string {
	key := keyForm + c.prefix
	if c.field != "" {
		key = keyInField + c.field + "\x00" + c.prefix
	}
	ranges := [][2]string{{key, key + "\xff"}}
	if c.field == "" && compounds {
		ranges = append(ranges, [2]string{keyLong + c.prefix, keyLong + c.prefix + "\xff"})
	}
	return ranges
}

// maxWithin is how many longer words a word is looked for within, of each
// segment. No word is part of so many, but for a few of four letters.
const maxWithin = 500

// within finds the words that have a clause's needle as a part of them.
func (e *evaluation) within(part *segment.Part) (map[int][]segment.Term, error) {
	var needles []string
	var clauses []int
	for i, c := range e.clauses {
		if c.needle != "" {
			needles, clauses = append(needles, c.needle), append(clauses, i)
		}
	}
	if needles == nil {
		return nil, nil
	}
	keys := map[int][]string{}
	err := part.Containing(needles, func(n int, key []byte) {
		if i := clauses[n]; len(keys[i]) < maxWithin && e.split.Inside(needles[n], key) {
			keys[i] = append(keys[i], keyLong+string(key))
		}
	})
	terms := map[int][]segment.Term{}
	for i, list := range keys {
		for _, key := range list {
			t, termErr := part.Term(key)
			if err == nil {
				err = termErr
			}
			terms[i] = append(terms[i], t)
		}
	}
	return terms, err
}

// each calls found with every document that meets the query and the criteria,
// and its score.
func (e *evaluation) each(found func(part *segment.Part, doc uint32, score float32)) error {
	for i, pl := range e.plans {
		if err := e.segment(pl, found); err != nil {
			return err
		}
		e.plans[i] = nil // what it holds makes room for the next
	}
	return nil
}

func (e *evaluation) segment(pl *plan, found func(*segment.Part, uint32, float32)) error {
	root, err := e.meet(pl, &e.root)
	if err != nil || root == nil {
		return err
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
	dated := !e.criteria.UpdatedFrom.IsZero() || !e.criteria.UpdatedTo.IsZero()
	for doc, n := pl.part.Search(segment.ID(e.criteria.First)), 0; doc < end; doc, n = doc+1, n+1 {
		if doc = root.seek(doc); doc >= end {
			break
		}
		if n%4096 == 4095 && e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		if !set.Has(doc) || dated && !within(pl.part, doc, e.criteria) {
			continue
		}
		found(pl.part, doc, root.score())
	}
	return root.err()
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
