package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"strongroom/engine"
)

// saveGap is the least time between two writings of the file. What happens when
// it is quiet is written at once.
const saveGap = 100 * time.Millisecond

// record writes down what is new until ctx is done.
func (d *Deliverer) record(ctx context.Context) {
	for {
		select {
		case <-d.state.kick:
		case <-ctx.Done():
			return
		}
		if err := d.flush(false); err != nil {
			d.o.Report(fmt.Errorf("what became of deliveries is not written down; it is tried again: %w", err))
			d.state.soon()
			pause(ctx, troubled)
		}
		pause(ctx, saveGap)
	}
}

// flush writes down what is new, or with all also how far endpoints have come
// that only passed over entries.
func (d *Deliverer) flush(all bool) error {
	d.flushing.Lock()
	defer d.flushing.Unlock()
	d.mu.Lock()
	var list []news
	var from []*endpoint
	for _, e := range d.endpoints {
		if n, ok := e.news(all); ok {
			list, from = append(list, n), append(from, e)
		}
	}
	d.mu.Unlock()
	err := d.state.write(list, d.v.Head()) // read last: no place is beyond it
	if err != nil {
		for i, e := range from {
			e.putBack(list[i])
		}
	}
	return err
}

// news takes what is new.
func (e *endpoint) news(all bool) (news, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.dirty && !(all && e.place.Cursor != e.saved) {
		return news{}, false
	}
	n := news{e.id, e.place, e.fresh}
	e.dirty, e.fresh, e.saved = false, nil, e.place.Cursor
	return n, true
}

// putBack gives back what could not be written down.
func (e *endpoint) putBack(n news) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dirty = true
	e.fresh = append(n.deliveries, e.fresh...)
	e.fresh = e.fresh[max(0, len(e.fresh)-keptDeliveries):]
}

// Deliveries lists the last attempts to tell a webhook of events, the last first:
// a thousand are kept. engine.ErrWebhookNotFound.
func (d *Deliverer) Deliveries(ctx context.Context, webhookID string, q engine.DeliveryQuery) (page engine.Page[engine.Delivery], err error) {
	limit, before := q.Limit, uint64(math.MaxInt64)
	if limit == 0 {
		limit = 50
	}
	if limit < 1 || limit > 500 {
		return page, invalid("limit", "must be between 1 and 500")
	}
	if q.Cursor != "" {
		if before, err = strconv.ParseUint(q.Cursor, 10, 63); err != nil {
			return page, invalid("cursor", "is not a cursor of this list; start again without one")
		}
	}
	e, err := d.endpoint(ctx, webhookID)
	if err != nil {
		return page, err
	}
	list, more, err := d.list(e, before, limit, q.Status)
	if page.Items = list; more {
		page.NextCursor = strconv.FormatUint(list[len(list)-1].N, 10)
	}
	return page, err
}

// list returns some deliveries before the nth, the last first, and whether there
// are more. It writes nothing: a list can be read while the disk is full.
func (d *Deliverer) list(e *endpoint, before uint64, limit int, status engine.DeliveryStatus) (list []engine.Delivery, more bool, err error) {
	d.flushing.Lock() // each is in memory or in the file, and in one of them
	defer d.flushing.Unlock()
	for _, d := range slices.Backward(e.unwritten()) {
		switch {
		case d.N >= before || status != "" && d.Status != status:
		case len(list) == limit:
			return list, true, nil
		default:
			list = append(list, d)
		}
	}
	written, more, err := d.state.deliveries(e.id, before, limit-len(list), status)
	return append(list, written...), more, err
}

// one returns a delivery. engine.ErrDeliveryNotFound.
func (d *Deliverer) one(e *endpoint, n uint64) (engine.Delivery, error) {
	d.flushing.Lock()
	defer d.flushing.Unlock()
	for _, d := range e.unwritten() {
		if d.N == n {
			return d, nil
		}
	}
	return d.state.delivery(e.id, n)
}

func (e *endpoint) unwritten() []engine.Delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.fresh)
}

func invalid(field, message string) error {
	return &engine.InvalidError{Fields: []engine.FieldError{{Field: field, Message: message}}}
}

// Redeliver tells the event of a delivery again, now, once, whether or not the
// webhook is active, and returns what became of it, which is on the list too. The
// schedule stays as it is, but if the endpoint took the event it is not waited for
// any longer. engine.ErrWebhookNotFound; engine.ErrDeliveryNotFound if there is no
// such delivery, or not any more, or it told nothing.
func (d *Deliverer) Redeliver(ctx context.Context, webhookID string, n uint64) (engine.Delivery, error) {
	e, err := d.endpoint(ctx, webhookID)
	if err != nil {
		return engine.Delivery{}, err
	}
	was, err := d.one(e, n)
	if err == nil && was.Status == engine.DeliverySkipped {
		err = engine.ErrDeliveryNotFound
	}
	if err != nil {
		return engine.Delivery{}, err
	}
	entry, err := d.v.Entry(ctx, was.Seq)
	if err != nil {
		return engine.Delivery{}, fmt.Errorf("entry %d: %w", was.Seq, err)
	}
	event, err := newEvent(d.v.ID(), entry)
	if err != nil {
		return engine.Delivery{}, err
	}
	done, err := d.once(ctx, e, event)
	if err != nil {
		return engine.Delivery{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.note(done), nil
}

// Test tells a webhook an event of the type webhook.test, which is no entry of the
// log, now, once, whether or not it is active, and returns what became of it; it
// is not on the list. If the endpoint took it, it is not waited for any longer.
// engine.ErrWebhookNotFound.
func (d *Deliverer) Test(ctx context.Context, webhookID string) (engine.Delivery, error) {
	e, err := d.endpoint(ctx, webhookID)
	if err != nil {
		return engine.Delivery{}, err
	}
	event, err := newTest(d.v.ID(), e.id, rand.Text(), time.Now())
	if err != nil {
		return engine.Delivery{}, err
	}
	return d.once(ctx, e, event)
}

var errPaused = errors.New("the vault is paused, so nothing is delivered; an admin can end that in the settings")

// once makes an attempt that an admin asks for. The schedule knows nothing of it.
func (d *Deliverer) once(ctx context.Context, e *endpoint, event event) (engine.Delivery, error) {
	target, err := d.v.LogReader().WebhookTarget(ctx, e.id)
	if err != nil {
		return engine.Delivery{}, err
	}
	o := outcome{at: time.Now(), err: errPaused}
	if !target.Paused {
		o = d.client.attempt(ctx, event, target)
	}
	if err := ctx.Err(); err != nil && !o.delivered() {
		return engine.Delivery{}, err
	}
	if o.delivered() {
		e.hurry()
	}
	return o.delivery(event.seq, string(event.op), 0), nil
}

// hurry ends the waiting: the endpoint is there.
func (e *endpoint) hurry() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.place.hurry()
	e.keep()
	e.wake()
}
