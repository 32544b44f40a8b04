// Package reference reads the description of the API (OpenAPI 3.1, as package
// httpapi prints it) into what a page shows: routes by chapter, their fields, answers,
// errors and an example of each.
package reference

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Reference is the API, as it is shown.
type Reference struct {
	About    string
	Chapters []Chapter
}

// Chapter is the routes of one subject, and the objects they take and give.
type Chapter struct {
	Name, Title string // Name is the last part of its address
	Routes      []Route
	Objects     []Object
}

// Route is one route.
type Route struct {
	ID, Method, Path, Summary, About string
	Parameters                       []Field
	Bodies                           []Body
	Answers                          []Answer
	Errors                           []Failure
	Example                          Example
}

// Field is a parameter or a member of an object.
type Field struct {
	Name, In, Type, About string
	Object                string // the object it is, or is a list of; "": none
	Required              bool
	Values                []string // all it can be; nil: whatever the type can
}

// Body is one way of writing the body of a request.
type Body struct {
	Media, Object, About string
	Fields               []Field // if it has no name
}

// Answer is one that is no error.
type Answer struct {
	Status, Media, Object, Example string
	Headers                        []string
}

// Failure is an error.
type Failure struct {
	Status string
	Codes  []string
}

// Object is a JSON object with a name.
type Object struct {
	Name, About, Example string
	Fields               []Field
}

// Example is what curl is given, but for the address of the server and the key.
type Example struct {
	Flags string // before the address, with a blank behind each
	Path  string
}

// Read reads a description. Errors are of a description that is none.
func Read(description []byte) (Reference, error) {
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		return Reference{}, fmt.Errorf("the description of the API: %w", err)
	}
	r := Reference{About: d.Info.Description}
	byName := map[string]*Chapter{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			name := chapterOf(path)
			if byName[name] == nil {
				byName[name] = &Chapter{Name: name, Title: titleOf(name)}
			}
			byName[name].Routes = append(byName[name].Routes, d.route(strings.ToUpper(method), path, op))
		}
	}
	for _, c := range byName {
		slices.SortFunc(c.Routes, func(a, b Route) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), slices.Index(methods, a.Method)-slices.Index(methods, b.Method))
		})
		c.Objects = d.objectsOf(c.Routes)
		r.Chapters = append(r.Chapters, *c)
	}
	slices.SortFunc(r.Chapters, func(a, b Chapter) int {
		return cmp.Or(rank(a.Name)-rank(b.Name), strings.Compare(a.Name, b.Name))
	})
	return r, nil
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// chapters are the subjects in the order in which one would read them, by how the
// paths begin: the longest that fits counts. A path that fits none makes a chapter of
// its own.
var chapters = []struct {
	name, title string
	paths       []string
}{
	{"documents", "Documents and versions", []string{"/v1/documents"}},
	{"locks", "Locks", []string{"/v1/documents/{id}/lock"}},
	{"find", "Find, fields, many at once", []string{"/v1/search", "/v1/fields", "/v1/bulk"}},
	{"obligations", "Obligations", []string{"/v1/obligations", "/v1/dashboard"}},
	{"holds", "Legal holds", []string{"/v1/holds", "/v1/matters", "/v1/documents/{id}/holds"}},
	{"retention", "Retention", []string{"/v1/retention", "/v1/documents/{id}/disposition"}},
	{"erasure", "Erasure", []string{"/v1/erasures", "/v1/certificates"}},
	{"audit", "Audit log", []string{"/v1/audit"}},
	{"webhooks", "Webhooks", []string{"/v1/webhooks"}},
	{"access", "Users, keys, access", []string{"/v1/me", "/v1/users", "/v1/api-keys"}},
	{"server", "Settings and the server", []string{"/v1/settings", "/v1/version", "/v1/verifier.html", "/livez", "/readyz", "/metrics", "/openapi"}},
}

func chapterOf(path string) string {
	best, length := "", 0
	for _, c := range chapters {
		for _, begin := range c.paths {
			if strings.HasPrefix(path, begin) && len(begin) > length {
				best, length = c.name, len(begin)
			}
		}
	}
	if best != "" {
		return best
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/"), "/")
	return name
}

func rank(name string) int {
	for i, c := range chapters {
		if c.name == name {
			return i
		}
	}
	return len(chapters)
}

func titleOf(name string) string {
	if i := rank(name); i < len(chapters) {
		return chapters[i].title
	}
	return strings.ToUpper(name[:min(1, len(name))]) + name[min(1, len(name)):]
}
