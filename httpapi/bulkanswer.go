package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// What all bulk changes have in common.

const (
	maxBulkIDs = 10_000
	// bulkStep is how many documents are changed before the client's going away
	// is noticed, and before a result is seen.
	bulkStep = 128
)

// chosen are the documents a bulk change is for: those with the ids, the member
// of the body that member names, or those a filter matches.
func (c caller) chosen(ctx context.Context, x *exchange, member string, ids *[]string, filter map[string]any) ([]string, error) {
	switch {
	case (ids == nil) == (filter == nil):
		return nil, inBody(member, "must choose the documents, or filter must, and not both")
	case ids != nil && len(*ids) > maxBulkIDs:
		return nil, inBody(member, "must be at most %d", maxBulkIDs)
	case ids != nil:
		return *ids, nil
	}
	return c.matching(ctx, x, filter)
}

// matching evaluates the filter: it is bound as the query of a list would be.
func (c caller) matching(ctx context.Context, x *exchange, asked map[string]any) (ids []string, err error) {
	query := url.Values{}
	for name, value := range asked {
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, one := range list {
			switch one.(type) {
			case string, bool, json.Number:
				query.Add(name, fmt.Sprint(one))
			default:
				return nil, inBody("filter."+name, "must be a string, a number, true or false, or an array of them")
			}
		}
	}
	var filter documentFilter
	list := &http.Request{URL: &url.URL{RawQuery: query.Encode()}, Header: http.Header{}}
	err = inputOf(reflect.TypeFor[documentFilter](), http.MethodGet).bind(reflect.ValueOf(&filter).Elem(), x, list, nil)
	if wrong, ok := errors.AsType[*invalidError](err); ok {
		for i := range wrong.fields {
			wrong.fields[i].Field = "filter." + wrong.fields[i].Field
		}
		return nil, &invalidError{codeInvalidBody, wrong.fields}
	} else if err != nil {
		return nil, err
	}
	q := filter.engine()
	q.Sort, q.Limit = "createdAt", 500
	for {
		page, err := c.vault.Documents(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids, nil
		}
	}
}

// bulkOutcome is what became of one change: a result whose Result is yet to be
// told.
type bulkOutcome struct {
	changed bool
	err     error
	BulkResult
}

// inSteps does the work of a bulk change step by step and answers. Each change is
// one of its own, so whatever ends the work early, what was told is done and
// repeating is harmless. For a client that accepts lines, results are lines, sent
// while the work goes on, and the counts come last.
func (s *Server) inSteps(x *exchange, r *http.Request, step func(context.Context) (outcomes []bulkOutcome, more bool, err error)) error {
	out := &bulkAnswer{x: x, streamed: strings.Contains(strings.Join(r.Header.Values("Accept"), ","), ndjson), BulkAnswer: BulkAnswer{Results: []BulkResult{}}}
	for {
		outcomes, more, err := step(r.Context())
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			out.add(s, o)
		}
		if err := out.flush(); err != nil {
			return err
		}
		if !more {
			return out.end()
		}
	}
}

// bulkAnswer gathers the results, or sends them as they come.
type bulkAnswer struct {
	BulkAnswer
	x        *exchange
	streamed bool
}

func (a *bulkAnswer) add(s *Server, o bulkOutcome) {
	a.Matched++
	switch {
	case o.err != nil:
		a.Failed++
		_, body, known := a.x.describe(o.err)
		if !known {
			s.options.Logger.Error().Str("request", a.x.id).Err(o.err).Msg("internal error")
		}
		o.Result, o.ErrorCode, o.Message = "failed", body.ErrorCode, body.Message
	case o.changed:
		a.Changed++
		o.Result = "changed"
	default:
		a.Unchanged++
		o.Result = "unchanged"
	}
	a.Results = append(a.Results, o.BulkResult)
}

// flush sends the results there are, if they are sent as lines.
func (a *bulkAnswer) flush() error {
	if !a.streamed {
		return nil
	}
	var b bytes.Buffer
	for _, r := range a.Results {
		if err := appendLine(&b, r); err != nil {
			return err
		}
	}
	a.Results = a.Results[:0]
	return a.send(b.Bytes())
}

func appendLine(b *bytes.Buffer, body any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(body)
}

func (a *bulkAnswer) send(lines []byte) error {
	if a.x.status == 0 {
		h := a.x.Header()
		h.Set("Content-Type", ndjson)
		h.Set("Cache-Control", "no-store")
		a.x.WriteHeader(http.StatusOK)
	}
	if _, err := a.x.Write(lines); err != nil {
		return err
	}
	return http.NewResponseController(a.x).Flush()
}

func (a *bulkAnswer) end() error {
	if !a.streamed {
		return a.x.answer(http.StatusOK, a.BulkAnswer)
	}
	var b bytes.Buffer
	if err := appendLine(&b, a.BulkCounts); err != nil {
		return err
	}
	return a.send(b.Bytes())
}
