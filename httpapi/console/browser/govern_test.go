package browser

import (
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

func (h *house) held(t *testing.T, documentID string) {
	t.Helper()
	if _, _, err := h.PlaceHold(t.Context(), h.Admin, documentID, engine.Condition{}, engine.NewHold{Reason: "a claim of the tenant", Matter: "North"}); err != nil {
		t.Fatal(err)
	}
}

// sweep does what is due, as a server does all the time.
func (h *house) sweep(t *testing.T) {
	t.Helper()
	if _, err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestManyAreChangedAfterTheDryRunIsSeen changes tags, and archives what can be.
func TestManyAreChangedAfterTheDryRunIsSeen(t *testing.T) {
	h := newHouse(t)
	offer := h.Create("offer.txt", "an offer")
	lease := h.Create("lease.txt", "the lease")
	h.held(t, lease.ID)
	ada := h.tab(t, false).signIn(h.Token)
	both := func() {
		t.Helper()
		ada.open("documents")
		ada.tick("Choose lease.txt")
		ada.tick("Choose offer.txt")
	}
	both()
	ada.click("Tags…")
	ada.fill("Add", "north, year:2026")
	ada.follow("Show what would be")
	ada.settled()
	ada.says("2 documents would be changed", "Nothing has been changed yet", "lease.txt", "offer.txt")
	if d, _ := h.Document(t.Context(), offer.ID); len(d.Tags) != 0 {
		t.Error("looking changed it")
	}
	ada.follow("Change 2 documents")
	ada.settled()
	ada.says("2 documents changed", "0 documents refused")
	both()
	ada.follow("Archive…")
	ada.settled()
	ada.says("1 document would be changed, 1 document would be refused", "The document is on legal hold")
	ada.follow("Change 1 document")
	ada.settled()
	ada.says("1 document changed")
	ada.reload()
	if d, _ := h.Document(t.Context(), offer.ID); d.Status != engine.StatusArchived || len(d.Tags) != 2 {
		t.Errorf("the offer is %s, with %v", d.Status, d.Tags)
	}
	ada.open("documents?tag=north&status=all")
	ada.says("offer.txt", "lease.txt", "Archived")
	ada.open("me")
	ada.says("Changes of many documents")
}

// TestWhatARunDoesIsSeenBeforeItDoesIt goes from the first policy to what is left of
// a document.
func TestWhatARunDoesIsSeenBeforeItDoesIt(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	h.Define(engine.DateField, "ended")
	var made []engine.Document
	for _, name := range []string{"offer.txt", "lease.txt"} {
		made = append(made, h.CreateFrom(engine.NewDocument{Name: name, CustomFields: map[string]any{"ended": "2001-01-01"}}, name))
	}
	h.held(t, made[1].ID)
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("Retention")
	ada.follow("Make the first policy")
	ada.fill("Name", "A year after the end")
	ada.fill("So many", "1")
	ada.choose("Counted from", "the day in ended")
	ada.choose("Then", "it is deleted for good")
	ada.follow("See what it would do")
	ada.says("Every document is deleted 1 year after", "due, and kept by a legal hold", "The next run would delete 1 for good")
	ada.follow("Make this policy")
	ada.says("A year after the end")
	ada.follow("Retention")
	ada.follow("What would a run do now?")
	ada.says("1 would be deleted for good", "1 would stay: a legal hold keeps them", "offer.txt")
	ada.fill("Why now", "the spring cleaning")
	ada.follow("Start this run: 1 deleted for good")
	h.sweep(t)
	ada.reload()
	ada.settled()
	ada.says("1 deleted for good", "1 left: a legal hold keeps them")
	ada.open("documents/" + made[0].ID)
	ada.says("offer.txt", "Deleted", "Certificate of deletion", "by a retention policy")
	ada.open("documents/" + made[1].ID)
	ada.says("What will become of it", "A year after the end")
}

// TestAnErasureTellsWhatItTakesAndWhatWaits ends with a certificate.
func TestAnErasureTellsWhatItTakesAndWhatWaits(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	offer, lease := h.Create("offer.txt", "an offer"), h.Create("lease.txt", "the lease")
	h.held(t, lease.ID)
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("Erasure")
	ada.says("Nobody has asked to be erased")
	ada.follow("New erasure")
	ada.fill("Who asked", "Case 4711")
	ada.fill("What obliges you", "GDPR Art. 17 (1) b")
	ada.click("Or by their ids")
	ada.fill("Ids", offer.ID+" "+lease.ID)
	ada.follow("See what it would take")
	ada.says("1 document would be erased at once", "1 document must wait", "A legal hold keeps it", "Nothing has happened yet")
	ada.follow("Erase 2 documents for good")
	h.sweep(t)
	ada.reload()
	ada.says("1 of 2 are erased", "Case 4711")
	ada.follow("Certificate to print")
	ada.says("Certificate of erasure", "Not complete", "GDPR Art. 17 (1) b", offer.ID)
	ada.hides("offer.txt")
	ada.open("documents/" + offer.ID)
	ada.says("This document was deleted", "by an erasure")
	ada.hides("offer.txt")
}

// TestTheLogIsVerifiedWithAHeadThatWasKept finds nothing, and finds a head of another
// log out.
func TestTheLogIsVerifiedWithAHeadThatWasKept(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	h.Create("lease.txt", "the lease")
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("Audit log")
	ada.follow("Document created")
	ada.says("The chain", "lease.txt")
	ada.follow("Audit log")
	ada.follow("Head to print")
	head := get[string](ada, "document.querySelector('pre').innerText")
	ada.follow("Audit log")
	ada.follow("Verify")
	ada.puts("Heads that were kept elsewhere", head)
	ada.tick("Read the bytes of every file too")
	ada.follow("Verify now")
	ada.settled()
	ada.says("Everything held.", "1 compared", "the bytes of 1 file")
	digit := strings.LastIndexAny(head, "0123456789")
	other := head[:digit] + string('0'+('9'-head[digit])) + head[digit+1:]
	ada.puts("Heads that were kept elsewhere", other)
	ada.follow("Verify now")
	ada.settled()
	ada.lacks("Everything held.")
}

// TestTwoPersonsReleaseAndOneRestricts has what a viewer must not see hidden, and what
// one alone must not do asked for.
func TestTwoPersonsReleaseAndOneRestricts(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	h.held(t, d.ID)
	bert := h.as(t, "Bert Both", engine.AccessAdmin, false)
	vera := h.as(t, "Vera Viewer", engine.AccessView, false)
	vera.says("lease.txt")
	ada := h.tab(t, false).signIn(h.Token)
	ada.open("settings")
	ada.tick("releasing legal holds")
	ada.follow("Save")
	ada.says("The settings are saved.")
	ada.open("documents/" + d.ID)
	ada.click("Restrict it to admins and auditors…")
	ada.fill("Why", "it is disputed")
	ada.follow("Restrict it")
	vera.open("documents")
	vera.lacks("lease.txt")
	vera.open("documents/" + d.ID)
	vera.says("There is no such document")
	ada.click("Release…")
	ada.fill("Why", "settled")
	ada.follow("Release the hold")
	ada.says("This needs two persons, and nothing is done yet", "Take it back")
	ada.lacks("Approve, and do it")
	bert.open("documents")
	bert.follow("Approvals")
	bert.follow("Release a legal hold")
	bert.says("exactly this is done", "settled")
	bert.follow("Approve, and do it")
	bert.says("It is approved, and done")
	bert.reload()
	if d, _ := h.Document(t.Context(), d.ID); d.HoldCount != 0 {
		t.Error("the hold is there still")
	}
}

// TestAnUploaderMeetsAnObligation makes, completes and opens it again.
func TestAnUploaderMeetsAnObligation(t *testing.T) {
	h := newHouse(t)
	d := h.Create("lease.txt", "the lease")
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, false)
	ulla.open("documents/" + d.ID)
	ulla.follow("New")
	ulla.fill("What is to be done", "Renew the lease")
	ulla.puts("Due on", time.Now().UTC().Format(time.DateOnly))
	ulla.follow("Make it")
	ulla.says("Renew the lease", "It is due")
	ulla.follow("Obligations")
	ulla.says("Mine", "Renew the lease", "By owner", "Ulla Uploader")
	ulla.follow("Renew the lease")
	ulla.fill("Note", "signed in person")
	ulla.choose("Evidence", "Version 1")
	ulla.follow("It is done")
	ulla.says("It was completed", "by Ulla Uploader", "The evidence is version 1", "signed in person")
	ulla.follow("Open it again")
	ulla.says("Is it done?")
	ulla.fill("What is to be done", "Renew the lease for ten years")
	ulla.follow("Save")
	ulla.says("Renew the lease for ten years")
}
