package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// providerVariable names the program that testdata/oidc builds. .ci/run sets it.
const providerVariable = "STRONGROOM_TEST_OIDC"

// vaultURL is what the server is called here; browsers of the test know where that is.
const vaultURL = "https://vault.example.test"

// throughProvider is a server whose people come in through a real identity provider,
// both with TLS of one authority.
type throughProvider struct {
	*testing.T
	*server
	issuer  string
	admin   string
	roots   *x509.CertPool
	flags   []string // of the server
	without []string // the same, but for the authority of the provider
}

func newThroughProvider(t *testing.T) *throughProvider {
	program := os.Getenv(providerVariable)
	if program == "" {
		t.Skipf("LEFT OUT: nobody signs in through a real identity provider: %s names no program; build one with go build -C testdata/oidc -o FILE .", providerVariable)
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		at := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return at
	}
	mustRun(t, "tls", "init", "--dir", dir, "--hosts", "127.0.0.1,vault.example.test")
	p := &throughProvider{T: t, roots: x509.NewCertPool()}
	ca, err := os.ReadFile(file("ca.crt", ""))
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AppendCertsFromPEM(ca)
	p.issuer = p.provider(program, file("server.crt", ""), file("server.key", ""))
	p.without = []string{
		"--tls-cert", file("server.crt", ""), "--tls-key", file("server.key", ""), "--public-url", vaultURL,
		"--oidc-issuer", p.issuer, "--oidc-client-id", "strongroom", "--oidc-client-secret-file", file("secret", "secret\n"),
		"--oidc-map", file("groups", "staff main:view\neditors main:upload\nadmins main:admin\n"),
	}
	p.flags = append([]string{"--oidc-ca", file("ca.crt", "")}, p.without...)
	p.server = spawn(t, filepath.Join(t.TempDir(), "data"), p.flags...)
	p.admin = p.firstKey(t)
	return p
}

// provider starts the provider, and returns its issuer.
func (p *throughProvider) provider(program, cert, key string) string {
	cmd := exec.Command(program, "-redirect", vaultURL+"/console/oidc/callback", "-cert", cert, "-key", key)
	in, err := cmd.StdinPipe()
	if err != nil {
		p.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// again starts the server anew, with other flags.
func (p *throughProvider) again(flags ...string) {
	p.Helper()
	if code := p.end(); code != 0 {
		p.Fatalf("serve: exit status %d\n%s", code, p.stderr)
	}
	p.server = spawn(p.T, p.data, flags...)
}

// visitor is a browser, which stops where stop says.
type visitor struct {
	*http.Client
	stop func(*url.URL) bool
}

func (p *throughProvider) browser() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.Fatal(err)
	}
	v := &visitor{stop: func(*url.URL) bool { return false }}
	dial := func(ctx context.Context, network, at string) (net.Conn, error) {
		if strings.HasPrefix(at, "vault.example.test:") {
			at = strings.TrimPrefix(p.url, "https://")
		}
		return new(net.Dialer).DialContext(ctx, network, at)
	}
	v.Client = &http.Client{
		Jar:       jar,
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if v.stop(r.URL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return v
}

// shown is a page, and where it is.
type shown struct {
	status int
	at     *url.URL
	html   string
}

func (p *throughProvider) open(resp *http.Response, err error) shown {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	s := shown{resp.StatusCode, resp.Request.URL, string(body)}
	if to, err := resp.Location(); err == nil { // not gone to
		s.at = to
	}
	return s
}

// says changes what the provider tells of Zoe.
func (p *throughProvider) says(person map[string]any) {
	p.Helper()
	person["Name"], person["Email"] = "Zoe", "zoe@example.com"
	b, err := json.Marshal(person)
	if err != nil {
		p.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.Context(), "PUT", p.issuer+"/test/people/zoe", strings.NewReader(string(b)))
	if err != nil {
		p.Fatal(err)
	}
	if s := p.open(p.browser().Do(r)); s.status != 200 {
		p.Fatal(s)
	}
}

// comes signs in as Zoe: from our page to the provider, past its own, and back.
func (p *throughProvider) comes(v *visitor) shown {
	p.Helper()
	login := p.open(v.Get(vaultURL + "/console/oidc/start"))
	if login.at.Path != "/login/username" {
		p.Fatalf("the provider shows %s: %d\n%s", login.at, login.status, login.html)
	}
	return p.open(v.PostForm(p.issuer+"/login/username", url.Values{
		"id": {login.at.Query().Get("authRequestID")}, "username": {"zoe"}, "password": {"verysecure"},
	}))
}

// back is comes as far as the address with the answer, which is not gone to.
func (p *throughProvider) back(v *visitor) *url.URL {
	p.Helper()
	stop := v.stop
	v.stop = func(to *url.URL) bool { return to.Path == "/console/oidc/callback" }
	defer func() { v.stop = stop }()
	at := p.comes(v).at
	if at.Host != "vault.example.test" || at.Query().Get("code") == "" || at.Query().Get("state") == "" {
		p.Fatalf("led back to %s", at)
	}
	return at
}

// in wants somebody to be in, or to be refused with words.
func (p *throughProvider) in(s shown, status int, words string) {
	p.Helper()
	if in := s.at.Path == "/console/main/documents"; s.status != status || in != (status == 200) || !strings.Contains(s.html, words) {
		p.Errorf("%d at %s, not %d with %q\n%s", s.status, s.at, status, words, s.html)
	}
}

// ask asks the API.
func (p *throughProvider) ask(key, method, path, body string) (status int, answer map[string]any) {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, vaultURL+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	s := p.open(p.browser().Do(r))
	if err := json.Unmarshal([]byte(s.html), &answer); err != nil {
		p.Fatalf("%s %s: %d %s", method, path, s.status, s.html)
	}
	return s.status, answer
}

// zoe is the user that was made of her.
func (p *throughProvider) zoe() map[string]any {
	p.Helper()
	_, page := p.ask(p.admin, "GET", "/v1/users", "")
	for _, item := range page["items"].([]any) {
		if u := item.(map[string]any); u["email"] == "zoe@example.com" {
			return u
		}
	}
	p.Fatalf("she is nobody: %v", page)
	return nil
}

// entries counts the entries of an operation.
func (p *throughProvider) entries(op string) int {
	p.Helper()
	_, page := p.ask(p.admin, "GET", "/v1/audit/entries?limit=500&op="+op, "")
	return len(page["items"].([]any))
}

// TestIdentityProvider: somebody comes in through a real provider, by her groups, and
// is out when she has lost them or stays away. What another server of the provider's
// kind is needed for stands in httpapi/oidc.
func TestIdentityProvider(t *testing.T) {
	t.Parallel()
	p := newThroughProvider(t)
	p.says(map[string]any{"Groups": []string{"editors", "others"}})
	zoes := p.browser()
	p.in(p.comes(zoes), 200, "")
	she := p.zoe() // her name and address stand at the userinfo endpoint
	if she["access"] != "upload" || she["name"] != "Zoe Doe" || she["status"] != "active" {
		t.Errorf("%v", she)
	}
	_, made := p.ask(p.admin, "POST", "/v1/api-keys", `{"name":"hers","userId":"`+she["id"].(string)+`"}`)
	key := made["secret"].(string)
	works := func(status int, code any) {
		t.Helper()
		if got, answer := p.ask(key, "GET", "/v1/me", ""); got != status || answer["errorCode"] != code {
			t.Errorf("her key: %d %v", got, answer)
		}
	}
	works(200, nil)

	p.says(map[string]any{"Groups": []string{"staff"}, "Userinfo": true}) // the claim too
	p.in(p.comes(p.browser()), 200, "")
	if she := p.zoe(); she["access"] != "view" {
		t.Errorf("%v", she)
	}
	p.says(map[string]any{"Groups": nil})
	p.in(p.comes(p.browser()), 403, "does not say which groups")
	works(200, nil)
	p.says(map[string]any{"Groups": []string{"editors"}})

	v := p.browser()
	answer := p.back(v)
	p.in(p.open(p.browser().Get(answer.String())), 400, "not begun in this browser")
	p.in(p.open(v.Get(answer.String())), 200, "")
	p.in(p.open(v.Get(answer.String())), 400, "not begun in this browser")
	next := p.back(v)
	forged := *next // her own state, and a code that was used
	q := next.Query()
	q.Set("code", answer.Query().Get("code"))
	forged.RawQuery = q.Encode()
	p.in(p.open(v.Get(forged.String())), 403, "did not say who you are")
	p.in(p.open(v.Get(next.String())), 400, "not begun in this browser") // the way back is used up

	p.says(map[string]any{"Groups": []string{}})
	p.in(p.comes(p.browser()), 403, "None of your groups")
	works(401, "AUTHORIZATION_TOKEN_REVOKED")
	if s := p.open(zoes.Get(vaultURL + "/console/main/documents")); s.at.Path != "/console/sign-in" {
		t.Errorf("she has left, and is at %s", s.at)
	}
	p.says(map[string]any{"Groups": []string{"admins"}})
	p.in(p.comes(zoes), 200, "")
	works(200, nil)
	for op, want := range map[string]int{"session.started": 4, "user.identified": 3, "user.created": 2} {
		if got := p.entries(op); got != want {
			t.Errorf("%d entries %s, not %d", got, op, want)
		}
	}

	p.again(append(p.flags, "--oidc-max-age", "1s")...)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if got, _ := p.ask(key, "GET", "/v1/me", ""); got == 401 {
			break
		}
	}
	works(401, "AUTHORIZATION_TOKEN_EXPIRED")
	if s := p.open(zoes.Get(vaultURL + "/console/main/documents")); s.at.Path != "/console/sign-in" {
		t.Errorf("she has stayed away, and is at %s", s.at)
	}
	p.in(p.comes(zoes), 200, "")
	works(200, nil)

	p.again(p.without...) // the system does not know the provider's authority
	if s := p.open(p.browser().Get(vaultURL + "/console/oidc/start")); s.status != 502 || !strings.Contains(s.html, "does not answer") {
		t.Errorf("%d %s", s.status, s.html)
	}
}

// TestProviderFlags: what does not fit is refused before anything is made, and names
// the flag; a provider that is away keeps no server from starting.
func TestProviderFlags(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string { return writeFile(t, filepath.Join(dir, name), content) }
	groups, empty := file("groups", "staff main:view\n"), file("empty", "\n")
	missing := filepath.Join(dir, "missing")
	whole := map[string]string{"public-url": vaultURL, "oidc-issuer": "https://127.0.0.1:1", "oidc-client-id": "strongroom", "oidc-map": groups}
	with := func(pairs ...string) []string {
		flags := maps.Clone(whole)
		for i := 0; i < len(pairs); i += 2 {
			flags[pairs[i]] = pairs[i+1]
		}
		var args []string
		for name, value := range flags {
			if value != "" {
				args = append(args, "--"+name, value)
			}
		}
		return args
	}
	for name, refused := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"no issuer":             {[]string{"--oidc-map", groups}, 2, []string{"--oidc-map", "--oidc-issuer"}},
		"a claim of no issuer":  {[]string{"--oidc-claim", "roles"}, 2, []string{"--oidc-claim", "--oidc-issuer"}},
		"an age of no issuer":   {[]string{"--oidc-max-age", "1d"}, 2, []string{"--oidc-max-age", "--oidc-issuer"}},
		"no public URL":         {with("public-url", ""), 2, []string{"--public-url"}},
		"no client":             {with("oidc-client-id", ""), 2, []string{"--oidc-client-id"}},
		"no map":                {with("oidc-map", ""), 2, []string{"--oidc-map"}},
		"no console":            {append(with(), "--console=false"), 2, []string{"--console"}},
		"a map that is away":    {with("oidc-map", missing), 1, []string{"--oidc-map", missing}},
		"a map of nobody":       {with("oidc-map", empty), 2, []string{"--oidc-map", "no line"}},
		"a map that is wrong":   {with("oidc-map", file("wrong", "staff main:root\n")), 2, []string{"--oidc-map", "line 1", "root"}},
		"a secret that is away": {with("oidc-client-secret-file", missing), 1, []string{"--oidc-client-secret-file", missing}},
		"an empty secret":       {with("oidc-client-secret-file", empty), 2, []string{"--oidc-client-secret-file", "empty"}},
		"an authority away":     {with("oidc-ca", missing), 1, []string{"--oidc-ca", missing}},
		"an authority of none":  {with("oidc-ca", empty), 2, []string{"--oidc-ca", "certificate"}},
		"an age of nothing":     {with("oidc-max-age", "0s"), 2, []string{"oidc-max-age", "12h"}},
		"an age of ever":        {with("oidc-max-age", "9000d"), 2, []string{"oidc-max-age", "366d"}},
		"a plain issuer":        {with("oidc-issuer", "http://id.example.com"), 2, []string{"--oidc-issuer", "https"}},
		"an issuer of a query":  {with("oidc-issuer", "https://id.example.com/?tenant=1"), 2, []string{"--oidc-issuer"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			r := run(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, refused.args...)...)
			if first, _, _ := strings.Cut(strings.TrimSpace(r.stderr), "\n"); refused.code == 2 {
				r.stderr = first // how the command is used comes after it
			}
			r.expect(t, refused.code, refused.words...)
			if _, err := os.Stat(data); err == nil {
				t.Error("a data directory was made")
			}
		})
	}
	s := startServer(t, filepath.Join(dir, "data"), with()...)
	resp, err := http.Get(s.url + "/console/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.Contains(string(page), "/console/oidc/start") || !strings.Contains(string(page), "127.0.0.1:1") {
		t.Errorf("%s\n%s", resp.Status, page)
	}
}
