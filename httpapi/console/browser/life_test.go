package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"strongroom/engine"
)

// TestADocumentGoesThroughItsLife compares and restores versions, waits in a draft,
// has its lock broken, takes a password, and is deleted by its name.
func TestADocumentGoesThroughItsLife(t *testing.T) {
	thorough(t)
	h := searching(t)
	text := engine.NewVersion{MediaType: "text/plain; charset=utf-8"}
	d := h.CreateFrom(engine.NewDocument{Name: "lease.txt", Version: text}, "for ten years, at a rent of 900")
	if _, _, err := h.AddVersion(t.Context(), h.Admin, d.ID, engine.Condition{}, engine.NewVersion{MediaType: text.MediaType, FileName: "lease.txt"}, h.Upload("for ten years, at a rent of 950")); err != nil {
		t.Fatal(err)
	}
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, false)
	ada := h.tab(t, false).signIn(h.Token)
	ulla.open("documents/" + d.ID)
	ulla.follow("Compare")
	ulla.says("1 word went, 1 word came", "900", "950")
	ulla.open("documents/" + d.ID)
	ulla.click("Restore…")
	ulla.follow("Restore version 1")
	ulla.says("version 3", "for ten years, at a rent of 900")

	ulla.click("Lock for editing…")
	ulla.tick("Changes wait until I release the lock")
	ulla.follow("Lock it")
	ulla.says("You are editing this document", "Changes wait in a draft")
	ulla.click("Edit")
	if ulla.path() == "documents/"+d.ID {
		ulla.until("the form", labelled+"('Description') !== undefined")
	}
	ulla.fill("Description", "only a draft")
	ulla.follow("Save")
	ulla.says("only a draft")
	ada.open("documents/" + d.ID)
	ada.says("Ulla Uploader is editing this document")
	ada.lacks("only a draft")
	ada.click("Break the lock…")
	ada.fill("Why", "she is on leave")
	ada.follow("Break it")
	ada.lacks("is editing this document")

	ada.click("Edit password…")
	ada.fill("New password", "open sesame")
	ada.follow("Set it")
	ada.says("It takes the edit password now")
	ulla.open("documents/" + d.ID)
	ulla.click("Lock for editing…")
	ulla.fill("Edit password", "open barley")
	ulla.follow("Lock it")
	ulla.says("That is not the edit password")
	ulla.open("documents/" + d.ID)
	ulla.click("Lock for editing…")
	ulla.fill("Edit password", "open sesame")
	ulla.follow("Lock it")
	ulla.says("You are editing this document")
	ulla.follow("Renew")
	ulla.follow("Release and keep")

	ada.open("documents/" + d.ID)
	ada.follow("Delete…")
	ada.fill("Type its name", "lease")
	ada.follow("Delete for good")
	ada.says("That is not its name")
	ada.fill("Type its name", "lease.txt")
	ada.follow("Delete for good")
	ada.says("lease.txt", "Deleted", "Certificate of deletion", "by hand")
	ada.reload()
	ada.open("documents?status=deleted")
	ada.says("lease.txt")
}

// TestAnAdminArrangesTheVault has a category and a field made, and what a leaver has
// handed over.
func TestAnAdminArrangesTheVault(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	leaver, _ := h.Person("Lea Leaver", engine.AccessUpload)
	h.CreateFrom(engine.NewDocument{Name: "lease.txt", OwnerID: leaver.UserID}, "the lease")
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("Settings")
	ada.follow("Categories")
	ada.fill("Name", "minutes")
	ada.follow("Add it")
	ada.says("The category minutes can be chosen now")
	ada.click("Remove…")
	ada.follow("Remove minutes")
	ada.says("is gone from the choice")
	ada.follow("Fields")
	ada.fill("Key", "supplier")
	ada.fill("Label", "Supplier & Co")
	ada.choose("Type", "One of some choices")
	ada.puts("Choices", "Acme\nBolt")
	ada.follow("Define it")
	ada.follow("Supplier & Co")
	ada.says("No document has a value")
	ada.follow("Users")
	ada.fill("Name", "Nora New")
	ada.choose("Access", "view")
	ada.follow("Add them")
	ada.says("Nora New is a user now")
	ada.follow("Users")
	ada.follow("Lea Leaver")
	ada.says("1 document and 0 open obligations")
	ada.choose("To", "Nora New")
	ada.follow("Show what would be")
	ada.says("would go from Lea Leaver to Nora New", "Nothing has happened yet")
	ada.follow("Hand it over")
	ada.says("belong to Nora New now", "Lea Leaver is closed")
	ada.follow("All users")
	ada.follow("Nora New")
	ada.click("Link them to an account there…")
	ada.fill("Issuer", "https://id.example")
	ada.fill("Subject", "0815")
	ada.follow("Link them")
	ada.says("Nora New is linked", "0815")
	ada.follow("Health")
	ada.says("There is no backup")
}

// TestKeysAreSwitchedOffAndPrintedPagesAreClean: who does not want single keys to do
// something turns them off for good.
func TestKeysAreSwitchedOffAndPrintedPagesAreClean(t *testing.T) {
	h := newHouse(t)
	h.Create("lease.txt", "the lease")
	vera := h.as(t, "Vera Viewer", engine.AccessView, true)
	vera.press("j")
	vera.until("the first", "document.activeElement.innerText === 'lease.txt'")
	vera.press("?")
	vera.until("the keys", "document.querySelector('dialog[open]') !== null")
	vera.tick("Keys are on")
	vera.press(kb.Escape)
	vera.reload()
	vera.press("j")
	if get[bool](vera, "document.activeElement !== document.body") {
		t.Error("the key does something though it is switched off")
	}
	vera.press("?")
	vera.until("the keys", "document.querySelector('dialog[open]') !== null")
	vera.press(kb.Escape)
	vera.open("audit/head")
	call(vera, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	vera.says("Head of the audit log")
	vera.lacks("Sign out", "Print this page as it is", "API reference")
}
