package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"strongroom/engine"
)

// Provider brings people from an identity provider, with the flow of a code.
type Provider interface {
	// Name is what people know it by.
	Name() string
	// Begin returns where the browser goes, and what it has to keep and bring back.
	Begin(ctx context.Context) (to, keep string, err error)
	// Finish returns who has come back with that, and the query of the provider.
	Finish(ctx context.Context, keep string, query url.Values) (Proven, error)
}

// Proven is somebody who has proved to a provider who she is.
type Proven struct {
	engine.Identity
	Name, Email string
	Access      map[string]engine.Access // by vault, what her groups give; a vault that is not there: nothing
}

// The errors of a Provider.
var (
	ErrProviderAway    = errors.New("the identity provider does not answer")
	ErrProviderRefused = errors.New("the identity provider did not prove who this is")
	ErrMixedUp         = errors.New("this sign-in was not begun here")
	ErrNoClaim         = errors.New("the identity provider does not say which groups this is in")
)

// Callback is the path below the prefix that the provider leads back to.
const Callback = root + "/oidc/callback"

// comingFor is how long somebody may take at the provider.
const comingFor = 10 * time.Minute

// coming is what the browser keeps of a sign-in through the provider: what it is asked
// back for, and where it is to go then. It is in a cookie, not here: strangers fill
// no memory.
type coming struct {
	Keep, To, Unsent, Vault string
}

// beginProvider leads to the provider. It is a link and no form, so that the policy of
// the page need not name the provider. It changes nothing but the browser's cookie.
func beginProvider(v *visit) (answer, error) {
	c, q := v.console, v.r.URL.Query()
	if c.options.Provider == nil {
		return answer{}, errNoPage
	}
	if !c.secure(v.r) {
		return answer{}, errPlain
	}
	to, keep, err := c.options.Provider.Begin(v.ctx())
	if err != nil {
		return answer{}, v.providerFailed(err)
	}
	b, err := json.Marshal(coming{keep, v.ours(q.Get("to")), short(q.Get("unsent"), 64), short(q.Get("vault"), 64)})
	if err != nil {
		return answer{}, err
	}
	v.cookie = c.comingCookie(v.r, base64.RawURLEncoding.EncodeToString(b))
	return answer{to: to}, nil
}

// comingCookie is used up by coming back; "" takes it away. Lax, since the provider is
// another site.
func (c *Console) comingCookie(r *http.Request, value string) *http.Cookie {
	cookie := c.newCookie(r, value)
	cookie.Name, cookie.Path = cookie.Name+"-oidc", c.options.Prefix+root+"/oidc/"
	if value != "" {
		cookie.MaxAge = int(comingFor / time.Second)
	}
	return cookie
}

// choosing is the page on which somebody says into which vault she goes.
type choosing struct{ Vaults []choice }

type choice struct{ Name, To string }

// finishProvider opens a session for who comes back from the provider.
func finishProvider(v *visit) (answer, error) {
	c := v.console
	if c.options.Provider == nil {
		return answer{}, errNoPage
	}
	var from coming
	gone := c.comingCookie(v.r, "")
	if cookie, err := v.r.Cookie(gone.Name); err == nil {
		if b, err := base64.RawURLEncoding.DecodeString(cookie.Value); err == nil && json.Unmarshal(b, &from) != nil {
			from = coming{}
		}
	}
	v.spent = gone
	who, err := c.options.Provider.Finish(v.ctx(), from.Keep, v.r.URL.Query())
	if err != nil {
		return v.notComeIn(c.vaults[c.wanted(from)], err)
	}
	// Leaving means out of every vault, not only of the one she comes to.
	for name, vault := range c.vaults {
		if who.Access[name] == engine.AccessNone {
			if _, err := vault.Arrive(v.ctx(), engine.Arrival{Identity: who.Identity}); !errors.Is(err, engine.ErrNoGroup) && !errors.Is(err, engine.ErrTokenRevoked) {
				c.options.Logger.Warn().Err(err).Str("vault", name).Msg("who has lost her group cannot be closed")
			}
		}
	}
	var open []string
	for name := range who.Access {
		if c.vaults[name] != nil && who.Access[name] != engine.AccessNone {
			open = append(open, name)
		}
	}
	slices.Sort(open)
	name := c.wanted(from)
	switch {
	case len(open) == 0 || name != "" && !slices.Contains(open, name):
		return v.notComeIn(c.vaults[name], engine.ErrNoGroup)
	case name == "" && len(open) > 1:
		return v.chooseVault(open, from), nil
	case name == "":
		name = open[0]
	}
	vault := c.vaults[name]
	u, err := vault.Arrive(v.ctx(), engine.Arrival{Identity: who.Identity, Name: who.Name, Email: who.Email, Access: who.Access[name]})
	if err == nil {
		err = c.newSession(v, vault, engine.Actor{UserID: u.ID, Access: engine.AccessAdmin})
	}
	if err != nil {
		return v.notComeIn(vault, err)
	}
	return v.afterSignIn(from.To, from.Unsent), nil
}

// wanted is the vault that somebody has asked for, by its name or by a page of it.
func (c *Console) wanted(from coming) string {
	if c.vaults[from.Vault] != nil {
		return from.Vault
	}
	rest, _ := strings.CutPrefix(from.To, c.options.Prefix+root+"/")
	name, _, _ := strings.Cut(rest, "/")
	if c.vaults[name] != nil {
		return name
	}
	if len(c.vaults) == 1 {
		for only := range c.vaults {
			return only
		}
	}
	return ""
}

// choose asks into which vault. The code is used up, so each way leads by the provider
// once more, where she is signed in already.
func (v *visit) chooseVault(open []string, from coming) answer {
	var body choosing
	for _, name := range open {
		q := url.Values{"vault": {name}, "to": {from.To}}
		body.Vaults = append(body.Vaults, choice{name, v.Root("oidc/start") + "?" + q.Encode()})
	}
	return page("vaults", "Choose a vault", body)
}

// notComeIn tells why somebody does not come in, and notes it in the vault she came
// for, if that is known.
func (v *visit) notComeIn(vault *engine.Vault, err error) (answer, error) {
	err = v.providerFailed(err)
	unbound, isUnbound := errors.AsType[*engine.UnboundError](err)
	noted := isUnbound
	for _, is := range []error{ErrMixedUp, ErrProviderRefused, ErrNoClaim, engine.ErrNoGroup, engine.ErrTokenRevoked} {
		noted = noted || errors.Is(err, is)
	}
	if !noted {
		return answer{}, err
	}
	if slowed := v.console.failures.Refuse(v.r, vault, "", engine.ErrInvalidToken); !errors.Is(slowed, engine.ErrInvalidToken) {
		return answer{}, slowed
	}
	if isUnbound {
		return answer{page: "wrong", title: "You are not linked to your account here yet", status: http.StatusForbidden, body: trouble{
			Next:   "Somebody here has your e-mail address already, and an address proves nothing. Send an admin what is below: it goes into the identity of that user.",
			Detail: "issuer " + unbound.Identity.Issuer + ", subject " + unbound.Identity.Subject,
		}}, nil
	}
	if errors.Is(err, engine.ErrTokenRevoked) {
		err = errClosed
	}
	return answer{}, err
}

// providerFailed logs what people are not told.
func (v *visit) providerFailed(err error) error {
	if errors.Is(err, ErrProviderAway) || errors.Is(err, ErrProviderRefused) || errors.Is(err, ErrNoClaim) || errors.Is(err, ErrMixedUp) {
		v.console.options.Logger.Warn().Err(err).Msg("nobody came in through the identity provider")
	}
	return err
}
