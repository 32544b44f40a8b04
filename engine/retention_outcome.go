package engine

import (
	"context"

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

// Run returns one. ErrRunNotFound.
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

// Runs lists the runs, the last one first.
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
