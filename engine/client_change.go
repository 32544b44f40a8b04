package engine

import (
	"context"
	"errors"
	"slices"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/secret"
)

// maxClients is how many clients a vault has at most, closed ones too.
const maxClients = 1_000

// CreateClient makes a client. The Secret is shown this once; one that only signs
// assertions has none, and Reveal returns "". It needs admin access. *NeedsTwoError
// for one that acts as another, or impersonates, with admin access.
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
	if t.actsAsAnotherAdmin(&c) {
		if err := t.needsTwo(CoveredAdmin, &clientCreate{c.Name, c.Grants, c.Access, c.UserID, c.Impersonates, c.RedirectURIs, c.PublicKey}); err != nil {
			return Client{}, audit.Event{}, err
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
// is closed stays as it is. It needs admin access. ErrClientNotFound;
// *NeedsTwoError if it comes to act as another, or to impersonate, with admin access.
func (v *Vault) UpdateClient(ctx context.Context, actor Actor, clientID string, cond Condition, p ClientPatch) (Client, Receipt, error) {
	if p.Status != nil && *p.Status == ClientClosed && p == (ClientPatch{Status: p.Status}) {
		return v.CloseClient(ctx, actor, clientID, cond)
	}
	p.Grants, p.RedirectURIs = given(p.Grants), given(p.RedirectURIs)
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
		event, err := c.updated(&old)
		if err == nil && !event.IsZero() && t.actsAsAnotherAdmin(c) && t.strengthens(c, &old) {
			err = t.needsTwo(CoveredAdmin, &clientUpdate{c.ID, cond.IfMatch, clientPatch(p)})
		}
		return event, err
	})
}

// actsAsAnotherAdmin says whether who holds a client's secret, or signs for it, can
// act with admin access as somebody else than who acts. Those who sign in through it
// are asked for their consent each, and do so as themselves.
func (t *tx) actsAsAnotherAdmin(c *client) bool {
	return c.Access == AccessAdmin && (c.Impersonates || c.UserID != "" && !t.self(c.UserID))
}

// strengthens says whether a client that acts as another admin newly does, as
// another, by another way, or for who has another key.
func (t *tx) strengthens(c, old *client) bool {
	gained := slices.ContainsFunc(c.Grants, func(g Grant) bool { return !slices.Contains(old.Grants, g) })
	return !t.actsAsAnotherAdmin(old) || gained || c.Impersonates && !old.Impersonates || c.UserID != old.UserID || string(c.der) != string(old.der)
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
// closed; *NeedsTwoError for one that acts as another, or impersonates, with admin
// access.
func (v *Vault) RotateClient(ctx context.Context, actor Actor, clientID string, cond Condition) (Client, Secret, Receipt, error) {
	random := secret.NewKey()
	c, receipt, err := v.changeClient(ctx, actor, clientID, cond.IfMatch, func(t *tx, c *client) (audit.Event, error) {
		if c.Status != ClientActive {
			return audit.Event{}, errClosedClient()
		}
		if !c.takesSecret() {
			return audit.Event{}, invalid("id", "this client signs assertions and has no secret; change its publicKey instead")
		}
		if t.actsAsAnotherAdmin(c) {
			if err := t.needsTwo(CoveredAdmin, &clientRotate{c.ID, cond.IfMatch}); err != nil {
				return audit.Event{}, err
			}
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
