package retention

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The truth table stands where the rules are told, and each of its rows holds.
func TestTruthTable(t *testing.T) {
	rows := rowsAfter(t, "document category template product organization conflict  wins")
	for _, cells := range rows {
		line := strings.Join(cells, " ")
		conflicts := []string{"longest", "shortest"}
		policies, conflict, want := readRow(t, cells)
		if conflict != "any" {
			conflicts = []string{conflict}
		}
		for _, conflict := range conflicts {
			for _, action := range []Action{ActionArchive, ActionDelete} {
				checkRow(t, line, policies, action, conflict, want)
			}
		}
	}
	if len(rows) < 12 {
		t.Errorf("%d rows", len(rows))
	}
}

// readRow returns the policies of a row, without an action, in the order in
// which they were made; conflict; and what wins: a scope, years, and whether it
// was made first.
func readRow(t *testing.T, cells []string) (policies []Policy, conflict, want string) {
	for i, s := range []Scope{ScopeDocument, ScopeCategory, ScopeTemplate, ScopeProduct, ScopeOrganization} {
		for period := range strings.SplitSeq(strings.Trim(cells[i], "-"), "+") {
			years, err := strconv.Atoi(strings.TrimSuffix(period, "y"))
			if err != nil && period != "" {
				t.Fatalf("%v: %v", cells, err)
			}
			if period != "" {
				policies = append(policies, Policy{
					ID: fmt.Sprintf("%02d", len(policies)), Scope: s, Target: "x", Period: Days(uint64(years) * 365), Enabled: true,
				})
			}
		}
	}
	return policies, cells[5], strings.Join(cells[6:], " ")
}

func checkRow(t *testing.T, line string, policies []Policy, action Action, conflict, want string) {
	t.Helper()
	other := map[Action]Action{ActionArchive: ActionDelete, ActionDelete: ActionArchive}[action]
	var all []Policy
	for _, p := range policies {
		p.Action = action
		all = append(all, p)
	}
	// What is disabled, or does something else, stands in nobody's way.
	for i, s := range Scopes() {
		all = append(all,
			Policy{ID: fmt.Sprint("off", i), Scope: s, Action: action, Period: Days(9_999)},
			Policy{ID: fmt.Sprint("other", i), Scope: s, Action: other, Period: Days(0), Enabled: true})
	}
	winner := Choose(&Document{}, all, action, conflict == "shortest")
	got := "nothing: it is kept"
	if winner != nil {
		got = fmt.Sprintf("%s %dy", winner.Scope, winner.Period.days/365)
		twins := 0
		for _, p := range policies {
			if p.Scope == winner.Scope && p.Period == winner.Period {
				twins++
				if p.ID < winner.ID {
					t.Errorf("%s: the one made later won", line)
				}
			}
		}
		if twins > 1 {
			got += ", made first"
		}
	}
	if got != want {
		t.Errorf("%s: %s by %s: %s wins", line, action, conflict, got)
	}
}
