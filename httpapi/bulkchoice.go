package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"strongroom/engine"
)

// maxBulkIDs is how many documents a body may name.
const maxBulkIDs = 10_000

// chosen are the documents a bulk change is for: those with the ids, the member
// of the body that member names, or those a filter matches. defaults fills in
// what a filter leaves open; nil leaves it so.
func (c caller) chosen(ctx context.Context, member string, ids *[]string, filter map[string]any, defaults func(*documentFilter)) ([]string, error) {
	switch {
	case (ids == nil) == (filter == nil):
		return nil, inBody(member, "must choose the documents, or filter must, and not both")
	case ids != nil && len(*ids) > maxBulkIDs:
		return nil, inBody(member, "must be at most %d", maxBulkIDs)
	case ids != nil:
		return *ids, nil
	}
	return c.matching(ctx, filter, defaults)
}

// filterOf reads the filter: it is bound as the query of a list would be, but that
// nothing in it may be empty, and that it must choose by something. A form in a
// browser leaves its fields empty; a program that does so has lost what it meant, and
// would change all documents instead.
func (c caller) filterOf(asked map[string]any) (filter searchFilter, err error) {
	query, err := queryOf(asked)
	if err != nil {
		return filter, err
	}
	bound := reflect.New(c.filterType()).Elem()
	list := &http.Request{URL: &url.URL{RawQuery: query.Encode()}, Header: http.Header{}}
	if err := inputOf(bound.Type(), http.MethodGet).bind(bound, nil, list, nil); err != nil {
		return filter, inFilter(err)
	}
	switch f := bound.Interface().(type) {
	case searchFilter:
		filter = f
	case documentFilter:
		filter.documentFilter = f
	}
	if filter.Q == "" && !filter.narrows() {
		return filter, inBody("filter", "must choose by something: it matches every document there is; to mean all of them, choose by createdTo")
	}
	return filter, nil
}

// matching evaluates the filter.
func (c caller) matching(ctx context.Context, asked map[string]any, defaults func(*documentFilter)) (ids []string, err error) {
	filter, err := c.filterOf(asked)
	if err != nil {
		return nil, err
	}
	if defaults != nil {
		defaults(&filter.documentFilter)
	}
	if filter.Q != "" {
		ids, err := c.found(ctx, filter.Q, filter.engine())
		return ids, inFilter(err)
	}
	q := filter.engine()
	q.Sort, q.Limit = "createdAt", 500
	for {
		page, err := c.vault.Documents(ctx, q)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, inFilter(err)
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids, nil
		}
	}
}

// narrows says whether a filter leaves anything out that the default list would
// show: neither status all does, nor that a document is not archived.
func (in documentFilter) narrows() bool {
	if in.Status == engine.StatusAll {
		in.Status = ""
	}
	if in.Archived != nil && !*in.Archived {
		in.Archived = nil
	}
	return !reflect.ValueOf(in).IsZero()
}

// queryOf is the filter in the body as the query of a list.
func queryOf(asked map[string]any) (url.Values, error) {
	query := url.Values{}
	for name, value := range asked {
		values, isList := value.([]any)
		if !isList {
			values = []any{value}
		}
		if len(values) == 0 || slices.ContainsFunc(values, isBlank) {
			return nil, inBody("filter."+name, "must not be empty; leave it out to choose by something else")
		}
		for _, one := range values {
			switch one.(type) {
			case string, bool, json.Number:
				query.Add(name, fmt.Sprint(one))
			default:
				return nil, inBody("filter."+name, "must be a string, a number, true or false, or an array of them")
			}
		}
	}
	return query, nil
}

func isBlank(value any) bool {
	s, ok := value.(string)
	return ok && strings.TrimSpace(s) == ""
}

// inFilter names what is wrong with the parameters of a list as what stands in
// the filter of the body.
func inFilter(err error) error {
	var fields []engine.FieldError
	if bound, ok := errors.AsType[*invalidError](err); ok {
		fields = bound.fields
	} else if asked, ok := errors.AsType[*engine.InvalidError](err); ok {
		fields = asked.Fields
	} else {
		return err
	}
	named := make([]engine.FieldError, len(fields))
	for i, f := range fields {
		named[i] = engine.FieldError{Field: "filter." + f.Field, Message: f.Message}
	}
	return &invalidError{codeInvalidBody, named}
}
