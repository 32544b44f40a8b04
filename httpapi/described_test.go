package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// reader reads what a server answers beside its client, and refuses what the
// descriptions do not say: clients are generated from them, and some read
// strictly.
type reader struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *reader) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *reader) Write(p []byte) (int, error) {
	r.status = max(r.status, http.StatusOK)
	if r.body.Len() < 1<<20 {
		r.body.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

func (r *reader) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// description is one of the two, as a client reads it.
type description struct {
	Paths      map[string]map[string]struct{ Responses map[string]object }
	Components struct{ Schemas, Responses map[string]object }
	paths      map[string]*regexp.Regexp // what matches those of Paths
}

// described are read once: each answer of each test is compared with them.
var described = sync.OnceValues(func() (out []*description, err error) {
	for _, text := range [][]byte{openAPI, openAPIDocuSign} {
		d := &description{paths: map[string]*regexp.Regexp{}}
		if err := json.Unmarshal(text, d); err != nil {
			return nil, err
		}
		for pattern := range d.Paths {
			d.paths[pattern] = pathExpression(pattern)
		}
		out = append(out, d)
	}
	return out, nil
})

func descriptions(t *testing.T) []*description {
	t.Helper()
	all, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// check says what of an answer a description does not: nothing if it does not
// know the path.
func (d *description) check(method, path string, answer *reader) error {
	if answer.Header().Get("Content-Type") != "application/json" || method == http.MethodHead || answer.body.Len() >= 1<<20 {
		return nil
	}
	for pattern, methods := range d.Paths {
		op, ok := methods[strings.ToLower(method)]
		// OpenAPI 3.1: a path without a parameter comes before those with one.
		if _, exact := d.Paths[path]; !ok || !d.paths[pattern].MatchString(path) || exact && pattern != path {
			continue
		}
		response, ok := op.Responses[fmt.Sprint(answer.status)]
		if !ok {
			return fmt.Errorf("%s %s: status %d is not described", method, pattern, answer.status)
		}
		if name, ok := response["$ref"].(string); ok {
			response = d.Components.Responses[name[strings.LastIndexByte(name, '/')+1:]]
		}
		content, _ := response["content"].(object)["application/json"].(object)
		schema, ok := content["schema"].(object)
		if !ok {
			return nil // the description itself, or readyz's text
		}
		var body any
		if err := json.Unmarshal(answer.body.Bytes(), &body); err != nil {
			return fmt.Errorf("%s %s: %w", method, pattern, err)
		}
		if err := d.valid(schema, body, ""); err != nil {
			return fmt.Errorf("%s %s answers %d with %w", method, pattern, answer.status, err)
		}
	}
	return nil
}

func pathExpression(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(pattern), "[^/]+") + "$")
}

// valid compares a value with a schema, in the words openapi.json is written
// with. A member that is not described is wrong too.
func (d *description) valid(schema object, value any, at string) error {
	if name, ok := schema["$ref"].(string); ok {
		return d.valid(d.Components.Schemas[name[strings.LastIndexByte(name, '/')+1:]], value, at)
	}
	if choice, ok := schema["oneOf"].([]any); ok {
		if !slices.ContainsFunc(choice, func(s any) bool { return d.valid(s.(object), value, at) == nil }) {
			return fmt.Errorf("%s: %v is none of what it may be", at, value)
		}
		return nil
	}
	if is, may := typeName(value), types(schema); may != nil && !slices.Contains(may, is) && !(is == "integer" && slices.Contains(may, "number")) {
		return fmt.Errorf("%s: %v is no %v", at, value, may)
	}
	if words, ok := schema["enum"].([]any); ok && value != nil && !slices.Contains(words, value) {
		return fmt.Errorf("%s: %v is none of %v", at, value, words)
	}
	switch value := value.(type) {
	case string:
		if schema["format"] == "date-time" {
			_, err := time.Parse(time.RFC3339, value)
			return err
		}
	case []any:
		items, _ := schema["items"].(object)
		for i, one := range value {
			if err := d.valid(items, one, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case object:
		return d.validObject(schema, value, at)
	}
	return nil
}

func (d *description) validObject(schema, value object, at string) error {
	properties, _ := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(value)) {
		member, ok := properties[name].(object)
		if !ok {
			member, ok = schema["additionalProperties"].(object)
		}
		if !ok && schema["type"] != nil && properties != nil {
			return fmt.Errorf("%s.%s, which is not described", at, name)
		}
		if err := d.valid(member, value[name], at+"."+name); err != nil {
			return err
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("no %s.%s", at, name)
		}
	}
	return nil
}

func types(schema object) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, one := range t {
			out = append(out, one.(string))
		}
		return out
	}
	return nil
}

func typeName(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case float64:
		if value == float64(int64(value)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}
