package signin

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

var rs256 = map[string]any{"alg": "RS256", "typ": "JWT"}

// bearer exchanges an assertion.
func (k *kit) bearer(assertion string, more ...string) answer {
	k.Helper()
	return k.token(append([]string{"grant_type", string(engine.GrantJWTBearer), "assertion", assertion}, more...)...)
}

// signer is a client that signs, and the claims that are right for it.
func (k *kit) signer(n engine.NewClient) (engine.Client, *rsa.PrivateKey, map[string]any) {
	k.Helper()
	key, public := keyPair(k)
	n.Grants, n.PublicKey = append(n.Grants, engine.GrantJWTBearer), public
	c, secret := k.client(n)
	if secret != "" {
		k.Errorf("a client that signs has a secret")
	}
	now := k.now().Unix()
	return c, key, map[string]any{"iss": c.ID, "sub": n.UserID, "aud": "127.0.0.1", "iat": now, "exp": now + 3600, "scope": "signature"}
}

func but(claims map[string]any, pairs ...any) map[string]any {
	claims = maps.Clone(claims)
	for i := 0; i < len(pairs); i += 2 {
		if claims[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		}
	}
	return claims
}

func TestAssertions(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	her, _ := k.main.Person("Grace", engine.AccessUpload)
	c, key, claims := k.signer(engine.NewClient{UserID: her.UserID})
	uuid, _ := engine.UUID(her.UserID)
	clientUUID, _ := engine.UUID(c.ID)
	now := k.now().Unix()
	for name, good := range map[string]map[string]any{
		"as DocuSign's Node SDK":   claims,
		"as its older Java helper": but(claims, "iat", nil),
		"for the client itself":    but(claims, "sub", nil),
		"ids as DocuSign's":        but(claims, "sub", uuid, "iss", clientUUID),
		"with a port":              but(claims, "aud", "127.0.0.1:8080"),
		"by URL":                   but(claims, "aud", "https://localhost/"),
		"by the endpoint's":        but(claims, "aud", "https://localhost:8443/oauth/token"),
		"for several":              but(claims, "aud", []string{"https://elsewhere.example", "localhost"}),
		"a clock that is ahead":    but(claims, "iat", now+30, "nbf", now+30, "exp", now+3630),
		"an hour to a fraction":    but(claims, "exp", float64(now)+3599.5),
		"a member nobody knows":    but(claims, "Sub", "somebody", "azp", 7),
	} {
		a := k.bearer(sign(t, key, rs256, good))
		if a.Status != 200 || a.text("scope") != "signature" || a.Body["refresh_token"] != nil {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
			continue
		}
		k.works(a.text("access_token"), 200, "")
	}
	if a := k.bearer(sign(t, key, rs256, claims), "scope", "view"); a.text("scope") != "view" {
		t.Errorf("a scope beside the assertion: %v", a.Body)
	}
	for name, bad := range map[string]map[string]any{
		"expired":              but(claims, "exp", now-1),
		"of two hours":         but(claims, "exp", now+7200),
		"without an end":       but(claims, "exp", nil),
		"an end that is text":  but(claims, "exp", "tomorrow"),
		"an end in quotes":     but(claims, "exp", "99999999999"),
		"no end at all":        but(claims, "exp", 1e300),
		"of tomorrow":          but(claims, "iat", now+600),
		"not yet":              but(claims, "nbf", now+600),
		"for somebody else":    but(claims, "aud", "account.docusign.com"),
		"for a neighbour":      but(claims, "aud", "127.0.0.1.evil.example"),
		"for another path":     but(claims, "aud", "https://localhost/elsewhere"),
		"a port that is none":  but(claims, "aud", "localhost:99999"),
		"another scheme":       but(claims, "aud", "ftp://localhost"),
		"for nobody":           but(claims, "aud", nil),
		"for none":             but(claims, "aud", []string{}),
		"for a number":         but(claims, "aud", 7),
		"for the empty host":   but(claims, "aud", ""),
		"of nobody":            but(claims, "iss", nil),
		"of a number":          but(claims, "iss", 7),
		"as a user not its":    but(claims, "sub", k.main.Admin.UserID),
		"as nobody there is":   but(claims, "sub", engine.NewID()),
		"as the operator":      but(claims, "sub", "operator"),
		"as the system":        but(claims, "sub", "system"),
		"as an empty text":     but(claims, "sub", ""),
		"with an id of number": but(claims, "jti", 7),
	} {
		if a := k.bearer(sign(t, key, rs256, bad)); a.Status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
	k.bearer(sign(t, key, rs256, but(claims, "scope", "root"))).refused(400, invalidScope)
	k.bearer(sign(t, key, rs256, but(claims, "iss", engine.NewID()))).refused(401, invalidClient)
	k.bearer(sign(t, key, rs256, but(claims, "iss", "other."+c.ID))).refused(401, invalidClient)
	k.bearer(sign(t, key, rs256, claims), "client_id", engine.NewID()).refused(401, invalidClient)
	_, _, err := k.main.CloseClient(t.Context(), k.main.Admin, c.ID, engine.Condition{})
	must(t, err)
	k.bearer(sign(t, key, rs256, claims)).refused(401, invalidClient)
}

// TestSignatures: RS256 with the client's key, and nothing else.
func TestSignatures(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	her, _ := k.main.Person("Grace", engine.AccessUpload)
	c, key, claims := k.signer(engine.NewClient{UserID: her.UserID})
	good := sign(t, key, rs256, claims)
	parts := strings.Split(good, ".")
	for name, header := range map[string]map[string]any{
		"none": {"alg": "none"}, "None": {"alg": "None"}, "RS512": {"alg": "RS512"}, "PS256": {"alg": "PS256"}, "HS256": {"alg": "HS256"},
		"rs256": {"alg": "rs256"}, "absent": {}, "ALG": {"ALG": "RS256"}, "a list": {"alg": []string{"RS256"}}, "crit": {"alg": "RS256", "crit": []string{"exp"}},
	} {
		if a := k.bearer(sign(t, key, header, claims)); a.Status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("alg %s: %d %v", name, a.Status, a.Body)
		}
	}
	h := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	mac := hmac.New(sha256.New, []byte(c.PublicKey)) // the public key taken for a secret
	mac.Write([]byte(h + "." + parts[1]))
	for _, text := range []string{
		h + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], good + ".", "." + good, "..", good + "\n", strings.Repeat("x", 20_000),
		parts[0] + "=." + parts[1] + "." + parts[2], base64.RawURLEncoding.EncodeToString([]byte("null")) + "." + parts[1] + "." + parts[2],
	} {
		if a := k.bearer(text); a.Status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%.80s: %d %v", text, a.Status, a.Body)
		}
	}
	foreign, _ := keyPair(t)
	k.bearer(sign(t, foreign, rs256, claims)).refused(401, invalidClient)
	k.bearer(sign(t, foreign, map[string]any{"alg": "RS256", "jwk": map[string]any{"kty": "RSA"}}, claims)).refused(401, invalidClient)
	k.bearer(parts[0]+"."+parts[1]+"."+strings.Split(sign(t, key, rs256, but(claims, "x", 1)), ".")[2]).refused(401, invalidClient)
}

// TestReplays: what has an id is taken once, by whichever of many; what has none is
// taken until it expires, since two processes of one SDK sign the same.
func TestReplays(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	her, _ := k.main.Person("Grace", engine.AccessUpload)
	_, key, claims := k.signer(engine.NewClient{UserID: her.UserID})
	once, often := sign(t, key, rs256, but(claims, "jti", "1")), sign(t, key, rs256, claims)
	var all sync.WaitGroup
	var mu sync.Mutex
	served := map[string]int{}
	for range 5 {
		for _, text := range []string{once, often} {
			all.Go(func() {
				if k.bearer(text).Status == 200 {
					mu.Lock()
					defer mu.Unlock()
					served[text]++
				}
			})
		}
	}
	all.Wait()
	if served[once] != 1 || served[often] != 5 {
		t.Errorf("with an id %d were served, without %d", served[once], served[often])
	}
	k.bearer(once).refused(400, invalidGrant)
	k.bearer(sign(t, key, rs256, but(claims, "jti", "1"))).refused(400, invalidGrant)
	k.bearer(sign(t, key, rs256, but(claims, "jti", "2"))).tokens()
	// A refusal for another reason takes no id.
	k.bearer(sign(t, key, rs256, but(claims, "jti", "3", "scope", "root"))).refused(400, invalidScope)
	k.bearer(sign(t, key, rs256, but(claims, "jti", "3"))).tokens()
	_, key2, claims2 := k.signer(engine.NewClient{UserID: her.UserID})
	k.bearer(sign(t, key2, rs256, but(claims2, "jti", "1"))).tokens() // another client's own
	k.passes(time.Hour)
	k.bearer(often).refused(400, invalidGrant)
}

// TestWithoutASecret: a client that has no secret ends its tokens by saying who it is
// (RFC 7009 section 2.1): whoever has a token may end it. Nobody else can, and it is
// told nothing.
func TestWithoutASecret(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	her, _ := k.main.Person("Grace", engine.AccessUpload)
	c, key, claims := k.signer(engine.NewClient{UserID: her.UserID})
	access, _ := k.bearer(sign(t, key, rs256, claims)).tokens()
	service, secret, _ := k.service(engine.AccessUpload)
	theirs, _ := k.token("grant_type", "client_credentials", "client_id", service.ID, "client_secret", secret).tokens()
	for _, fields := range [][]string{
		{"token", theirs, "client_id", service.ID}, {"token", access, "client_id", engine.NewID()}, {"token", access},
		{"token", access, "client_id", c.ID, "client_secret", secret}, {"token", access, "client_id", "other." + c.ID},
	} {
		k.send("/oauth2/revoke", pairs(fields...)).refused(401, invalidClient)
	}
	k.send("/oauth2/introspect", pairs("token", access, "client_id", c.ID)).refused(401, invalidClient)
	for _, other := range []string{theirs, "x", strings.Replace(access, "main", "nowhere", 1)} {
		if a := k.send("/oauth2/revoke", pairs("token", other, "client_id", c.ID)); a.Status != 200 {
			t.Errorf("none of its own: %d %v", a.Status, a.Body)
		}
	}
	k.works(theirs, 200, "")
	k.works(access, 200, "")
	if a := k.send("/oauth2/revoke", pairs("token", access, "client_id", "main."+c.ID)); a.Status != 200 {
		t.Errorf("its own: %d %v", a.Status, a.Body)
	}
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	access, _ = k.bearer(sign(t, key, rs256, claims)).tokens()
	_, _, err := k.main.CloseClient(t.Context(), k.main.Admin, c.ID, engine.Condition{})
	must(t, err)
	k.send("/oauth2/revoke", pairs("token", access, "client_id", c.ID)).refused(401, invalidClient)
}

// TestImpersonation: a client may be anybody if it may, and is never more than
// itself.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, key, claims := k.signer(engine.NewClient{Impersonates: true, Access: engine.AccessUpload})
	as := func(user string) answer { return k.bearer(sign(t, key, rs256, but(claims, "sub", user))) }
	access, _ := as(k.main.Admin.UserID).tokens()
	if status, code, _ := k.api(access, "GET", "/v1/clients", ""); status != 403 || code != "USER_LACKS_PERMISSIONS" {
		t.Errorf("an admin by a client for uploads: %d %s", status, code)
	}
	if a := k.bearer(sign(t, key, rs256, but(claims, "sub", k.main.Admin.UserID, "scope", "admin"))); a.text("scope") != "upload" {
		t.Errorf("more than the client's: %v", a.Body)
	}
	viewer, _ := k.main.Person("Vera", engine.AccessView)
	if a := as(viewer.UserID); a.text("scope") != "view" {
		t.Errorf("more than the user's: %v", a.Body)
	}
	for _, user := range []string{"operator", "system", "", k.other.Admin.UserID} {
		as(user).refused(400, invalidGrant)
	}
	k.bearer(sign(t, key, rs256, but(claims, "sub", nil))).refused(400, invalidGrant)
	off := false
	_, _, err := k.main.UpdateClient(t.Context(), k.main.Admin, c.ID, engine.Condition{}, engine.ClientPatch{Impersonates: &off, UserID: &viewer.UserID})
	must(t, err)
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	as(k.main.Admin.UserID).refused(400, invalidGrant)
	as(viewer.UserID).tokens()
}

// TestAudience: what an assertion calls us is compared with what we were told, and
// never with what a request calls us.
func TestAudience(t *testing.T) {
	t.Parallel()
	public := httpapi.Address{PublicURL: "https://vault.example.com", Prefix: "/v", AllowedHosts: []string{"10.0.0.7", "[fd00::7]"}}
	ported := httpapi.Address{PublicURL: "https://vault.example.com:8443/x"}
	plain := httpapi.Address{AllowedHosts: []string{"Vault.internal"}}
	for _, of := range []struct {
		address  httpapi.Address
		audience string
		ours     bool
	}{
		{public, "vault.example.com", true}, {public, "VAULT.example.com", true}, {public, "vault.example.com:443", true},
		{public, "vault.example.com:8443", false}, {public, "https://vault.example.com", true}, {public, "https://vault.example.com/v/oauth/token", true},
		{public, "https://vault.example.com/v", true}, {public, "https://vault.example.com/w", false}, {public, "10.0.0.7:8443", true}, {public, "fd00::7", true}, {public, "[fd00::7]:1", true}, {public, "[fd00::7]", true},
		{public, "localhost", false}, {public, "127.0.0.1", false}, {public, "evil.example", false}, {public, "", false}, {public, "https://", false},
		{ported, "vault.example.com", true}, {ported, "vault.example.com:8443", true}, {ported, "vault.example.com:443", false},
		{ported, "https://vault.example.com:8443/x/oauth2/token", true}, {ported, "https://vault.example.com:8443/oauth2/token", false},
		{plain, "vault.internal", true}, {plain, "vault.internal:1", true}, {plain, "localhost:1", true}, {plain, "[::1]:1", true}, {plain, "vault.internal.evil", false},
		{plain, "evil@vault.internal", false}, {plain, "vault.internal:", false}, {plain, "//vault.internal", false},
	} {
		if got := isFor(of.address, of.audience); got != of.ours {
			t.Errorf("%q for %+v: %v", of.audience, of.address, got)
		}
	}
	k := newKitWith(t, httpapi.Address{PublicURL: "https://vault.example.com"})
	her, _ := k.main.Person("Grace", engine.AccessUpload)
	_, key, claims := k.signer(engine.NewClient{UserID: her.UserID})
	k.bearer(sign(t, key, rs256, but(claims, "aud", k.http.Listener.Addr().String()))).refused(400, invalidGrant)
	k.bearer(sign(t, key, rs256, but(claims, "aud", "vault.example.com"))).tokens()
}
