package search

import (
	"fmt"
	"slices"
	"strings"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

const (
	maxQuery = 1000 // bytes
	maxWords = 32
	maxDepth = 16 // of parentheses, and of what is denied
)

// clause is what can be looked for in the index at once: several stems are a
// phrase, a prefix or a needle stands alone.
type clause struct {
	stems  []string
	prefix string
	needle string // in longer words
	field  string // of which field; "" is any
	denied bool   // what has it is not found: it is not marked either
}

// node is a query, or a part of one: a clause, or how several nodes go together.
type node struct {
	op     op
	nodes  []node
	clause int // of inquiry
}

type op int

const (
	opClause op = iota
	opAll
	opAny
	opBest // any, of which the best counts: they are spellings of one thing
	opNot
)

// inquiry is a query that was understood.
type inquiry struct {
	clauses []clause
	root    node
}

// parse reads a query. The grammar, with the strongest first:
//
//	query  = and { "OR" and }
//	and    = not { ["AND"] not }
//	not    = ["NOT" | "-"] part
//	part   = [field ":"] ( word | word "*" | "phrase" | "(" query ")" )
//
// What stands between spaces and has no word in it, such as &, is left out. What
// is written as one word and is several, as e-mail is, is a phrase. A query that
// cannot be understood is refused, with the place.
func parse(split *words.Splitter, known fields, text string) (*inquiry, error) {
	if len(text) > maxQuery {
		return nil, invalid("must be at most %d bytes", maxQuery)
	}
	lexemes, err := lex(text, known)
	if err != nil {
		return nil, err
	}
	p := &parser{split: split, left: lexemes, end: len([]rune(text)) + 1}
	root, some, err := p.any(scope{})
	switch {
	case err != nil:
		return nil, err
	case len(p.left) > 0: // only a parenthesis ends a query early
		return nil, wrong(p.left[0].at, "this parenthesis closes none; put the text in quotation marks if it is part of it")
	case !some:
		return nil, invalid("must have a word to look for")
	}
	p.found.root = root
	return &p.found, nil
}

func invalid(format string, args ...any) error {
	return &engine.InvalidError{Fields: []engine.FieldError{{Field: "q", Message: fmt.Sprintf(format, args...)}}}
}

// wrong says at which character, from 1, what is not understood.
func wrong(at int, format string, args ...any) error {
	return invalid("cannot be understood at character %d: %s", at, fmt.Sprintf(format, args...))
}

type parser struct {
	split *words.Splitter
	left  []lexeme
	end   int // the place behind the last character
	total int // words
	found inquiry
}

// scope is what holds for all that is read within it.
type scope struct {
	field  string
	denied bool
	depth  int
}

func (p *parser) peek() kind {
	if len(p.left) == 0 {
		return isEnd
	}
	return p.left[0].kind
}

func (p *parser) take() lexeme {
	if len(p.left) == 0 {
		return lexeme{at: p.end}
	}
	l := p.left[0]
	p.left = p.left[1:]
	return l
}

// any reads what OR parts. some is whether there was anything to look for.
func (p *parser) any(s scope) (n node, some bool, err error) {
	if n, some, err = p.all(s); err != nil || p.peek() != isOr {
		return n, some, err
	}
	n = node{op: opAny, nodes: []node{n}}
	for p.peek() == isOr {
		or := p.take()
		if !some {
			return n, false, wrong(or.at, "OR needs a word before it; write \"OR\" to look for the word")
		}
		next, more, err := p.all(s)
		if err != nil {
			return n, false, err
		}
		if !more {
			return n, false, wrong(or.at, "OR needs a word behind it; write \"OR\" to look for the word")
		}
		n.nodes = append(n.nodes, next)
	}
	return n, true, nil
}

// all reads what must be met together.
func (p *parser) all(s scope) (n node, some bool, err error) {
	var nodes []node
	for {
		and := lexeme{}
		if p.peek() == isAnd {
			if and = p.take(); len(nodes) == 0 {
				return n, false, wrong(and.at, "AND needs a word before it; write \"AND\" to look for the word")
			}
		}
		switch p.peek() {
		case isEnd, isClose, isOr, isAnd:
			if and.kind == isAnd {
				return n, false, wrong(and.at, "AND needs a word behind it; write \"AND\" to look for the word")
			}
			if len(nodes) == 1 {
				return nodes[0], true, nil
			}
			return node{op: opAll, nodes: p.withoutImplied(nodes)}, len(nodes) > 0, nil
		}
		next, some, err := p.not(s)
		if err != nil {
			return n, false, err
		}
		if some {
			nodes = append(nodes, next)
		}
	}
}

func (p *parser) not(s scope) (n node, some bool, err error) {
	if p.peek() != isNot {
		return p.part(s)
	}
	not := p.take()
	s.denied = !s.denied
	if s.depth++; s.depth > maxDepth {
		return n, false, wrong(not.at, "more than %d parts within one another", maxDepth)
	}
	switch p.peek() {
	case isEnd, isClose, isOr, isAnd:
	default:
		if n, some, err = p.not(s); err != nil || some {
			return node{op: opNot, nodes: []node{n}}, some, err
		}
	}
	return n, false, wrong(not.at, "%s needs a word behind it", not.text)
}

func (p *parser) part(s scope) (n node, some bool, err error) {
	l := p.take()
	if l.field != "" {
		s.field = l.field
	}
	if l.kind != isOpen {
		n, some, err = p.words(s, l)
		if err == nil && !some && l.field != "" {
			err = wrong(l.at, "%s: needs a word behind it", l.text)
		}
		return n, some, err
	}
	if s.depth++; s.depth > maxDepth {
		return n, false, wrong(l.at, "more than %d parentheses within one another", maxDepth)
	}
	if n, some, err = p.any(s); err != nil {
		return n, some, err
	}
	if p.peek() != isClose {
		return n, false, wrong(l.at, "this parenthesis is not closed")
	}
	if p.take(); !some {
		return n, false, wrong(l.at, "there is no word in these parentheses")
	}
	return n, true, nil
}

// words makes the clauses of a word or a phrase: one for each spelling.
func (p *parser) words(s scope, l lexeme) (n node, some bool, err error) {
	var parts, joined []words.Word // E619 and 1609; E6191609
	for w := range p.split.Words(l.value) {
		if w.Parts == 1 {
			if parts = append(parts, w); covered(joined, w) {
				continue
			}
		} else if covered(joined, w) { // by one that is longer
			continue
		}
		for len(joined) > 0 && w.Start == joined[len(joined)-1].Start {
			joined = joined[:len(joined)-1]
		}
		joined = append(joined, w)
	}
	if len(parts) == 0 {
		return n, false, nil
	}
	if p.total += len(parts); p.total > maxWords {
		return n, false, invalid("must have at most %d words", maxWords)
	}
	if l.star {
		return p.prefixes(s, parts, joined), true, nil
	}
	var spellings [][]string
	for _, list := range [][]words.Word{parts, joined} {
		var stems, plain []string
		for _, w := range list {
			stems = append(stems, w.Stem)
			if plain = append(plain, w.Stem); w.Plain != "" {
				plain[len(plain)-1] = w.Plain
			}
		}
		for _, stems := range [][]string{stems, plain} {
			// What is joined may be an inflection of a part by chance: mail-e is no mail.
			chance := len(stems) == 1 && len(parts) > 1 && slices.ContainsFunc(parts, func(w words.Word) bool { return w.Stem == stems[0] })
			if !chance && !slices.ContainsFunc(spellings, func(o []string) bool { return slices.Equal(o, stems) }) {
				spellings = append(spellings, stems)
			}
		}
	}
	n.op = opBest
	for _, stems := range spellings {
		n.nodes = append(n.nodes, p.clause(s, clause{stems: stems}))
	}
	if len(joined) == 1 && !l.quoted && s.field == "" {
		if needle := p.split.Needle(joined[0]); needle != "" {
			n.nodes = append(n.nodes, p.clause(s, clause{needle: needle}))
		}
	}
	return single(n), true, nil
}

// covered says whether a word is part of one that was joined before.
func covered(joined []words.Word, w words.Word) bool {
	return len(joined) > 0 && w.End <= joined[len(joined)-1].End && w.Start >= joined[len(joined)-1].Start &&
		w.Parts < joined[len(joined)-1].Parts
}

// prefixes are the clauses of what ends with a star, of which the last word may
// go on.
func (p *parser) prefixes(s scope, parts, joined []words.Word) node {
	n := node{op: opBest}
	for _, list := range [][]words.Word{parts, joined} {
		last := len(list) - 1
		prefix := p.clause(s, clause{prefix: list[last].Form})
		if last > 0 {
			var stems []string
			for _, w := range list[:last] {
				stems = append(stems, w.Stem)
			}
			prefix = node{op: opAll, nodes: []node{prefix, p.clause(s, clause{stems: stems})}}
		}
		if n.nodes = append(n.nodes, prefix); len(parts) == 1 {
			break
		}
	}
	return single(n)
}

func single(n node) node {
	if len(n.nodes) == 1 {
		return n.nodes[0]
	}
	return n
}

func (p *parser) clause(s scope, c clause) node {
	c.field, c.denied = s.field, s.denied
	p.found.clauses = append(p.found.clauses, c)
	return node{op: opClause, clause: len(p.found.clauses) - 1}
}

// withoutImplied leaves out prefixes that a longer one says already, or an
// earlier one has said, so that no query reads the words of the index twice.
func (p *parser) withoutImplied(nodes []node) []node {
	prefix := func(n node) clause {
		if n.op != opClause {
			return clause{}
		}
		return p.found.clauses[n.clause]
	}
	var needed []node
	for i, n := range nodes {
		c, said := prefix(n), false
		for j, o := range nodes {
			other := prefix(o)
			longer := len(other.prefix) > len(c.prefix) || len(other.prefix) == len(c.prefix) && j < i
			said = said || c.prefix != "" && longer && other.field == c.field && strings.HasPrefix(other.prefix, c.prefix)
		}
		if !said {
			needed = append(needed, n)
		}
	}
	return needed
}
