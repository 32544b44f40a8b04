// Package console is the vault for people who look rather than read: pages, in a
// browser, of the same vaults and by the same rules as the API beside it.
//
// The pages are made here, with html/template. A page is a row of the table
// (routes.go): a method, an address, the access it takes and a function. That
// function takes a [visit], which is who asks and what was asked, calls the
// engine as the API's handlers do, and returns an answer: the name of a page and
// what is on it, or where to go next. It writes nothing itself, and it decides
// nothing about documents: what may be done is the engine's to say, and what it
// refuses is told in the page, with what to do next (words.go).
//
// A page is a file below pages, which defines "main", and every string on it
// stands there. What pages have in common are parts: each is a template with a
// comment that says what it is for and what it is given. Looks are one file of
// plain CSS, which begins with its tokens. Scripts improve what works without
// them; each is a module of its own below static. The rows of the list of documents
// alone are written by hand (listrows.go): a template took most of that page's time.
// Nothing is fetched from anywhere else, nothing is built, and the
// Content-Security-Policy of every page says so.
//
// Forms are posted, and the answer to a form is a redirect: a page can always be
// loaded again. Each form carries a number that is used up by the first time it
// is sent (a double click makes one document, not two), and, where it changes
// something that is there, the revision the page was made from.
package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
)

// Options say how the console is served.
type Options struct {
	// Prefix is the path the whole server is mounted under, like "/vault"; "": none.
	Prefix string
	// PublicURL is what stands before Prefix for people: "https://vault.example.com".
	// "": as a request says.
	PublicURL string
	// Authenticate tells who asks, for a program that has sessions of its own.
	// Nil: people sign in here with an API key.
	Authenticate func(*http.Request) (*engine.Vault, engine.Actor, error)
	// Programs says which programs may ask a person to act for her, and what for. Nil:
	// there is no page on which they could.
	Programs Programs
	// Provider brings people from an identity provider, beside those who have a key. Nil:
	// there is none.
	Provider Provider
	// Sessions is the file sessions are kept in, as hashes. It may be thrown
	// away: everybody signs in again. "": they end with the program.
	Sessions string
	// Jobs is the file in which the results of changes of many documents are kept.
	// It may be thrown away. "": they end with the program.
	Jobs string
	// Kept is called with each file of Sessions and Jobs that was written; nil: nobody.
	Kept func(file string) error
	// Search finds documents by their words. Nil: there is no search.
	Search httpapi.Search
	// Pictures makes pictures of the pages of PDFs, as httpapi.Server.Picture does. Nil:
	// none are shown.
	Pictures func(ctx context.Context, vault *engine.Vault, actor engine.Actor, version engine.Version, number, width int) (png []byte, pages int, err error)
	// Deliveries are those who deliver to webhooks, by the name of the vault.
	Deliveries map[string]httpapi.Deliverer
	// MaxUpload is the largest file that may be uploaded, in bytes; 0: 1 GiB.
	MaxUpload int64
	// Unopened names the vaults that could not be opened.
	Unopened map[string]string
	// Warnings are what is known against vaults that can be used, as in httpapi.
	Warnings func() map[string][]string
	// Guides has the guides of the rooms, where the repository has them: README.md,
	// httpapi/README.md, … Nil: there are no guides, and the menu has none.
	Guides fs.FS
	Logger zerolog.Logger
	Build  httpapi.Build
}

// Programs decides what is asked on the page of consent. It is asked by a query of
// OAuth, of the kind that DocuSign's clients send or of the usual one.
type Programs interface {
	// Ask reads what a program asks of a person of a vault; nil: nobody has signed in
	// yet. It changes nothing.
	Ask(r *http.Request, vault *engine.Vault, docusign bool, query url.Values) (Asking, error)
	// Answer returns where the browser goes after yes or no; or what is wrong, to be
	// told to the person alone.
	Answer(r *http.Request, vault *engine.Vault, actor engine.Actor, docusign bool, query url.Values, yes bool) (to, wrong string, err error)
	// Consents are the programs that a person said yes to and that can act for her still.
	Consents(ctx context.Context, vault *engine.Vault, userID string) ([]Consented, error)
	// Withdraw ends at once what she let one of them do. It may ask again.
	Withdraw(ctx context.Context, vault *engine.Vault, userID, clientID string) error
}

// Consented is a program that somebody has let act for her.
type Consented struct {
	ClientID string
	Program  string        // its name
	Access   engine.Access // the most that it may do, less if she may do less
	Until    time.Time     // when it ends by itself, unless the program comes before
}

// Asking is what a program asks for.
type Asking struct {
	Wrong     string // why it cannot ask anything: for the person alone
	To        string // not "": where the program is told at once what is wrong
	Program   string // its name
	Access    engine.Access
	Refreshes bool   // whether it may go on without her
	Redirect  string // where she comes back to
	Origin    string // of Redirect, as a Content-Security-Policy has it
}

// Consent is the path below the prefix of the page of consent; Consent/docusign is
// the one for DocuSign's clients.
const Consent = root + "/_authorize"

// Console serves the pages. It is safe for concurrent use. Changes of many documents
// go on when their request has ended; Close ends them.
type Console struct {
	vaults    map[string]*engine.Vault
	options   Options
	pages     pages
	assets    assets
	sessions  *sessions
	verifying verifications
	failures  *httpapi.Refusals
	jobs      *jobs
	started   started
	buffers   sync.Pool // of *bytes.Buffer, for pages
	learning  learning
	mux       *http.ServeMux
	handler   http.Handler
}

const (
	defaultMaxUpload = 1 << 30
	// root is below the prefix, and files below it: no vault can have that name.
	root  = "/console"
	files = "/_files/"
)

// New returns the console of vaults, which are keyed by name and must not be
// changed afterwards.
func New(vaults map[string]*engine.Vault, o Options) (*Console, error) {
	if o.MaxUpload == 0 {
		o.MaxUpload = defaultMaxUpload
	}
	o.Search = httpapi.Narrowed(o.Search)
	c := &Console{vaults: vaults, options: o, mux: http.NewServeMux(), failures: httpapi.NewRefusals(), buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	var err error
	if c.assets, err = loadAssets(o.Prefix + root + files); err != nil {
		return nil, err
	}
	if c.pages, err = c.loadPages(); err != nil {
		return nil, err
	}
	c.learning = newLearning(o)
	c.sessions = openSessions(o.Sessions, time.Now)
	c.sessions.kept = o.Kept
	c.jobs = openJobs(o.Jobs, time.Now)
	c.jobs.kept = o.Kept
	for _, rt := range c.routes() {
		c.mux.Handle(rt.method+" "+o.Prefix+root+rt.pattern, c.serve(rt))
	}
	c.mux.HandleFunc(o.Prefix+root+"/", func(w http.ResponseWriter, r *http.Request) {
		v := c.stranger(r)
		c.write(w, r, v, v.wrong(errNoPage))
	})
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := c.stranger(r)
		c.write(w, r, v, v.wrong(errForeign))
	}))
	if o.PublicURL != "" {
		if err := protection.AddTrustedOrigin(originOf(o.PublicURL)); err != nil {
			return nil, err
		}
	}
	c.handler = protection.Handler(c.mux)
	return c, nil
}

// Hurry ends changes of many documents after the documents in hand.
func (c *Console) Hurry() { c.jobs.close() }

// Close ends what is under way, and keeps the sessions for the next start.
func (c *Console) Close() error { return errors.Join(c.jobs.end(), c.sessions.save()) }

// Serves reports whether a path is the console's.
func (c *Console) Serves(path string) bool {
	rest, ok := strings.CutPrefix(path, c.options.Prefix+root)
	return ok && (rest == "" || rest[0] == '/')
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", httpapi.RequestID(r))
	guard(w.Header(), r)
	if r.URL.Path == c.options.Prefix+root {
		http.Redirect(w, r, c.options.Prefix+root+"/", http.StatusSeeOther)
		return
	}
	if file, ok := strings.CutPrefix(r.URL.Path, c.assets.base); ok {
		c.assets.serve(w, r, file)
		return
	}
	c.handler.ServeHTTP(w, r)
}

// policy is the Content-Security-Policy of every page, but for where its forms may
// lead beside here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'%s; " +
	"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard says of every answer what browsers are to keep to.
func guard(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", fmt.Sprintf(policy, ""))
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func originOf(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
