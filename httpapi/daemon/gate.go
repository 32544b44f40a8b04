package daemon

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"strongroom/httpapi"
)

// gate lets requests in to what serves them for a term, of which each begins with roles
// of its own. Between two terms they wait: a client notices a moment, and no refusal.
type gate struct {
	mu      sync.Mutex
	on      *rooms        // nil: between two terms
	opened  chan struct{} // closed when on is set, or nobody is let in any more
	inside  int           // requests that need what the term has open
	empty   chan struct{} // closed when inside is 0 and on is nil; nil: nobody waits for that
	stopped bool
}

const (
	// gatePatience is how long a request waits for the next term.
	gatePatience = 10 * time.Second
	// termGrace is how long what runs may take before its term ends. What takes longer
	// runs on: its vault refuses it if that is what has changed.
	termGrace = 3 * time.Second
)

func newGate() *gate { return &gate{opened: make(chan struct{})} }

// open begins a term.
func (g *gate) open(in *rooms) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on = in
	if g.stopped { // opened is closed since
		in.hurry()
		in.hurryOperator()
		return
	}
	close(g.opened)
}

// shut ends a term: it returns when nobody needs it any more, or after a while.
func (g *gate) shut() {
	g.mu.Lock()
	in := g.on
	if in == nil {
		g.mu.Unlock()
		return
	}
	g.on, g.opened, g.empty = nil, make(chan struct{}), make(chan struct{})
	empty := g.empty
	if g.stopped {
		close(g.opened)
	}
	if g.inside == 0 {
		close(empty)
		g.empty = nil
	}
	g.mu.Unlock()
	in.hurry()
	in.hurryOperator()
	timer := time.NewTimer(termGrace)
	defer timer.Stop()
	select {
	case <-empty:
	case <-timer.C:
	}
}

// stop lets nobody wait any more, and tells those who are inside to hurry.
func (g *gate) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.stopped = true
	if g.on == nil {
		close(g.opened)
		return
	}
	g.on.hurry()
	g.on.hurryOperator()
}

// enter waits for a term; nil: none began in time. leave is called once, or more often.
func (g *gate) enter(ctx context.Context) (in *rooms, leave func()) {
	waiting, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	for {
		g.mu.Lock()
		if g.on != nil {
			in = g.on
			g.inside++
			g.mu.Unlock()
			return in, sync.OnceFunc(g.leave)
		}
		opened, stopped := g.opened, g.stopped
		g.mu.Unlock()
		if stopped {
			return nil, nil
		}
		select {
		case <-opened:
		case <-waiting.Done():
			return nil, nil
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// public serves strangers.
func (g *gate) public(w http.ResponseWriter, r *http.Request) {
	in, leave := g.enter(r.Context())
	if in == nil {
		between(w, r)
		return
	}
	defer leave()
	in.crossing.serve(w, r, leave)
}

// operator serves the control socket.
func (g *gate) operator(w http.ResponseWriter, r *http.Request) {
	g.serve(w, r, func(in *rooms) http.Handler { return in.operator })
}

// metrics serves who measures.
func (g *gate) metrics(w http.ResponseWriter, r *http.Request) {
	g.serve(w, r, func(in *rooms) http.Handler { return in.metrics })
}

func (g *gate) serve(w http.ResponseWriter, r *http.Request, of func(*rooms) http.Handler) {
	in, leave := g.enter(r.Context())
	if in == nil {
		between(w, r)
		return
	}
	defer leave()
	of(in).ServeHTTP(w, r)
}

// between refuses who has waited for long enough. There is no API to say it: this is
// said in its words.
func between(w http.ResponseWriter, r *http.Request) {
	id := httpapi.RequestID(r)
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
	json.NewEncoder(w).Encode(map[string]any{
		"errorCode": "VAULT_UNAVAILABLE", "message": "the server is taking vaults over; try again", "requestId": id,
		"details": map[string]string{"reason": "takeover"},
	})
}
