package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"strongroom/engine"
)

const (
	maxBulkIDs = 10_000
	// bulkStep is how many documents are changed before the client's going away
	// is noticed, and before a result is seen.
	bulkStep = 128
)

// bulk is one change for many documents, or lines with a change each.
type bulk struct {
	IDs        *[]string      `json:"ids" doc:"10,000 at most. This or filter."`
	Filter     map[string]any `json:"filter" doc:"The parameters that choose documents in GET /v1/search, by name, repeated ones as arrays. It is evaluated once, before anything is changed."`
	AddTags    []string       `json:"addTags"`
	RemoveTags []string       `json:"removeTags"`
	Set        bulkSet        `json:"set"`
	DryRun     bool           `json:"dryRun" doc:"Change nothing, and tell what would be."`
	lines      io.Reader
}

func (b *bulk) take(lines io.Reader) { b.lines = lines }

// bulkSet are the members of a patch that make sense for many documents.
type bulkSet struct {
	Category     member[string]         `json:"category"`
	Description  member[string]         `json:"description"`
	OwnerID      member[string]         `json:"ownerId"`
	Tags         member[[]string]       `json:"tags" doc:"Replaces all tags."`
	CustomFields member[map[string]any] `json:"customFields" doc:"As in PATCH /v1/documents/{id}."`
}

func (b *bulk) patch() engine.DocumentPatch {
	return documentPatch{
		Category: b.Set.Category, Description: b.Set.Description, OwnerID: b.Set.OwnerID, Tags: b.Set.Tags,
		CustomFields: b.Set.CustomFields, AddTags: b.AddTags, RemoveTags: b.RemoveTags,
	}.engine()
}

// bulkLine is a line of application/x-ndjson.
type bulkLine struct {
	ID         string        `json:"id" doc:"This or externalId."`
	ExternalID string        `json:"externalId"`
	IfMatch    *string       `json:"ifMatch" doc:"As the header If-Match."`
	Patch      documentPatch `json:"patch" required:"true"`
}

func (l *bulkLine) change() (engine.DocumentChange, error) {
	change := engine.DocumentChange{DocumentID: l.ID, ExternalID: l.ExternalID, Patch: l.Patch.engine()}
	if (l.ID == "") == (l.ExternalID == "") {
		return change, inBody("id", "must name the document, or externalId must, and not both")
	}
	if l.IfMatch != nil {
		var m ifMatch
		if err := m.bind(*l.IfMatch); err != nil {
			return change, inBody("ifMatch", "%v", err)
		}
		change.Condition.IfMatch = engine.Match(m)
	}
	return change, nil
}

type bulkInput struct {
	Bulk bulk `body:"lines"`
}

// bulkDocuments changes documents step by step. Each change is one of its own,
// so whatever ends the work early, what was told is done and repeating is
// harmless. For a client that accepts lines, results are lines, sent while the
// work goes on, and the counts come last.
func (s *Server) bulkDocuments(c caller, x *exchange, r *http.Request, in bulkInput) error {
	next, err := s.bulkChanges(r.Context(), c, x, &in.Bulk)
	if err != nil {
		return err
	}
	out := &bulkAnswer{x: x, streamed: strings.Contains(strings.Join(r.Header.Values("Accept"), ","), ndjson), BulkAnswer: BulkAnswer{Results: []BulkResult{}}}
	for {
		items, more := next()
		if err := r.Context().Err(); err != nil {
			return err
		}
		var changes []engine.DocumentChange
		for _, item := range items {
			if item.err == nil {
				changes = append(changes, item.change)
			}
		}
		outcomes, err := c.vault.UpdateDocuments(r.Context(), c.actor, changes, in.Bulk.DryRun)
		if err != nil {
			return err
		}
		for _, item := range items {
			outcome := engine.DocumentOutcome{DocumentID: item.change.DocumentID, Err: item.err}
			if item.err == nil {
				outcome, outcomes = outcomes[0], outcomes[1:]
			}
			out.add(s, item, outcome)
		}
		if err := out.flush(); err != nil {
			return err
		}
		if !more {
			return out.end()
		}
	}
}

// bulkItem is one change, or why a line is none.
type bulkItem struct {
	line   uint64
	change engine.DocumentChange
	err    error
}

// bulkChanges returns what gives the changes, some at a time, and says whether
// there are more.
func (s *Server) bulkChanges(ctx context.Context, c caller, x *exchange, b *bulk) (next func() ([]bulkItem, bool), err error) {
	if b.lines != nil {
		// Results are sent while lines are still read.
		http.NewResponseController(x).EnableFullDuplex()
		return newBulkLines(b.lines).next, nil
	}
	var ids []string
	switch {
	case (b.IDs == nil) == (b.Filter == nil):
		return nil, inBody("ids", "must choose the documents, or filter must, and not both")
	case b.IDs != nil && len(*b.IDs) > maxBulkIDs:
		return nil, inBody("ids", "must be at most %d", maxBulkIDs)
	case b.IDs != nil:
		ids = *b.IDs
	default:
		if ids, err = s.matching(ctx, c, x, b.Filter); err != nil {
			return nil, err
		}
	}
	patch := b.patch()
	return func() (items []bulkItem, more bool) {
		for _, id := range ids[:min(len(ids), bulkStep)] {
			items = append(items, bulkItem{change: engine.DocumentChange{DocumentID: id, Patch: patch}})
		}
		ids = ids[len(items):]
		return items, len(ids) > 0
	}, nil
}

// matching evaluates the filter: it is bound as the query of a list would be.
func (s *Server) matching(ctx context.Context, c caller, x *exchange, members map[string]any) (ids []string, err error) {
	query := url.Values{}
	for name, value := range members {
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
	filter := reflect.New(s.filterType()).Elem()
	asked := &http.Request{URL: &url.URL{RawQuery: query.Encode()}, Header: http.Header{}}
	err = inputOf(filter.Type(), http.MethodGet).bind(filter, x, asked, nil)
	if wrong, ok := errors.AsType[*invalidError](err); ok {
		for i := range wrong.fields {
			wrong.fields[i].Field = "filter." + wrong.fields[i].Field
		}
		return nil, &invalidError{codeInvalidBody, wrong.fields}
	} else if err != nil {
		return nil, err
	}
	var q engine.DocumentQuery
	switch f := filter.Interface().(type) {
	case documentFilter:
		q = f.engine()
	case bulkFilter:
		if q = f.engine(); f.Q != "" {
			return s.found(ctx, c, f.Q, q)
		}
	}
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

// bulkLines reads lines, each of at most maxBody bytes.
type bulkLines struct {
	r      *bufio.Reader
	shapes shapes
	line   uint64
}

func newBulkLines(r io.Reader) *bulkLines {
	l := &bulkLines{r: bufio.NewReaderSize(r, 64<<10), shapes: shapes{}}
	l.shapes.add(reflect.TypeFor[bulkLine]())
	return l
}

// next takes the lines that have come, so that a client that waits for a result
// gets it. A line that is no change is told so, and the others go on; one that
// is too long, or cannot be read, ends the work.
func (l *bulkLines) next() (items []bulkItem, more bool) {
	for len(items) < bulkStep {
		text, err := l.read()
		ended := err == io.EOF
		if ended {
			err = nil
		}
		if text = bytes.TrimSpace(text); len(text) > 0 || err != nil {
			items = append(items, l.item(text, err))
		}
		if ended || err != nil {
			return items, false
		}
		if l.r.Buffered() == 0 {
			break
		}
	}
	return items, true
}

func (l *bulkLines) item(text []byte, err error) bulkItem {
	item := bulkItem{line: l.line, err: err}
	var line bulkLine
	if err == nil {
		item.err = l.shapes.decode(text, reflect.ValueOf(&line).Elem(), "")
	}
	if item.err != nil { // as far as it was read
		item.change.DocumentID, item.change.ExternalID = line.ID, line.ExternalID
		return item
	}
	item.change, item.err = line.change()
	return item
}

func (l *bulkLines) read() (text []byte, err error) {
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		text = append(text, part...)
		if len(text) > maxBody {
			return nil, tooLarge(maxBody)
		}
		if err != bufio.ErrBufferFull {
			return text, err
		}
	}
}

// bulkAnswer gathers the results, or sends them as they come.
type bulkAnswer struct {
	BulkAnswer
	x        *exchange
	streamed bool
}

func (a *bulkAnswer) add(s *Server, item bulkItem, o engine.DocumentOutcome) {
	r := BulkResult{ID: o.DocumentID, ExternalID: item.change.ExternalID, Line: item.line, Revision: o.Revision}
	a.Matched++
	switch {
	case o.Err != nil:
		a.Failed++
		_, body, known := a.x.describe(o.Err)
		if !known {
			s.options.Logger.Error().Str("request", a.x.id).Err(o.Err).Msg("internal error")
		}
		r.Result, r.ErrorCode, r.Message = "failed", body.ErrorCode, body.Message
	case o.Changed:
		a.Changed++
		r.Result = "changed"
	default:
		a.Unchanged++
		r.Result = "unchanged"
	}
	a.Results = append(a.Results, r)
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
