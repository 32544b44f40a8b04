package signin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

// TestMetadata: what is told of this server is so, and only by a name it believes.
func TestMetadata(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	get := func(path, host string) (int, map[string]any) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		k.signIn.ServeHTTP(w, r)
		var body map[string]any
		must(t, json.Unmarshal(w.Body.Bytes(), &body))
		return w.Code, body
	}
	status, about := get("/.well-known/oauth-authorization-server", "localhost:8080")
	if status != 200 || about["issuer"] != "http://localhost:8080" || about["authorization_endpoint"] != "http://localhost:8080/oauth2/authorize" {
		t.Errorf("%d %v", status, about)
	}
	for _, member := range []string{"token_endpoint", "revocation_endpoint", "introspection_endpoint"} {
		u, err := url.Parse(about[member].(string))
		if err != nil || !k.signIn.Serves(u.Path) {
			t.Errorf("%s is %v", member, about[member])
		}
	}
	for _, list := range []struct {
		member string
		want   int
	}{{"grant_types_supported", 4}, {"code_challenge_methods_supported", 1}, {"scopes_supported", len(scopes)}} {
		if got, _ := about[list.member].([]any); len(got) != list.want {
			t.Errorf("%s is %v", list.member, about[list.member])
		}
	}
	if status, about := get("/.well-known/oauth-protected-resource", "127.0.0.1"); status != 200 || about["resource"] != "http://127.0.0.1" {
		t.Errorf("%d %v", status, about)
	}
	if status, about := get("/.well-known/oauth-authorization-server", "evil.example"); status != 404 || strings.Contains(about["error_description"].(string), "evil") {
		t.Errorf("by a name that is not ours: %d %v", status, about)
	}
}

// TestBelowAPrefix: everything is below it, behind a proxy too.
func TestBelowAPrefix(t *testing.T) {
	t.Parallel()
	k := newKitWith(t, httpapi.Address{Prefix: "/vault", PublicURL: "https://example.com"})
	resp, err := http.Get(k.http.URL + "/vault/.well-known/oauth-authorization-server")
	must(t, err)
	b, _ := io.ReadAll(resp.Body)
	if resp.Body.Close(); !strings.Contains(string(b), `"https://example.com/vault/oauth2/token"`) {
		t.Errorf("%s", b)
	}
	c, secret := k.app()
	code := k.browser().consent("/vault/oauth/auth?response_type=code&client_id="+c.ID, k.main.Token)
	if code.Get("iss") != "https://example.com/vault" {
		t.Errorf("%v", code)
	}
	access, _ := k.token("grant_type", "authorization_code", "code", code.Get("code"), "client_id", c.ID, "client_secret", secret).tokens()
	k.works(access, 200, "")
	if k.signIn.Serves("/oauth/token") || k.signIn.Serves("/vaultoauth/token") || k.signIn.Serves("/vault/oauth/token/") {
		t.Error("a path beyond the prefix is served")
	}
}

// TestUserinfo is what DocuSign's clients ask for first.
func TestUserinfo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, user := k.service(engine.AccessUpload)
	access, _ := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
	r, err := http.NewRequestWithContext(t.Context(), "GET", k.http.URL+"/oauth/userinfo", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var info struct {
		Sub      string
		Accounts []struct {
			BaseURI   string `json:"base_uri"`
			IsDefault bool   `json:"is_default"`
		}
	}
	must(t, json.NewDecoder(resp.Body).Decode(&info))
	if uuid, _ := engine.UUID(user); info.Sub != uuid || len(info.Accounts) != 1 || info.Accounts[0].BaseURI != k.http.URL || !info.Accounts[0].IsDefault {
		t.Errorf("%+v", info)
	}
}

// BenchmarkCheck compares what a request costs that comes with an access token to
// one that comes with an API key.
func BenchmarkCheck(b *testing.B) {
	k := newKit(b)
	k.signIn.now = time.Now
	_, public := keyPair(b)
	for i := range 100 { // a vault in use: each bucket has pages of its own
		who, _ := k.main.Person("Alan", engine.AccessUpload)
		if i < 20 {
			k.client(engine.NewClient{Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: who.UserID, PublicKey: public})
		}
	}
	who, key := k.main.Person("Grace", engine.AccessUpload)
	c, secret := k.client(engine.NewClient{Grants: []engine.Grant{engine.GrantClientCredentials, engine.GrantJWTBearer}, UserID: who.UserID, PublicKey: public})
	token, _ := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
	byKey := func() { // as the API does it; Check finds the vault by itself
		if _, err := k.vaults[engine.TokenVault(key)].Authenticate(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
	byToken := func() {
		if _, _, err := k.signIn.Check(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
	timed := func(fn func()) time.Duration {
		began := time.Now()
		for range 50 {
			fn()
		}
		return time.Since(began)
	}
	var keys, tokens []time.Duration
	for b.Loop() { // by turns, so that both meet the same machine
		keys, tokens = append(keys, timed(byKey)), append(tokens, timed(byToken))
	}
	// The middle turn of each: what else the machine does falls on a few of them.
	middle := func(turns []time.Duration) float64 {
		slices.Sort(turns)
		return float64(turns[len(turns)/2]) / 50
	}
	b.ReportMetric(middle(keys), "ns/key")
	b.ReportMetric(middle(tokens), "ns/token")
	b.ReportMetric(middle(tokens)/middle(keys), "token/key")
}

func FuzzTokenEndpoint(f *testing.F) {
	k := newKit(f)
	c, secret, _ := k.service(engine.AccessUpload)
	own := "&client_id=" + c.ID + "&client_secret=" + secret
	for _, seed := range []string{
		"grant_type=client_credentials&scope=view" + own, "grant_type=authorization_code&code=so_main_x&code_verifier=y&redirect_uri=z" + own,
		"grant_type=refresh_token&refresh_token=sf_main_x" + own, "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30.e30.e30",
		"grant_type=&&=&%zz", "client_id=main.x&client_id=;",
	} {
		f.Add(seed, "Basic eDp5")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, form, authorization string) {
		for _, path := range []string{"/oauth/token", "/oauth2/revoke", "/oauth2/introspect"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = "" // nobody to slow down
			if authorization != "" {
				r.Header["Authorization"] = []string{authorization}
			}
			w := httptest.NewRecorder()
			k.signIn.failures = httpapi.NewRefusals()
			k.signIn.ServeHTTP(w, r)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code >= 500 || w.Code == 200 && path == "/oauth/token" && !strings.Contains(form, secret) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

func FuzzAuthorize(f *testing.F) {
	k := newKit(f)
	c, _ := k.app()
	for _, seed := range []string{
		"response_type=code&client_id=" + c.ID, "client_id=" + c.ID + "&redirect_uri=https://evil.example/&state=x",
		"client_id=" + c.ID + "&redirect_uri=" + url.QueryEscape(callback) + "&scope=a", "client_id=main." + c.ID + "&response_type=code&code_challenge_method=S256&code_challenge=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r := httptest.NewRequest("GET", "/oauth2/authorize", nil)
		for _, docusign := range []bool{true, false} {
			asking, err := k.signIn.Ask(r, k.main.Vault, docusign, q)
			if err != nil {
				t.Fatal(err)
			}
			to, wrong, err := k.signIn.Answer(r, k.main.Vault, k.main.Admin, docusign, q, true)
			if err != nil || (wrong != "") != (asking.Wrong != "") {
				t.Errorf("%v: %q and %q", err, wrong, asking.Wrong)
			}
			for _, to := range []string{asking.To, to} {
				if to == "" {
					continue
				}
				if u, err := url.Parse(to); err != nil || !strings.HasPrefix(to, callback+"&") || u.Query().Get("state") != q.Get("state") {
					t.Errorf("led to %s", to)
				}
			}
		}
	})
}

func FuzzAssertion(f *testing.F) {
	f.Add("e30.e30.e30")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4IiwiYXVkIjoiYSIsImV4cCI6NDB9.AA")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAssertion(text, time.Unix(20, 0))
		if err != nil {
			if e, _ := decide(err); e.code != invalidGrant {
				t.Errorf("%v", err)
			}
			return
		}
		if a.issuer == "" || a.signedWith(engine.Client{}) || !strings.HasPrefix(text, a.signed+".") {
			t.Errorf("%+v", a)
		}
	})
}
