package guides_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"strongroom/httpapi/console/guides"
)

func rendered(t *testing.T) map[string]guides.Guide {
	t.Helper()
	list, err := guides.Render(os.DirFS("../../.."), map[string]string{"httpapi/openapi.json": "../reference"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]guides.Guide{}
	for _, g := range list {
		all[g.Name] = g
	}
	if len(all) != len(guides.Places()) {
		t.Fatalf("%d guides of %d", len(all), len(guides.Places()))
	}
	return all
}

// TestEveryLinkOfTheGuidesLeadsSomewhere follows those within the guides to their
// headings; others lead out of the vault or to the reference.
func TestEveryLinkOfTheGuidesLeadsSomewhere(t *testing.T) {
	all, href, inner := rendered(t), regexp.MustCompile(`href="([^"]*)"`), 0
	for name, g := range all {
		if g.Title == "" || g.First == "" || len(g.Contents) == 0 || strings.Contains(string(g.HTML), "<h1") {
			t.Errorf("%s: title %q, first %q, %d headings", name, g.Title, g.First, len(g.Contents))
		}
		for _, found := range href.FindAllStringSubmatch(string(g.HTML), -1) {
			to := found[1]
			if strings.HasPrefix(to, "http") || to == "../reference" {
				continue
			}
			page, id, _ := strings.Cut(to, "#")
			if page == "" {
				page = name
			}
			inner++
			if at, ok := all[page]; !ok || id != "" && !strings.Contains(string(at.HTML), ` id="`+id+`"`) {
				t.Errorf("%s links to %s, and there is no such heading", name, to)
			}
		}
		for _, h := range g.Contents {
			if !strings.Contains(string(g.HTML), `id="`+h.ID+`"`) {
				t.Errorf("%s: the contents name %q, which is not there", name, h.ID)
			}
		}
	}
	if inner < 20 {
		t.Errorf("only %d links were followed", inner)
	}
}

func TestAGuideIsTextAndNoScript(t *testing.T) {
	list, err := guides.Render(fstest.MapFS{"README.md": {Data: []byte(`# A <b>title</b>

First <script>alert(1)</script> [press](javascript:alert(1)) [data](data:text/html,x) ![pixel](https://example.com/p.png)
[elsewhere](testdata/x.md) [up](//example.com/x)

## Part one

<iframe src="https://example.com"></iframe>
`)}}, nil)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	html := string(list[0].HTML)
	for _, bad := range []string{"<script", "javascript:", "data:text", "<img", "<iframe", "x.md", "//example.com/x", "<b>"} {
		if strings.Contains(html, bad) {
			t.Errorf("it has %q:\n%s", bad, html)
		}
	}
	if !strings.Contains(html, "press") || !strings.Contains(html, "elsewhere") || list[0].Contents[0] != (guides.Heading{ID: "part-one", Text: "Part one"}) {
		t.Errorf("words are lost:\n%s\n%v", html, list[0].Contents)
	}
}

func TestNoGuidesAreNone(t *testing.T) {
	if list, err := guides.Render(nil, nil); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
	if list, err := guides.Render(fstest.MapFS{}, nil); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
}
