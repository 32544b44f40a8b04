package extract

import (
	"context"
	"html"
	"strings"
)

// maxReference is how long a reference to a character may be.
const maxReference = 32

// xmlFileText reads what stands between elements and in their attributes. It knows
// no more of XML than that: it makes no tree, keeps no attribute and follows no
// reference to anything but a character, so depth, width and entities cost nothing,
// and what is not well-formed is read too.
func xmlFileText(ctx context.Context, f File, out *Output) error {
	data, err := f.Bytes(ctx)
	if err != nil {
		return err
	}
	return eachRune(ctx, decoded(data, f.MediaType), out, (&xmlScan{out: out}).rune)
}

type xmlPlace int

const (
	xmlBetween xmlPlace = iota
	xmlTag
	xmlValue   // of an attribute
	xmlOpening // of what begins with <!, until it is known what it is
	xmlComment
	xmlCDATA
	xmlDoctype
	xmlInstruction
)

type xmlScan struct {
	out       *Output
	at        xmlPlace
	quote     rune
	namespace bool // the attribute is one of xmlns
	name      strings.Builder
	last      [2]rune // the runes before
	depth     int     // of brackets in a doctype
	reference strings.Builder
}

func (s *xmlScan) rune(r rune) {
	before := s.last
	s.last = [2]rune{before[1], r}
	switch s.at {
	case xmlBetween:
		if r == '<' {
			s.flush()
			s.out.Gap('\n')
			s.enter(xmlTag)
			return
		}
		s.char(r)
	case xmlTag:
		s.tag(r, before[1])
	case xmlValue:
		if r == s.quote {
			s.flush()
			s.out.Gap(' ')
			s.at = xmlTag
			s.name.Reset()
		} else if !s.namespace {
			s.char(r)
		}
	case xmlOpening:
		s.opening(r)
	case xmlComment:
		s.leave(r == '>' && before == [2]rune{'-', '-'})
	case xmlCDATA:
		if r == '>' && before == [2]rune{']', ']'} {
			s.leave(true)
		} else if r != ']' {
			s.out.Rune(r)
		} else {
			s.out.Gap(' ')
		}
	case xmlInstruction:
		s.leave(r == '>' && before[1] == '?')
	case xmlDoctype:
		switch r {
		case '[':
			s.depth++
		case ']':
			s.depth--
		}
		s.leave(r == '>' && s.depth <= 0)
	}
}

func (s *xmlScan) enter(at xmlPlace) {
	s.at, s.depth, s.last = at, 0, [2]rune{}
	s.name.Reset()
}

func (s *xmlScan) leave(over bool) {
	if over {
		s.at = xmlBetween
	}
}

func (s *xmlScan) tag(r, before rune) {
	switch {
	case before == 0 && r == '!':
		s.enter(xmlOpening)
	case before == 0 && r == '?':
		s.enter(xmlInstruction)
	case r == '>':
		s.at = xmlBetween
	case r == '"' || r == '\'':
		name := strings.TrimSpace(s.name.String())
		s.namespace = name == "xmlns" || strings.HasPrefix(name, "xmlns:") || strings.HasSuffix(name, ":schemaLocation")
		s.at, s.quote = xmlValue, r
		s.out.Gap(' ')
	case r == ' ' || r == '\n' || r == '\t' || r == '\r':
		s.name.Reset()
	case r != '=' && s.name.Len() < 64:
		s.name.WriteRune(r)
	}
}

func (s *xmlScan) opening(r rune) {
	s.name.WriteRune(r)
	switch name := s.name.String(); {
	case name == "--":
		s.enter(xmlComment)
	case name == "[CDATA[":
		s.enter(xmlCDATA)
	case r == '>':
		s.at = xmlBetween
	case !strings.HasPrefix("--", name) && !strings.HasPrefix("[CDATA[", name):
		s.enter(xmlDoctype)
	}
}

// char adds a character, or the part of a reference to one.
func (s *xmlScan) char(r rune) {
	switch {
	case r == '&':
		s.flush()
		s.reference.WriteRune(r)
	case s.reference.Len() == 0:
		s.out.Rune(r)
	default:
		s.reference.WriteRune(r)
		if r == ';' || r == ' ' || r == '\n' || s.reference.Len() > maxReference {
			s.flush()
		}
	}
}

func (s *xmlScan) flush() {
	if s.reference.Len() > 0 {
		s.out.Text(html.UnescapeString(s.reference.String()))
		s.reference.Reset()
	}
}
