package engine

import (
	"context"
	"errors"
	"time"

	"strongroom/engine/internal/retention"
)

// schedule starts the daily run, if its time has come and it was not started
// yet. After several that were missed it starts one. It returns when the next one
// is to start.
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
		daily, err := retention.ParseDaily(s.RetentionRunAt, zone)
		if err != nil {
			return none, errors.Join(errDamaged, err)
		}
		next = daily.Next(t.Now())
		due, err = t.missed(daily.Last(t.Now()))
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
