package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"

	"strongroom/engine"
)

// bulk is one change for many documents, or lines with a change each.
type bulk struct {
	IDs        *[]string      `json:"ids" doc:"10,000 at most. This or filter."`
	Filter     map[string]any `json:"filter" doc:"The parameters that choose documents in GET /v1/documents, by name, repeated ones as arrays. It is evaluated once, before anything is changed."`
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
	Path         member[string]         `json:"path"`
	CustomFields member[map[string]any] `json:"customFields" doc:"As in PATCH /v1/documents/{id}."`
}

func (b *bulk) patch() engine.DocumentPatch {
	return documentPatch{
		Category: b.Set.Category, Description: b.Set.Description, OwnerID: b.Set.OwnerID, Path: b.Set.Path, Tags: b.Set.Tags,
		CustomFields: b.Set.CustomFields, AddTags: b.AddTags, RemoveTags: b.RemoveTags,
	}.engine()
}

// bulkLine is a line of application/x-ndjson.
type bulkLine struct {
	ID         string         `json:"id" doc:"This or externalId."`
	ExternalID string         `json:"externalId"`
	IfMatch    *string        `json:"ifMatch" doc:"As the header If-Match."`
	Patch      *documentPatch `json:"patch" required:"true"`
}

func (l *bulkLine) change() (engine.DocumentChange, error) {
	change := engine.DocumentChange{DocumentID: l.ID, ExternalID: l.ExternalID}
	if (l.ID == "") == (l.ExternalID == "") {
		return change, inBody("id", "must name the document, or externalId must, and not both")
	}
	if l.Patch == nil {
		return change, inBody("patch", "is missing; it says what to change, as in PATCH /v1/documents/{id}")
	}
	change.Patch = l.Patch.engine()
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
	Token tokenOfOne `header:"X-Lock-Token" doc:"Refused: a token proves the lock of one document. Change that one by PATCH /v1/documents/{id}. Here what is locked fails by itself."`
	Edit  tokenOfOne `header:"X-DocuSign-Edit" doc:"Refused, as X-Lock-Token."`
	// Lines have no place for it in the body.
	DryRun bool `query:"dryRun" doc:"As dryRun in the body, for lines too. What is tried is tried some lines at a time, each after those before it."`
	Bulk   bulk `body:"lines"`
}

// tokenOfOne is the token of a lock where many documents are changed. All but
// one of them would have to refuse it, and none may overlook it: its holder
// believes in a lock.
type tokenOfOne string

func (*tokenOfOne) bind(string) error {
	return errors.New("proves the lock of one document; leave it out, and change that document by PATCH /v1/documents/{id}")
}

// bulkDocuments changes the metadata of documents.
func (s *Server) bulkDocuments(c caller, x *exchange, r *http.Request, in bulkInput) error {
	next, err := s.bulkChanges(r.Context(), c, x, &in.Bulk)
	if err != nil {
		return err
	}
	dryRun := in.DryRun || in.Bulk.DryRun
	steps := func(ctx context.Context) ([]bulkOutcome, bool, error) {
		items, more := next()
		var changes []engine.DocumentChange
		for _, item := range items {
			if item.err == nil {
				changes = append(changes, item.change)
			}
		}
		outcomes, err := c.vault.UpdateDocuments(ctx, c.actor, changes, dryRun)
		if err != nil {
			return nil, false, err
		}
		return mapped(items, func(item bulkItem) bulkOutcome {
			outcome := engine.DocumentOutcome{DocumentID: item.change.DocumentID, Err: item.err}
			if item.err == nil {
				outcome, outcomes = outcomes[0], outcomes[1:]
			}
			return bulkOutcome{outcome.Changed, outcome.Err, BulkResult{
				ID: outcome.DocumentID, ExternalID: item.change.ExternalID, Line: item.line, Revision: outcome.Revision,
			}}
		}), more, nil
	}
	if dryRun && in.Bulk.lines == nil {
		steps = tried(steps)
	}
	return s.inSteps(x, r, steps)
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
	ids, err := c.chosen(ctx, "ids", b.IDs, b.Filter, nil)
	if err != nil {
		return nil, err
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

// bulkArchiving is a change of many documents that has nothing to say but which.
type bulkArchiving struct {
	IDs    *[]string      `json:"ids" doc:"10,000 at most. This or filter."`
	Filter map[string]any `json:"filter" doc:"As in POST /v1/bulk/documents. To unarchive, it chooses among archived documents if it has neither status nor archived."`
	DryRun bool           `json:"dryRun" doc:"Change nothing, and tell what would be."`
}

type bulkArchivingInput struct {
	Token     tokenOfOne    `header:"X-Lock-Token" doc:"Refused, as in POST /v1/bulk/documents."`
	Edit      tokenOfOne    `header:"X-DocuSign-Edit" doc:"Refused, as X-Lock-Token."`
	Archiving bulkArchiving `body:"json"`
}

func (s *Server) bulkArchive(c caller, x *exchange, r *http.Request, in bulkArchivingInput) error {
	return s.archiveMany(c, x, r, in.Archiving, true)
}

func (s *Server) bulkUnarchive(c caller, x *exchange, r *http.Request, in bulkArchivingInput) error {
	return s.archiveMany(c, x, r, in.Archiving, false)
}

func (s *Server) archiveMany(c caller, x *exchange, r *http.Request, in bulkArchiving, archived bool) error {
	ids, err := c.chosen(r.Context(), "ids", in.IDs, in.Filter, func(f *documentFilter) {
		if from := !archived; f.Status == "" && f.Archived == nil {
			f.Archived = &from
		}
	})
	if err != nil {
		return err
	}
	steps := func(ctx context.Context) ([]bulkOutcome, bool, error) {
		step := ids[:min(len(ids), bulkStep)]
		ids = ids[len(step):]
		outcomes, err := c.vault.ArchiveDocuments(ctx, c.actor, step, archived, in.DryRun)
		return mapped(outcomes, func(o engine.DocumentOutcome) bulkOutcome {
			return bulkOutcome{o.Changed, o.Err, BulkResult{ID: o.DocumentID, Revision: o.Revision}}
		}), len(ids) > 0, err
	}
	if in.DryRun {
		steps = tried(steps)
	}
	return s.inSteps(x, r, steps)
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
// gets it, up to a step, or as much as a body in JSON may hold. A line that is
// no change is told so, and the others go on; one that is too long, or cannot be
// read, ends the work.
func (l *bulkLines) next() (items []bulkItem, more bool) {
	for size := 0; len(items) < bulkStep && size < maxBody; {
		text, err := l.read()
		size += len(text)
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
