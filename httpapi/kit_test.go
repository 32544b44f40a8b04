package httpapi

import (
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/cluster/clustertest"
	"strongroom/engine/enginetest"
	"strongroom/engine/webhook"
)

var update = flag.Bool("update", false, "rewrite the conversations and openapi.json to what is said now")

// kit is a real server of two real vaults, with keys to both.
type kit struct {
	*testing.T
	server *Server
	http   *httptest.Server
	vaults map[string]*enginetest.Kit
	tokens map[string]string // "admin", "upload", "view" of main, "other": an admin of other
	ids    map[string]string // of their users
	log    *syncBuffer
	room   Plugged // zero: there is none

	mu           sync.Mutex
	moved        *sync.Cond // when one of these has:
	began, ended int        // requests
}

// Plugged is a room above this one, which a test of another package puts beside the
// server.
type Plugged struct {
	Tokens Tokens
	Serves func(path string) bool
	http.Handler
	Functions map[string]func(arg string) string // of conversations
	Values    map[string]string                  // of their variables
}

// home makes a vault where a test has them.
type home func(*testing.T, engine.Options) *enginetest.Kit

func onDisk(t *testing.T, o engine.Options) *enginetest.Kit { return enginetest.NewWith(t, o) }

// plug makes the room for vaults; it ends it with the test.
type plug func(*testing.T, map[string]*enginetest.Kit) Plugged

// newKit starts a server. The vaults are verified when the test ends, and no
// staged bytes may be left behind by then, whatever the test did, nor an error
// met that openapi.json does not know of.
func newKit(t *testing.T, o Options) *kit {
	t.Helper()
	return newKitOn(t, o, nil, nil, onDisk)
}

// newKitOn starts it on a listener, with a room beside it; nil is a listener of this
// machine, and no room. The vaults live where a home has them.
func newKitOn(t *testing.T, o Options, on net.Listener, room plug, at home) *kit {
	t.Helper()
	k := &kit{T: t, vaults: map[string]*enginetest.Kit{}, tokens: map[string]string{}, ids: map[string]string{}, log: &syncBuffer{}}
	k.moved = sync.NewCond(&k.mu)
	vaults := map[string]*engine.Vault{}
	o.Deliveries = map[string]Deliverer{}
	for _, name := range []string{"main", "other"} {
		k.vaults[name] = at(t, engine.Options{Name: name, ReserveBytes: -1})
		vaults[name] = k.vaults[name].Vault
		deliverer, err := webhook.Open(vaults[name], k.vaults[name].Dir, webhook.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deliverer.Close() })
		o.Deliveries[name] = deliverer
	}
	main, other := k.vaults["main"], k.vaults["other"]
	k.tokens["admin"], k.ids["admin"] = main.Token, main.Admin.UserID
	k.tokens["other"], k.ids["other"] = other.Token, other.Admin.UserID
	for _, access := range []engine.Access{engine.AccessUpload, engine.AccessView} {
		name := access.String()
		actor, token := main.Person(name, access)
		k.tokens[name], k.ids[name] = token, actor.UserID
	}
	if room != nil {
		k.room = room(t, k.vaults)
		o.Tokens = k.room.Tokens
	}
	o.Logger = zerolog.New(k.log)
	k.server = New(vaults, o)
	described := descriptions(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.count(&k.began)
		defer k.count(&k.ended)
		answer := &reader{ResponseWriter: w}
		if room != nil && k.room.Serves(r.URL.Path) {
			k.room.ServeHTTP(answer, r)
			return
		}
		k.server.ServeHTTP(answer, r)
		path, below := strings.CutPrefix(r.URL.Path, o.Prefix)
		for _, d := range described {
			if err := d.check(r.Method, path, answer); below && err != nil {
				k.Error(err)
			}
		}
	})
	if k.http = httptest.NewUnstartedServer(handler); on != nil {
		k.http.Listener.Close()
		k.http.Listener = on
	}
	k.http.Start()
	t.Cleanup(k.close)
	return k
}

func (k *kit) close() {
	k.server.Stop()
	k.http.Close()
	declared(k.T, k.server.table, k.log.String())
	for name, v := range k.vaults {
		bytes := "blobs"
		if v.Host != nil {
			bytes = clustertest.BytesDir
		}
		left, err := os.ReadDir(filepath.Join(v.Dir, bytes, "staging"))
		if err != nil {
			k.Error(err)
		}
		for _, e := range left {
			k.Errorf("%s: staged bytes were left behind: %s", name, e.Name())
		}
	}
}

// declared looks through a log for errors of routes that openapi.json does not
// name.
func declared(t *testing.T, table []route, log string) {
	t.Helper()
	for text := range strings.Lines(log) {
		var line struct {
			Method, Route, ErrorCode string
			Status                   int
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		for _, rt := range table {
			if line.ErrorCode != "" && rt.pattern == line.Route && rt.method == strings.Replace(line.Method, "HEAD", "GET", 1) &&
				!slices.Contains(rt.failures(), failure{line.Status, errorCode(line.ErrorCode)}) {
				t.Errorf("%s %s answers %d %s, which openapi.json does not say", rt.method, rt.pattern, line.Status, line.ErrorCode)
			}
		}
	}
}

func (k *kit) count(n *int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*n++
	k.moved.Broadcast()
}

// wait returns when so many requests have begun, or ended.
func (k *kit) wait(n *int, many int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for *n < many {
		k.moved.Wait()
	}
}

// do sends a request with a key ("" for none) and returns the answer and its
// body.
func (k *kit) do(key, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	k.Helper()
	r, err := http.NewRequest(method, k.http.URL+path, body)
	if err != nil {
		k.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+k.tokens[key])
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := k.http.Client().Do(r)
	if err != nil {
		k.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		k.Fatal(err)
	}
	return answer, string(data)
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
