package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"strongroom/engine"
)

// consentPage is the page on which somebody lets a program act for her.
type consentPage struct {
	Asking
	Vault, Person, Email string
	May                  engine.Access // at most, of what the program asks for
	Query, User          string        // what the form was made for
	Other                string        // where to sign in as somebody else
}

// isConsent reports whether an address is that of the page.
func (c *Console) isConsent(to string) bool {
	path, _, _ := strings.Cut(to, "?")
	at := c.options.Prefix + Consent
	return c.options.Programs != nil && (path == at || path == at+"/docusign")
}

// leads is where the form of a sign-in ends, if it was begun by a program: see
// [Asking.Origin]. "" is here.
func (v *visit) leads(to string) string {
	u, err := url.Parse(to)
	if err != nil || !v.console.isConsent(to) {
		return ""
	}
	asking, err := v.console.options.Programs.Ask(v.r, nil, isDocuSign(u.Path), u.Query())
	if err != nil {
		return ""
	}
	return asking.Origin
}

func isDocuSign(path string) bool { return strings.HasSuffix(path, "/docusign") }

// consenting lets the person in whose consent is asked for. A way to sign in is in the
// answer if it is not known who that is, and what cannot be asked at all is said before
// anybody gives a key.
func (v *visit) consenting(raw string) (a answer, query url.Values, err error) {
	c := v.console
	if c.options.Programs == nil || c.options.Authenticate != nil {
		return answer{}, nil, errNoPage
	}
	if query, err = url.ParseQuery(raw); err != nil {
		return answer{}, nil, errForm
	}
	back := url.Values{"to": {v.r.URL.Path + "?" + raw}}
	a = answer{to: v.Root("sign-in") + "?" + back.Encode()}
	if over := c.recognize(v); v.session == nil || over {
		asking, err := c.options.Programs.Ask(v.r, nil, isDocuSign(v.r.URL.Path), query)
		if asking.Wrong != "" {
			a = v.cannotAsk(asking.Wrong)
		}
		return a, query, err
	}
	if v.vault = c.vaults[v.session.Vault]; v.vault == nil {
		return a, query, nil
	}
	v.user, v.actor, err = v.vault.Admit(v.ctx(), v.session.actor())
	if errors.Is(err, engine.ErrTokenRevoked) || errors.Is(err, engine.ErrTokenExpired) || errors.Is(err, engine.ErrInvalidToken) {
		c.endSession(v.ctx(), v.session, engine.System())
		return a, query, nil
	}
	return answer{}, query, err
}

// cannotAsk is a page about a program that can be told nothing.
func (v *visit) cannotAsk(why string) answer {
	return answer{page: "wrong", title: "This program cannot sign you in", status: http.StatusBadRequest, body: trouble{Next: why}}
}

// askConsent is the page. It is shown each time: nothing is given away because it
// was once before.
func askConsent(v *visit) (answer, error) {
	raw := v.r.URL.RawQuery
	a, query, err := v.consenting(raw)
	if err != nil || a.to != "" || a.page != "" {
		return a, err
	}
	return v.ask(raw, query)
}

func (v *visit) ask(raw string, query url.Values) (answer, error) {
	asking, err := v.console.options.Programs.Ask(v.r, v.vault, isDocuSign(v.r.URL.Path), query)
	switch {
	case err != nil:
		return answer{}, err
	case asking.Wrong != "":
		return v.cannotAsk(asking.Wrong), nil
	case asking.To != "":
		return answer{to: asking.To}, nil
	}
	other := url.Values{"to": {v.r.URL.Path + "?" + raw}}
	return answer{page: "consent", title: "Let a program act for you", leads: asking.Origin, body: consentPage{
		Asking: asking, Vault: v.vault.Name(), Person: v.user.Name, Email: v.user.Email, May: engine.Meet(asking.Access, v.actor.Access),
		Query: raw, User: v.user.ID, Other: v.Root("sign-in") + "?" + other.Encode(),
	}}, nil
}

// consent is the answer to it. If somebody else has signed in since the page was made,
// in another tab, that person is asked instead.
func consent(v *visit) (answer, error) {
	raw := v.r.PostForm.Get("query")
	a, query, err := v.consenting(raw)
	if err != nil || a.to != "" || a.page != "" {
		return a, err
	}
	said := v.form("consent")
	if v.form("user") != v.user.ID || v.form("vault") != v.vault.Name() || said != "yes" && said != "no" {
		return v.ask(raw, query)
	}
	number := v.r.PostForm.Get("once") + " " + v.r.URL.Path // a double click makes one code, not two
	to, done, err := v.console.sessions.begin(v.ctx(), v.session, number)
	if err != nil || to != "" {
		return answer{to: to}, err
	}
	defer func() { done(to) }()
	to, wrong, err := v.console.options.Programs.Answer(v.r, v.vault, v.actor, isDocuSign(v.r.URL.Path), query, said == "yes")
	if wrong != "" {
		return v.cannotAsk(wrong), nil
	}
	return answer{to: to}, err
}
