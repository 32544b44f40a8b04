package retention

import (
	"testing"
	"time"
)

func loadZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
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
		daily, err := ParseDaily(c.at, loadZone(t, c.zone))
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, c.now)
		if got := daily.Last(now).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s at %s: %s, want %s", c.at, c.zone, c.now, got, c.want)
		}
	}
}

// Through two years of any zone's changes, each day has one run: none is
// skipped, none started twice.
func TestEachDayHasOneSlot(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"} {
		zone := loadZone(t, name)
		for _, at := range [][2]int{{0, 0}, {0, 30}, {2, 0}, {2, 15}, {2, 30}, {3, 0}, {23, 59}} {
			days := map[string]time.Time{}
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for now := begin; now.Before(begin.AddDate(2, 0, 0)); now = now.Add(15 * time.Minute) {
				s := Daily{at[0], at[1], zone}.Last(now)
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
