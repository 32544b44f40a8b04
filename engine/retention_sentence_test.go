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

// All that is said of a day says it of the day that it is where the vault is, at the
// other ends of the world too, and by which calendar the period runs.
func TestSentencesNameTheDayOfTheVault(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"America/Los_Angeles", "UTC", "Pacific/Auckland"} {
		for _, c := range []struct {
			policy     engine.NewPolicy
			next, says string
			until      string
		}{
			{engine.NewPolicy{Period: "P12M", StartAt: engine.StartAtEndOfYear}, "31 December 2091 23:59", "12 months after the end of the year of", "2091-12-31"},
			{engine.NewPolicy{Period: "P1Y6M", StartAt: engine.StartAtEndOfMonth}, "28 August 2091 23:59", "1 year and 6 months after the end of the month of", "2091-08-28"},
			{engine.NewPolicy{Period: "P2W", StartAt: engine.StartAtEndOfYear}, "14 January 2091 23:59", "2 weeks after the end of the year of", "2091-01-14"},
			{engine.NewPolicy{Period: "P30D", StartAt: engine.StartAtEndOfYear}, "30 January 2091 23:59", "30 days after the end of the year of", "2091-01-30"},
		} {
			k := enginetest.New(t)
			_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone})
			must(t, err)
			d := k.CreateFrom(engine.NewDocument{Name: "bill", CustomFields: map[string]any{"renewalDate": "2090-02-12"}}, "text")
			// A document's own policy, as one of all documents.
			for _, scope := range []engine.Scope{engine.ScopeOrganization, engine.ScopeDocument} {
				n := c.policy
				n.Name, n.Scope, n.Action, n.Protect, n.StartFrom = string(scope), scope, engine.ActionDelete, engine.ProtectGovernance, "field:renewalDate"
				if scope == engine.ScopeDocument {
					n.Target = d.ID
				}
				policy(k, n)
				x, err := k.Disposition(t.Context(), k.Admin, d.ID)
				must(t, err)
				if want := "The first run after " + c.next + " " + zone + " will delete it."; x.Next != want {
					t.Errorf("%s %s: %s, want %s", zone, scope, x.Next, want)
				}
				if !strings.Contains(x.Policies[0].Says, c.says) || x.Policies[0].Name != string(scope) {
					t.Errorf("%s %s: %+v", zone, scope, x.Policies[0])
				}
				err = deleteOne(k, d.ID, engine.Condition{})
				if err == nil || !strings.HasSuffix(err.Error(), "until "+c.until) {
					t.Errorf("%s %s: %v, want %s", zone, scope, err, c.until)
				}
			}
		}
	}
}
