package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// listener is an endpoint of webhooks, on a port of this machine that it keeps
// when it goes away and comes back.
type listener struct {
	address string
	// hold, if it is not nil, is received from before an answer is given.
	hold chan struct{}

	mu     sync.Mutex
	secret string
	got    []heard
	grown  chan struct{}
	errs   []error
}

type heard struct {
	ID   string
	Type string
	Data struct{ Seq uint64 }
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{grown: make(chan struct{})}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = port.Addr().String()
	l.serve(t, port)
	return l
}

// serve listens until the function it returns is called, or the test is over.
func (l *listener) serve(t *testing.T, port net.Listener) (away func()) {
	server := &http.Server{Handler: l}
	go server.Serve(port)
	t.Cleanup(func() { server.Close() })
	return func() { server.Close() }
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	l.mu.Lock()
	secret := l.secret
	l.mu.Unlock()
	var m heard
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if verifier, bad := standardwebhooks.NewWebhook(secret); bad == nil && err == nil {
		err = verifier.Verify(body, r.Header)
	}
	l.mu.Lock()
	l.got = append(l.got, m)
	if err != nil {
		l.errs = append(l.errs, err)
	}
	close(l.grown)
	l.grown = make(chan struct{})
	hold := l.hold
	l.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

func (l *listener) state() ([]heard, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got), l.grown
}

// await returns what has come once done says so.
func (l *listener) await(t *testing.T, done func([]heard) bool) []heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		got, grown := l.state()
		if done(got) {
			return got
		}
		select {
		case <-grown:
		case <-ctx.Done():
			t.Fatalf("only these have come: %v", got)
		}
	}
}

// seqs are the entries that came, each once, in the order in which they did.
func seqs(got []heard) (list []uint64) {
	for _, m := range got {
		if !slices.Contains(list, m.Data.Seq) {
			list = append(list, m.Data.Seq)
		}
	}
	return list
}

// subscribe makes a webhook that leads to the listener.
func (s *server) subscribe(t *testing.T, key string, l *listener, events string) (id string) {
	t.Helper()
	body := fmt.Sprintf(`{"url":"http://%s/in","events":%s}`, l.address, events)
	resp, answer := s.do(t, key, "POST", "/v1/webhooks", strings.NewReader(body), "Content-Type", "application/json")
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(answer, &made); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s\n%s", resp.Status, answer)
	}
	l.mu.Lock()
	l.secret = made.Secret
	l.mu.Unlock()
	return made.ID
}

func TestServeDelivers(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data, "--webhook-allow", "10.0.0.0/8, 127.0.0.0/8")
	key := s.firstKey(t)
	l := newListener(t)
	hook := s.subscribe(t, key, l, `["document.*"]`)
	s.upload(t, key, "a.txt", "a")
	got := l.await(t, func(got []heard) bool { return len(got) > 0 })
	if got[0].Type != "document.created" || len(l.errs) > 0 {
		t.Errorf("%v, %v", got, l.errs)
	}
	if resp, answer := s.do(t, key, "POST", "/v1/webhooks/"+hook+"/test", nil); resp.StatusCode != 200 || !strings.Contains(string(answer), `"status":"delivered"`) {
		t.Errorf("test: %s\n%s", resp.Status, answer)
	}
	s.awaitAnswer(t, key, "/v1/webhooks/"+hook+"/deliveries", `"type":"document.created"`, `"status":"delivered"`)
	s.awaitAnswer(t, key, "/metrics", `strongroom_webhooks{vault="main",state="active"} 1`, `strongroom_webhook_lag_entries{vault="main"} 0`)
}

// A vault whose webhooks or search cannot be begun is served without, and says so.
func TestServeWithoutItsReaders(t *testing.T) {
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	vault := filepath.Join(data, "vaults", "main")
	err := os.Mkdir(filepath.Join(vault, "webhooks.db"), 0o700) // which is to be a file
	if err := errors.Join(err, os.WriteFile(filepath.Join(vault, "search"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, data)
	s.awaitAnswer(t, key, "/readyz", `"degraded"`, "webhooks are not delivered", "there is no search")
	s.upload(t, key, "a.txt", "a")
}

// awaitAnswer asks until the answer holds all that is wanted: an endpoint has an
// event a moment before it is known that it has.
func (s *server) awaitAnswer(t *testing.T, key, path string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		resp, answer := s.do(t, key, "GET", path, nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s\n%s", path, resp.Status, answer)
		}
		if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(string(answer), w) }) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: want %q in\n%s", path, want, answer)
		}
	}
}

// Without the operator's leave, this machine is no target.
func TestServeDeliversNowhereInside(t *testing.T) {
	s := startServer(t, t.TempDir())
	key := s.firstKey(t)
	l := newListener(t)
	hook := s.subscribe(t, key, l, `[]`)
	if _, answer := s.do(t, key, "POST", "/v1/webhooks/"+hook+"/test", nil); !strings.Contains(string(answer), "the target is refused: 127.0.0.1 is loopback") {
		t.Errorf("%s", answer)
	}
	if got, _ := l.state(); len(got) > 0 {
		t.Errorf("it was reached: %v", got)
	}
}

func TestWebhookFlagsThatCannotBe(t *testing.T) {
	for _, args := range [][]string{
		{"--webhook-allow", "10.0.0.0/33"}, {"--webhook-allow", "inside"}, {"--webhook-allow", "10.0.0.0/8,,"}, {"--webhook-allow", "::ffff:10.0.0.0/104"},
		{"--webhook-proxy", "proxy:3128"}, {"--webhook-proxy", "ftp://proxy"}, {"--webhook-proxy", "http://"},
	} {
		run(t, append([]string{"serve", "--data", t.TempDir()}, args...)...).expect(t, 2, args[0])
	}
}

// Killed after a change was acknowledged and before it was told, or after it was
// told and before that was recorded, the server tells it when it is back, and what
// it tells twice has the same id.
func TestKilledBetweenCommitAndDelivery(t *testing.T) {
	data := t.TempDir()
	l := newListener(t)
	l.hold = make(chan struct{})
	s := spawn(t, data, "--webhook-allow", "127.0.0.1")
	key := s.firstKey(t)
	s.subscribe(t, key, l, `["document.created"]`)
	for i := range 3 {
		s.upload(t, key, fmt.Sprint(i), "text")
	}
	// The first has come and is not answered: it was told, and nobody recorded it;
	// the others were not told.
	l.await(t, func(got []heard) bool { return len(got) == 1 })
	s.kill(t)
	close(l.hold)

	s = spawn(t, data, "--webhook-allow", "127.0.0.1")
	got := l.await(t, func(got []heard) bool { return len(seqs(got)) == 3 })
	if got[0] != got[1] || !slices.IsSorted(seqs(got)) || len(l.errs) > 0 {
		t.Errorf("came %v, %v", got, l.errs)
	}
	s.stop()
	<-s.ended
	s = spawn(t, data, "--webhook-allow", "127.0.0.1")
	s.upload(t, key, "last", "text")
	got = l.await(t, func(got []heard) bool { return len(seqs(got)) == 4 })
	if len(got) != 5 {
		t.Errorf("a stop in good order repeats: %v", got)
	}
}

// Killed at any moment, again and again, it tells all, in order; what it had told
// in the last moment before comes twice, under the same id.
func TestKilledWhileDelivering(t *testing.T) {
	data := t.TempDir()
	l := newListener(t)
	var key string
	var made int
	const rounds = 6
	for round := range rounds {
		s := spawn(t, data, "--webhook-allow", "127.0.0.1", "--log-level", "error")
		if key == "" {
			key = s.firstKey(t)
			s.subscribe(t, key, l, `["document.created"]`)
		}
		for range 20 {
			s.upload(t, key, "a.txt", "text")
			made++
		}
		if round%2 == 0 {
			l.await(t, func(got []heard) bool { return len(seqs(got)) >= made-round })
		}
		s.kill(t)
	}
	s := spawn(t, data, "--webhook-allow", "127.0.0.1", "--log-level", "error")
	got := l.await(t, func(got []heard) bool { return len(seqs(got)) == made })
	if list := seqs(got); !slices.IsSorted(list) || len(l.errs) > 0 {
		t.Errorf("came in the order %d, %v", list, l.errs)
	}
	ids := map[uint64]string{}
	for _, m := range got {
		if ids[m.Data.Seq] != "" && ids[m.Data.Seq] != m.ID {
			t.Errorf("entry %d came as %s and as %s", m.Data.Seq, ids[m.Data.Seq], m.ID)
		}
		ids[m.Data.Seq] = m.ID
	}
	t.Logf("%d events, %d repeated, %d kills", made, len(got)-made, rounds)
	s.stop()
	<-s.ended
	mustRun(t, "verify", "--data", data)
}
