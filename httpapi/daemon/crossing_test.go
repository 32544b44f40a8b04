package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// part is a member as a test says it is.
type part struct {
	vault   *engine.Vault
	owns    bool
	refused atomic.Bool   // it may not answer as the owner
	quiet   atomic.Int64  // since the store was heard
	owner   atomic.Value  // its URL, a string
	done    chan struct{} // closed by the test
	server  string        // the owner's name
}

func (p *part) Vault() *engine.Vault        { return p.vault }
func (p *part) Owns() bool                  { return p.owns }
func (p *part) Done() <-chan struct{}       { return p.done }
func (p *part) Err() error                  { return nil }
func (p *part) Close(context.Context) error { return nil }

func (p *part) Current() error {
	if p.refused.Load() {
		return errors.New("the lease is old")
	}
	return nil
}

func (p *part) Owner() (string, bool) {
	url, _ := p.owner.Load().(string)
	return url, url != ""
}

func (p *part) Standing() standing {
	return standing{Owner: p.server, Quiet: time.Duration(p.quiet.Load())}
}

// side is one server of a cluster of two.
type side struct {
	part *part
	url  string
	log  *bytes.Buffer
}

// twoSides serve one vault: the first owns it, the second follows. What the second
// has is the vault as it was when the test began; apply brings nothing.
func twoSides(t *testing.T) (owner, follower *side, key string) {
	t.Helper()
	at := datadir.Place{Data: t.TempDir(), Vault: "main"}
	secret, err := datadir.Create(t.Context(), at, engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		t.Fatal(err)
	}
	copied := datadir.Place{Data: t.TempDir(), Vault: "main"}
	if err := os.CopyFS(copied.Dir(), os.DirFS(at.Dir())); err != nil {
		t.Fatal(err)
	}
	storeKey := [32]byte{1}
	owner, follower = newSide(t, at, true, storeKey), newSide(t, copied, false, storeKey)
	follower.part.owner.Store(owner.url)
	owner.part.owner.Store(owner.url)
	return owner, follower, secret.Reveal()
}

func newSide(t *testing.T, at datadir.Place, owns bool, storeKey [32]byte) *side {
	t.Helper()
	v, err := datadir.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{part: &part{vault: v, owns: owns, done: make(chan struct{})}, log: &bytes.Buffer{}}
	c := &crossing{members: map[string]member{"main": s.part}, forward: &forwarder{hops: newHops(&storeKey), transport: newTransport()}, patience: 50 * time.Millisecond}
	o := Options{Place: at, Console: true, Stderr: io.Discard}
	vaults, log := map[string]*engine.Vault{"main": v}, zerolog.Nop()
	read := readers{deliveries: startDeliveries(o, vaults, log), pictures: startPictures(at, vaults, startReader(Options{Place: at, Reader: Reader{PDF: PDFOff}}, log).painter, log)}
	in, err := o.rooms(served{vaults: vaults, readers: read, counted: httpapi.NewMetrics(), collect: func(*httpapi.Exposition) {}, crossing: c}, log)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(framed(in.public))
	s.url = server.URL
	c.forward.own = s.url
	t.Cleanup(func() {
		in.hurry()
		server.Close()
		read.pictures.stop()
		if err := errors.Join(in.end(), read.deliveries.stop(), v.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request and returns the answer with its body.
func (s *side) ask(t *testing.T, key, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// want fails unless a request has the status, and returns the answer.
func (s *side) want(t *testing.T, status int, key, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	resp, answer := s.ask(t, key, method, path, body, header...)
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d\n%s", method, path, resp.Status, status, answer)
	}
	return resp, answer
}

func code(t *testing.T, answer string) (code, reason string) {
	t.Helper()
	var says struct {
		ErrorCode string
		Details   struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(answer), &says); err != nil {
		t.Fatal(err, answer)
	}
	return says.ErrorCode, says.Details.Reason
}

// TestClusterIsOneServer holds that who talks to a server that follows sees what who
// talks to the owner sees: what changes is done by the owner, and answered as it said.
func TestClusterIsOneServer(t *testing.T) {
	owner, follower, key := twoSides(t)
	resp, answer := follower.want(t, 201, key, "POST", "/v1/documents?name=a.txt", "hello", "Content-Type", "text/plain", "X-Request-Id", "mine")
	if resp.Header.Get("X-Audit-Seq") == "" || len(resp.Header.Values("X-Request-Id")) != 1 || resp.Header.Get("X-Request-Id") != "mine" || !strings.HasPrefix(resp.Header.Get("Location"), follower.url) {
		t.Errorf("the answer's header is %v", resp.Header)
	}
	var d struct{ ID string }
	json.Unmarshal([]byte(answer), &d)
	owner.want(t, 200, key, "GET", "/v1/documents/"+d.ID, "")
	owner.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", "")

	// What is refused is refused in the owner's words.
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/users", `{"nam":"x"}`, 400},
		{"PATCH", "/v1/documents/" + engine.NewID(), `{}`, 404},
		{"POST", "/v1/nothing", ``, 404},
		{"PUT", "/v1/documents", ``, 405},
		{"POST", "/v2.1/accounts/x/envelopes/y/lock", `{}`, 404},
	} {
		theirs, ours := first(owner.want(t, c.status, key, c.method, c.path, c.body, "X-Request-Id", "r")), first(follower.want(t, c.status, key, c.method, c.path, c.body, "X-Request-Id", "r"))
		if theirs != ours {
			t.Errorf("%s %s: the owner says\n%sthe other\n%s", c.method, c.path, theirs, ours)
		}
	}
	// A key that is wrong, or of a vault that is not there.
	follower.want(t, 401, "sr_main_xx_yy", "POST", "/v1/documents", "x")
	follower.want(t, 401, key+"x", "POST", "/v1/documents", "x")
	follower.want(t, 401, "", "POST", "/v1/documents", "x")
	follower.want(t, 200, "", "GET", "/livez", "")
}

func first(resp *http.Response, body string) string {
	resp.Header.Del("Date")
	return fmt.Sprint(resp.StatusCode, resp.Header, body)
}

// TestFollowerSaysAsOfWhen holds what a server that follows answers itself.
func TestFollowerSaysAsOfWhen(t *testing.T) {
	owner, follower, key := twoSides(t)
	old := follower.part.vault.Head().Seq
	resp, answer := owner.want(t, 201, key, "POST", "/v1/documents?name=a.txt", "hello", "Content-Type", "text/plain")
	seq := resp.Header.Get("X-Audit-Seq")
	var d struct{ ID string }
	json.Unmarshal([]byte(answer), &d)

	resp, _ = follower.want(t, 404, key, "GET", "/v1/documents/"+d.ID, "")
	if got := resp.Header.Get(httpapi.HeaderAsOf); got != strconv.FormatUint(old, 10) {
		t.Errorf("as of %q, want %d", got, old)
	}
	// From a receipt on, it is the owner's to answer if it does not come in time.
	resp, _ = follower.want(t, 200, key, "GET", "/v1/documents/"+d.ID, "", httpapi.HeaderAtLeast, seq)
	if got := resp.Header.Get(httpapi.HeaderAsOf); got != seq {
		t.Errorf("as of %q, want %s", got, seq)
	}
	resp, _ = follower.want(t, 200, key, "HEAD", "/v1/audit/head", "", httpapi.HeaderAtLeast, strconv.FormatUint(old, 10))
	if got := resp.Header.Get(httpapi.HeaderAsOf); got != strconv.FormatUint(old, 10) {
		t.Errorf("as of %q, want %d", got, old)
	}
	for _, wrong := range []string{"x", "-1", "1.5", "18446744073709551616"} {
		_, answer = follower.want(t, 400, key, "GET", "/v1/audit/head", "", httpapi.HeaderAtLeast, wrong)
		if code, _ := code(t, answer); code != "INVALID_REQUEST_PARAMETER" || !strings.Contains(answer, httpapi.HeaderAtLeast) {
			t.Error(answer)
		}
	}
	_, answer = follower.want(t, 409, key, "GET", "/v1/audit/head", "", httpapi.HeaderAtLeast, "1000000")
	if code, _ := code(t, answer); code != "LOG_BEHIND" {
		t.Error(answer)
	}
	// Signatures and deliveries are the owner's, with the same key.
	_, theirs := owner.want(t, 200, key, "GET", "/v1/log/checkpoint", "")
	if _, ours := follower.want(t, 200, key, "GET", "/v1/log/checkpoint", ""); ours != theirs {
		t.Errorf("the checkpoint is\n%s, and of the owner\n%s", ours, theirs)
	}
	// What has not heard the store for long serves nothing of its own.
	follower.part.quiet.Store(int64(maxQuiet + time.Second))
	follower.want(t, 200, key, "GET", "/v1/documents/"+d.ID, "")
}

// TestNobodyOwns holds what is said while the owner is not to be had.
func TestNobodyOwns(t *testing.T) {
	owner, follower, key := twoSides(t)
	refused := func(s *side, method, path, why string) {
		t.Helper()
		resp, answer := s.want(t, 503, key, method, path, "x", "Content-Type", "text/plain")
		if code, reason := code(t, answer); code != "VAULT_UNAVAILABLE" || reason != why || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %s %s\n%v", method, path, code, reason, resp.Header)
		}
	}
	// The owner is not sure of itself, and nobody else is known.
	owner.part.refused.Store(true)
	refused(owner, "GET", "/v1/audit/head", "owner")
	refused(owner, "POST", "/v1/documents?name=x", "owner")
	// What is passed on to it is not passed on again.
	refused(follower, "POST", "/v1/documents?name=x", "owner")
	owner.part.owner.Store(follower.url)
	refused(owner, "POST", "/v1/documents?name=x", "owner")
	owner.want(t, 200, "", "GET", "/livez", "")

	follower.part.owner.Store("")
	refused(follower, "POST", "/v1/documents?name=x", "owner")
	follower.part.owner.Store("http://127.0.0.1:1")
	refused(follower, "POST", "/v1/documents?name=x", "owner")
	follower.want(t, 200, key, "GET", "/v1/audit/head", "")

	// One that hangs up in the middle may have done it.
	broken := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	follower.part.owner.Store(broken.URL)
	refused(follower, "POST", "/v1/documents?name=x", string(engine.ReasonOutcomeUnknown))

	// One that is gone without a word is given up when its time is over.
	asked := make(chan struct{})
	gone := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	defer gone.Close()
	follower.part.owner.Store(gone.URL)
	go func() { <-asked; close(follower.part.done) }()
	refused(follower, "POST", "/v1/documents?name=x", string(engine.ReasonOutcomeUnknown))
}

// TestPassedOnWhole holds that large files go through in both directions as they are,
// and that a client which asks before it sends is answered by the owner.
func TestPassedOnWhole(t *testing.T) {
	owner, follower, key := twoSides(t)
	content := make([]byte, 8<<20)
	rand.Read(content)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", follower.url+"/v1/documents?name=%C3%BC%2Fchunked", io.MultiReader(bytes.NewReader(content)))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 201 {
		t.Fatal(resp.Status)
	}
	// A query that cannot be read is passed on as it is, to be refused.
	theirs, _ := owner.ask(t, key, "POST", "/v1/documents?name=a;b", "x", "Content-Type", "text/plain")
	ours, _ := follower.ask(t, key, "POST", "/v1/documents?name=a;b", "x", "Content-Type", "text/plain")
	if ours.StatusCode != theirs.StatusCode {
		t.Errorf("%s, and by the owner %s", ours.Status, theirs.Status)
	}
	_, answer := follower.want(t, 201, key, "POST", "/v1/documents?name=big", string(content), "Content-Type", "application/octet-stream")
	var d struct{ ID string }
	json.Unmarshal([]byte(answer), &d)
	follower.part.quiet.Store(int64(time.Hour)) // so that it asks the owner
	resp, got := follower.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", "")
	if got != string(content) || resp.ContentLength != int64(len(content)) {
		t.Errorf("%d bytes came back, of %d", len(got), len(content))
	}
	resp, got = follower.want(t, 206, key, "GET", "/v1/documents/"+d.ID+"/content", "", "Range", "bytes=1000-1999")
	if got != string(content[1000:2000]) {
		t.Errorf("the range is %d bytes, %v", len(got), resp.Header)
	}

	// The body of what is refused is not sent.
	for _, c := range []struct {
		key       string
		status    int
		continued bool
	}{{key, 201, true}, {key + "x", 401, false}} {
		continued := false
		r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }}),
			"POST", follower.url+"/v1/documents?name=asked"+strconv.Itoa(c.status), bytes.NewReader(content))
		r.Header.Set("Authorization", "Bearer "+c.key)
		r.Header.Set("Content-Type", "application/octet-stream")
		r.Header.Set("Expect", "100-continue")
		patient := &http.Transport{ExpectContinueTimeout: time.Minute}
		resp, err := patient.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || continued != c.continued {
			t.Errorf("%s, told to go on: %v, want %d, %v", resp.Status, continued, c.status, c.continued)
		}
		patient.CloseIdleConnections()
	}
}

// TestHop holds whom a server believes about where a request came from.
func TestHop(t *testing.T) {
	key, other := [32]byte{1}, [32]byte{2}
	h := newHops(&key)
	request := func() *http.Request {
		r := httptest.NewRequest("GET", "http://vault.example.com/v1/documents?name=a%20b", nil)
		r.RemoteAddr = "198.51.100.7:1234"
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("X-Forwarded-For", "203.0.113.1, 198.51.100.7")
		return r
	}
	arrive := func(h hops, header string, change func(*http.Request)) *http.Request {
		r := request()
		r.RemoteAddr = "10.0.0.2:99"
		r.Header.Set(hopHeader, header)
		change(r)
		if !h.arrive(r) || r.Header.Get(hopHeader) != "" {
			t.Error("the hop is not seen")
		}
		return r
	}
	signed := h.sign(request())
	same := func(*http.Request) {}
	if r := arrive(h, signed, same); r.RemoteAddr != "198.51.100.7:1234" || r.TLS != nil || r.Header.Get("X-Forwarded-For") != "203.0.113.1" {
		t.Errorf("it came from %s, %v", r.RemoteAddr, r.Header)
	}
	late := h
	late.now = func() time.Time { return time.Now().Add(2 * hopAge) }
	none := newHops(nil)
	for name, r := range map[string]*http.Request{
		"another key":     arrive(newHops(&other), signed, same),
		"no key":          arrive(none, signed, same),
		"late":            arrive(late, signed, same),
		"another address": arrive(h, strings.Replace(signed, "100.7", "100.8", 1), same),
		"as if by TLS":    arrive(h, strings.Replace(signed, "plain", "tls", 1), same),
		"another request": arrive(h, signed, func(r *http.Request) { r.Method = "DELETE" }),
		"another caller":  arrive(h, signed, func(r *http.Request) { r.Header.Set("Authorization", "Bearer y") }),
		"twice":           arrive(h, signed, func(r *http.Request) { r.Header.Add(hopHeader, signed) }),
		"half":            arrive(h, "v1", same),
	} {
		if r.RemoteAddr != "10.0.0.2:99" {
			t.Errorf("%s is believed", name)
		}
	}
	if h.arrive(request()) {
		t.Error("there was no hop")
	}
}

// TestConsolePassedOn holds that people who come to a server that follows are signed in
// by the owner, which has the sessions.
func TestConsolePassedOn(t *testing.T) {
	_, follower, key := twoSides(t)
	form := "key=" + key
	r, _ := http.NewRequestWithContext(t.Context(), "POST", follower.url+"/console/sign-in", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 303 || len(resp.Cookies()) == 0 {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	for _, path := range []string{"/console/main/", "/console/main/documents"} {
		follower.want(t, 200, "", "GET", path, "", "Cookie", resp.Cookies()[0].String())
	}
}
