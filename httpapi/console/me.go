package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

func meRoutes() []route {
	return []route{
		{"GET", "/{vault}/me", view, showMe},
		{"POST", "/{vault}/me/sessions/end", view, endMySession},
		{"POST", "/{vault}/me/sessions/others", view, endMyOtherSessions},
		{"POST", "/{vault}/me/consents/end", view, withdrawConsent},
		{"POST", "/{vault}/me/keys/{id}/rotate", view, rotateMyKey},
		{"POST", "/{vault}/me/calendar", view, startMyCalendar},
		{"POST", "/{vault}/me/calendar/end", view, endMyCalendar},
	}
}

// me is the page of the person who looks at it.
type me struct {
	draft
	Sessions []sessionRow
	Others   int // sessions beside this one
	Consents []consentRow
	Keys     []keyRow
	Jobs     []jobRow
	Acting   string // the key this session was opened with
}

// sessionRow is a session as its owner sees it.
type sessionRow struct {
	ID, Browser, Address string
	Started, Used        When
	This                 bool
}

// jobRow is a change of many documents in a list.
type jobRow struct {
	ID, Words string
	Badge     badge
	Began     When
	Counts
}

func showMe(v *visit) (answer, error) { return v.mePage(draft{}, 0) }

func (v *visit) mePage(d draft, status int) (answer, error) {
	body := me{draft: d, Acting: v.actor.KeyID}
	if !v.Hosted {
		for _, one := range v.console.sessions.mine(v.vault.Name(), v.user.ID) {
			body.Sessions = append(body.Sessions, sessionRow{ID: one.ID, Browser: browserWords(one.Agent), Address: hostOf(one.Address),
				Started: v.When(one.Started), Used: v.When(one.Used), This: one.ID == v.session.ID})
		}
		body.Others = len(body.Sessions) - 1
	}
	for _, one := range v.console.jobs.mine(v.vault.Name(), v.user.ID) {
		body.Jobs = append(body.Jobs, jobRow{ID: one.ID, Words: one.Words, Badge: one.Badge(), Began: v.When(one.Began), Counts: one.Counts})
	}
	var err error
	if body.Consents, err = v.myConsents(); err != nil {
		return answer{}, err
	}
	body.Keys, err = v.myKeys()
	return answer{page: "me", title: "Me", body: body, status: status}, err
}

// consentRow is a program that may act for this person.
type consentRow struct {
	Consented
	Until When
}

func (v *visit) myConsents() (rows []consentRow, err error) {
	if v.silent() {
		return nil, nil
	}
	list, err := v.console.options.Programs.Consents(v.ctx(), v.vault, v.user.ID)
	for _, one := range list {
		one.Access = engine.Meet(one.Access, v.user.Access)
		rows = append(rows, consentRow{one, v.When(one.Until)})
	}
	return rows, err
}

func withdrawConsent(v *visit) (answer, error) {
	if v.silent() {
		return answer{}, errNoPage
	}
	if err := v.console.options.Programs.Withdraw(v.ctx(), v.vault, v.user.ID, v.form("client")); err != nil {
		return answer{}, err
	}
	return see(v.Path("me"), "It can act for you no more. It may ask you again, and you may say no."), nil
}

// myKeys are the keys of this person that were not revoked, the newest first.
func (v *visit) myKeys() (rows []keyRow, err error) {
	for p := (engine.Paging{Limit: 500}); ; {
		found, err := v.vault.Keys(v.ctx(), p)
		if err != nil {
			return nil, err
		}
		for _, k := range found.Items {
			if k.UserID != v.user.ID || !k.RevokedAt.IsZero() {
				continue
			}
			row, err := v.keyRow(k)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
		if p.Cursor = found.NextCursor; p.Cursor == "" {
			slices.Reverse(rows)
			return rows, nil
		}
	}
}

// endMySession ends one of one's own sessions. One that has ended, or is somebody
// else's, is told alike: it is not there.
func endMySession(v *visit) (answer, error) {
	if v.Hosted {
		return answer{}, errNoPage
	}
	for _, one := range v.console.sessions.mine(v.vault.Name(), v.user.ID) {
		if one.ID != v.form("session") {
			continue
		}
		if one.ID == v.session.ID {
			return signOut(v)
		}
		v.console.endSessionNamed(v, one.ID)
		return see(v.Path("me"), "The session is ended. Whoever uses that browser has to sign in again."), nil
	}
	return see(v.Path("me"), "That session has ended already."), nil
}

func endMyOtherSessions(v *visit) (answer, error) {
	if v.Hosted {
		return answer{}, errNoPage
	}
	n := 0
	for _, one := range v.console.sessions.mine(v.vault.Name(), v.user.ID) {
		if one.ID != v.session.ID {
			v.console.endSessionNamed(v, one.ID)
			n++
		}
	}
	return see(v.Path("me"), "%s ended. Only this one goes on.", counted(n, "session")), nil
}

// endSessionNamed ends a session of this person by its id.
func (c *Console) endSessionNamed(v *visit, id string) {
	if one := c.sessions.named(id); one != nil {
		c.endSession(v.ctx(), one, v.actor)
	}
}

// rotateMyKey gives a key of one's own a successor. The engine says which: an admin
// any, everybody else the one this session was opened with.
func rotateMyKey(v *visit) (answer, error) {
	hours, err := strconv.Atoi(v.form("overlap"))
	if err != nil || hours < 0 || hours > 24*30 {
		return v.mePage(draft{Wrong: []engine.FieldError{{Field: "overlap", Message: "must be hours, 720 at most"}}}, http.StatusBadRequest)
	}
	old, err := v.vault.Key(v.ctx(), v.id("id"))
	if err == nil && old.UserID != v.user.ID {
		err = engine.ErrKeyNotFound
	}
	if err != nil {
		return answer{}, err
	}
	k, secret, _, err := v.vault.RotateKey(v.ctx(), v.actor, old.ID, time.Duration(hours)*time.Hour)
	if err == nil {
		a := v.keySecret(k, secret)
		shown := a.body.(shownOnce)
		shown.Back, a.next = v.Path("me"), v.Path("me")
		a.body = shown
		return a, nil
	}
	if d, status := v.again(err); status != 0 {
		return v.mePage(draft{Wrong: d.Wrong, Refused: d.Refused}, status)
	}
	return answer{}, err
}

// startMyCalendar makes the address of a feed of one's obligations. One made before
// ends with it.
func startMyCalendar(v *visit) (answer, error) {
	token, _, err := v.vault.StartCalendar(v.ctx(), v.actor)
	if err != nil {
		return answer{}, err
	}
	o := v.console.options
	base := httpapi.Address{Prefix: o.Prefix, PublicURL: o.PublicURL, AllowedHosts: []string{hostOf(v.r.Host)}}.Base(v.r)
	return answer{page: "secret", title: "The address of my calendar", next: v.Path("me"), body: shownOnce{
		What: "Address", Name: "My obligations", Secret: httpapi.CalendarURL(base, token), Back: v.Path("me"),
		Use: "Subscribe to it in a calendar program. Whoever has it reads your obligations, and nothing else; it works until you end it, or make another.",
	}}, nil
}

func endMyCalendar(v *visit) (answer, error) {
	receipt, err := v.vault.EndCalendar(v.ctx(), v.actor)
	if err != nil {
		return answer{}, err
	}
	if receipt.Seq == 0 {
		return see(v.Path("me"), "There was no address of a calendar to end."), nil
	}
	return see(v.Path("me"), "The address of your calendar is ended. Programs that read it get nothing any more."), nil
}

// browserWords is a browser by the name people know it by.
func browserWords(agent string) string {
	first := func(pairs ...string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	// Each names those it wants to be taken for, so the order is that of the claims.
	name := first("Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari")
	system := first("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS", "macOS", "Linux", "Linux")
	switch {
	case name == "":
		return "Another program"
	case system == "":
		return name
	}
	return name + " on " + system
}
