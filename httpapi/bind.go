package httpapi

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/julienschmidt/httprouter"

	"strongroom/engine"
)

// maxBody is the size of a body that is held in memory.
const maxBody = 1 << 20

// input is how a request becomes a handler's struct. The struct's tags say it,
// and openapi.json is printed from the same tags:
//
//	path:"id"          a segment of the path
//	query:"limit"      a query parameter; of type []string it may be repeated
//	query:"field.*"    all query parameters that begin so, each given once; the
//	                   type knows what may follow, see [named]
//	form:"name"        a field of an upload, see upload.go
//	header:"If-Match"  a header
//	body:"json"        the body: JSON of the field's type; body:"merge" takes
//	                   application/merge-patch+json too, body:"optional" may be absent,
//	                   body:"docusign" may be absent, null or XML, and ignore what
//	                   it does not know (unknown:"ignored"); body:"lines" may be
//	                   application/x-ndjson, which the handler reads, see [lined];
//	                   body:"text" is a string that comes as text/plain, or is empty
//	doc, min, max      what it means; the smallest and the largest number
//	enum, default      the words there are, with "|" between; what absent means
//	required           for the description: the handler refuses a request without
//
// A query parameter, a member or a field that has no tag is refused by name.
type input struct {
	typ    reflect.Type
	fields []field
	form   []field
	body   *field
	shapes shapes
	// revised says that what the route is about has revisions, so that If-Match
	// is among the fields, or that nothing is changed.
	revised bool
}

// field is one value of an input.
type field struct {
	in, name, doc string
	index         []int
	typ           reflect.Type
	bounds
	enum, absent string // enum words with "|" between; the default, for the description
	lax          bool   // what is unknown in the body is ignored
	required     bool   // for the description
}

// bounds are those of a number; max 0 is none.
type bounds struct{ min, max uint64 }

func boundsOf(tag reflect.StructTag) (b bounds) {
	b.min, _ = strconv.ParseUint(tag.Get("min"), 10, 64)
	b.max, _ = strconv.ParseUint(tag.Get("max"), 10, 64)
	return b
}

// parse reads a number. The message of its error follows the name of what
// should be one.
func (b bounds) parse(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err == nil && n >= b.min && (b.max == 0 || n <= b.max):
		return n, nil
	case b.max > 0:
		return 0, fmt.Errorf("must be a whole number from %d to %d", b.min, b.max)
	}
	return 0, fmt.Errorf("must be a whole number, %d or more", b.min)
}

// text is a type that knows its own spelling in a path, a query or a header.
type text interface{ bind(string) error }

// named is a type that takes every query parameter with the prefix of its tag.
// name is what follows the prefix, value is "" for one that was left empty, which
// is as good as absent; pattern, a regular expression, says what may follow, and
// is what openapi.json says of it.
type named interface {
	bindNamed(name, value string) error
	pattern() string
}

// lined is a body that may come as lines of JSON instead, of any number.
type lined interface{ take(lines io.Reader) }

// checked is an input of which two values may not go together.
type checked interface{ check() error }

// inputOf reads the tags of t. A struct it cannot serve is a defect of the
// table, hence the panics.
func inputOf(t reflect.Type, method string) *input {
	in := &input{typ: t, shapes: shapes{}, revised: method == http.MethodGet}
	for _, sf := range reflect.VisibleFields(t) {
		for _, where := range []string{"path", "query", "header", "form", "body"} {
			name, ok := sf.Tag.Lookup(where)
			if !ok {
				continue
			}
			f := field{in: where, name: name, doc: sf.Tag.Get("doc"), index: sf.Index, typ: sf.Type,
				bounds: boundsOf(sf.Tag), enum: sf.Tag.Get("enum"), absent: sf.Tag.Get("default"), lax: sf.Tag.Get("unknown") == "ignored", required: sf.Tag.Get("required") != ""}
			switch where {
			case "body":
				in.body = &f
				in.shapes.add(f.typ)
			case "form":
				in.form = append(in.form, f)
			default:
				in.fields = append(in.fields, f)
				in.revised = in.revised || f.name == "If-Match"
			}
		}
	}
	if in.form != nil {
		in.shapes.add(t)
	} else if in.body == nil && method != http.MethodGet {
		// A route that takes no body is sent none, or {}.
		in.body = &field{in: "body", name: "optional", typ: reflect.TypeFor[struct{}]()}
		in.shapes.add(in.body.typ)
	}
	return in
}

// bind fills v, the handler's struct, from all but the fields of an upload.
func (in *input) bind(v reflect.Value, x *exchange, r *http.Request, p httprouter.Params) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return inParameter("query", "is not a query: %v", err)
	}
	var wrong []engine.FieldError
	for i := range in.fields {
		f := &in.fields[i]
		var values []string
		switch f.in {
		case "path":
			if err := f.setPath(v, p.ByName(f.name)); err != nil {
				return err
			}
			continue
		case "query":
			if prefix, ok := strings.CutSuffix(f.name, "*"); ok {
				wrong = append(wrong, f.setNamed(v, prefix, query)...)
				continue
			}
			values = filled(query[f.name])
			delete(query, f.name)
		case "header":
			if values = r.Header.Values(f.name); len(values) > 0 {
				values = []string{strings.Join(values, ", ")}
			}
		}
		if err := f.setAll(v, values); err != nil {
			wrong = append(wrong, engine.FieldError{Field: f.name, Message: err.Error()})
		}
	}
	if in.form == nil { // of an upload they may be its fields: see upload.go
		wrong = append(wrong, unknown(query, "parameter of this request")...)
	}
	if len(wrong) > 0 {
		return &invalidError{codeInvalidParameter, wrong}
	}
	if given := r.Header.Values("If-Match"); !in.revised && given != nil {
		// A change that is meant for one state only must not be made on another.
		var m ifMatch
		if err := m.bind(strings.Join(given, ", ")); err != nil {
			return inParameter("If-Match", "%v", err)
		}
		if m != nil {
			return errUnmatched
		}
	}
	if together, ok := v.Addr().Interface().(checked); ok {
		if err := together.check(); err != nil {
			return err
		}
	}
	if in.body == nil {
		return nil
	}
	return in.bindBody(v, x, r)
}

// filled drops what is empty: it is as good as absent, for a form in a browser
// sends all its fields.
func filled(values []string) []string {
	return slices.DeleteFunc(values, func(s string) bool { return s == "" })
}

func unknown(values url.Values, what string) (wrong []engine.FieldError) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		wrong = append(wrong, engine.FieldError{Field: name, Message: "is not a " + what})
	}
	return wrong
}

func (f *field) setAll(v reflect.Value, values []string) error {
	if f.typ == reflect.TypeFor[[]string]() {
		for _, s := range values {
			if !utf8.ValidString(s) {
				return fmt.Errorf("is not UTF-8")
			}
		}
		v.FieldByIndex(f.index).Set(reflect.ValueOf(values))
		return nil
	}
	switch len(values) {
	case 0:
		return nil
	case 1:
		return f.set(v, values[0])
	}
	return fmt.Errorf("is given %d times; give it once", len(values))
}

// setNamed takes the parameters with a prefix out of the query.
func (f *field) setNamed(v reflect.Value, prefix string, query url.Values) (wrong []engine.FieldError) {
	to := v.FieldByIndex(f.index).Addr().Interface().(named)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		values := slices.DeleteFunc(query[name], func(s string) bool { return s == "" })
		delete(query, name)
		var err error
		switch {
		case len(values) > 1:
			err = fmt.Errorf("is given %d times; give it once", len(values))
		case !utf8.ValidString(strings.Join(values, "")):
			err = fmt.Errorf("is not UTF-8")
		default:
			err = to.bindNamed(rest, strings.Join(values, ""))
		}
		if err != nil {
			wrong = append(wrong, engine.FieldError{Field: name, Message: err.Error()})
		}
	}
	return wrong
}

// setPath sets a segment of the path. Whatever it is, it is a name: what cannot
// be one is the name of nothing.
func (f *field) setPath(v reflect.Value, s string) error {
	if f.typ.Kind() == reflect.String {
		v.FieldByIndex(f.index).SetString(s)
		return nil
	}
	return f.set(v, s)
}

// set parses one value. The message of its error follows the field's name.
func (f *field) set(v reflect.Value, s string) error {
	v = v.FieldByIndex(f.index)
	if t, ok := v.Addr().Interface().(text); ok {
		return t.bind(s)
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(s) {
			return fmt.Errorf("is not UTF-8")
		}
		if words := strings.Split(f.enum, "|"); f.enum != "" && !slices.Contains(words, s) {
			return fmt.Errorf("must be one of %s", strings.Join(words, ", "))
		}
		v.SetString(s)
	case reflect.Bool:
		switch s {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
			v.SetBool(false)
		default:
			return fmt.Errorf("must be true or false")
		}
	case reflect.Uint64:
		n, err := f.parse(s)
		if err != nil {
			return err
		}
		v.SetUint(n)
	default:
		panic(fmt.Sprintf("httpapi: %s %s has a type that cannot be bound: %s", f.in, f.name, f.typ))
	}
	return nil
}
