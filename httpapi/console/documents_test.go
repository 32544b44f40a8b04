package console

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

func TestListPagesAndFilters(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	b.get("/console/main/documents").ok("/console/main/documents").says("Begin here", "0 of 3 done", "Upload the first document")
	k.viewer().get("/console/main/documents").withholds("/console/main/upload").lacks("Begin here").says("Nothing is kept here yet", "As soon as somebody uploads")
	for i := range 5 {
		k.CreateFrom(engine.NewDocument{Name: fmt.Sprintf("paper %d", i), Category: "contract", Tags: []string{"year:2026"}}, "text")
	}
	held := k.CreateFrom(engine.NewDocument{Name: "held one", Category: "invoice"}, "text")
	k.PlaceHold(t.Context(), k.Admin, held.ID, engine.Condition{}, engine.NewHold{Reason: "why", Matter: "Acme"})
	gone := k.Create("put away", "text")
	k.ArchiveDocument(t.Context(), k.Admin, gone.ID, engine.Condition{})

	b.get("/console/main/documents").says("paper 0", "held one", "Legal Hold", "Active").lacks("put away")
	b.get("/console/main/documents?status=archived").says("put away", "Archived").lacks("paper 0")
	b.get("/console/main/documents?category=invoice&tag=&ownerId=").says("held one").lacks("paper 0")
	b.get("/console/main/documents?matter=Acme").says("held one", "held for Acme").lacks("paper 0")
	b.get("/console/main/documents?category=policy").says("Nothing fits")
	b.get("/console/main/documents?tag=year:2026").says("year:2026", "paper 4").offers("/console/main/documents?")

	var names []string
	next := "/console/main/documents?category=contract&limit=2&sort=name"
	for next != "" {
		p := b.get(next).is(200)
		for _, m := range regexp.MustCompile(`class="name"[^>]*>([^<]+)<`).FindAllStringSubmatch(p.HTML, -1) {
			names = append(names, m[1])
		}
		next = ""
		if m := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(p.HTML); m != nil {
			next = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if fmt.Sprint(names) != "[paper 0 paper 1 paper 2 paper 3 paper 4]" {
		t.Errorf("paged, there are %v", names)
	}
}

func TestSearchShowsWhatItFound(t *testing.T) {
	k := newKit(t)
	k.searches()
	k.Create("the lease of the house", "text")
	k.Create("something else", "text")
	b := k.admin()
	b.get("/console/main/documents?q=lease").says("1 found", "the lease of the house").lacks("something else")
	b.get("/console/main/documents?q=").says("something else")
	b.get("/console/main/documents?q=" + url.QueryEscape(`"unclosed`)).is(b.last.Status)
	b.get("/console/main/documents?q=zebra").says("Nothing fits")
}

func TestRegisterHasAllAndNoFormula(t *testing.T) {
	k := newKit(t)
	names := []string{"=1+1", "+1", "-1", "@x", " =1", "＝1", "plain, with \"quotes\""}
	for _, name := range names {
		k.CreateFrom(engine.NewDocument{Name: name}, "text")
	}
	p := k.admin().get("/console/main/documents.csv").is(200)
	if p.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(p.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("it is sent as %v", p.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(p.HTML)).ReadAll()
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if formula := strings.TrimSpace(cell); formula != "" && strings.ContainsAny(formula[:1], "=+-@") || strings.HasPrefix(formula, "＝") {
				t.Errorf("a spreadsheet would reckon %q", cell)
			}
		}
	}
	k.admin().get("/console/main/documents.csv?category=contract").lacks("plain")
	// Read with other signs between the cells it has none either.
	for given, want := range map[string]string{
		"\t=1": "'\t'=1", "\r": "'\r", "\u2003＋1": "'\u2003＋1", "\x00@x": "'\x00@x", "x;=1+1;": "x;'=1+1;", "x\n-1": "x\n'-1", `x;"=1"`: `x;'"=1"`, "a; b-c": "a; b-c", "": "", " ": " ",
	} {
		if got := plainCells(given)[0]; got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestUploadKeepsWhatItCan(t *testing.T) {
	k := newKitWith(t, Options{MaxUpload: 100})
	k.Define(engine.NumberField, "amount")
	b := k.uploader()
	b.get("/console/main/upload").ok("/console/main/upload").says("100 B at most")
	b.send("/console/main/upload", fields("category", "contract", "tags", "a, year:2026", "field.amount", "12.50"),
		file{"one.txt", "text/plain", "one"}, file{"large.txt", "text/plain", strings.Repeat("x", 101)}, file{`C:\papers\two.txt`, "text/plain", "two"}).
		ok("/console/main/upload").says("one.txt", "kept", "large.txt", "not kept", "The file is too large", "two.txt")
	if k.documents() != 2 {
		t.Errorf("%d documents, want 2", k.documents())
	}
	page, _ := k.Documents(t.Context(), engine.DocumentQuery{Tags: []string{"year:2026"}, Category: "contract"})
	if len(page.Items) != 2 || fmt.Sprint(page.Items[0].CustomFields["amount"]) != "12.50" {
		t.Errorf("they are %v", page.Items)
	}
	p := b.send("/console/main/upload", nil, file{"alone.txt", "", "alone"}).is(200).says("alone", "is kept")
	if !strings.HasPrefix(p.Path, "/console/main/documents/") {
		t.Errorf("it leads to %s", p.Path)
	}
	b.send("/console/main/upload", fields("field.amount", "many"), file{"x.txt", "", "x"}).is(400).says("is no number")
	b.send("/console/main/upload", nil).is(400).says("choose one at least")
	b.send("/console/main/upload", fields("tags", "bad\ttag"), file{"x.txt", "", "x"}).says("not kept")
	b.post("/console/main/upload", "category", "contract").is(400).says("did not arrive whole")
	k.viewer().send("/console/main/upload", nil, file{"x.txt", "", "x"}).is(403)
	if k.documents() != 3 {
		t.Errorf("%d documents, want 3", k.documents())
	}
}

// What is about one file alone wins over what is about all; tags are added. What is
// wrong with it keeps that file out, and no other.
func TestAFileHasFieldsOfItsOwn(t *testing.T) {
	k := newKit(t)
	k.Define(engine.TextField, "supplier")
	ulla, _ := k.Person("Ulla Other", engine.AccessView)
	b := k.admin()
	b.get("/console/main/upload?own=3").says("number 3").lacks("number 4")
	form := func(parts ...[3]string) (string, *bytes.Buffer) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, p := range parts {
			if part := io.Writer(nil); p[1] != "" {
				part, _ = w.CreateFormFile(p[0], p[1])
				io.WriteString(part, p[2])
			} else {
				w.WriteField(p[0], p[2])
			}
		}
		w.Close()
		return w.FormDataContentType(), &body
	}
	mediaType, body := form([3]string{"category", "", "contract"}, [3]string{"tags", "", "all, year:2026"}, [3]string{"field.supplier", "", "Bolt"},
		[3]string{"file", "plain.txt", "one"},
		[3]string{"1.name", "", "The lease"}, [3]string{"1.category", "", "report"}, [3]string{"1.tags", "", "mine, all"}, [3]string{"1.field.supplier", "", "Acme"}, [3]string{"1.ownerId", "", ulla.UserID}, [3]string{"file.1", "own.txt", "two"},
		[3]string{"2.ownerId", "", "nobody at all"}, [3]string{"file.2", "lost.txt", "three"},
		[3]string{"3.category", "", ""}, [3]string{"file.3", "empty.txt", "four"})
	b.do("POST", "/console/main/upload", mediaType, body).is(200).says("plain.txt", "The lease", "lost.txt", "not kept", "names nobody here", "empty.txt")
	found, err := k.Documents(t.Context(), engine.DocumentQuery{Sort: engine.SortName})
	if err != nil || len(found.Items) != 3 {
		t.Fatalf("%d documents, %v", len(found.Items), err)
	}
	for _, d := range found.Items {
		is := fmt.Sprint(d.Category, " ", d.Tags, " ", d.CustomFields["supplier"], " ", d.OwnerID == ulla.UserID)
		want := "contract [all year:2026] Bolt false"
		if d.Name == "The lease" {
			want = "report [all mine year:2026] Acme true"
		}
		if is != want {
			t.Errorf("%s is %s, want %s", d.Name, is, want)
		}
	}

	k.passes(31 * time.Minute)
	mediaType, body = form([3]string{"tags", "", "all"}, [3]string{"file.1", "a.txt", "a"}, [3]string{"2.name", "", "After a file"}, [3]string{"file.2", "b.txt", "b"})
	b.do("POST", "/console/main/upload", mediaType, body)
	back := b.submit("/console/sign-in", "key", k.Token).form("/console/main/upload")
	if back.Get("tags") != "all" || back.Get("2.name") != "After a file" {
		t.Errorf("after signing in the form has %v", back)
	}
}

func TestDeedsOnTheDocumentsPage(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "contract", Version: engine.NewVersion{FileName: "c.txt", MediaType: "text/plain"}}, "first")
	path := "/console/main/documents/" + d.ID
	b, other := k.admin(), k.uploader()
	b.get(path).says("contract", "first", "What will become of it")
	b.send(path+"/versions", fields("revision", b.last.form(path+"/versions").Get("revision"), "comment", "signed"), file{"c.txt", "text/plain", "second"}).
		ok(path).says("The new version is kept", "second", "signed")
	b.send(path+"/versions", fields("revision", "1"), file{"c.txt", "text/plain", "stale"}).is(412)
	b.send(path+"/versions", nil).is(400).says("choose one")
	b.get(path)
	b.submit(path+"/restore", "number", "1").ok(path).says("Version 1 is the current one again")
	if k.Content(d.ID, 0) != "first" {
		t.Error("the first is not current")
	}
	if got := b.get(path + "/content?n=2"); got.HTML != "second" {
		t.Errorf("version 2 is %q", got.HTML)
	}

	b.get(path)
	b.submit(path+"/lock").ok(path).says("The document is locked for you", "You are editing this document")
	other.get(path).says("Ada Admin is editing this document").withholds(path+"/break", path+"/renew", path+"/release")
	other.get(path + "/edit")
	other.submit(path+"/edit", "name", "x").is(423).says("Somebody is editing the document")
	b.submit(path + "/renew").ok(path).says("The lock is renewed")
	b.get(path + "/edit")
	b.submit(path+"/edit", "name", "renamed").ok(path).says("renamed")
	b.submit(path+"/release", "save", "false").ok(path).says("taken back", "contract").lacks("renamed")
	b.submit(path + "/lock").ok(path)
	b.get(path + "/edit")
	b.submit(path+"/edit", "name", "renamed").ok(path)
	b.post(path+"/release").ok(path).says("is kept", "renamed")

	other.get(path)
	other.submit(path + "/lock").ok(path)
	b.get(path)
	b.submit(path+"/break", "reason", "he is away").ok(path).says("The lock is broken")
	other.post(path + "/renew").is(409).says("The lock has ended")

	b.get(path)
	b.submit(path+"/password", "editPassword", "open sesame").ok(path).says("It takes the edit password now")
	b.submit(path+"/lock", "password", "wrong").is(403).says("That is not the edit password")
	b.get(path)
	b.submit(path+"/lock", "password", "open sesame").ok(path)
	b.post(path+"/password", "editPassword", "").ok(path).says("The edit password is removed")
	b.post(path + "/release").ok(path)

	b.get(path)
	b.submit(path+"/hold", "reason", "the suit", "matter", "Acme").ok(path).says("Legal Hold", "the suit", "Acme")
	k.viewer().get(path).ok(path).says("Legal Hold", "bears 1 hold").lacks("the suit")
	b.post(path + "/archive").is(409).says("The document is on legal hold")
	b.get(path + "/delete").says("Nobody can delete it")
	b.post(path+"/delete", "name", "renamed").is(409).says("on legal hold")
	b.get(path)
	b.submit(path+"/unhold", "reason", "it is over").ok(path).says("The hold is released")
	b.submit(path + "/archive").ok(path).says("The document is archived")
	b.submit(path + "/unarchive").ok(path).says("active again")

	b.get(path + "/delete")
	b.submit(path+"/delete", "name", "contract").is(400).says("That is not its name")
	b.submit(path+"/delete", "name", "renamed").is(410).says("renamed", "This document was deleted", "by hand", "Ada Admin", "certificate")
	b.get(path + "/edit").is(410).says("The document was deleted")
	b.get(path + "/content").is(410)
	b.get("/console/main/documents?status=deleted").says("Deleted")
}

// A form that is saved as it was changes nothing, whatever ends of lines it is sent with.
func TestTheEndsOfLinesStayAsTheyWere(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Description: "one\ntwo\n\nthree"}, "text")
	head := k.Head()
	b := k.admin()
	after := k.Head()
	b.get("/console/main/documents/" + d.ID + "/edit")
	b.submit("/console/main/documents/" + d.ID + "/edit").is(200)
	if head == after || k.Head() != after {
		t.Errorf("an entry was written: %q", k.document(d.ID).Description)
	}
	b.get("/console/main/documents/" + d.ID + "/edit")
	b.submit("/console/main/documents/"+d.ID+"/edit", "description", "one\ntwo").is(200)
	if is := k.document(d.ID).Description; is != "one\ntwo" {
		t.Errorf("the description is %q", is)
	}
}
