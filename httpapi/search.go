package httpapi

import (
	"context"
	"errors"
	"math"
	"reflect"
	"time"

	"strongroom/engine"
)

// Search finds documents by their words. Package engine/search does; whoever
// makes the server adapts it to this.
type Search interface {
	// Search returns a page of what a query finds in a vault, the best first.
	// *engine.InvalidError for a query, a filter or a cursor that cannot be.
	Search(ctx context.Context, v *engine.Vault, q SearchQuery) (SearchResult, error)
	// Match returns the ids of all documents a query finds, and whether every
	// change acknowledged before was looked at.
	Match(ctx context.Context, v *engine.Vault, text string, filter engine.DocumentQuery) (ids []string, complete bool, err error)
	// Texts says of each document whether its text is known; nil if nothing can be
	// said now.
	Texts(v *engine.Vault, documents []engine.Document) ([]TextState, error)
	// WithText returns a page of the documents whose text is in a state, the newest
	// first, by their ids. *engine.InvalidError as in Search.
	WithText(ctx context.Context, v *engine.Vault, state string, filter engine.DocumentQuery, p engine.Paging) (ids []string, nextCursor string, err error)
	// Text returns the text of a version, and what is known of it.
	Text(ctx context.Context, v *engine.Vault, version engine.Version) (string, TextState, error)
	// Reading tells how far reading has come, of those documents that a query does
	// not hide; nothing else of the query is looked at.
	Reading(ctx context.Context, v *engine.Vault, q engine.DocumentQuery) (Reading, error)
}

// Narrowed makes of a Search one that may be asked in the name of anybody. It is
// given the vault as the caller sees it (see engine.Vault.As); what it wraps is
// given the whole vault, and a filter that leaves out what the caller may not see.
func Narrowed(s Search) Search {
	if _, is := s.(narrowed); is || s == nil {
		return s
	}
	return narrowed{s}
}

type narrowed struct{ of Search }

func wholeOf(v *engine.Vault) *engine.Vault { return v.As(engine.System()) }

func (n narrowed) Search(ctx context.Context, v *engine.Vault, q SearchQuery) (SearchResult, error) {
	q.Filter = v.Narrow(q.Filter)
	return n.of.Search(ctx, wholeOf(v), q)
}

func (n narrowed) Match(ctx context.Context, v *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	return n.of.Match(ctx, wholeOf(v), text, v.Narrow(filter))
}

func (n narrowed) Texts(v *engine.Vault, documents []engine.Document) ([]TextState, error) {
	return n.of.Texts(wholeOf(v), documents)
}

func (n narrowed) WithText(ctx context.Context, v *engine.Vault, state string, filter engine.DocumentQuery, p engine.Paging) ([]string, string, error) {
	return n.of.WithText(ctx, wholeOf(v), state, v.Narrow(filter), p)
}

func (n narrowed) Text(ctx context.Context, v *engine.Vault, version engine.Version) (string, TextState, error) {
	return n.of.Text(ctx, wholeOf(v), version)
}

func (n narrowed) Reading(ctx context.Context, v *engine.Vault, q engine.DocumentQuery) (Reading, error) {
	return n.of.Reading(ctx, wholeOf(v), v.Narrow(q))
}

// TextState is whether the text of a document's current version is known.
type TextState struct {
	State  string `json:"state" enum:"indexed|none|failed|waiting" doc:"indexed: it is found by its words. none: there is no text, or nobody here reads this kind of file. failed: it could not be read, or not to its end. waiting: it is read in a moment."`
	Reason string `json:"reason" doc:"Why, for people; empty if all is well."`
}

// Reading is how far a full-text index has come.
type Reading struct {
	Behind  uint64 `json:"behind" doc:"Audit entries that are not in the index yet."`
	Waiting uint64 `json:"waiting" doc:"Documents that are found by their metadata, and whose text is still to be read."`
	Failed  uint64 `json:"failed" doc:"Documents whose text could not be read: GET /v1/documents?text=failed lists them."`
}

// SearchQuery is what to look for.
type SearchQuery struct {
	Text   string
	Filter engine.DocumentQuery
	engine.Paging
}

// SearchResult is a page of what was found. It is Complete if every change
// acknowledged before the search is in it; else those through the entry Through
// are.
type SearchResult struct {
	Hits       []SearchHit
	Total      int
	NextCursor string
	Complete   bool
	Through    uint64
	Waiting    int // documents that are found by their metadata alone until their text is read
}

// SearchHit is a document that was found. Snippets are HTML in which nothing
// but <mark> is markup. Content: some are of the document's content.
type SearchHit struct {
	Document engine.Document
	Score    float64
	Snippets []string
	Content  bool
}

// FoundDocument is a document that was found, and why.
type FoundDocument struct {
	Document Document `json:"document"`
	Score    float64  `json:"score" doc:"The higher the better; it compares within one search only."`
	Snippets []string `json:"snippets" doc:"Passages with what was looked for: HTML, escaped, with mark as the only element."`
}

// Found is a page of what was found.
type Found struct {
	Items           []FoundDocument `json:"items"`
	Total           uint64          `json:"total" doc:"How many documents there are on all pages."`
	Took            uint64          `json:"took" doc:"In milliseconds."`
	NextCursor      string          `json:"nextCursor,omitempty" doc:"Give it back as cursor for the next page; absent on the last."`
	CompleteThrough *uint64         `json:"completeThrough,omitempty" doc:"There if the index was behind: the audit entry whose change is the last in the answer, 0 while the index is made anew. Absent, every change acknowledged before the search is in it."`
	TextWaiting     uint64          `json:"textWaiting,omitempty" doc:"How many documents, of all that may be seen, are found by their metadata alone until their text is read. Absent: none."`
}

// searchRoutes are there if the server has a Search.
func (s *Server) searchRoutes() []route {
	if s.options.Search == nil {
		return nil
	}
	return []route{
		endpoint("GET", "/v1/search", 200, view, "Find documents by their words", s.searchDocuments),
		stream("GET", "/v1/documents/:id/versions/:n/text", view, "Read the text of a version", "text/plain", versionText, noDocument, noVersion, deleted, noSpace),
	}
}

type searchInput struct {
	Q string `query:"q" required:"true" doc:"Words, all of which must be in the name, description, tags, custom fields or text of the document, in any form; \"words in quotes\" one behind the other; begin* of words; -word or NOT for what must not be there, OR, parentheses; name:, tag:, description: or the key of a custom field before a word for where. 1,000 bytes and 32 words at most. What cannot be understood is refused, with the place."`
	documentFilter
	paging
}

func (s *Server) searchDocuments(ctx context.Context, c caller, in searchInput) (reply[Found], error) {
	began := time.Now()
	r, err := s.search(ctx, c, SearchQuery{Text: in.Q, Filter: in.documentFilter.engine(), Paging: in.paging.engine()})
	if err != nil {
		return reply[Found]{}, err
	}
	if err := c.vault.RecordShown(ctx, c.actor, withContent(r.Hits)); err != nil {
		return reply[Found]{}, err
	}
	out := Found{Total: uint64(r.Total), NextCursor: r.NextCursor, Took: uint64(time.Since(began).Milliseconds()), TextWaiting: uint64(r.Waiting)}
	documents := c.shown(mapped(r.Hits, func(h SearchHit) engine.Document { return h.Document }))
	out.Items = mapped(r.Hits, func(h SearchHit) FoundDocument {
		return FoundDocument{Score: math.Round(h.Score*1000) / 1000, Snippets: orEmpty(h.Snippets)}
	})
	for i := range out.Items {
		out.Items[i].Document = documents[i]
	}
	if !r.Complete {
		out.CompleteThrough = &r.Through
	}
	return answer(out), nil
}

func (s *Server) search(ctx context.Context, c caller, q SearchQuery) (SearchResult, error) {
	end, err := s.searching(ctx, c)
	if err != nil {
		return SearchResult{}, err
	}
	defer end()
	return s.options.Search.Search(ctx, c.vault, q)
}

// withContent returns the documents of whose content passages are shown.
func withContent(hits []SearchHit) (documents []engine.Document) {
	for _, h := range hits {
		if h.Content {
			documents = append(documents, h.Document)
		}
	}
	return documents
}

// searchFilter is what chooses documents in a bulk change where there is a
// Search.
type searchFilter struct {
	Q string `query:"q"`
	documentFilter
}

// filterType is the type the filter of a bulk change is bound to.
func (c caller) filterType() reflect.Type {
	if c.search == nil {
		return reflect.TypeFor[documentFilter]()
	}
	return reflect.TypeFor[searchFilter]()
}

// errBehind: what is changed for good must not be chosen from half an index.
var errBehind = errors.New("the search index is behind the vault")

// found evaluates a filter that has words in it.
func (c caller) found(ctx context.Context, text string, filter engine.DocumentQuery) ([]string, error) {
	end, err := c.server.searching(ctx, c)
	if err != nil {
		return nil, err
	}
	defer end()
	ids, complete, err := c.search.Match(ctx, c.vault, text, filter)
	if err == nil && !complete {
		err = &engine.UnavailableError{Reason: "indexing", Err: errBehind}
	}
	return ids, err
}
