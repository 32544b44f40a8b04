package console

import (
	"regexp"
	"strings"
	"testing"

	"strongroom/engine"
)

// passing is what differs between two pages that say the same.
var passing = regexp.MustCompile(`once(=|" value=")[\w-]*|data-l="Last seen"><time.*?</time>|found in [^<]*`)

// TestNoPageTellsOfWhatIsRestricted walks every page that a viewer or uploader may
// look at, with and without a restricted document: they are the same, but for the
// lines of the log.
func TestNoPageTellsOfWhatIsRestricted(t *testing.T) {
	t.Parallel()
	k, ids := populated(t)
	k.searches()
	ctx := t.Context()
	_, token := k.Person("Ulla Uploader", engine.AccessUpload)
	browsers := map[string]*browser{"viewer": k.viewer(), "uploader": k.signedIn(token)}
	looks := map[string]engine.Access{"viewer": view, "uploader": write}
	pages := func() map[string]string {
		t.Helper()
		all := map[string]string{}
		for who, b := range browsers {
			for _, rt := range k.console.routes() {
				at := address(rt.pattern, ids)
				if rt.method != "GET" || at == "" || rt.access != looks[who] || strings.HasSuffix(rt.pattern, "/audit") || strings.HasSuffix(rt.pattern, "/audit/head") ||
					strings.Contains(rt.pattern, "/reference") || strings.Contains(rt.pattern, "/guides") {
					continue
				}
				questions := []string{""}
				switch {
				case strings.HasSuffix(rt.pattern, "/documents") || strings.HasSuffix(rt.pattern, "/documents.csv"):
					questions = append(questions, "?q=lease", "?q=hidden", "?status=all", "?sort=name", "?tag=hidden", "?path=Suits", "?matter=Acme", "?externalId=hidden")
				case strings.HasSuffix(rt.pattern, "/folders"):
					questions = append(questions, "?path=Suits", "?status=all")
				case strings.HasSuffix(rt.pattern, "/obligations"), strings.HasSuffix(rt.pattern, "/obligations/list"):
					questions = append(questions, "?ownerId="+k.Admin.UserID, "?status=pending")
				}
				for _, question := range questions {
					p := b.get(at + question)
					all[who+" "+at+question] = passing.ReplaceAllString(p.HTML, "")
				}
			}
		}
		return all
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before := pages()
	d := k.CreateFrom(engine.NewDocument{Name: "hidden lease", ExternalID: "hidden", Tags: []string{"hidden"}, Path: "Suits/Acme", Version: text("a")}, "hidden text")
	k.owed(d.ID, k.Admin.UserID, "Hidden report", 3)
	_, _, err := k.PlaceHold(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "the suit", Matter: "Acme"})
	must(err)
	_, _, err = k.RestrictDocument(ctx, k.Admin, d.ID, engine.Condition{}, "contested")
	must(err)
	for at, is := range pages() {
		if is != before[at] {
			a, b := apart(before[at], is)
			t.Errorf("%s tells that something is restricted:\n%s\nwas\n%s", at, b, a)
		}
	}
	if len(before) < 30 {
		t.Errorf("%d pages", len(before))
	}
}

// apart is where two texts part.
func apart(a, b string) (string, string) {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	around := func(s string) string { return s[max(0, n-100):min(len(s), n+200)] }
	return around(a), around(b)
}
