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
)

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
