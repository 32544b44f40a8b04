package audit

import (
	"bytes"
	"fmt"
	"slices"
)

// Value is a fact's value: a string, a number or an array of strings, made by
// [Text], [Number] or [Texts] and never changed. The zero Value is none of
// them and cannot be logged.
type Value struct {
	kind   valueKind
	text   string
	number uint64
	texts  []string
}

type valueKind byte

const (
	isNothing valueKind = iota
	isText
	isNumber
	isTexts
)

// Text returns the Value of a string. Only printable ASCII without " \ < > &
// can be logged.
func Text(s string) Value { return Value{kind: isText, text: s} }

// Number returns the Value of a number. Only numbers below 2^53 can be logged.
func Number(n uint64) Value { return Value{kind: isNumber, number: n} }

// Texts returns the Value of an array of strings, in the order given. It
// keeps a copy.
func Texts(s ...string) Value {
	return Value{kind: isTexts, texts: append([]string(nil), s...)}
}

// AsText returns the string and true, or "" and false if v is no string.
func (v Value) AsText() (string, bool) { return v.text, v.kind == isText }

// AsNumber returns the number and true, or 0 and false if v is no number.
func (v Value) AsNumber() (uint64, bool) { return v.number, v.kind == isNumber }

// AsTexts returns a copy of the strings and true, or nil and false if v is no
// array.
func (v Value) AsTexts() ([]string, bool) { return slices.Clone(v.texts), v.kind == isTexts }

// MarshalJSON returns v as the log spells it. A Value that cannot be logged
// is [ErrSyntax].
func (v Value) MarshalJSON() ([]byte, error) {
	var s speller
	s.value(v)
	return s.b, s.err
}

// Facts are the facts of an entry by name. Nil is the same as empty. A name
// is a lower-case letter followed by letters and digits.
type Facts map[string]Value

// MarshalJSON returns f as the log spells it: sorted by name, {} if nil. Facts
// that cannot be logged are [ErrSyntax].
func (f Facts) MarshalJSON() ([]byte, error) {
	var s speller
	s.facts(f)
	return s.b, s.err
}

// FactsOf returns the facts of a line, which ParseEntry has read, as the line spells
// them. It is a part of the line.
func FactsOf(line []byte) []byte {
	_, rest, _ := bytes.Cut(line, []byte(`,"facts":`)) // before them no quote stands within a string
	return rest[:max(0, bytes.LastIndex(rest, []byte(`,"detail":"`)))]
}

// speller appends the parts of an entry in their one spelling. After an error
// the rest does not matter; it keeps the first.
type speller struct {
	b   []byte
	err error
}

func (s *speller) refuse(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: "+format, append([]any{ErrSyntax}, args...)...)
	}
}

// raw appends what is known to be spelled right.
func (s *speller) raw(text string) { s.b = append(s.b, text...) }

func (s *speller) text(name, text string) {
	for i := range len(text) {
		if !plain[text[i]] {
			s.refuse("%s: byte %d of %.80q is not printable ASCII, or one of \" \\ < > &", name, i, text)
			return
		}
	}
	s.b = append(s.b, '"')
	s.b = append(s.b, text...)
	s.b = append(s.b, '"')
}

func (s *speller) number(name string, n uint64) {
	if n > maxNumber {
		s.refuse("%s: %d is not below 2^53", name, n)
		return
	}
	s.b = appendUint(s.b, n)
}

func (s *speller) hash(h Hash) {
	s.b = append(s.b, '"')
	if !h.IsZero() {
		s.b = h.append(s.b)
	}
	s.b = append(s.b, '"')
}

func (s *speller) value(v Value) {
	switch v.kind {
	case isText:
		s.text("value", v.text)
	case isNumber:
		s.number("value", v.number)
	case isTexts:
		s.b = append(s.b, '[')
		for i, text := range v.texts {
			if i > 0 {
				s.b = append(s.b, ',')
			}
			s.text("value", text)
		}
		s.b = append(s.b, ']')
	default:
		s.refuse("a fact without a value")
	}
}

func (s *speller) facts(f Facts) {
	s.b = append(s.b, '{')
	var room [16]string // enough for most, without asking for memory
	names := room[:0]
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if !isFactName(name) {
			s.refuse("%.80q is not the name of a fact", name)
			return
		}
		if i > 0 {
			s.b = append(s.b, ',')
		}
		s.b = append(s.b, '"')
		s.b = append(s.b, name...)
		s.b = append(s.b, `":`...)
		s.value(f[name])
	}
	s.b = append(s.b, '}')
}
