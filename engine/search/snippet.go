package search

import (
	"html"
	"maps"
	"slices"
	"strings"

	"strongroom/engine"
	"strongroom/engine/search/segment"
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
	unpack  unpacker
	recent  [maxWords]place // the last places, by their number
}

// place is what stands at one place of a text: a word, and what begins there and
// is joined of several.
type place struct {
	number int
	words  []words.Word
}

func newMarker(e *evaluation) *marker {
	m := &marker{split: e.split}
	for _, c := range e.clauses {
		if !c.denied {
			m.clauses = append(m.clauses, c)
		}
	}
	return m
}

// snippets are passages of the document with words of the query: of its
// content, then of its description and fields, or else its tags and name. They
// say whether any is of the content.
func (x *Index) snippets(m *marker, d *engine.Document) (snippets []string, content bool, err error) {
	snippets = []string{}
	take := func(field, text string) {
		if len(snippets) < maxSnippets {
			snippets = append(snippets, m.passages(field, text, maxSnippets-len(snippets))...)
		}
	}
	if id, ok := x.idOf(d.ID); ok {
		c, err := x.opening(id, m)
		if err != nil && !damaged(err) {
			return nil, false, err
		}
		if d.Current != nil && c.digest == d.Current.Digest { // else it is of another version
			take("", c.Text)
			content = len(snippets) > 0
		}
	}
	take(fieldDescription, d.Description)
	for _, key := range slices.Sorted(maps.Keys(d.CustomFields)) {
		take(inField+key, customText(d.CustomFields[key]))
	}
	if len(snippets) == 0 {
		for _, tag := range d.Tags {
			take(fieldTag, tag)
		}
		take(fieldName, d.Name)
	}
	return snippets, content, nil
}

// opening is as much of a document's content as is looked through. The rest of a
// long text is not even unpacked: a page of results has hundreds.
func (x *Index) opening(id segment.ID, m *marker) (c content, err error) {
	err = x.store.View(func(parts []*segment.Part) error {
		for _, p := range parts {
			if doc, ok := p.Find(id); ok && !p.Dead(doc) {
				m.unpack.packed, err = p.StoredPrefix(doc, markBytes+markBytes/8, m.unpack.packed[:0])
				return err
			}
		}
		m.unpack.packed = m.unpack.packed[:0]
		return nil
	})
	if err != nil || len(m.unpack.packed) == 0 {
		return content{}, err
	}
	return m.unpack.content(markBytes)
}

// span is a part of a text.
type span struct{ start, end int }

// passages returns up to so many snippets of a text, which do not overlap.
func (m *marker) passages(field, text string, most int) []string {
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
	for s := range m.marks(field, text) {
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

// marks yields where words of the query stand in a text of a field, in order and
// apart.
func (m *marker) marks(field, text string) func(yield func(span) bool) {
	return func(yield func(span) bool) {
		for i := range m.recent {
			m.recent[i].number = -1
		}
		last := 0
		for w := range m.split.Words(text) {
			at := &m.recent[w.Place%maxWords]
			if at.number != w.Place {
				at.number, at.words = w.Place, at.words[:0]
			}
			at.words = append(at.words, w)
			for _, c := range m.clauses {
				if c.field != "" && c.field != field {
					continue
				}
				start, ok := m.met(&c, w)
				if !ok {
					continue
				}
				s := span{max(start, last), w.End}
				if s.start >= s.end { // it is part of what is marked
					break
				}
				s.end = min(s.end, s.start+snippetBytes) // a word, or what is between two, may be as long as a file
				if last = w.End; !yield(s) {
					return
				}
				break
			}
		}
	}
}

// met says whether a clause ends with a word, and where it begins then.
func (m *marker) met(c *clause, w words.Word) (start int, ok bool) {
	switch {
	case c.prefix != "":
		return w.Start, strings.HasPrefix(w.Form, c.prefix)
	case c.needle != "":
		return w.Start, m.split.Long(w.Form) && m.split.Inside(c.needle, []byte(w.Form))
	}
	last := len(c.stems) - 1
	if !is(w, c.stems[last]) || w.Place < last {
		return 0, false
	}
	start = w.Start
	for i := last - 1; i >= 0; i-- {
		at := &m.recent[(w.Place-last+i)%maxWords]
		if at.number != w.Place-last+i {
			return 0, false
		}
		n := slices.IndexFunc(at.words, func(o words.Word) bool { return is(o, c.stems[i]) })
		if n < 0 {
			return 0, false
		}
		start = at.words[n].Start
	}
	return start, true
}

func is(w words.Word, stem string) bool { return w.Stem == stem || w.Plain == stem && stem != "" }

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
