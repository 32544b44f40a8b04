package search

import (
	"html"
	"maps"
	"slices"
	"strings"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

const (
	maxSnippets = 3
	// snippetBytes is how long a snippet is, about, and leadBytes how much of
	// it stands before the first mark.
	snippetBytes = 200
	leadBytes    = 60
	// markBytes is how much of a content is looked through for passages.
	markBytes = 1 << 20
)

// marker finds the words of a query in texts.
type marker struct {
	split   *words.Splitter
	clauses []clause
}

func newMarker(e *evaluation) (*marker, error) {
	split, err := words.NewSplitter(e.language)
	return &marker{split, e.clauses}, err
}

// snippets are passages of the document with words of the query: of its
// content, then of its description and fields, or else its tags and name. They
// say whether any is of the content.
func (x *Index) snippets(m *marker, d *engine.Document) (snippets []string, content bool, err error) {
	snippets = []string{}
	take := func(text string) {
		if len(snippets) < maxSnippets {
			snippets = append(snippets, m.passages(text, maxSnippets-len(snippets))...)
		}
	}
	if id, ok := x.idOf(d.ID); ok {
		c, err := x.stored(id)
		if err != nil && !damaged(err) {
			return nil, false, err
		}
		if d.Current != nil && c.digest == d.Current.Digest { // else it is of another version
			take(c.Text[:min(len(c.Text), markBytes)])
			content = len(snippets) > 0
		}
	}
	take(d.Description)
	for _, key := range slices.Sorted(maps.Keys(d.CustomFields)) {
		take(customText(d.CustomFields[key]))
	}
	if len(snippets) == 0 {
		for _, tag := range d.Tags {
			take(tag)
		}
		take(d.Name)
	}
	return snippets, content, nil
}

// span is a part of a text.
type span struct{ start, end int }

// passages returns up to so many snippets of a text, which do not overlap.
func (m *marker) passages(text string, most int) []string {
	var made []string
	var spans []span // of the passage being made
	from, start := 0, 0
	end := func() {
		if len(spans) > 0 {
			var passage string
			passage, from = excerpt(text, start, spans)
			made, spans = append(made, passage), nil
		}
	}
	for s := range m.marks(text) {
		if len(spans) > 0 && s.end > start+snippetBytes {
			if end(); len(made) == most {
				return made
			}
		}
		if s.start < from {
			continue
		}
		if len(spans) == 0 {
			start = lead(text, from, s.start)
		}
		spans = append(spans, s)
	}
	end()
	return made
}

// marks yields where words of the query stand, in order and apart.
func (m *marker) marks(text string) func(yield func(span) bool) {
	return func(yield func(span) bool) {
		var recent []words.Word // as many as the longest phrase has
		last := 0
		for w := range m.split.Words(text) {
			if recent = append(recent, w); len(recent) > maxWords {
				recent = recent[1:]
			}
			for _, c := range m.clauses {
				n := c.matches(recent)
				if n == 0 {
					continue
				}
				s := span{max(recent[len(recent)-n].Start, last), w.End}
				s.end = min(s.end, s.start+snippetBytes) // a word, or what is between two, may be as long as a file
				if last = w.End; !yield(s) {
					return
				}
				break
			}
		}
	}
}

// matches says how many of the last words are the clause; 0 if they are not.
func (c *clause) matches(recent []words.Word) int {
	if c.prefix != "" {
		if strings.HasPrefix(recent[len(recent)-1].Form, c.prefix) {
			return 1
		}
		return 0
	}
	begin := len(recent) - len(c.words)
	if begin < 0 {
		return 0
	}
	for i, w := range c.words {
		if recent[begin+i].Stem != w.Stem {
			return 0
		}
	}
	return len(c.words)
}

// excerpt is the text from start on with some spans marked, and where it ends.
// All of it is escaped: no markup but <mark> can come of any text.
func excerpt(text string, start int, spans []span) (passage string, end int) {
	var b strings.Builder
	begin := start
	end = trail(text, start, spans[len(spans)-1].end)
	for _, s := range spans {
		b.WriteString(plain(text[start:s.start]))
		b.WriteString("<mark>")
		b.WriteString(plain(text[s.start:s.end]))
		b.WriteString("</mark>")
		start = s.end
	}
	b.WriteString(plain(text[start:end]))
	passage = strings.TrimSpace(b.String())
	if begin > 0 {
		passage = "… " + passage
	}
	if end < len(text) {
		passage += " …"
	}
	return passage, end
}

// lead is where a passage begins that leads to a mark: at a whole word, and not
// before from.
func lead(text string, from, mark int) int {
	start := mark - leadBytes
	if start <= from {
		return from
	}
	if i := strings.IndexAny(text[start:mark], " \n"); i >= 0 {
		return start + i + 1
	}
	return mark
}

// trail is where a passage ends that has its last mark end at last.
func trail(text string, start, last int) int {
	end := max(start+snippetBytes, last)
	if end >= len(text) {
		return len(text)
	}
	if i := strings.LastIndexAny(text[last:end], " \n"); i >= 0 {
		return last + i
	}
	return last
}

// plain escapes what HTML would take for markup. Lines run on.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "")
	return html.EscapeString(strings.ReplaceAll(text, "\n", " "))
}
