package httpapi

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth is how deep arrays and objects may lie in one another.
	maxDepth = 64
	// maxTokens is how many names, values, and ends of arrays and objects a body
	// may have. One of two bytes takes forty of memory.
	maxTokens = 100_000
)

var errTooMany = fmt.Errorf("is too much: the body has more than %d names and values", maxTokens)

var errFieldsTooLong = fmt.Errorf("is too long: the fields together have more than %d bytes", maxFields)

// shapes are the members of the struct types that a body is made of, by name.
// It is made once, with the table, and then only read.
//
// The decoder stands beside encoding/json because that takes the last of two
// members with one name, and Name for name, puts U+FFFD where the text was not
// Unicode, and leaves alone what null was sent for: a client who is
// misunderstood should be told so.
type shapes map[reflect.Type]map[string]shape

// shape is one member: where it goes, and the bounds of a number.
type shape struct {
	index []int
	bounds
}

func (s shapes) add(t reflect.Type) {
	if m, ok := reflect.New(t).Interface().(nullable); ok {
		s.add(reflect.TypeOf(m.member(false)).Elem())
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		s.add(t.Elem())
	case reflect.Struct:
		if _, ok := s[t]; ok || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return
		}
		s[t] = map[string]shape{}
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				s[t][name] = shape{f.Index, boundsOf(f.Tag)}
				s.add(f.Type)
			}
		}
	}
}

// member is a member of a merge patch, where absent leaves alone what null
// empties.
type member[T any] struct {
	present bool
	value   *T // nil: null
}

// nullable is a member that may be null. member returns where its value goes.
type nullable interface{ member(null bool) any }

func (m *member[T]) member(null bool) any {
	m.present = true
	if !null {
		m.value = new(T)
	}
	return m.value
}

// decode fills v from data: one JSON value in UTF-8, no member twice, none that
// v has no place for, none of another type. What is wrong is refused by its
// name, which begins with path; without one, the whole is called body.
func (s shapes) decode(data []byte, v reflect.Value, path string) error {
	return s.decoder(data).decode(v, path)
}

func (s shapes) decoder(data []byte) *decoder {
	return &decoder{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, shapes: s}
}

func (d *decoder) decode(v reflect.Value, path string) error {
	data := d.data
	if !utf8.Valid(data) {
		return d.refuse(path, "is not UTF-8")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return d.refuse(path, "is missing; send JSON")
	}
	// The syntax is checked as a whole, so that the tokens need no doubt.
	if !json.Valid(data) {
		return d.refuse(path, "is not JSON: %v", json.Unmarshal(data, new(json.RawMessage)))
	}
	d.UseNumber()
	tok, err := d.token(path)
	if err != nil {
		return err
	}
	return d.value(tok, v, bounds{}, path)
}

type decoder struct {
	*json.Decoder
	data   []byte
	shapes shapes
	depth  int
	nulls  bool // null is as good as absent, and so is a number or truth that is ""
	lax    bool // unknown members are ignored
	cut    bool // data ends before the body does
	tokens int
	spent  int // bytes of all tokens but those in base64, which become no more than they are
}

func (d *decoder) refuse(path, format string, args ...any) error {
	if path == "" {
		path = "body"
	}
	return inBody(path, format, args...)
}

func (d *decoder) token(path string) (json.Token, error) {
	if d.spent > maxFields {
		return nil, d.refuse(path, "%v", errFieldsTooLong)
	}
	from := d.InputOffset()
	tok, err := d.Token()
	if err != nil && d.cut {
		return nil, d.refuse(path, "%v", errFieldsTooLong)
	}
	if err != nil {
		return nil, d.refuse(path, "is not JSON: %v", err)
	}
	d.spent += int(d.InputOffset() - from)
	if d.tokens++; d.tokens > maxTokens {
		return nil, d.refuse(path, "%v", errTooMany)
	}
	if _, ok := tok.(string); ok && loneSurrogate(d.data[from:d.InputOffset()]) {
		return nil, d.refuse(path, `is not Unicode: half of a pair of \u escapes stands alone`)
	}
	return tok, nil
}

func (d *decoder) value(tok json.Token, v reflect.Value, within bounds, path string) error {
	if d.nulls && (tok == nil || tok == "" && isScalar(v.Type())) {
		return nil
	}
	if m, ok := v.Addr().Interface().(nullable); ok {
		target := m.member(tok == nil)
		if tok == nil {
			return nil
		}
		v = reflect.ValueOf(target).Elem()
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch t := v.Addr().Interface().(type) {
	case scalar:
		return d.scalar(tok, t, path)
	case encoding.TextUnmarshaler:
		return d.text(tok, t, path)
	}
	switch v.Kind() {
	case reflect.String:
		s, ok := tok.(string)
		if !ok {
			return d.refuse(path, "must be a string")
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := tok.(bool)
		if !ok {
			return d.refuse(path, "must be true or false")
		}
		v.SetBool(b)
	case reflect.Uint64:
		n, _ := tok.(json.Number)
		u, err := within.parse(string(n))
		if err != nil {
			return d.refuse(path, "%v", err)
		}
		v.SetUint(u)
	case reflect.Slice:
		return d.array(tok, v, path)
	case reflect.Map, reflect.Struct:
		return d.object(tok, v, path)
	case reflect.Interface:
		a, err := d.any(tok, path)
		if err != nil {
			return err
		}
		if a != nil {
			v.Set(reflect.ValueOf(a))
		}
	default:
		panic(fmt.Sprintf("httpapi: a body cannot have a member of type %s", v.Type()))
	}
	return nil
}

func (d *decoder) text(tok json.Token, t encoding.TextUnmarshaler, path string) error {
	s, ok := tok.(string)
	if !ok {
		return d.refuse(path, "must be a string")
	}
	if err := t.UnmarshalText([]byte(s)); err != nil {
		return d.refuse(path, "%v", err)
	}
	return nil
}

func (d *decoder) array(tok json.Token, v reflect.Value, path string) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		s, ok := tok.(string)
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if !ok || err != nil {
			return d.refuse(path, "must be a string in base64 (RFC 4648 section 4)")
		}
		v.SetBytes(b)
		d.spent -= len(s)
		return nil
	}
	if tok != json.Delim('[') {
		return d.refuse(path, "must be an array")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.elements(path, func(tok json.Token, path string) error {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(tok, e, bounds{}, path); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
		return nil
	})
}

func (d *decoder) object(tok json.Token, v reflect.Value, path string) error {
	if tok != json.Delim('{') {
		return d.refuse(path, "must be an object")
	}
	if v.Kind() == reflect.Map {
		v.Set(reflect.MakeMap(v.Type()))
		return d.members(path, func(name string, tok json.Token, path string) error {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := d.value(tok, e, bounds{}, path); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(name), e)
			return nil
		})
	}
	known := d.shapes[v.Type()]
	return d.members(path, func(name string, tok json.Token, path string) error {
		m, ok := known[name]
		if !ok && (d.lax || d.nulls && tok == nil) {
			return d.skip(tok, path)
		}
		if !ok {
			for known := range known {
				if strings.EqualFold(known, name) {
					return d.refuse(path, "is not a member of this request; it is spelled %s", known)
				}
			}
			return d.refuse(path, "is not a member of this request")
		}
		return d.value(tok, v.FieldByIndex(m.index), m.bounds, path)
	})
}

// any decodes what has no type of its own, numbers as json.Number.
func (d *decoder) any(tok json.Token, path string) (any, error) {
	switch tok {
	case json.Delim('['):
		list := []any{}
		err := d.elements(path, func(tok json.Token, path string) error {
			e, err := d.any(tok, path)
			list = append(list, e)
			return err
		})
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		err := d.members(path, func(name string, tok json.Token, path string) (err error) {
			object[name], err = d.any(tok, path)
			return err
		})
		return object, err
	}
	return tok, nil
}

// skip goes past a value that nobody wants, without making anything of it.
func (d *decoder) skip(tok json.Token, path string) error {
	switch tok {
	case json.Delim('['):
		return d.elements(path, d.skip)
	case json.Delim('{'):
		return d.members(path, func(_ string, tok json.Token, path string) error { return d.skip(tok, path) })
	}
	return nil
}

// elements calls fn with the first token of each element of an array.
func (d *decoder) elements(path string, fn func(json.Token, string) error) error {
	return d.inside(path, func() error {
		for i := 0; d.More(); i++ {
			path := below(path, "["+strconv.Itoa(i)+"]")
			tok, err := d.token(path)
			if err != nil {
				return err
			}
			if err := fn(tok, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// members calls fn with the name and the first token of each member of an
// object.
func (d *decoder) members(path string, fn func(string, json.Token, string) error) error {
	return d.inside(path, func() error {
		seen := map[string]bool{}
		for d.More() {
			tok, err := d.token(path)
			if err != nil {
				return err
			}
			name := tok.(string)
			path := strings.TrimPrefix(below(path, "."+name), ".")
			if seen[name] {
				return d.refuse(path, "is given twice")
			}
			seen[name] = true
			if tok, err = d.token(path); err != nil {
				return err
			}
			if err := fn(name, tok, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// below is the path of what lies in path. One that is longer than is ever shown
// grows no more: each of many values would carry it along.
func below(path, step string) string {
	if len(path) > maxShown*utf8.UTFMax {
		return path
	}
	return path + step
}

// inside goes into an array or object, and out of it again.
func (d *decoder) inside(path string, fn func() error) error {
	if d.depth++; d.depth > maxDepth {
		return d.refuse(path, "lies deeper than %d arrays and objects", maxDepth)
	}
	if err := fn(); err != nil {
		return err
	}
	d.depth--
	_, err := d.token(path)
	return err
}
