package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3/s3test"
)

var soaking = flag.Bool("soak", false, "run the longer tests of servers that share a store, too")

// onlySoaking leaves out a test that takes half a minute.
func onlySoaking(t *testing.T) {
	t.Helper()
	if !*soaking {
		t.Skip("-soak")
	}
}

// leaseTime is how long a server has to be silent before another takes over. The
// program has one alone; a test may have less.
var leaseTime = flag.Duration("lease", 2*time.Second, "how long a server of a cluster has to be silent before another takes over; 0 is what the program does")

// leaseVariable hands it to the program that this test binary is.
const leaseVariable = "STRONGROOM_TEST_LEASE"

// fleet is servers that share the vaults of one store. Between a server and the
// store, and between the servers, stands a proxy that can delay, lie and cut.
type fleet struct {
	t       testing.TB
	gateway *s3test.Server
	store   *s3test.Proxy // before the gateway
	prefix  string
	key     string // of the first vault's admin
	members []*member
}

// member is a server of a fleet, with a disk of its own.
type member struct {
	*fleet
	name    string
	data    string
	toStore *s3test.Port
	before  *s3test.Proxy
	toPeer  *s3test.Port // by which the others reach it
	direct  bool         // there is no proxy before the store

	mu     sync.Mutex // guards running: clients ask for it
	server *server    // for the test
	url    string     // "": it is not running
}

// newFleet starts a store and a proxy before it, and n servers, the first of which
// makes the vault.
func newFleet(t testing.TB, n int) *fleet {
	t.Helper()
	if !strings.Contains((&program{env: func(string) string { return "" }}).help("serve"), "-store ") {
		t.Skip("serve knows no --store")
	}
	f := &fleet{t: t, gateway: s3test.Start(t), prefix: "fleet"}
	config := f.gateway.Config(f.prefix)
	f.store = f.proxy(f.gateway.URL, config.SecretKey)
	if err := os.WriteFile(f.file("store.key"), []byte(hex.EncodeToString(random(32))), 0o600); err != nil {
		t.Fatal(err)
	}
	for range n {
		f.add().start()
	}
	return f
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// file is a path beside the gateway's own files.
func (f *fleet) file(name string) string { return filepath.Join(f.gateway.Dir, name) }

func (f *fleet) proxy(upstream, secret string) *s3test.Proxy {
	f.t.Helper()
	p, err := s3test.NewProxy(upstream, secret)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(p.Close)
	return p
}

func (f *fleet) port(p *s3test.Proxy) *s3test.Port {
	f.t.Helper()
	port, err := p.Port()
	if err != nil {
		f.t.Fatal(err)
	}
	return port
}

// add makes one more server, which does not run yet.
func (f *fleet) add() *member {
	f.t.Helper()
	m := &member{fleet: f, name: fmt.Sprintf("server-%d", len(f.members)+1), data: f.t.TempDir(),
		toStore: f.port(f.store), before: f.proxy("http://127.0.0.1:1", "")}
	m.toPeer = f.port(m.before)
	f.members = append(f.members, m)
	return m
}

func (m *member) storeURL() string {
	if m.direct {
		return m.gateway.URL
	}
	return m.toStore.URL()
}

// home are the flags that say where the vaults live.
func (m *member) home() []string {
	return []string{"--data", m.data, "--store", "s3://" + s3test.Bucket + "/" + m.prefix, "--store-endpoint", m.storeURL(), "--store-region", "us-east-1",
		"--store-key", m.file("store.key")}
}

// serving is a command line of serve.
func (m *member) serving() []string {
	return append([]string{"serve", "--listen", "127.0.0.1:0", "--peer-url", m.toPeer.URL(), "--server-name", m.name}, m.home()...)
}

// command is the program on this member's machine.
func (m *member) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	// What this machine has for another store is not for this one.
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(append(own, m.gateway.Environ()...), "AWS_ENDPOINT_URL="+m.storeURL(), leaseVariable+"="+leaseTime.String())
	return cmd
}

// start runs the server until it is killed, stopped, or the test is over.
func (m *member) start() {
	m.t.Helper()
	cmd := m.command(executable(m.t), m.serving()...)
	// One that does not begin to serve says where it is.
	hung := time.AfterFunc(50*time.Second, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	s := spawnCommand(m.t, m.data, cmd)
	hung.Stop()
	if m.key == "" {
		m.key = s.firstKey(m.t)
	}
	if err := m.before.SetUpstream(s.url); err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server, m.url = s, s.url
}

func (m *member) away() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.url = ""
}

// kill ends the server at once.
func (m *member) kill() {
	m.t.Helper()
	m.server.kill(m.t)
	m.away()
}

// stop ends it in order.
func (m *member) stop() {
	m.t.Helper()
	m.away()
	if code := m.server.end(); code != 0 {
		m.t.Errorf("%s: exit status %d\n%s", m.name, code, m.server.stderr)
	}
}

// burn takes the machine's disk, while nothing runs there.
func (m *member) burn() {
	m.t.Helper()
	if err := os.RemoveAll(m.data); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Mkdir(m.data, 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// where is the URL of the server, "" while it is not running.
func (m *member) where() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.url
}

// where is the URL of one of those who run, in turn.
func (f *fleet) where(turn int) string {
	for i := range f.members {
		if url := f.members[(turn+i)%len(f.members)].where(); url != "" {
			return url
		}
	}
	return ""
}

// objects is the store as it is, without a proxy: of the vault main.
func (f *fleet) objects() object.Store { return f.gateway.Open(f.prefix + "/main") }

// lease is what the store has of it.
type leaseObject struct {
	Server string
	URL    string
	Epoch  uint64
	Commit uint64
}

func (f *fleet) lease() (l leaseObject) {
	f.t.Helper()
	b, _, err := object.Read(f.t.Context(), f.objects(), "lease")
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		f.t.Fatalf("the lease: %v", err)
	}
	return l
}

// owner is the server that owns the vault main, by its lease.
func (f *fleet) owner() *member {
	f.t.Helper()
	name := f.lease().Server
	for _, m := range f.members {
		if m.name == name {
			return m
		}
	}
	f.t.Fatalf("the lease is of %q", name)
	return nil
}

// others are the members but one.
func (m *member) others() (all []*member) {
	for _, other := range m.members {
		if other != m {
			all = append(all, other)
		}
	}
	return all
}

// awaitChange makes changes at these servers until one is acknowledged, and returns
// when.
func (f *fleet) awaitChange(at ...*member) time.Time {
	f.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	last := "nobody is asked"
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); wait(f.t.Context(), 20*time.Millisecond) {
		for _, m := range at {
			url := m.where()
			if url == "" {
				continue
			}
			code, answer, err := m.try(f.t.Context(), client, "POST", url+"/v1/documents?fileName=probe.txt", "probe")
			if code == http.StatusCreated {
				return time.Now()
			}
			last = fmt.Sprintf("%s: %d %v %s", m.name, code, err, answer)
		}
	}
	f.t.Fatalf("no change is acknowledged any more: %s\n%s", last, f.says())
	return time.Time{}
}

// try sends one request and returns how it was answered; 0 is not at all.
func (f *fleet) try(ctx context.Context, client *http.Client, method, url, body string, header ...string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+f.key)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, answer, err
	}
	return res.StatusCode, answer, nil
}

// catchUp waits until a server has all that another has, and returns its head.
func (m *member) catchUp(seq uint64) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); wait(m.t.Context(), 20*time.Millisecond) {
		if head, err := headOf(m.t.Context(), m.key, m.where()); err == nil && head.Seq >= seq {
			return
		}
	}
	m.t.Fatalf("%s does not come to entry %d\n%s", m.name, seq, m.server.stderr)
}

// verify holds a server to having everything, bytes too.
func (m *member) verify() {
	m.t.Helper()
	var report struct {
		OK       bool
		Findings []json.RawMessage
	}
	_, answer := m.server.do(m.t, m.key, "POST", "/v1/audit/verify", strings.NewReader(`{"bytes":true}`), "Content-Type", "application/json")
	if err := json.Unmarshal(answer, &report); err != nil || !report.OK {
		m.t.Errorf("%s does not verify: %v\n%s", m.name, err, answer)
	}
}

// says is what the servers said last.
func (f *fleet) says() string {
	var b strings.Builder
	for _, m := range f.members {
		if m.server != nil {
			text := []byte(m.server.stderr.String())
			fmt.Fprintf(&b, "\n%s (%s):\n%s", m.name, m.where(), bytes.TrimSpace(text[max(0, len(text)-4<<10):]))
		}
	}
	return b.String()
}
