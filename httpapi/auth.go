package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"strongroom/engine"
)

// caller is who asks, and of which vault. On a route open to all it is zero.
type caller struct {
	vault  *engine.Vault
	actor  engine.Actor
	server *Server
	search Search                       // nil: there is none
	access engine.Access                // that the route takes
	who    func() (engine.Actor, error) // asks again who it is
	base   string                       // where the caller reaches this server, for the few who are told
}

// again asks once more who the caller is, after a wait: a key may have been revoked
// meanwhile, or narrowed, or have expired.
func (c *caller) again() error {
	actor, err := c.who()
	if err != nil {
		return err
	}
	c.actor = actor
	if c.vault != nil {
		c.vault = c.vault.As(actor) // what may be seen is judged anew too
	}
	return actor.Access.Permits(c.access)
}

// Tokens are access tokens that another room gives out and checks.
type Tokens interface {
	// Vault names the vault that a token says it is for; "": it is no access token.
	// It proves nothing.
	Vault(token string) string
	// Check says who presents a token, with the access there is now. Its errors are
	// those of [engine.Vault.Authenticate].
	Check(ctx context.Context, token string) (*engine.Vault, engine.Actor, error)
}

// accessTokenError is an error about a token that is no API key: another one is
// got without an admin.
type accessTokenError struct{ error }

func (e accessTokenError) Unwrap() error { return e.error }

// accessTokenMessages stand for those of errorTable.
var accessTokenMessages = map[errorCode]string{
	codeInvalidToken:              "the access token is not valid; get another one at /oauth/token",
	"AUTHORIZATION_TOKEN_EXPIRED": "the access token has expired; get another one at /oauth/token, with the refresh token if there is one",
	"AUTHORIZATION_TOKEN_REVOKED": "the access token has ended, or its client or its user may not act any more; sign in again, or ask an admin",
}

// authenticateKey is the Authenticate of servers that were given none. Vaults
// are looked up among those that are open, never on disk. A token of a vault
// that cannot be asked is tried on another one, where it is as wrong as any and
// costs as much, so neither answer nor time tells which organizations there are.
//
// While a vault of this server cannot be asked, no token is called wrong: it may
// be that one's, and whoever is told that a key is wrong throws it away. All get
// the same answer even so.
func (s *Server) authenticateKey(r *http.Request) (*engine.Vault, engine.Actor, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return nil, engine.Actor{}, err
	}
	name := engine.TokenVault(token)
	if s.options.Tokens != nil {
		if of := s.options.Tokens.Vault(token); of != "" {
			return s.authenticateToken(r, of, token)
		}
	}
	if vault := s.vaults[name]; vault != nil && vault.Ready() == nil {
		var actor engine.Actor
		if actor, err = vault.Authenticate(r.Context(), token); err == nil {
			return vault, actor, nil
		}
	} else {
		if other := s.anyReady(); other != nil {
			other.Authenticate(r.Context(), token)
		}
		err = engine.ErrInvalidToken
	}
	return nil, engine.Actor{}, s.doubted(name, err)
}

// authenticateToken is authenticateKey for an access token.
func (s *Server) authenticateToken(r *http.Request, name, token string) (*engine.Vault, engine.Actor, error) {
	vault, actor, err := s.options.Tokens.Check(r.Context(), token)
	if err == nil {
		return vault, actor, nil
	}
	if err = s.doubted(name, err); errors.Is(err, engine.ErrUnavailable) || errors.Is(err, errUnverified) {
		return nil, engine.Actor{}, err
	}
	return nil, engine.Actor{}, accessTokenError{err}
}

// doubted is what a token of a vault is refused with: not as wrong, while a vault
// cannot be asked.
func (s *Server) doubted(name string, err error) error {
	down := s.down()
	if name == "" || len(down) == 0 || !errors.Is(err, engine.ErrInvalidToken) && !errors.Is(err, engine.ErrUnavailable) {
		return err
	}
	if i := slices.IndexFunc(down, func(o outage) bool { return o.name == name }); i >= 0 {
		return fmt.Errorf("%w: %s", errUnverified, down[i])
	}
	return errUnverified
}

// anyReady returns a vault that can be asked; nil if none can.
func (s *Server) anyReady() *engine.Vault {
	for _, v := range s.vaults {
		if v.Ready() == nil {
			return v
		}
	}
	return nil
}

// bearer is the token of RFC 6750 section 2.1.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", refuse(errNoToken, "send the API key in the header: Authorization: Bearer <key>")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", refuse(errNoToken, "the header Authorization must be, once, of the form: Bearer <key>")
	}
	return token, nil
}
