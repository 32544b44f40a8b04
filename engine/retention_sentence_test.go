package engine_test

import (
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Sentences about a document name the period in the calendar, where it begins, and
// times in the vault's zone.
func TestSentencesOfCalendarPeriods(t *testing.T) {
	k := enginetest.New(t)
	zone := "Europe/Berlin"
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone})
	must(t, err)
	d := k.CreateFrom(engine.NewDocument{Name: "bill", Category: "invoice", CustomFields: map[string]any{"renewalDate": "2090-02-12"}}, "text")
	policy(k, engine.NewPolicy{Name: "Tax", Scope: engine.ScopeCategory, Target: "invoice", Period: "P10Y", Action: engine.ActionDelete, StartFrom: "field:renewalDate", StartAt: engine.StartAtEndOfYear})
	x, err := k.Disposition(t.Context(), k.Admin, d.ID)
	must(t, err)
	if want := "The first run after 31 December 2100 23:59 Europe/Berlin will delete it."; x.Next != want {
		t.Errorf("%s", x.Next)
	}
	if want := `delete it 10 years after the end of the year of the date in its field "renewalDate", 2090-12-31`; x.Policies[0].Says != want || !strings.HasSuffix(x.Delete.Why, " says to "+want) {
		t.Errorf("%s\n%s", x.Policies[0].Says, x.Delete.Why)
	}
}
