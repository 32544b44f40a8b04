package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/engine/webhook"
)

// network is one of pipes: names, the addresses they have, and who listens there.
// It does what a network does, within a bubble of testing/synctest.
type network struct {
	mu      sync.Mutex
	names   map[string][]netip.Addr
	hosts   map[string]*pipes // by address and port
	dialled []string
}

func (n *network) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if addrs, ok := n.names[host]; ok {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (n *network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	host := n.hosts[address]
	n.mu.Unlock()
	if host == nil {
		return nil, errors.New("connection refused")
	}
	return host.dial(ctx)
}

// pipes is a net.Listener.
type pipes struct {
	address string
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (n *network) listen(address string) *pipes {
	p := &pipes{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[address] = p
	return p
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: p.address, Net: "pipe"} }

// kit is a vault, a network and, once it is started, who delivers from the one
// into the other.
type kit struct {
	*enginetest.Kit
	t       *testing.T
	net     *network
	options webhook.Options
	d       *webhook.Deliverer
	reports []string
	mu      sync.Mutex
	stop    func() error
}

// inBubble runs a test with a kit, in a bubble, not yet delivering.
func inBubble(t *testing.T, test func(k *kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newKit(t)) })
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{Kit: enginetest.New(t), t: t, net: &network{names: map[string][]netip.Addr{}, hosts: map[string]*pipes{}}}
	k.options = webhook.Options{
		Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Resolver: k.net, Dialer: k.net,
		Report: func(err error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.reports = append(k.reports, err.Error())
		},
	}
	t.Cleanup(func() {
		k.halt()
		time.Sleep(2 * time.Minute) // receivers that sleep must have woken
	})
	return k
}

// start begins to deliver.
func (k *kit) start() {
	k.t.Helper()
	d, err := webhook.Open(k.Vault, k.Dir, k.options)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	k.d = d
	k.stop = func() error {
		cancel()
		return errors.Join(<-ended, d.Close())
	}
}

// halt ends delivering.
func (k *kit) halt() {
	k.t.Helper()
	if k.stop != nil {
		k.must(k.stop())
	}
	k.stop = nil
}

// reported is what the deliverers told their program.
func (k *kit) reported() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.reports)
}

// hook makes a webhook that leads to a receiver.
func (k *kit) hook(r *receiver, events ...string) engine.Webhook {
	k.t.Helper()
	w, secret, _, err := k.CreateWebhook(k.t.Context(), k.Admin, engine.NewWebhook{URL: r.url, Events: events})
	if err != nil {
		k.t.Fatal(err)
	}
	r.change(func() { r.secrets = append(r.secrets, secret.Reveal()) })
	return w
}

// make makes documents of these names, an event each.
func (k *kit) make(names ...string) (seqs []uint64) {
	k.t.Helper()
	for _, name := range names {
		k.Create(name, "the text")
		seqs = append(seqs, k.Head().Seq)
	}
	return seqs
}

// deliveries are those of a webhook, the first first.
func (k *kit) deliveries(w engine.Webhook) []engine.Delivery {
	k.t.Helper()
	page, err := k.d.Deliveries(k.t.Context(), w.ID, engine.DeliveryQuery{Paging: engine.Paging{Limit: 500}})
	if err != nil {
		k.t.Fatal(err)
	}
	slices.Reverse(page.Items)
	return page.Items
}

func (k *kit) webhook(w engine.Webhook) engine.Webhook {
	k.t.Helper()
	is, err := k.Webhook(k.t.Context(), w.ID)
	if err != nil {
		k.t.Fatal(err)
	}
	return is
}

func (k *kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// message is one that a receiver got.
type message struct {
	at        time.Time
	header    http.Header
	body      string
	ID, Type  string
	Timestamp string
	Data      struct {
		Seq, Version              uint64
		Hash, ActorID, DocumentID string
		Facts                     map[string]any
	}
}

// receiver is an endpoint: a real HTTP server, which checks every message with the
// official library.
type receiver struct {
	k       *kit
	t       *testing.T
	url     string
	secrets []string
	// answer decides; nil takes all. It is called in order, one at a time.
	answer func(w http.ResponseWriter, m message)

	mu       sync.Mutex // guards what is above but k, t and url, too
	got      []message
	answered int
}

// receive listens on an address of the network.
func (k *kit) receive(address string, answer func(w http.ResponseWriter, m message)) *receiver {
	r := &receiver{k: k, t: k.t, url: "http://" + address + "/in", answer: answer}
	k.serve(k.net.listen(address), r)
	return r
}

func (k *kit) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h}
	go server.Serve(l)
	k.t.Cleanup(func() { server.Close() })
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	m := message{at: time.Now(), header: req.Header, body: string(body)}
	if err := json.Unmarshal(body, &m); err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	r.got = append(r.got, m)
	secrets, answer := r.secrets, r.answer
	r.mu.Unlock()
	r.check(secrets, req, m)
	if answer != nil {
		defer r.change(func() { r.answered++ }) // who asks after it sees what the answer did
		answer(w, m)
	}
}

// change changes what the receiver does, between two messages.
func (r *receiver) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

// check holds every message to Standard Webhooks: each secret alone verifies it.
func (r *receiver) check(secrets []string, req *http.Request, m message) {
	for _, secret := range secrets {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = verifier.Verify([]byte(m.body), req.Header)
		}
		if err != nil {
			r.t.Errorf("%s: %v", m.ID, err)
		}
	}
	if req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" || m.ID != req.Header.Get("Webhook-Id") {
		r.t.Errorf("%s %v %s", req.Method, req.Header, m.body)
	}
}

func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// seqs are the entries that were told, in order.
func (r *receiver) seqs() (list []uint64) {
	for _, m := range r.messages() {
		list = append(list, m.Data.Seq)
	}
	return list
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = nil
}

// status answers with it.
func status(code int) func(http.ResponseWriter, message) {
	return func(w http.ResponseWriter, _ message) { w.WriteHeader(code) }
}

// since spells when messages came, from an instant on.
func since(from time.Time, list []message) string {
	var out []string
	for _, m := range list {
		out = append(out, m.at.Sub(from).Round(time.Second).String())
	}
	return strings.Join(out, " ")
}

func numbers(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("document ", i))
	}
	return names
}

// opened is the last entry of a kind.
func (k *kit) last(op audit.Op) engine.Entry {
	k.t.Helper()
	page, err := k.Entries(k.t.Context(), engine.EntryQuery{Op: op, Limit: 500})
	k.must(err)
	if len(page.Items) == 0 {
		k.t.Fatalf("there is no %s", op)
	}
	return page.Items[len(page.Items)-1]
}
