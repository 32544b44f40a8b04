package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"

	"strongroom/engine"
)

// ParseDocumentQuery reads what GET /v1/documents takes as its query, and q, as
// GET /v1/search does, which it returns beside it. Pages that list documents have
// the same addresses so, and the same words for what is wrong with one. Unknown
// parameters and values that cannot be are an *engine.InvalidError.
func ParseDocumentQuery(values url.Values) (text string, q engine.DocumentQuery, err error) {
	text = values.Get("q")
	rest := url.Values{}
	for name, v := range values {
		if name != "q" && !(len(v) == 1 && v[0] == "") { // a form sends the fields that were left empty too
			rest[name] = v
		}
	}
	in := reflect.New(reflect.TypeFor[documentQuery]()).Elem()
	r := &http.Request{URL: &url.URL{RawQuery: rest.Encode()}, Header: http.Header{}}
	if err := inputOf(in.Type(), http.MethodGet).bind(in, nil, r, nil); err != nil {
		if bound, ok := err.(*invalidError); ok {
			err = &engine.InvalidError{Fields: bound.fields}
		}
		return "", engine.DocumentQuery{}, err
	}
	query := in.Interface().(documentQuery)
	q = query.documentFilter.engine()
	q.Sort, q.Paging = query.Sort, query.paging.engine()
	return text, q, nil
}

// MatchDocuments returns the ids of all documents that a query of a page chooses, as
// the filter of a bulk change does: it must choose by something, and with words (q)
// the index must have caught up. search is nil where there is none.
// *engine.InvalidError, *engine.UnavailableError.
func MatchDocuments(ctx context.Context, v *engine.Vault, search Search, values url.Values) ([]string, error) {
	text, q, err := ParseDocumentQuery(values)
	if err != nil {
		return nil, err
	}
	if text != "" && search != nil {
		ids, complete, err := search.Match(ctx, v, text, q)
		if err == nil && !complete {
			err = &engine.UnavailableError{Reason: "indexing", Err: errBehind}
		}
		return ids, err
	}
	asked := map[string]any{}
	for name, list := range values {
		var some []any
		for _, value := range list {
			if value != "" {
				some = append(some, value)
			}
		}
		if len(some) > 0 && name != "q" {
			asked[name] = some
		}
	}
	ids, err := caller{vault: v}.matching(ctx, asked, nil)
	if bound, ok := errors.AsType[*invalidError](err); ok {
		err = &engine.InvalidError{Fields: bound.fields}
	}
	return ids, err
}

// DescribeContent says in the header all there is to say of a version's bytes, as
// a download of the API does: they are never a page of this server's. inline is
// heeded only for formats in which nothing can run.
func DescribeContent(h http.Header, v engine.Version, inline bool) { describeContent(h, v, inline) }

// MediaType is what an upload is: what was declared, or what the first bytes show
// if that says nothing. *engine.InvalidError if it cannot be written down.
func MediaType(declared, fileName string, prefix []byte) (string, error) {
	is, err := mediaType(declared)
	if err != nil {
		return "", &engine.InvalidError{Fields: []engine.FieldError{{Field: "mediaType", Message: err.Error()}}}
	}
	if is == "" {
		is = sniff(fileName, prefix)
	}
	return is, nil
}
