package signin

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"strongroom/engine"
)

const maxForm = 64 << 10 // bytes

// form reads a form, and answers with what fn returns, in JSON; nil is no body. Of
// what stands in the query nothing is looked at: it would be in the logs of others
// (RFC 6749 section 2.3.1).
func (s *Server) form(fn func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := func() (any, error) {
			if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
				return nil, refuse(invalidRequest, "send a form: Content-Type: application/x-www-form-urlencoded")
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
			if err == nil {
				r.PostForm, err = url.ParseQuery(string(body))
			}
			if err != nil {
				return nil, refuse(invalidRequest, "the form cannot be read, or is longer than 64 KiB")
			}
			for name, values := range r.PostForm {
				if len(values) > 1 {
					return nil, refuse(invalidRequest, "%s is given twice", printable(name))
				}
			}
			return fn(r)
		}()
		if err != nil {
			s.fail(w, err)
			return
		}
		write(w, http.StatusOK, answer)
	}
}

// given is the answer of the token endpoint.
type given struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// token is POST /oauth/token.
func (s *Server) token(r *http.Request) (any, error) {
	var out issued
	var err error
	switch by := engine.Grant(r.PostForm.Get("grant_type")); by {
	case "":
		return nil, refuse(invalidRequest, "grant_type is missing")
	case engine.GrantClientCredentials:
		out, err = s.byItself(r)
	case engine.GrantAuthorizationCode:
		out, err = s.byCode(r)
	case engine.GrantRefreshToken:
		out, err = s.byRefresh(r)
	case engine.GrantJWTBearer:
		out, err = s.byAssertion(r)
	default:
		return nil, refuse(unsupportedGrantType, "there are client_credentials, authorization_code, refresh_token and %s", engine.GrantJWTBearer)
	}
	if err != nil {
		return nil, err
	}
	return given{
		AccessToken: out.access, TokenType: "Bearer", RefreshToken: out.refresh, Scope: out.scope,
		ExpiresIn: int64(out.token.Expires.Sub(out.token.Issued) / time.Second),
	}, nil
}

// may refuses a client that may not get tokens so.
func (p proven) may(by engine.Grant) error {
	if slices.Contains(p.client.Grants, by) {
		return nil
	}
	return refuse(unauthorizedClient, "this client may not get tokens by %s; an admin can give it that grant", by)
}

// revoke is RFC 7009: what is not known, or another client's, is answered as if it
// had been ended, and a token ends with all that came of the same sign-in.
func (s *Server) revoke(r *http.Request) (any, error) {
	k, p, err := s.theirs(r, s.identify)
	if err != nil || k == nil {
		return nothing{}, err
	}
	return nothing{}, p.tokens.end(s.now(), k.family)
}

type nothing struct{}

// described is the answer of RFC 7662.
type described struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Subject   string `json:"sub,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Expires   int64  `json:"exp,omitempty"`
	Issued    int64  `json:"iat,omitempty"`
}

// introspect tells a client of its own tokens, and of others that they are none.
func (s *Server) introspect(r *http.Request) (any, error) {
	k, p, err := s.theirs(r, s.authenticate)
	if err != nil || k == nil || k.Used || !s.now().Before(k.Expires) {
		return described{}, err
	}
	actor, err := p.tokens.admit(r.Context(), k)
	if ended(err) {
		return described{}, nil
	}
	d := described{
		Active: true, Scope: granted(k.Scope, actor.Access), ClientID: k.family.Client, Subject: k.family.User,
		Expires: k.Expires.Unix(), Issued: k.Issued.Unix(),
	}
	if k.Kind == kindAccess {
		d.TokenType = "Bearer"
	}
	return d, err
}

// theirs returns the token a client asks about, which who tells; nil if it is none of
// its own.
func (s *Server) theirs(r *http.Request, who func(r *http.Request, vault string) (proven, error)) (*known, proven, error) {
	text := r.PostForm.Get("token")
	if text == "" {
		return nil, proven{}, refuse(invalidRequest, "token is missing")
	}
	vault := vaultOf(text, kindAccess, kindRefresh)
	p, err := who(r, vault)
	if err != nil || p.tokens.vault.Name() != vault {
		return nil, p, err
	}
	k, err := p.tokens.find(hashOf(text))
	if err != nil || k == nil || k.Kind == kindCode || k.family.Client != p.client.ID {
		return nil, p, err
	}
	return k, p, nil
}
