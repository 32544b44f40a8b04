package signin

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

// kit is a server of two real vaults with their API, pages and sign-in, over a real
// connection.
type kit struct {
	testing.TB
	main, other *enginetest.Kit
	signIn      *Server
	http        *httptest.Server
	vaults      map[string]*engine.Vault
	address     httpapi.Address

	mu    sync.Mutex
	later time.Duration
}

func newKit(t testing.TB) *kit { return newKitWith(t, httpapi.Address{}) }

func newKitWith(t testing.TB, a httpapi.Address) *kit {
	t.Helper()
	k := &kit{TB: t, vaults: map[string]*engine.Vault{}, address: a}
	k.main = enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: -1})
	k.other = enginetest.NewWith(t, engine.Options{Name: "other", ReserveBytes: -1})
	k.vaults["main"], k.vaults["other"] = k.main.Vault, k.other.Vault
	k.start()
	t.Cleanup(func() {
		k.http.Close()
		must(t, k.signIn.Close())
	})
	return k
}

func (k *kit) start() {
	k.Helper()
	log := zerolog.Nop() // a target of fuzzing must not log
	dirs := map[string]string{"main": k.main.Dir, "other": k.other.Dir}
	k.signIn = New(k.vaults, Options{Address: k.address, Dir: func(name string) string { return dirs[name] }, Consent: k.address.Prefix + console.Consent, Logger: log})
	k.signIn.now = k.now
	api := httpapi.New(k.vaults, httpapi.Options{Prefix: k.address.Prefix, PublicURL: k.address.PublicURL, AllowedHosts: k.address.AllowedHosts, Tokens: k.signIn, Logger: log})
	pages, err := console.New(k.vaults, console.Options{Prefix: k.address.Prefix, PublicURL: k.address.PublicURL, Programs: k.signIn, Logger: log})
	must(k, err)
	k.Cleanup(func() { pages.Close() })
	k.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case k.signIn.Serves(r.URL.Path):
			k.signIn.ServeHTTP(w, r)
		case pages.Serves(r.URL.Path):
			pages.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (k *kit) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Add(k.later)
}

func (k *kit) passes(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.later += d
}

// client registers a program with main.
func (k *kit) client(n engine.NewClient) (engine.Client, string) {
	k.Helper()
	if n.Name == "" {
		n.Name = "ERP"
	}
	c, secret, _, err := k.main.CreateClient(k.Context(), k.main.Admin, n)
	must(k, err)
	return c, secret.Reveal()
}

// service is a client that acts as a new person, by itself.
func (k *kit) service(access engine.Access) (c engine.Client, secret, user string) {
	k.Helper()
	who, _ := k.main.Person("Grace", access)
	c, secret = k.client(engine.NewClient{Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: who.UserID})
	return c, secret, who.UserID
}

// answer is what the endpoint says.
type answer struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   map[string]any
}

func (a answer) text(member string) string {
	s, _ := a.Body[member].(string)
	return s
}

// refused wants an error of RFC 6749 section 5.2.
func (a answer) refused(status int, code code) {
	a.t.Helper()
	if a.Status != status || a.text("error") != string(code) || a.text("error_description") == "" || a.Header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%d %v, not %d %s", a.Status, a.Body, status, code)
	}
	if status == 401 && a.Header.Get("WWW-Authenticate") != `Basic realm="strongroom"` {
		a.t.Errorf("401 with WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
	}
}

// tokens wants tokens.
func (a answer) tokens() (access, refresh string) {
	a.t.Helper()
	if a.Status != 200 || a.text("token_type") != "Bearer" || a.text("access_token") == "" || a.Body["expires_in"] != 3600.0 || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Pragma") != "no-cache" {
		a.t.Fatalf("%d %v %v", a.Status, a.Header, a.Body)
	}
	return a.text("access_token"), a.text("refresh_token")
}

// pairs makes a form.
func pairs(fields ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return form
}

// send posts a form; header is what goes along, in pairs.
func (k *kit) send(path string, form url.Values, header ...string) answer {
	k.Helper()
	r, err := http.NewRequestWithContext(k.Context(), "POST", k.http.URL+k.address.Prefix+path, strings.NewReader(form.Encode()))
	must(k, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(k, err)
	defer resp.Body.Close()
	a := answer{t: k, Status: resp.StatusCode, Header: resp.Header}
	if resp.Header.Get("X-Request-Id") == "" {
		k.Errorf("%s: no X-Request-Id", path)
	}
	b, err := io.ReadAll(resp.Body)
	must(k, err)
	if err := json.Unmarshal(b, &a.Body); err != nil {
		k.Fatalf("%s: %v: %s", path, err, b)
	}
	return a
}

func (k *kit) token(fields ...string) answer {
	k.Helper()
	return k.send("/oauth/token", pairs(fields...))
}

// api asks the API with a token, and returns the status, the code of an error, and
// the answer.
func (k *kit) api(token, method, path, body string) (int, string, *http.Response) {
	k.Helper()
	r, err := http.NewRequestWithContext(k.Context(), method, k.http.URL+k.address.Prefix+path, strings.NewReader(body))
	must(k, err)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	must(k, err)
	defer resp.Body.Close()
	var e struct{ ErrorCode string }
	b, _ := io.ReadAll(resp.Body)
	json.Unmarshal(b, &e)
	return resp.StatusCode, e.ErrorCode, resp
}

// works wants a token to do, or to be refused with a status and a code.
func (k *kit) works(token string, status int, code string) {
	k.Helper()
	if got, said, _ := k.api(token, "GET", "/v1/me", ""); got != status || said != code {
		k.Errorf("GET /v1/me: %d %s, not %d %s", got, said, status, code)
	}
}

// browser is a person at a browser, who is led nowhere by herself.
type browser struct {
	k      *kit
	client *http.Client
}

func (k *kit) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(k, err)
	return &browser{k, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is what a browser shows, and where it was led.
type page struct {
	status int
	header http.Header
	html   string
	at     *url.URL // ours, or another's that was not gone to
}

// get follows redirects as long as they stay here.
func (b *browser) get(to string) page { return b.do("GET", to, nil) }

func (b *browser) do(method, to string, form url.Values) page {
	b.k.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.k.http.URL + to
	}
	for range 8 {
		r, err := http.NewRequestWithContext(b.k.Context(), method, to, strings.NewReader(form.Encode()))
		must(b.k, err)
		if method == "POST" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", b.k.http.URL)
		}
		resp, err := b.client.Do(r)
		must(b.k, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode/100 != 3 {
			return page{resp.StatusCode, resp.Header, string(body), r.URL}
		}
		next, err := r.URL.Parse(resp.Header.Get("Location"))
		must(b.k, err)
		if next.Host != r.URL.Host || next.Scheme != r.URL.Scheme {
			return page{resp.StatusCode, resp.Header, "", next}
		}
		method, to, form = "GET", next.String(), nil
	}
	b.k.Fatal("led in a circle")
	return page{}
}

var field = regexp.MustCompile(`<input[^>]* name="([a-z]+)" value="([^"]*)"`)

// fields are the hidden fields of the form on a page.
func (p page) fields() url.Values {
	form := url.Values{}
	for _, m := range field.FindAllStringSubmatch(p.html, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// signIn gives the key that the page asks for.
func (b *browser) signIn(p page, key string) page {
	b.k.Helper()
	form := p.fields()
	form.Set("key", key)
	return b.do("POST", b.k.address.Prefix+"/console/sign-in", form)
}

// say answers the page of consent.
func (b *browser) say(p page, yes string) page {
	b.k.Helper()
	form := p.fields()
	form.Set("consent", yes)
	return b.do("POST", p.at.Path, form)
}

// consent goes all the way, and returns what the program is told.
func (b *browser) consent(to, key string) url.Values {
	b.k.Helper()
	p := b.say(b.signIn(b.get(to), key), "yes")
	if p.at.Host == b.k.http.Listener.Addr().String() {
		b.k.Fatalf("led to %s: %d %s", p.at, p.status, p.html)
	}
	return p.at.Query()
}

// keyPair is a client's key, and what the client is registered with.
func keyPair(t testing.TB) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes an assertion.
func sign(t testing.TB, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	must(t, err)
	c, err := json.Marshal(claims)
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	must(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// rows counts what is kept.
func (t *tokens) rows() (n int) {
	t.db.View(func(b *bbolt.Tx) error {
		for _, name := range [][]byte{bucketTokens, bucketFamilies, bucketAssertions, bucketEnds} {
			n += b.Bucket(name).Stats().KeyN
		}
		return nil
	})
	return n
}
