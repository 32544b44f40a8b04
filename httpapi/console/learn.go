package console

import (
	"net/http"
	"strings"
	"sync"

	"strongroom/httpapi"
	"strongroom/httpapi/console/guides"
	"strongroom/httpapi/console/reference"
)

// learning is what the console has to read: the reference of the API and the guides.
// Both are made when the first person asks, and kept.
type learning struct {
	reference func() (reference.Reference, error)
	guides    func() ([]guides.Guide, error)
}

func newLearning(o Options) learning {
	return learning{
		reference: sync.OnceValues(func() (reference.Reference, error) { return reference.Read(httpapi.Description()) }),
		guides: sync.OnceValues(func() ([]guides.Guide, error) {
			return guides.Render(o.Guides, map[string]string{"httpapi/openapi.json": "../reference"})
		}),
	}
}

func learnRoutes() []route {
	return []route{
		{"GET", "/{vault}/reference", view, showReference},
		{"GET", "/{vault}/reference/{chapter}", view, showChapter},
		{"GET", "/{vault}/guides", view, showGuides},
		{"GET", "/{vault}/guides/{name}", view, showGuide},
	}
}

// referencePage is the reference, or a chapter of it.
type referencePage struct {
	reference.Reference
	Chapter reference.Chapter
	Server  string // where the API is, as people reach it
	Guides  bool
}

func (v *visit) referencePage() (referencePage, error) {
	r, err := v.console.learning.reference()
	return referencePage{Reference: r, Server: v.console.address(v.r), Guides: v.console.options.Guides != nil}, err
}

func showReference(v *visit) (answer, error) {
	p, err := v.referencePage()
	return page("reference", "API reference", p), err
}

func showChapter(v *visit) (answer, error) {
	p, err := v.referencePage()
	if err != nil {
		return answer{}, err
	}
	for _, p.Chapter = range p.Chapters {
		if p.Chapter.Name == v.id("chapter") {
			return page("chapter", p.Chapter.Title+" · API reference", p), nil
		}
	}
	return answer{}, errNoPage
}

// guidesPage is a guide among the others.
type guidesPage struct {
	All   []guides.Guide
	Guide guides.Guide
}

func showGuides(v *visit) (answer, error) {
	all, err := v.console.learning.guides()
	return page("guides", "Guides", guidesPage{All: all}), err
}

func showGuide(v *visit) (answer, error) {
	all, err := v.console.learning.guides()
	if err != nil {
		return answer{}, err
	}
	for _, g := range all {
		if g.Name == v.id("name") {
			return page("guide", g.Title+" · Guides", guidesPage{all, g}), nil
		}
	}
	return answer{}, errNoPage
}

// address is where this server is for whoever asks: scheme, host and prefix.
func (c *Console) address(r *http.Request) string {
	if c.options.PublicURL != "" {
		return strings.TrimSuffix(c.options.PublicURL, "/") + c.options.Prefix
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + c.options.Prefix
}
