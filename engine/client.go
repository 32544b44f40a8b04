package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
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
	LastUsedAt   time.Time // kept outside vault.db, so it may be lost with a crash
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

// permits says whether a token that was got by a grant acts as a user for this
// client still. "" is a grant that is not asked about.
func (c *client) permits(by Grant, userID string) bool {
	switch by {
	case "":
		return true
	case GrantClientCredentials:
		return slices.Contains(c.Grants, by) && c.UserID == userID
	case GrantJWTBearer:
		return slices.Contains(c.Grants, by) && (c.Impersonates || c.UserID == userID)
	}
	return slices.Contains(c.Grants, by)
}

// admitClient narrows the actor to what the client by which it acts may do, as
// it is now. Entries have the client's id as their key.
func (t *tx) admitClient(a Actor) error {
	c, err := t.clientParts(a.ClientID, false)
	if errors.Is(err, ErrClientNotFound) {
		return ErrInvalidToken
	}
	if err != nil {
		return err
	}
	if c.Status != ClientActive || !c.permits(a.Grant, t.actor.UserID) {
		return ErrTokenRevoked
	}
	t.actor.KeyID, t.actor.ClientID, t.actor.Access = c.ID, c.ID, Meet(t.actor.Access, c.Access)
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
	c, err := t.clientParts(clientID, true)
	if err == nil {
		c.PublicKey = spelledKey(c.der)
	}
	return c, err
}

func (t *tx) clientParts(clientID string, all bool) (*client, error) {
	at, ok := store.ParseID(clientID)
	if !ok {
		return nil, ErrClientNotFound
	}
	b := t.Get(bucketClients, at[:])
	if b == nil {
		return nil, ErrClientNotFound
	}
	return decodeClientParts(at, b, all)
}

func (t *tx) putClient(c *client) { t.Put(bucketClients, c.at[:], c.encode()) }

// maxClients is how many clients a vault has at most, closed ones too.
const maxClients = 1_000

// CreateClient makes a client. The Secret is shown this once; one that only signs
// assertions has none, and Reveal returns "". It needs admin access.
func (v *Vault) CreateClient(ctx context.Context, actor Actor, n NewClient) (Client, Secret, Receipt, error) {
	made := client{Client: Client{
		Name: check.Trim(n.Name), Grants: n.Grants, Access: n.Access, UserID: n.UserID, Impersonates: n.Impersonates,
		RedirectURIs: n.RedirectURIs, PublicKey: n.PublicKey, Status: ClientActive, Revision: 1,
	}}
	if err := made.check(); err != nil {
		return Client{}, Secret{}, Receipt{}, err
	}
	random, shown := secret.NewKey(), Secret{}
	if made.HasSecret = made.takesSecret(); made.HasSecret {
		made.secret, shown = random.Hash(), Secret{random.ClientSecret()}
	}
	c, receipt, err := update(v, ctx, actor, func(t *tx) (Client, audit.Event, error) { return t.createClient(made) })
	if err != nil {
		return Client{}, Secret{}, Receipt{}, err
	}
	return c, shown, receipt, nil
}

func (t *tx) createClient(c client) (Client, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Client{}, audit.Event{}, err
	}
	many, rows := 0, t.Cursor(bucketClients)
	for k, _ := rows.First(); k != nil; k, _ = rows.Next() {
		many++
	}
	if many >= maxClients {
		return Client{}, audit.Event{}, invalid("name", "would be that of one client too many: a vault has at most %d, closed ones too", maxClients)
	}
	u, err := t.actsAs(&c)
	if err != nil {
		return Client{}, audit.Event{}, err
	}
	if c.Access == AccessNone {
		if c.Access = AccessUpload; c.UserID != "" {
			c.Access = u.Access
		}
	}
	if c.at, err = t.NewID(); err != nil {
		return Client{}, audit.Event{}, err
	}
	c.ID, c.CreatedAt = c.at.String(), t.Now()
	t.putClient(&c)
	detail := map[string]any{"name": c.Name, "redirectUris": orNone(c.RedirectURIs)}
	return c.Client, audit.Event{Op: audit.OpClientCreated, Facts: c.facts(), Detail: encodeDetail(detail)}, nil
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// actsAs looks up the user a client acts as, if any, and spells the id.
func (t *tx) actsAs(c *client) (User, error) {
	if c.UserID == "" {
		return User{}, nil
	}
	u, err := t.user(c.UserID)
	if errors.Is(err, ErrUserNotFound) {
		return User{}, invalid("userId", "must be the id of a user of this vault")
	}
	c.UserID = u.ID
	return u, err
}

// facts say all that holds of the client from then on, but for its texts.
func (c *client) facts() audit.Facts {
	impersonates := "false"
	if c.Impersonates {
		impersonates = "true"
	}
	facts := audit.Facts{
		"client": audit.Text(c.ID), "access": audit.Text(c.Access.String()), "grants": audit.Texts(spelledGrants(c.Grants)...),
		"impersonates": audit.Text(impersonates),
	}
	if c.UserID != "" {
		facts["actsAs"] = audit.Text(c.UserID)
	}
	if len(c.der) > 0 {
		facts["publicKey"] = digestOf(c.der)
	}
	if c.HasSecret {
		facts["secret"] = digestOf(c.secret[:])
	}
	return facts
}

func spelledGrants(grants []Grant) (texts []string) {
	for _, g := range grants {
		texts = append(texts, string(g))
	}
	return texts
}

// changeClient is every change of one client that is not closed: fn changes it,
// and says whether it did.
func (v *Vault) changeClient(ctx context.Context, actor Actor, clientID string, m Match,
	fn func(*tx, *client) (audit.Event, error)) (Client, Receipt, error) {
	c, receipt, err := update(v, ctx, actor, func(t *tx) (Client, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Client{}, audit.Event{}, err
		}
		c, err := t.client(clientID)
		if err == nil {
			err = m.check(c.Revision)
		}
		if err != nil {
			return Client{}, audit.Event{}, err
		}
		event, err := fn(t, c)
		if err != nil || event.IsZero() {
			return c.Client, event, err
		}
		c.Revision++
		t.putClient(c)
		return c.Client, event, nil
	})
	if err != nil {
		return Client{}, Receipt{}, err
	}
	return v.seen(c), receipt, nil
}

// UpdateClient changes a client; tokens it has got are narrowed at once. One that
// is closed stays as it is. It needs admin access. ErrClientNotFound.
func (v *Vault) UpdateClient(ctx context.Context, actor Actor, clientID string, cond Condition, p ClientPatch) (Client, Receipt, error) {
	if p.Status != nil && *p.Status == ClientClosed && p == (ClientPatch{Status: p.Status}) {
		return v.CloseClient(ctx, actor, clientID, cond)
	}
	return v.changeClient(ctx, actor, clientID, cond.IfMatch, func(t *tx, c *client) (audit.Event, error) {
		old := *c
		p.apply(c)
		if c.Status != old.Status {
			return audit.Event{}, invalid("status", "can be set to closed, for good and by itself; make another client instead of opening one")
		}
		if err := c.check(); err != nil {
			return audit.Event{}, err
		}
		if _, err := t.actsAs(c); err != nil {
			return audit.Event{}, err
		}
		if p.Access != nil && c.Access == AccessNone {
			return audit.Event{}, invalid("access", errAccess)
		}
		return c.updated(&old)
	})
}

// updated is the event of a change; the zero one if there is none.
func (c *client) updated(old *client) (audit.Event, error) {
	detail := map[string]any{}
	if c.Name != old.Name {
		detail["name"] = changed{old.Name, c.Name}
	}
	if !slices.Equal(c.RedirectURIs, old.RedirectURIs) {
		detail["redirectUris"] = changed{orNone(old.RedirectURIs), orNone(c.RedirectURIs)}
	}
	same := c.Access == old.Access && c.UserID == old.UserID && c.Impersonates == old.Impersonates &&
		slices.Equal(c.Grants, old.Grants) && string(c.der) == string(old.der)
	if same && len(detail) == 0 {
		return audit.Event{}, nil
	}
	if old.Status != ClientActive {
		return audit.Event{}, errClosedClient()
	}
	return audit.Event{Op: audit.OpClientUpdated, Facts: c.facts(), Detail: encodeDetail(detail)}, nil
}

func errClosedClient() error {
	return invalid("id", "this client is closed, for good; make another one")
}

func (p *ClientPatch) apply(c *client) {
	set(&c.Name, p.Name)
	c.Name = check.Trim(c.Name)
	set(&c.Grants, p.Grants)
	set(&c.Access, p.Access)
	set(&c.UserID, p.UserID)
	set(&c.Impersonates, p.Impersonates)
	set(&c.RedirectURIs, p.RedirectURIs)
	set(&c.PublicKey, p.PublicKey)
	set(&c.Status, p.Status)
}

// RotateClient gives a client another secret, shown this once; the old one is
// refused from then on. Tokens it has got work on to their end. It needs admin
// access. ErrClientNotFound; *InvalidError if it only signs assertions, or is
// closed.
func (v *Vault) RotateClient(ctx context.Context, actor Actor, clientID string, cond Condition) (Client, Secret, Receipt, error) {
	random := secret.NewKey()
	c, receipt, err := v.changeClient(ctx, actor, clientID, cond.IfMatch, func(_ *tx, c *client) (audit.Event, error) {
		if c.Status != ClientActive {
			return audit.Event{}, errClosedClient()
		}
		if !c.takesSecret() {
			return audit.Event{}, invalid("id", "this client signs assertions and has no secret; change its publicKey instead")
		}
		c.secret, c.HasSecret = random.Hash(), true
		return audit.Event{Op: audit.OpClientUpdated, Facts: c.facts()}, nil
	})
	if err != nil {
		return Client{}, Secret{}, Receipt{}, err
	}
	return c, Secret{random.ClientSecret()}, receipt, nil
}

// CloseClient ends a client for good, and with it all its tokens, also for
// requests that are on their way. It needs admin access. Closing what is closed
// returns it as it is. ErrClientNotFound.
func (v *Vault) CloseClient(ctx context.Context, actor Actor, clientID string, cond Condition) (Client, Receipt, error) {
	return v.changeClient(ctx, actor, clientID, cond.IfMatch, func(_ *tx, c *client) (audit.Event, error) { return c.close(), nil })
}

func (c *client) close() audit.Event {
	if c.Status == ClientClosed {
		return audit.Event{}
	}
	c.Status = ClientClosed
	return audit.Event{Op: audit.OpClientClosed, Facts: audit.Facts{"client": audit.Text(c.ID)}}
}
