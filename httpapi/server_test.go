package httpapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestLongPollAnswersWhatCame(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	head := k.vaults["main"].Head().Seq
	type result struct {
		status int
		body   string
	}
	got := make(chan result)
	go func() {
		a, body := k.do("view", "GET", "/v1/audit/entries?op=document.created&wait=60&after=0", nil)
		got <- result{a.StatusCode, body}
	}()
	k.wait(&k.began, 1)
	// An entry that does not match wakes it in vain.
	k.vaults["main"].Person("somebody else", engine.AccessView)
	k.vaults["main"].Create("a.txt", "a")
	r := <-got
	var page List[struct{ Seq uint64 }]
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 || len(page.Items) != 1 || page.Items[0].Seq <= head {
		t.Error(r.status, r.body, err)
	}
}

func TestStopEndsLongPolls(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	got := make(chan string)
	poll := fmt.Sprintf("/v1/audit/entries?after=%d&wait=60", k.vaults["main"].Head().Seq)
	go func() {
		_, body := k.do("view", "GET", poll, nil)
		got <- body
	}()
	k.wait(&k.began, 1)
	k.server.Stop()
	if body := <-got; body != `{"items":[]}`+"\n" {
		t.Error(body)
	}
	// Those to come do not wait, and everything else is served.
	if _, body := k.do("view", "GET", poll, nil); body != `{"items":[]}`+"\n" {
		t.Error(body)
	}
	if a, _ := k.do("view", "GET", "/v1/me", nil); a.StatusCode != 200 {
		t.Error(a.StatusCode)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for id, sane := range map[string]bool{
		"abc-1.2_X": true, strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false, "a b": false, "ü": false, `a"b`: false, "": false,
	} {
		a, body := k.do("", "GET", "/v1/nothing", nil, "X-Request-Id", id)
		is := a.Header.Get("X-Request-Id")
		if sane != (is == id) || !sane && len(is) != 26 || !strings.Contains(body, `"requestId":"`+is+`"`) {
			t.Errorf("%q became %q: %s", id, is, body)
		}
	}
}

// TestLogLine: one line for each request, with what it did and nothing secret.
func TestLogLine(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	k.do("upload", "POST", "/v1/documents?fileName=private.txt&description=private", strings.NewReader("private"), "X-Request-Id", "first")
	k.do("", "GET", "/v1/nothing", nil)
	k.http.Close() // waits for the handlers
	lines := strings.Split(strings.TrimSpace(k.log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), k.log)
	}
	var line struct {
		Request, User, Method, Route string
		Status, Bytes                int
		Duration                     *float64
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	if line.Request != "first" || line.User != k.ids["upload"] || line.Method != "POST" || line.Route != "/v1/documents" ||
		line.Status != 201 || line.Bytes < 100 || line.Duration == nil {
		t.Error(lines[0])
	}
	for _, secret := range []string{"private", "sr_main"} {
		if strings.Contains(k.log.String(), secret) {
			t.Errorf("the log tells %q: %s", secret, k.log)
		}
	}
}

// TestExpectContinue: a client that asks first is refused before it sends.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{MaxUpload: 1000})
	k.http.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	send := func(path string, size int) int {
		r, err := http.NewRequest("POST", k.http.URL+path, io.LimitReader(tripwireAfter{t, size > 1000}, int64(size)))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = int64(size)
		r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
		r.Header.Set("Expect", "100-continue")
		a, err := k.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a.StatusCode
	}
	if status := send("/v1/documents?fileName=a.bin", 1000); status != 201 {
		t.Error(status)
	}
	if status := send("/v1/documents?fileName=a.bin", 1001); status != 413 {
		t.Error(status)
	}
	if status := send("/v1/documents/01JD6QGZ3MZ4Y8T6V1E9B7K2RW/versions?fileName=a.bin", 1001); status != 404 {
		t.Error(status)
	}
}

// tripwireAfter is a body that may be forbidden to be sent.
type tripwireAfter struct {
	t         *testing.T
	forbidden bool
}

func (w tripwireAfter) Read(p []byte) (int, error) {
	if w.forbidden {
		w.t.Error("the body was sent")
	}
	clear(p)
	return len(p), nil
}

// TestDownloadsReachTheFile: net/http sends a file without copying it through
// the process only if it sees the *os.File, and its own ReadFrom.
func TestDownloadsReachTheFile(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	v := k.vaults["main"]
	d := v.Create("a.txt", "the content")
	_, f, _, err := v.OpenContent(t.Context(), v.Admin, d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.(*os.File); !ok {
		t.Errorf("the content is a %T", f)
	}
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest("GET", "/v1/documents/"+d.ID+"/content", nil)
	r.Header.Set("Authorization", "Bearer "+k.tokens["view"])
	k.server.ServeHTTP(w, r)
	limited, ok := w.src.(*io.LimitedReader)
	if !ok {
		t.Fatalf("ReadFrom was given a %T", w.src)
	}
	if _, ok := limited.R.(*os.File); !ok || w.Body.String() != "the content" {
		t.Errorf("ReadFrom was given a %T, sent %q", limited.R, w.Body)
	}
}

type readerFrom struct {
	*httptest.ResponseRecorder
	src io.Reader
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.src = src
	return io.Copy(w.ResponseRecorder, src)
}

// TestOperator: a server may be told by its host who asks.
func TestOperator(t *testing.T) {
	t.Parallel()
	var k *kit
	k = newKit(t, Options{Authenticate: func(r *http.Request) (*engine.Vault, engine.Actor, error) {
		v := k.vaults[r.Header.Get("X-Strongroom-Vault")]
		if v == nil {
			return nil, engine.Actor{}, engine.ErrInvalidToken
		}
		return v.Vault, engine.Operator(), nil
	}})
	a, body := k.do("", "GET", "/v1/me", nil, "X-Strongroom-Vault", "other")
	var me Me
	if err := json.Unmarshal([]byte(body), &me); err != nil || a.StatusCode != 200 || me.User != nil || me.Key != nil ||
		me.Access != engine.AccessAdmin || me.Organization.Name != "other" {
		t.Error(a.StatusCode, body, err)
	}
	if a, _ := k.do("", "GET", "/v1/me", nil); a.StatusCode != 401 {
		t.Error(a.StatusCode)
	}
	a, body = k.do("", "POST", "/v1/users", strings.NewReader(`{"name":"Ada","access":"view"}`), "X-Strongroom-Vault", "main")
	if a.StatusCode != 201 {
		t.Error(a.StatusCode, body)
	}
}

// TestUnavailable: while a vault cannot be asked, no key is called wrong, and
// all keys that are not right get the same answer, so that it tells nobody of
// which organization the vault is, nor which there are.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]Options{"closed": {}, "not opened": {Unopened: map[string]string{"gone": "it is /no/vault"}}} {
		k := newKit(t, o)
		if what == "closed" {
			if err := k.vaults["other"].Close(); err != nil {
				t.Fatal(err)
			}
		}
		view := k.tokens["view"]
		k.tokens["wrong"] = view[:len(view)-4] + "AAAA"
		k.tokens["unknown"] = strings.Replace(view, "main", "nobody", 1)
		k.tokens["gone"] = strings.Replace(view, "main", "gone", 1)
		k.tokens["none"] = "hello"
		var first string
		for _, key := range []string{"wrong", "unknown", "gone", "other"} {
			if key == "other" && what != "closed" {
				continue
			}
			a, body := k.do(key, "GET", "/v1/me", nil, "X-Request-Id", "same")
			a.Header.Del("Date")
			said := fmt.Sprint(a.Status, a.Header, body)
			if first == "" {
				first = said
			}
			if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || said != first {
				t.Errorf("%s: the key %q gets %s", what, key, said)
			}
		}
		if a, _ := k.do("view", "GET", "/v1/me", nil); a.StatusCode != 200 {
			t.Errorf("%s: a right key gets %d", what, a.StatusCode)
		}
		if a, _ := k.do("none", "GET", "/v1/me", nil); a.StatusCode != 401 {
			t.Errorf("%s: what is no key gets %d", what, a.StatusCode)
		}
		if _, body := k.do("", "GET", "/readyz", nil); body != `{"status":"unavailable"}`+"\n" {
			t.Errorf("%s: strangers are told %s", what, body)
		}
		a, body := k.do("view", "GET", "/readyz", nil)
		if a.StatusCode != 503 || body != `{"status":"unavailable","reasons":["another vault of this server cannot be used"]}`+"\n" {
			t.Errorf("%s: %d %s", what, a.StatusCode, body)
		}
		if cause := map[string]string{"closed": "the vault is closed", "not opened": "it is /no/vault"}[what]; !strings.Contains(k.log.String(), cause) {
			t.Errorf("%s: the cause is not in the log:\n%s", what, k.log)
		}
	}
}

// TestReasons: the operator is told all of them, a host's caller those of their
// own vault.
func TestReasons(t *testing.T) {
	t.Parallel()
	var k *kit
	k = newKit(t, Options{
		Unopened: map[string]string{"gone": "it is /no/vault"},
		Authenticate: func(r *http.Request) (*engine.Vault, engine.Actor, error) {
			if r.Header.Get("X-Operator") != "" {
				return nil, engine.Operator(), nil
			}
			return k.vaults["other"].Vault, engine.Actor{UserID: k.ids["other"], Access: engine.AccessView}, nil
		},
	})
	if err := k.vaults["other"].Close(); err != nil {
		t.Fatal(err)
	}
	if _, body := k.do("", "GET", "/readyz", nil, "X-Operator", "yes"); body != `{"status":"unavailable","reasons":["vault \"gone\": it is /no/vault","vault \"other\": the vault is closed"]}`+"\n" {
		t.Error(body)
	}
	if _, body := k.do("", "GET", "/readyz", nil); body != `{"status":"unavailable","reasons":["another vault of this server cannot be used","the vault cannot be used: closed"]}`+"\n" {
		t.Error(body)
	}
	if a, body := k.do("", "GET", "/v1/me", nil); a.StatusCode != 503 || !strings.Contains(body, `"reason":"closed"`) {
		t.Error(a.StatusCode, body)
	}
}

// TestUploadsAreStreamed: a client that goes away in the middle of a large file
// leaves nothing, however far it came. That nothing is left, newKit checks.
func TestClientGoesAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	body, client := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "POST", k.http.URL+"/v1/documents?fileName=large.bin", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
	done := make(chan error)
	go func() {
		_, err := k.http.Client().Do(r)
		done <- err
	}()
	client.Write(make([]byte, 1<<20))
	cancel()
	client.CloseWithError(context.Canceled) // the transport reads the body to its end
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
	k.wait(&k.ended, 1)
	page, err := k.vaults["main"].Documents(t.Context(), engine.DocumentQuery{Status: "all"})
	if err != nil || len(page.Items) != 0 {
		t.Error(page, err)
	}
}

// TestRefusalsAreShort: what is sent back of a hostile request is not the
// request, many times over.
func TestRefusalsAreShort(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	var query, tags strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&query, "&q%d=", i)
		fmt.Fprintf(&tags, `,"tag,%d"`, i)
	}
	long := strings.Repeat("-", 500_000)
	for _, body := range []string{
		`{"tags":["a"` + tags.String() + `]}`,
		`{"customFields":{"` + long + `":1}}`,
		`{"` + long + `":1}`,
	} {
		if a, said := k.do("upload", "PATCH", "/v1/documents/"+someID, strings.NewReader(body), "Content-Type", "application/json"); a.StatusCode != 400 || len(said) > 10_000 {
			t.Errorf("%.50s: %d, %d bytes: %.200s", body, a.StatusCode, len(said), said)
		}
	}
	if a, said := k.do("view", "GET", "/v1/documents?limit=1"+query.String(), nil); a.StatusCode != 400 || strings.Count(said, `"field"`) != maxWrong {
		t.Errorf("%d, %d bytes: %.200s", a.StatusCode, len(said), said)
	}
}

// TestLocationWithoutHost: HTTP/1.0 has no Host, so there is none to name.
func TestLocationWithoutHost(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{Prefix: "/vault"})
	conn, err := net.Dial("tcp", k.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /vault/v1/documents?fileName=a HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: 1\r\n\r\na", k.tokens["upload"])
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if location := answer.Header.Get("Location"); !strings.HasPrefix(location, "/vault/v1/documents/") {
		t.Errorf("%s, Location: %s", answer.Status, location)
	}
}

// TestVersionsBoundToFail are refused before their file is read.
func TestVersionsBoundToFail(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	main := k.vaults["main"]
	live, archived, gone := main.Create("a", "a"), main.Create("b", "b"), main.Create("c", "c")
	if _, _, err := main.ArchiveDocument(t.Context(), main.Admin, archived.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := main.DeleteDocument(t.Context(), main.Admin, gone.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, ifMatch string
		status      int
	}{{someID, "*", 404}, {gone.ID, "*", 410}, {archived.ID, "*", 409}, {live.ID, `"7"`, 412}, {live.ID, `W/"1"`, 412}, {archived.ID, `"1"`, 412}} {
		r := httptest.NewRequest("POST", "/v1/documents/"+c.id+"/versions", tripwire{t})
		r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
		r.Header.Set("If-Match", c.ifMatch)
		w := httptest.NewRecorder()
		k.server.ServeHTTP(w, r)
		if w.Code != c.status || c.status == 412 && w.Header().Get("ETag") == "" {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// TestFilesThatCannotBeCalledThat are refused before they are read.
func TestFilesThatCannotBeCalledThat(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for _, c := range []struct{ query, contentType string }{
		{"fileName=..", ""}, {"fileName=a", "text"}, {"fileName=a", `application/pdf; name="a & b"`},
		{"fileName=a&nonsense=1", ""}, {"fileName=a&customFields=%7B", ""}, {"name=a", "text"},
	} {
		r := httptest.NewRequest("POST", "/v1/documents?"+c.query, tripwire{t})
		r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		k.server.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// What is said of an answer without net/http's help is said by net/http's names.
func TestHeaderNames(t *testing.T) {
	k := enginetest.NewWith(t, engine.Options{ReserveBytes: -1})
	server := New(map[string]*engine.Vault{k.Name(): k.Vault}, Options{})
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://localhost/v1/documents?fileName=a.txt", strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	r.TLS = &tls.ConnectionState{}
	r.Host = "localhost"
	r.Header.Set("Authorization", "Bearer "+k.Token)
	w := &written{header: http.Header{}}
	server.ServeHTTP(w, r)
	for name, values := range w.header {
		if name != http.CanonicalHeaderKey(name) || len(values) != 1 || values[0] == "" {
			t.Errorf("%s: %q", name, values)
		}
	}
	for _, name := range []string{"Cache-Control", "Content-Length", "Content-Type", "Cross-Origin-Resource-Policy", "ETag", "Location",
		"Strict-Transport-Security", "X-Audit-Hash", "X-Audit-Seq", "X-Content-Type-Options", "X-Request-Id"} {
		if w.header.Get(name) == "" {
			t.Errorf("%s is not said", name)
		}
	}
}
