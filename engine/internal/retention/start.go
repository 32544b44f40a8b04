package retention

import (
	"strings"
	"time"
)

// StartAt is where in the calendar the period of a policy begins.
type StartAt string

const (
	AtDay        StartAt = "day"        // at the fact it counts from; "" means this too
	AtEndOfMonth StartAt = "endOfMonth" // at the end of the fact's month
	AtEndOfYear  StartAt = "endOfYear"  // at the end of the fact's calendar year
)

// Calendar is where days begin and end. A nil one is UTC.
type Calendar struct {
	Zone *time.Location
	// Former are the zones there were while compliance protected documents. Its
	// periods end when they have ended in all of these too.
	Former []*time.Location
}

func (c *Calendar) zone() *time.Location {
	if c == nil {
		return time.UTC
	}
	return c.Zone
}

// Start is when the period of a policy begins. Two of them are equal (==) if
// they always begin alike.
type Start struct {
	From     string  // the fact of the document that it counts from
	At       StartAt // where in the calendar
	Calendar *Calendar
}

// isDate says whether the fact is a date, which is the same in every zone.
func (s Start) isDate() bool { return strings.HasPrefix(s.From, FromField) }

func (s Start) moves() bool { return s.At == AtEndOfMonth || s.At == AtEndOfYear }

// reads is the zone in which the date of a fact is read.
func (s Start) reads(zone *time.Location) *time.Location {
	if s.isDate() {
		return time.UTC
	}
	return zone
}

// date is the one on which the period begins that counts from a fact, at midnight
// in UTC; from is that of the fact.
func (s Start) date(fact time.Time, zone *time.Location) (from, date time.Time) {
	from = dateOf(fact.In(s.reads(zone)))
	switch s.At {
	case AtEndOfMonth:
		return from, endOfMonth(from)
	case AtEndOfYear:
		return from, endOfYear(from)
	}
	return from, from
}

// Of is when the period begins for a document; zero if the fact is missing.
func (s Start) Of(d *Document) time.Time {
	fact := d.Fact(s.From)
	if fact.IsZero() || !s.moves() {
		return fact
	}
	_, date := s.date(fact, s.Calendar.zone())
	return atMost(endOfDay(date, s.Calendar.zone()))
}

// Day is the date on which the period begins for a document, at midnight in UTC;
// zero if the fact is missing.
func (s Start) Day(d *Document) time.Time {
	fact := d.Fact(s.From)
	if fact.IsZero() {
		return fact
	}
	_, date := s.date(fact, s.Calendar.zone())
	return date
}

// Over is when the period of a policy is over for a document; zero: never, as
// long as the fact is missing. A period that begins at a time of day ends at
// that time of day; one that begins at the end of a day ends at the end of a day.
func (p *Policy) Over(d *Document) time.Time {
	return p.over(d.Fact(p.Start.From), p.Start.Calendar.zone())
}

func (p *Policy) over(fact time.Time, zone *time.Location) time.Time {
	if fact.IsZero() || !p.Start.moves() && p.Period == (Period{}) {
		return fact
	}
	_, date := p.Start.date(fact, zone)
	end := p.Period.endDate(date)
	if p.Start.moves() {
		return atMost(endOfDay(end, zone))
	}
	in := p.Start.reads(zone)
	return atMost(onClock(end, fact.In(in), in))
}

// atMost is an instant that the log can spell.
func atMost(at time.Time) time.Time {
	if at.Before(lastInstant) {
		return at.UTC()
	}
	return lastInstant
}

// Keeps is until when a policy protects a document; zero: without a known end. A
// change of the vault's zone never brings the end of compliance nearer. While
// nobody who may has confirmed the date that compliance counts from, it counts
// from the document's creation too, and the later end holds.
func (p *Policy) Keeps(d *Document) time.Time {
	until := p.keeps(d.Fact(p.Start.From))
	if !until.IsZero() && p.Unconfirmed(d) {
		until = later(until, p.keeps(d.CreatedAt))
	}
	return until
}

func (p *Policy) keeps(fact time.Time) time.Time {
	until := p.over(fact, p.Start.Calendar.zone())
	if p.Protect == ProtectCompliance && p.Start.Calendar != nil && !until.IsZero() {
		for _, zone := range p.Start.Calendar.Former {
			until = later(until, p.over(fact, zone))
		}
	}
	return until
}

// Unconfirmed says whether a policy of compliance counts from a date of the
// document that is there and is not confirmed.
func (p *Policy) Unconfirmed(d *Document) bool {
	key, isDate := strings.CutPrefix(p.Start.From, FromField)
	return isDate && p.Protect == ProtectCompliance && !d.confirmed(key) && !d.Fact(p.Start.From).IsZero()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// length is how many days lie between the fact that a policy counts from and the
// end of its period, and so which of two is the longer. Of a fact that is missing
// it is what it would be on a day that is always the same.
func (p *Policy) length(d *Document) int {
	fact := d.Fact(p.Start.From)
	if fact.IsZero() {
		fact = time.Date(2001, time.January, 1, 12, 0, 0, 0, time.UTC)
	}
	from, date := p.Start.date(fact, p.Start.Calendar.zone())
	return daysBetween(from, p.Period.endDate(date))
}

// lengths are no more than the least and no less than the most that length can be.
func (p *Policy) lengths() (least, most int) {
	least, most = p.Period.about()
	switch p.Start.At {
	case AtEndOfMonth:
		most += 30
	case AtEndOfYear:
		most += 365
	}
	return least, most
}

// LatestFact is no earlier than the latest fact of a document with which the
// period of a policy is over at an instant: those with a later one are not due.
// Those few days before it may be due or not, because months differ, and because
// there are zones whose clocks go back over midnight.
func (p *Policy) LatestFact(over time.Time) time.Time {
	zone := p.Start.Calendar.zone()
	in := zone
	if !p.Start.moves() {
		in = p.Start.reads(zone)
	}
	date := p.Period.latestDate(dateOf(over.In(in)).AddDate(0, 0, 1))
	switch p.Start.At {
	case AtEndOfMonth:
		if !date.Equal(endOfMonth(date)) {
			date = date.AddDate(0, 0, -date.Day())
		}
	case AtEndOfYear:
		if !date.Equal(endOfYear(date)) {
			date = time.Date(date.Year()-1, time.December, 31, 0, 0, 0, 0, time.UTC)
		}
	}
	return endOfDay(date, p.Start.reads(zone)).AddDate(0, 0, 1)
}
