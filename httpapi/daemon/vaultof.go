package daemon

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"strongroom/engine"
)

// consoleRoot is the path of the pages for people.
const consoleRoot = "/console"

// maxAsked is how much of a form is read to find out which vault it is about.
const maxAsked = 64 << 10

// vaultOf names the vault that a request is about, by what the request says: a token, a
// path, a form of signing in. "": it says none, and any server can answer. It proves
// nothing, and may name a vault that there is not.
func (c *crossing) vaultOf(r *http.Request) string {
	path := r.URL.Path
	switch rest, below := strings.CutPrefix(path, consoleRoot+"/"); {
	case below && strings.HasPrefix(rest, "_files/"):
		return ""
	case below || path == consoleRoot:
		return c.ofPage(r, rest)
	case path == "/v1/obligations/calendar.ics":
		return engine.CalendarVault(r.URL.Query().Get("token"))
	case strings.HasPrefix(path, "/log/"):
		name, _, _ := strings.Cut(strings.TrimPrefix(path, "/log/"), "/")
		return name
	case strings.HasPrefix(path, "/oauth/") && path != "/oauth/userinfo", strings.HasPrefix(path, "/oauth2/"):
		return c.ofSignIn(r)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	token = strings.Trim(token, " ")
	if name := tokenVault(token); name != "" {
		return name
	}
	return engine.TokenVault(token)
}

// tokenVault names the vault of a token of package signin: s, what it is, and the vault
// between two underscores. "": it is none.
func tokenVault(token string) string {
	kind, rest, _ := strings.Cut(token, "_")
	name, _, found := strings.Cut(rest, "_")
	if !found || len(kind) != 2 || kind[0] != 's' || !strings.ContainsAny(kind[1:], "afo") {
		return ""
	}
	return name
}

// ofPage is vaultOf for a page of the console. What is about no vault yet, the page on
// which one signs in, is the owner's if all vaults have the same: there are the
// sessions.
func (c *crossing) ofPage(r *http.Request, rest string) string {
	if name, _, _ := strings.Cut(rest, "/"); c.members[name] != nil {
		return name
	}
	if rest == "sign-in" && r.Method == http.MethodPost {
		if name := engine.TokenVault(formOf(r).Get("key")); c.members[name] != nil {
			return name
		}
	}
	if name, _, found := strings.Cut(r.URL.Query().Get("client_id"), "."); found && c.members[name] != nil {
		return name
	}
	return c.onlyOwners()
}

// ofSignIn is vaultOf for a program that signs in. A client's id may be of any vault.
func (c *crossing) ofSignIn(r *http.Request) string {
	form := r.URL.Query()
	if r.Method == http.MethodPost {
		form = formOf(r)
	}
	for _, field := range []string{"token", "refresh_token", "code"} {
		if name := tokenVault(form.Get(field)); c.members[name] != nil {
			return name
		}
	}
	client := form.Get("client_id")
	if id, _, ok := r.BasicAuth(); ok {
		client = id
		if plain, err := url.QueryUnescape(id); err == nil {
			client = plain
		}
	}
	if client == "" {
		client = issuerOf(form.Get("assertion"))
	}
	if name, _, found := strings.Cut(client, "."); found && c.members[name] != nil {
		return name
	}
	for name, m := range c.members {
		if _, err := m.Vault().Client(r.Context(), client); client != "" && err == nil {
			return name
		}
	}
	return c.onlyOwners()
}

// onlyOwners names a vault if one server owns them all, any of them.
func (c *crossing) onlyOwners() string {
	var one, at string
	for name, m := range c.members {
		url, _ := m.Owner()
		if m.Owns() {
			url = "here"
		}
		if one != "" && url != at {
			return ""
		}
		one, at = name, url
	}
	return one
}

// issuerOf reads who signed an assertion, a JWT, without looking at the signature.
func issuerOf(assertion string) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return ""
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var says struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(claims, &says) != nil {
		return ""
	}
	return says.Issuer
}

// formOf reads the beginning of a form, which is all of one that signs in, and leaves
// the body as it was.
func formOf(r *http.Request) url.Values {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" || r.Body == nil {
		return nil
	}
	began, err := io.ReadAll(io.LimitReader(r.Body, maxAsked))
	r.Body = &rejoined{io.MultiReader(bytes.NewReader(began), failing{err}, r.Body), r.Body}
	if err != nil || len(began) == maxAsked {
		return nil
	}
	form, err := url.ParseQuery(string(began))
	if err != nil {
		return nil
	}
	return form
}

// rejoined is a body of which the beginning was read.
type rejoined struct {
	io.Reader
	io.Closer
}

// failing ends with an error that was met before; nil: it is empty.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
