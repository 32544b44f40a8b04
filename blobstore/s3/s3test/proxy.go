package s3test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Rules say what a Port does to requests. The zero Rules pass everything on.
type Rules struct {
	Only  func(*http.Request) bool // the requests that these rules are about; nil: all
	OneIn int                      // one of so many of them, drawn; 0 and 1: each

	Delay            time.Duration // before a request goes on
	Reorder          time.Duration // beside it, up to so long, drawn for each: later ones overtake
	LoseAnswer       bool          // it is carried out, and the connection breaks before the answer
	Late             time.Duration // the client is told 503, and it is carried out so much later
	Repeat           bool          // it is carried out twice, and the second answer is told
	IgnoreConditions bool          // If-None-Match and If-Match are taken off it
	Forget           bool          // the client is told that it is done, and nothing is
	Refuse           bool          // a network cut in two: connections break, at once
	Silent           bool          // another: nothing answers. What is still waited for goes on with the next Rules
}

// Proxy stands before an HTTP server, mostly a store of objects, and does to requests
// what networks and bad stores do. Each Port of it is an address for one client, with
// Rules of its own. What goes on keeps its Host and its headers, and so its signature.
// With a nil *Rules nothing is different from the server itself.
//
// Make it with NewProxy, and end it with Close.
type Proxy struct {
	secret    string
	transport *http.Transport
	forward   *httputil.ReverseProxy
	late      sync.WaitGroup
	ended     chan struct{} // closed by Close
	close     sync.Once

	mu       sync.Mutex // guards all below
	upstream *url.URL
	dice     *rand.Rand
	ports    []*Port
}

// NewProxy stands before the server at a URL, which SetUpstream may say later. secret
// is the client's secret key: a request whose conditions are taken off is signed anew.
func NewProxy(upstream, secret string) (*Proxy, error) {
	p := &Proxy{secret: secret, ended: make(chan struct{}), dice: rand.New(rand.NewPCG(1, 2)),
		transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, ExpectContinueTimeout: time.Second}}
	p.forward = &httputil.ReverseProxy{
		Transport: p.transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			target := p.target()
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return p, p.SetUpstream(upstream)
}

// SetUpstream says where the server is now.
func (p *Proxy) SetUpstream(upstream string) error {
	u, err := url.Parse(upstream)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = u
	return err
}

func (p *Proxy) target() *url.URL {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upstream
}

// draw returns a number below n.
func (p *Proxy) draw(n int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dice.Int64N(n)
}

// Close breaks all connections, and carries out nothing more.
func (p *Proxy) Close() { p.close.Do(p.end) }

func (p *Proxy) end() {
	p.mu.Lock()
	ports := p.ports
	p.ports = nil
	p.mu.Unlock()
	close(p.ended)
	for _, port := range ports {
		port.Set(Rules{Refuse: true})
		port.server.Close()
	}
	p.late.Wait()
	p.transport.CloseIdleConnections()
}

// Port is an address of a Proxy.
type Port struct {
	proxy  *Proxy
	server *http.Server
	url    string

	waiting atomic.Int64

	mu      sync.Mutex // guards what follows
	rules   Rules
	changed chan struct{} // closed and made anew by Set
}

// Port opens an address on this machine that no rules are laid on yet.
func (p *Proxy) Port() (*Port, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := &Port{proxy: p, url: "http://" + listener.Addr().String(), changed: make(chan struct{})}
	port.server = &http.Server{Handler: http.HandlerFunc(port.serve)}
	p.mu.Lock()
	p.ports = append(p.ports, port)
	p.mu.Unlock()
	go port.server.Serve(listener)
	return port, nil
}

// URL is the port's, without a path.
func (p *Port) URL() string { return p.url }

// Waiting is how many requests are held by a silent network, and not given up.
func (p *Port) Waiting() int { return int(p.waiting.Load()) }

// Set lays other rules on the port. Requests under way keep those that they began
// with, but the two that cut the network break them.
func (p *Port) Set(rules Rules) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = rules
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Port) now() (Rules, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules, p.changed
}

// serve decides what becomes of a request.
func (p *Port) serve(w http.ResponseWriter, r *http.Request) {
	rules, changed := p.now()
	if rules.Silent { // who has gone is seen when all is read that it sent
		if err := hold(r); err != nil {
			panic(http.ErrAbortHandler)
		}
		rules, changed = p.waitOut(r, rules, changed)
	}
	if rules.Refuse {
		panic(http.ErrAbortHandler)
	}
	ctx, cut := context.WithCancel(r.Context())
	defer cut()
	go p.cutWith(ctx, cut, changed)
	r = r.WithContext(ctx)
	if rules.Only != nil && !rules.Only(r) || rules.OneIn > 1 && p.proxy.draw(int64(rules.OneIn)) != 0 {
		rules = Rules{}
	}
	p.proxy.carry(w, r, rules)
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// waitOut returns when the network is not silent any more.
func (p *Port) waitOut(r *http.Request, rules Rules, changed <-chan struct{}) (Rules, <-chan struct{}) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	for rules.Silent {
		select {
		case <-changed:
			rules, changed = p.now()
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	return rules, changed
}

// cutWith ends a request when the network is cut while it runs.
func (p *Port) cutWith(ctx context.Context, cut func(), changed <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		var rules Rules
		if rules, changed = p.now(); rules.Refuse || rules.Silent {
			cut()
		}
	}
}

func (p *Proxy) carry(w http.ResponseWriter, r *http.Request, rules Rules) {
	if rules.Late > 0 || rules.Repeat || rules.IgnoreConditions || rules.Forget {
		if err := hold(r); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	wait := rules.Delay
	if rules.Reorder > 0 {
		wait += time.Duration(p.draw(int64(rules.Reorder)))
	}
	if err := p.wait(r.Context(), wait); err != nil {
		panic(http.ErrAbortHandler)
	}
	if rules.IgnoreConditions && (r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != "") {
		withoutConditions(r, p.secret)
	}
	switch {
	case rules.Forget && (r.Method == http.MethodPut || r.Method == http.MethodDelete):
		told(w, r)
	case rules.Late > 0:
		again := again(r, context.Background())
		p.late.Go(func() {
			if p.wait(again.Context(), rules.Late) == nil {
				p.silently(again)
			}
		})
		http.Error(w, "the store is busy", http.StatusServiceUnavailable)
	case rules.LoseAnswer:
		p.silently(r)
		panic(http.ErrAbortHandler)
	default:
		if rules.Repeat {
			p.silently(again(r, r.Context()))
		}
		p.forward.ServeHTTP(w, r)
	}
}

// wait returns after d, or with an error when the request or the proxy has ended.
func (p *Proxy) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return net.ErrClosed
	}
}

// silently has the server carry a request out and tells nobody what it answered.
func (p *Proxy) silently(r *http.Request) {
	defer func() {
		if failed := recover(); failed != nil && failed != http.ErrAbortHandler {
			panic(failed)
		}
	}()
	p.forward.ServeHTTP(&nobody{header: http.Header{}}, r)
}

// nobody takes an answer.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n *nobody) WriteHeader(int)             {}
