package browser

import (
	"fmt"
	"testing"

	"strongroom/engine"

	"github.com/chromedp/cdproto/emulation"
)

// TestReportIsPrinted makes an integrity report by hand, looks at it before and after the
// log is signed, and prints it: what is written is on paper, what leads elsewhere is not.
func TestReportIsPrinted(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	_, _, err := h.CreatePolicy(t.Context(), h.Admin, engine.NewPolicy{Name: "Leases of the north", Scope: engine.ScopeOrganization, Period: "P10Y", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
	if err != nil {
		t.Fatal(err)
	}
	d := h.Create("lease.txt", "the lease of the north building")
	if _, _, err := h.PlaceHold(t.Context(), h.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "a suit"}); err != nil {
		t.Fatal(err)
	}
	axe := axeSource(t)
	b := h.tab(t, true).signIn(h.Token)
	b.open("documents/" + d.ID + "/report")
	b.says("The log has not been signed since something last happened to lease.txt")
	b.inspect(axe)
	b.follow("Sign the log and show the report")
	b.says("What the vault main can show of this document", "Protection over time", "The policy Leases of the north, by governance", "A legal hold", "Proof of version 1")
	b.inspect(axe)
	b.open("audit/checkpoint")
	b.says("The key of the log", "No witness has signed it")
	b.inspect(axe)
	b.open("documents/" + d.ID)
	b.follow("Integrity report")
	b.says("Proof of version 1")

	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.size(700, 1000) // A4 between its margins
	for _, what := range []string{"nav", "main button", "footer"} {
		if get[bool](b, fmt.Sprintf("document.querySelector(%q).checkVisibility()", what)) {
			t.Errorf("%s is printed", what)
		}
	}
	if !get[bool](b, "[...document.querySelectorAll('.print td')].every(e => getComputedStyle(e).display === 'table-cell') && document.documentElement.scrollWidth <= innerWidth") {
		t.Error("what is printed is no table, or is wider than the paper")
	}
}
