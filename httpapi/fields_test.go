package httpapi

import (
	"maps"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzFieldFilters: whatever a query asks for of custom fields is bound by its
// own name, or refused by it.
func FuzzFieldFilters(f *testing.F) {
	for _, seed := range []string{
		"field.amount=1", "field.amount.from=1&field.amount.to=2", "field.a.from.to=1", "field.=1", "field.a=", "field.a=1&field.a=2",
		"field.%00=1", "field.a=%FF", "field.a.From=1", "field=1", "FIELD.a=1", "field.from=x", "field..from=x", "field.a=1&field.a.from=1",
	} {
		f.Add(seed)
	}
	plan := inputOf(reflect.TypeFor[documentQuery](), "GET")
	f.Fuzz(func(t *testing.T, query string) {
		given, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		for name, values := range given {
			if !strings.HasPrefix(name, "field.") {
				return
			}
			values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
			if given[name] = values; len(values) == 0 {
				given[name] = nil
			}
		}
		var q documentQuery
		r := httptest.NewRequest("GET", "/v1/documents", nil)
		r.URL.RawQuery = query
		if err := plan.bind(reflect.ValueOf(&q).Elem(), nil, r, nil); err != nil {
			wrong, ok := err.(*invalidError)
			if !ok {
				t.Fatalf("%q: %v", query, err)
			}
			for _, field := range wrong.fields {
				if _, ok := given[field.Field]; !ok {
					t.Errorf("%q: %q was not given", query, field.Field)
				}
			}
			return
		}
		maps.DeleteFunc(given, func(_ string, values []string) bool { return values == nil }) // left empty
		again := url.Values{}
		for _, filter := range q.Fields {
			for bound, value := range map[string]string{"": filter.Value, ".from": filter.From, ".to": filter.To} {
				if value != "" {
					again.Set("field."+filter.Key+bound, value)
				}
			}
		}
		if !reflect.DeepEqual(again, given) {
			t.Errorf("%q was bound as %v", query, again)
		}
	})
}
