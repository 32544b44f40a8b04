package engine

import (
	"encoding/binary"
	"errors"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
)

// Due is when something is due: at a time, or on a date, which lasts until its
// end in the vault's time zone. The zero Due is none. Two of them are equal
// (==) if they print alike.
type Due struct {
	at   time.Time // in UTC; of a date, its midnight there
	date bool
}

var errDue = errors.New("must be a date, like 2026-11-30, or a time as in RFC 3339, of the years 1970 to 9999")

// ParseDue reads a date (2026-11-30) or a time of RFC 3339, which is kept to
// the millisecond.
func ParseDue(s string) (Due, error) {
	at, err := time.Parse(time.DateOnly, s)
	date := err == nil
	if !date {
		at, err = time.Parse(time.RFC3339Nano, s)
	}
	at = at.UTC().Truncate(time.Millisecond)
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return Due{}, errDue
	}
	return Due{at, date}, nil
}

// String prints d as the API does: 2026-11-30, or 2026-11-30T17:00:00.000Z.
func (d Due) String() string {
	switch {
	case d.IsZero():
		return ""
	case d.date:
		return d.at.Format(time.DateOnly)
	}
	return audit.FormatTime(d.at)
}

// IsZero says whether d is none.
func (d Due) IsZero() bool { return d == Due{} }

// MarshalText is String.
func (d Due) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDue.
func (d *Due) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDue(string(text))
	return err
}

// starts is when a date begins; a time is one instant.
func (d Due) starts(zone *time.Location) time.Time { return d.midnight(0, zone) }

// ends is the first instant at which it is too late.
func (d Due) ends(zone *time.Location) time.Time { return d.midnight(1, zone) }

// midnight is when the day begins that is so many days after a date.
func (d Due) midnight(days int, zone *time.Location) time.Time {
	if !d.date {
		return d.at
	}
	day := d.at.AddDate(0, 0, days)
	return retention.OnDay(day.Year(), day.Month(), day.Day(), 0, 0, zone)
}

// reminder is when to remind so many days before: when that day begins. Of a time
// it is the same time of that day. The reminder of no days before says that it is
// too late.
func (d Due) reminder(days uint64, zone *time.Location) time.Time {
	switch {
	case days == 0:
		return d.ends(zone)
	case d.date:
		return d.midnight(-int(days), zone)
	}
	return d.at.In(zone).AddDate(0, 0, -int(days))
}

// last is the last instant at which it is not too late. A range of instants holds
// d if it holds that one.
func (d Due) last(zone *time.Location) time.Time {
	if d.date {
		return d.ends(zone).Add(-time.Millisecond)
	}
	return d.at
}

// recurs is the first of the dates that lie whole periods after the anchor and
// are later than d; of a time, the first of the same times of day in the zone. ok
// is false when time is up.
func (d Due) recurs(anchor Due, months int, zone *time.Location) (next Due, ok bool) {
	if d.date {
		zone = time.UTC // as Due keeps a date
	}
	next = Due{retention.Recurs(anchor.at, d.at, months, zone).UTC(), d.date}
	return next, next.at.Year() <= 9999
}

// zoneSlack is more than any time zone is away from UTC.
const zoneSlack = 24 * time.Hour

// dueSize is the length of a Due in an index: milliseconds since 1970, and whether
// it is a date. A date stands at its last millisecond in UTC, whatever the time
// zone is: so no row moves when the settings change. Who looks for what depends on
// the zone looks zoneSlack further on either side, and decides row by row.
const dueSize = 9

func (d Due) place() string {
	if d.date {
		return string(append(placeAt(d.at.Add(24*time.Hour-time.Millisecond)), 'd'))
	}
	return string(append(placeAt(d.at), 't'))
}

func placeAt(at time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(at.UnixMilli(), 0)))
}

// dueAt reads what place has written.
func dueAt(place []byte) Due {
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(place))).UTC()
	if place[8] == 'd' {
		return Due{at.Truncate(24 * time.Hour), true}
	}
	return Due{at, false}
}
