package console

import (
	"strings"
	"time"

	"strongroom/engine"
)

// dueShown is when something is due, as people read it.
type dueShown struct {
	Exact string // as the API spells it
	Text  string // 30 Nov 2026, and the time if it has one
	Away  string // how far from now: "in 3 days"
	Day   string // 2026-11-30, for a form
	Clock string // 15:04, for a form; "": until the day's end
}

// due spells when something is due. A date is the same day in every zone.
func (v *visit) due(d engine.Due) dueShown {
	s := dueShown{Exact: d.String()}
	at, err := time.ParseInLocation(time.DateOnly, s.Exact, v.zone)
	if err != nil {
		if at, err = time.Parse(time.RFC3339, s.Exact); err != nil {
			return s
		}
		at = at.In(v.zone)
		s.Clock = at.Format("15:04")
	}
	s.Day, s.Text = at.Format(time.DateOnly), at.Format("2 Jan 2006")
	if s.Clock != "" {
		s.Text += ", " + s.Clock
	}
	s.Away = away(daysBetween(time.Now().In(v.zone), at))
	return s
}

// daysBetween counts midnights, not hours: tomorrow is one day away at any hour.
func daysBetween(from, to time.Time) int {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(day(to).Sub(day(from)).Hours() / 24)
}

func away(days int) string {
	switch {
	case days == 0:
		return "today"
	case days == 1:
		return "tomorrow"
	case days == -1:
		return "yesterday"
	case days < 0:
		return counted(-days, "day") + " ago"
	}
	return "in " + counted(days, "day")
}

// dueFrom reads a day and, if there is one, a time of it from a form.
func (v *visit) dueFrom(field, day, clock string) (engine.Due, error) {
	day, clock = strings.TrimSpace(day), strings.TrimSpace(clock)
	if clock != "" {
		at, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, v.zone)
		if err != nil {
			return engine.Due{}, wrongField(field, "must be a day, such as 2026-12-31, and a time of it, such as 15:00")
		}
		day = at.UTC().Format(time.RFC3339)
	}
	d, err := engine.ParseDue(day)
	if err != nil {
		return d, wrongField(field, "must be a day, such as 2026-12-31")
	}
	return d, nil
}

// month is a page of a calendar.
type month struct {
	Title          string // November 2026
	Before, After  string // the addresses of those beside it
	Weeks          [][]monthDay
	Any            bool // something is due in it
	More           string
	first, nextOne time.Time
}

// monthDay is a day of it; the zero one belongs to another month.
type monthDay struct {
	Number int
	Date   string // Monday, 2 November
	Today  bool
	Due    []obligationRow
	More   int    // that there is no room for
	All    string // the address of the list of that day
}

// shownADay is how many a day of the calendar names.
const shownADay = 3

// monthOf is the empty page of a month; one that cannot be read is this one.
func (v *visit) monthOf(asked string) *month {
	now := time.Now().In(v.zone)
	first, err := time.Parse("2006-01", asked)
	if err != nil || first.Year() < 1970 || first.Year() > 9998 {
		first = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	m := &month{Title: first.Format("January 2006"), first: first, nextOne: first.AddDate(0, 1, 0)}
	m.Before = v.With("month", first.AddDate(0, -1, 0).Format("2006-01"))
	m.After = v.With("month", m.nextOne.Format("2006-01"))
	today := now.Format(time.DateOnly)
	week := make([]monthDay, (int(first.Weekday())+6)%7)
	for day := first; day.Before(m.nextOne); day = day.AddDate(0, 0, 1) {
		is := day.Format(time.DateOnly)
		week = append(week, monthDay{Number: day.Day(), Date: day.Format("Monday, 2 January"), Today: is == today,
			All: v.Path("obligations", "list") + "?dueFrom=" + is + "&dueTo=" + is})
		if len(week) == 7 {
			m.Weeks, week = append(m.Weeks, week), nil
		}
	}
	if len(week) > 0 {
		m.Weeks = append(m.Weeks, append(week, make([]monthDay, 7-len(week))...))
	}
	return m
}

// put puts an obligation on its day.
func (m *month) put(o obligationRow) {
	day, err := time.Parse(time.DateOnly, o.Due.Day)
	if err != nil || day.Before(m.first) || !day.Before(m.nextOne) {
		return
	}
	at := (int(m.first.Weekday())+6)%7 + day.Day() - 1
	cell := &m.Weeks[at/7][at%7]
	m.Any = true
	if len(cell.Due) == shownADay {
		cell.More++
		return
	}
	cell.Due = append(cell.Due, o)
}
