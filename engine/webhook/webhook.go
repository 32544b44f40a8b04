// Package webhook delivers what happens in a vault to the endpoints that its
// webhooks name, as messages of Standard Webhooks.
//
// The strongroom program has a Deliverer for each of its vaults; another program
// does the same for the vaults it opens:
//
//	d, err := webhook.Open(vault, dir, webhook.Options{})
//	…
//	go d.Run(ctx) // until ctx is done
//	…
//	d.Close() // after Run, before vault.Close
//
// # A reader of the log
//
// The audit log is the outbox: an event is an entry, and it is there because the
// change it tells of is. A [Deliverer] reads the log like any other reader, so a
// delivery costs no writer anything, and what is not delivered yet is in the log
// and nowhere else. It keeps in a file of its own, webhooks.db in the vault's
// directory, how far each endpoint has been told, and what became of the last
// attempts; no body and nothing that names a person.
//
// # What is promised
//
// At least once: the place of an endpoint moves on after it has answered. A crash
// between the answer and the record, which is made at once or, when much is
// delivered, within a tenth of a second, repeats a message with the same
// webhook-id; receivers pass over ids they have had.
//
// In order, for each endpoint, while it answers: one message at a time, and while
// one fails, those after it wait. There is one exception, without which a message
// that an endpoint cannot digest would keep all others from it for days: when one
// has failed three times, and the endpoint did answer, the one after it is tried
// too, once for each failure. If that is taken, the first is set aside and tried
// by itself, from the schedule's beginning to its end, while the others go on.
// What is given up then is in the list of deliveries, and in the log.
//
// A failure is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h
// and 24 h, and every 24 h from then on, or when Retry-After says, if that is 24
// h at most and 5 s at least. 2xx within 15 s is success; everything else is
// failure, redirects too. 410, or five days of nothing but failure, end it:
// webhook.disabled. A change of the webhook ends the waiting and begins the five
// days anew; so does a day in which nothing was tried, because the program did
// not run. A webhook that is not active, or paused with all others in the
// settings, keeps its place, and goes on from there.
//
// # Who makes way
//
// While the vault is written to, attempts take a fraction of the processors, so
// that a hundred subscribers cost the writer nothing that can be measured. They
// fall behind then, and catch up when it is quiet; how far they are is in
// [Stats]. What an endpoint costs the others while it takes its time is nothing.
//
// # Losing the file
//
// The file can be deleted at any time. Endpoints then go on from the head of the
// log as it is when the next Deliverer opens, and not from the entry of their
// creation: to tell years of events again would keep the news back for hours. The
// list of deliveries of each says so, with the entry; who missed something reads
// it from the log. A file that is damaged, that belongs to another vault, or to a
// log that has been another one meanwhile, counts as lost. Damage that is found
// later keeps nothing from being told; what is new is then in memory until the next
// Open.
//
// # Where messages go
//
// Whoever may make webhooks must not reach, through them, what only this machine
// can. So an address is judged when it is dialled, each of a name's addresses at
// each attempt, and what was judged is what is dialled: see [Options].Allow.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"strongroom/engine"
)

// Options of a Deliverer. The zero value delivers by https to the internet and
// nowhere else.
type Options struct {
	// Allow names ranges that are not the internet's and are delivered to all the
	// same, without TLS too. The addresses at which clouds hand out a machine's
	// credentials are refused whatever it says.
	Allow []netip.Prefix
	// Proxy is what targets are reached through; nil is none: the environment's
	// are not used. It resolves names itself, so then only targets that are
	// addresses are judged here, and the rest is up to the proxy.
	Proxy *url.URL
	// TLS is what speaks to targets; nil trusts who the machine trusts.
	TLS *tls.Config
	// Resolver and Dialer are how targets are found; nil are those of package net.
	Resolver Resolver
	Dialer   Dialer
	// Reached is how far another server has told the webhooks of this vault, which lives
	// in a store: those whose file is behind, or knows nothing of them, go on from
	// there. nil: nobody else ever delivers.
	Reached map[string]Reached
	// Report is told what went wrong and was overcome: a file that was lost, a
	// record that could not be kept and is tried again. nil: nobody.
	Report func(error)
}

// file is where a Deliverer keeps what it knows, in the directory of the vault.
const file = "webhooks.db"

// stopGrace is how long attempts that are under way may go on once Run is told to
// stop, so that what an endpoint has taken is recorded.
const stopGrace = 5 * time.Second

// Deliverer delivers the events of one vault. Its methods may be called from many
// goroutines; only Run starts any.
//
// Locks, in the order in which they are taken: loading or flushing, mu, an endpoint's mu;
// feed.mu, pace.mu and state.mu are leaves.
type Deliverer struct {
	v      *engine.Vault
	o      Options
	client *client
	state  *state
	feed   *feed
	pace   *pace

	loading   sync.Mutex // an older list of webhooks must not undo what a newer one made
	flushing  sync.Mutex // an older place must not be written over a newer one
	mu        sync.Mutex
	endpoints map[string]*endpoint // by webhook
	running   *running             // nil unless Run runs
}

// running is what belongs to one Run.
type running struct {
	ctx      context.Context // ends when Run is told to stop
	attempts context.Context // ends stopGrace later: what is on its way may arrive
	workers  sync.WaitGroup
}

// Open prepares delivering for a vault whose directory is dir. Nothing is
// delivered before Run.
func Open(v *engine.Vault, dir string, o Options) (*Deliverer, error) {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Dialer == nil {
		o.Dialer = &net.Dialer{}
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	s, err := openState(filepath.Join(dir, file), v, o.Report)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(dir, file), err)
	}
	p := newPace()
	d := &Deliverer{v: v, feed: newFeed(v, p), pace: p, o: o, client: newClient(o), state: s, endpoints: map[string]*endpoint{}}
	if err := d.load(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("read the webhooks: %w", err), s.close())
	}
	if err := d.forgetDeleted(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return d, nil
}

// Run delivers until ctx is done, and then returns nil, or until the vault cannot
// be used any more. It may be called once at a time.
func (d *Deliverer) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	attempts, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, end) })()
	r := &running{ctx: ctx, attempts: attempts}
	d.begin(r)
	var recording sync.WaitGroup
	recorded, enough := context.WithCancel(context.WithoutCancel(ctx))
	recording.Go(func() { d.record(recorded) })
	err := d.follow(ctx)
	stop()
	d.begin(nil)
	r.workers.Wait()
	enough()
	recording.Wait()
	return errors.Join(err, d.flush(true))
}

// begin starts a worker for each endpoint there is, or with nil lets no more
// start.
func (d *Deliverer) begin(r *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = r
	if r == nil {
		return
	}
	for _, e := range d.endpoints {
		r.workers.Go(func() { e.work(r) })
	}
}

// Close lets go of the file. Run must have returned.
func (d *Deliverer) Close() error {
	d.client.close()
	return errors.Join(d.flush(true), d.state.close())
}

// Stats is how the deliveries of a vault stand.
type Stats struct {
	Webhooks int    // there are
	Active   int    // of them
	Failing  int    // of those: the last attempt failed, and it is waited for the next
	Lag      uint64 // how many entries the active one furthest behind has still to be told, or to pass over
}

// Stats may be called at any time.
func (d *Deliverer) Stats() (s Stats) {
	head := d.v.Head().Seq
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.endpoints {
		s.Webhooks++
		active, place := e.standing()
		if !active {
			continue
		}
		s.Active++
		if place.Failures > 0 {
			s.Failing++
		}
		s.Lag = max(s.Lag, head-min(head, place.Cursor))
	}
	return s
}

// load makes the endpoints those of the webhooks there are.
func (d *Deliverer) load(ctx context.Context) error {
	d.loading.Lock()
	defer d.loading.Unlock()
	there := map[string]engine.Webhook{}
	for p := (engine.Paging{Limit: 500}); ; {
		page, err := d.v.Webhooks(ctx, p)
		if err != nil {
			return err
		}
		for _, w := range page.Items {
			there[w.ID] = w
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, e := range d.endpoints {
		if _, ok := there[id]; !ok {
			delete(d.endpoints, id)
			e.wake() // its worker finds that it is gone
			d.state.forget(id)
		}
	}
	for id, w := range there {
		if e := d.endpoints[id]; e != nil {
			e.changed(w)
			continue
		}
		e, err := d.newEndpoint(w)
		if err != nil {
			return err
		}
		d.endpoints[id] = e
		if r := d.running; r != nil {
			r.workers.Go(func() { e.work(r) })
		}
	}
	return nil
}

// endpoint returns the endpoint of a webhook, of one made this moment too.
// engine.ErrWebhookNotFound.
func (d *Deliverer) endpoint(ctx context.Context, webhookID string) (*endpoint, error) {
	w, err := d.v.Webhook(ctx, webhookID)
	if err != nil {
		return nil, err
	}
	if e := d.known(w.ID); e != nil {
		return e, nil
	}
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	if e := d.known(w.ID); e != nil {
		return e, nil
	}
	return nil, engine.ErrWebhookNotFound
}

func (d *Deliverer) known(webhookID string) *endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endpoints[webhookID]
}
