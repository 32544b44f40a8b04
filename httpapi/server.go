// Package httpapi serves vaults over HTTP.
//
// [New] returns an http.Handler for any number of vaults: in the strongroom
// program it is the whole server, in another program it is mounted under a
// prefix of a mux. A request belongs to one vault, that of its API key, or the
// one that [Options].Authenticate names.
//
// # The way of a request
//
// One table (routes.go) names every route with its status, the access it needs
// and the function that does the work. Such a function takes a context, the
// caller and an input, and returns an output or an error; it knows nothing of
// HTTP. Around it, in this order: a request id; a path that is not in its
// plainest form is NOT_FOUND; an unknown route is NOT_FOUND or
// METHOD_NOT_ALLOWED; who has no valid token is refused, then who has too
// little access, both before a byte of the body is read; path, query, header
// and body are bound to the input, strictly and by name (bind.go, decode.go);
// the output is encoded, and only then the status is written.
//
// An error becomes a status and a code in one table (errors.go). What is not
// in it is INTERNAL_ERROR with a neutral text, and its own text goes to the
// log, with the request id.
//
// The paths of DocuSign's API are served in DocuSign's dress (docusign_dress.go):
// the same table and the same calls of the engine, with bodies in JSON or XML
// and errors as its clients know them.
//
// openapi.json describes all of it. A test prints it from the table and from
// the types in types.go, so it cannot say anything else than the code.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"

	"strongroom/engine"
)

// Options say how vaults are served. The zero Options serve them at the root,
// to holders of API keys, without a log.
type Options struct {
	// Prefix is the path the server is mounted under, like "/vault", and is
	// part of the paths of the requests that come in. "": none.
	Prefix string

	// Authenticate tells who asks, and of which vault. Its errors are answered
	// as those of the engine are: engine.ErrInvalidToken is 401. It must not
	// read the body. While a request waits for the log to grow it is asked again. Nil: the API keys of the vaults, as Authorization: Bearer.
	Authenticate func(*http.Request) (*engine.Vault, engine.Actor, error)

	// Unopened names vaults that are this server's but could not be opened, with
	// the reason. Until they are, it is not ready, and API keys that no vault
	// knows may be theirs: they are VAULT_UNAVAILABLE. Not changed afterwards.
	Unopened map[string]string

	// Logger gets one line per request, and what is behind each answer of
	// status 500 and above. The zero Logger is silent.
	Logger zerolog.Logger

	// MaxUpload is the largest file that may be uploaded, in bytes. 0: 1 GiB.
	MaxUpload int64

	// BodyTimeout is how long a request's body may make no progress before the
	// request is given up (as it is if it brings less than 64 KiB in a minute), and how long a client may take to receive 256 KiB of
	// an answer before its connection is. 0: 30 seconds.
	BodyTimeout time.Duration

	// MaxUploads is how many uploads may be received at a time; more are
	// RATE_LIMITED, and so are those of one user beyond half of it, or beyond an
	// equal share if several upload. Each takes up to 2 MiB of memory. 0: any number.
	MaxUploads int

	// MaxSearches is how many searches may run at a time, half of them of one user;
	// more wait up to 5 seconds, and are RATE_LIMITED then. 0: any number.
	MaxSearches int

	// Rate is how many requests a second a user may make, with all API keys
	// together; more are RATE_LIMITED, and all answers say in RateLimit how many
	// are left. The operator is not counted. 0: any number.
	Rate float64

	// Burst is how many of them may come at once. 0: those of two seconds.
	Burst int

	// Warnings are what the host knows against a vault that can be used: a
	// replica behind, a finding. GET /readyz tells them to who may know, by the
	// name of the vault; "" is about all. Nil: none.
	Warnings func() map[string][]string

	// Metrics are where requests are counted. Nil: metrics of this server alone.
	Metrics *Metrics

	// Collect writes the host's own families after those of this package to
	// each page of metrics. Nil: none.
	Collect func(*Exposition)

	// PublicURL is what stands before Prefix in a Location, and what userinfo
	// calls this server, for one behind a proxy: "https://documents.example.com".
	// "": the scheme and the Host of the request, if that is one to believe.
	PublicURL string

	// AllowedHosts are the hosts to believe, without a port, beside those that
	// are this machine to itself (localhost, 127.0.0.1, ::1). Who asks by another
	// one gets a Location that begins with Prefix: a Host is what a client, or
	// who led it here, says it is.
	AllowedHosts []string

	// Tokens are the access tokens that are taken beside API keys, unless there is
	// an Authenticate. Nil: none.
	Tokens Tokens

	// Search finds documents by their words. Nil: there is no GET /v1/search,
	// and no q in the filter of a bulk change.
	Search Search

	// Pages makes pictures of pages. Nil leaves the route out that shows them.
	Pages Pages

	// PublicLogs names the vaults whose checkpoint and tree stand open to all, below
	// /log/NAME/. Whoever follows them sees that the log is never rewritten, and how
	// much is going on; nothing of what. Nil: none.
	PublicLogs []string

	// PublicEntries opens the lines of these logs too. They name no person, but whoever
	// has them can test whether a vault keeps a file that he has.
	PublicEntries bool

	// Witnesses sign the checkpoints of the vaults. Nil leaves the route out that asks
	// them.
	Witnesses Witnesses

	// Deliveries are those who deliver to webhooks, keyed by name like the vaults.
	// nil leaves the routes out that tell of deliveries and make them.
	Deliveries map[string]Deliverer

	// Elsewhere answers a GET that a vault opened to follow cannot (engine.ErrFollower),
	// by asking the server that owns the vault; false: it has not answered, and cannot.
	// Nil: there is no such server.
	Elsewhere func(http.ResponseWriter, *http.Request) bool

	// Cluster tells how this server stands to a vault that it shares with others; nil of
	// one that it does not. Nil: there is none.
	Cluster func(*engine.Vault) *Standing

	// Build is what GET /v1/version says.
	Build Build
}

const (
	defaultMaxUpload   = 1 << 30
	defaultBodyTimeout = 30 * time.Second
)

// Server serves vaults. It is safe for concurrent use, starts no goroutine and
// needs no closing; the vaults stay those of the caller.
type Server struct {
	vaults  map[string]*engine.Vault
	options Options
	table   []route
	router  *httprouter.Router
	// calendar serves the one path that the router cannot have: beside a parameter.
	calendar httprouter.Handle
	// running ends when Stop is called: then long polls answer with what they have.
	running   context.Context
	stop      context.CancelFunc
	verifying sync.Map // of *engine.Vault to *verifications
	metrics   *Metrics
	limit     *rateLimit   // nil: none
	uploads   atomic.Int64 // that are received now
	places    places
	searches  *turns
	pages     *turns
	failures  *failures // nil: who signs in is for the host to know
	wires     sync.Pool // of *wire, empty: answers that were sent
	address   Address
}

// New returns a server of vaults, which are keyed by name and must not be
// changed afterwards. It panics if o.Prefix is not "" or a path that begins
// and does not end with a slash.
func New(vaults map[string]*engine.Vault, o Options) *Server {
	if o.Prefix != "" && (o.Prefix[0] != '/' || strings.HasSuffix(o.Prefix, "/")) {
		panic(fmt.Sprintf("httpapi: the prefix %q must begin with a slash and not end with one", o.Prefix))
	}
	if o.MaxUpload == 0 {
		o.MaxUpload = defaultMaxUpload
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = defaultBodyTimeout
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	o.Search = Narrowed(o.Search)
	s := &Server{vaults: vaults, options: o, metrics: o.Metrics, limit: newRateLimit(o.Rate, o.Burst), places: places{taken: map[spender]int{}}}
	s.address = Address{o.Prefix, strings.TrimSuffix(o.PublicURL, "/"), o.AllowedHosts}
	s.searches = newTurns(o.MaxSearches, searchPatience, errSearches)
	s.pages = newTurns(pagesAtATime, pagePatience, errPages)
	s.running, s.stop = context.WithCancel(context.Background())
	if s.options.Authenticate == nil {
		s.options.Authenticate, s.failures = s.authenticateKey, newFailures()
	}
	s.table = s.routes()
	s.router = httprouter.New()
	for _, rt := range s.table {
		handle := func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
			x := w.(*exchange)
			p, err := suffixed(p)
			if err == nil {
				err = s.serve(x, r, p, rt)
			}
			if err != nil {
				s.fail(x, r, err)
			}
		}
		if rt.pattern == calendarPattern {
			s.calendar = handle
		} else {
			s.router.Handle(rt.method, rt.pattern, handle)
		}
	}
	return s
}

// Stop tells the server that the program is about to end: long polls answer at
// once, those to come too. Everything else is served as before.
func (s *Server) Stop() { s.stop() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, server: s, id: RequestID(r), began: time.Now(), fields: codeInvalidParameter}
	x.say("X-Request-Id", x.id)
	guard(x, r)
	s.metrics.running.Add(1)
	defer s.finish(x, r)
	defer func() {
		if p := recover(); p != nil {
			s.recovered(x, r, p)
		}
	}()
	handle, params, err := s.lookup(x, r)
	if r.Header["Transfer-Encoding"] != nil {
		// net/http takes it out of every request of which it is certain where it
		// ends: what stands before may be certain of another end (RFC 9112 section 6.3).
		w.Header().Set("Connection", "close")
		err = inParameter("Content-Length", "cannot be sent beside Transfer-Encoding; send the one or the other")
	}
	if err != nil {
		s.fail(x, r, err)
		return
	}
	handle(x, r, params)
}

// guard says of every answer what browsers are to keep to: nothing is another
// site's to embed, and who once came by TLS comes by TLS for a year.
func guard(x *exchange, r *http.Request) {
	x.say("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		x.say("Strict-Transport-Security", "max-age=31536000")
	}
}

// lookup finds the route by hand instead of through the router's ServeHTTP,
// which would redirect paths it finds similar, lose the mount prefix when it
// does, and name OPTIONS in Allow although no route has it.
func (s *Server) lookup(x *exchange, r *http.Request) (httprouter.Handle, httprouter.Params, error) {
	path, ok := strings.CutPrefix(r.URL.Path, s.options.Prefix)
	if ok {
		x.dress = dressOf(path, r.Header)
	}
	if escaped := r.URL.EscapedPath(); !ok || !plain(path) || strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%2F") {
		return nil, nil, errNotFound
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // each GET answers HEAD; net/http drops the body
	}
	if handle, params := s.find(method, path); handle != nil {
		return handle, params, nil
	}
	var allow []string
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if handle, _ := s.find(m, path); handle != nil {
			allow = append(allow, m)
			if m == http.MethodGet {
				allow = append(allow, http.MethodHead)
			}
		}
	}
	if allow == nil {
		return nil, nil, errNotFound
	}
	x.Header().Set("Allow", strings.Join(allow, ", "))
	return nil, nil, errMethodNotAllowed
}

// find looks a path up. That of the calendar is in the place of an obligation's, and
// takes what it takes.
func (s *Server) find(method, path string) (httprouter.Handle, httprouter.Params) {
	handle, params, _ := s.router.Lookup(method, path)
	if path == calendarPattern {
		handle = map[string]httprouter.Handle{http.MethodGet: s.calendar}[method]
	}
	return handle, params
}

// plain reports whether a path has no segment that is empty, "." or "..": such
// paths are for somebody else to clean, and a name never looks like them.
func plain(path string) bool {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for s := range strings.SplitSeq(rest, "/") {
		if s == "" || s == "." || s == ".." {
			return false
		}
	}
	return true
}

// serve is a request whose route is known.
func (s *Server) serve(x *exchange, r *http.Request, p httprouter.Params, rt route) error {
	x.pattern = rt.pattern
	c := caller{server: s, search: s.options.Search}
	if rt.access != engine.AccessNone {
		var err error
		if c.vault, c.actor, err = s.options.Authenticate(r); err != nil {
			return s.refused(r, err)
		}
		x.user, x.vault = c.actor.UserID, c.vault
		c.access = rt.access
		c.who = func() (engine.Actor, error) {
			_, actor, err := s.options.Authenticate(r)
			return actor, err
		}
		if err := s.spend(x, c); err != nil {
			return err
		}
		c.vault = c.vault.As(c.actor)
		if account := p.ByName("accountId"); account != "" && !isAccount(c.vault, account) {
			return errNoAccount
		}
		if err := c.actor.Access.Permits(rt.access); err != nil {
			return err
		}
	}
	if c.who != nil {
		x.who = &caller{vault: c.vault, access: c.access, who: c.who}
	}
	x.base = s.address.Base(r)
	c.base = x.base
	if r.ContentLength != 0 {
		// A copy, for net/http looks at its own request to see whether the body
		// was asked for: a client that waits to be (Expect: 100-continue) would
		// be made to send what was refused.
		copied := *r
		r = &copied
		r.Body = &patientBody{ReadCloser: r.Body, control: http.NewResponseController(x.ResponseWriter), patience: s.options.BodyTimeout, count: &x.taken}
	}
	err := rt.serve(c, x, r, p)
	if needs, is := errors.AsType[*engine.NeedsTwoError](err); is && x.status == 0 {
		return s.ask(r.Context(), c, x, needs)
	}
	return err
}

// recovered answers a panic, which is a defect of the program, as any unknown
// error. http.ErrAbortHandler is how a handler drops the connection: it passes.
func (s *Server) recovered(x *exchange, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	s.options.Logger.Error().Str("request", x.id).Bytes("stack", debug.Stack()).Msg("panic")
	s.fail(x, r, fmt.Errorf("panic: %v", p))
}

// finish writes the request's line of the log: never a secret, a query or a
// body.
func (s *Server) finish(x *exchange, r *http.Request) {
	took := time.Since(x.began)
	s.metrics.running.Add(-1)
	s.metrics.count(x, r, took)
	line := s.options.Logger.Info()
	if x.code != "" {
		line.Str("errorCode", x.code)
	}
	line.Str("request", x.id).
		Str("user", x.user).
		Str("method", r.Method).
		Str("route", x.pattern).
		Int("status", x.status).
		Int64("bytes", x.sent).
		Dur("duration", took).
		Send()
}
