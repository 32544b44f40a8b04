package httpapi

import (
	"context"

	"strongroom/engine"
)

func clientRoutes() []route {
	noClient := engine.ErrClientNotFound
	return []route{
		endpoint("POST", "/v1/clients", 201, admin, "Register a program that signs in by OAuth; its secret is shown this once", createClient).orApproval(),
		endpoint("GET", "/v1/clients", 200, readAll, "List the clients, without their secrets", listClients),
		endpoint("GET", "/v1/clients/:id", 200, readAll, "Read a client", getClient, noClient),
		endpoint("PATCH", "/v1/clients/:id", 200, admin, "Change a client; its tokens are narrowed at once", updateClient, noClient).orApproval(),
		endpoint("DELETE", "/v1/clients/:id", 200, admin, "Close a client for good, and end its tokens at once", closeClient, noClient),
		endpoint("POST", "/v1/clients/:id/rotate", 200, admin, "Give a client another secret, shown this once; the old one is refused from then on", rotateClient, noClient).orApproval(),
	}
}

// OAuthClient is a program that signs in by OAuth, without its secret.
type OAuthClient struct {
	ID           string         `json:"id" doc:"The client_id."`
	Name         string         `json:"name" doc:"What people are asked to trust."`
	Grants       []engine.Grant `json:"grants" doc:"authorization_code, client_credentials, refresh_token, urn:ietf:params:oauth:grant-type:jwt-bearer."`
	Access       engine.Access  `json:"access" doc:"The most that its tokens may do; less if their user, or their scope, may do less."`
	UserID       string         `json:"userId" doc:"Whom it acts as; empty if only as those who sign in through it, or whom it impersonates."`
	Impersonates bool           `json:"impersonates" doc:"Whether its assertions may name any user as sub."`
	RedirectURIs []string       `json:"redirectUris" doc:"Where codes may be sent, each compared as it is."`
	PublicKey    string         `json:"publicKey" doc:"PEM, what its assertions are checked with; empty: it signs none."`
	CreatedAt    Time           `json:"createdAt"`
	LastUsedAt   Time           `json:"lastUsedAt" null:"never"`
	Status       string         `json:"status" enum:"active|closed"`
	Revision     uint64         `json:"revision" doc:"It is the ETag."`
}

func clientOf(c engine.Client) OAuthClient {
	return OAuthClient{
		ID: c.ID, Name: c.Name, Grants: orEmpty(c.Grants), Access: c.Access, UserID: c.UserID, Impersonates: c.Impersonates,
		RedirectURIs: orEmpty(c.RedirectURIs), PublicKey: c.PublicKey, CreatedAt: Time(c.CreatedAt), LastUsedAt: Time(c.LastUsedAt),
		Status: string(c.Status), Revision: c.Revision,
	}
}

// ClientWithSecret is a client with its secret, which is shown this once.
type ClientWithSecret struct {
	OAuthClient
	Secret string `json:"secret,omitempty" doc:"The client_secret. It is not shown again. Absent if the client only signs assertions."`
}

type newOAuthClient struct {
	Name         string         `json:"name" required:"true"`
	Grants       []engine.Grant `json:"grants" required:"true" doc:"How it gets tokens. jwt-bearer stands for its long name."`
	Access       engine.Access  `json:"access" doc:"Absent: that of userId; upload without one."`
	UserID       string         `json:"userId" doc:"Required with client_credentials, and with jwt-bearer unless it impersonates."`
	Impersonates bool           `json:"impersonates" doc:"With jwt-bearer: its assertions may name any user as sub."`
	RedirectURIs []string       `json:"redirectUris" doc:"Required with authorization_code: https, http on this machine, or a scheme of the program's own."`
	PublicKey    string         `json:"publicKey" doc:"Required with jwt-bearer: RSA of 2,048 bits at least, in PEM."`
}

type createClientInput struct {
	Client newOAuthClient `body:"json"`
}

func createClient(ctx context.Context, c caller, in createClientInput) (reply[ClientWithSecret], error) {
	made, secret, receipt, err := c.vault.CreateClient(ctx, c.actor, engine.NewClient(in.Client))
	return createdClient(made, secret, receipt), err
}

func createdClient(c engine.Client, secret engine.Secret, r engine.Receipt) reply[ClientWithSecret] {
	out := clientShownOnce(c, secret, r)
	out.location = "/v1/clients/" + c.ID
	return out
}

func clientShownOnce(c engine.Client, secret engine.Secret, r engine.Receipt) reply[ClientWithSecret] {
	return reply[ClientWithSecret]{body: ClientWithSecret{clientOf(c), secret.Reveal()}, revision: c.Revision, receipt: r}
}

func changedClient(c engine.Client, r engine.Receipt) reply[OAuthClient] {
	return reply[OAuthClient]{body: clientOf(c), revision: c.Revision, receipt: r}
}

func listClients(ctx context.Context, c caller, in paging) (reply[List[OAuthClient]], error) {
	page, err := c.vault.Clients(ctx, in.engine())
	return answer(listOf(page, clientOf)), err
}

type clientInput struct {
	ID string `path:"id"`
}

func getClient(ctx context.Context, c caller, in clientInput) (reply[OAuthClient], error) {
	found, err := c.vault.Client(ctx, in.ID)
	return changedClient(found, engine.Receipt{}), err
}

// clientChange is what every change of a client carries.
type clientChange struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
}

// clientPatch is a merge patch (RFC 7396).
type clientPatch struct {
	Name         *string              `json:"name"`
	Grants       *[]engine.Grant      `json:"grants" doc:"Replaces all. Tokens got by one that is gone end at once."`
	Access       *engine.Access       `json:"access"`
	UserID       member[string]       `json:"userId"`
	Impersonates *bool                `json:"impersonates"`
	RedirectURIs member[[]string]     `json:"redirectUris" doc:"Replaces all."`
	PublicKey    member[string]       `json:"publicKey"`
	Status       *engine.ClientStatus `json:"status" enum:"active|closed" doc:"closed, by itself and for good; as DELETE."`
}

type updateClientInput struct {
	clientChange
	Patch clientPatch `body:"merge"`
}

func updateClient(ctx context.Context, c caller, in updateClientInput) (reply[OAuthClient], error) {
	p := in.Patch
	changed, receipt, err := c.vault.UpdateClient(ctx, c.actor, in.ID, in.IfMatch.condition(), engine.ClientPatch{
		Name: p.Name, Grants: p.Grants, Access: p.Access, UserID: orZero(p.UserID), Impersonates: p.Impersonates,
		RedirectURIs: orZero(p.RedirectURIs), PublicKey: orZero(p.PublicKey), Status: p.Status,
	})
	return changedClient(changed, receipt), err
}

func closeClient(ctx context.Context, c caller, in clientChange) (reply[OAuthClient], error) {
	closed, receipt, err := c.vault.CloseClient(ctx, c.actor, in.ID, in.IfMatch.condition())
	return changedClient(closed, receipt), err
}

func rotateClient(ctx context.Context, c caller, in clientChange) (reply[ClientWithSecret], error) {
	rotated, secret, receipt, err := c.vault.RotateClient(ctx, c.actor, in.ID, in.IfMatch.condition())
	return clientShownOnce(rotated, secret, receipt), err
}
