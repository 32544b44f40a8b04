package retention

import "time"

// OnDay is the first instant of a day at which its clocks show this time or a
// later one. Clocks that skip the time show a later one when they have skipped
// it. Of a time that they show twice, the first counts.
func OnDay(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, hour, minute, 0, 0, zone)
	begin, end := at.ZoneBounds() // of the offset that counts at this instant
	// Date is on one side of the change or the other if the time is skipped.
	wanted, dial := time.Date(year, month, day, hour, minute, 0, 0, time.UTC), onDial(at)
	switch {
	case dial.Before(wanted):
		return end
	case dial.After(wanted):
		return begin
	case begin.IsZero():
		return at
	}
	_, was := begin.Add(-1).Zone()
	_, is := at.Zone()
	if earlier := at.Add(time.Duration(is-was) * time.Second); was > is && earlier.Before(begin) {
		return earlier
	}
	return at
}

// onDial is what the clocks show, as if they showed UTC.
func onDial(at time.Time) time.Time {
	year, month, day := at.Date()
	hour, minute, _ := at.Clock()
	return time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
}

// onClock is the instant of a date, which is a midnight in UTC, at which the
// clocks of a zone show the same time as at another instant.
func onClock(date, as time.Time, zone *time.Location) time.Time {
	hour, minute, second := as.Clock()
	at := OnDay(date.Year(), date.Month(), date.Day(), hour, minute, zone)
	return at.Add(time.Duration(second)*time.Second + time.Duration(as.Nanosecond()))
}

// dateOf is the date that the clocks show, as a midnight in UTC.
func dateOf(at time.Time) time.Time {
	year, month, day := at.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func daysBetween(from, to time.Time) int { return int((to.Unix() - from.Unix()) / (24 * 60 * 60)) }

func endOfMonth(date time.Time) time.Time {
	return time.Date(date.Year(), date.Month()+1, 0, 0, 0, 0, 0, time.UTC)
}

func endOfYear(date time.Time) time.Time {
	return time.Date(date.Year(), time.December, 31, 0, 0, 0, 0, time.UTC)
}

// endOfDay is the last millisecond of a date in a zone.
func endOfDay(date time.Time, zone *time.Location) time.Time {
	return OnDay(date.Year(), date.Month(), date.Day()+1, 0, 0, zone).Add(-time.Millisecond)
}

// PlusMonths is the same day and time so many months later, on the clocks of
// at's zone. A month that is too short has its last day instead.
func PlusMonths(at time.Time, months int) time.Time {
	year, month, day := at.Date()
	month += time.Month(months)
	end := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	hour, minute, second := at.Clock()
	return time.Date(year, month, min(day, end), hour, minute, second, at.Nanosecond(), at.Location())
}

// Recurs is the first instant after another that lies a whole number of periods
// after the anchor, each of so many months, on the clocks of the zone. Every
// period is counted from the anchor, never from the one before: so a short month
// does not shorten those that follow, and a change of the clocks moves none.
func Recurs(anchor, after time.Time, months int, zone *time.Location) time.Time {
	from, now := anchor.In(zone), after.In(zone)
	passed := 12*(now.Year()-from.Year()) + int(now.Month()-from.Month())
	for periods := max(passed/months-1, 1); ; periods++ {
		if next := PlusMonths(from, periods*months); next.After(after) {
			return next
		}
	}
}
