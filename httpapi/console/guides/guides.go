// Package guides makes pages of the guides that lie beside the code: Markdown in,
// HTML out, with a table of contents, and with every link leading where a reader of
// the pages can follow it.
//
// Nothing in a guide is trusted to be HTML: tags in it are shown as they are written
// or left out, and an address that a script could hide in leads nowhere.
package guides

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Guide is one guide, as it is shown.
type Guide struct {
	Name     string // the last part of its address
	Title    string
	First    string // its first sentences, as text
	Contents []Heading
	HTML     template.HTML
}

// Heading is a row of the table of contents.
type Heading struct{ ID, Text string }

// Place says where a file stands and what its page is called.
type Place struct{ File, Name string }

// Places are the guides, in the order in which one would read them. The files lie
// where the repository has them.
func Places() []Place {
	return []Place{{"README.md", "begin"}, {"httpapi/README.md", "api"}, {"httpapi/cli/README.md", "operate"},
		{"audit/README.md", "proof"}, {"engine/README.md", "embed"}}
}

// Render makes the guides of files that are there. Links from one to another are
// names beside the page, so that they hold wherever the pages are mounted; elsewhere
// are the addresses, relative to a guide, of pages made of other files of the
// repository, and a link to any other file becomes text. A nil files has no guides.
func Render(files fs.FS, elsewhere map[string]string) ([]Guide, error) {
	if files == nil {
		return nil, nil
	}
	var guides []Guide
	for _, place := range Places() {
		source, err := fs.ReadFile(files, place.File)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		guide, err := render(place, source, elsewhere)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place.File, err)
		}
		guides = append(guides, guide)
	}
	return guides, nil
}

func render(place Place, source []byte, elsewhere map[string]string) (Guide, error) {
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	tree := markdown.Parser().Parse(text.NewReader(source))
	guide := Guide{Name: place.Name, Title: place.Name}
	var links []ast.Node
	var title ast.Node
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			switch {
			case n.Level == 1 && title == nil:
				guide.Title, title = plain(n, source), n
			case n.Level == 2:
				id, _ := n.AttributeString("id")
				name, _ := id.([]byte)
				guide.Contents = append(guide.Contents, Heading{string(name), plain(n, source)})
			}
		case *ast.Paragraph:
			if guide.First == "" {
				guide.First = plain(n, source)
			}
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			return ast.WalkSkipChildren, nil
		case *ast.Link, *ast.Image:
			links = append(links, n)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return Guide{}, err
	}
	for _, link := range links {
		relink(link, place.File, elsewhere)
	}
	if title != nil { // the page says it
		title.Parent().RemoveChild(title.Parent(), title)
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, tree); err != nil {
		return Guide{}, err
	}
	html := reachable.Replace(out.String())
	guide.HTML = template.HTML(html)
	return guide, nil
}

// reachable lets the keyboard move what may be wider than the page. The corner of a
// table that is empty heads nothing.
var reachable = strings.NewReplacer("<th></th>", "<td></td>", "<pre>", `<pre tabindex="0">`, "<table>", `<div class="wide" tabindex="0" role="group" aria-label="Table"><table>`, "</table>", "</table></div>")

// relink makes a link of a guide one that can be followed from its page, or text.
// Pictures are those of the repository, which are not served.
func relink(n ast.Node, file string, elsewhere map[string]string) {
	link, ok := n.(*ast.Link)
	if !ok {
		n.Parent().RemoveChild(n.Parent(), n)
		return
	}
	to, err := url.Parse(string(link.Destination))
	if err == nil && (to.Scheme == "https" || to.Scheme == "http") {
		link.SetAttributeString("rel", []byte("noreferrer"))
		return
	}
	if err == nil && to.Scheme == "" && to.Host == "" {
		if to.Path == "" {
			return
		}
		at := path.Join(path.Dir(file), to.Path)
		if page, ok := pageOf(at, elsewhere); ok {
			if to.Fragment != "" {
				page += "#" + to.Fragment
			}
			link.Destination = []byte(page)
			return
		}
	}
	parent := link.Parent()
	for child := link.FirstChild(); child != nil; child = link.FirstChild() {
		parent.InsertBefore(parent, link, child)
	}
	parent.RemoveChild(parent, link)
}

func pageOf(file string, elsewhere map[string]string) (string, bool) {
	for _, place := range Places() {
		if place.File == file {
			return place.Name, true
		}
	}
	page, ok := elsewhere[file]
	return page, ok
}

// plain is the text of a node.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
