package console

import (
	"cmp"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"strongroom/engine"
)

func clientRoutes() []route {
	return []route{
		{"GET", "/{vault}/settings/clients", readAll, listClients},
		{"POST", "/{vault}/settings/clients/add", admin, addClient},
		{"GET", "/{vault}/settings/clients/{id}", readAll, showClient},
		{"POST", "/{vault}/settings/clients/{id}/change", admin, changeClient},
		{"POST", "/{vault}/settings/clients/{id}/rotate", admin, rotateClient},
		{"POST", "/{vault}/settings/clients/{id}/close", admin, closeClient},
	}
}

// clientsPage is the list of clients, and the form of another one.
type clientsPage struct {
	clientForm
	Items  []clientRow
	Next   string
	Silent bool // this server gives out no tokens
}

// clientForm is what is written of a client, new or not.
type clientForm struct {
	draft
	engine.Client
	People people
}

// clientRow is a client as a list shows it.
type clientRow struct {
	engine.Client
	Owner      string // whom it acts as, in words
	Ways       string // how it signs in, in words
	State      badge
	Made, Used When
}

// clientPage is one of them.
type clientPage struct {
	clientForm
	Row       clientRow
	Works     bool
	Silent    bool
	TokensAt  string // the address at which it gets them
	ConsentAt string // and that at which people are asked; "": it asks nobody
}

// Ways are those to sign in, in words.
func (clientForm) Ways() []option {
	return []option{
		{string(engine.GrantAuthorizationCode), "Persons sign in through it, and say yes (authorization_code)"},
		{string(engine.GrantRefreshToken), "It goes on while they are away (refresh_token)"},
		{string(engine.GrantClientCredentials), "By itself, with its secret (client_credentials)"},
		{string(engine.GrantJWTBearer), "By itself, with what it signs (jwt-bearer)"},
	}
}

// May reports whether a way is ticked.
func (f clientForm) May(grant string) bool {
	return f.Checked("grant."+grant, slices.Contains(f.Grants, engine.Grant(grant)))
}

// Lines are the addresses people come back to, one a line.
func (f clientForm) Lines() string { return strings.Join(f.RedirectURIs, "\n") }

// Granted spells the ways that are there.
func (f clientForm) Granted() string { return wayWords(f.Grants) }

// Differs reports whether the ticked ways are not those that are there.
func (f clientForm) Differs() bool {
	return slices.ContainsFunc(f.Ways(), func(o option) bool { return f.May(o.Value) != slices.Contains(f.Grants, engine.Grant(o.Value)) })
}

func wayWords(grants []engine.Grant) string {
	var words []string
	for _, g := range grants {
		switch g {
		case engine.GrantAuthorizationCode:
			words = append(words, "persons sign in through it")
		case engine.GrantRefreshToken:
			words = append(words, "goes on while they are away")
		case engine.GrantClientCredentials:
			words = append(words, "by itself, with its secret")
		case engine.GrantJWTBearer:
			words = append(words, "by itself, with what it signs")
		}
	}
	return strings.Join(words, "; ")
}

func (v *visit) clientRow(c engine.Client) (row clientRow, err error) {
	row = clientRow{Client: c, Ways: wayWords(c.Grants), Made: v.When(c.CreatedAt), Used: v.When(c.LastUsedAt), State: badge{"active", "check", "Works", ""}}
	if c.Status != engine.ClientActive {
		row.State = badge{"idle", "gone", "Closed", ""}
	}
	row.Owner, err = v.name(c.UserID)
	switch {
	case c.Impersonates && c.UserID != "":
		row.Owner += ", and any user it names"
	case c.Impersonates:
		row.Owner = "any user it names"
	case c.UserID == "":
		row.Owner = "whoever signs in through it"
	}
	return row, err
}

// silent says that this server gives out no tokens.
func (v *visit) silent() bool { return v.console.options.Programs == nil }

func listClients(v *visit) (answer, error) { return v.clientsPage(v.draft(), 0) }

func (v *visit) clientsPage(d draft, status int) (answer, error) {
	found, err := v.vault.Clients(v.ctx(), engine.Paging{Limit: 100, Cursor: v.r.URL.Query().Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	body := clientsPage{clientForm: clientForm{draft: d}, Silent: v.silent()}
	for _, c := range found.Items {
		row, err := v.clientRow(c)
		if err != nil {
			return answer{}, err
		}
		body.Items = append(body.Items, row)
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	body.People, err = v.others("")
	return answer{page: "clients", title: "Clients", body: body, status: status}, err
}

// clientSent is a client as its form says.
func (v *visit) clientSent() (n engine.NewClient, err error) {
	n = engine.NewClient{Name: v.form("name"), Access: v.access("access"), Impersonates: v.form("impersonates") != "", PublicKey: v.form("publicKey")}
	for _, way := range (clientForm{}).Ways() {
		if v.form("grant."+way.Value) != "" {
			n.Grants = append(n.Grants, engine.Grant(way.Value))
		}
	}
	for line := range strings.SplitSeq(v.form("redirectUris"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			n.RedirectURIs = append(n.RedirectURIs, line)
		}
	}
	n.UserID, err = v.person("userId", v.form("userId"))
	return n, err
}

func addClient(v *visit) (answer, error) {
	n, err := v.clientSent()
	if err == nil {
		var c engine.Client
		var secret engine.Secret
		if c, secret, _, err = v.vault.CreateClient(v.ctx(), v.actor, n); err == nil {
			if secret.Reveal() == "" {
				return see(v.Path("settings", "clients", c.ID), "%s is a client now. It needs no secret: what it signs is checked with its public key.", c.Name), nil
			}
			return v.clientSecret(c, secret, v.Path("settings", "clients", c.ID)), nil
		}
	}
	if d, status := v.clientAgain(err); status != 0 {
		return v.clientsPage(d, status)
	}
	return answer{}, err
}

// clientSecret is the answer to a form that made a client's secret. The form sent twice
// leads to the page of the client, where whoever missed this one makes another.
func (v *visit) clientSecret(c engine.Client, secret engine.Secret, back string) answer {
	return answer{page: "secret", title: "The secret of the client", next: back, body: shownOnce{
		What: "Client secret", Name: c.Name, ID: c.ID, Secret: secret.Reveal(), Back: back,
		Use: "The client signs in with it and its id.",
	}}
}

func showClient(v *visit) (answer, error) { return v.clientPage(v.draft(), 0) }

func (v *visit) clientPage(d draft, status int) (answer, error) {
	c, err := v.vault.Client(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	row, err := v.clientRow(c)
	if err != nil {
		return answer{}, err
	}
	at := v.console.address(v.r)
	body := clientPage{clientForm: clientForm{draft: d, Client: c}, Row: row, Works: c.Status == engine.ClientActive, Silent: v.silent(), TokensAt: at + "/oauth/token"}
	if slices.Contains(c.Grants, engine.GrantAuthorizationCode) {
		body.ConsentAt = at + "/oauth2/authorize"
	}
	body.People, err = v.others("")
	return answer{page: "client", title: "Client " + c.Name, body: body, status: status}, err
}

func changeClient(v *visit) (answer, error) {
	n, err := v.clientSent()
	if err == nil {
		var c engine.Client
		c, _, err = v.vault.UpdateClient(v.ctx(), v.actor, v.id("id"), v.revision(), engine.ClientPatch{
			Name: &n.Name, Grants: &n.Grants, Access: &n.Access, UserID: &n.UserID, Impersonates: &n.Impersonates, RedirectURIs: &n.RedirectURIs, PublicKey: &n.PublicKey,
		})
		if err == nil {
			return see(v.Path("settings", "clients", c.ID), "%s is changed. Its tokens can do no more than this from now on.", c.Name), nil
		}
	}
	return v.sameClient(err)
}

// sameClient is the page of a client with what is wrong with a form of it.
func (v *visit) sameClient(err error) (answer, error) {
	if d, status := v.clientAgain(err); status != 0 {
		return v.clientPage(d, status)
	}
	return answer{}, err
}

func rotateClient(v *visit) (answer, error) {
	c, secret, _, err := v.vault.RotateClient(v.ctx(), v.actor, v.id("id"), v.revision())
	if err == nil {
		return v.clientSecret(c, secret, v.Path("settings", "clients", c.ID)), nil
	}
	return v.onlySaid(err)
}

func closeClient(v *visit) (answer, error) {
	c, _, err := v.vault.CloseClient(v.ctx(), v.actor, v.id("id"), v.revision())
	if err == nil {
		return see(v.Path("settings", "clients"), "The client %s is closed, and its tokens have ended.", c.Name), nil
	}
	return v.onlySaid(err)
}

// onlySaid is sameClient for a form in which nothing is typed: the fields have what is there.
func (v *visit) onlySaid(err error) (answer, error) {
	a, err := v.sameClient(err)
	if body, is := a.body.(clientPage); is {
		body.Typed = nil
		a.body = body
	}
	return a, err
}

// numbered is the place in a list that the engine names a member by.
var numbered = regexp.MustCompile(`\[\d+\]$`)

// clientAgain is the form with what is wrong with it, by the names that its fields have.
func (v *visit) clientAgain(err error) (draft, int) {
	if invalid, is := errors.AsType[*engine.InvalidError](err); is {
		fields := slices.Clone(invalid.Fields)
		for i, f := range fields {
			fields[i].Field = cmp.Or(map[string]string{
				"name": "Name", "grants": "How it signs in", "access": "Access", "userId": "Acts as", "impersonates": "Any user it names",
				"redirectUris": "Where people come back to", "publicKey": "Public key", "id": "Client",
			}[numbered.ReplaceAllString(f.Field, "")], f.Field)
		}
		return draft{Typed: v.r.PostForm, Wrong: fields}, http.StatusBadRequest
	}
	return v.again(err)
}
