package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore/object"
	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// said is what a server says, and lets a test wait for it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newSaid() *said { return &said{more: make(chan struct{}, 1)} }

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// server is `strongroom serve --store` in this process.
type server struct {
	side
	data  string
	said  *said
	stop  context.CancelFunc
	ended chan error
}

// serveIn starts a server of a store, which others find by its address. It is ready
// when this returns, unless it has failed.
func serveIn(t *testing.T, objects object.Store, name, data string, change ...func(*Store)) *server {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	free.Close()
	s := &server{side: side{url: "http://" + address.String()}, data: data, said: newSaid(), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	o := Options{
		Place: datadir.Place{Data: data}, Listen: address, Stderr: s.said, Search: true, Console: true, Reader: Reader{PDF: PDFOff},
		Store: &Store{Objects: objects, Address: "s3://test", Key: &[32]byte{7}, PeerURL: s.url, Server: name},
	}
	for _, fn := range change {
		fn(o.Store)
	}
	go func() { s.ended <- Serve(ctx, o) }()
	t.Cleanup(func() { s.end(t) })
	for !strings.Contains(s.said.String(), "listening on") {
		select {
		case <-s.said.more:
		case err := <-s.ended:
			s.ended <- err
			return s
		case <-time.After(30 * time.Second):
			t.Fatalf("it is not ready:\n%s", s.said)
		}
	}
	return s
}

// end stops it in order.
func (s *server) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("serve: %v\n%s", err, s.said)
	}
	s.ended <- nil
}

func firstKeyOf(t *testing.T, data string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, datadir.FirstKeyName))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// role is what a server says it is.
func (s *server) role(t *testing.T, key string) string {
	t.Helper()
	var state httpapi.State
	_, answer := s.ask(t, key, "GET", "/readyz", "")
	if err := json.Unmarshal([]byte(answer), &state); err != nil {
		t.Fatal(err, answer)
	}
	if state.Cluster == nil {
		return ""
	}
	return state.Cluster.Role
}

// TestStore holds what two servers of one store are to a client: one of them makes the
// first vault, both are asked, and when the owner leaves the other has all of it.
func TestStore(t *testing.T) {
	objects := object.NewMemory()
	a := serveIn(t, objects, "a", t.TempDir())
	key := firstKeyOf(t, a.data)
	b := serveIn(t, objects, "b", t.TempDir())
	if of, other := a.role(t, key), b.role(t, key); of != "owner" || other != "follower" {
		t.Fatalf("the first is %q, the second %q", of, other)
	}
	resp, answer := b.want(t, 201, key, "POST", "/v1/documents?name=a.txt", "hello", "Content-Type", "text/plain")
	var d struct{ ID string }
	json.Unmarshal([]byte(answer), &d)
	seq := resp.Header.Get("X-Audit-Seq")
	resp, _ = b.want(t, 200, key, "GET", "/v1/documents/"+d.ID, "", httpapi.HeaderAtLeast, seq)
	if got, _ := strconv.Atoi(resp.Header.Get(httpapi.HeaderAsOf)); fmt.Sprint(got) < seq {
		t.Errorf("as of %d, asked for %s", got, seq)
	}
	if _, got := b.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", ""); got != "hello" {
		t.Errorf("the bytes are %q", got)
	}
	_, measured := b.want(t, 200, key, "GET", "/metrics", "")
	for _, line := range []string{`strongroom_cluster_owner{vault="main"} 0`, `strongroom_cluster_behind_seconds{vault="main"} `} {
		if !strings.Contains(measured, line) {
			t.Errorf("no %s", line)
		}
	}
	// A key that is revoked at the owner is worth nothing at the other.
	_, answer = a.want(t, 201, key, "POST", "/v1/api-keys", `{"name":"other"}`, "Content-Type", "application/json")
	var other struct{ ID, Secret string }
	json.Unmarshal([]byte(answer), &other)
	resp, _ = a.want(t, 200, key, "DELETE", "/v1/api-keys/"+other.ID, "")
	b.want(t, 401, other.Secret, "GET", "/v1/me", "", httpapi.HeaderAtLeast, resp.Header.Get("X-Audit-Seq"))

	// What has to be written down is the owner's, though it looks like a read.
	resp, _ = a.want(t, 200, key, "PATCH", "/v1/settings", `{"auditReads":true}`, "Content-Type", "application/merge-patch+json")
	resp, got := b.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", "", httpapi.HeaderAtLeast, resp.Header.Get("X-Audit-Seq"))
	if got != "hello" {
		t.Errorf("the bytes are %q", got)
	}
	_, audited := a.want(t, 200, key, "GET", "/v1/audit/entries?op=document.downloaded", "")
	if !strings.Contains(audited, d.ID) {
		t.Errorf("the download is not in the log: %s\n%v", audited, resp.Header)
	}

	// The owner leaves in order: the other takes over at once, with all there is.
	a.end(t)
	deadline := time.Now().Add(20 * time.Second)
	for b.role(t, key) != "owner" {
		if time.Now().After(deadline) {
			t.Fatalf("nobody took over:\n%s", b.said)
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.want(t, 201, key, "POST", "/v1/documents?name=b.txt", "world", "Content-Type", "text/plain")
	b.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", "")
	_, answer = b.want(t, 200, key, "POST", "/v1/audit/verify", `{"bytes":true}`, "Content-Type", "application/json")
	if !strings.Contains(answer, `"ok":true`) && !strings.Contains(answer, `"findings":[]`) {
		t.Error(answer)
	}
	// Whose disk has burnt fetches all of it again.
	c := serveIn(t, objects, "a", t.TempDir())
	if role := c.role(t, key); role != "follower" {
		t.Errorf("it came back as %q", role)
	}
	if _, got := c.want(t, 200, key, "GET", "/v1/documents/"+d.ID+"/content", ""); got != "hello" {
		t.Errorf("the bytes are %q", got)
	}
}

// TestFirstVaultIsOne holds that of servers that are started at once with a new store
// one makes the vault.
func TestFirstVaultIsOne(t *testing.T) {
	objects := object.NewMemory()
	var servers [2]*server
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i] = serveIn(t, objects, fmt.Sprint("s", i), t.TempDir()) })
	}
	starting.Wait()
	keys := 0
	for _, s := range servers {
		if _, err := os.Stat(filepath.Join(s.data, datadir.FirstKeyName)); err == nil {
			key := firstKeyOf(t, s.data)
			keys++
			for _, s := range servers {
				s.want(t, 200, key, "GET", "/v1/me", "")
			}
		}
	}
	if keys != 1 {
		t.Errorf("%d vaults were made", keys)
	}
	if _, err := objects.Stat(t.Context(), firstKey); !errors.Is(err, object.ErrNotFound) {
		t.Error("the claim is left")
	}
}

// TestMove holds that a vault goes into a store and comes back with its log unbroken,
// that it is not served meanwhile from where it was, and that strays are refused.
func TestMove(t *testing.T) {
	objects := object.NewMemory()
	at := datadir.Place{Data: t.TempDir(), Vault: "acme"}
	secret, err := datadir.Create(t.Context(), at, engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		t.Fatal(err)
	}
	v, err := datadir.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	users, err := v.Users(t.Context(), engine.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	actor := engine.Actor{UserID: users.Items[0].ID, Access: engine.AccessAdmin}
	for _, text := range []string{"one", "two", strings.Repeat("three", 100_000)} {
		upload, err := v.Stage(t.Context(), strings.NewReader(text), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.CreateDocument(t.Context(), actor, engine.NewDocument{Name: text[:3]}, upload); err != nil {
			t.Fatal(err)
		}
	}
	head := v.Head()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	o := Options{Place: at, Store: &Store{Objects: objects, Address: "s3://test", Key: &[32]byte{7}, Server: "mover"}}

	// What is not there is not moved, and nothing is left of the attempt.
	if err := o.MoveIn(t.Context(), "nobody", Moving{Log: zerolog.Nop()}); err == nil || !strings.Contains(err.Error(), `no vault "nobody"`) {
		t.Error(err)
	}
	if err := o.MoveOut(t.Context(), "nobody", Moving{Log: zerolog.Nop()}); err == nil || !strings.Contains(err.Error(), `no vault "nobody"`) {
		t.Error(err)
	}
	if names, err := datadir.Vaults(at.Data); err != nil || len(names) != 1 {
		t.Error(names, err)
	}

	// A store that has vaults does not take others along by itself.
	if err := o.refuseStrays(nil); err == nil || !strings.Contains(err.Error(), "vault move acme --to s3://test") {
		t.Error(err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.MoveIn(cut, "acme", Moving{Log: zerolog.Nop()}); err == nil {
		t.Error("it is moved although it was cut off")
	}
	done := 0
	if err := o.MoveIn(t.Context(), "acme", Moving{Log: zerolog.Nop(), Remove: true, Progress: func(d, _ int) { done = d }}); err != nil {
		t.Fatal(err)
	}
	if done != 3 {
		t.Errorf("%d files were copied", done)
	}
	if _, err := datadir.Open(at); err == nil || !strings.Contains(err.Error(), "working copy") {
		t.Errorf("the copy is opened as a vault: %v", err)
	}
	s := serveIn(t, objects, "a", at.Data)
	s.want(t, 201, secret.Reveal(), "POST", "/v1/documents?name=four", "four", "Content-Type", "text/plain")
	_, answer := s.want(t, 200, secret.Reveal(), "POST", "/v1/audit/verify", `{"bytes":true}`, "Content-Type", "application/json")
	if strings.Contains(answer, `"code"`) {
		t.Error(answer)
	}
	s.end(t)

	back := Options{Place: datadir.Place{Data: t.TempDir()}, Store: o.Store}
	if err := back.MoveOut(t.Context(), "acme", Moving{Log: zerolog.Nop(), Remove: true}); err != nil {
		t.Fatal(err)
	}
	v, err = datadir.Open(datadir.Place{Data: back.Place.Data, Vault: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true})
	if err != nil || len(r.Findings) > 0 || v.Head().Seq <= head.Seq {
		t.Errorf("%v %+v", err, r.Findings)
	}
	e, err := v.Entry(t.Context(), head.Seq)
	if err != nil || e.Hash != head.Hash {
		t.Errorf("the log is another: %v", err)
	}
	left := 0
	objects.List(t.Context(), "acme/", "", func(object.Info) error { left++; return nil })
	if left > 0 {
		t.Errorf("%d objects are left", left)
	}
}

// TestShare holds when a server gives way to another before it takes a vault over.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		owned, followed, others int
		enough                  bool
	}{
		{0, 4, 1, false}, {1, 3, 1, false}, {2, 2, 1, true}, {4, 0, 0, false}, {1, 2, 2, true}, {1, 3, 2, false}, {1, 1, 1, true},
	} {
		h := newHousehold(t.Context(), Options{Store: &Store{Server: "own"}}, zerolog.Nop())
		for i := range c.owned {
			h.members[fmt.Sprint("mine", i)] = &part{owns: true}
		}
		for i := range c.followed {
			h.members[fmt.Sprint("theirs", i)] = &part{server: fmt.Sprint("other", i%c.others)}
		}
		for name := range h.members {
			h.known[name] = true
		}
		if got := h.ownsEnough(); got != c.enough {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestStoreThatIsRefused holds that nothing is made where the store is none.
func TestStoreThatIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	refused := errors.New("it keeps versions")
	o := Options{Place: datadir.Place{Data: data}, Listen: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, Stderr: newSaid(), Store: &Store{
		Objects: object.NewMemory(), Address: "s3://test", Check: func(context.Context) error { return refused },
	}}
	if err := Serve(t.Context(), o); !errors.Is(err, refused) || !strings.Contains(err.Error(), "s3://test") {
		t.Error(err)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Error("a data directory is made")
	}
}
