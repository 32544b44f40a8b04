package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/engine"
)

// TestFirstRun holds that a server without any vault makes one, and hands its
// key to this user alone.
func TestFirstRun(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data)
	path := filepath.Join(data, firstKeyName)
	key := s.firstKey(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	if said := s.stderr.String(); !strings.Contains(said, path) {
		t.Errorf("the path of the key is not said:\n%s", said)
	}
	resp, me := s.do(t, key, "GET", "/v1/me", nil)
	if resp.StatusCode != http.StatusOK || !bytes.Contains(me, []byte("Administrator")) {
		t.Errorf("GET /v1/me: %s\n%s", resp.Status, me)
	}
	s.upload(t, key, "a.txt", "a")
	s.end()
	secret := key[strings.LastIndex(key, "_")+1:]
	if said := s.stderr.String(); strings.Contains(said, secret) {
		t.Errorf("the key is in the log:\n%s", said)
	}

	// The next start makes nothing.
	s = serve(t, data)
	if again := s.firstKey(t); again != key {
		t.Error("the key was written again")
	}
	if strings.Contains(s.stderr.String(), firstKeyName) {
		t.Errorf("the first key is spoken of again:\n%s", s.stderr)
	}
}

// TestLogIsJSON holds that each line of a server's standard error is one JSON
// object, but for those that are for people.
func TestLogIsJSON(t *testing.T) {
	s := serve(t, t.TempDir())
	s.do(t, s.firstKey(t), "GET", "/v1/me", nil)
	s.do(t, "sr_main_x_y", "GET", "/v1/me", nil)
	s.end()
	requests := 0
	for line := range strings.Lines(s.stderr.String()) {
		if strings.HasPrefix(line, "listening on ") || strings.HasPrefix(line, "made the vault ") {
			continue
		}
		var said struct {
			Time, Level string
			Status      int
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if _, err := audit.ParseTime(said.Time); err != nil || said.Level == "" {
			t.Errorf("no time or level: %s", line)
		}
		if said.Status != 0 {
			requests++
		}
	}
	if requests != 2 {
		t.Errorf("%d requests are in the log, want 2:\n%s", requests, s.stderr)
	}
}

// TestVaultsShareNothing holds that one server serves several vaults, each to
// its own keys.
func TestVaultsShareNothing(t *testing.T) {
	data := t.TempDir()
	ours := strings.TrimSpace(mustRun(t, "init", "--data", data, "--vault", "ours"))
	theirs := strings.TrimSpace(mustRun(t, "init", "--data", data, "--vault", "theirs"))
	s := serve(t, data)
	id := s.upload(t, ours, "a.txt", "a")
	if resp, _ := s.do(t, ours, "GET", "/v1/documents/"+id, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("our document: %s", resp.Status)
	}
	if resp, _ := s.do(t, theirs, "GET", "/v1/documents/"+id, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("their document: %s", resp.Status)
	}
	crossed := strings.Replace(ours, "sr_ours_", "sr_theirs_", 1)
	if resp, _ := s.do(t, crossed, "GET", "/v1/me", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("our key in their vault: %s", resp.Status)
	}
	for _, vault := range []string{"ours", "theirs"} {
		if users := mustRun(t, "user", "list", "--data", data, "--vault", vault, "--json"); strings.Count(users, "\n") != 1 {
			t.Errorf("users of %s:\n%s", vault, users)
		}
	}
}

// TestDamagedVault holds that one vault that does not open leaves the others
// served.
func TestDamagedVault(t *testing.T) {
	data := t.TempDir()
	mustRun(t, "init", "--data", data, "--vault", "broken")
	broken := filepath.Join(vaultsDir(data), "broken", "vault.db")
	if err := os.WriteFile(broken, []byte("this is no vault"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error").
		code1(t, `"vault":"broken"`, "none of the vaults")

	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := serve(t, data)
	if !strings.Contains(s.stderr.String(), `"vault":"broken"`) {
		t.Errorf("the damage is not in the log:\n%s", s.stderr)
	}
	if resp, _ := s.do(t, key, "GET", "/v1/me", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the other vault: %s", resp.Status)
	}
	if resp, _ := s.do(t, strings.Replace(key, "main", "broken", 1), "GET", "/v1/me", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the broken vault: %s", resp.Status)
	}
}

// code1 is expect for a refusal that may be preceded by lines of the log.
func (r result) code1(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if r.code != 1 || !strings.Contains(r.stderr, word) {
			t.Errorf("exit status %d, and %q is not in:\n%s", r.code, word, r.stderr)
		}
	}
}

// TestControlSocket holds that commands come to the same through a server as
// at rest.
func TestControlSocket(t *testing.T) {
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	mustRun(t, "user", "add", "--data", data, "--name", "Grace \u202eHopper", "--email", "grace@example.com")
	commands := [][]string{
		{"user", "list"}, {"user", "list", "--json"}, {"key", "list"}, {"key", "list", "--json"},
		{"verify"}, {"verify", "--bytes"}, {"export", "--log", "-"},
		{"export", "--log", os.DevNull, "--details", "details.jsonl"},
	}
	t.Chdir(t.TempDir())
	atRest := make([]result, len(commands))
	see := func(i int) result {
		r := run(t, append(commands[i], "--data", data)...)
		if details, err := os.ReadFile("details.jsonl"); err == nil {
			r.stdout += string(details)
			os.Remove("details.jsonl")
		}
		return r
	}
	for i := range commands {
		if atRest[i] = see(i); atRest[i].code != 0 {
			t.Errorf("%v: %+v", commands[i], atRest[i])
		}
	}
	if table := atRest[0].stdout; strings.Contains(table, "\u202e") || !strings.Contains(table, "Hopper") {
		t.Errorf("what turns a terminal's text around is printed:\n%q", table)
	}
	s := serve(t, data)
	if info, err := os.Stat(filepath.Join(data, controlName)); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the socket: %v, %v", info, err)
	}
	for i := range commands {
		if through := see(i); through != atRest[i] {
			t.Errorf("%v at rest:\n%+v\nthrough the socket:\n%+v", commands[i], atRest[i], through)
		}
	}
	// A change through the socket holds at once, and is the operator's.
	id := strings.TrimSpace(mustRun(t, "user", "add", "--data", data, "--name", "Late"))
	if resp, answer := s.do(t, key, "GET", "/v1/users/"+id, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the user added: %s\n%s", resp.Status, answer)
	}
	if log := mustRun(t, "export", "--data", data, "--log", "-"); !strings.Contains(log[strings.LastIndex(strings.TrimSpace(log), "\n"):], `"actor":"operator"`) {
		t.Errorf("the last entry is not the operator's:\n%s", log)
	}
	// A vault made meanwhile is not served, but is at rest.
	mustRun(t, "init", "--data", data, "--vault", "new")
	mustRun(t, "user", "list", "--data", data, "--vault", "new")
	s.end()
	if _, err := os.Stat(filepath.Join(data, controlName)); err == nil {
		t.Error("the socket outlives its server")
	}
}

// TestControlSocketFarDown holds that a data directory whose path is longer
// than a socket's may be has its control socket all the same.
func TestControlSocketFarDown(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the way around the limit is Linux's")
	}
	data := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	s := serve(t, data)
	mustRun(t, "user", "list", "--data", data)
	if !strings.Contains(s.stderr.String(), `"control":true`) {
		t.Errorf("the server was not asked:\n%s", s.stderr)
	}
}

// TestStaleControlSocket holds that what a killed server left keeps nobody
// from anything.
func TestStaleControlSocket(t *testing.T) {
	data := t.TempDir()
	spawn(t, data).kill(t)
	if _, err := os.Stat(filepath.Join(data, controlName)); err != nil {
		t.Fatal("the test is void: the killed server left no socket")
	}
	mustRun(t, "user", "list", "--data", data)
	s := serve(t, data)
	mustRun(t, "user", "list", "--data", data)
	if !strings.Contains(s.stderr.String(), `"control":true`) {
		t.Errorf("the server was not asked:\n%s", s.stderr)
	}
}

// slowUpload begins an upload and returns what sends the rest of it and reads
// the answer.
func slowUpload(t *testing.T, s *server, key string) (finish func() (*http.Response, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	first, rest := strings.Repeat("first half ", 1000), strings.Repeat("second half ", 1000)
	// The server says 100 Continue when the handler begins to read: from then
	// on this is a request that runs.
	fmt.Fprintf(conn, "POST /v1/documents?fileName=slow.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		key, len(first)+len(rest))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	return func() (*http.Response, error) {
		if _, err := io.WriteString(conn, rest); err != nil {
			return nil, err
		}
		return http.ReadResponse(answers, nil)
	}
}

// TestStopFinishesWhatRuns holds that a server that is told to stop takes an
// upload that is under way to its end, and answers a long poll at once.
func TestStopFinishesWhatRuns(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	key := s.firstKey(t)
	finish := slowUpload(t, s, key)
	polled := make(chan *http.Response, 1)
	go func() {
		req, _ := http.NewRequest("GET", s.url+"/v1/audit/entries?after=1000&wait=60", nil)
		req.Header.Set("Authorization", "Bearer "+key)
		resp, _ := http.DefaultTransport.RoundTrip(req)
		polled <- resp
	}()
	s.stop()
	s.stderr.await(t, s.ended, "stopping")
	resp, err := finish()
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the upload: %v, %v", resp, err)
	}
	if resp := <-polled; resp != nil {
		resp.Body.Close()
	}
	<-s.ended
	if s.code != 0 {
		t.Errorf("exit status %d\n%s", s.code, s.stderr)
	}
	if log := mustRun(t, "export", "--data", data, "--log", "-"); !strings.Contains(log, `"op":"document.created"`) {
		t.Errorf("the upload is not in the log:\n%s", log)
	}
	mustRun(t, "verify", "--data", data, "--bytes")
}

// TestGraceEnds holds that a request that does not end is cut off in the end,
// and does not keep the server.
func TestGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		begun := make(chan struct{})
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})
		pipes := newPipeListener()
		hurried := false
		served := make(chan error)
		go func() { served <- serveUntil(ctx, zerolog.Nop(), front{pipes, endless, func() { hurried = true }}) }()
		conn, err := pipes.dial(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stopped := time.Now()
		stop()
		if err := <-served; err != nil || !hurried {
			t.Errorf("%v; told to hurry: %v", err, hurried)
		}
		if took := time.Since(stopped); took != grace {
			t.Errorf("it was cut off after %v, not %v", took, grace)
		}
	})
}

// TestSecondSignal holds that who cannot wait need not.
func TestSecondSignal(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	slowUpload(t, s, s.firstKey(t))
	s.stop()
	s.stderr.await(t, s.ended, "stopping")
	s.stop()
	<-s.ended
	if s.code == 0 {
		t.Error("the second signal was not obeyed")
	}
	mustRun(t, "verify", "--data", data, "--bytes")
}

// TestNoGoroutineLeft runs a server and commands through it, in process.
func TestNoGoroutineLeft(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data)
	s.upload(t, s.firstKey(t), "a.txt", "a")
	mustRun(t, "user", "list", "--data", data)
	if code := s.end(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	mustRun(t, "user", "list", "--data", data)
	noGoroutines(t)
}

func TestTLS(t *testing.T) {
	certFile, keyFile, roots := selfSigned(t)
	s := serve(t, t.TempDir(), "--tls-cert", certFile, "--tls-key", keyFile)
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	resp, err := client.Get(s.url + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !strings.HasPrefix(s.url, "https://") || resp.TLS == nil {
		t.Errorf("%s is served without TLS", s.url)
	}
	run(t, "serve", "--data", t.TempDir(), "--tls-cert", keyFile, "--tls-key", keyFile).expect(t, 1, "--tls-cert", keyFile)
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roots = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private), roots
}

// TestHeadLog holds that the heads are written down at start and at stop, and
// that verify takes the file as it is, all vaults' heads in it.
func TestHeadLog(t *testing.T) {
	data := t.TempDir()
	heads := filepath.Join(t.TempDir(), "heads.txt")
	mustRun(t, "init", "--data", data, "--vault", "other")
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := serve(t, data, "--head-log", heads)
	s.upload(t, key, "a.txt", "a")
	if code := s.end(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.stderr)
	}
	text, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := audit.ParseHeads(string(text))
	if err != nil || len(parsed) != 4 || parsed[2].Seq != parsed[0].Seq+1 {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, vault := range []string{"main", "other"} {
		mustRun(t, "verify", "--data", data, "--vault", vault, "--head", heads)
	}
	run(t, "serve", "--data", data, "--head-log", filepath.Join(heads, "x")).code1(t, "--head-log")
}

// TestHeadLogDaily lets three days pass.
func TestHeadLogDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "heads.txt")
		v, err := engine.Create(filepath.Join(t.TempDir(), "main"), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		s, err := startSchedule(map[string]*engine.Vault{"main": v}, path, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), v.Head().Text()); got != 1+3+1 {
			t.Errorf("%d heads, want one at start, three at midnight and one at stop", got)
		}
	})
}

func TestMidnight(t *testing.T) {
	zone := time.FixedZone("", 5*3600)
	for at, want := range map[time.Time]string{
		time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC): "2026-11-22T00:00:00Z",
		time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC):    "2026-11-23T00:00:00Z",
		time.Date(2026, 11, 22, 3, 0, 0, 0, zone):        "2026-11-22T00:00:00Z",
	} {
		if got := midnight(at).Format(time.RFC3339); got != want {
			t.Errorf("after %v comes %s, want %s", at, got, want)
		}
	}
}

// TestPortTaken holds that a server that cannot listen says so and gives
// everything back.
func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := t.TempDir()
	run(t, "serve", "--data", data, "--listen", taken.Addr().String()).code1(t, taken.Addr().String(), "--listen")
	mustRun(t, "user", "list", "--data", data)
	noGoroutines(t)
}

// TestMaxUpload holds that the flag reaches the API.
func TestMaxUpload(t *testing.T) {
	s := serve(t, t.TempDir(), "--max-upload", "1KiB")
	key := s.firstKey(t)
	s.upload(t, key, "a.txt", strings.Repeat("a", 1024))
	resp, _ := s.do(t, key, "POST", "/v1/documents?fileName=b.txt", strings.NewReader(strings.Repeat("b", 1025)), "Content-Type", "text/plain")
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte more: %s", resp.Status)
	}
}

// TestServeEndsWithItsContext holds that a server told to stop before it is
// ready ends too.
func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := newOutput()
	p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: out, env: func(string) string { return "" }}
	data := t.TempDir()
	mustRun(t, "init", "--data", data)
	if code := p.run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}); code != 0 {
		t.Errorf("exit status %d\n%s", code, out)
	}
}
