package reference_test

import (
	"encoding/json"
	"strings"
	"testing"

	"strongroom/httpapi"
	"strongroom/httpapi/console/reference"
)

// TestTheReferenceHasEveryRoute holds it against the description it is made from:
// each route with its fields, an answer, its errors and a line to type.
func TestTheReferenceHasEveryRoute(t *testing.T) {
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(httpapi.Description(), &d); err != nil {
		t.Fatal(err)
	}
	r, err := reference.Read(httpapi.Description())
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]reference.Route{}
	for _, c := range r.Chapters {
		if c.Name == "" || c.Title == "" {
			t.Errorf("a chapter without a name: %+v", c)
		}
		objects := map[string]bool{}
		for _, o := range c.Objects {
			objects[o.Name] = true
			if !json.Valid([]byte(o.Example)) || len(o.Fields) == 0 {
				t.Errorf("%s: example %q, %d fields", o.Name, o.Example, len(o.Fields))
			}
		}
		for _, o := range c.Objects {
			for _, f := range o.Fields {
				if f.Object != "" && !objects[f.Object] {
					t.Errorf("chapter %s: %s.%s is a %s, which is not there", c.Name, o.Name, f.Name, f.Object)
				}
			}
		}
		for _, route := range c.Routes {
			routes[strings.ToLower(route.Method)+" "+route.Path] = route
			if route.ID == "" || route.Summary == "" || len(route.Answers) == 0 || len(route.Errors) == 0 {
				t.Errorf("%s %s lacks something: %+v", route.Method, route.Path, route)
			}
			if strings.ContainsAny(route.Example.Path, "{}") {
				t.Errorf("%s: nothing to type: %q", route.ID, route.Example.Path)
			}
			for _, b := range route.Bodies {
				if b.Object == "" && len(b.Fields) == 0 && b.About == "" {
					t.Errorf("%s: a body that nothing is said of", route.ID)
				}
			}
		}
	}
	for path, methods := range d.Paths {
		for method := range methods {
			if _, ok := routes[method+" "+path]; !ok {
				t.Errorf("%s %s is not in the reference", method, path)
			}
			delete(routes, method+" "+path)
		}
	}
	for route := range routes {
		t.Errorf("%s is in the reference alone", route)
	}
}

func TestADescriptionThatIsNone(t *testing.T) {
	if _, err := reference.Read([]byte("x")); err == nil {
		t.Error("it was read")
	}
}
