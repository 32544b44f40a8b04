package console

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"strongroom/engine"
)

// onePixel is a picture.
var onePixel, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

func text(content string) engine.NewVersion {
	return engine.NewVersion{FileName: content + ".txt", MediaType: "text/plain"}
}

// another adds a version.
func (k *kit) another(documentID string, n engine.NewVersion, content string) {
	k.t.Helper()
	if _, _, err := k.AddVersion(k.t.Context(), k.Admin, documentID, engine.Condition{}, n, k.Upload(content)); err != nil {
		k.t.Fatal(err)
	}
}

func TestVersionsAreCompared(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: text("a")}, "The tenant pays 4,200 a month.")
	k.another(d.ID, text("a"), "The tenant pays 4,500 a month. Pets are allowed.")
	path := "/console/main/documents/" + d.ID
	b := k.viewer()
	b.get(path).offers(path+"/compare", path+"/compare?a=1")
	p := b.get(path+"/compare").is(200).says("Versions 1 and 2", "1 word went, 4 words came")
	if !strings.Contains(p.HTML, "<del>4,200 </del><ins>4,500 </ins>") || !strings.Contains(p.HTML, "<ins>Pets are allowed.</ins>") {
		t.Errorf("it shows %s", p.HTML[strings.Index(p.HTML, "difference"):])
	}
	b.get(path+"/compare?a=2&b=1").says("Versions 2 and 1", "4 words went")
	b.get(path + "/compare?a=2&b=2").says("the same, byte for byte")
	b.get(path + "/compare?a=7").is(404)
	b.get(path + "/compare?a=x").is(404)
	k.another(d.ID, engine.NewVersion{FileName: "a.bin", MediaType: "application/octet-stream"}, "\x00\x01")
	b.get(path+"/compare").is(200).says("cannot be compared", "Version 3")
	k.another(d.ID, text("a"), "<script>alert(1)</script>")
	if p := b.get(path + "/compare?a=1&b=4").is(200); strings.Contains(p.HTML, "<script>alert") {
		t.Error("what a text says is run")
	}
}

func TestOnlyPicturesAreShownAsPictures(t *testing.T) {
	k := newKit(t)
	b := k.viewer()
	for kind, shown := range map[string]bool{"image/png": true, "IMAGE/PNG; x=y": true, "image/svg+xml": false, "text/html": false, "image/tiff": false, "application/pdf": false} {
		d := k.CreateFrom(engine.NewDocument{Name: "x", Version: engine.NewVersion{FileName: "x", MediaType: kind}}, string(onePixel))
		path := "/console/main/documents/" + d.ID
		if has := strings.Contains(b.get(path).is(200).HTML, path+"/picture?n=1"); has != shown {
			t.Errorf("%s is shown: %v", kind, has)
		}
		p := b.get(path + "/picture?n=1")
		if !shown {
			p.is(404)
			continue
		}
		h := p.is(200).Header
		if h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s is sent as %v", kind, h)
		}
		if disposition := b.get(path + "/content").Header.Get("Content-Disposition"); !strings.HasPrefix(disposition, "attachment") {
			t.Errorf("%s is downloaded as %s", kind, disposition)
		}
	}
}

func TestAnOpenDraftIsShownToItsHolder(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: text("a")}, "first")
	path := "/console/main/documents/" + d.ID
	b, other := k.uploader(), k.admin()
	b.get(path)
	b.submit(path+"/lock", "scratchpad", "on").ok(path).says("Your draft is empty so far")
	b.last.offers(path + "/edit")
	b.get(path + "/edit")
	b.submit(path+"/edit", "name", "the lease").ok(path).says("Your draft", "Name lease the lease")
	if k.document(d.ID).Name != "lease" {
		t.Error("the draft is not a draft")
	}
	if is := b.get(path + "/edit").says("You are editing your draft").form(path + "/edit").Get("name"); is != "the lease" {
		t.Errorf("the form has %q, which would take the draft back", is)
	}
	b.submit(path+"/edit", "description", "of the house").ok(path).says("the lease", "Description", "of the house")
	b.send(path+"/versions", fields("revision", b.last.form(path+"/versions").Get("revision"), "comment", "drafted"), file{"b.txt", "text/plain", "second"}).ok(path).says("New version", "b.txt: drafted")
	if p := b.get(path + "/content?draft=1"); p.HTML != "second" {
		t.Errorf("the draft is %q", p.HTML)
	}
	if p := b.get(path + "/content"); p.HTML != "first" {
		t.Errorf("the current version is %q", p.HTML)
	}
	other.get(path).says("Changes wait in a draft").lacks("of the house", "drafted")
	other.get(path + "/content?draft=1").is(409)
	b.get(path)
	b.submit(path+"/release").ok(path).says("the lease", "of the house").lacks("Your draft")
	if is := k.document(d.ID); is.Name != "the lease" || is.VersionCount != 2 {
		t.Errorf("it is %+v", is)
	}
}

func TestADocumentIsRestricted(t *testing.T) {
	k := newKit(t)
	d := k.Create("dispute", "text")
	path := "/console/main/documents/" + d.ID
	b, uploader := k.admin(), k.uploader()
	_, token := k.Person("Otto Auditor", engine.AccessAuditor)
	auditor := k.signedIn(token)
	uploader.get(path).is(200).withholds(path + "/restrict")
	b.get(path)
	b.submit(path+"/restrict", "reason", "").is(400)
	b.get(path)
	b.submit(path+"/restrict", "reason", "Article 18").ok(path).says("Restricted", "Only admins and auditors see it")
	uploader.get(path).is(404)
	uploader.get("/console/main/documents").lacks("dispute")
	auditor.get(path).is(200).says("Restricted").withholds(path+"/unrestrict", path+"/restrict")
	b.get("/console/main/documents").says("dispute", "Restricted")
	b.get(path)
	b.submit(path+"/unrestrict", "reason", "settled").ok(path).says("Everybody sees the document again").offers(path + "/restrict")
	uploader.get(path).is(200)
}

func TestWhatIsWrittenOfADocumentIsEditedInPlace(t *testing.T) {
	k := newKit(t)
	k.Define(engine.UserField, "signer")
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Path: "Contracts/2026"}, "text")
	path := "/console/main/documents/" + d.ID
	b := k.uploader()
	b.get(path).says("Documents / Contracts / 2026").offers("/console/main/documents?path=Contracts%2F2026")
	vera, _ := k.Person("Vera Viewer", engine.AccessView)
	b.get(path)
	b.submit(path+"/edit", "path", "Contracts/2027", "tags", "signed, year:2027", "externalId", "X-1", "field.signer", vera.UserID).ok(path).
		says("Contracts / 2027", "signed", "X-1", "Vera Viewer").lacks(vera.UserID)
	if is := k.document(d.ID); is.Path != "Contracts/2027" || is.ExternalID != "X-1" || len(is.Tags) != 2 {
		t.Errorf("it is %+v", is)
	}
	b.submit(path+"/edit", "name", "").is(400).says("name")
	b.submit(path+"/edit", "name", "lease").ok(path)
	k.viewer().get(path).withholds(path + "/edit")
}

func TestManyVersionsAreAllThere(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: text("a")}, "version 1")
	for n := 2; n <= 25; n++ {
		k.another(d.ID, text("a"), fmt.Sprintf("version %d", n))
	}
	path := "/console/main/documents/" + d.ID
	b := k.admin()
	p := b.get(path).says("Older versions, of 25").offers(path + "/content?n=25").withholds(path + "/content?n=5")
	older := p.HTML[strings.Index(p.HTML, path+"?versions="):]
	b.get(strings.ReplaceAll(older[:strings.Index(older, "#")], "&amp;", "&")).is(200).offers(path+"/content?n=5", path+"/content?n=1").withholds(path + "/content?n=25")
}

// TestATextIsShownInItsCharset: what was sent as text is shown as search reads it,
// which knows charsets, and files that are no text at all.
func TestATextIsShownInItsCharset(t *testing.T) {
	k := newKit(t)
	k.searches()
	b := k.viewer()
	for kind, content := range map[string]string{
		"text/plain; charset=windows-1251": "\xc4\xee\xe3\xee\xe2\xee\xf0 \xe0\xf0\xe5\xed\xe4\xfb",
		"text/plain":                       "Договор аренды",
		"text/csv":                         "\xff\xfe\x14\x04>\x043\x04>\x042\x04>\x04@\x04 \x000\x04@\x045\x04=\x044\x04K\x04",
	} {
		d := k.CreateFrom(engine.NewDocument{Name: "x", Version: engine.NewVersion{FileName: "x", MediaType: kind}}, content)
		b.get("/console/main/documents/" + d.ID).is(200).says("Договор аренды")
	}
}
