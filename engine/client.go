package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// Client is a program that signs in by itself or for people, as OAuth has it,
// without its secret. A host that gives out tokens asks the vault who its clients
// are and what they may do; the tokens are the host's own.
type Client struct {
	ID   string
	Name string
	// Grants are the ways by which it may get tokens, sorted.
	Grants []Grant
	Access Access // never more than that of the user it acts as counts
	// UserID is whom it acts as; "": only those who sign in through it, or whom it
	// impersonates.
	UserID string
	// Impersonates says that an assertion it signs may name any user.
	Impersonates bool
	RedirectURIs []string
	PublicKey    string // PEM, what its assertions are checked with; "": none
	HasSecret    bool
	CreatedAt    time.Time
	LastUsedAt   time.Time // kept outside rows.db, so it may be lost with a crash
	Status       ClientStatus
	Revision     uint64
}

// Grant is a way to get a token, by its name in OAuth.
type Grant string

const (
	GrantClientCredentials Grant = "client_credentials"
	GrantAuthorizationCode Grant = "authorization_code"
	GrantRefreshToken      Grant = "refresh_token"
	GrantJWTBearer         Grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// ClientStatus is whether a client works.
type ClientStatus string

const (
	ClientActive ClientStatus = "active" // it does
	ClientClosed ClientStatus = "closed" // it does not, nor do its tokens, for good
)

// NewClient describes a client to be made. Name and Grants are required. UserID
// is required if it acts as somebody by itself: by client_credentials, or by
// jwt-bearer without impersonating. RedirectURIs are required with
// authorization_code, PublicKey with jwt-bearer.
type NewClient struct {
	Name         string
	Grants       []Grant
	Access       Access // AccessNone: the user's; upload if there is none
	UserID       string
	Impersonates bool
	RedirectURIs []string
	PublicKey    string // PEM, RSA of 2048 bits at least
}

// ClientPatch: nil leaves a member alone. Status can only be set to ClientClosed.
type ClientPatch struct {
	Name         *string
	Grants       *[]Grant
	Access       *Access
	UserID       *string
	Impersonates *bool
	RedirectURIs *[]string
	PublicKey    *string
	Status       *ClientStatus
}

// client is a Client as stored.
type client struct {
	Client
	at     id
	der    []byte            // the public key, as PublicKey has it in PEM; none
	secret [sha256.Size]byte // the hash of its secret, if HasSecret
}

// covers says whether a grant acts as a user: the one the client acts as by itself,
// or another, if it may be others.
func (by Grant) covers(itself, others bool) bool {
	switch by {
	case GrantClientCredentials:
		return itself
	case GrantJWTBearer:
		return itself || others
	}
	return true
}

// admitClient narrows the actor to what the client by which it acts may do, as
// it is now. Entries have the client's id as their key.
func (t *tx) admitClient(a Actor) error {
	at, b := t.clientRow(a.ClientID)
	if b == nil {
		return ErrInvalidToken
	}
	m, err := decodeMandate(at, b, a.Grant, t.actor.UserID)
	if err != nil {
		return err
	}
	if !m.active || !m.permits {
		return ErrTokenRevoked
	}
	id := at.Spelled(a.ClientID)
	t.actor.KeyID, t.actor.ClientID, t.actor.Access = id, id, Meet(t.actor.Access, m.access)
	t.actor.impersonated = m.impersonates && (a.Grant == GrantJWTBearer || a.Grant == "")
	return nil
}

// Client returns one client, without its secret. ErrClientNotFound.
func (v *Vault) Client(ctx context.Context, clientID string) (Client, error) {
	return view(v, func(t *tx) (Client, error) {
		c, err := t.client(clientID)
		if err != nil {
			return Client{}, err
		}
		return v.seen(c.Client), nil
	})
}

// Clients lists clients, closed ones too, in the order in which they were made.
func (v *Vault) Clients(ctx context.Context, p Paging) (Page[Client], error) {
	return view(v, func(t *tx) (Page[Client], error) {
		return idPage(t, bucketClients, listClients, p, func(at id, b []byte) (Client, error) {
			c, err := decodeClient(at, b)
			if err != nil {
				return Client{}, err
			}
			c.PublicKey = spelledKey(c.der)
			return v.seen(c.Client), nil
		})
	})
}

// seen adds what is not stored with the client.
func (v *Vault) seen(c Client) Client {
	c.LastUsedAt = v.used.at(c.ID)
	return c
}

// AuthenticateClient returns the client that presents its secret. An unknown
// client, one that has none and a wrong secret get the same ErrInvalidToken for
// the same work; who knows the secret learns that it is closed: ErrTokenRevoked.
func (v *Vault) AuthenticateClient(ctx context.Context, clientID, clientSecret string) (Client, error) {
	given := secret.ParseClientSecret(clientSecret)
	return peek(v, func(t *tx) (Client, error) {
		c, err := t.client(clientID)
		known := err == nil && c.HasSecret
		if err != nil && !errors.Is(err, ErrClientNotFound) {
			return Client{}, err
		}
		if !known {
			c = &client{} // as much work as one that is known
		}
		if !given.Fits(c.secret) || !known {
			return Client{}, ErrInvalidToken
		}
		if c.Status != ClientActive {
			return Client{}, ErrTokenRevoked
		}
		return c.Client, nil
	})
}

// ClientName names a client where a token names a key: for [Vault.NoteFailedSignIn],
// when what a client presents is refused. It is no secret and no token.
func ClientName(vault, clientID string) string { return secret.TokenPrefix(vault, clientID) }

// AdmitClient is Admit for who comes with a token of a client, as often as
// Authenticate is asked of those who come with a key. It says who acts now, notes
// that the client was used, and has the errors of Admit.
func (v *Vault) AdmitClient(ctx context.Context, a Actor) (Actor, error) {
	return peek(v, func(t *tx) (Actor, error) {
		if err := t.admit(a); err != nil {
			return Actor{}, err
		}
		v.used.note(a.ClientID, t.Now())
		return t.actor, nil
	})
}

// NoteClientUse says that a client has got a token.
func (v *Vault) NoteClientUse(clientID string) { v.used.note(clientID, v.store.Clock.Now()) }

func (t *tx) client(clientID string) (*client, error) {
	at, b := t.clientRow(clientID)
	if b == nil {
		return nil, ErrClientNotFound
	}
	c, err := decodeClient(at, b)
	if err == nil {
		c.PublicKey = spelledKey(c.der)
	}
	return c, err
}

// clientRow returns a client as it is stored; nil if there is none.
func (t *tx) clientRow(clientID string) (at id, row []byte) {
	at, ok := store.ParseID(clientID)
	if !ok {
		return at, nil
	}
	return at, t.Get(bucketClients, at[:])
}

func (t *tx) putClient(c *client) { t.Put(bucketClients, c.at[:], c.encode()) }
