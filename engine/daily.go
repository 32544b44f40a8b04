package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// slot is the last instant, not after now, at which the daily run was to start:
// at a time of day in a zone. Each day has one. If its clocks skip that time, it
// is when they have skipped it; if they show it twice, it is the first.
func slot(now time.Time, hour, minute int, zone *time.Location) time.Time {
	local := now.In(zone)
	for days := 0; ; days-- {
		// A day back is not 24 hours back, and a slot may be after now by hours.
		if at := timeOn(local.Year(), local.Month(), local.Day()+1+days, hour, minute, zone); !at.After(now) {
			return at
		}
	}
}

// timeOn is the first instant of a day at which its clocks show this time or a
// later one.
func timeOn(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, hour, minute, 0, 0, zone)
	switch wanted, shown := time.Date(year, month, day, hour, minute, 0, 0, time.UTC), onDial(at); {
	// Skipped: Date stays on one side of the change, whichever it is.
	case shown.Before(wanted):
		_, end := at.ZoneBounds()
		return end
	case shown.After(wanted):
		begin, _ := at.ZoneBounds()
		return begin
	}
	begin, _ := at.ZoneBounds()
	if begin.IsZero() {
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

// schedule starts the daily run, if its time has come and it was not started
// yet; several that were missed are made up for once. It returns when the next is
// to start.
func (v *Vault) schedule(ctx context.Context) (next time.Time, err error) {
	due, next, err := v.dailyDue()
	if err != nil || !due {
		return next, err
	}
	v.planning.Lock()
	defer v.planning.Unlock()
	if running, err := v.unfinished(); err != nil || running != nil {
		return next, err // the day's run starts when that one has ended
	}
	doubt, err := v.doubt()
	switch {
	case err != nil:
	case doubt != "":
		_, _, err = v.refuseRun(ctx, System(), TriggerSchedule, doubt)
	default:
		_, _, err = v.startRun(ctx, System(), TriggerSchedule, NewRun{})
	}
	return next, err
}

// dailyDue says whether the daily run has yet to be started, and when the next
// one will have to be. A paused vault has none.
func (v *Vault) dailyDue() (due bool, next time.Time, err error) {
	_, err = view(v, func(t *tx) (struct{}, error) {
		var none struct{}
		s, err := t.settings()
		if err != nil || s.Paused {
			return none, err
		}
		zone, err := t.zone()
		if err != nil {
			return none, err
		}
		var hour, minute int
		if _, err := fmt.Sscanf(s.RetentionRunAt, "%d:%d", &hour, &minute); err != nil {
			return none, errors.Join(errDamaged, err)
		}
		last := slot(t.Now(), hour, minute, zone)
		local := last.In(zone)
		next = timeOn(local.Year(), local.Month(), local.Day()+1, hour, minute, zone)
		due, err = t.missed(last)
		return none, err
	})
	return due, next, err
}

// missed says whether no run on schedule was started since an instant. A vault
// that was made after it has missed nothing.
func (t *tx) missed(since time.Time) (bool, error) {
	created, err := time.Parse(time.RFC3339Nano, string(t.Get(bucketMeta, metaCreated)))
	if err != nil || created.After(since) {
		return false, err
	}
	rows := t.Cursor(bucketRuns)
	for k, b := rows.Last(); k != nil; k, b = rows.Prev() {
		r, err := decodeRun(id(k), b)
		if err != nil || r.StartedAt.Before(since) {
			return err == nil, err
		}
		if r.Trigger == TriggerSchedule {
			return false, nil
		}
	}
	return true, nil
}
