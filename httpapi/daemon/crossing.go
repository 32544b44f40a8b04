package daemon

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

// crossing stands before everything that is served to strangers where vaults live in a
// store, for a term. It finds out which vault a request is about, and whether this
// server answers it or the one that owns the vault. A client sees one server.
//
// The owner answers everything, while it is sure of being it. A server that follows
// answers what reads, from what it has applied, and says how far that is; what changes
// something it passes on, and what only the owner knows: tokens that were given out,
// sessions, deliveries, signatures.
type crossing struct {
	members map[string]member // by the name of the vault
	forward *forwarder
	rest    http.Handler // what answers here
	// patience is how long a request waits for the entry that it asks to be known.
	patience time.Duration
}

const atLeastPatience = 2 * time.Second

func (c *crossing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.serve(w, r, func() {})
}

// serve answers a request. passed is called before it is passed on: from then on it
// needs nothing here.
func (c *crossing) serve(w http.ResponseWriter, r *http.Request, passed func()) {
	passedOn := c.forward.hops.arrive(r)
	var m member
	if !ofTheServer(r) {
		m = c.members[c.vaultOf(r)]
	}
	switch {
	case m == nil:
		c.rest.ServeHTTP(w, r)
	case !c.here(r, m):
		passed()
		c.forward.pass(w, r, m, passedOn)
	default:
		c.answer(w, r, m, passedOn, passed)
	}
}

// ofTheServer reports whether a request is about no vault, whoever asks, or is one that
// the API refuses before it looks at whom it is from.
func ofTheServer(r *http.Request) bool {
	switch r.URL.Path {
	case "/livez", "/readyz", "/metrics", "/v1/version", "/openapi.json", "/openapi-docusign.json", "/v1/verifier.html",
		"/restapi/service_information", "/restapi/v2.1":
		return true
	}
	return r.Header["Transfer-Encoding"] != nil || strings.HasPrefix(r.URL.Path, "/witness/") || strings.HasPrefix(r.URL.Path, "/.well-known/")
}

// ownersOnly are the reads that only the owner can answer: what is delivered to
// webhooks, what the log's key signs, how far erasures are on the disk and in the store,
// and what runs of retention left alone, which is in no row.
var ownersOnly = regexp.MustCompile(`^/(log|v1/log|v1/webhooks|v1/erasures)(/|$)|^/v1/.*/proof$|^/v1/retention/runs/[^/]+/outcomes$`)

// here reports whether this server answers a request about a vault.
func (c *crossing) here(r *http.Request, m member) bool {
	if m.Owns() {
		return m.Current() == nil
	}
	path := r.URL.Path
	switch {
	case m.Standing().Quiet > maxQuiet || m.Vault().Ready() != nil:
		return false // what it knows may be revoked
	case path == "/v1/audit/verify":
		return true // of the copy that is here
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return false
	case path == consoleRoot, strings.HasPrefix(path, consoleRoot+"/"), strings.HasPrefix(path, "/oauth"):
		return path == "/oauth/userinfo" && !givenToken(r) // sessions and tokens are the owner's
	case givenToken(r):
		return false
	}
	return !ownersOnly.MatchString(path)
}

// givenToken reports whether a request comes with a token that was given out by a
// server, which alone knows it.
func givenToken(r *http.Request) bool {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return tokenVault(strings.Trim(token, " ")) != ""
}

// answer answers here, and says as of when.
func (c *crossing) answer(w http.ResponseWriter, r *http.Request, m member, passedOn bool, passed func()) {
	v := m.Vault()
	if asked := r.Header.Values(httpapi.HeaderAtLeast); len(asked) > 0 {
		least, err := strconv.ParseUint(asked[0], 10, 64)
		if err != nil || len(asked) > 1 {
			c.forward.refuse(w, r, &engine.InvalidError{Fields: []engine.FieldError{{Field: httpapi.HeaderAtLeast,
				Message: "must be, once, the number of an audit entry, as X-Audit-Seq gives it"}}})
			return
		}
		if err := c.reach(r.Context(), v, least); err != nil {
			if !m.Owns() && !errors.Is(err, engine.ErrUnavailable) {
				passed()
				c.forward.pass(w, r, m, passedOn)
				return
			}
			c.forward.refuse(w, r, err)
			return
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.Header().Set(httpapi.HeaderAsOf, strconv.FormatUint(v.Head().Seq, 10))
	}
	if !m.Owns() {
		r = r.WithContext(context.WithValue(r.Context(), crossingKey{}, followed{m, passedOn, passed}))
	}
	c.rest.ServeHTTP(w, r)
}

// reach waits for an entry to be known here.
func (c *crossing) reach(ctx context.Context, v *engine.Vault, least uint64) error {
	waiting, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	for {
		head := v.Head()
		if head.Seq >= least {
			return nil
		}
		if err := v.Wait(waiting, head.Seq); err != nil {
			if waiting.Err() == nil || ctx.Err() != nil {
				return err
			}
			return &engine.LogBehindError{After: least, Head: v.Head()}
		}
	}
}

// crossingKey is where elsewhere finds whom to ask.
type crossingKey struct{}

type followed struct {
	member   member
	passedOn bool
	passed   func()
}

// elsewhere is httpapi.Options.Elsewhere: the vault has found that it cannot answer
// what looked like a read, since it would have to be written down.
func (c *crossing) elsewhere(w http.ResponseWriter, r *http.Request) bool {
	f, ok := r.Context().Value(crossingKey{}).(followed)
	if !ok {
		return false
	}
	f.passed()
	c.forward.pass(w, r, f.member, f.passedOn)
	return true
}
