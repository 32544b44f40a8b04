package extract

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one XML part. Office's own files stay far below: what is above is made
// to harm.
const (
	maxAttributes = 1000      // of an element
	maxAttribute  = 64 << 10  // bytes of a value that are kept
	maxTag        = 256 << 10 // bytes of all values of an element that are kept
	maxName       = 1 << 10   // bytes
	maxElements   = 4096      // in one another
	maxNames      = 4096      // that are known at a time, and as many namespaces
	textPiece     = 32 << 10  // bytes of text handed over at once
)

// name is an element's or an attribute's: local, and the word that tells its
// namespace (see spaceOf), since prefixes differ, and so do strict and transitional
// namespaces.
type name struct{ space, local string }

type attribute struct{ from, mid, to int } // in scanner.tag: name, then value

type happening int

const (
	begun happening = iota
	ended
	words
)

// scanner reads XML piece by piece, in bounded memory whatever it says: encoding/xml
// would make a list of a million attributes, or one string of all text. It believes
// that ends match beginnings, and knows no entities but those that are built in.
type scanner struct {
	ctx   context.Context
	r     *bufio.Reader
	steps int

	is    happening
	name  name   // of begun and ended
	text  []byte // of words, valid until the next step
	depth int    // of the element that begun or ended; the outermost is 1

	tag        []byte
	attributes []attribute
	alone      bool // the element that begun ends at once
	open       []name
	bound      []binding
	known      map[string]name
}

type binding struct {
	depth         int
	prefix, space string
}

func newScanner(ctx context.Context, r io.Reader) (*scanner, error) {
	br, err := inUTF8(bufio.NewReaderSize(r, 32<<10))
	if err != nil {
		return nil, err
	}
	return &scanner{ctx: ctx, r: br, known: map[string]name{}}, nil
}

// next steps on. io.EOF at the end.
func (s *scanner) next() error {
	if s.steps++; s.steps%256 == 0 && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if s.is == ended {
		s.close()
	}
	if s.is == begun && s.alone {
		s.alone, s.is = false, ended
		return nil
	}
	for {
		c, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) && len(s.open) > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if c != '<' {
			s.r.UnreadByte()
			return s.words()
		}
		if c, err = s.r.ReadByte(); err != nil {
			return cut(err)
		}
		switch c {
		case '!':
			done, err := s.declaration()
			if err != nil || done {
				return cut(err)
			}
		case '?':
			if err := s.skipTo("?>"); err != nil {
				return cut(err)
			}
		case '/':
			if len(s.open) == 0 {
				return errors.New("an end without a beginning")
			}
			s.is, s.name, s.depth = ended, s.open[len(s.open)-1], len(s.open)
			return cut(s.skipTo(">"))
		default:
			s.r.UnreadByte()
			return cut(s.element())
		}
	}
}

// cut: a file that ends within a tag is cut off.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// words reads text up to the next tag, or a piece of it that ends between characters.
func (s *scanner) words() error {
	s.is, s.text = words, s.text[:0]
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			if len(s.text) > 0 && errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if c == '<' || len(s.text) >= textPiece && (utf8.RuneStart(c) || len(s.text) >= 2*textPiece) {
			return s.r.UnreadByte()
		}
		if c == '&' {
			s.text = s.entity(s.text)
		} else {
			s.text = append(s.text, c)
		}
	}
}

// entity reads on behind an ampersand. What is not known means nothing.
func (s *scanner) entity(to []byte) []byte {
	ahead, _ := s.r.Peek(12)
	end := bytes.IndexByte(ahead, ';')
	if end < 0 {
		return append(to, '&')
	}
	said := string(ahead[:end])
	s.r.Discard(end + 1)
	if i, ok := map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}[said]; ok {
		return append(to, i)
	}
	number, base := strings.TrimPrefix(said, "#"), 10
	if strings.HasPrefix(number, "x") || strings.HasPrefix(number, "X") {
		number, base = number[1:], 16
	}
	if n, err := strconv.ParseUint(number, base, 21); err == nil && len(said) > 1 && said[0] == '#' {
		return utf8.AppendRune(to, rune(n))
	}
	return append(to, ' ')
}

// declaration reads behind "<!". done: it was text.
func (s *scanner) declaration() (done bool, err error) {
	ahead, _ := s.r.Peek(7)
	switch {
	case bytes.HasPrefix(ahead, []byte("--")):
		s.r.Discard(2)
		return false, s.skipTo("-->")
	case string(ahead) == "[CDATA[":
		s.r.Discard(7)
		return true, s.cdata()
	}
	for depth, quote := 1, byte(0); depth > 0; { // a document type, with another's declarations in it
		c, err := s.r.ReadByte()
		switch {
		case err != nil:
			return false, err
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			depth++
		case c == '>':
			depth--
		}
	}
	return false, s.ctx.Err()
}

// cdata reads text as it stands. What is long is kept to its beginning.
func (s *scanner) cdata() error {
	s.is, s.text = words, s.text[:0]
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if c == ']' {
			if ahead, _ := s.r.Peek(2); string(ahead) == "]>" {
				s.r.Discard(2)
				return nil
			}
		}
		if len(s.text) < MaxText {
			s.text = append(s.text, c)
		}
	}
}

func (s *scanner) skipTo(end string) error {
	matched := 0
	for matched < len(end) {
		c, err := s.r.ReadByte()
		switch {
		case err != nil:
			return err
		case c == end[matched]:
			matched++
		case c == end[0] && matched == 2 && end == "-->": // "--->"
		case c == end[0]:
			matched = 1
		default:
			matched = 0
		}
	}
	return nil
}

// skip reads to the end of the element that has just begun.
func (s *scanner) skip() error {
	if s.is != begun {
		return nil
	}
	for depth := s.depth; ; {
		if err := s.next(); err != nil {
			return cut(err)
		}
		if s.is == ended && s.depth <= depth {
			return nil
		}
	}
}

// close forgets the element that ended.
func (s *scanner) close() {
	if len(s.open) == 0 {
		return
	}
	depth := len(s.open)
	s.open = s.open[:depth-1]
	for len(s.bound) > 0 && s.bound[len(s.bound)-1].depth >= depth {
		s.bound = s.bound[:len(s.bound)-1]
		clear(s.known)
	}
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, a...)...)
}
