package search

import (
	"context"
	"slices"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/segment"
)

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

// phrase meets what has several terms one behind the other.
type phrase struct {
	words  []*segment.Postings
	places [][]uint32 // scratch
	fail   error
}

func (m *phrase) seek(doc uint32) uint32 {
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

// align goes on to the first document that has all words.
func (m *phrase) align(doc uint32) uint32 {
	for agreed := 0; agreed < len(m.words); {
		for _, p := range m.words {
			at := p.Seek(doc)
			if at == segment.End {
				return at
			}
			if at != doc {
				doc, agreed = at, 0
			}
			if agreed++; agreed == len(m.words) {
				break
			}
		}
	}
	return doc
}

// together says whether the words stand one behind the other anywhere.
func (m *phrase) together() bool {
	for i, p := range m.words {
		var err error
		if m.places[i], err = p.Positions(m.places[i][:0]); err != nil {
			m.fail = err
			return false
		}
	}
	for _, begin := range m.places[0] {
		if m.follow(begin) {
			return true
		}
	}
	return false
}

func (m *phrase) follow(begin uint32) bool {
	for i := 1; i < len(m.places); i++ {
		if _, ok := slices.BinarySearch(m.places[i], begin+uint32(i)); !ok {
			return false
		}
	}
	return true
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
	return err
}

// anyWord meets what has any of many terms, with the greatest weight.
type anyWord struct {
	weights []byte // by document; 0 is none of them
	docs    int    // that the words have together; one that has two counts twice
	at      uint32
}

func (m *anyWord) seek(doc uint32) uint32 {
	for m.at = doc; int(m.at) < len(m.weights); m.at++ {
		if m.weights[m.at] != 0 {
			return m.at
		}
	}
	return segment.End
}

func (m *anyWord) weight() byte { return m.weights[m.at] }
func (m *anyWord) err() error   { return nil }

// newAnyWord reads all words with a prefix, which may be all there are: it keeps
// a byte for each document, and nothing for each word.
func newAnyWord(ctx context.Context, p *segment.Part, prefix string) (*anyWord, error) {
	m := &anyWord{}
	n := 0
	for t, err := range p.Lists(prefix, prefix+"\xff") {
		if err != nil {
			return nil, err
		}
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := m.add(p, t); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *anyWord) add(p *segment.Part, t segment.Term) error {
	if m.weights == nil {
		m.weights = make([]byte, p.Len())
	}
	m.docs += t.Docs
	list, err := t.Postings()
	if err != nil {
		return err
	}
	for list.Next() != segment.End {
		m.weights[list.Doc] = max(m.weights[list.Doc], list.Weight, 1)
	}
	return list.Err
}

// allowed is the set of documents of a segment that are alive and meet the
// criteria, but for when they were updated.
func allowed(p *segment.Part, c engine.Criteria) (segment.Set, error) {
	set := p.Living()
	for _, facets := range c.AnyOf {
		var any segment.Set
		for _, facet := range facets {
			s, err := p.Set(keyFacet + facet)
			if err != nil {
				return nil, err
			}
			any = any.Or(s)
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

// within says whether a document was updated in the times the criteria name.
func within(p *segment.Part, doc uint32, c engine.Criteria) bool {
	at := time.UnixMilli(p.Updated(doc))
	return (c.UpdatedFrom.IsZero() || !at.Before(c.UpdatedFrom)) && (c.UpdatedTo.IsZero() || at.Before(c.UpdatedTo))
}
