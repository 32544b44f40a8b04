package console

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"strongroom/engine"
)

// home is the way in: to the vault of the session, or to sign in.
func home(v *visit) (answer, error) {
	c := v.console
	if c.options.Authenticate != nil {
		vault, _, err := c.options.Authenticate(v.r)
		if err != nil {
			return answer{}, err
		}
		return answer{to: v.Root(vault.Name() + "/documents")}, nil
	}
	if cookie, err := v.r.Cookie(c.cookieName(v.r)); err == nil {
		if one, over := c.sessions.find(cookie.Value, true); one != nil && !over {
			return answer{to: v.Root(one.Vault + "/documents")}, nil
		}
	}
	return answer{to: v.Root("sign-in")}, nil
}

func vaultHome(v *visit) (answer, error) { return answer{to: v.Path("documents")}, nil }

// asked is the sign-in page.
type asked struct {
	To, Unsent string // where to go next, and a form that waits
	Wrong      string
	Next       string
	Refused    bool // it is not safe here
}

func askKey(v *visit) (answer, error) {
	q := v.r.URL.Query()
	body := asked{To: v.ours(q.Get("to")), Unsent: q.Get("unsent")}
	if !v.console.secure(v.r) {
		body.Refused = true
		return answer{page: "signin", title: "Sign in", body: body, status: 403}, nil
	}
	a := page("signin", "Sign in", body)
	a.leads = v.leads(body.To)
	return a, nil
}

// ours is an address of the console, or "": nobody is led away from here.
func (v *visit) ours(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, v.base+"/") || strings.ContainsAny(to, "\\\r\n") {
		return ""
	}
	if clean := path.Clean(u.Path); clean != u.Path && clean+"/" != u.Path { // dots lead out of here
		return ""
	}
	return to
}

// signIn opens a session with an API key. Whatever is wrong with the key, the page
// says the same words in the same time as the engine does.
func signIn(v *visit) (answer, error) {
	c := v.console
	if !c.secure(v.r) {
		return answer{}, errPlain
	}
	token := v.form("key")
	vault := c.vaults[engine.TokenVault(token)]
	if vault == nil {
		for _, other := range c.vaults { // the same work for a vault that is not here
			vault = other
			break
		}
	}
	if vault == nil {
		return answer{}, engine.ErrUnavailable
	}
	actor, err := vault.Authenticate(v.ctx(), token)
	if err == nil {
		err = c.newSession(v, vault, actor)
	}
	if err == nil {
		return v.afterSignIn(), nil
	}
	err = c.failures.Refuse(v.r, c.vaults[engine.TokenVault(token)], token, err)
	for _, r := range refusals {
		if errors.Is(err, r.is) {
			body := asked{To: v.ours(v.form("to")), Unsent: v.form("unsent"), Wrong: r.title, Next: r.next}
			return answer{page: "signin", title: "Sign in", body: body, status: r.status, leads: v.leads(body.To)}, nil
		}
	}
	return answer{}, err
}

func (c *Console) newSession(v *visit, vault *engine.Vault, actor engine.Actor) error {
	one := &session{Vault: vault.Name(), UserID: actor.UserID, KeyID: actor.KeyID, Agent: short(v.r.UserAgent(), 200), Address: short(v.r.RemoteAddr, 64)}
	token, ended := c.sessions.start(one)
	if _, err := vault.RecordSession(v.ctx(), actor, one.ID, actor.UserID, false); err != nil && !errors.Is(err, engine.ErrNoSpace) {
		c.sessions.end(one)
		return err
	}
	for _, old := range ended {
		c.endSession(v.ctx(), old, engine.System())
	}
	// A session from before ends: what it knew is not this person's.
	if old, err := v.r.Cookie(c.cookieName(v.r)); err == nil {
		if before, over := c.sessions.find(old.Value, false); before != nil && !over {
			c.endSession(v.ctx(), before, engine.System())
		}
	}
	v.cookie, v.session = c.newCookie(v.r, token), one
	c.keepSessions()
	return nil
}

// afterSignIn is where somebody goes who has just come in: to the page asked for,
// or to the form that was sent too late.
func (v *visit) afterSignIn() answer {
	key := v.form("unsent")
	if form, ok := v.console.sessions.recall(key, v.session.Vault, v.session.UserID); ok {
		q := url.Values{"unsent": {key}}
		return answer{to: v.console.formPage(form.path) + "?" + q.Encode(), flash: &flash{"told", "Your session had ended. What you typed is here again: look it over and send it."}}
	}
	if to := v.ours(v.form("to")); to != "" && (strings.HasPrefix(to, v.base+"/"+v.session.Vault+"/") || v.console.isConsent(to)) {
		return answer{to: to}
	}
	return answer{to: v.Root(v.session.Vault + "/documents")}
}

// formPage is the page that has the form which is sent to an address: the one at
// that address, or the nearest above it. A form on a page about one thing is sent
// to a word below that page.
func (c *Console) formPage(at string) string {
	for ; len(at) > len(c.options.Prefix+root); at = path.Dir(at) {
		_, pattern := c.mux.Handler(&http.Request{Method: http.MethodGet, Host: "-", URL: &url.URL{Path: at}})
		if strings.HasPrefix(pattern, "GET ") {
			return at
		}
	}
	return c.options.Prefix + root + "/"
}

func signOut(v *visit) (answer, error) {
	c := v.console
	if c.options.Authenticate != nil { // the session is the host's to end
		return answer{}, errNoPage
	}
	c.endSession(v.ctx(), v.session, v.actor)
	v.cookie = c.newCookie(v.r, "")
	return answer{to: v.Root("sign-in")}, nil
}

func short(s string, n int) string { return s[:min(n, len(s))] }
