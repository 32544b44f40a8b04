package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

func (r *run) value() Run {
	if r == nil {
		return Run{}
	}
	return r.Run
}

// lastRun returns the run that was started last, nil if there never was one. No
// run is started before the one before has ended.
func (t *tx) lastRun() (*run, error) {
	k, b := t.Cursor(bucketRuns).Last()
	if k == nil {
		return nil, nil
	}
	return decodeRun(id(k), b)
}

// unfinished returns the run that is to be worked off, nil if there is none.
func (v *Vault) unfinished() (*run, error) {
	return view(v, func(t *tx) (*run, error) {
		r, err := t.lastRun()
		if err != nil || r == nil || r.Status != RunRunning {
			return nil, err
		}
		return r, nil
	})
}

// Run returns one run of retention. ErrRunNotFound.
func (v *Vault) Run(ctx context.Context, runID string) (Run, error) {
	r, err := view(v, func(t *tx) (*run, error) { return t.run(runID) })
	return r.value(), err
}

func (t *tx) run(runID string) (*run, error) {
	key, ok := store.ParseID(runID)
	if !ok {
		return nil, ErrRunNotFound
	}
	b := t.Get(bucketRuns, key[:])
	if b == nil {
		return nil, ErrRunNotFound
	}
	return decodeRun(key, b)
}

// Runs lists the runs of retention, the last one first.
func (v *Vault) Runs(ctx context.Context, p Paging) (Page[Run], error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return Page[Run]{}, err
	}
	place, err := decodeCursor(listRuns, p.Cursor)
	if err != nil {
		return Page[Run]{}, err
	}
	return view(v, func(t *tx) (page Page[Run], err error) {
		rows := t.Cursor(bucketRuns)
		k, b := rows.Last()
		if place != nil {
			rows.Seek(place) // runs are never removed
			k, b = rows.Prev()
		}
		for ; k != nil; k, b = rows.Prev() {
			if len(page.Items) == limit {
				page.NextCursor = store.EncodePlace(listRuns, place)
				return page, nil
			}
			r, err := decodeRun(id(k), b)
			if err != nil {
				return Page[Run]{}, err
			}
			page.Items, place = append(page.Items, r.Run), append(place[:0:0], k...)
		}
		return page, nil
	})
}

// Outcome is what a run has done to a document, or why it left it alone.
type Outcome struct {
	DocumentID string
	Action     Action // what was to be done
	PolicyID   string
	Outcome    Result // not ResultDue
}

// RunOutcomes lists what has become of each document that was due: first what
// was done, as the log tells it, then what was left alone, as far as that is
// still known (see retention_planfile.go). A page may be short, or empty, and have a
// cursor. ErrRunNotFound.
func (v *Vault) RunOutcomes(ctx context.Context, runID string, p Paging) (Page[Outcome], error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return Page[Outcome]{}, err
	}
	place, err := decodeCursor(listOutcomes, p.Cursor)
	if err == nil && place != nil && len(place) != 9 {
		err = invalid("cursor", "is not a cursor of this list; start again without one")
	}
	if err != nil {
		return Page[Outcome]{}, err
	}
	r, err := view(v, func(t *tx) (*run, error) { return t.run(runID) })
	if err != nil {
		return Page[Outcome]{}, err
	}
	part, from := byte(outcomesDone), r.began
	if place != nil {
		part, from = place[0], binary.BigEndian.Uint64(place[1:])
	}
	if part == outcomesDone {
		done, err := v.done(r, from, limit)
		page := Page[Outcome]{Items: done.outcomes, NextCursor: outcomeCursor(outcomesDone, done.next)}
		if err != nil || done.next > 0 || r.ended == 0 {
			return page, err
		}
		if page.NextCursor = outcomeCursor(outcomesLeft, 0); len(page.Items) == limit {
			return page, nil
		}
		left, err := v.left(r, 0, limit-len(page.Items))
		left.Items = append(page.Items, left.Items...)
		return left, err
	}
	return v.left(r, int64(from), limit)
}

// The two parts of a list of outcomes, as its cursor names them.
const (
	outcomesDone = 'd' // then the seq of the entry last looked at
	outcomesLeft = 'l' // then how much of the file was read
)

func outcomeCursor(part byte, at uint64) string {
	if part == outcomesDone && at == 0 {
		return ""
	}
	return store.EncodePlace(listOutcomes, binary.BigEndian.AppendUint64([]byte{part}, at))
}

// outcomesPage is some of what a run did; next is the seq to go on after, 0 if
// that was all.
type outcomesPage struct {
	outcomes []Outcome
	next     uint64
}

// done returns what a run did by the entries after one of them.
func (v *Vault) done(r *run, after uint64, limit int) (outcomesPage, error) {
	return view(v, func(t *tx) (page outcomesPage, err error) {
		last := t.Last()
		if r.ended > 0 {
			last = min(last, r.ended)
		}
		for seq := after + 1; seq <= last; seq++ {
			e, err := t.entry(seq)
			if err != nil {
				return page, err
			}
			if by, _ := e.Facts["run"].AsText(); by == r.ID && e.Document != "" && (!t.partial() || t.seen(e.Document)) {
				page.outcomes = append(page.outcomes, outcomeOf(e.Entry))
			}
			if seq < last && (len(page.outcomes) == limit || seq-after == maxLook) {
				page.next = seq
				return page, nil
			}
		}
		return page, nil
	})
}

func outcomeOf(e audit.Entry) Outcome {
	o := Outcome{DocumentID: e.Document, Action: ActionDelete, Outcome: ResultDeleted}
	if e.Op == audit.OpDocumentArchived {
		o.Action, o.Outcome = ActionArchive, ResultArchived
	} else if right, _ := e.Facts["right"].AsText(); Right(right) == RightErasure {
		o.Outcome = ResultErased
	}
	o.PolicyID, _ = e.Facts["policy"].AsText()
	return o
}

// left returns what a run left alone, from a place in its file.
func (v *Vault) left(r *run, from int64, limit int) (Page[Outcome], error) {
	lines, next, err := v.leftLines(r.ID, from, limit)
	if err != nil {
		return Page[Outcome]{}, err
	}
	return view(v, func(t *tx) (page Page[Outcome], err error) {
		for _, p := range lines {
			if !t.partial() || t.seen(p.documentID) {
				page.Items = append(page.Items, Outcome{p.documentID, p.action, p.policyID, p.because})
			}
		}
		if len(lines) == limit {
			page.NextCursor = outcomeCursor(outcomesLeft, uint64(next))
		}
		return page, nil
	})
}

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
