package extract

import (
	"bufio"
	"bytes"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// element reads a beginning, behind its "<".
func (s *scanner) element() error {
	if len(s.open) >= maxElements {
		return malformed("more than %d elements in one another", maxElements)
	}
	s.tag, s.attributes, s.alone = s.tag[:0], s.attributes[:0], false
	if err := s.word(); err != nil {
		return err
	}
	qualified := len(s.tag)
	for more := true; more; {
		var err error
		if more, err = s.attribute(); err != nil {
			return err
		}
	}
	depth := len(s.open) + 1
	for _, a := range s.attributes {
		if key := s.tag[a.from:a.mid]; bytes.HasPrefix(key, []byte("xmlns")) {
			s.bind(depth, string(key[len("xmlns"):]), string(s.tag[a.mid:a.to]))
		}
	}
	if len(s.bound) > maxNames {
		return malformed("more than %d namespaces", maxNames)
	}
	s.is, s.name, s.depth = begun, s.resolve(s.tag[:qualified], true), depth
	s.open = append(s.open, s.name)
	return nil
}

func (s *scanner) bind(depth int, prefix, uri string) {
	if prefix != "" && prefix[0] != ':' {
		return // an attribute that is called so
	}
	s.bound = append(s.bound, binding{depth, strings.TrimPrefix(prefix, ":"), spaceOf(uri)})
	clear(s.known)
}

// word reads a name into the tag.
func (s *scanner) word() error {
	for from := len(s.tag); ; {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if c <= ' ' || c == '>' || c == '/' || c == '=' {
			return s.r.UnreadByte()
		}
		if len(s.tag)-from > maxName {
			return malformed("a name of more than %d bytes", maxName)
		}
		s.tag = append(s.tag, c)
	}
}

// attribute reads the next one of a tag, or the tag's end.
func (s *scanner) attribute() (more bool, err error) {
	c, err := s.sign()
	switch {
	case err != nil:
		return false, err
	case c == '>':
		return false, nil
	case c == '/' || c == '=':
		s.alone = c == '/'
		return true, nil
	}
	s.alone = false
	s.r.UnreadByte()
	if len(s.attributes) >= maxAttributes {
		return false, malformed("an element of more than %d attributes", maxAttributes)
	}
	a := attribute{from: len(s.tag)}
	if err := s.word(); err != nil {
		return false, err
	}
	a.mid, a.to = len(s.tag), len(s.tag)
	if c, err = s.sign(); err != nil || c != '=' {
		s.r.UnreadByte()
		return true, err
	}
	if c, err = s.sign(); err != nil {
		return false, err
	}
	if c != '"' && c != '\'' {
		return false, malformed("an attribute without quotation marks")
	}
	if err := s.value(c); err != nil {
		return false, err
	}
	a.to = len(s.tag)
	s.attributes = append(s.attributes, a)
	return true, nil
}

// value reads up to a quotation mark; what is long is kept to its beginning.
func (s *scanner) value(quote byte) error {
	for from := len(s.tag); ; {
		c, err := s.r.ReadByte()
		switch {
		case err != nil || c == quote:
			return err
		case len(s.tag)-from >= maxAttribute || len(s.tag) >= maxTag:
		case c == '&':
			s.tag = s.entity(s.tag)
		default:
			s.tag = append(s.tag, c)
		}
	}
}

// sign reads the next byte that is no space.
func (s *scanner) sign() (byte, error) {
	for {
		if c, err := s.r.ReadByte(); err != nil || c > ' ' {
			return c, err
		}
	}
}

// attr is the value of an attribute by its local name; "" without it.
func (s *scanner) attr(local string) string {
	for _, a := range s.attributes {
		key := s.tag[a.from:a.mid]
		if i := bytes.IndexByte(key, ':'); string(key[i+1:]) == local {
			return string(s.tag[a.mid:a.to])
		}
	}
	return ""
}

// parent is the local name of the element around this one.
func (s *scanner) parent() string {
	if i := len(s.open) - 2; i >= 0 {
		return s.open[i].local
	}
	return ""
}

func (s *scanner) resolve(qualified []byte, element bool) name {
	if n, ok := s.known[string(qualified)]; ok && (element || bytes.IndexByte(qualified, ':') >= 0) {
		return n
	}
	prefix, local, ok := strings.Cut(string(qualified), ":")
	if !ok && !element {
		return name{"", prefix}
	}
	if !ok {
		prefix, local = "", prefix
	}
	n := name{prefix, local} // of a prefix that is not declared, itself
	for i := len(s.bound) - 1; i >= 0; i-- {
		if s.bound[i].prefix == prefix {
			n.space = s.bound[i].space
			break
		}
	}
	if len(s.known) < maxNames {
		s.known[string(qualified)] = n
	}
	return n
}

// spaceOf is the word in a namespace that tells it from others: its last one, but
// for versions and the like. "text" of urn:oasis:names:tc:opendocument:xmlns:text:1.0.
func spaceOf(uri string) string {
	words := strings.FieldsFunc(uri, func(r rune) bool { return r == '/' || r == ':' })
	for i := len(words) - 1; i >= 0; i-- {
		if w := words[i]; w != "main" && strings.Trim(w, "0123456789.") != "" {
			return w
		}
	}
	return ""
}

// inUTF8 reads XML in the encoding of its mark or its declaration.
func inUTF8(r *bufio.Reader) (*bufio.Reader, error) {
	head, _ := r.Peek(200)
	var enc encoding.Encoding
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		r.Discard(3)
		return r, nil
	case hasAnyPrefix(head, "\xff\xfe", "<\x00"):
		enc = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case hasAnyPrefix(head, "\xfe\xff", "\x00<"):
		enc = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	default:
		declaration, _, _ := bytes.Cut(head, []byte(">"))
		_, said, ok := bytes.Cut(declaration, []byte("encoding"))
		said = bytes.TrimLeft(said, " \t\r\n=")
		if !ok || len(said) < 2 || !bytes.HasPrefix(head, []byte("<?xml")) {
			return r, nil
		}
		label, _, _ := bytes.Cut(said[1:], said[:1])
		known, err := htmlindex.Get(string(label))
		if err != nil || known == unicode.UTF8 || strings.HasPrefix(strings.ToLower(string(label)), "utf-16") {
			return r, nil // it can be read, so it is none of two bytes
		}
		enc = known
	}
	return bufio.NewReaderSize(enc.NewDecoder().Reader(r), 32<<10), nil
}
