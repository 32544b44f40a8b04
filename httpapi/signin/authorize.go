package signin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// Authorization requests begin at two addresses: /oauth2/authorize holds clients to
// the advice of today, /oauth/auth lets in those that know DocuSign's. Both lead to
// the page of consent with what was asked, and what can be refused there is refused
// there, since only who has signed in says which vault it is about.

const maxAuthorize = 8 << 10 // bytes of a query

// toConsent leads to the page of consent.
func (s *Server) toConsent(below string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.options.Consent == "":
			http.Error(w, "This server has no pages on which people could sign in.", http.StatusNotFound)
		case len(r.URL.RawQuery) > maxAuthorize:
			http.Error(w, "The address is too long.", http.StatusRequestURITooLong)
		default:
			to := url.URL{Path: s.options.Consent + below, RawQuery: r.URL.RawQuery}
			http.Redirect(w, r, to.String(), http.StatusSeeOther)
		}
	}
}

// asked is an authorization request whose client and redirect URI are what they
// should be.
type asked struct {
	tokens   *tokens
	client   engine.Client
	redirect string
	named    bool // whether the request named the redirect URI
	docusign bool
	query    url.Values
	issuer   string
}

// Ask is what the page of consent shows to a person of a vault; nil: nobody has
// signed in yet, and any vault may have the client.
func (s *Server) Ask(r *http.Request, vault *engine.Vault, docusign bool, q url.Values) (console.Asking, error) {
	a, why, err := s.asks(r, vault, docusign, q)
	if err != nil || why != "" {
		return console.Asking{Wrong: why}, err
	}
	out := console.Asking{Program: a.client.Name, Origin: origin(a.redirect), Redirect: a.redirect}
	access, _, refused := a.check()
	if refused != nil {
		out.To = a.refusal(refused)
		return out, nil
	}
	out.Access = engine.Meet(access, a.client.Access)
	out.Refreshes = slices.Contains(a.client.Grants, engine.GrantRefreshToken)
	return out, nil
}

// asks finds the client. What is wrong with it, or with where it wants people sent,
// is told to the person alone: an address that is not known to be the program's is
// not gone to.
func (s *Server) asks(r *http.Request, vault *engine.Vault, docusign bool, q url.Values) (*asked, string, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(q[name]) > 1 {
			return nil, name + " stands twice in the address.", nil
		}
	}
	in, id := s.named(q.Get("client_id"))
	if vault != nil {
		in = slices.DeleteFunc(slices.Clone(in), func(t *tokens) bool { return t.vault.Name() != vault.Name() })
	}
	for _, t := range in {
		c, err := t.vault.Client(r.Context(), id)
		switch {
		case errors.Is(err, engine.ErrClientNotFound) || err == nil && c.Status != engine.ClientActive:
			continue
		case err != nil:
			return nil, "", err
		}
		a := &asked{tokens: t, client: c, redirect: q.Get("redirect_uri"), docusign: docusign, query: q, issuer: s.issuer(r)}
		if a.named = a.redirect != ""; !a.named && len(c.RedirectURIs) == 1 {
			a.redirect = c.RedirectURIs[0]
		}
		if slices.Contains(c.RedirectURIs, a.redirect) {
			return a, "", nil
		}
		return nil, "The address to come back to is not one of this program's, letter by letter. An admin can add it to the client.", nil
	}
	if vault != nil {
		return nil, "No such program is registered with " + vault.Name() + ", or it is closed. Sign in where it is, or ask whoever sent you here.", nil
	}
	return nil, "No such program is registered here, or it is closed. Ask whoever sent you here.", nil
}

// check refuses what the program can be told.
func (a *asked) check() (engine.Access, string, *refusal) {
	fail := func(c code, message string) (engine.Access, string, *refusal) {
		return engine.AccessNone, "", &refusal{code: c, message: message}
	}
	q := a.query
	for name, values := range q {
		if len(values) > 1 {
			return fail(invalidRequest, printable(name)+" stands twice in the address")
		}
	}
	challenge := q.Get("code_challenge")
	switch {
	case q.Get("response_type") == "":
		return fail(invalidRequest, "response_type is missing")
	case q.Get("response_type") != "code":
		return fail(unsupportedResponseType, "response_type must be code")
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return fail(invalidRequest, "response_mode can be query alone")
	case !slices.Contains(a.client.Grants, engine.GrantAuthorizationCode):
		return fail(unauthorizedClient, "this client may not ask for codes; an admin can give it that grant")
	case challenge == "" && q.Get("code_challenge_method") != "":
		return fail(invalidRequest, "code_challenge is missing")
	case challenge == "" && !(a.docusign && a.client.HasSecret):
		return fail(invalidRequest, "code_challenge is missing: PKCE with S256 is required")
	case challenge != "" && q.Get("code_challenge_method") != "S256":
		return fail(invalidRequest, "code_challenge_method must be S256")
	case challenge != "" && (len(challenge) != 43 || !isVerifier(challenge)):
		return fail(invalidRequest, "code_challenge must be the SHA-256 of the verifier in base64url")
	case slices.Contains(strings.Fields(q.Get("prompt")), "none"):
		return fail(interactionRequired, "consent is asked for each time")
	}
	access, scope, err := parseScope(q.Get("scope"))
	if err != nil {
		e, _ := decide(err)
		return engine.AccessNone, "", e
	}
	return access, scope, nil
}

// Answer says where the browser goes next after a person has said yes or no. It
// looks at all of it again: between the page and its form somebody may have closed
// the client.
func (s *Server) Answer(r *http.Request, vault *engine.Vault, actor engine.Actor, docusign bool, q url.Values, yes bool) (to, wrong string, err error) {
	a, why, err := s.asks(r, vault, docusign, q)
	if err != nil || why != "" {
		return "", why, err
	}
	access, scope, refused := a.check()
	switch {
	case refused != nil:
		return a.refusal(refused), "", nil
	case !yes:
		return a.refusal(&refusal{code: accessDenied, message: "the person did not consent"}), "", nil
	}
	f := &family{
		ID: engine.NewID(), Client: a.client.ID, User: actor.UserID, Grant: engine.GrantAuthorizationCode,
		Access: engine.Meet(access, actor.Access), Scope: scope, // never more than the key she signed in with
	}
	if _, err := a.tokens.admit(r.Context(), &known{token: token{Access: f.Access}, family: f}); err != nil {
		e, _ := decide(notAs(err))
		return a.refusal(&refusal{code: accessDenied, message: e.message}), "", nil
	}
	text, err := s.newCode(a, f)
	if err != nil {
		e, _ := decide(err)
		s.options.Logger.Error().Err(err).Msg("sign-in")
		return a.refusal(&refusal{code: e.code, message: e.message}), "", nil
	}
	return a.back(url.Values{"code": {text}}), "", nil
}

func (s *Server) newCode(a *asked, f *family) (string, error) {
	text, of := newToken(kindCode, a.tokens.vault.Name())
	now := s.now()
	one := token{Kind: kindCode, Family: f.ID, Issued: now, Expires: now.Add(codeLife), Access: f.Access, Scope: f.Scope, Code: &codeTerms{
		RedirectURI: a.redirect, Sent: a.named && !a.docusign, Challenge: a.query.Get("code_challenge"),
	}}
	f.Forget = one.Expires.Add(stillKnown)
	return text, a.tokens.change(now, func(b *bbolt.Tx) ([]string, error) {
		if err := putFamily(b, f); err != nil {
			return nil, err
		}
		return nil, putToken(b, of, &one, f.Forget)
	})
}

func (a *asked) refusal(e *refusal) string {
	return a.back(url.Values{"error": {string(e.code)}, "error_description": {quotable(e.message)}})
}

// back is the address of the program with an answer. The state goes back as it came,
// and with it who answers (RFC 9207), so that no client takes the answer of one
// server for that of another.
func (a *asked) back(answer url.Values) string {
	if a.query.Has("state") {
		answer.Set("state", a.query.Get("state"))
	}
	if a.issuer != "" {
		answer.Set("iss", a.issuer)
	}
	joint := "?"
	if strings.Contains(a.redirect, "?") {
		joint = "&"
	}
	return a.redirect + joint + answer.Encode()
}

// origin is what the Content-Security-Policy of the page calls where its form leads
// in the end. It has no word for an IPv6 address, nor for a scheme of a program's own
// but that scheme.
func origin(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme != "https" && u.Scheme != "http" || strings.Contains(u.Host, "["):
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}
