package search

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"strongroom/engine"
)

// kind is what a part of a query is by its form.
type kind int

const (
	isEnd kind = iota
	isText
	isOpen
	isClose
	isOr
	isAnd
	isNot
)

// lexeme is a part of a query.
type lexeme struct {
	kind   kind
	at     int    // its first character, from 1
	text   string // as it is written, of a sign or a field
	field  string // that it is to be found in
	value  string
	quoted bool
	star   bool
}

// Names of fields, in the index and before a colon in a query. Those of custom
// fields have their key behind inField.
const (
	fieldName        = "name"
	fieldTag         = "tag"
	fieldDescription = "description"
	inField          = "field."
)

// fields are those that a query may name, by the name: the field, or "" where
// nothing can be found by words.
type fields map[string]string

// fields looks up which custom fields there are, if the query may name one.
func (x *Index) fields(ctx context.Context, text string) (fields, error) {
	known := fields{fieldName: fieldName, fieldTag: fieldTag, "tags": fieldTag, fieldDescription: fieldDescription}
	if !strings.Contains(text, ":") {
		return known, nil
	}
	page := engine.Page[engine.Field]{NextCursor: ""}
	for more := true; more; more = page.NextCursor != "" {
		var err error
		if page, err = x.vault.Fields(ctx, engine.Paging{Limit: maxLimit, Cursor: page.NextCursor}); err != nil {
			return nil, err
		}
		for _, f := range page.Items {
			field := inField + f.Key
			if f.Type == engine.BooleanField {
				field = ""
			}
			known[inField+f.Key] = field
			if _, taken := known[f.Key]; !taken {
				known[f.Key] = field
			}
		}
	}
	return known, nil
}

// lexer divides a query.
type lexer struct {
	known   fields
	text    string
	at      int // in text
	runes   int // before at
	lexemes []lexeme
}

func lex(text string, known fields) ([]lexeme, error) {
	l := &lexer{known: known, text: text}
	for {
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), unicode.IsSpace)))
		if l.rest() == "" {
			return l.lexemes, nil
		}
		if err := l.one(); err != nil {
			return nil, err
		}
	}
}

func (l *lexer) rest() string { return l.text[l.at:] }

func (l *lexer) skip(n int) {
	l.runes += utf8.RuneCountInString(l.text[l.at : l.at+n])
	l.at += n
}

func (l *lexer) add(n int, x lexeme) {
	x.at = l.runes + 1
	l.skip(n)
	l.lexemes = append(l.lexemes, x)
}

// one reads the next lexeme.
func (l *lexer) one() error {
	rest := l.rest()
	switch rest[0] {
	case '(':
		l.add(1, lexeme{kind: isOpen})
		return nil
	case ')':
		l.add(1, lexeme{kind: isClose})
		return nil
	case '-':
		if denies(rest) {
			l.add(1, lexeme{kind: isNot, text: "-"})
			return nil
		}
	}
	for word, kind := range map[string]kind{"OR": isOr, "AND": isAnd, "NOT": isNot} {
		if behind, ok := strings.CutPrefix(rest, word); ok && ends(behind) {
			l.add(len(word), lexeme{kind: kind, text: word})
			return nil
		}
	}
	return l.value(lexeme{})
}

// denies says whether a hyphen is the sign of what must not be there. Two, as in
// --rate, are signs of a word; so is one without any word, as in ->.
func denies(rest string) bool {
	if rest[0] != '-' || strings.HasPrefix(rest, "--") {
		return false
	}
	end := strings.IndexFunc(rest, unicode.IsSpace)
	if end < 0 {
		end = len(rest)
	}
	return strings.ContainsFunc(rest[:end], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || quotes[r] || r == '(' })
}

// ends says whether a word ends before these characters.
func ends(behind string) bool {
	r, _ := utf8.DecodeRuneInString(behind)
	return behind == "" || unicode.IsSpace(r) || r == '(' || r == ')' || quotes[r]
}

// quotes are the signs that begin and end a phrase: people paste what their word
// processor has made of them.
var quotes = map[rune]bool{'"': true, '“': true, '”': true, '„': true, '‟': true, '＂': true, '«': true, '»': true}

// value reads a phrase or a word, x being what is known of it by now.
func (l *lexer) value(x lexeme) error {
	rest := l.rest()
	first, size := utf8.DecodeRuneInString(rest)
	if quotes[first] {
		end := strings.IndexFunc(rest[size:], func(r rune) bool { return quotes[r] })
		if end < 0 {
			return wrong(l.runes+1, "this quotation mark is not closed")
		}
		_, closing := utf8.DecodeRuneInString(rest[size+end:])
		x.kind, x.value, x.quoted = isText, rest[size:size+end], true
		l.add(size+end+closing, x)
		return nil
	}
	piece := rest[:l.wordEnd(rest)]
	if x.field == "" {
		if name, _, ok := strings.Cut(piece, ":"); ok {
			if done, err := l.named(name); done || err != nil {
				return err
			}
		}
	}
	x.kind, x.value = isText, strings.TrimRight(piece, "*")
	x.star = len(x.value) < len(piece)
	if star := strings.IndexByte(x.value, '*'); star >= 0 || x.star && x.value == "" {
		return wrong(l.runes+1+utf8.RuneCountInString(x.value[:max(star, 0)]), "a star stands behind the beginning of a word, as in termin*; in quotation marks it is only a sign")
	}
	l.add(len(piece), x)
	return nil
}

// wordEnd is where a word ends: at a space, a quotation mark, or a parenthesis
// that is not part of it, as those of 4(a) are.
func (l *lexer) wordEnd(rest string) int {
	open := 0
	for i, r := range rest {
		switch {
		case unicode.IsSpace(r) || quotes[r]:
			return i
		case r == '(':
			closing := strings.IndexByte(rest[i:], ')')
			if i == 0 || closing < 0 || strings.ContainsFunc(rest[i:i+closing], unicode.IsSpace) || rest[i-1] == ':' {
				return i
			}
			open++
		case r == ')':
			if open--; open < 0 {
				return i
			}
		}
	}
	return len(rest)
}

// named reads the name of a field and what is to be found in it. A name that no
// field has is no name, and done is false: 10:30, https://example.com and
// C:\path are words.
func (l *lexer) named(name string) (done bool, err error) {
	at := l.runes + 1
	field, ok := l.known[name]
	if !ok {
		field, ok = l.known[strings.ToLower(name)]
	}
	switch {
	case !ok && strings.HasPrefix(name, inField):
		return true, wrong(at, "%s is not a field of this vault", name)
	case !ok:
		return false, nil
	case field == "":
		return true, wrong(at, "%s is true or false, which no word says; filter by field.%s=true", name, strings.TrimPrefix(name, inField))
	}
	l.skip(len(name) + 1)
	x := lexeme{field: field, text: name}
	if r, _ := utf8.DecodeRuneInString(l.rest()); l.rest() == "" || unicode.IsSpace(r) || r == ')' {
		return true, wrong(at, "%s: needs a word behind it, without a space", name)
	}
	if denies(l.rest()) {
		return true, wrong(at, "the hyphen stands before the field, as in -%s:word", name)
	}
	if l.rest()[0] == '(' {
		x.kind = isOpen
		l.add(1, x)
		return true, nil
	}
	return true, l.value(x)
}
