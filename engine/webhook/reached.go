package webhook

import "slices"

// Reached is how far a webhook has been told: all up to Cursor, but for what it refuses
// while it takes others. It is what servers that deliver in turn tell one another.
type Reached struct {
	Cursor uint64   `json:"cursor"`
	Aside  []uint64 `json:"aside,omitempty"` // entries, in order
}

// Reached tells how far all webhooks are, by id, for Options of another server.
func (d *Deliverer) Reached() map[string]Reached {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[string]Reached, len(d.endpoints))
	for id, e := range d.endpoints {
		_, p := e.standing()
		r := Reached{Cursor: p.Cursor}
		for _, a := range p.Aside {
			r.Aside = append(r.Aside, a.Seq)
		}
		all[id] = r
	}
	return all
}

// take goes on where another server was, if that is further than the file says. One
// that nobody knows of was made since: all it wants is told. What was tried, and failed,
// is tried anew, from the beginning of the schedule.
func (e *endpoint) take(r Reached, known bool) {
	r.Cursor = max(r.Cursor, e.webhook.CreatedSeq)
	if known && r.Cursor <= e.place.Cursor {
		return
	}
	e.place = place{Cursor: r.Cursor, N: e.place.N}
	slices.Sort(r.Aside)
	for _, seq := range r.Aside {
		e.place.Aside = append(e.place.Aside, aside{Seq: seq, Attempts: 1})
	}
	e.dirty = true
}
