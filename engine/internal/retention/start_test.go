package retention

import (
	"strings"
	"testing"
	"time"
)

// When a period is over, by the calendar: on which date, and at which time of
// day, as the clocks of the zone show it. The fact is an instant, or a date
// field's date, which has no zone.
//
//	period  startAt     zone                fact                  over, in the zone
const ends = `
	P10Y    day         UTC                 2012-12-31            2022-12-31 12:00
	P10Y    day         America/New_York    2012-12-31            2022-12-31 07:00
	P10Y    day         Pacific/Kiritimati  2012-12-31            2023-01-01 02:00
	P10Y    endOfYear   UTC                 2012-12-31            2022-12-31 23:59
	P10Y    endOfYear   UTC                 2012-01-01            2022-12-31 23:59
	P10Y    endOfYear   America/New_York    2012-12-31            2022-12-31 23:59
	P10Y    endOfYear   Pacific/Kiritimati  2012-12-31            2022-12-31 23:59
	P10Y    endOfMonth  Europe/Berlin       2012-02-10            2022-02-28 23:59
	P1Y     day         UTC                 2024-02-29            2025-02-28 12:00
	P4Y     day         UTC                 2024-02-29            2028-02-29 12:00
	P100Y   day         UTC                 2000-02-29            2100-02-28 12:00
	P1Y     day         UTC                 2023-02-28            2024-02-28 12:00
	P1Y     endOfMonth  UTC                 2023-02-10            2024-02-28 23:59
	P1Y     endOfMonth  UTC                 2024-02-10            2025-02-28 23:59
	P1M     day         UTC                 2026-01-31            2026-02-28 12:00
	P1M     day         UTC                 2028-01-31            2028-02-29 12:00
	P1M     day         UTC                 2026-02-28            2026-03-28 12:00
	P6M     day         UTC                 2026-08-31            2027-02-28 12:00
	P1Y6M   day         UTC                 2026-08-31            2028-02-29 12:00
	P6M     endOfMonth  UTC                 2026-08-01            2027-02-28 23:59
	P2W     day         UTC                 2026-02-20            2026-03-06 12:00
	P30D    day         UTC                 2026-02-01            2026-03-03 12:00
	P366D   day         UTC                 2024-02-29            2025-03-01 12:00
	P0D     day         UTC                 2026-02-01            2026-02-01 12:00
	P0D     endOfYear   UTC                 2026-02-01            2026-12-31 23:59
	P1D     day         UTC                 9999-12-31            9999-12-31 23:59
	P1Y     day         UTC                 2026-12-31T23:30:00Z  2027-12-31 23:30
	P1Y     day         Europe/Berlin       2026-12-31T23:30:00Z  2028-01-01 00:30
	P1Y     endOfYear   UTC                 2026-12-31T23:30:00Z  2027-12-31 23:59
	P1Y     endOfYear   Europe/Berlin       2026-12-31T23:30:00Z  2028-12-31 23:59
	P1Y     endOfYear   America/New_York    2027-01-01T04:30:00Z  2027-12-31 23:59
	P6M     day         Europe/Berlin       2026-01-15T09:00:00Z  2026-07-15 10:00
	P1D     day         Europe/Berlin       2026-03-28T09:00:00Z  2026-03-29 10:00
	P1D     day         Europe/Berlin       2026-03-28T01:30:00Z  2026-03-29 03:00
	P1D     day         Europe/Berlin       2026-10-24T00:30:00Z  2026-10-25 02:30
	P1D     day         Pacific/Apia        2011-12-29T20:00:00Z  2011-12-31 00:00
	P0D     day         Europe/Berlin       2026-10-25T01:30:00Z  2026-10-25 02:30
	P1M     endOfMonth  Africa/Cairo        2026-03-10T09:00:00Z  2026-04-30 23:59
`

func TestWhenAPeriodIsOver(t *testing.T) {
	rows := 0
	for line := range strings.Lines(strings.TrimSpace(ends)) {
		cells := strings.Fields(line)
		period, spelled, ok := ParsePeriod(cells[0])
		if !ok || spelled != cells[0] {
			t.Fatalf("%s is read as %q, %v", cells[0], spelled, ok)
		}
		zone := loadZone(t, cells[2])
		d := &Document{Fields: map[string]any{"closed": cells[3]}}
		p := Policy{Start: Start{From: FromField + "closed", At: StartAt(cells[1]), Calendar: &Calendar{Zone: zone}}, Period: period}
		if at, err := time.Parse(time.RFC3339, cells[3]); err == nil {
			d.CreatedAt, p.Start.From = at, FromCreated
		}
		if got := p.Over(d).In(zone).Format("2006-01-02 15:04"); got != cells[4]+" "+cells[5] {
			t.Errorf("%s: %s", strings.Join(cells, " "), got)
		}
		if start, over := p.Start.Of(d), p.Over(d); over.Before(start) || start.IsZero() {
			t.Errorf("%s: from %v to %v", strings.Join(cells, " "), start, over)
		}
		rows++
	}
	if rows < 38 {
		t.Errorf("%d rows", rows)
	}
}

// Of a time that the clocks show twice, what ends as it begins keeps its instant.
func TestNoPeriodEndsAtItsStart(t *testing.T) {
	second := time.Date(2026, time.October, 25, 1, 30, 0, 0, time.UTC)
	p := Policy{Start: Start{From: FromCreated, Calendar: &Calendar{Zone: loadZone(t, "Europe/Berlin")}}}
	if over := p.Over(&Document{CreatedAt: second}); !over.Equal(second) {
		t.Errorf("%v", over)
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]string{
		"P10Y": "P10Y", "P6M": "P6M", "P12M": "P12M", "P1Y6M": "P1Y6M", "P2W": "P2W", "P30D": "P30D", "P010Y": "P10Y", "P1Y0M": "P1Y",
		"P0D": "P0D", "P0Y": "P0D", "P0Y0M": "P0D", "P200Y": "P200Y", "P2400M": "P2400M", "P73000D": "P73000D", "P199Y12M": "P199Y12M",
		"": "", "P": "", "10Y": "", "P10": "", "PY": "", "P10y": "", "p10Y": "", " P10Y": "", "P10Y ": "", "P-1Y": "", "P+1Y": "", "P1.5Y": "", "P1,5Y": "",
		"P1M1Y": "", "P1Y1Y": "", "P1Y1D": "", "P1M1D": "", "P1W1D": "", "P1D1W": "", "PT24H": "", "P1DT1H": "", "P1YT": "",
		"P201Y": "", "P200Y1M": "", "P2401M": "", "P73001D": "", "P10429W": "", "P99999999999999999999Y": "", "P٣Y": "",
	} {
		if _, spelled, ok := ParsePeriod(text); ok != (want != "") || ok && spelled != want {
			t.Errorf("%q is read as %q, %v", text, spelled, ok)
		}
	}
}

// P1M and P30D are each the longer of the two for some documents. Which wins is
// told by the dates of the document, and by the age of the policies if they end
// alike.
func TestTheLongerOfMonthsAndDays(t *testing.T) {
	month := Policy{ID: "1", Action: ActionDelete, Start: Start{From: FromField + "closed"}, Period: Period{months: 1}, Enabled: true}
	days := Policy{ID: "2", Action: ActionDelete, Start: month.Start, Period: Days(30), Enabled: true}
	year := Policy{ID: "3", Action: ActionDelete, Start: month.Start, Period: Days(30), Enabled: true}
	year.Start.At = AtEndOfYear
	for date, want := range map[string]string{"2026-01-15": "1", "2026-02-15": "2", "2026-04-15": "1", "2026-01-31": "2", "": "1"} {
		d := &Document{Fields: map[string]any{"closed": date}}
		if w := Choose(d, []Policy{days, month}, ActionDelete, false); w.ID != want {
			t.Errorf("of %q %s is the longer", date, w.ID)
		}
		if w := Choose(d, []Policy{days, month, year}, ActionDelete, false); w.ID != "3" {
			t.Errorf("of %q %s is the longest", date, w.ID)
		}
	}
}

// Another zone brings no end of compliance nearer, and moves what a date's period
// of governance ends at.
func TestFormerZones(t *testing.T) {
	berlin, utc := loadZone(t, "Europe/Berlin"), time.UTC
	d := &Document{CreatedAt: time.Date(2026, time.December, 31, 23, 30, 0, 0, time.UTC)}
	law := Policy{ID: "law", Start: Start{From: FromCreated, At: AtEndOfYear, Calendar: &Calendar{Zone: berlin}}, Period: Period{months: 12}, Protect: ProtectCompliance, Enabled: true}
	was := law.Keeps(d)
	law.Start.Calendar = &Calendar{Zone: utc, Former: []*time.Location{berlin}}
	if is := law.Keeps(d); !is.Equal(was) || law.Over(d).Year() != 2027 || is.Year() != 2028 {
		t.Errorf("kept until %v, then %v; over %v", was, is, law.Over(d))
	}
	law.Protect = ProtectGovernance
	if is := law.Keeps(d); is.Year() != 2027 {
		t.Errorf("governance keeps it until %v", is)
	}
}
