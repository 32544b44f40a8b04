package console

import (
	"archive/zip"
	"strings"
	"testing"

	"strongroom/engine"
)

func TestFoldersAndTheirDocuments(t *testing.T) {
	k := newKit(t)
	k.admin().get("/console/main/folders").is(200).says("No document lies in a folder")
	k.CreateFrom(engine.NewDocument{Name: "the lease", Path: "2024/a & b/deep"}, "text")
	k.CreateFrom(engine.NewDocument{Name: "the report", Path: "2024"}, "text")
	b := k.viewer()
	b.get("/console/main/folders").is(200).says("2024", "2")
	b.get("/console/main/folders?path=2024").is(200).says("a & b", "1").lacks("the report")
	b.get("/console/main/folders?path=2024/a%20%26%20b").is(200).says("deep")
	b.get("/console/main/folders?path=2024/a%20%26%20b/deep").is(200).says("No folder lies below")
	b.get("/console/main/folders?path=/x").is(400)
	p := b.get("/console/main/documents?path=2024/a%20%26%20b").is(200).says("the lease").lacks("the report")
	if !strings.Contains(p.HTML, `documents?path=2024">2024</a>`) || !strings.Contains(p.HTML, `folders?path=2024/a%20%26%20b"`) {
		t.Error(p.HTML)
	}
}

func TestExportsOfTheConsole(t *testing.T) {
	k := newKit(t)
	one := k.CreateFrom(engine.NewDocument{Name: "the lease", Path: "2024"}, "text")
	two := k.CreateFrom(engine.NewDocument{Name: "the report", Path: "2025"}, "text")
	if _, _, err := k.PlaceHold(t.Context(), k.Admin, one.ID, engine.Condition{}, engine.NewHold{Reason: "suit", Matter: "Acme/7 & sons"}); err != nil {
		t.Fatal(err)
	}
	b := k.admin()
	b.get("/console/main/holds").is(200).offers("/console/main/exports")
	b.get("/console/main/documents?path=2024").is(200).offers("/console/main/exports")
	for _, c := range []struct {
		form       []string
		has, lacks string
	}{
		{[]string{"matter", "Acme/7 & sons"}, one.ID, two.ID},
		{[]string{"what", "all", "filter", "path=2025"}, two.ID, one.ID},
		{[]string{"what", "chosen", "document", one.ID, "matter", "", "reason", ""}, one.ID, two.ID},
		{[]string{"what", "chosen", "all", "1", "filter", "path=2025", "document", one.ID}, two.ID, one.ID},
	} {
		p := b.post("/console/main/exports", c.form...).is(200)
		r, err := zip.NewReader(strings.NewReader(p.HTML), int64(len(p.HTML)))
		if err != nil {
			t.Fatalf("%v: %v", c.form, err)
		}
		var names []string
		for _, f := range r.File {
			names = append(names, f.Name)
		}
		if all := strings.Join(names, "\n"); !strings.Contains(all, c.has) || strings.Contains(all, c.lacks) {
			t.Errorf("%v: %s", c.form, all)
		}
	}
	b.post("/console/main/exports", "what", "chosen").is(400).says("choose some first")
	b.post("/console/main/exports", "matter", "nobody").is(404)
	viewer := k.viewer()
	viewer.get("/console/main/documents?path=2024").withholds("/console/main/exports")
	viewer.post("/console/main/exports", "what", "all", "filter", "path=2024").is(403)
}
