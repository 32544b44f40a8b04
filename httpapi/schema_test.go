package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// known are the types that print themselves.
var known = map[reflect.Type]func() object{
	typeOf[Time]():            func() object { return object{"type": "string", "format": "date-time"} },
	typeOf[engine.Digest]():   func() object { return object{"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"} },
	typeOf[engine.Due]():      dueSchema,
	typeOf[dueDate]():         dueSchema,
	typeOf[audit.Hash]():      func() object { return object{"type": "string", "pattern": "^[0-9a-f]{64}$"} },
	typeOf[engine.Access]():   func() object { return object{"type": "string", "enum": []string{"view", "upload", "auditor", "admin"}} },
	typeOf[json.RawMessage](): func() object { return object{"type": "object"} },
	typeOf[[]byte]():          func() object { return object{"type": "string", "contentEncoding": "base64"} },
	typeOf[ifMatch]():         func() object { return object{"type": "string"} },
	typeOf[versionNumber]():   func() object { return object{"type": "integer", "format": "int64", "minimum": 1} },
	typeOf[pageNumber]():      func() object { return object{"type": "integer", "format": "int64", "minimum": 1} },
	typeOf[lockToken]():       func() object { return object{"type": "string"} },
	typeOf[claimedToken]():    func() object { return object{"type": "string"} },
	typeOf[edit]():            func() object { return object{"type": "string"} },
	typeOf[claimedEdit]():     func() object { return object{"type": "string"} },
	typeOf[seconds](): func() object {
		return object{"oneOf": []object{{"type": "integer", "format": "int64", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+$"}}, "description": "300 if it is absent."}
	},
	typeOf[truth](): func() object {
		return object{"oneOf": []object{{"type": "boolean"}, {"type": "string", "enum": []string{"true", "false"}}}}
	},
	typeOf[deliveryNumber](): func() object { return object{"type": "integer", "format": "int64", "minimum": 1} },
	typeOf[entrySeq]():       func() object { return object{"type": "integer", "format": "int64", "minimum": 1} },
}

func dueSchema() object {
	return object{"type": "string", "description": "A date, or a time as in RFC 3339."}
}

// schema is the schema of a type, by reference if it has a name.
func (p *printer) schema(t reflect.Type) object {
	if s, ok := known[t]; ok {
		return s()
	}
	if m, ok := reflect.New(t).Interface().(nullable); ok {
		return p.orNull(p.schema(reflect.TypeOf(m.member(false)).Elem()))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.schema(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Uint64, reflect.Int64:
		return object{"type": "integer", "format": "int64", "minimum": 0}
	case reflect.Float64:
		return object{"type": "number", "format": "double"}
	case reflect.Interface:
		return object{}
	case reflect.Slice:
		return object{"type": "array", "items": p.schema(t.Elem())}
	case reflect.Map:
		p.schemas["Scalar"] = object{"oneOf": scalars, "description": "A text, a number, true or false."}
		p.schemas["CustomFields"] = object{"type": "object", "additionalProperties": ref("Scalar"), "description": "Values of fields, by key."}
		return ref("CustomFields")
	case reflect.Struct:
		name := schemaName(t)
		if p.schemas[name] == nil {
			p.schemas[name] = object{} // before its members, which may lead back to it
			p.schemas[name] = p.structSchema(t)
		}
		return ref(name)
	}
	panic("no schema for " + t.String())
}

// filter is what chooses documents in a body: the parameters of a list by name.
// A client made from it may also send one of field.<key> as a member.
func (p *printer) filter() object {
	properties := object{}
	for _, f := range inputOf(typeOf[searchFilter](), http.MethodGet).fields {
		if _, open := reflect.New(f.typ).Interface().(named); open {
			continue
		}
		s := p.fieldSchema(f)
		if f.typ.Kind() == reflect.Slice {
			s = object{"oneOf": []object{s["items"].(object), s}}
		}
		if f.doc != "" {
			s["description"] = f.doc
		}
		properties[f.name] = s
	}
	p.schemas["FilterValue"] = object{
		"oneOf":       append(slices.Clone(scalars), object{"type": "array", "items": object{"type": "string"}}),
		"description": "A text, a number, true or false, or several texts.",
	}
	p.schemas["DocumentFilter"] = object{
		"type": "object", "properties": properties, "additionalProperties": ref("FilterValue"),
		"description": "Chooses documents as the parameters of GET /v1/documents do, and q of GET /v1/search: each member narrows. field.<key>, field.<key>.from and field.<key>.to choose by custom fields.",
	}
	return ref("DocumentFilter")
}

// schemaName is Document, or DocumentList.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if list, ok := strings.CutPrefix(name, "List["); ok {
		return strings.TrimSuffix(list[strings.LastIndexByte(list, '.')+1:], "]") + "List"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// orNull is a schema that allows null too, and, in custom fields, null for each
// of them: it is that of a merge patch.
func (p *printer) orNull(s object) object {
	if s["$ref"] == ref("CustomFields")["$ref"] {
		p.schemas["CustomFieldsPatch"] = object{
			"type": []string{"object", "null"}, "additionalProperties": object{"oneOf": append(slices.Clone(scalars), object{"type": "null"})},
			"description": "Values of fields, by key; null takes one away, and null in place of all of them takes all.",
		}
		return ref("CustomFieldsPatch")
	}
	if _, named := s["$ref"]; named {
		return object{"oneOf": []object{s, {"type": "null"}}}
	}
	if t, ok := s["type"].(string); ok {
		s["type"] = []string{t, "null"}
	}
	return s
}

// scalars are what a custom field may hold. No type is written as a list of
// several, which generators of clients do not take.
var scalars = []object{{"type": "string"}, {"type": "number", "format": "double"}, {"type": "boolean"}}

// oneOf bounds a text, or each of a list, to words.
func oneOf(s object, words string) {
	if items, ok := s["items"].(object); ok {
		s = items
	}
	s["enum"] = strings.Split(words, "|")
}

func (b bounds) describe(s object) {
	if b.min > 0 {
		s["minimum"] = b.min
	}
	if b.max > 0 {
		s["maximum"] = b.max
	}
}

func (p *printer) structSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		s := p.schema(f.Type)
		if name == "filter" {
			s = p.filter()
		}
		if f.Tag.Get("null") != "" {
			s = p.orNull(s)
		}
		boundsOf(f.Tag).describe(s)
		if words := f.Tag.Get("enum"); words != "" {
			oneOf(s, words)
		}
		if doc := f.Tag.Get("doc"); doc != "" {
			s["description"] = doc
		}
		if _, item, ok := strings.Cut(f.Tag.Get("xml"), ">"); ok {
			s["xml"] = object{"wrapped": true}
			s["items"].(object)["xml"] = object{"name": item}
		}
		properties[name] = s
		// What is printed is always there, unless it is said to be left out.
		isOutput := t.Name() == "" || t.Name()[0] >= 'A' && t.Name()[0] <= 'Z'
		if f.Tag.Get("required") != "" || isOutput && options == "" {
			required = append(required, name)
		}
	}
	out := object{"type": "object", "properties": properties}
	if d, ok := reflect.Zero(t).Interface().(dressed); ok {
		out["xml"] = object{"name": d.xmlRoot(), "namespace": xmlNamespace}
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}
