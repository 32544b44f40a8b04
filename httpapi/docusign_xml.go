package httpapi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

const (
	// maxElements is how deep elements may lie in one another.
	maxElements = 16
	// manyElements is how many there may be, with attributes: no request has twenty.
	manyElements = 10_000
	// maxKept is how many of them are kept: more than there are names, so that
	// among them is one that is given twice.
	maxKept = 64
	// maxTag is how long a tag may be, in bytes. Attributes are passed over, but
	// take twenty times their length until they are.
	maxTag = 16 << 10
)

// element is an XML element: its text, or the elements in it. Of those, only
// the ones in the root are kept.
type element struct {
	name     string
	text     strings.Builder
	null     bool // xsi:nil
	nested   bool // there are elements in it
	children []*element
}

// level is an element that has not ended yet.
type level struct {
	kept         *element // nil: it is passed over
	text, nested bool
}

var (
	errXMLType  = errors.New("must not have a document type, entities or processing instructions")
	errXMLDepth = fmt.Errorf("lies deeper than %d elements", maxElements)
	errXMLMany  = fmt.Errorf("has more than %d elements and attributes", manyElements)
	errXMLTag   = fmt.Errorf("has a tag of more than %d bytes", maxTag)
	errXMLMixed = errors.New("has text beside its elements")
	errXMLSpace = fmt.Errorf("must be in the namespace %s, or in none", xmlNamespace)
)

// parseXML reads a document that is elements and text and nothing else: there
// is no document type, so no entity but the five of XML itself; instructions
// are refused, the declaration at the very beginning excepted; comments and
// attributes are passed over, and so is what keep does not want of the elements
// in the root. However many there are, it takes no more memory than the text that
// is kept.
func parseXML(data []byte, keep func(name string, null bool) bool) (*element, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	if hasLongTag(data) {
		return nil, errXMLTag
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	p := &xmlParser{keep: keep}
	for at := int64(0); ; at = d.InputOffset() {
		tok, err := d.Token()
		if err == io.EOF && p.root != nil {
			return p.root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("is not XML: %w", err)
		}
		switch tok := tok.(type) {
		case xml.Directive:
			return nil, errXMLType
		case xml.ProcInst:
			if tok.Target != "xml" || at != 0 {
				return nil, errXMLType
			}
		case xml.StartElement:
			err = p.start(tok)
		case xml.EndElement:
			err = p.end()
		case xml.CharData:
			err = p.chars(tok)
		}
		if err != nil {
			return nil, err
		}
	}
}

type xmlParser struct {
	keep func(name string, null bool) bool
	root *element
	open []level
	seen int // elements and attributes
}

func (p *xmlParser) start(tok xml.StartElement) error {
	if p.seen += 1 + len(tok.Attr); p.seen > manyElements {
		return errXMLMany
	}
	foreign := tok.Name.Space != "" && tok.Name.Space != xmlNamespace
	next := level{}
	switch depth := len(p.open); {
	case depth == maxElements:
		return errXMLDepth
	case depth == 0 && p.root != nil:
		return errors.New("is more than one element")
	case depth == 0 && foreign:
		return errXMLSpace
	case depth == 0:
		p.root = &element{name: tok.Name.Local}
		next.kept = p.root
	case depth == 1:
		name, null := tok.Name.Local, isNil(tok.Attr)
		if foreign {
			name = tok.Name.Space + " " + name
		}
		if len(p.root.children) < maxKept && p.keep(name, null) {
			next.kept = &element{name: name, null: null}
			p.root.children = append(p.root.children, next.kept)
		}
	}
	if len(p.open) > 0 {
		p.open[len(p.open)-1].nested = true
	}
	p.open = append(p.open, next)
	return nil
}

func (p *xmlParser) end() error {
	top := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	if top.nested && top.text {
		return errXMLMixed
	}
	if top.kept != nil {
		top.kept.nested = top.nested
	}
	return nil
}

func (p *xmlParser) chars(text xml.CharData) error {
	blank := len(bytes.TrimSpace(text)) == 0
	switch {
	case len(p.open) > 0:
		top := &p.open[len(p.open)-1]
		top.text = top.text || !blank
		if top.kept != nil {
			top.kept.text.Write(text)
		}
	case !blank:
		return errors.New("is not XML: there is text outside of the element")
	}
	return nil
}

// hasLongTag looks for a tag that is longer than any has to be, before the parser
// makes something of it. What looks like one in a comment or in CDATA is none.
func hasLongTag(data []byte) bool {
	for {
		at := bytes.IndexByte(data, '<')
		if at < 0 {
			return false
		}
		data = data[at:]
		for _, other := range []struct{ begin, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}} {
			if bytes.HasPrefix(data, []byte(other.begin)) {
				_, data, _ = bytes.Cut(data[len(other.begin):], []byte(other.end))
				at = -1
			}
		}
		if at < 0 {
			continue
		}
		end := tagEnd(data[:min(len(data), maxTag)])
		if end < 0 {
			return len(data) > maxTag
		}
		data = data[end:]
	}
}

// tagEnd is where a tag ends that data begins with; -1: not in data.
func tagEnd(data []byte) int {
	var quote byte
	for i, c := range data {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

func isNil(attributes []xml.Attr) bool {
	for _, a := range attributes {
		if a.Name.Local == "nil" && a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

// decodeXML fills v, a struct with a root element of its own, from the elements
// in it, in any order. One that v has no place for is refused by its name, or,
// if lax, ignored.
func (s shapes) decodeXML(data []byte, v reflect.Value, lax bool) error {
	known := s[v.Type()]
	root, err := parseXML(data, func(name string, null bool) bool {
		_, ok := known[name]
		return ok || !lax && !null
	})
	if err != nil {
		return inBody("body", "%v", err)
	}
	if want := v.Interface().(dressed).xmlRoot(); root.name != want {
		return inBody("body", "must be the element %s", want)
	}
	seen := map[string]bool{}
	for _, e := range root.children {
		m, ok := known[e.name]
		switch {
		case !ok:
			return inBody(e.name, "is not a member of this request")
		case seen[e.name]:
			return inBody(e.name, "is given twice")
		}
		seen[e.name] = true
		if err := e.fill(v.FieldByIndex(m.index)); err != nil {
			return inBody(e.name, "%v", err)
		}
	}
	if !root.nested && strings.TrimSpace(root.text.String()) != "" {
		return inBody("body", "has text where its elements should be")
	}
	return nil
}

// fill sets a member from an element.
func (e *element) fill(v reflect.Value) error {
	if e.null {
		return nil
	}
	if e.nested {
		return errors.New("must be text")
	}
	text := strings.TrimSpace(e.text.String())
	if isScalar(v.Type()) && text == "" {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if n, ok := v.Addr().Interface().(scalar); ok {
		return n.scalar(text)
	}
	v.SetString(e.text.String())
	return nil
}
