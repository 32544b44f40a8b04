package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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

// Calendar says whether d is a date, and gives its midnight in UTC, or else the time.
func (d Due) Calendar() (date bool, at time.Time) { return d.date, d.at }

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

// remindAhead is how far before they are due Sweep looks for reminders, to say
// when the next is; the host calls it that often anyway.
const remindAhead = time.Minute

// remindMost is how many reminders are logged in one transaction.
const remindMost = 100

// remind logs what is to be reminded of now, by the actor system, and returns
// when the next is due, zero if not soon. What was logged is in the obligation's
// record, written with the entry: so each is logged once, whenever this ends and
// begins again.
func (v *Vault) remind(ctx context.Context) (next time.Time, err error) {
	for {
		var due []id
		due, err = view(v, func(t *tx) (found []id, err error) {
			found, next, err = t.reminders(remindMost)
			return found, err
		})
		if err != nil || len(due) == 0 {
			return next, err
		}
		steps := make([]func(*tx) (Obligation, audit.Event, error), len(due))
		for i, key := range due {
			steps[i] = func(t *tx) (Obligation, audit.Event, error) { return t.remindOf(key) }
		}
		_, receipts, err := updateAll(v, ctx, System(), steps...)
		if err != nil {
			return next, err
		}
		// They were all dealt with meanwhile, or their rows are damaged, and then
		// asking again would never end. Verify finds those.
		if !slices.ContainsFunc(receipts, func(r Receipt) bool { return r.Seq > 0 }) {
			return next, nil
		}
	}
}

// reminders returns obligations with something to be reminded of, and when the
// next will be. The rows of those that wait stand by the last reminder that was
// logged, and among themselves as they are due; so the reminder each of them
// waits for is the same, and whom it is time for stand first.
func (t *tx) reminders(most int) (due []id, next time.Time, err error) {
	s, err := t.settings()
	if err != nil {
		return nil, next, err
	}
	zone, err := t.zone()
	if err != nil {
		return nil, next, err
	}
	c := t.Cursor(bucketDues)
	row, _ := c.Seek([]byte{dueReminder})
	for len(row) > 0 && row[0] == dueReminder {
		if len(row) != reminderSize+dueSize+len(id{}) {
			return nil, next, fmt.Errorf("%w: a row of reminders has %d bytes", errDamaged, len(row))
		}
		prefix := bytes.Clone(row[:reminderSize])
		days := nextReminder(uint64(binary.BigEndian.Uint16(prefix[1:])), s.ReminderDays)
		end := placeAt(t.Now().AddDate(0, 0, int(days)).Add(remindAhead + 2*zoneSlack))
		for ; bytes.HasPrefix(row, prefix) && bytes.Compare(row[reminderSize:], end) < 0; row, _ = c.Next() {
			at := dueAt(row[reminderSize:]).reminder(days, zone)
			switch {
			case !t.Now().Before(at):
				if due = append(due, id(row[reminderSize+dueSize:])); len(due) == most {
					return due, next, nil
				}
			case at.Before(t.Now().Add(remindAhead)) && (next.IsZero() || at.Before(next)):
				next = at
			}
		}
		behind := append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, dueSize+len(id{}))...)
		row, _ = c.Seek(behind)
	}
	return due, next, nil
}

// nextReminder is the one that follows the reminder logged last, in days before.
// days fall.
func nextReminder(logged uint64, days []uint64) uint64 {
	for _, d := range days {
		if d < logged {
			return d
		}
	}
	return 0
}

// remindOf logs the latest reminder of an obligation whose time has come. Those
// before it that were missed are not made up for: they would say what is not so
// any more.
func (t *tx) remindOf(key id) (Obligation, audit.Event, error) {
	old, err := t.obligation(key.String())
	if errors.Is(err, ErrObligationNotFound) {
		return Obligation{}, audit.Event{}, nil
	}
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	s, err := t.settings()
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	zone, err := t.zone()
	if err != nil {
		return Obligation{}, audit.Event{}, err
	}
	o := *old
	for waits := old.waits(); waits; waits = o.reminded > 0 {
		days := nextReminder(o.reminded, s.ReminderDays)
		if t.Now().Before(o.DueDate.reminder(days, zone)) {
			break
		}
		o.reminded = days
	}
	if o.reminded == old.reminded {
		return Obligation{}, audit.Event{}, nil
	}
	event := audit.Event{Op: audit.OpObligationOverdue, Facts: audit.Facts{
		"due": audit.Text(o.DueDate.String()), "obligation": audit.Text(o.ID),
	}}
	if o.reminded > 0 {
		event.Op = audit.OpObligationDueSoon
		event.Facts["days"] = audit.Number(o.reminded)
	}
	return t.storeObligation(old, &o, event)
}

// waits says whether there is still something to be reminded of.
func (o *obligation) waits() bool { return o.CompletedAt.IsZero() && o.reminded > 0 }
