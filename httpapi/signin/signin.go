// Package signin gives programs access tokens, as OAuth 2.0 has it (RFC 6749 with
// the advice of RFC 9700): by themselves, for people who consent to it in the
// console, or for those whom a signed assertion names. It is its own authorization
// server, so tokens are opaque: they are looked up, nobody can read them, and what
// ends one ends it at once. It knows clients, people and tokens, and nothing of
// documents; whoever comes with a token is an engine.Actor to the rest of the house.
//
// Who the clients are, and what they may do, is the vault's to say, in each request
// (engine.Client). What was given out is in a file beside it, signin.db, as hashes
// alone (store.go). Nothing of the vault depends on it: without the file, everybody
// signs in again.
//
// A request at the token endpoint (endpoint.go) is read, its client proves itself
// (client.go), and its grant decides (grants.go, assertion.go). The way through a
// browser begins here and goes on in the console, which has the sessions
// (authorize.go).
package signin

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
)

// Options say how programs sign in.
type Options struct {
	// Address says what this server is called: assertions and metadata name it.
	Address httpapi.Address
	// TokenLifetime is how long an access token is good for; 0: an hour.
	TokenLifetime time.Duration
	// RefreshLifetime is how long a refresh token is good for that nobody uses; 0: 30 days.
	RefreshLifetime time.Duration
	// Dir returns the directory of a vault, by name; signin.db is kept there.
	Dir func(vault string) string
	// Consent is the path, with Address.Prefix, of the page on which people consent,
	// and below which DocuSign's clients are led; "": there is none, and no grant of
	// codes.
	Consent string
	Logger  zerolog.Logger
}

const (
	file                   = "signin.db"
	defaultTokenLifetime   = time.Hour
	defaultRefreshLifetime = 30 * 24 * time.Hour
)

// Server serves the paths of sign-in. It is safe for concurrent use. Close it before
// the vaults.
type Server struct {
	tokens   map[string]*tokens // by the name of the vault
	options  Options
	failures *httpapi.Refusals
	routes   map[string]map[string]http.HandlerFunc // by path below the prefix, by method
	origins  *http.CrossOriginProtection
	now      func() time.Time
}

// New returns the sign-in of vaults, which are keyed by name and must not be changed
// afterwards. A vault whose file cannot be opened is left out, and logged: to its API
// keys nothing changes.
func New(vaults map[string]*engine.Vault, o Options) *Server {
	if o.TokenLifetime == 0 {
		o.TokenLifetime = defaultTokenLifetime
	}
	if o.RefreshLifetime == 0 {
		o.RefreshLifetime = defaultRefreshLifetime
	}
	o.Address.PublicURL = strings.TrimSuffix(o.Address.PublicURL, "/")
	s := &Server{tokens: map[string]*tokens{}, options: o, failures: httpapi.NewRefusals(), origins: http.NewCrossOriginProtection(), now: time.Now}
	for name, v := range vaults {
		t, err := openTokens(filepath.Join(o.Dir(name), file), v)
		if err != nil {
			o.Logger.Error().Str("vault", name).Err(err).Msg("nobody gets access tokens for this vault")
			continue
		}
		s.tokens[name] = t
	}
	post := func(fn func(*http.Request) (any, error)) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{http.MethodPost: s.form(fn)}
	}
	get := func(fn http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{http.MethodGet: fn, http.MethodHead: fn}
	}
	s.routes = map[string]map[string]http.HandlerFunc{
		"/oauth/token": post(s.token), "/oauth2/token": post(s.token),
		"/oauth2/revoke": post(s.revoke), "/oauth2/introspect": post(s.introspect),
		"/oauth/auth": get(s.toConsent("/docusign")), "/oauth2/authorize": get(s.toConsent("")),
		"/.well-known/oauth-authorization-server": get(s.serverMetadata),
		"/.well-known/oauth-protected-resource":   get(s.resourceMetadata),
	}
	if o.Address.PublicURL != "" {
		s.origins.AddTrustedOrigin(o.Address.PublicURL) // one with a path is no origin, and trusted in nothing
	}
	return s
}

// Close closes the files.
func (s *Server) Close() error {
	var errs []error
	for _, t := range s.tokens {
		errs = append(errs, t.close())
	}
	return errors.Join(errs...)
}

// Serves reports whether a path is one of sign-in.
func (s *Server) Serves(path string) bool {
	below, ok := strings.CutPrefix(path, s.options.Address.Prefix)
	return ok && s.routes[below] != nil
}

// ServeHTTP answers one request of a path that it [Server.Serves].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.now()
	h, id := w.Header(), httpapi.RequestID(r)
	h.Set("X-Request-Id", id)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	path := strings.TrimPrefix(r.URL.Path, s.options.Address.Prefix)
	methods := s.routes[path]
	to := &noted{ResponseWriter: w, status: http.StatusOK}
	// Another site's page has no header Authorization of ours to send.
	foreign := r.Header.Get("Authorization") == "" && s.origins.Check(r) != nil
	switch serve := methods[r.Method]; {
	case foreign:
		write(to, http.StatusForbidden, map[string]string{"error": string(invalidRequest), "error_description": "this came from a page of another site"})
	case serve != nil:
		serve(to, r)
	default:
		allow := "POST"
		if methods[http.MethodGet] != nil {
			allow = "GET, HEAD"
		}
		h.Set("Allow", allow)
		write(to, http.StatusMethodNotAllowed, map[string]string{"error": string(invalidRequest), "error_description": "this path takes " + allow})
	}
	s.options.Logger.Info().Str("request", id).Str("method", r.Method).Str("route", path).Int("status", to.status).Str("error", string(to.refused)).
		Dur("duration", s.now().Sub(began)).Send()
}

// noted keeps what the log tells of an answer.
type noted struct {
	http.ResponseWriter
	status  int
	refused code
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }
