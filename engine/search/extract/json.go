package extract

import (
	"context"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonText reads keys and values, in their order, a string to a line. It does not
// mind what stands where, so lines of JSON, comments and files that were cut are
// read, and depth costs nothing.
func jsonText(ctx context.Context, f File, out *Output) error {
	data, err := f.Bytes(ctx)
	if err != nil {
		return err
	}
	return eachRune(ctx, decoded(data, f.MediaType), out, (&jsonScan{out: out}).rune)
}

type jsonScan struct {
	out      *Output
	inString bool
	escape   bool
	digits   int // of \u that are to come,
	code     rune
	high     rune // and the first half of a pair
}

func (s *jsonScan) rune(r rune) {
	switch {
	case s.digits > 0:
		s.hex(r)
	case s.escape:
		s.escape = false
		s.escaped(r)
	case s.inString && r == '\\':
		s.escape = true
	case r == '"':
		s.inString = !s.inString
		s.out.Gap('\n')
	case s.inString:
		s.out.Rune(r)
	case r == '{' || r == '}' || r == '[' || r == ']' || r == ',' || r == ':':
		s.out.Gap(' ')
	default:
		s.out.Rune(r)
	}
}

func (s *jsonScan) escaped(r rune) {
	switch r {
	case 'u':
		s.digits, s.code = 4, 0
	case 'n', 'r', 'f':
		s.out.Gap('\n')
	case 't', 'b':
		s.out.Gap(' ')
	default:
		s.out.Rune(r)
	}
}

func (s *jsonScan) hex(r rune) {
	digit, ok := hexDigit(r)
	if !ok {
		s.digits = 0
		s.rune(r)
		return
	}
	s.code = s.code<<4 | digit
	if s.digits--; s.digits > 0 {
		return
	}
	switch pair := utf16.DecodeRune(s.high, s.code); {
	case pair != utf8.RuneError:
		s.out.Rune(pair)
	case !utf16.IsSurrogate(s.code):
		s.out.Rune(s.code)
	default:
		s.high = s.code
		return
	}
	s.high = 0
}

func hexDigit(r rune) (rune, bool) {
	switch {
	case r >= '0' && r <= '9':
		return r - '0', true
	case r|' ' >= 'a' && r|' ' <= 'f':
		return r | ' ' - 'a' + 10, true
	}
	return 0, false
}
