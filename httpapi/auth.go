package httpapi

import (
	"net/http"
	"strings"

	"strongroom/engine"
)

// caller is who asks, and of which vault. On a route open to all it is zero.
type caller struct {
	vault *engine.Vault
	actor engine.Actor
	base  string // where the caller reaches this server, for the few who are told
}

// authenticateKey is the Authenticate of servers that were given none. Vaults
// are looked up among those that are open, never on disk. A token of an unknown
// vault is tried on another one, where it is as wrong as any and costs as much,
// so neither answer nor time tells which organizations there are.
func (s *Server) authenticateKey(r *http.Request) (*engine.Vault, engine.Actor, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return nil, engine.Actor{}, err
	}
	vault := s.vaults[engine.TokenVault(token)]
	if vault == nil {
		for _, other := range s.vaults {
			other.Authenticate(r.Context(), token)
			break
		}
		return nil, engine.Actor{}, engine.ErrInvalidToken
	}
	actor, err := vault.Authenticate(r.Context(), token)
	return vault, actor, err
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
