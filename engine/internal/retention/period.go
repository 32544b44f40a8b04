package retention

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Period is how long after its start something is due, in calendar dates: so many
// months, of which a year has twelve, or so many days. Two periods are equal (==)
// if they always end alike.
type Period struct{ months, days int }

// The longest period, in both ways of saying it: two hundred years.
const (
	MaxMonths = 200 * 12
	MaxDays   = 73_000
)

// Days is a period of so many days, at most MaxDays.
func Days(n uint64) Period { return Period{days: int(min(n, MaxDays))} }

// ProblemPeriod says what ParsePeriod takes.
const ProblemPeriod = "must be years and months such as P10Y, P6M or P1Y6M, or weeks or days such as P2W or P30D, two hundred years at most"

// ParsePeriod reads a duration of ISO 8601 whose end is a date: years and months,
// or weeks, or days. spelled is its one spelling, without zeros that say nothing.
// What mixes months with days is refused: what it ends on depends on which are
// added first.
func ParsePeriod(s string) (p Period, spelled string, ok bool) {
	if len(s) < 3 || s[0] != 'P' {
		return Period{}, "", false
	}
	spelled = "P"
	var before byte // the designator before this one
	for rest := s[1:]; rest != ""; {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil || end == len(rest) || n > MaxDays {
			return Period{}, "", false
		}
		unit := rest[end]
		switch {
		case unit == 'Y' && before == 0:
			p.months = 12 * n
		case unit == 'M' && (before == 0 || before == 'Y'):
			p.months += n
		case unit == 'W' && before == 0:
			p.days = 7 * n
		case unit == 'D' && before == 0:
			p.days = n
		default:
			return Period{}, "", false
		}
		if n > 0 {
			spelled += strconv.Itoa(n) + string(unit)
		}
		before, rest = unit, rest[end+1:]
	}
	if p == (Period{}) {
		spelled = "P0D"
	}
	return p, spelled, p.months <= MaxMonths && p.days <= MaxDays
}

// SpellDays spells a period of so many days.
func SpellDays(n uint64) string { return fmt.Sprintf("P%dD", n) }

// endDate is the date on which the period ends that began on a date: both are
// midnights in UTC, whatever the zone. A month that lacks the day ends it on its
// last one.
func (p Period) endDate(date time.Time) time.Time {
	return PlusMonths(date, p.months).AddDate(0, 0, p.days)
}

// latestDate is the latest date on which a period began that ends on a date, or
// before.
func (p Period) latestDate(end time.Time) time.Time {
	end = end.AddDate(0, 0, -p.days)
	if p.months == 0 {
		return end
	}
	if end.Equal(endOfMonth(end)) {
		return endOfMonth(PlusMonths(end, -p.months)) // where a longer month was cut short
	}
	return PlusMonths(end, -p.months)
}

// bounds are how many days the period has at least and at most, whenever it
// begins.
func (p Period) bounds() (least, most int) {
	if p.months == 0 {
		return p.days, p.days
	}
	least = math.MaxInt
	// The calendar repeats itself after 400 years. A period that begins on the
	// last day of a month is the shortest of that month, on the first the longest.
	for begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); begin.Year() < 2400; begin = begin.AddDate(0, 1, 0) {
		last := endOfMonth(begin)
		most = max(most, daysBetween(begin, p.endDate(begin)))
		least = min(least, daysBetween(last, p.endDate(last)))
	}
	return least + p.days, most + p.days
}

// about is bounds without the walk through the calendar: a few days wider.
func (p Period) about() (least, most int) {
	if p.months == 0 {
		return p.days, p.days
	}
	const months, days = 4_800, 146_097 // of the 400 years
	mean := p.days + p.months*days/months
	return mean - 4, mean + 4
}

// NeverShorter says whether a period ends never before another one, whenever both
// begin.
func (p Period) NeverShorter(other Period) bool {
	if p.months == 0 && other.months == 0 || p.days == 0 && other.days == 0 {
		return p.months >= other.months && p.days >= other.days
	}
	least, _ := p.bounds()
	_, most := other.bounds()
	return least >= most
}

// lastInstant is the last one that has a spelling in the log.
var lastInstant = time.Date(9999, time.December, 31, 23, 59, 59, 999_000_000, time.UTC)
