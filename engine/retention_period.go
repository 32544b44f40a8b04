package engine

import (
	"slices"
	"strings"

	"strongroom/engine/internal/retention"
)

// StartAt is where in the calendar of Settings.TimeZone a period begins.
type StartAt string

const (
	StartAtDay        StartAt = "day"        // at what StartFrom names
	StartAtEndOfMonth StartAt = "endOfMonth" // at the end of the month in which that is
	StartAtEndOfYear  StartAt = "endOfYear"  // at the end of the calendar year in which that is
)

// Period is a duration of ISO 8601 in years and months, weeks, or days: P10Y,
// P6M, P1Y6M, P2W or P30D, two hundred years at most. It is reckoned in the calendar
// dates of Settings.TimeZone, and ends at the time of day at which it began: ten
// years from 2012-12-31 end on 2022-12-31, a month from 31 January on the last
// day of February. One that begins at the end of a day ends at the end of a day.
type Period string

// Days is a period of so many days.
func Days(n uint64) Period { return Period(retention.SpellDays(n)) }

// onePeriod is the period that is given, as such or in days, or as both if they
// are the same.
func onePeriod(period Period, days uint64, both bool) (Period, error) {
	if days > retention.MaxDays {
		return "", invalid("periodDays", "must be at most %d", retention.MaxDays)
	}
	if period == "" {
		return Days(days), nil
	}
	if p, _, ok := retention.ParsePeriod(string(period)); both && ok && p != retention.Days(days) {
		return "", invalid("periodDays", "must be the same as period, or be left out")
	}
	return period, nil
}

// Words say the period in years and months, weeks, or days: 1 year and 6 months.
func (p Period) Words() string {
	units := strings.NewReplacer("Y", " years ", "M", " months ", "W", " weeks ", "D", " days ").Replace(strings.TrimPrefix(string(p), "P"))
	parts := strings.Fields(units)
	for i := 0; i+1 < len(parts); i += 2 {
		if parts[i] == "1" {
			parts[i+1] = strings.TrimSuffix(parts[i+1], "s")
		}
	}
	if len(parts) == 4 {
		parts = slices.Insert(parts, 2, "and")
	}
	return strings.Join(parts, " ")
}
