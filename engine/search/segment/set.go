package segment

import (
	"math/bits"
	"sync"
)

// Set is a set of documents of one segment, a bit for each; bits that are not
// there are not set. Sets that a function returns are shared: And and Or make
// new ones.
type Set []uint64

// Has says whether a document is in it.
func (s Set) Has(doc uint32) bool {
	return int(doc>>6) < len(s) && s[doc>>6]&(1<<(doc&63)) != 0
}

// add returns the set with a document of a segment of n.
func (s Set) add(doc uint32, n int) Set {
	if s == nil {
		s = make(Set, (n+63)/64)
	}
	s[doc>>6] |= 1 << (doc & 63)
	return s
}

// And is what is in both.
func (s Set) And(o Set) Set {
	both := make(Set, min(len(s), len(o)))
	for i := range both {
		both[i] = s[i] & o[i]
	}
	return both
}

// Or is what is in either.
func (s Set) Or(o Set) Set {
	if len(s) == 0 || len(o) == 0 {
		return append(s, o...)
	}
	either := make(Set, max(len(s), len(o)))
	copy(either, s)
	for i, word := range o {
		either[i] |= word
	}
	return either
}

// Len is how many documents are in it.
func (s Set) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Next is the first in it that is not before doc; End if there is none.
func (s Set) Next(doc uint32) uint32 {
	for at := int(doc >> 6); at < len(s); at++ {
		word := s[at]
		if at == int(doc>>6) {
			word &= ^uint64(0) << (doc & 63)
		}
		if word != 0 {
			return uint32(at<<6 + bits.TrailingZeros64(word))
		}
	}
	return End
}

// Without is what is in it and not in the other.
func (s Set) Without(o Set) Set {
	rest := make(Set, len(s))
	for i := range rest {
		if rest[i] = s[i]; i < len(o) {
			rest[i] &^= o[i]
		}
	}
	return rest
}

// DeadDocs are the documents that are dead.
func (p *Part) DeadDocs() Set { return p.dead }

// Outside is how many documents have the term and are not in a set, dead ones
// included. It reads no more of the term's list than leads to those of the set.
func (t Term) Outside(set Set) (int, error) {
	n, doc := t.Docs, set.Next(0)
	if n == 0 || doc == End {
		return n, nil
	}
	p, err := t.Postings()
	if err != nil {
		return 0, err
	}
	for doc != End {
		at := p.Seek(doc)
		if at == End {
			break
		}
		if doc = set.Next(at); doc == at {
			n--
			doc = set.Next(at + 1)
		}
	}
	return n, p.Err
}

// Living are the documents that are not dead.
func (p *Part) Living() Set {
	living := make(Set, (p.Len()+63)/64)
	for i := range living {
		living[i] = ^uint64(0)
		if p.dead != nil {
			living[i] &^= p.dead[i]
		}
	}
	if rest := p.Len() % 64; rest > 0 {
		living[len(living)-1] &= 1<<rest - 1
	}
	return living
}

// dense is from which share of a segment's documents on, one in so many, the
// set of those that have a term is kept in memory.
const dense = 16

// sets are kept as long as their segment. There are few: each document has a
// few facets, so few facets can be of many documents.
type sets struct {
	mu    sync.Mutex
	byKey map[string]Set
}

// Set is the set of documents that have a term. Those of many documents are
// kept.
func (s *Segment) Set(key string) (Set, error) {
	s.sets.mu.Lock()
	kept, ok := s.sets.byKey[key]
	s.sets.mu.Unlock()
	if ok {
		return kept, nil
	}
	t, err := s.Term(key)
	if err != nil || t.Docs == 0 {
		return nil, err
	}
	var set Set
	if err := t.AddTo(&set); err != nil {
		return nil, err
	}
	if t.Docs >= s.docs/dense {
		s.sets.mu.Lock()
		defer s.sets.mu.Unlock()
		if s.sets.byKey == nil {
			s.sets.byKey = map[string]Set{}
		}
		s.sets.byKey[key] = set
	}
	return set, nil
}

// AddTo adds the documents that have the term to a set.
func (t Term) AddTo(set *Set) error {
	p, err := t.Postings()
	if err != nil {
		return err
	}
	if len(*set) == 0 {
		*set = nil
	}
	for p.Next() != End {
		*set = set.add(p.Doc, t.seg.docs)
	}
	return p.Err
}
