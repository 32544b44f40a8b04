package console

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// paints gives the console somebody who makes pictures: of two pages, unless the file
// is broken.
func (k *kit) paints() {
	k.options.Pictures = func(_ context.Context, _ *engine.Vault, _ engine.Actor, version engine.Version, number, _ int) ([]byte, int, error) {
		switch {
		case version.FileName == "broken.pdf":
			return nil, 0, &httpapi.UnreadableError{Reason: "the file is malformed"}
		case number > 2:
			return nil, 2, httpapi.ErrPageNotFound
		}
		return onePixel, 2, nil
	}
	k.server.Close()
	k.start()
}

func TestThePagesOfAPDFAreLeafedThrough(t *testing.T) {
	k := newKit(t)
	k.paints()
	made := func(name, kind string) string {
		d := k.CreateFrom(engine.NewDocument{Name: name, Version: engine.NewVersion{FileName: name, MediaType: kind}}, "the bytes of "+name)
		return "/console/main/documents/" + d.ID
	}
	lease, broken, note := made("lease.pdf", "application/pdf"), made("broken.pdf", "application/pdf"), made("note.txt", "text/plain")
	b := k.viewer()
	if p := b.get(lease).is(200); !strings.Contains(p.HTML, lease+"/pages/picture?n=1&amp;p=1") {
		t.Error("the page of a document shows no picture of its first page")
	}
	if p := b.get(note).is(200); strings.Contains(p.HTML, "pages/picture") {
		t.Error("a note is shown as pages")
	}
	if p := b.get(lease+"/pages").is(200).says("Page 1 of 2", "Next page"); strings.Contains(p.HTML, "Page before") {
		t.Error("there is a page before the first")
	}
	if p := b.get(lease+"/pages?p=2").is(200).says("Page 2 of 2", "Page before"); strings.Contains(p.HTML, "Next page") {
		t.Error("there is a page after the last")
	}
	b.get(broken + "/pages").is(200).says("There is no picture of it: the file is malformed")
	for _, wrong := range []string{"3", "0", "-1", "x", "1e9", "99999999999999999999"} {
		b.get(lease + "/pages?p=" + wrong).is(404).says("It has no such page")
		b.get(lease + "/pages/picture?p=" + wrong).is(404)
	}
	h := b.get(lease + "/pages/picture?p=1").is(200).Header
	if h.Get("Content-Type") != "image/png" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a picture is sent as %v", h)
	}
}

// TestAPageThatFailsNamesTheRequest by the number that its answer and the server's log have.
func TestAPageThatFailsNamesTheRequest(t *testing.T) {
	var said strings.Builder
	k := newKit(t)
	k.options.Logger = zerolog.New(&said)
	k.options.Pictures = func(context.Context, *engine.Vault, engine.Actor, engine.Version, int, int) ([]byte, int, error) {
		return nil, 0, errors.New("the painter is ill")
	}
	k.server.Close()
	k.start()
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: engine.NewVersion{FileName: "lease.pdf", MediaType: "application/pdf"}}, "the lease")
	b := k.viewer()
	b.header.Set("X-Request-Id", "the-same")
	p := b.get("/console/main/documents/"+d.ID+"/pages").is(500).says("Something went wrong", "the-same").lacks("the painter")
	if id := p.Header.Get("X-Request-Id"); id != "the-same" || !strings.Contains(said.String(), `"request":"the-same"`) {
		t.Errorf("the answer has %q, the log %s", id, said.String())
	}
}

func TestPagesAreShownToWhoMaySeeThemAndAreEntriesIfReadingIs(t *testing.T) {
	k := newKit(t)
	k.paints()
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: engine.NewVersion{FileName: "lease.pdf", MediaType: "application/pdf"}}, "the lease")
	path := "/console/main/documents/" + d.ID
	b := k.viewer()
	on := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on}); err != nil {
		t.Fatal(err)
	}
	if p := b.get(path).is(200).says("Show its pages"); strings.Contains(p.HTML, "pages/picture") || k.entries(audit.OpDocumentDownloaded) != 0 {
		t.Error("it is read before anybody asks for it")
	}
	b.get(path + "/pages").is(200)
	b.get(path + "/pages/picture").is(200)
	if n := k.entries(audit.OpDocumentDownloaded); n != 1 {
		t.Errorf("%d entries, want one for a person and version", n)
	}
	if _, _, err := k.RestrictDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, "in dispute"); err != nil {
		t.Fatal(err)
	}
	b.get(path + "/pages").is(404)
	b.get(path + "/pages/picture").is(404)
}
