package retention

import (
	"cmp"
	"time"
)

// Period is how long after its start something is due. A day is 24 hours, so no
// zone and no change of the clocks moves its end. Two periods are equal (==) if
// they always end alike.
type Period struct{ days uint64 }

// Days is a period of so many days, at most 106,751.
func Days(n uint64) Period { return Period{n} }

// Compare says which of two periods is longer, as cmp.Compare.
func (p Period) Compare(other Period) int { return cmp.Compare(p.days, other.days) }

func (p Period) duration() time.Duration { return time.Duration(p.days) * 24 * time.Hour }

// lastInstant is the last one that has a spelling in the log.
var lastInstant = time.Date(9999, time.December, 31, 23, 59, 59, 999_000_000, time.UTC)

// End is when the period ends that began at a start; zero if it never began. A
// start may be so late that the end has no spelling in the log. Then the end is
// the last instant that has one.
func (p Period) End(start time.Time) time.Time {
	if start.IsZero() {
		return time.Time{}
	}
	if end := start.Add(p.duration()); end.Before(lastInstant) {
		return end
	}
	return lastInstant
}

// LatestStart is the latest start of a period that is over at an instant.
func (p Period) LatestStart(over time.Time) time.Time { return over.Add(-p.duration()) }
