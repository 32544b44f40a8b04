package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"strongroom/engine"
)

// written is a file to upload.
func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAnUploaderUploadsEditsAndLocks goes the way of a first day, without a script.
func TestAnUploaderUploadsEditsAndLocks(t *testing.T) {
	h := newHouse(t)
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, false)
	ulla.says("Nothing is kept here yet")
	ulla.follow("Upload the first document")
	ulla.fill("Tags", "year:2026, signed")
	ulla.files("Choose files", written(t, "lease.txt", "the lease of the north building"), written(t, "offer.txt", "an offer"))
	ulla.follow("Upload")
	ulla.says("lease.txt", "offer.txt")
	ulla.open("documents")
	ulla.follow("lease.txt")
	ulla.says("the lease of the north building", "Provable")
	ulla.lacks("Place a hold…", "Delete…")
	ulla.click("Edit…")
	ulla.fill("Name", "Lease North")
	ulla.fill("Description", "For ten years")
	ulla.follow("Save")
	ulla.says("Lease North", "For ten years")
	ulla.click("Lock for editing…")
	ulla.follow("Lock it")
	ulla.says("You are editing this document")
	ulla.click("New version…")
	ulla.fill("What is new", "the second floor")
	ulla.files("File", written(t, "lease2.txt", "with the second floor"))
	ulla.follow("Keep it")
	ulla.says("with the second floor")
	ulla.follow("Release and keep")
	ulla.lacks("You are editing this document")
	ulla.reload()
	if n := len(h.all(t)); n != 2 {
		t.Errorf("%d documents after a reload", n)
	}
	ulla.follow("Sign out")
	ulla.open("documents")
	ulla.says("Sign in")
}

func (h *house) all(t *testing.T) []engine.Document {
	t.Helper()
	list, err := h.Documents(t.Context(), engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 500}})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func TestAViewerReadsAndIsOfferedNothingElse(t *testing.T) {
	h := newHouse(t)
	h.Create("lease.txt", "the lease")
	vera := h.as(t, "Vera Viewer", engine.AccessView, false)
	vera.lacks("Upload", "Retention", "Legal holds", "Erasure", "Settings", "With those chosen")
	vera.follow("lease.txt")
	vera.says("lease.txt", "Versions", "History")
	vera.lacks("Lock for editing…", "New version…", "Delete…", "Place a hold…")
	vera.follow("Reference")
	vera.follow("Documents and versions")
	vera.says("Upload a document", "curl", h.url)
	vera.follow("Guides")
	vera.says("Guides")
	for _, path := range []string{"upload", "settings", "holds", "retention", "erasures"} {
		vera.open(path)
		vera.lacks("Internal", "500")
		if at := vera.text(); at == "" {
			t.Errorf("%s says nothing", path)
		}
	}
	if len(h.all(t)) != 1 {
		t.Error("a viewer changed something")
	}
}

func TestAnAuditorReadsTheLogAndChangesNothing(t *testing.T) {
	h := newHouse(t)
	h.Create("lease.txt", "the lease")
	audrey := h.as(t, "Audrey Auditor", engine.AccessAuditor, false)
	audrey.lacks("With those chosen", "Upload")
	audrey.follow("Audit log")
	audrey.says("Audit log")
	audrey.open("settings")
	audrey.lacks("Save")
}

func TestAnAdminGoverns(t *testing.T) {
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("lease.txt")
	ada.says("What will become of it")
	ada.click("Place a hold…")
	ada.fill("Why", "a claim of the tenant")
	ada.fill("Matter", "North")
	ada.follow("Place it on legal hold")
	ada.says("a claim of the tenant", "Legal Hold")
	ada.follow("Legal holds")
	ada.says("North")
	ada.open("documents/" + d.ID)
	ada.click("Release…")
	ada.fill("Why", "settled")
	ada.follow("Release the hold")
	ada.follow("Archive")
	ada.says("Archived")
	ada.follow("Unarchive")
	ada.follow("Delete…")
	ada.says("lease.txt")
	ada.follow("Retention")
	ada.follow("Audit log")
	ada.follow("Settings")
	ada.follow("API keys")
	ada.says("API keys")
}

// TestTheKeyboardAloneFindsOpensEditsAndHolds uses no mouse.
func TestTheKeyboardAloneFindsOpensEditsAndHolds(t *testing.T) {
	h := newHouse(t)
	h.Create("offer.txt", "an offer")
	h.Create("lease.txt", "the lease")
	ada := h.tab(t, true)
	ada.open("/console/sign-in")
	ada.do(chromedp.KeyEvent(h.Token)) // the field has the focus
	ada.leads(func() { ada.press(kb.Enter) })
	ada.press("?")
	ada.until("the keys", "document.querySelector('dialog[open]') !== null")
	ada.press(kb.Escape)
	ada.until("the end of the keys", "document.querySelector('dialog') === null")
	ada.press("j", "j", "k")
	ada.leads(func() { ada.press(kb.Enter) })
	ada.says("lease.txt")
	ada.tabTo("Edit…")
	ada.press(" ")
	ada.tabTo("Name")
	ada.press("L", "N")
	ada.tabTo("Save")
	ada.leads(func() { ada.press(kb.Enter) })
	ada.says("LN")
	ada.tabTo("Place a hold…")
	ada.press(" ")
	ada.tabTo("Why")
	ada.press("w", "h", "y")
	ada.leads(func() { ada.press(kb.Enter) })
	ada.says("Legal Hold", "why")
}

func TestTwoPeopleEditAndTheSecondSeesBoth(t *testing.T) {
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	ulla, otto := h.as(t, "Ulla Uploader", engine.AccessUpload, false), h.as(t, "Otto Other", engine.AccessUpload, false)
	for _, b := range []*tab{ulla, otto} {
		b.open("documents/" + d.ID + "/edit")
	}
	ulla.fill("Description", "as Ulla says")
	ulla.follow("Save")
	otto.fill("Description", "as Otto says")
	otto.follow("Save")
	otto.says("Ulla Uploader changed the document meanwhile", "Now: as Ulla says")
	if typed := otto.value("Description"); typed != "as Otto says" {
		t.Errorf("the form has %q", typed)
	}
	otto.follow("Save")
	otto.says("as Otto says")
}

// TestASessionThatEndsInTheMiddleLosesNothingTyped ends it by ending the key.
func TestASessionThatEndsInTheMiddleLosesNothingTyped(t *testing.T) {
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	actor, token := h.Person("Ulla Uploader", engine.AccessUpload)
	_, another, _, err := h.CreateKey(t.Context(), engine.Operator(), engine.NewKey{Name: "another", UserID: actor.UserID})
	if err != nil {
		t.Fatal(err)
	}
	ulla := h.tab(t, false).signIn(token)
	ulla.open("documents/" + d.ID + "/edit")
	ulla.fill("Description", "a long thought")
	if _, _, err := h.RevokeKey(t.Context(), h.Admin, actor.KeyID); err != nil {
		t.Fatal(err)
	}
	ulla.follow("Save")
	ulla.says("Your session ended", "is not lost")
	ulla.fill("API key", another.Reveal())
	ulla.follow("Sign in")
	if typed := ulla.value("Description"); typed != "a long thought" {
		t.Fatalf("the form has %q at %s", typed, ulla.path())
	}
	ulla.follow("Save")
	ulla.says("a long thought")
}

// TestWhatWasTypedComesBackForTheSamePersonAlone has somebody else sign in at the page
// to which a form was sent too late.
func TestWhatWasTypedComesBackForTheSamePersonAlone(t *testing.T) {
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	actor, token := h.Person("Ulla Uploader", engine.AccessUpload)
	_, others := h.Person("Otto Other", engine.AccessUpload)
	mine := h.another(t, actor.UserID)
	ulla := h.tab(t, false).signIn(token)
	ulla.open("documents/" + d.ID + "/edit")
	ulla.fill("Description", "what only Ulla knows")
	ulla.fill("Tags", "private, ours")
	if _, _, err := h.RevokeKey(t.Context(), h.Admin, actor.KeyID); err != nil {
		t.Fatal(err)
	}
	ulla.follow("Save")
	ulla.says("what you typed is not lost")
	back := ulla.path()
	ulla.hides("what only Ulla knows")
	ulla.fill("API key", others)
	ulla.follow("Sign in")
	ulla.says("Otto Other")
	ulla.hides("what only Ulla knows")
	ulla.open("documents/" + d.ID + "/edit")
	ulla.hides("what only Ulla knows")
	ulla.follow("Sign out")
	ulla.open(back)
	ulla.fill("API key", mine)
	ulla.follow("Sign in")
	if typed, tags := ulla.value("Description"), ulla.value("Tags"); typed != "what only Ulla knows" || tags != "private, ours" {
		t.Errorf("the form has %q and %q at %s", typed, tags, ulla.path())
	}
	if is, _ := h.Document(t.Context(), d.ID); is.Description != "" {
		t.Error("the form was taken without anybody sending it")
	}
}

// TestBackReloadAndADoubleClickAreSafe sends nothing twice.
func TestBackReloadAndADoubleClickAreSafe(t *testing.T) {
	h := newHouse(t)
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, false)
	ulla.open("upload")
	ulla.files("Choose files", written(t, "lease.txt", "the lease"))
	ulla.leads(func() { ulla.clicks("Upload", 2) })
	after := ulla.path()
	ulla.reload()
	ulla.history(-1)
	ulla.until("the form", "location.pathname.endsWith('/upload')")
	ulla.reload()
	ulla.history(1)
	ulla.until("the answer again", "location.pathname.endsWith("+quoted(strings.TrimPrefix(after, "/"))+")")
	if n := len(h.all(t)); n != 1 {
		t.Errorf("%d documents of one", n)
	}
}

// TestUploadsShowTheirProgress needs the script: each file has a row of its own.
func TestUploadsShowTheirProgress(t *testing.T) {
	h := newHouse(t)
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, true)
	ulla.open("upload")
	ulla.files("Choose files", written(t, "a.txt", "one"), written(t, "b.txt", "two"))
	ulla.click("Upload")
	ulla.until("both files", "document.body.innerText.includes('a.txt') && document.body.innerText.includes('b.txt')")
	ulla.until("links to both", "document.querySelectorAll('main a[href*=\"/documents/\"]').length >= 2")
	if n := len(h.all(t)); n != 2 {
		t.Errorf("%d documents of two", n)
	}
}
