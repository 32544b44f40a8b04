package browser

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/target"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

// onePixel is a picture.
var onePixel, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

// paints makes the pictures of a file of two pages.
func paints(_ context.Context, _ *engine.Vault, _ engine.Actor, _ engine.Version, number, _ int) ([]byte, int, error) {
	if number > 2 {
		return nil, 2, httpapi.ErrPageNotFound
	}
	return onePixel, 2, nil
}

// heard finds a link or a button by all that it is called, seen or only heard.
const heard = `(words => [...document.querySelectorAll('main a, main button')].find(e => e.textContent === words))`

// inContext is the browser context of a tab, to which permissions and downloads belong.
func (b *tab) inContext() cdp.BrowserContextID {
	b.Helper()
	return call(b, target.GetTargetInfo, target.GetTargetInfoParams{}).TargetInfo.BrowserContextID
}

// downloads keeps what is downloaded, in the directory it returns.
func (b *tab) downloads() string {
	b.Helper()
	dir := b.TempDir()
	call(b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: b.inContext(), DownloadPath: dir})
	return dir
}

// keeps is what a click on these words brings to the disk, when it is all there.
func (b *tab) keeps(dir, words, name string) string {
	b.Helper()
	return b.keepsOf(seen, dir, words, name)
}

// keepsOf clicks on what an expression finds by words.
func (b *tab) keepsOf(finds, dir, words, name string) string {
	b.Helper()
	b.clicksOn(finds, words, 1)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if content, err := os.ReadFile(filepath.Join(dir, name)); err == nil && len(content) > 0 { // it has another name until it ends
			return string(content)
		}
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*"))
	b.Fatalf("%q does not bring %s, but %v", words, name, found)
	return ""
}

// drags drags files from the desktop to what an expression finds, and lets them go there.
func (b *tab) drags(to string, paths ...string) {
	b.Helper()
	at := get[[]float64](b, "(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })("+to+")")
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		if kind == input.DispatchDragEventTypeDrop {
			b.until("a sign that they may be let go here", to+".classList.contains('over')")
		}
		call(b, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: at[0], Y: at[1], Data: &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1}})
	}
}

// chosen opens what can be done with documents, after it was ticked which.
func (b *tab) chosen(names ...string) {
	b.Helper()
	b.open("documents")
	for _, name := range names {
		b.tick("Choose " + name)
	}
}

// looks asks what would be, and has it done when that says these words.
func (b *tab) looks(does string, words ...string) {
	b.Helper()
	b.follow("Show what would be")
	b.settled()
	b.says(append(words, "Nothing has been changed yet")...)
	b.follow(does)
	b.settled()
}

// TestAnAdminsDay goes from files on the desktop to the end of a person, in one tab.
func TestAnAdminsDay(t *testing.T) {
	thorough(t)
	h := searchingWith(t, console.Options{Pictures: paints})
	h.Define(engine.TextField, "supplier")
	otto, _ := h.Person("Otto Owner", engine.AccessUpload)
	lea, _ := h.Person("Lea Leaver", engine.AccessView)
	ada := h.tab(t, true).signIn(h.Token)
	disk := ada.downloads()

	ada.open("upload")
	ada.says("or drag them here")
	ada.drags("document.querySelector('[data-drop]')", written(t, "lease.txt", "the lease"), written(t, "offer.txt", "an offer"), written(t, "note.txt", "a note"))
	ada.until("three files", "document.querySelectorAll('[data-files] li').length === 3")
	ada.click("Upload")
	ada.until("all of them", "document.querySelector('[data-said]').textContent === 'All are kept.'")
	of := map[string]engine.Document{}
	for _, d := range h.all(t) {
		of[d.Name] = d
	}

	ada.changesMany()
	for _, name := range []string{"lease.txt", "offer.txt"} {
		if d, err := h.Document(t.Context(), of[name].ID); err != nil || d.Category != "contract" || d.OwnerID != otto.UserID || d.CustomFields["supplier"] != "Acme; Bolt" {
			t.Errorf("%s is %s, of %s, with %v: %v", name, d.Category, d.OwnerID, d.CustomFields, err)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(ada.keeps(disk, "As a CSV register", "documents.csv"))).ReadAll()
	if err != nil || len(rows) != 3 || !slices.Contains(rows[1], "Otto Owner") || !slices.Contains(rows[1], "contract") {
		t.Errorf("the register is %q: %v", rows, err)
	}
	ada.sortsAndArchives()
	ada.readsPages()
	ada.readsVersions(disk, of["note.txt"].ID)
	ada.copiesID(of["lease.txt"].ID)
	ada.holdsMany()
	ada.erasesMany(of["note.txt"].ID)
	ada.erasesPerson(lea)
	ada.resumes()
	ada.findsEntries(of["lease.txt"].ID)
	ada.exportsLog(disk)
}

// changesMany gives two of three documents a category, an owner and a field.
func (b *tab) changesMany() {
	b.Helper()
	b.chosen("lease.txt", "offer.txt")
	b.click("Category…")
	get[any](b, "void (document.querySelector('.bar [name=category]').value = 'contract')") // the filter has a field of that name too
	b.looks("Change 2 documents", "The category becomes contract.", "2 documents would be changed", "lease.txt", "offer.txt")
	b.says("2 documents changed, 0 documents refused")
	b.chosen("lease.txt", "offer.txt")
	b.click("Owner…")
	get[any](b, "void (e => { e.value = [...e.options].find(o => o.text.startsWith('Otto Owner')).value; })(document.querySelector('.bar [name=ownerId]'))")
	b.looks("Change 2 documents", "The owner becomes Otto Owner.", "2 documents would be changed")
	b.says("2 documents changed, 0 documents refused")
	b.open("documents?category=contract")
	b.tick("all that match, on every page")
	b.click("Field…")
	b.choose("Field", "supplier")
	b.fill("Value", "Acme; Bolt")
	b.looks("Change 2 documents", "becomes Acme; Bolt.", "2 documents would be changed")
	b.says("2 documents changed, 0 documents refused")
	b.open("documents?category=contract")
	b.says("lease.txt", "offer.txt", "Otto Owner")
	b.lacks("note.txt")
}

// sortsAndArchives has the order of a list in its address, and puts a selection away and
// brings it back.
func (b *tab) sortsAndArchives() {
	b.Helper()
	b.open("documents")
	b.choose("Order", "By name, backwards")
	b.follow("Show")
	b.reload()
	if names := get[[]string](b, "[...document.querySelectorAll('tbody a.name')].map(e => e.innerText)"); !slices.Equal(names, []string{"offer.txt", "note.txt", "lease.txt"}) {
		b.Errorf("%s has %q", b.path(), names)
	}
	b.tick("Choose note.txt")
	b.follow("Archive…")
	b.settled()
	b.follow("Change 1 document")
	b.settled()
	b.open("documents")
	b.lacks("note.txt")
	b.choose("Status", "Archived")
	b.follow("Show")
	b.tick("Choose note.txt")
	b.follow("Unarchive…")
	b.settled()
	b.says("The documents become active again.", "1 document would be changed")
	b.follow("Change 1 document")
	b.settled()
	b.open("documents")
	b.says("note.txt")
}

// readsVersions takes the current version of a document away, and the one before; and
// sees a file that is a picture.
func (b *tab) readsVersions(disk, id string) {
	b.Helper()
	if _, _, err := b.h.AddVersion(b.Context(), b.h.Admin, id, engine.Condition{}, engine.NewVersion{FileName: "letter.txt", MediaType: "text/plain"}, b.h.Upload("a letter")); err != nil {
		b.Fatal(err)
	}
	b.open("documents/" + id)
	if is := b.keepsOf(heard, disk, "Download version 1", "note.txt"); is != "a note" {
		b.Errorf("version 1 is %q", is)
	}
	if is := b.keeps(disk, "Download", "letter.txt"); is != "a letter" {
		b.Errorf("the current version is %q", is)
	}
	d := b.h.CreateFrom(engine.NewDocument{Name: "seal.png", Version: engine.NewVersion{FileName: "seal.png", MediaType: "image/png"}}, string(onePixel))
	b.open("documents/" + d.ID)
	b.until("the picture", "(e => e && e.complete && e.naturalWidth > 0)(document.querySelector('img.shown[alt=\"seal.png\"]'))")
}

// findsEntries asks the log by operation, person, document and time.
func (b *tab) findsEntries(lease string) {
	b.Helper()
	entries := func() int { return get[int](b, "document.querySelectorAll('table.log tbody tr').length") }
	b.open("audit")
	all := entries()
	b.fill("Document", lease)
	b.follow("Show")
	b.says("What happened to lease.txt.", "Document created", "Hold placed")
	of := entries()
	b.choose("What", "Hold placed")
	b.choose("Who", "Ada Admin")
	b.puts("From", time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	b.follow("Show")
	b.says("Hold placed", "Ada Admin", "lease.txt")
	if one := entries(); one != 1 || of <= one || all <= of {
		b.Errorf("of %d entries %d are of the document, and %d of its hold", all, of, one)
	}
	b.puts("To", "2001-01-01")
	b.puts("From", "")
	b.follow("Show")
	b.says("No entry fits")
}

// looksAgain loads a page again until the index has come so far that it says these words.
func (b *tab) looksAgain(words string) {
	b.Helper()
	for range 200 {
		if text := b.text(); strings.Contains(text, words) && !strings.Contains(text, "still catching up") {
			return
		}
		time.Sleep(10 * time.Millisecond)
		b.reload()
	}
	b.Fatalf("%s does not come to say %q:\n%s", b.path(), words, b.text())
}

// readsPages leafs through a PDF, with what it says beside.
func (b *tab) readsPages() {
	b.Helper()
	d := b.h.CreateFrom(engine.NewDocument{Name: "plan.pdf", Version: engine.NewVersion{FileName: "plan.pdf", MediaType: "application/pdf"}}, "%PDF-1.7")
	if _, _, err := b.h.SetText(b.Context(), b.h.Admin, d.ID, 1, engine.Condition{}, "The staircase is to the north."); err != nil {
		b.Fatal(err)
	}
	b.open("documents/" + d.ID)
	picture := "(e => e && e.complete && e.naturalWidth > 0)(document.querySelector('.leaf img, .leaves img'))"
	b.until("the first page", picture)
	b.follow("All pages")
	b.looksAgain("The staircase")
	b.says("Page 1 of 2", "The staircase is to the north.")
	b.follow("Next page")
	b.until("the second page", picture)
	b.says("Page 2 of 2", "The staircase is to the north.")
	b.lacks("Next page")
	if beside := get[bool](b, "(([p, t]) => t.x >= p.right && t.y < p.bottom)([...document.querySelectorAll('.leaves > section')].map(e => e.getBoundingClientRect()))"); !beside {
		b.Error("the text is not beside the page")
	}
	b.follow("Page before")
	b.says("Page 1 of 2")
}

// copiesID has the id of a document in the clipboard.
func (b *tab) copiesID(id string) {
	b.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		call(b, browser.SetPermission, browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted, BrowserContextID: b.inContext()})
	}
	b.open("documents/" + id)
	b.click("copy id")
	b.until("that it is copied", "[...document.querySelectorAll('h1 ~ * button')].some(e => e.innerText === 'copied')")
	if has := get[string](b, "navigator.clipboard.readText()"); has != id {
		b.Errorf("the clipboard has %q, the document is %s", has, id)
	}
}

// holdsMany places a hold on a selection, and for the same matter from the page of holds.
func (b *tab) holdsMany() {
	b.Helper()
	b.chosen("lease.txt")
	b.click("Hold…")
	b.fill("Why", "a claim of the tenant")
	b.fill("Matter", "North")
	b.looks("Change 1 document", "are placed on legal hold for North", "would be held")
	b.says("1 document changed")
	b.open("documents")
	b.says("Legal Hold")
	b.open("documents?q=Acme+Bolt")
	b.looksAgain("2 found")
	b.follow("Legal holds")
	b.says("North", "a claim of the tenant", "lease.txt")
	b.follow("Place holds")
	b.fill("Matter", "North")
	b.fill("Why", "the offer too")
	b.fill("Words in names, tags, fields and text", "Acme Bolt")
	b.follow("See which would be held")
	b.says("1 document would be put on legal hold for North", "1 is held for it already", "Nothing has happened yet", "offer.txt")
	b.follow("Put 1 document on legal hold")
	b.says("1 document on legal hold now for North", "offer.txt", "lease.txt")
	b.lacks("note.txt")
}

// erasesMany asks for the erasure of a selection, of which what is held waits.
func (b *tab) erasesMany(note string) {
	b.Helper()
	b.chosen("note.txt", "offer.txt")
	b.click("Erase…")
	b.fill("Legal basis", "GDPR Art. 17(1)(a)")
	b.fill("Who asks", "Case 4711")
	b.looks("Erase 2 documents", "1 document would be erased for good at once", "waits, because a legal hold keeps it", "note.txt", "offer.txt")
	b.says("1 document erased, 1 document waiting", "The case is")
	b.h.sweep(b.T)
	b.open("documents/" + note)
	b.says("This document was deleted", "by an erasure")
	b.open("documents")
	b.says("offer.txt", "lease.txt")
	b.lacks("note.txt")
}

// erasesPerson closes somebody, and has what tells of her erased.
func (b *tab) erasesPerson(lea engine.Actor) {
	b.Helper()
	b.follow("Settings")
	b.follow("Users")
	b.follow("Lea Leaver")
	b.choose("State", "closed")
	b.follow("Save")
	b.follow("Erasure")
	b.follow("New erasure")
	b.fill("Who asked", "Case 4712")
	b.fill("What obliges you", "GDPR Art. 17(1)(b)")
	b.choose("Who was closed", "Lea Leaver")
	b.follow("See what it would take")
	b.says("Lea Leaver would be erased", "Their documents stay", "Case 4712")
	b.follow("Erase this person for good")
	b.h.sweep(b.T)
	b.reload()
	b.says("Erasure of a person", "All is gone", "Case 4712", lea.UserID)
	b.hides("Lea Leaver")
	b.open("settings/users")
	b.hides("Lea Leaver")
}

// resumes lets a vault that was restored go on.
func (b *tab) resumes() {
	b.Helper()
	still := true
	if _, _, err := b.h.UpdateSettings(b.Context(), b.h.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &still}); err != nil {
		b.Fatal(err)
	}
	b.follow("Retention")
	b.says("Retention stands still.", "No run starts by itself")
	b.follow("See what would start again")
	b.says("The daily run of retention", "Webhooks: there is none that is active", "Erasures: ")
	b.follow("Let it go on")
	b.says("The vault goes on", "A run starts by itself every day")
	b.lacks("stands still")
}

// exportsLog takes the log away, and its details.
func (b *tab) exportsLog(disk string) {
	b.Helper()
	head := b.h.Head()
	for _, what := range []string{"The log", "Its details"} {
		b.open("audit")
		b.click("Export…")
		name := fmt.Sprintf("main-%s-%d.jsonl", map[string]string{"The log": "log", "Its details": "details"}[what], head.Seq)
		lines := strings.Split(strings.TrimSuffix(b.keeps(disk, what, name), "\n"), "\n")
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				b.Fatalf("%s has the line %q", name, line)
			}
		}
		if what == "The log" && (uint64(len(lines)) != head.Seq || !strings.Contains(lines[0], "vault.created")) {
			b.Errorf("the log of %d entries is exported with %d: %s", head.Seq, len(lines), lines[0])
		}
		b.says("Audit log")
	}
}
