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

// maxElements is how deep elements may lie in one another.
const maxElements = 16

// element is an XML element: its text, or the elements in it.
type element struct {
	name     string
	text     strings.Builder
	null     bool // xsi:nil
	children []*element
}

var (
	errXMLType  = errors.New("must not have a document type, entities or processing instructions")
	errXMLDepth = fmt.Errorf("lies deeper than %d elements", maxElements)
	errXMLMixed = errors.New("has text beside its elements")
	errXMLSpace = fmt.Errorf("must be in the namespace %s, or in none", xmlNamespace)
)

// parseXML reads a document that is elements and text and nothing else: there
// is no document type, so no entity but the five of XML itself; instructions
// are refused, the declaration at the very beginning excepted; comments and
// attributes are passed over.
func parseXML(data []byte) (*element, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	var root *element
	var open []*element
	for at := int64(0); ; at = d.InputOffset() {
		tok, err := d.Token()
		if err == io.EOF && root != nil {
			return root, nil
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
			foreign := tok.Name.Space != "" && tok.Name.Space != xmlNamespace
			e := &element{name: tok.Name.Local, null: isNil(tok.Attr)}
			switch {
			case len(open) == maxElements:
				return nil, errXMLDepth
			case len(open) > 0:
				if foreign {
					e.name = tok.Name.Space + " " + e.name
				}
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, errors.New("is more than one element")
			case foreign:
				return nil, errXMLSpace
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			e := open[len(open)-1]
			if open = open[:len(open)-1]; e.children == nil {
				break
			}
			if strings.TrimSpace(e.text.String()) != "" {
				return nil, errXMLMixed
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(tok)
			} else if len(bytes.TrimSpace(tok)) > 0 {
				return nil, errors.New("is not XML: there is text outside of the element")
			}
		}
	}
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
	root, err := parseXML(data)
	if err != nil {
		return inBody("body", "%v", err)
	}
	if want := v.Interface().(dressed).xmlRoot(); root.name != want {
		return inBody("body", "must be the element %s", want)
	}
	known := s[v.Type()]
	seen := map[string]bool{}
	for _, e := range root.children {
		m, ok := known[e.name]
		switch {
		case !ok && (lax || e.null):
			continue
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
	if len(root.children) == 0 && strings.TrimSpace(root.text.String()) != "" {
		return inBody("body", "has text where its elements should be")
	}
	return nil
}

// fill sets a member from an element.
func (e *element) fill(v reflect.Value) error {
	if e.null {
		return nil
	}
	if e.children != nil {
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
