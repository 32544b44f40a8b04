package signin

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"strongroom/audit"
	"strongroom/engine"
)

const callback = "https://app.example.com/cb?tab=1"

// app is a client for people.
func (k *kit) app(grants ...engine.Grant) (engine.Client, string) {
	k.Helper()
	return k.client(engine.NewClient{Name: "Contract <editor>", Grants: append(grants, engine.GrantAuthorizationCode), RedirectURIs: []string{callback}})
}

// config is x/oauth2 as a client of ours.
func (k *kit) config(c engine.Client, secret string) oauth2.Config {
	return oauth2.Config{
		ClientID: c.ID, ClientSecret: secret, RedirectURL: callback, Scopes: []string{"upload"},
		Endpoint: oauth2.Endpoint{AuthURL: k.http.URL + k.address.Prefix + "/oauth2/authorize", TokenURL: k.http.URL + k.address.Prefix + "/oauth2/token"},
	}
}

// TestCodeGrant is the way of golang.org/x/oauth2: consent, exchange, use, refresh.
func TestCodeGrant(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	c, secret := k.app(engine.GrantRefreshToken)
	config := k.config(c, secret)
	verifier := oauth2.GenerateVerifier()
	_, key := k.main.Person("Grace", engine.AccessUpload)
	b := k.browser()
	asked := b.get(config.AuthCodeURL("s t&a=te", oauth2.S256ChallengeOption(verifier)))
	if asked.at.Path != "/console/sign-in" || !strings.Contains(asked.header.Get("Content-Security-Policy"), "form-action 'self' https://app.example.com;") {
		t.Errorf("%s %s", asked.at, asked.header)
	}
	p := b.signIn(asked, key)
	if p.status != 200 || !strings.Contains(p.html, "Contract &lt;editor&gt;") || !strings.Contains(p.html, "Grace") || !strings.Contains(p.html, "<b>main</b>") ||
		!strings.Contains(p.header.Get("Content-Security-Policy"), "form-action 'self' https://app.example.com;") || p.header.Get("X-Frame-Options") != "DENY" {
		t.Fatalf("%d %v\n%s", p.status, p.header, p.html)
	}
	back := b.say(p, "yes").at
	if !strings.HasPrefix(back.String(), callback+"&") || back.Query().Get("state") != "s t&a=te" || back.Query().Get("tab") != "1" || back.Query().Get("iss") != k.http.URL {
		t.Errorf("led back to %s", back)
	}
	code := back.Query().Get("code")
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	must(t, err)
	k.works(token.AccessToken, 200, "")
	if token.RefreshToken == "" || token.Extra("scope") != "upload" || time.Until(token.Expiry) > time.Hour {
		t.Errorf("%+v", token)
	}
	token.Expiry = time.Now().Add(-time.Minute)
	next, err := config.TokenSource(ctx, token).Token()
	must(t, err)
	if next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken {
		t.Error("the refresh token is not another one")
	}
	k.works(next.AccessToken, 200, "")
	// The entry of what is done says who, and by which program.
	status, _, _ := k.api(next.AccessToken, "POST", "/v1/obligations", `{"title":"x","dueDate":"2099-01-01"}`)
	entries, err := k.main.Entries(ctx, engine.EntryQuery{Op: audit.OpObligationCreated})
	if must(t, err); status == 201 && entries.Items[0].Key != c.ID {
		t.Errorf("the entry has the key %q", entries.Items[0].Key)
	}
	// She is asked each time, and may say no.
	p = b.get(config.AuthCodeURL("2", oauth2.S256ChallengeOption(verifier)))
	if back := b.say(p, "no").at.Query(); back.Get("error") != "access_denied" || back.Get("state") != "2" || back.Has("code") {
		t.Errorf("after no: %v", back)
	}
}

// TestRefreshReuse: a refresh token that comes a second time ends all that has come
// of the sign-in, whoever has it.
func TestRefreshReuse(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret := k.app(engine.GrantRefreshToken)
	_, key := k.main.Person("Grace", engine.AccessUpload)
	own := []string{"client_id", c.ID, "client_secret", secret}
	refresh := func(token string, more ...string) answer {
		return k.token(append(append([]string{"grant_type", "refresh_token", "refresh_token", token}, own...), more...)...)
	}
	start := func() (access, token string) {
		code := k.browser().consent("/oauth/auth?response_type=code&scope=upload&client_id="+c.ID, key).Get("code")
		return k.token(append([]string{"grant_type", "authorization_code", "code", code}, own...)...).tokens()
	}
	first, r1 := start()
	a := refresh(r1, "scope", "view")
	second, r2 := a.tokens()
	if a.text("scope") != "view" {
		t.Errorf("narrowed: %v", a.Body)
	}
	if a := refresh(r2, "scope", "admin"); a.text("error") != "invalid_scope" {
		t.Errorf("widened: %v", a.Body)
	}
	a = refresh(r2)
	third, r3 := a.tokens()
	if a.text("scope") != "upload" { // the next is for all that was consented to
		t.Errorf("after a narrowed one: %v", a.Body)
	}
	for _, access := range []string{first, second, third} {
		k.works(access, 200, "")
	}
	other, otherSecret := k.app(engine.GrantRefreshToken)
	k.token("grant_type", "refresh_token", "refresh_token", r3, "client_id", other.ID, "client_secret", otherSecret).refused(400, invalidGrant)
	k.works(third, 200, "")
	refresh(r1).refused(400, invalidGrant)
	for _, access := range []string{first, second, third} {
		k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	}
	refresh(r3).refused(400, invalidGrant)

	_, r1 = start()
	k.passes(30*24*time.Hour - time.Second)
	_, r2 = refresh(r1).tokens()
	k.passes(30*24*time.Hour + time.Second)
	refresh(r2).refused(400, invalidGrant)

	_, r1 = start() // of two at once, one is a second time
	var all sync.WaitGroup
	served := make([]bool, 6)
	for i := range served {
		all.Go(func() { served[i] = refresh(r1).Status == 200 })
	}
	all.Wait()
	n := 0
	for _, ok := range served {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 6 were served", n)
	}

	access, r1 := start()
	grants := []engine.Grant{engine.GrantAuthorizationCode}
	_, _, err := k.main.UpdateClient(t.Context(), k.main.Admin, c.ID, engine.Condition{}, engine.ClientPatch{Grants: &grants})
	must(t, err)
	refresh(r1).refused(400, unauthorizedClient)
	k.works(access, 200, "")
	if a := k.send("/oauth2/revoke", pairs(append([]string{"token", r1}, own...)...)); a.Status != 200 {
		t.Errorf("revoked: %v", a.Body)
	}
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
}

// TestStayingAway: what somebody has let programs do stops with her, so long after she
// last came through the provider, refresh tokens and codes too, and goes on when she
// has come again. Who is no provider's stays.
func TestStayingAway(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret := k.app(engine.GrantRefreshToken)
	arrival := engine.Arrival{Identity: engine.Identity{Issuer: "https://id.example.com", Subject: "zoe"}, Name: "Zoe", Access: engine.AccessUpload}
	she, err := k.main.Arrive(t.Context(), arrival)
	must(t, err)
	_, hers, _, err := k.main.CreateKey(t.Context(), k.main.Admin, engine.NewKey{Name: "hers", UserID: she.ID})
	must(t, err)
	own := []string{"client_id", c.ID, "client_secret", secret}
	code := func(key string) []string {
		code := k.browser().consent("/oauth/auth?response_type=code&client_id="+c.ID, key).Get("code")
		return append([]string{"grant_type", "authorization_code", "code", code}, own...)
	}
	with := func(refresh string) []string {
		return append([]string{"grant_type", "refresh_token", "refresh_token", refresh}, own...)
	}
	access, refresh := k.token(code(hers.Reveal())...).tokens()
	waiting := code(hers.Reveal())
	others, othersRefresh := k.token(code(k.main.Token)...).tokens()

	k.main.SignInAgain(time.Nanosecond)
	k.works(access, 401, "AUTHORIZATION_TOKEN_EXPIRED")
	k.works(hers.Reveal(), 401, "AUTHORIZATION_TOKEN_EXPIRED")
	k.token(with(refresh)...).refused(400, invalidGrant)
	k.token(waiting...).refused(400, invalidGrant)
	if a := k.send("/oauth2/introspect", pairs(append([]string{"token", refresh}, own...)...)); a.Body["active"] != false {
		t.Errorf("introspected: %v", a.Body)
	}
	k.works(others, 200, "")
	k.token(with(othersRefresh)...).tokens()

	k.main.SignInAgain(time.Hour)
	_, err = k.main.Arrive(t.Context(), arrival)
	must(t, err)
	k.works(access, 200, "")
	_, refresh = k.token(with(refresh)...).tokens()

	arrival.Access = engine.AccessNone // she has lost her group
	if _, err := k.main.Arrive(t.Context(), arrival); !errors.Is(err, engine.ErrNoGroup) {
		t.Fatal(err)
	}
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	k.token(with(refresh)...).refused(400, invalidGrant)
}

// TestClientsOfOthers: go-oidc and x/oauth2, as they are, are clients of ours by all
// grants there are, and learn who somebody is.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var about struct {
		Issuer string `json:"issuer"`
		Auth   string `json:"authorization_endpoint"`
		Token  string `json:"token_endpoint"`
	}
	resp, err := http.Get(k.http.URL + "/.well-known/oauth-authorization-server")
	must(t, err)
	defer resp.Body.Close()
	must(t, json.NewDecoder(resp.Body).Decode(&about))
	provider := (&oidc.ProviderConfig{IssuerURL: about.Issuer, AuthURL: about.Auth, TokenURL: about.Token, UserInfoURL: about.Issuer + "/oauth/userinfo"}).NewProvider(t.Context())
	is := func(source oauth2.TokenSource, user string) {
		t.Helper()
		info, err := provider.UserInfo(t.Context(), source)
		must(t, err)
		if uuid, _ := engine.UUID(user); info.Subject != uuid {
			t.Errorf("it is %s, not %s", info.Subject, uuid)
		}
	}
	c, secret, user := k.service(engine.AccessUpload)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		config := clientcredentials.Config{ClientID: c.ID, ClientSecret: secret, TokenURL: about.Token, Scopes: []string{"view"}, AuthStyle: style}
		is(config.TokenSource(t.Context()), user)
	}
	wrong := clientcredentials.Config{ClientID: c.ID, ClientSecret: "x", TokenURL: about.Token}
	if refused, ok := errors.AsType[*oauth2.RetrieveError](second(wrong.Token(t.Context()))); !ok || refused.ErrorCode != "invalid_client" {
		t.Errorf("a wrong secret: %v", refused)
	}

	signer, key, _ := k.signer(engine.NewClient{UserID: user})
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	assertions := jwt.Config{Email: signer.ID, Subject: user, PrivateKey: private, TokenURL: about.Token, Scopes: []string{"upload"}}
	is(assertions.TokenSource(t.Context()), user)
	is(assertions.TokenSource(t.Context()), user) // another process, in the same second

	app, appSecret := k.app(engine.GrantRefreshToken)
	grace, hers := k.main.Person("Grace", engine.AccessView)
	config := k.config(app, appSecret)
	config.Endpoint = provider.Endpoint()
	verifier := oauth2.GenerateVerifier()
	b := k.browser()
	back := b.say(b.signIn(b.get(strings.TrimPrefix(config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), k.http.URL)), hers), "yes").at.Query()
	if back.Get("iss") != about.Issuer || back.Get("state") != "s" {
		t.Errorf("%v", back)
	}
	token, err := config.Exchange(t.Context(), back.Get("code"), oauth2.VerifierOption(verifier))
	must(t, err)
	is(config.TokenSource(t.Context(), token), grace.UserID)
	token.Expiry = time.Now().Add(-time.Minute)
	is(config.TokenSource(t.Context(), token), grace.UserID)
}

func second[A any](_ A, err error) error { return err }

// TestCodes: a code is good once, for a short while, for its client, with what it
// was asked for with.
func TestCodes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret := k.app()
	_, key := k.main.Person("Grace", engine.AccessUpload)
	verifier := oauth2.GenerateVerifier()
	config := k.config(c, secret)
	b := k.browser()
	b.signIn(b.get("/console/sign-in"), key)
	pkce := func() string {
		return b.say(b.get(config.AuthCodeURL("", oauth2.S256ChallengeOption(verifier))), "yes").at.Query().Get("code")
	}
	docusign := func(more string) string {
		return b.say(b.get("/oauth/auth?response_type=code&scope=signature%20impersonation&client_id="+c.ID+more), "yes").at.Query().Get("code")
	}
	exchange := func(code string, more ...string) answer {
		return k.token(append([]string{"grant_type", "authorization_code", "code", code, "client_id", c.ID, "client_secret", secret}, more...)...)
	}
	code := pkce()
	exchange(code).refused(400, invalidGrant)
	exchange(code, "redirect_uri", callback).refused(400, invalidGrant)
	exchange(code, "redirect_uri", callback, "code_verifier", oauth2.GenerateVerifier()).refused(400, invalidGrant)
	exchange(code, "redirect_uri", "https://evil.example/", "code_verifier", verifier).refused(400, invalidGrant)
	exchange(code, "code_verifier", verifier).refused(400, invalidGrant)
	exchange(strings.Replace(code, "main", "other", 1), "redirect_uri", callback, "code_verifier", verifier).refused(401, invalidClient)
	exchange(code+"x", "redirect_uri", callback, "code_verifier", verifier).refused(400, invalidGrant)
	other, otherSecret := k.app()
	k.token("grant_type", "authorization_code", "code", code, "client_id", other.ID, "client_secret", otherSecret, "redirect_uri", callback, "code_verifier", verifier).refused(400, invalidGrant)
	access, refresh := exchange(code, "redirect_uri", callback, "code_verifier", verifier).tokens()
	if refresh != "" {
		t.Error("a client without the grant got a refresh token")
	}
	k.works(access, 200, "")
	k.works(code, 401, "AUTHORIZATION_INVALID_TOKEN")
	exchange(code, "redirect_uri", callback, "code_verifier", verifier).refused(400, invalidGrant)
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED") // it was in two hands

	code = docusign("")
	exchange(code, "code_verifier", verifier).refused(400, invalidGrant)
	exchange(code).tokens()
	exchange(docusign("&redirect_uri=" + url.QueryEscape(callback))).tokens()
	exchange(docusign("&redirect_uri="+url.QueryEscape(callback)), "redirect_uri", "https://evil.example/").refused(400, invalidGrant)
	code = docusign("&code_challenge_method=S256&code_challenge=" + oauth2.S256ChallengeFromVerifier(verifier))
	exchange(code).refused(400, invalidGrant)
	exchange(code, "code_verifier", verifier).tokens()

	code = docusign("")
	k.passes(codeLife)
	exchange(code).refused(400, invalidGrant)
	code = docusign("")
	_, _, err := k.main.CloseClient(t.Context(), k.main.Admin, c.ID, engine.Condition{})
	must(t, err)
	exchange(code).refused(401, invalidClient)
}

// TestConsentNeverWidens: what somebody gives away is no more than the key allows
// that she signed in with.
func TestConsentNeverWidens(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	c, secret, _, err := k.main.CreateClient(ctx, k.main.Admin, engine.NewClient{
		Name: "app", Grants: []engine.Grant{engine.GrantAuthorizationCode}, RedirectURIs: []string{callback}, Access: engine.AccessAdmin,
	})
	must(t, err)
	_, key, _, err := k.main.CreateKey(ctx, k.main.Admin, engine.NewKey{Name: "narrow", UserID: k.main.Admin.UserID, Access: engine.AccessView})
	must(t, err)
	b := k.browser()
	p := b.signIn(b.get("/oauth/auth?response_type=code&scope=admin&client_id="+c.ID), key.Reveal())
	if !strings.Contains(p.html, "read documents, and change nothing") {
		t.Error(p.html)
	}
	code := b.say(p, "yes").at.Query().Get("code")
	a := k.token("grant_type", "authorization_code", "code", code, "client_id", c.ID, "client_secret", secret.Reveal())
	access, _ := a.tokens()
	if status, _, _ := k.api(access, "POST", "/v1/fields", `{}`); status != 403 || a.text("scope") != "view" {
		t.Errorf("%d %v", status, a.Body)
	}
}

// TestAuthorizeRefuses: who is not known to be the program's is not gone to, and what
// else is wrong the program is told.
func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, _ := k.app()
	closed, _ := k.app()
	_, _, err := k.main.CloseClient(t.Context(), k.main.Admin, closed.ID, engine.Condition{})
	must(t, err)
	service, _, _ := k.service(engine.AccessView)
	challenge := "&code_challenge_method=S256&code_challenge=" + oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())
	in := k.browser()
	in.signIn(in.get("/console/sign-in"), k.main.Token)
	for _, q := range []string{
		"", "client_id=", "client_id=" + engine.NewID(), "client_id=" + closed.ID, "client_id=other." + c.ID, "client_id=" + service.ID,
		"client_id=" + c.ID + "&client_id=" + c.ID, "client_id=" + c.ID + "&redirect_uri=https://evil.example/",
		"client_id=" + c.ID + "&redirect_uri=" + url.QueryEscape(callback) + "&redirect_uri=https://evil.example/",
		"client_id=" + c.ID + "&redirect_uri=" + url.QueryEscape(callback+"/../x"), "client_id=" + c.ID + "&redirect_uri=" + url.QueryEscape(strings.ToUpper(callback)),
		"client_id=" + c.ID + "&redirect_uri=" + url.QueryEscape("https://app.example.com/cb"), "client_id=" + c.ID + "&redirect_uri=%zz",
	} {
		for _, b := range []*browser{in, k.browser()} {
			if p := b.get("/oauth2/authorize?response_type=code" + challenge + "&" + q); p.status != 400 || p.at.Host != k.http.Listener.Addr().String() {
				t.Errorf("%s: led to %s, %d", q, p.at, p.status)
			}
		}
	}
	for q, want := range map[string]code{
		"":                                invalidRequest,
		"response_type=token" + challenge: unsupportedResponseType,
		"response_type=code":              invalidRequest,
		"response_type=code&code_challenge=" + oauth2.GenerateVerifier():                             invalidRequest,
		"response_type=code&code_challenge_method=plain&code_challenge=" + oauth2.GenerateVerifier(): invalidRequest,
		"response_type=code&code_challenge_method=S256&code_challenge=short":                         invalidRequest,
		"response_type=code&scope=root" + challenge:                                                  invalidScope,
		"response_type=code&scope=view&scope=admin" + challenge:                                      invalidRequest,
		"response_type=code&response_mode=fragment" + challenge:                                      invalidRequest,
		"response_type=code&prompt=none" + challenge:                                                 interactionRequired,
		"response_type=code&state=b" + challenge:                                                     invalidRequest,
	} {
		p := in.get("/oauth2/authorize?state=a%0d%0ab&client_id=" + c.ID + "&" + q)
		if got := p.at.Query(); p.at.Host != "app.example.com" || got.Get("error") != string(want) || got.Get("state") != "a\r\nb" {
			t.Errorf("%s: led to %s", q, p.at)
		}
	}
	if p := in.get("/oauth2/authorize?" + strings.Repeat("x", 9000)); p.status != 414 {
		t.Errorf("a long address: %d", p.status)
	}
	if r, err := http.Post(k.http.URL+"/oauth2/authorize", "", nil); err != nil || r.StatusCode != 405 {
		t.Errorf("POST: %v, %v", r.Status, err)
	}
}

// TestConsentIsOfWhoSeesIt: a form answers for the person it was shown to, comes from
// our own page, and is for the vault she is in.
func TestConsentIsOfWhoSeesIt(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, _ := k.app()
	_, grace := k.main.Person("Grace", engine.AccessUpload)
	_, alan := k.main.Person("Alan", engine.AccessUpload)
	to := "/oauth/auth?response_type=code&client_id=" + c.ID
	b := k.browser()
	p := b.signIn(b.get(to), grace)
	b.signIn(b.get("/console/sign-in"), alan) // in another tab
	if again := b.say(p, "yes"); again.status != 200 || !strings.Contains(again.html, "Alan") {
		t.Errorf("Grace's page, answered when Alan had signed in: %d %s", again.status, again.at)
	}
	if p := b.do("POST", p.at.Path, pairs("consent", "yes", "query", "response_type=code&client_id="+c.ID)); p.status != 200 {
		t.Errorf("a form that says not for whom: %d %s", p.status, p.at)
	}
	r, err := http.NewRequest("POST", k.http.URL+p.at.Path, strings.NewReader(p.fields().Encode()+"&consent=yes"))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	resp, err := b.client.Do(r)
	must(t, err)
	if resp.Body.Close(); resp.StatusCode != 403 {
		t.Errorf("from another site: %s", resp.Status)
	}
	elsewhere := k.browser()
	if p := elsewhere.signIn(elsewhere.get(to), k.other.Token); p.status != 400 || !strings.Contains(p.html, "No such program is registered with other") {
		t.Errorf("in another vault: %d %s", p.status, p.html)
	}
	// The session of the pages is nothing to the API, nor to the token endpoint.
	base, _ := url.Parse(k.http.URL + "/console/")
	for _, cookie := range b.client.Jar.Cookies(base) {
		if r, _ := http.NewRequest("GET", k.http.URL+"/v1/me", nil); true {
			r.AddCookie(cookie)
			if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 401 {
				t.Errorf("a cookie opens the API: %v", resp.Status)
			}
		}
	}
	if cookies := b.client.Jar.Cookies(&url.URL{Scheme: "http", Host: base.Host, Path: "/v1/me"}); len(cookies) > 0 {
		t.Error("the cookie goes to the API")
	}
}

// TestProveAmongCopies: a vault that stands beside a copy of itself.
func TestProveAmongCopies(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, _ := k.service(engine.AccessView)
	fits := func(*tokens, string) (engine.Client, error) { return c, nil }
	if _, err := k.signIn.prove(context.Background(), c.ID, "", fits); err == nil || !strings.Contains(err.Error(), "main."+c.ID) {
		t.Errorf("in two vaults at work: %v", err)
	}
	for id, vault := range map[string]string{"main." + c.ID: "main", "other." + c.ID: "other"} {
		if p, err := k.signIn.prove(context.Background(), id, "", fits); err != nil || p.tokens.vault.Name() != vault {
			t.Errorf("%s: %v", id, err)
		}
	}
	k.token("grant_type", "client_credentials", "client_id", "main."+c.ID, "client_secret", secret).tokens()
}
