package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"sync"

	"strongroom/engine"
)

// Rows are the rows of the list of documents. A template would take most of the time
// of the page, so these are written by hand: whatever comes from the vault goes through
// text or value, and nothing else does. choose is what the boxes are called; "": there
// are none.
func (s *shell) Rows(items []listed, choose string) template.HTML {
	w := &rowWriter{document: s.Path("documents") + "/", filter: s.tagFilter()}
	w.Grow(900 * len(items))
	for i := range items {
		w.row(&items[i], choose)
	}
	return template.HTML(w.String())
}

// tagFilter is this list, with another tag: the address up to the tag.
func (s *shell) tagFilter() string {
	q := s.request.URL.Query()
	q.Del("cursor")
	q.Del("tag")
	if len(q) == 0 {
		return s.request.URL.Path + "?tag="
	}
	return s.request.URL.Path + "?" + q.Encode() + "&tag="
}

type rowWriter struct {
	strings.Builder
	document, filter string // addresses, up to the id and the tag
}

func (w *rowWriter) raw(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
}

// text writes what people wrote: between tags, or in quotes.
func (w *rowWriter) text(s string) { template.HTMLEscape(w, []byte(s)) }

func (w *rowWriter) row(d *listed, choose string) {
	w.raw("<tr>\n")
	if choose != "" {
		w.raw(`<td class="pick"><input type="checkbox" name="document" value="`, d.ID, `" aria-label="`, choose, ` `)
		w.text(d.Name)
		w.raw(`"></td>`, "\n")
	}
	w.raw(`<td><a class="name" href="`)
	w.text(w.document + d.ID)
	w.raw(`">`)
	if d.Name != "" {
		w.text(d.Name)
	} else {
		w.raw(`<span class="mono">`, d.ID, `</span>`)
	}
	w.raw("</a> ")
	for _, tag := range d.Tags {
		w.raw(`<a class="plain" href="`)
		w.text(w.filter + url.QueryEscape(tag))
		w.raw(`"><span class="tag">`)
		w.text(tag)
		w.raw("</span></a> ")
	}
	for _, passage := range d.Snippets {
		w.raw(`<div class="snip">`, string(snippet(passage)), `</div>`)
	}
	w.raw("</td>\n", `<td class="states">`)
	for i := range d.Badges {
		w.badge(&d.Badges[i])
	}
	w.raw("</td>\n", `<td class="wide">`)
	w.text(d.Category)
	w.raw(`</td><td class="wide owner">`)
	w.text(d.Owner)
	w.raw(`</td><td class="n wide">`, thousands(int(d.VersionCount)), `</td><td class="n nowrap">`)
	if at := &d.Changed; at.Exact != "" {
		w.raw(`<time datetime="`, at.Exact, `" title="`)
		w.text(at.Title)
		w.raw(`">`, at.Ago, `</time>`)
	}
	w.raw("</td></tr>\n")
}

// badge writes one as the part of that name does.
func (w *rowWriter) badge(b *badge) {
	w.raw(`<span class="badge `, b.Kind, `"`)
	if b.Title != "" {
		w.raw(` title="`)
		w.text(b.Title)
		w.raw(`"`)
	}
	w.raw(`><svg aria-hidden="true"><use href="#icon-`, b.Icon, `"/></svg>`)
	w.text(b.Text)
	w.raw("</span> ")
}

// symbols are the pictures of badges, once for all rows: made once, of the part.
var symbols = sync.OnceValue(func() template.HTML {
	parts := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "parts/icons.html"))
	var made strings.Builder
	made.WriteString(`<svg class="symbols" aria-hidden="true">`)
	for _, name := range []string{"lock", "check", "pen", "box", "clock", "gone", "eye"} {
		var b strings.Builder
		if err := parts.ExecuteTemplate(&b, "icon", name); err != nil {
			panic(err) // the file is part of the program
		}
		made.WriteString(strings.NewReplacer(`<svg aria-hidden="true"`, `<symbol id="icon-`+name+`"`, "</svg>", "</symbol>").Replace(b.String()))
	}
	made.WriteString("</svg>")
	return template.HTML(made.String())
})

// Symbols are the pictures that Rows names.
func (s *shell) Symbols() template.HTML { return symbols() }

// chosenOf are the options of a choice, with one of them chosen: rows of a table that
// every page of a list has, and so written by hand too. list has options, words or
// people.
func chosenOf(value string, list any) (template.HTML, error) {
	var w rowWriter
	one := func(is, text string) {
		w.raw(`<option value="`)
		w.text(is)
		if w.raw(`"`); is == value {
			w.raw(" selected")
		}
		w.raw(">")
		w.text(text)
		w.raw("</option>")
	}
	switch list := list.(type) {
	case []option:
		for _, o := range list {
			one(o.Value, o.Text)
		}
	case []string:
		for _, word := range list {
			one(word, word)
		}
	case []engine.User:
		for i := range list {
			one(list[i].ID, list[i].Name)
		}
	case nil:
	default:
		return "", fmt.Errorf("%T is no list of a choice", list)
	}
	return template.HTML(w.String()), nil
}
