package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi/console"
	"strongroom/httpapi/oidc"
)

// idp is a small provider that lets in whom the test says, with what it says.
type idp struct {
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey

	mu      sync.Mutex
	down    bool
	answer  url.Values     // of the next authorization, beside code and state
	claims  map[string]any // of the next ID token, over what is usual; nil takes one away
	told    map[string]any // at the userinfo endpoint; nil: it does not answer
	waiting map[string]url.Values
}

func newIDP(t *testing.T) *idp {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key, claims: map[string]any{}, answer: url.Values{}, waiting: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if p.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		p.json(w, map[string]any{
			"userinfo_endpoint": p.server.URL + "/userinfo",
			"issuer":            p.server.URL, "authorization_endpoint": p.server.URL + "/authorize", "token_endpoint": p.server.URL + "/token",
			"jwks_uri": p.server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "groups"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.told == nil || r.Header.Get("Authorization") != "Bearer a" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		p.json(w, p.told)
	})
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *idp) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	if q.Get("client_id") != "strongroom" || q.Get("code_challenge_method") != "S256" || q.Get("scope") != "openid profile email groups" || q.Get("state") == "" {
		p.t.Errorf("asked for %v", q)
	}
	code := rand.Text()
	p.waiting[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	maps.Copy(back, p.answer)
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.waiting[r.FormValue("code")]
	delete(p.waiting, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if id, secret, _ := r.BasicAuth(); q == nil || id != "strongroom" || secret != "secret" || encode(sum[:]) != q.Get("code_challenge") || r.FormValue("redirect_uri") != q.Get("redirect_uri") {
		w.WriteHeader(400)
		p.json(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.server.URL, "aud": "strongroom", "sub": "zoe", "nonce": q.Get("nonce"), "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(),
		"name": "Zoe", "email": "zoe@example.com",
	}
	for name, value := range p.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	signed := encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, digest[:])
	if err != nil {
		p.t.Error(err)
	}
	p.json(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": signed + "." + encode(signature)})
}

// house is a console of two vaults whose people come from a provider.
type house struct {
	t      *testing.T
	idp    *idp
	server *httptest.Server
	vaults map[string]*enginetest.Kit
}

const groupMap = `
# who comes in
staff  main:view
legal team main:upload
admins main:admin
legal team deeds:auditor
`

func newHouse(t *testing.T) *house {
	h := &house{t: t, idp: newIDP(t), vaults: map[string]*enginetest.Kit{}}
	vaults := map[string]*engine.Vault{}
	for _, name := range []string{"main", "deeds"} {
		h.vaults[name] = enginetest.NewWith(t, engine.Options{Name: name, ReserveBytes: -1})
		vaults[name] = h.vaults[name].Vault
	}
	m, err := oidc.ParseMap(strings.NewReader(groupMap))
	if err != nil {
		t.Fatal(err)
	}
	var serve http.Handler
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.ServeHTTP(w, r) }))
	p, err := oidc.New(oidc.Config{Issuer: h.idp.server.URL, ClientID: "strongroom", Secret: "secret", Map: m, Redirect: h.server.URL + console.Callback})
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(vaults, console.Options{Provider: p, PublicURL: h.server.URL, Sessions: filepath.Join(t.TempDir(), "sessions.json"), Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	serve = c
	t.Cleanup(func() {
		h.server.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// comes says what the provider tells of the next who come.
func (h *house) comes(claims map[string]any) {
	h.idp.mu.Lock()
	defer h.idp.mu.Unlock()
	h.idp.claims = claims
}

func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// get follows redirects, and returns where it ended.
func (h *house) get(b *http.Client, at string) (status int, path, page string) {
	h.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = h.server.URL + at
	}
	r, err := b.Get(at)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return r.StatusCode, r.Request.URL.Path, string(body)
}

// refused comes in a new browser, and is told why not.
func (h *house) refused(status int, words string) {
	h.t.Helper()
	b := h.browser()
	got, path, page := h.get(b, "/console/oidc/start?vault=main")
	if got != status || path != "/console/oidc/callback" || !strings.Contains(page, words) {
		h.t.Errorf("%d at %s, want %d and %q:\n%s", got, path, status, words, page)
	}
	if _, path, _ := h.get(b, "/console/main/documents"); path != "/console/sign-in" {
		h.t.Errorf("in all the same: %s", path)
	}
}

func (h *house) user(vault, subject string) (found engine.User) {
	h.t.Helper()
	page, err := h.vaults[vault].Users(h.t.Context(), engine.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, u := range page.Items {
		if u.Identity.Subject == subject {
			found = u
		}
	}
	return found
}

func groups(names ...string) map[string]any {
	return map[string]any{"groups": append([]string{}, names...)}
}

func TestSomebodyComesIn(t *testing.T) {
	h := newHouse(t)
	h.idp.down = true
	if status, _, page := h.get(h.browser(), "/console/oidc/start"); status != 502 || !strings.Contains(page, "does not answer") {
		t.Errorf("a provider that is down: %d %s", status, page)
	}
	h.idp.down = false
	h.comes(groups("staff"))
	b := h.browser()
	if _, _, page := h.get(b, "/console/sign-in"); !strings.Contains(page, "/console/oidc/start?") {
		t.Error("the sign-in page does not lead to the provider")
	}
	if status, path, page := h.get(b, "/console/oidc/start"); status != 200 || path != "/console/main/documents" {
		t.Fatalf("%d at %s: %s", status, path, page)
	}
	if u := h.user("main", "zoe"); u.Access != engine.AccessView || u.Email != "zoe@example.com" || u.Name != "Zoe" {
		t.Errorf("%+v", u)
	}
	if u := h.user("deeds", "zoe"); u.ID != "" {
		t.Errorf("in a vault that her group does not open: %+v", u)
	}
	if status, path, _ := h.get(h.browser(), "/console/oidc/start?to="+url.QueryEscape("/console/main/upload")); path != "/console/main/upload" {
		t.Errorf("where she was going: %d %s", status, path)
	}
	for _, to := range []string{"https://evil.example.com/", "//evil.example.com", "/console/../x"} {
		if _, path, _ := h.get(h.browser(), "/console/oidc/start?to="+url.QueryEscape(to)); path != "/console/main/documents" {
			t.Errorf("to %s: %s", to, path)
		}
	}
	h.comes(groups("admins"))
	h.get(b, "/console/oidc/start")
	if u := h.user("main", "zoe"); u.Access != engine.AccessAdmin {
		t.Errorf("raised: %+v", u)
	}
	h.vaults["main"].SignInAgain(time.Nanosecond)
	if _, path, _ := h.get(b, "/console/main/documents"); path != "/console/sign-in" {
		t.Errorf("too long ago, and still in: %s", path)
	}
}

func TestTwoVaults(t *testing.T) {
	h := newHouse(t)
	h.comes(groups("legal team", "staff"))
	b := h.browser()
	_, path, page := h.get(b, "/console/oidc/start")
	if path != "/console/oidc/callback" || !strings.Contains(page, "vault=deeds") || !strings.Contains(page, "vault=main") {
		t.Fatalf("%s: %s", path, page)
	}
	for name, access := range map[string]engine.Access{"main": engine.AccessUpload, "deeds": engine.AccessAuditor} {
		if status, path, _ := h.get(b, "/console/oidc/start?vault="+name); status != 200 || path != "/console/"+name+"/documents" {
			t.Errorf("into %s: %d %s", name, status, path)
		}
		if u := h.user(name, "zoe"); u.Access != access {
			t.Errorf("%s: %+v", name, u)
		}
	}
	h.comes(groups("staff")) // she has lost the other
	h.get(h.browser(), "/console/oidc/start")
	if u := h.user("deeds", "zoe"); u.Status != engine.UserClosed || !u.Left {
		t.Errorf("%+v", u)
	}
	if status, path, page := h.get(h.browser(), "/console/oidc/start?vault=deeds"); status != 403 || path != "/console/oidc/callback" || !strings.Contains(page, "None of your groups") {
		t.Errorf("%d %s", status, page)
	}
}

func TestWhoDoesNotComeIn(t *testing.T) {
	h := newHouse(t)
	other := newIDP(t)
	h.comes(groups("staff"))
	h.get(h.browser(), "/console/oidc/start") // so that she can be closed
	_, _, err := h.vaults["main"].CreateUser(t.Context(), h.vaults["main"].Admin, engine.NewUser{Name: "Max", Email: "max@example.com", Access: engine.AccessView})
	if err != nil {
		t.Fatal(err)
	}
	const nobody, unknown = "did not say who you are", "does not say which groups"
	for name, c := range map[string]struct {
		claims map[string]any
		answer url.Values
		status int
		words  string
	}{
		"wrong state":      {groups("staff"), url.Values{"state": {"x"}}, 400, "not begun in this browser"},
		"two states":       {groups("staff"), url.Values{"state": {"x", "y"}}, 400, "not begun in this browser"},
		"another issuer":   {groups("staff"), url.Values{"iss": {other.server.URL}}, 400, "not begun in this browser"},
		"a foreign code":   {groups("staff"), url.Values{"code": {"x"}}, 403, nobody},
		"no code":          {groups("staff"), url.Values{"code": {""}}, 400, "not begun in this browser"},
		"refused":          {groups("staff"), url.Values{"error": {"access_denied"}}, 403, nobody},
		"wrong nonce":      {map[string]any{"nonce": "x", "groups": []string{"staff"}}, nil, 400, "not begun in this browser"},
		"no nonce":         {map[string]any{"nonce": nil, "groups": []string{"staff"}}, nil, 400, "not begun in this browser"},
		"wrong audience":   {map[string]any{"aud": "x", "groups": []string{"staff"}}, nil, 403, nobody},
		"many audiences":   {map[string]any{"aud": []string{"strongroom", "x"}, "groups": []string{"staff"}}, nil, 403, nobody},
		"for another":      {map[string]any{"azp": "x", "groups": []string{"staff"}}, nil, 403, nobody},
		"wrong issuer":     {map[string]any{"iss": other.server.URL, "groups": []string{"staff"}}, nil, 403, nobody},
		"expired":          {map[string]any{"exp": time.Now().Add(-time.Hour).Unix(), "groups": []string{"staff"}}, nil, 403, nobody},
		"no claim":         {nil, nil, 403, unknown},
		"a null claim":     {map[string]any{"groups": json.RawMessage("null")}, nil, 403, unknown},
		"an odd claim":     {map[string]any{"groups": 7}, nil, 403, unknown},
		"colliding e-mail": {map[string]any{"sub": "max", "email": "MAX@example.com", "groups": []string{"staff"}}, nil, 403, "subject max"},
	} {
		h.comes(c.claims)
		h.idp.mu.Lock()
		h.idp.answer = c.answer
		h.idp.mu.Unlock()
		t.Log(name)
		h.refused(c.status, c.words)
		if u := h.user("main", "zoe"); u.Status != engine.UserActive {
			t.Fatalf("%s: closed", name)
		}
	}
	h.idp.answer = nil
	h.comes(groups())
	h.refused(403, "None of your groups")
	if u := h.user("main", "zoe"); u.Status != engine.UserClosed {
		t.Error("a list without a group does not close")
	}
}

// What the ID token does not say may stand at the userinfo endpoint, and nothing of
// somebody else.
func TestUserinfo(t *testing.T) {
	h := newHouse(t)
	tells := func(told map[string]any, claims map[string]any) {
		h.comes(claims)
		h.idp.mu.Lock()
		defer h.idp.mu.Unlock()
		h.idp.told = told
	}
	bare := map[string]any{"name": nil, "email": nil}
	const unknown = "does not say which groups"
	tells(map[string]any{"sub": "max", "groups": []string{"admins"}, "name": "Max"}, bare)
	h.refused(403, unknown)
	tells(map[string]any{"groups": []string{"admins"}}, bare)
	h.refused(403, unknown)
	tells(map[string]any{"sub": "zoe", "name": "Zoe"}, bare)
	h.refused(403, unknown)
	tells(map[string]any{"sub": "zoe", "groups": []string{}}, bare)
	h.refused(403, "None of your groups")

	tells(map[string]any{"sub": "zoe", "groups": []string{"staff"}, "name": "Zoe", "email": "zoe@example.com", "email_verified": false}, bare)
	if status, path, page := h.get(h.browser(), "/console/oidc/start?vault=main"); status != 200 || path != "/console/main/documents" {
		t.Fatalf("%d at %s: %s", status, path, page)
	}
	if u := h.user("main", "zoe"); u.Access != engine.AccessView || u.Name != "Zoe" || u.Email != "" {
		t.Errorf("%+v", u)
	}
	// What the ID token says stands, and the claim is enough without a name.
	tells(map[string]any{"sub": "zoe", "groups": []string{"admins"}}, map[string]any{"groups": []string{"legal team"}, "name": nil})
	h.get(h.browser(), "/console/oidc/start?vault=main")
	if u := h.user("main", "zoe"); u.Access != engine.AccessUpload {
		t.Errorf("%+v", u)
	}
	tells(nil, map[string]any{"sub": "kim", "groups": []string{"staff"}, "name": nil, "email": nil})
	h.get(h.browser(), "/console/oidc/start?vault=main")
	if u := h.user("main", "kim"); u.Access != engine.AccessView || u.Name != "kim" {
		t.Errorf("%+v", u)
	}
}

// What came back once does not come back again, nor in another browser.
func TestReplayedCallback(t *testing.T) {
	h := newHouse(t)
	h.comes(groups("staff"))
	b := h.browser()
	var back string
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			back = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	h.get(b, "/console/oidc/start")
	if status, _, _ := h.get(h.browser(), back); status != 400 {
		t.Errorf("in another browser: %d", status)
	}
	b.CheckRedirect = nil
	if status, path, _ := h.get(b, back); status != 200 || path != "/console/main/documents" {
		t.Errorf("%d at %s", status, path)
	}
	if status, _, _ := h.get(b, back); status != 400 {
		t.Errorf("again: %d", status)
	}
}

// Who came, who went and who did not come in stands in the log, by name of the user.
func TestEntries(t *testing.T) {
	h := newHouse(t)
	main := h.vaults["main"]
	entries := func(op audit.Op) []engine.Entry {
		t.Helper()
		page, err := main.Entries(t.Context(), engine.EntryQuery{Op: op, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return page.Items
	}
	says := func(e engine.Entry, words ...string) bool {
		b, err := e.Facts.MarshalJSON()
		for _, word := range words {
			if err != nil || !strings.Contains(string(b), word) {
				return false
			}
		}
		return true
	}
	h.comes(groups("staff"))
	b := h.browser()
	h.get(b, "/console/oidc/start")
	she := h.user("main", "zoe").ID
	started := entries(audit.OpSessionStarted)
	if len(started) != 1 || started[0].Actor != she || !says(started[0], `"user":"`+she+`"`) {
		t.Errorf("%+v", started)
	}
	r, err := b.PostForm(h.server.URL+"/console/main/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if ended := entries(audit.OpSessionEnded); len(ended) != 1 || ended[0].Actor != she || !says(ended[0], `"user":"`+she+`"`) {
		t.Errorf("%+v", ended)
	}
	h.get(b, "/console/oidc/start")
	h.comes(groups())
	h.refused(403, "None of your groups")
	if _, path, _ := h.get(b, "/console/main/documents"); path != "/console/sign-in" {
		t.Errorf("she has left, and is at %s", path)
	}
	h.comes(nil)
	h.refused(403, "does not say which groups")
	if err := main.RecordFailedSignIns(t.Context()); err != nil {
		t.Fatal(err)
	}
	if failed := entries(audit.OpSigninFailed); len(failed) != 1 || !says(failed[0], `"count":2`) {
		t.Errorf("%+v", failed)
	}
	if closed := entries(audit.OpUserUpdated); len(closed) != 1 || !says(closed[0], `"status":"closed"`, `"user":"`+she+`"`) {
		t.Errorf("%+v", closed)
	}
}

// A session is new at each coming in: neither one that somebody else has put into the
// browser nor the one before it is hers, and that before ends.
func TestSessionIsNotFixed(t *testing.T) {
	h := newHouse(t)
	h.comes(groups("staff"))
	b := h.browser()
	at, err := url.Parse(h.server.URL + "/console/")
	if err != nil {
		t.Fatal(err)
	}
	session := func() *http.Cookie {
		t.Helper()
		cookies := b.Jar.Cookies(at)
		if len(cookies) != 1 {
			t.Fatalf("the browser has %v", cookies)
		}
		return &http.Cookie{Name: cookies[0].Name, Value: cookies[0].Value, Path: "/console/"}
	}
	opens := func(c *http.Cookie) bool {
		t.Helper()
		thief := h.browser()
		thief.Jar.SetCookies(at, []*http.Cookie{c})
		_, path, _ := h.get(thief, "/console/main/documents")
		return path == "/console/main/documents"
	}
	h.get(b, "/console/oidc/start")
	first := session()
	if !opens(first) {
		t.Fatal("a session does not open the console")
	}
	h.get(b, "/console/oidc/start")
	second := session()
	if second.Value == first.Value || opens(first) || !opens(second) {
		t.Error("the session of before is hers still")
	}
	planted := &http.Cookie{Name: first.Name, Value: strings.Repeat("x", len(first.Value)), Path: "/console/"}
	b = h.browser()
	b.Jar.SetCookies(at, []*http.Cookie{planted})
	h.get(b, "/console/oidc/start")
	if session().Value == planted.Value || opens(planted) {
		t.Error("she has the session that was put into her browser")
	}
}

// The console may be closed to keys; the API is not.
func TestNoSignInByKey(t *testing.T) {
	h := newHouse(t)
	h.comes(groups("admins"))
	h.get(h.browser(), "/console/oidc/start")
	main := h.vaults["main"]
	_, _, err := main.UpdateSettings(t.Context(), main.Admin, engine.Condition{}, engine.SettingsPatch{SignInByKey: new(false)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.browser().PostForm(h.server.URL+"/console/sign-in", url.Values{"key": {main.Token}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if page, _ := io.ReadAll(r.Body); r.StatusCode != 403 || !strings.Contains(string(page), "Sign in with your account") {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	if _, err := main.Authenticate(t.Context(), main.Token); err != nil {
		t.Error(err)
	}
}

func TestParseMap(t *testing.T) {
	for text, want := range map[string]string{
		"a main:view\nb":         "line 2: want a group",
		"a main":                 "line 1: \"main\": want vault:access",
		"# c\n\na :view":         "line 3:",
		"a main:root":            "line 1: access \"root\" must be view, upload, auditor or admin",
		"":                       "no line",
		"a b c main:admin\n* x:": "line 2: access \"\"",
	} {
		if _, err := oidc.ParseMap(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, issuer := range []string{"", "id.example.com", "http://id.example.com", "https://id.example.com?x=1"} {
		if _, err := oidc.New(oidc.Config{Issuer: issuer, ClientID: "a"}); err == nil {
			t.Errorf("issuer %q is taken", issuer)
		}
	}
	if _, err := oidc.New(oidc.Config{Issuer: "https://id.example.com"}); err == nil || errors.Is(err, console.ErrProviderAway) {
		t.Error(err)
	}
}
