package search

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
	"strongroom/engine/search/words"
)

// Query is what to look for.
type Query struct {
	Text   string
	Filter engine.DocumentQuery // its Sort and Paging are not looked at
	engine.Paging
}

// Result is one page of what was found, the best first.
type Result struct {
	Hits       []Hit
	Total      int    // on all pages
	NextCursor string // "" on the last page
	// Complete: every change acknowledged before the search is in it. Else
	// those through the entry Through are; 0 is while the index is made anew.
	Complete bool
	Through  uint64
	// Waiting is how many documents of the index are found by their metadata alone
	// until their text is read. They do not make an answer less complete: one of
	// them may take long, or never come to an end.
	Waiting int
}

// Hit is a document that was found. Snippets are passages with the words that
// were looked for: HTML in which nothing but <mark> is markup. Content: some are
// of the content.
type Hit struct {
	Document engine.Document
	Score    float64
	Snippets []string
	Content  bool
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

// Search returns a page of what a query finds. *engine.InvalidError for a query
// that cannot be understood, or has no word or too many, a filter that engine.Documents would refuse, or
// a cursor of another search. A page may be short when documents change
// meanwhile.
func (x *Index) Search(ctx context.Context, q Query) (Result, error) {
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return Result{}, &engine.InvalidError{Fields: []engine.FieldError{{Field: "limit", Message: fmt.Sprintf("must be between 1 and %d", maxLimit)}}}
	}
	var r Result
	head := x.vault.Head().Seq
	e, after, err := x.prepare(ctx, q)
	if err == nil {
		r.Through = x.await(ctx, head)
		if e.language != x.languageNow() { // that was among what it waited for
			e, after, err = x.prepare(ctx, q)
		}
	}
	if err != nil {
		return Result{}, err
	}
	page := best{most: q.Limit + 1}
	err = x.view(e, func(part *segment.Part, doc uint32, score float32) {
		if r.Total++; page.hopeless(score) {
			return
		}
		if h := (hit{part.ID(doc), score}); after == nil || before(*after, h) < 0 {
			page.add(h)
		}
	})
	if damaged(err) {
		return Result{}, nil // and not complete
	}
	if err != nil {
		return Result{}, err
	}
	if r.Waiting, err = x.count(extract.Waiting, e.criteria); err != nil {
		return Result{}, err
	}
	r.Through = min(r.Through, x.arrived())
	r.Complete = r.Through >= head
	hits := page.sorted()
	if len(hits) > q.Limit {
		hits = hits[:q.Limit]
		r.NextCursor = e.cursor(q, hits[q.Limit-1])
	}
	r.Hits, err = x.show(ctx, e, hits)
	return r, err
}

// Match returns the ids of all documents a query finds, in the order of their
// creation, and whether every change acknowledged before is looked at.
func (x *Index) Match(ctx context.Context, text string, filter engine.DocumentQuery) (ids []string, complete bool, err error) {
	q := Query{Text: text, Filter: filter}
	head := x.vault.Head().Seq
	e, _, err := x.prepare(ctx, q)
	if err == nil {
		complete = x.await(ctx, head) >= head
		if e.language != x.languageNow() {
			e, _, err = x.prepare(ctx, q)
		}
	}
	if err != nil {
		return nil, false, err
	}
	err = x.view(e, func(part *segment.Part, doc uint32, _ float32) {
		ids = append(ids, x.vault.LogReader().IDText(part.ID(doc)))
	})
	if damaged(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	slices.Sort(ids)
	return ids, complete && x.arrived() >= head, nil
}

// prepare reads the query, and the hit the page before ended with.
func (x *Index) prepare(ctx context.Context, q Query) (*evaluation, *hit, error) {
	e := &evaluation{ctx: ctx, language: x.languageNow()}
	split, err := words.NewSplitter(e.language)
	if err != nil {
		return nil, nil, err
	}
	e.split = split.Forgetful()
	known, err := x.fields(ctx, q.Text)
	if err != nil {
		return nil, nil, err
	}
	if e.inquiry, err = parse(e.split, known, q.Text); err != nil {
		return nil, nil, err
	}
	if e.criteria, err = x.vault.LogReader().Criteria(ctx, q.Filter); err != nil {
		return nil, nil, err
	}
	if q.Cursor == "" {
		return e, nil, nil
	}
	after, err := e.place(q)
	return e, after, err
}

// view runs the query. Damage it meets is told to Run, which makes the index
// anew; until then there is nothing to find.
func (x *Index) view(e *evaluation, found func(*segment.Part, uint32, float32)) error {
	err := x.store.View(func(parts []*segment.Part) error {
		if err := e.look(parts); err != nil {
			return err
		}
		return e.each(found)
	})
	if damaged(err) {
		x.suspect.Store(true)
		x.signal()
	}
	return err
}

// show reads the documents of hits, and leaves out what by now must not be
// seen: the index may be behind the vault.
func (x *Index) show(ctx context.Context, e *evaluation, hits []hit) ([]Hit, error) {
	ids := make([]string, len(hits))
	scores := map[string]float32{}
	for i, h := range hits {
		ids[i] = x.vault.LogReader().IDText(h.id)
		scores[ids[i]] = h.score
	}
	documents, err := x.vault.LogReader().Find(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown := make([]Hit, 0, len(documents))
	marks := newMarker(e)
	for _, d := range documents {
		if !meets(d.Facets, e.criteria) {
			continue
		}
		snippets, content, err := x.snippets(marks, &d.Document)
		if err != nil {
			return nil, err
		}
		shown = append(shown, Hit{d.Document, float64(scores[d.ID]), snippets, content})
	}
	return shown, nil
}

// meets says whether facets are what is asked for.
func meets(facets []string, c engine.Criteria) bool {
	has := func(f string) bool { return slices.Contains(facets, f) }
	for _, any := range c.AnyOf {
		if !slices.ContainsFunc(any, has) {
			return false
		}
	}
	for _, r := range c.Ranges {
		if !slices.ContainsFunc(facets, func(f string) bool { return f >= r.From && f < r.To }) {
			return false
		}
	}
	return true
}

// A cursor is 8 bytes of the query's digest, the last hit's score and id, and
// the rarity of each clause.
const cursorHead = 8 + 4 + 16

// maxRarity is above that of any clause: 32 words, each in one of so many
// documents as there can be.
const maxRarity = maxWords * 64

func (e *evaluation) cursor(q Query, last hit) string {
	b := append(digest(q), make([]byte, 0, 64)...)
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(last.score))
	b = append(b, last.id[:]...)
	for _, r := range e.rarity {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(r))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func (e *evaluation) place(q Query) (*hit, error) {
	wrong := &engine.InvalidError{Fields: []engine.FieldError{{Field: "cursor", Message: "is not a cursor of this search; start again without one"}}}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || len(b) != cursorHead+4*len(e.clauses) || string(b[:8]) != string(digest(q)) {
		return nil, wrong
	}
	last := &hit{score: math.Float32frombits(binary.BigEndian.Uint32(b[8:])), id: segment.ID(b[12:])}
	for i := cursorHead; i < len(b); i += 4 {
		r := math.Float32frombits(binary.BigEndian.Uint32(b[i:]))
		if !(r >= 0 && r <= maxRarity) {
			return nil, wrong
		}
		e.rarity = append(e.rarity, r)
	}
	return last, nil
}

// digest tells searches apart.
func digest(q Query) []byte {
	q.Filter.Sort, q.Filter.Paging = "", engine.Paging{}
	archived := ""
	if q.Filter.Archived != nil {
		archived = fmt.Sprint(*q.Filter.Archived)
	}
	q.Filter.Archived = nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %+q", q.Text, archived, fmt.Sprintf("%#v", q.Filter)))
	return sum[:8]
}
