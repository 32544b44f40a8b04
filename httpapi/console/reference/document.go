package reference

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// document is what is read of a description.
type document struct {
	Info       struct{ Description string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]schema
		Responses map[string]response
	}
}

type operation struct {
	OperationID          string
	Summary, Description string
	Parameters           []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
		Content               map[string]media
	}
	RequestBody struct{ Content map[string]media }
	Responses   map[string]response
	Security    *[]any // empty: open to all
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]media
	Headers     map[string]any
}

type media struct{ Schema schema }

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any    // a name, or several
	Format, Description  string
	Enum                 []any
	Examples             []any
	Default              any
	Properties           map[string]schema
	Required             []string
	Items                *schema
	OneOf                []schema
	AdditionalProperties json.RawMessage
}

func (d *document) route(method, path string, op operation) Route {
	r := Route{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, About: op.Description}
	for _, p := range op.Parameters {
		s := p.Schema
		for _, m := range p.Content {
			s = m.Schema
		}
		f := d.field(p.Name, s, p.Required)
		f.In, f.About = p.In, cmp.Or(p.Description, f.About)
		r.Parameters = append(r.Parameters, f)
	}
	for _, name := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
		s := op.RequestBody.Content[name].Schema
		b := Body{Media: name, Object: refName(s.Ref), About: s.Description}
		if b.Object == "" {
			b.Fields = d.fields(s)
		}
		r.Bodies = append(r.Bodies, b)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := op.Responses[status]
		if name := refName(answer.Ref); name != "" {
			answer = d.Components.Responses[name]
		}
		if status >= "400" && status != "default" {
			r.Errors = append(r.Errors, Failure{status, strings.Split(answer.Description, ", ")})
			continue
		}
		a := Answer{Status: status, Headers: slices.Sorted(maps.Keys(answer.Headers))}
		for _, name := range slices.Sorted(maps.Keys(answer.Content)) {
			s := answer.Content[name].Schema
			a.Media, a.Object = name, refName(s.Ref)
			if a.Object != "" {
				a.Example = pretty(d.example(s, nil))
			}
		}
		r.Answers = append(r.Answers, a)
	}
	r.Example = d.curl(method, path, op)
	return r
}

// fields are the members of an object, those that must be there first.
func (d *document) fields(s schema) []Field {
	var list []Field
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		list = append(list, d.field(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	slices.SortStableFunc(list, func(a, b Field) int { return order(a.Required) - order(b.Required) })
	return list
}

func order(first bool) int {
	if first {
		return 0
	}
	return 1
}

func (d *document) field(name string, s schema, required bool) Field {
	f := Field{Name: name, Type: d.typeOf(s), About: s.Description, Object: refName(s.Ref), Required: required}
	for _, v := range s.Enum {
		if text, ok := v.(string); ok {
			f.Values = append(f.Values, text)
		}
	}
	if s.Items != nil {
		f.Object = refName(s.Items.Ref)
	}
	if f.Object != "" {
		to := d.Components.Schemas[f.Object]
		f.About = cmp.Or(f.About, to.Description)
		if len(to.Properties) == 0 { // nothing is to be seen there
			f.Object = ""
		}
	}
	return f
}

// typeOf says what a value is, as people say it.
func (d *document) typeOf(s schema) string {
	if name := refName(s.Ref); name != "" {
		if to := d.Components.Schemas[name]; len(to.Properties) == 0 {
			return d.typeOf(to)
		}
		return name
	}
	if len(s.OneOf) > 0 {
		var all []string
		for _, one := range s.OneOf {
			all = append(all, d.typeOf(one))
		}
		return strings.Join(all, " or ")
	}
	var kinds []string
	switch t := s.Type.(type) {
	case string:
		kinds = []string{t}
	case []any:
		for _, one := range t {
			text, _ := one.(string)
			kinds = append(kinds, text)
		}
	}
	for i, kind := range kinds {
		switch {
		case kind == "array" && s.Items != nil:
			kinds[i] = "list of " + d.typeOf(*s.Items)
		case s.Format == "date-time" && kind == "string":
			kinds[i] = "time"
		case s.Format == "binary" && kind == "string":
			kinds[i] = "file"
		}
	}
	return cmp.Or(strings.Join(kinds, " or "), "anything")
}

// objectsOf are those that routes take and give, with all that those have in them.
func (d *document) objectsOf(routes []Route) []Object {
	wanted := map[string]bool{}
	var want func(string)
	want = func(name string) {
		s, ok := d.Components.Schemas[name]
		if !ok || wanted[name] || len(s.Properties) == 0 {
			return
		}
		wanted[name] = true
		for _, f := range d.fields(s) {
			want(f.Object)
		}
	}
	for _, r := range routes {
		for _, f := range r.Parameters {
			want(f.Object)
		}
		for _, b := range r.Bodies {
			want(b.Object)
			for _, f := range b.Fields {
				want(f.Object)
			}
		}
		for _, a := range r.Answers {
			want(a.Object)
		}
	}
	var list []Object
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		s := d.Components.Schemas[name]
		list = append(list, Object{name, s.Description, pretty(d.example(s, []string{name})), d.fields(s)})
	}
	return list
}

func refName(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
