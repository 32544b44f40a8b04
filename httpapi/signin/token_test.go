package signin

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/engine"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, user := k.service(engine.AccessUpload)
	access, refresh := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
	if refresh != "" || !strings.HasPrefix(access, "sa_main_") {
		t.Errorf("%s, %s", access, refresh)
	}
	k.works(access, 200, "")
	k.works(access[:len(access)-1], 401, "AUTHORIZATION_INVALID_TOKEN")
	k.works(access+"A", 401, "AUTHORIZATION_INVALID_TOKEN")
	k.works(strings.Replace(access, "main", "other", 1), 401, "AUTHORIZATION_INVALID_TOKEN")
	k.works(strings.Replace(access, "main", "nowhere", 1), 401, "AUTHORIZATION_INVALID_TOKEN")
	for _, header := range []string{c.ID + ":" + secret, "main." + c.ID + ":" + secret} {
		r, _ := http.NewRequest("GET", "/", nil)
		id, password, _ := strings.Cut(header, ":")
		r.SetBasicAuth(id, password)
		a := k.send("/oauth2/token", pairs("grant_type", "client_credentials", "scope", "view"), "Authorization", r.Header.Get("Authorization"))
		narrow, _ := a.tokens()
		if a.text("scope") != "view" {
			t.Errorf("the scope is %v", a.Body)
		}
		if status, code, _ := k.api(narrow, "POST", "/v1/fields", `{}`); status != 403 || code != "USER_LACKS_PERMISSIONS" {
			t.Errorf("with a token for view: %d %s", status, code)
		}
	}
	if a := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret, "scope", "admin"); a.text("scope") != "upload" {
		t.Errorf("asked for more than there is: %v", a.Body)
	}
	upload := engine.AccessAuditor
	_, _, err := k.main.UpdateUser(t.Context(), k.main.Admin, user, engine.Condition{}, engine.UserPatch{Access: &upload})
	must(t, err)
	if a := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret, "scope", "signature"); a.text("scope") != "view" {
		t.Errorf("an auditor by a client for uploads: %v", a.Body)
	}
}

// TestErrors is every error of RFC 6749 section 5.2.
func TestErrors(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, _ := k.service(engine.AccessUpload)
	own := []string{"client_id", c.ID, "client_secret", secret}
	with := func(fields ...string) []string { return append(slices.Clone(own), fields...) }
	for _, of := range []struct {
		fields []string
		status int
		code   code
	}{
		{with(), 400, invalidRequest},
		{with("grant_type", ""), 400, invalidRequest},
		{with("grant_type", "password"), 400, unsupportedGrantType},
		{with("grant_type", "client_credentials", "grant_type", "client_credentials"), 400, invalidRequest},
		{with("grant_type", "client_credentials", "scope", "view", "scope", "admin"), 400, invalidRequest},
		{with("grant_type", "client_credentials", "scope", "everything"), 400, invalidScope},
		{with("grant_type", "client_credentials", "scope", "upload auditor"), 400, invalidScope},
		{with("grant_type", "client_credentials", "scope", strings.Repeat("view ", 200)), 400, invalidScope},
		{with("grant_type", "authorization_code"), 400, invalidRequest},
		{with("grant_type", "authorization_code", "code", "x"), 400, unauthorizedClient},
		{with("grant_type", "refresh_token"), 400, invalidRequest},
		{with("grant_type", "refresh_token", "refresh_token", "x"), 400, unauthorizedClient},
		{with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), 400, invalidRequest},
		{with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "a.b.c"), 400, invalidGrant},
		{[]string{"grant_type", "client_credentials"}, 401, invalidClient},
		{[]string{"grant_type", "client_credentials", "client_id", c.ID}, 401, invalidClient},
		{[]string{"grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret + "x"}, 401, invalidClient},
		{[]string{"grant_type", "client_credentials", "client_id", engine.NewID(), "client_secret", secret}, 401, invalidClient},
		{[]string{"grant_type", "client_credentials", "client_id", "other." + c.ID, "client_secret", secret}, 401, invalidClient},
		{[]string{"grant_type", "client_credentials", "client_id", "\"\\\x00é", "client_secret", secret}, 401, invalidClient},
	} {
		k.token(of.fields...).refused(of.status, of.code)
	}
	form := pairs(with("grant_type", "client_credentials")...)
	k.send("/oauth/token?grant_type=client_credentials", pairs(own...)).refused(400, invalidRequest)
	k.send("/oauth/token", form, "Authorization", "Basic eA==").refused(401, invalidClient)
	k.send("/oauth/token", form, "Authorization", "Basic "+"YTpi").refused(400, invalidRequest) // two ways at once
	k.send("/oauth/token", form, "Content-Type", "application/json").refused(400, invalidRequest)
	k.send("/oauth/token", pairs("grant_type", strings.Repeat("x", 70_000))).refused(400, invalidRequest)
	if a := k.send("/oauth/token", form, "Sec-Fetch-Site", "cross-site"); a.Status != 403 {
		t.Errorf("from a page of another site: %d", a.Status)
	}
	k.send("/oauth/token", pairs(with("grant_type", "client_credentials")...), "Authorization", "Bearer stale").tokens()
	resp, err := http.Get(k.http.URL + "/oauth/token")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET /oauth/token: %s", resp.Status)
	}
}

// TestTokensStop: whatever ends a token, or narrows it, is met by the next request.
func TestTokensStop(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	get := func() (access, client, secret, user string) {
		c, secret, user := k.service(engine.AccessUpload)
		access, _ = k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
		k.works(access, 200, "")
		return access, c.ID, secret, user
	}
	access, client, _, _ := get()
	view := engine.AccessView
	_, _, err := k.main.UpdateClient(ctx, k.main.Admin, client, engine.Condition{}, engine.ClientPatch{Access: &view})
	must(t, err)
	if status, code, _ := k.api(access, "POST", "/v1/documents", `{}`); status != 403 || code != "USER_LACKS_PERMISSIONS" {
		t.Errorf("a client that was narrowed: %d %s", status, code)
	}
	_, _, err = k.main.CloseClient(ctx, k.main.Admin, client, engine.Condition{})
	must(t, err)
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")

	access, client, secret, user := get()
	closed := engine.UserClosed
	_, _, err = k.main.UpdateUser(ctx, k.main.Admin, user, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	k.token("grant_type", "client_credentials", "client_id", client, "client_secret", secret).refused(400, invalidGrant)

	access, client, secret, _ = get()
	if a := k.send("/oauth2/introspect", pairs("token", access, "client_id", client, "client_secret", secret)); a.Body["active"] != true || a.text("client_id") != client || a.text("scope") != "upload" {
		t.Errorf("introspected: %v", a.Body)
	}
	stranger, other, _ := k.service(engine.AccessAdmin)
	for _, path := range []string{"/oauth2/introspect", "/oauth2/revoke"} {
		k.send(path, pairs("token", access)).refused(401, invalidClient)
		k.send(path, pairs("client_id", client, "client_secret", secret)).refused(400, invalidRequest)
		if a := k.send(path, pairs("token", access, "client_id", stranger.ID, "client_secret", other)); a.Status != 200 || a.Body["active"] == true || a.text("scope") != "" {
			t.Errorf("%s by another client: %d %v", path, a.Status, a.Body)
		}
	}
	k.works(access, 200, "")
	if a := k.send("/oauth2/revoke", pairs("token", access, "token_type_hint", "refresh_token", "client_id", client, "client_secret", secret)); a.Status != 200 {
		t.Errorf("revoked: %d %v", a.Status, a.Body)
	}
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	if a := k.send("/oauth2/introspect", pairs("token", access, "client_id", client, "client_secret", secret)); a.Body["active"] != false || len(a.Body) != 1 {
		t.Errorf("introspected after its end: %v", a.Body)
	}

	access, _, _, _ = get()
	k.passes(time.Hour - time.Second)
	k.works(access, 200, "")
	k.passes(2 * time.Second)
	k.works(access, 401, "AUTHORIZATION_TOKEN_EXPIRED")
	if _, _, resp := k.api(access, "GET", "/v1/me", ""); resp.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("WWW-Authenticate is %q", resp.Header.Get("WWW-Authenticate"))
	}
	for range 60 { // not slowed, as who guesses is
		k.works(access, 401, "AUTHORIZATION_TOKEN_EXPIRED")
	}
}

// TestTheFileMayGo: tokens outlive a restart, hold nothing that could be used, and
// without the file, or with a damaged one, everybody signs in again.
func TestTheFileMayGo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, _ := k.service(engine.AccessUpload)
	get := func() string {
		access, _ := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
		return access
	}
	restart := func(between func(path string)) {
		k.http.Close()
		must(t, k.signIn.Close())
		between(filepath.Join(k.main.Dir, file))
		k.start()
	}
	access := get()
	restart(func(path string) {
		b, err := os.ReadFile(path)
		must(t, err)
		if strings.Contains(string(b), access[8:]) || strings.Contains(string(b), secret) {
			t.Error("the file has a secret in it")
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	k.works(access, 200, "")
	restart(func(path string) { must(t, os.Remove(path)) })
	k.works(access, 401, "AUTHORIZATION_INVALID_TOKEN")
	k.works(get(), 200, "")
	restart(func(path string) { must(t, os.WriteFile(path, []byte(strings.Repeat("no", 9000)), 0o600)) })
	k.works(get(), 200, "")
}

// TestForgotten: what nobody is told of any more leaves the file.
func TestForgotten(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, _ := k.service(engine.AccessUpload)
	for range 20 {
		k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
	}
	k.passes(48 * time.Hour)
	k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
	if n := k.signIn.tokens["main"].rows(); n != 4 {
		t.Errorf("%d rows are left, not a token, its family and their ends", n)
	}
}

// TestManyAtOnce: all are served, and each has a token of its own.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret, _ := k.service(engine.AccessUpload)
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 20 {
		all.Go(func() {
			access, _ := k.token("grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret).tokens()
			k.works(access, 200, "")
			mu.Lock()
			defer mu.Unlock()
			seen[access] = true
		})
	}
	all.Wait()
	if len(seen) != 20 {
		t.Errorf("%d tokens", len(seen))
	}
}
