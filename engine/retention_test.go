package engine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The truth table stands where the rules are told, and each of its rows holds.
func TestTruthTable(t *testing.T) {
	source, err := os.ReadFile("retention.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := bytes.Cut(source, []byte("//	document category template product organization conflict  wins\n"))
	if !ok {
		t.Fatal("there is no table")
	}
	rows := 0
	for line := range strings.Lines(string(table)) {
		line, ok := strings.CutPrefix(line, "//	")
		if !ok {
			break
		}
		rows++
		conflicts := []string{conflictLongest, conflictShortest}
		policies, conflict, want := readRow(t, line)
		if conflict != "any" {
			conflicts = []string{conflict}
		}
		for _, conflict := range conflicts {
			for _, action := range []Action{ActionArchive, ActionDelete} {
				checkRow(t, line, policies, action, conflict, want)
			}
		}
	}
	if rows < 12 {
		t.Errorf("%d rows", rows)
	}
}

// readRow returns the policies of a row, without an action, in the order in
// which they were made; conflict; and what wins: a scope, years, and whether it
// was made first.
func readRow(t *testing.T, line string) (policies []Policy, conflict, want string) {
	cells := strings.Fields(line)
	for i, s := range []Scope{ScopeDocument, ScopeCategory, ScopeTemplate, ScopeProduct, ScopeOrganization} {
		for period := range strings.SplitSeq(strings.Trim(cells[i], "-"), "+") {
			years, err := strconv.Atoi(strings.TrimSuffix(period, "y"))
			if err != nil && period != "" {
				t.Fatalf("%s: %v", line, err)
			}
			if period != "" {
				policies = append(policies, Policy{
					ID: fmt.Sprintf("%02d", len(policies)), Scope: s, Target: "x", PeriodDays: uint64(years) * 365, Enabled: true,
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
	for i, s := range scopes() {
		all = append(all,
			Policy{ID: fmt.Sprint("off", i), Scope: s, Action: action, PeriodDays: 9_999},
			Policy{ID: fmt.Sprint("other", i), Scope: s, Action: other, PeriodDays: 0, Enabled: true})
	}
	winner := choose(all, action, conflict == conflictShortest)
	got := "nothing: it is kept"
	if winner != nil {
		got = fmt.Sprintf("%s %dy", winner.Scope, winner.PeriodDays/365)
		twins := 0
		for _, p := range policies {
			if p.Scope == winner.Scope && p.PeriodDays == winner.PeriodDays {
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
		t.Errorf("%s%s by %s: %s wins", line, action, conflict, got)
	}
}

// A day's run has one instant, whatever the clocks do.
func TestSlot(t *testing.T) {
	for _, c := range []struct{ zone, at, now, want string }{
		{"UTC", "02:00", "2026-11-21T01:59:59Z", "2026-11-20T02:00:00Z"},
		{"UTC", "02:00", "2026-11-21T02:00:00Z", "2026-11-21T02:00:00Z"},
		{"Europe/Berlin", "02:00", "2026-07-01T12:00:00Z", "2026-07-01T00:00:00Z"},
		// On 29 March 2026 the clocks go from 02:00 to 03:00, at 01:00 in UTC.
		{"Europe/Berlin", "02:30", "2026-03-29T00:59:59Z", "2026-03-28T01:30:00Z"},
		{"Europe/Berlin", "02:30", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "02:30", "2026-03-29T23:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "02:30", "2026-03-30T00:30:00Z", "2026-03-30T00:30:00Z"},
		// On 25 October 2026 they go from 03:00 to 02:00, at 01:00 in UTC.
		{"Europe/Berlin", "02:30", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "02:30", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "02:30", "2026-10-26T01:29:59Z", "2026-10-25T00:30:00Z"},
		{"America/New_York", "01:30", "2026-11-01T05:30:00Z", "2026-11-01T05:30:00Z"},
		{"America/New_York", "01:30", "2026-11-01T06:30:00Z", "2026-11-01T05:30:00Z"},
		{"America/New_York", "02:30", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"},
		{"Pacific/Auckland", "23:59", "2026-11-21T10:58:59Z", "2026-11-20T10:59:00Z"},
		{"Pacific/Kiritimati", "00:00", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"},
		// The clocks of Beirut go from 00:00 to 01:00 on 29 March 2026, at 22:00 in UTC.
		{"Asia/Beirut", "00:30", "2026-03-28T23:00:00Z", "2026-03-28T22:00:00Z"},
		// Samoa had no 30 December 2011.
		{"Pacific/Apia", "02:00", "2011-12-30T13:00:00Z", "2011-12-30T12:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, c.now)
		var hour, minute int
		fmt.Sscanf(c.at, "%d:%d", &hour, &minute)
		if got := slot(now, hour, minute, zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s at %s: %s, want %s", c.at, c.zone, c.now, got, c.want)
		}
	}
}

// Through two years of any zone's changes, each day has one run: none is
// skipped, none started twice.
func TestEachDayHasOneSlot(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range [][2]int{{0, 0}, {0, 30}, {2, 0}, {2, 15}, {2, 30}, {3, 0}, {23, 59}} {
			days := map[string]time.Time{}
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for now := begin; now.Before(begin.AddDate(2, 0, 0)); now = now.Add(15 * time.Minute) {
				s := slot(now, at[0], at[1], zone)
				day := s.In(zone).Format(time.DateOnly)
				if other, met := days[day]; met && !other.Equal(s) {
					t.Fatalf("%s: %s has two: %v and %v", name, day, other, s)
				}
				days[day] = s
			}
			if len(days) < 730 {
				t.Errorf("%s, %v: %d days", name, at, len(days))
			}
		}
	}
}
