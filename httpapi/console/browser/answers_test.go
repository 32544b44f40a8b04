package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// TestAnswersToFormsCanBeUsedByEverybody looks at pages that no link leads to: what
// is wrong with a form, a conflict, a dry run, a secret, a request for approval.
func TestAnswersToFormsCanBeUsedByEverybody(t *testing.T) {
	thorough(t)
	h := openHouse(t, vault(t), console.Options{MaxUpload: 100})
	axe := axeSource(t)
	h.lengthen(t)
	d := h.Create("lease.txt", "the lease")
	h.held(t, d.ID)
	bert, _ := h.Person("Bert Both", engine.AccessAdmin)
	ada := h.tab(t, true)
	ada.open("/console/sign-in")
	ada.fill("API key", "sr_main_wrong")
	ada.follow("Sign in")
	ada.says("not valid")
	ada.inspect(axe)
	ada.signIn(h.Token)
	look := func(words ...string) {
		t.Helper()
		ada.says(words...)
		ada.inspect(axe)
	}
	ada.open("documents/nothing")
	look("There is no such document")

	ada.open("settings/users/" + bert.UserID)
	name := "Bert Better"
	if _, _, err := h.UpdateUser(t.Context(), h.Admin, bert.UserID, engine.Condition{}, engine.UserPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	ada.fill("Name", "Bert Best")
	ada.follow("Save")
	look("Somebody else changed this meanwhile", "Now: Bert Better")
	ada.open("settings")
	ada.fill("Time zone", "Mars/Base")
	ada.tick("People sign in to the console with an API key too")
	ada.tick("releasing legal holds")
	ada.follow("Save")
	look("This cannot be kept as it is", "Now: UTC")

	ada.open("documents")
	ada.tick("Choose lease.txt")
	ada.tick("Choose " + strings.Repeat("Settlement", 20))
	ada.follow("Archive…")
	ada.settled()
	look("Nothing has been changed yet", "refused")
	ada.open("retention/policies/new")
	ada.fill("Name", strings.Repeat("Settlement", 20))
	ada.fill("So many", "10")
	ada.choose("Then", "it is deleted")
	ada.follow("See what it would do")
	look("Make this policy")
	ada.open("holds/new")
	ada.fill("Matter", "South")
	ada.fill("Why", "a claim")
	ada.fill("Name begins with", "lease")
	ada.follow("See which would be held")
	look("would be put on legal hold")
	ada.open("erasures/new")
	ada.fill("Who asked", "Case 4711")
	ada.fill("What obliges you", "GDPR Art. 17")
	ada.fill("Name begins with", "lease")
	ada.follow("See what it would take")
	look("must wait")

	ada.open("settings/keys")
	ada.fill("Name", "scanner")
	ada.follow("Make it")
	look("shown once")
	ada.open("audit/verify")
	ada.follow("Verify now")
	look("Everything held.")

	two := []engine.Covered{engine.CoveredHoldRelease}
	if _, _, err := h.UpdateSettings(t.Context(), h.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &two}); err != nil {
		t.Fatal(err)
	}
	ada.open("documents/" + d.ID)
	ada.click("Release…")
	ada.fill("Why", "settled")
	ada.follow("Release the hold")
	look("This needs two persons, and nothing is done yet")
	ada.open("approvals")
	look("Release a legal hold", "Waiting")

	ada.open("upload")
	ada.files("Choose files", written(t, strings.Repeat("settlement", 20)+".txt", "short"), written(t, "large.txt", strings.Repeat("x", 101)))
	ada.click("Fields of its own…")
	ada.until("the fields of its own", "document.querySelector('details[open] [data-own]') !== null")
	ada.click("Upload")
	ada.until("the end", "document.querySelector('[data-said]').textContent.startsWith('Not all were kept')")
	look("The file is too large", "kept")
	plain := h.tab(t, false).signIn(h.Token)
	plain.open("upload")
	plain.files("Choose files", written(t, "c.txt", "three"), written(t, "large.txt", strings.Repeat("x", 101)))
	plain.follow("Upload")
	plain.says("not kept", "The file is too large")
	call(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}) // axe is one
	plain.inspect(axe)
}
