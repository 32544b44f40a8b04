package search

import (
	"context"
	"iter"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/segment"
)

// A query holds little, be the texts as long and the words as common as they
// may: of each word of it 33 KiB of the lists of one segment at a time, and for
// prefixes and parts of words together a byte for each document, 4 MiB at most
// and 64 KiB more for each of them; where that is not enough, lists are walked
// several times. See BenchmarkHostilePhrase.

// matcher walks the documents of a segment that meet a clause, in order.
type matcher interface {
	// seek goes on to the first not before doc, or segment.End.
	seek(doc uint32) uint32
	// weight is that of the document where it stands.
	weight() byte
	err() error
}

// oneWord meets what has a term.
type oneWord struct{ *segment.Postings }

func (m oneWord) seek(doc uint32) uint32 { return m.Seek(doc) }
func (m oneWord) weight() byte           { return m.Weight }
func (m oneWord) err() error             { return m.Err }

// phrase meets what has several terms one behind the other, or one at least in a
// certain field.
type phrase struct {
	words  []*segment.Postings
	places []segment.Places
	field  *segment.Postings // where each text of the field begins and ends; nil: in any
	bounds segment.Places
	at     uint32
	some   bool // it stands at
	fail   error
}

func (m *phrase) seek(doc uint32) uint32 {
	if !m.some || doc > m.at {
		m.at, m.some = m.next(doc), true
	}
	return m.at
}

func (m *phrase) next(doc uint32) uint32 {
	for {
		at := m.align(doc)
		if at == segment.End || m.fail != nil {
			return segment.End
		}
		if m.together() {
			return at
		}
		doc = at + 1
	}
}

// align goes on to the first document that has all words, and the field.
func (m *phrase) align(doc uint32) uint32 {
	for agreed := false; !agreed; {
		agreed = true
		if m.field != nil {
			if doc = m.field.Seek(doc); doc == segment.End {
				return doc
			}
		}
		for _, p := range m.words {
			at := p.Seek(doc)
			if at == segment.End {
				return at
			}
			if at != doc {
				doc, agreed = at, false
				break
			}
		}
	}
	return doc
}

// together says whether the words stand one behind the other anywhere. The one
// that is rarest here sets the pace, so that most of the others is leapt over.
func (m *phrase) together() bool {
	pace := 0
	for i, p := range m.words {
		if p.Places(&m.places[i]); m.places[i].Bytes() < m.places[pace].Bytes() {
			pace = i
		}
	}
	if m.field != nil {
		m.field.Places(&m.bounds)
	}
	for {
		at := m.places[pace].Next()
		if at == segment.End {
			break
		}
		if at < uint32(pace) {
			continue
		}
		switch follows, more := m.follow(at - uint32(pace)); {
		case follows:
			return true
		case !more:
			return m.failed()
		}
	}
	return m.failed()
}

// follow says whether the phrase stands at a place, and whether it may at a
// later one. It is called with ever later places.
func (m *phrase) follow(begin uint32) (follows, more bool) {
	for i := range m.places {
		switch at := m.places[i].Seek(begin + uint32(i)); {
		case at == segment.End:
			return false, false
		case at != begin+uint32(i):
			return false, true
		}
	}
	if m.field == nil {
		return true, true
	}
	// The bounds are pairs: where a text begins, and the place behind its end.
	for behind := begin + uint32(len(m.places)); ; {
		if m.bounds.At == segment.End {
			return false, false
		}
		if m.bounds.Behind >= behind {
			return m.bounds.At <= begin, true
		}
		if m.bounds.Pair(); m.bounds.At == segment.End {
			return false, false
		}
	}
}

// failed notes what went wrong while places were walked.
func (m *phrase) failed() bool {
	for i := range m.places {
		if m.fail == nil {
			m.fail = m.places[i].Err
		}
	}
	if m.fail == nil && m.field != nil {
		m.fail = m.bounds.Err
	}
	return false
}

func (m *phrase) weight() byte {
	least := byte(255)
	for _, p := range m.words {
		least = min(least, p.Weight)
	}
	return least
}

func (m *phrase) err() error {
	err := m.fail
	for _, p := range m.words {
		if err == nil {
			err = p.Err
		}
	}
	if err == nil && m.field != nil {
		err = m.field.Err
	}
	return err
}

// How much all that is any of many words may hold of a query: what is left of
// anyBytes is taken whole; beyond that each has windowBytes.
const (
	anyBytes    = 4 << 20
	windowBytes = 64 << 10
)

// anyWord meets what has any of many terms, with the greatest weight: those
// between some keys, or some that were looked up.
type anyWord struct {
	ctx     context.Context
	part    *segment.Part
	buffer  *[]byte // for blocks of lists; one for the query
	ranges  [][2]string
	terms   []segment.Term
	ignore  segment.Set
	docs    int    // that the words have together, but for those to ignore; one that has two counts twice
	weights []byte // of the documents from low on; 0 is none of the words
	low     uint32
	filled  bool
	at      uint32
	fail    error
}

// open counts the documents. It has the weights of all of them at hand if the
// query may still hold as many, of which it takes its share.
func (m *anyWord) open(left *int) error {
	if m.part.Len() <= *left {
		*left -= m.part.Len()
		m.weights = make([]byte, m.part.Len())
		m.fill(0, true)
		return m.fail
	}
	return m.each(m.part.Terms, func(t segment.Term) error {
		docs, err := t.Outside(m.ignore)
		m.docs += docs
		return err
	})
}

// each goes through the terms, as they are listed.
func (m *anyWord) each(list func(from, to string) iter.Seq2[segment.Term, error], do func(segment.Term) error) error {
	for _, t := range m.terms {
		if err := do(t); err != nil {
			return err
		}
	}
	n := 0
	for _, r := range m.ranges {
		for t, err := range list(r[0], r[1]) {
			if err != nil {
				return err
			}
			if n++; n%4096 == 0 && m.ctx.Err() != nil {
				return m.ctx.Err()
			}
			if err := do(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill reads the weights from a document on.
func (m *anyWord) fill(low uint32, count bool) {
	if m.weights == nil {
		m.weights = make([]byte, windowBytes)
	}
	clear(m.weights)
	m.low, m.filled = low, true
	high := low + uint32(len(m.weights))
	lists := func(from, to string) iter.Seq2[segment.Term, error] { return m.part.Lists(from, to, m.buffer) }
	m.fail = m.each(lists, func(t segment.Term) error {
		if count {
			docs, err := t.Outside(m.ignore)
			if m.docs += docs; err != nil {
				return err
			}
		}
		list, err := t.Postings()
		if err != nil {
			return err
		}
		doc := list.Seek(low)
		for ; doc < high; doc = list.Next() {
			i := doc - low
			m.weights[i] = max(m.weights[i], list.Weight, 1)
		}
		return list.Err
	})
}

func (m *anyWord) seek(doc uint32) uint32 {
	for ; int(doc) < m.part.Len() && m.fail == nil; doc = m.low + uint32(len(m.weights)) {
		if !m.filled || doc-m.low >= uint32(len(m.weights)) {
			m.fill(doc, false)
		}
		for i := int(doc - m.low); i < len(m.weights); i++ {
			if m.weights[i] != 0 {
				m.at = m.low + uint32(i)
				return m.at
			}
		}
	}
	return segment.End
}

func (m *anyWord) weight() byte { return m.weights[m.at-m.low] }
func (m *anyWord) err() error   { return m.fail }

// allowed is the set of documents of a segment that are alive and meet the
// criteria, but for when they were updated.
func allowed(p *segment.Part, c engine.Criteria) (segment.Set, error) {
	set := p.Living()
	for _, facets := range c.AnyOf {
		any, err := anyFacet(p, facets)
		if err != nil {
			return nil, err
		}
		set = set.And(any)
	}
	for _, r := range c.Ranges {
		any := segment.Set{}
		for t, err := range p.Terms(keyFacet+r.From, keyFacet+r.To) {
			if err == nil {
				err = t.AddTo(&any)
			}
			if err != nil {
				return nil, err
			}
		}
		set = set.And(any)
	}
	return set, nil
}

// anyFacet is the set of documents of a segment that have any of some facets.
func anyFacet(p *segment.Part, facets []string) (any segment.Set, err error) {
	for _, facet := range facets {
		s, err := p.Set(keyFacet + facet)
		if err != nil {
			return nil, err
		}
		any = any.Or(s)
	}
	return any, nil
}

// within says whether a document was updated in the times the criteria name.
func within(p *segment.Part, doc uint32, c engine.Criteria) bool {
	at := time.UnixMilli(p.Updated(doc))
	return (c.UpdatedFrom.IsZero() || !at.Before(c.UpdatedFrom)) && (c.UpdatedTo.IsZero() || at.Before(c.UpdatedTo))
}
