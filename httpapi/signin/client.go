package signin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"strongroom/engine"
)

// credentials are what a client says it is.
type credentials struct {
	id, secret string
	basic      bool
}

// credentialsOf reads them from the header or from the form, never from both
// (RFC 6749 section 2.3). An access token in the header is nobody's credential here:
// DocuSign's SDKs send the one they have along when they ask for the next.
func credentialsOf(r *http.Request) (credentials, error) {
	c := credentials{id: r.PostForm.Get("client_id"), secret: r.PostForm.Get("client_secret")}
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return c, nil
	}
	if scheme, _, _ := strings.Cut(header[0], " "); len(header) == 1 && strings.EqualFold(scheme, "Bearer") {
		return c, nil
	}
	id, secret, ok := r.BasicAuth()
	if !ok || len(header) > 1 {
		return c, refuse(invalidClient, "the header Authorization must be, once, of the form: Basic <client_id:client_secret in base64>")
	}
	// Section 2.3.1 has both as in a form; what cannot be that is as it is.
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	if c.secret != "" || c.id != "" && c.id != id {
		return c, refuse(invalidRequest, "send the client_id and its secret either in the header or in the form")
	}
	return credentials{id, secret, true}, nil
}

// proven is a client that has shown who it is, and the tokens of its vault.
type proven struct {
	tokens *tokens
	client engine.Client
}

// named returns the vaults in which a client may be, and its id there. Ids are told
// apart by the vault's name before a dot. Without one it is looked for in all: ids
// are random, so that there are two of it only where a vault stands beside a copy
// of itself.
func (s *Server) named(clientID string) (in []*tokens, id string) {
	if vault, id, ok := strings.Cut(clientID, "."); ok {
		if t := s.tokens[vault]; t != nil {
			return []*tokens{t}, id
		}
		return nil, id
	}
	for _, name := range slices.Sorted(maps.Keys(s.tokens)) {
		in = append(in, s.tokens[name])
	}
	return in, clientID
}

// prove looks for the client in its vaults, or in the one it is told, and asks fits
// of each. If it is the client of several, it is that of the one which does not
// stand still after a restore: whoever tries out a backup beside the vault it is of
// changes nothing for the programs of that one. If there are several even so, the
// client has to say which it means, for a token of the wrong one would pass for one
// of the right.
func (s *Server) prove(ctx context.Context, clientID, vault string, fits func(*tokens, string) (engine.Client, error)) (proven, error) {
	in, id := s.named(clientID)
	var found []proven
	var refused error
	for _, t := range in {
		if vault != "" && t.vault.Name() != vault {
			continue
		}
		c, err := fits(t, id)
		if err == nil {
			found = append(found, proven{t, c})
		} else if refused == nil || errors.Is(refused, engine.ErrInvalidToken) {
			refused = err
		}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(p proven) bool {
			settings, err := p.tokens.vault.Settings(ctx)
			return err != nil || settings.Paused
		})
		if len(found) != 1 {
			return proven{}, refuse(invalidClient, "several vaults of this server have this client; write the one that is meant before the client_id, as in main.%s", printable(id))
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return proven{}, cmp.Or(refused, error(engine.ErrInvalidToken))
}

// authenticate returns the client that presents its secret. Of a vault, if one is
// named that is here.
func (s *Server) authenticate(r *http.Request, vault string) (proven, error) {
	c, err := credentialsOf(r)
	if err != nil {
		return proven{}, err
	}
	if c.id == "" || c.secret == "" {
		return proven{}, refuse(invalidClient, "send the client_id and its secret, in the header Authorization: Basic or in the form")
	}
	if s.tokens[vault] == nil {
		vault = ""
	}
	p, err := s.prove(r.Context(), c.id, vault, func(t *tokens, id string) (engine.Client, error) {
		return t.vault.AuthenticateClient(r.Context(), id, c.secret)
	})
	if err != nil {
		return p, s.refusedClient(r, c.id, err)
	}
	return p, nil
}

// identify is authenticate, but a client that has no secret need only say who it is.
// It proves nothing, so it is for what whoever has a token may do with that token.
func (s *Server) identify(r *http.Request, vault string) (proven, error) {
	c, err := credentialsOf(r)
	if err != nil || c.id == "" || c.secret != "" {
		return s.authenticate(r, vault)
	}
	if s.tokens[vault] == nil {
		vault = ""
	}
	p, err := s.prove(r.Context(), c.id, vault, func(t *tokens, id string) (engine.Client, error) {
		client, err := t.vault.Client(r.Context(), id)
		switch {
		case err != nil && !errors.Is(err, engine.ErrClientNotFound):
			return client, err
		case err != nil || client.HasSecret || client.Status != engine.ClientActive:
			return client, engine.ErrInvalidToken
		}
		return client, nil
	})
	if errors.Is(err, engine.ErrInvalidToken) {
		return s.authenticate(r, vault)
	}
	return p, err
}

// refusedClient notes a client that has not shown who it is, later if there were
// many, and says so.
func (s *Server) refusedClient(r *http.Request, clientID string, err error) error {
	in, id := s.named(clientID)
	var noted *engine.Vault
	for _, t := range in {
		if _, err := t.vault.Client(r.Context(), id); err == nil {
			noted = t.vault
			break
		}
	}
	name := ""
	if noted != nil {
		name = noted.Name()
	}
	err = s.failures.Refuse(r, noted, engine.ClientName(name, id), err)
	switch {
	case errors.Is(err, engine.ErrTokenRevoked):
		return refuse(invalidClient, "the client is closed")
	case errors.Is(err, engine.ErrInvalidToken):
		return refuse(invalidClient, "there is no such client, or that is not its secret or its signature")
	}
	return err
}

// printable is a name that a stranger has sent, fit to be sent back.
func printable(name string) string { return quotable(name[:min(len(name), 64)]) }
