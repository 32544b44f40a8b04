package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"strongroom/engine"
)

const (
	// lookAgain bounds every wait: a timer does not see the clock being set or the
	// machine asleep.
	lookAgain = 10 * time.Minute
	// troubled is how long to wait when the vault cannot be asked.
	troubled = time.Minute
	// saveEvery is how many entries an endpoint passes over before that alone is
	// written down.
	saveEvery = 1_000
)

// endpoint is where one webhook leads, and how far it has been told. Its worker,
// one goroutine, makes all its attempts but those that admins ask for.
type endpoint struct {
	d  *Deliverer
	id string
	// woken holds a token when there may be something to do.
	woken chan struct{}

	// The worker's own: ahead are entries after the cursor that the webhook wants,
	// up to the entry read.
	ahead []*item
	read  uint64

	mu      sync.Mutex
	webhook engine.Webhook // as last heard of
	place   place
	// refused says that the endpoint would not have the next entry when it was tried
	// last, and the one after it was not tried since.
	refused bool
	fresh   []engine.Delivery // not written down yet, in order
	dirty   bool              // place or fresh are not, and it matters
	saved   uint64            // the cursor that is
}

// newEndpoint begins where the file says, or after the webhook's creation, but
// not before the file was made.
func (d *Deliverer) newEndpoint(w engine.Webhook) (*endpoint, error) {
	p, known, err := d.state.place(w.ID)
	if err != nil && !errors.Is(err, errDamaged) { // while it runs, it knows all but the webhooks made since
		return nil, fmt.Errorf("webhook %s: %w", w.ID, err)
	}
	e := &endpoint{d: d, id: w.ID, webhook: w, place: p, woken: make(chan struct{}, 1)}
	switch {
	case d.o.Reached != nil:
		e.take(d.o.Reached[w.ID], known)
	case !known:
		e.place.Cursor = max(w.CreatedSeq, d.state.start)
		if w.CreatedSeq < d.state.start {
			d.o.Report(fmt.Errorf("webhook %s goes on after entry %d, the head of the log: what it was not told up to there is in the audit log", w.ID, e.place.Cursor))
			e.note(engine.Delivery{
				Seq: e.place.Cursor, At: time.Now().UTC().Truncate(time.Millisecond), Status: engine.DeliverySkipped,
				Error: "what was kept of deliveries is lost; read what is missing up to this entry from the audit log",
			})
		}
		e.dirty = true
	}
	e.saved = e.place.Cursor
	return e, nil
}

// wake has the worker look again.
func (e *endpoint) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

func (e *endpoint) changed(w engine.Webhook) {
	e.mu.Lock()
	e.webhook = w
	e.mu.Unlock()
	e.wake()
}

func (e *endpoint) standing() (active bool, p place) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.webhook.Active, e.place
}

// offer wakes the worker if it is to be told one of these entries. One that is up
// to date and wants none of them passes over them here, without being woken.
func (e *endpoint) offer(items []*item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.place.Failures > 0 && !e.mayProbe() {
		return // it waits, whatever comes
	}
	if slices.ContainsFunc(items, func(i *item) bool { return e.webhook.Wants(i.op) }) {
		e.wake()
		return
	}
	if e.place.Cursor+1 >= items[0].seq {
		e.pass(items[len(items)-1].seq)
	}
}

// pass moves the cursor. The caller holds mu.
func (e *endpoint) pass(seq uint64) {
	e.place.Cursor = max(e.place.Cursor, seq)
	if e.place.Cursor-e.saved >= saveEvery {
		e.keep()
	}
}

// keep has the place written down soon. The caller holds mu.
func (e *endpoint) keep() {
	e.dirty = true
	e.d.state.soon()
}

// note puts a delivery on the list. The caller holds mu.
func (e *endpoint) note(d engine.Delivery) engine.Delivery {
	e.place.N++
	d.N = e.place.N
	if e.fresh = append(e.fresh, d); len(e.fresh) > keptDeliveries { // if nothing can be written down
		e.fresh = slices.Delete(e.fresh, 0, len(e.fresh)-keptDeliveries)
	}
	e.keep()
	return d
}

// work delivers until it is told to stop, or the webhook is deleted.
func (e *endpoint) work(r *running) {
	for r.ctx.Err() == nil {
		wait, err := e.step(r)
		switch {
		case errors.Is(err, engine.ErrWebhookNotFound), errors.Is(err, engine.ErrUnavailable):
			return
		case err != nil && r.ctx.Err() == nil:
			e.d.o.Report(fmt.Errorf("webhook %s: %w", e.id, err))
			wait = troubled
		}
		if wait > 0 {
			e.rest(r.ctx, min(wait, lookAgain))
		}
	}
}

// rest waits for a time, or until there may be something to do.
func (e *endpoint) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.woken:
	case <-ctx.Done():
	}
}

// step makes one attempt if one is due, and says how long to wait otherwise.
func (e *endpoint) step(r *running) (wait time.Duration, err error) {
	target, err := e.d.v.LogReader().WebhookTarget(r.ctx, e.id)
	if err != nil {
		return 0, err
	}
	if !target.Active || target.Paused {
		return lookAgain, nil
	}
	e.begin(target)
	first, err := e.find(r.ctx, target, 0)
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	p, probe := e.place, e.mayProbe()
	e.mu.Unlock()
	set, now := p.firstAside(), time.Now()
	switch {
	case p.Failures == 0 && set != nil && due(set.Next, now):
		return 0, e.retry(r, target, *set)
	case first == nil && set != nil:
		return set.Next.Sub(now), nil
	case first == nil:
		return lookAgain, nil
	case due(p.Next, now):
		return 0, e.tell(r, target, first)
	case probe:
		second, err := e.find(r.ctx, target, 1)
		if second != nil && err == nil {
			return 0, e.probe(r, target, first, second)
		}
		return p.Next.Sub(now), err
	}
	return p.Next.Sub(now), nil
}

// due says whether a time has come. One that is further away than any wait was
// set by another clock.
func due(at, now time.Time) bool {
	return !now.Before(at) || at.Sub(now) > longestWait
}

// begin takes note of the webhook as it is now: what was waited for ends with
// every change of it.
func (e *endpoint) begin(target engine.WebhookTarget) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.webhook = target.Webhook
	if p := &e.place; p.Revision != target.Revision {
		p.Revision, p.Failures, p.Failing = target.Revision, 0, time.Time{}
		p.hurry()
		e.ahead, e.read, e.refused = nil, 0, false
		e.keep()
	}
}

// find returns the first of the entries after the cursor that the webhook wants,
// or with 1 the second; nil if there is none yet. The cursor moves over those that
// it does not want.
func (e *endpoint) find(ctx context.Context, target engine.WebhookTarget, n int) (*item, error) {
	for {
		_, p := e.standing()
		e.ahead = slices.DeleteFunc(e.ahead, func(i *item) bool { return i.seq <= p.Cursor })
		e.read = max(e.read, p.Cursor)
		if len(e.ahead) > 0 {
			e.skip(e.ahead[0].seq - 1)
		} else {
			e.skip(e.read)
		}
		if len(e.ahead) > n {
			return e.ahead[n], nil
		}
		more, err := e.d.feed.after(ctx, e.read)
		if err != nil || len(more) == 0 {
			return nil, err
		}
		e.read = more[len(more)-1].seq
		for _, i := range more {
			if target.Wants(i.op) {
				e.ahead = append(e.ahead, i)
			}
		}
	}
}

func (e *endpoint) skip(seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pass(seq)
}

// firstAside is the one set aside that is due first, nil if there is none.
func (p *place) firstAside() *aside {
	if len(p.Aside) == 0 {
		return nil
	}
	first := slices.MinFunc(p.Aside, func(a, b aside) int { return a.Next.Compare(b.Next) })
	return &first
}

// hurry ends the waiting.
func (p *place) hurry() {
	p.Next = time.Time{}
	p.Aside = slices.Clone(p.Aside) // others may have what it was
	for i := range p.Aside {
		p.Aside[i].Next = time.Time{}
	}
}
