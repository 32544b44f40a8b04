package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
)

// visit is one request: who asks, of which vault, and what for. Handlers read
// from it and return an answer.
type visit struct {
	*shell
	console *Console
	r       *http.Request
	vault   *engine.Vault
	session *session // nil: nobody has signed in, or the host knows who it is
	user    engine.User
	actor   engine.Actor
	unsent  *unsent // the form that was sent before signing in
	cookie  *http.Cookie
	spent   *http.Cookie      // that takes another one away
	names   map[string]string // of users that were looked up
	number  string            // of the request, as its answer has it
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// id is the part of the address with this name.
func (v *visit) id(name string) string { return v.r.PathValue(name) }

// form is a field of the form that was sent, without blanks around it.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// revision is the condition that a form was made from this state.
func (v *visit) revision() engine.Condition { return conditionOf(v.form("revision")) }

func conditionOf(revision string) engine.Condition {
	n, err := strconv.ParseUint(revision, 10, 64)
	if err != nil {
		return engine.Condition{}
	}
	return engine.Condition{IfMatch: engine.Match{n}}
}

// answer is what a handler returns: a page, or where to go.
type answer struct {
	page   string // a file below pages, without .html; "": go to
	title  string
	body   any
	status int // 0: 200
	to     string
	flash  *flash
	leads  string                    // the origin, beside ours, that the forms of the page may lead to
	next   string                    // where sending the form again leads, if this is a page; "": the first one
	raw    func(http.ResponseWriter) // writes an answer that is no page
}

// page is an answer with a page.
func page(name, title string, body any) answer { return answer{page: name, title: title, body: body} }

// see is where to go after a form, and what to say there.
func see(to, format string, args ...any) answer {
	return answer{to: to, flash: &flash{"done", fmt.Sprintf(format, args...)}}
}

// route is a row of the table.
type route struct {
	method, pattern string
	access          engine.Access // AccessNone: open to all
	serve           func(*visit) (answer, error)
}

// maxForm is the size of a form without files.
const maxForm = 1 << 20

// maxPassedOver is how much of a form with files is read to keep its fields for who
// has to sign in again. Most fields stand before the files.
const maxPassedOver = 32 << 20

func (c *Console) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := c.stranger(r)
		v.number = w.Header().Get("X-Request-Id")
		a, err := c.answer(v, w, rt)
		if err != nil {
			a = v.wrong(err)
		}
		c.write(w, r, v, a)
	}
}

// unified is a text with the ends of lines that it had: browsers send CR and LF for each.
func unified(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func (c *Console) answer(v *visit, w http.ResponseWriter, rt route) (answer, error) {
	r := v.r
	isFile := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
	if r.Method == http.MethodPost && !isFile {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return answer{}, errForm
		}
		for _, values := range r.PostForm {
			for i, value := range values {
				values[i] = unified(value)
			}
		}
	}
	if rt.access == engine.AccessNone {
		return rt.serve(v)
	}
	if a, err := c.admit(v); err != nil || a.to != "" {
		return a, err
	}
	if err := v.actor.Access.Permits(rt.access); err != nil {
		return answer{}, err
	}
	number := r.PostForm.Get("once")
	if isFile { // it is wanted before the files are read
		number = r.URL.Query().Get("once")
	}
	if r.Method != http.MethodPost || number == "" {
		return rt.run(v)
	}
	number += " " + r.URL.Path // several forms of a page have one number
	to, done, err := c.sessions.begin(v.ctx(), v.session, number)
	if err != nil || to != "" {
		return answer{to: to}, err
	}
	to = ""
	defer func() { done(to) }()
	a, err := rt.run(v)
	if err == nil && a.status < 400 { // what was refused may be sent again
		if to = a.to; to == "" {
			to = cmp.Or(a.next, v.Path()) // a secret is shown once
		}
	}
	return a, err
}

// admit finds out who asks. Who has no session is sent to sign in, with the way
// back, and a form is kept for whose session had ended.
func (c *Console) admit(v *visit) (answer, error) {
	if c.options.Authenticate != nil {
		vault, actor, err := c.options.Authenticate(v.r)
		if err != nil {
			return answer{}, err
		}
		if v.vault = vault; vault.Name() != v.id("vault") {
			return answer{}, errNoPage
		}
		v.session, v.shell.Hosted = c.sessions.host(vault.Name(), actor.UserID), true
		return answer{}, c.enter(v, actor)
	}
	if over := c.recognize(v); v.session == nil || over {
		return c.toSignIn(v, over), nil
	}
	v.vault = c.vaults[v.session.Vault]
	if v.vault == nil || v.session.Vault != v.id("vault") {
		return answer{}, errNoPage
	}
	err := c.enter(v, v.session.actor())
	if isOut(err) {
		c.endSession(v.ctx(), v.session, engine.System())
		return c.toSignIn(v, true), nil
	}
	if key := v.r.URL.Query().Get("unsent"); err == nil && key != "" {
		if form, ok := c.sessions.recall(key, v.session.Vault, v.user.ID); ok {
			v.unsent = &form
		}
	}
	return answer{}, err
}

// isOut says of an error that a session has nobody any more.
func isOut(err error) bool {
	return errors.Is(err, engine.ErrTokenRevoked) || errors.Is(err, engine.ErrTokenExpired) || errors.Is(err, engine.ErrInvalidToken) || errors.Is(err, engine.ErrSignInAgain)
}

// recognize finds the session of a visit, and says whether it is over.
func (c *Console) recognize(v *visit) (over bool) {
	if token, _ := v.r.Cookie(c.cookieName(v.r)); token != nil {
		polling := v.r.Header.Get("X-Polling") != ""
		v.session, over = c.sessions.find(token.Value, !polling)
	}
	return over
}

// enter lets an actor in, and reads what every page needs.
func (c *Console) enter(v *visit, actor engine.Actor) error {
	var err error
	if v.user, v.actor, err = v.vault.Admit(v.ctx(), actor); err != nil {
		return err
	}
	s, err := v.vault.Settings(v.ctx())
	if err != nil {
		return err
	}
	v.vault = v.vault.As(v.actor)
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	v.shell.enter(v.vault.Name(), v.user, v.actor.Access, zone)
	v.shell.paused, v.shell.two = s.Paused, s.TwoPersons
	return nil
}

// toSignIn is the way to the sign-in page. A form sent into a session that has
// ended is kept, but for its secrets.
func (c *Console) toSignIn(v *visit, over bool) answer {
	if over {
		c.endSession(v.ctx(), v.session, engine.System())
	}
	back := url.Values{}
	if v.r.Method == http.MethodGet {
		back.Set("to", v.r.URL.RequestURI())
	} else if over {
		back.Set("unsent", c.sessions.keep(unsent{user: v.session.UserID, vault: v.session.Vault, path: v.r.URL.Path, fields: v.typed()}))
	}
	return answer{to: c.options.Prefix + root + "/sign-in?" + back.Encode()}
}

// typed are the fields of the form that was sent, but for its number, its secrets
// and its files.
func (v *visit) typed() url.Values {
	sent := v.r.PostForm
	v.r.Body = io.NopCloser(io.LimitReader(v.r.Body, maxPassedOver))
	if form, err := v.r.MultipartReader(); err == nil {
		sent = url.Values{}
		eachPart(form, sent, func(*multipart.Part) error { return nil }) // the files are passed over
	}
	fields := url.Values{}
	for name, values := range sent {
		if !strings.Contains(strings.ToLower(name), "password") && !strings.Contains(name, "secret") && name != "once" && name != "key" {
			fields[name] = values
		}
	}
	return fields
}

// endSession ends a session, with an entry unless it has one.
func (c *Console) endSession(ctx context.Context, one *session, actor engine.Actor) {
	if !c.sessions.end(one) {
		return
	}
	if vault := c.vaults[one.Vault]; vault != nil {
		if _, err := vault.RecordSession(context.WithoutCancel(ctx), actor, one.ID, one.UserID, true); err != nil {
			c.options.Logger.Warn().Err(err).Str("session", one.ID).Msg("the end of a session is not in the audit log")
		}
	}
	c.keepSessions()
}

// keepSessions writes them down, so that a crash neither ends nor revives one.
func (c *Console) keepSessions() {
	if err := c.sessions.save(); err != nil {
		c.options.Logger.Warn().Err(err).Msg("sessions cannot be kept: people sign in again after a restart")
	}
}

// secure reports whether what is sent cannot be read on the way, as far as this
// server can know: TLS here, or before it as the public address says, or no
// network at all. A proxy on this machine comes from a loopback address too, and
// whoever is behind it does not: a browser that is here itself names this machine,
// and its requests were handed on by nobody.
func (c *Console) secure(r *http.Request) bool {
	switch {
	case r.TLS != nil || strings.HasPrefix(c.options.PublicURL, "https://"):
		return true
	case c.options.PublicURL != "" && !thisMachine(hostOf(strings.TrimPrefix(originOf(c.options.PublicURL), "http://"))):
		return false
	}
	for _, handedOn := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(handedOn) != "" {
			return false
		}
	}
	return thisMachine(hostOf(r.Host)) && loopback(hostOf(r.RemoteAddr))
}

// thisMachine reports whether a host can be nothing but the machine of whoever names it.
func thisMachine(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// hostOf is the host of an address, without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// cookieName carries the port and the prefix: browsers keep cookies by host
// alone, and two servers on one must not end each other's sessions.
func (c *Console) cookieName(r *http.Request) string {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "0"
	}
	return "strongroom-" + port + strings.ReplaceAll(c.options.Prefix, "/", "-")
}

func (c *Console) newCookie(r *http.Request, token string) *http.Cookie {
	cookie := &http.Cookie{
		Name: c.cookieName(r), Value: token, Path: c.options.Prefix + root + "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil || strings.HasPrefix(c.options.PublicURL, "https://"),
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// write writes an answer.
func (c *Console) write(w http.ResponseWriter, r *http.Request, v *visit, a answer) {
	for _, cookie := range []*http.Cookie{v.cookie, v.spent} {
		if cookie != nil {
			http.SetCookie(w, cookie)
		}
	}
	switch {
	case a.raw != nil:
		a.raw(w)
		return
	case a.to != "":
		if a.flash != nil && v.session != nil {
			c.sessions.flash(v.session, *a.flash)
		}
		http.Redirect(w, r, a.to, http.StatusSeeOther)
		return
	}
	if v.session != nil && c.sessions.live(v.session) {
		v.shell.Flashes = c.sessions.takeFlashes(v.session)
	}
	if a.leads != "" {
		w.Header().Set("Content-Security-Policy", fmt.Sprintf(policy, " "+a.leads))
	}
	v.shell.Title = a.title
	v.shell.Body = a.body
	v.shell.Now = v.shell.When(time.Now())
	made := c.buffers.Get().(*bytes.Buffer)
	defer c.buffers.Put(made)
	made.Reset()
	err := c.pages.render(made, a.page, v.shell)
	if err == nil && v.unsent != nil {
		var filled string
		filled, err = v.refill(made.String(), a.page)
		made.Reset()
		made.WriteString(filled)
	}
	if err != nil {
		c.options.Logger.Error().Err(err).Str("request", v.number).Str("page", a.page).Msg("a page cannot be made")
		http.Error(w, "This page cannot be shown. Tell whoever runs this server, with the number of the request: "+v.number, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(made.Len()))
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	if r.Method != http.MethodHead {
		w.Write(made.Bytes())
	}
}
