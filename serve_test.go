package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

// TestFirstRun holds that a server without any vault makes one, and hands its
// key to this user alone.
func TestFirstRun(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	path := filepath.Join(data, datadir.FirstKeyName)
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
	secret := strings.SplitN(key, "_", 4)[3] // which may have more of them
	if said := s.stderr.String(); strings.Contains(said, secret) {
		t.Errorf("the key is in the log:\n%s", said)
	}

	if said := s.stderr.String(); strings.Contains(said, "anew") {
		t.Errorf("a first start makes something anew:\n%s", said)
	}

	// The next start makes nothing.
	s = startServer(t, data)
	if again := s.firstKey(t); again != key {
		t.Error("the key was written again")
	}
	if strings.Contains(s.stderr.String(), datadir.FirstKeyName) {
		t.Errorf("the first key is spoken of again:\n%s", s.stderr)
	}
}

// TestLogIsJSON holds that each line of a server's standard error is one JSON
// object, but for those that are for people.
func TestLogIsJSON(t *testing.T) {
	s := startServer(t, t.TempDir())
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
	s := startServer(t, data)
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
	broken := filepath.Join(datadir.VaultsDir(data), "broken", "vault.db")
	if err := os.WriteFile(broken, []byte("this is no vault"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error").
		code1(t, `"vault":"broken"`, "none of the vaults")

	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data)
	if !strings.Contains(s.stderr.String(), `"vault":"broken"`) {
		t.Errorf("the damage is not in the log:\n%s", s.stderr)
	}
	if resp, _ := s.do(t, key, "GET", "/v1/me", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the other vault: %s", resp.Status)
	}
	for _, vault := range []string{"broken", "unheard-of"} {
		if resp, _ := s.do(t, strings.Replace(key, "main", vault, 1), "GET", "/v1/me", nil); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a key of the vault %q: %s", vault, resp.Status)
		}
	}
	if resp, answer := s.do(t, key, "GET", "/readyz", nil); resp.StatusCode != http.StatusServiceUnavailable || bytes.Contains(answer, []byte("broken")) {
		t.Errorf("readiness: %s\n%s", resp.Status, answer)
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

func TestTLS(t *testing.T) {
	certFile, keyFile, roots := selfSigned(t)
	s := startServer(t, t.TempDir(), "--tls-cert", certFile, "--tls-key", keyFile)
	for _, two := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: two}
		resp, err := (&http.Client{Transport: transport}).Get(s.url + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.TLS == nil || resp.StatusCode != http.StatusOK || (resp.ProtoMajor == 2) != two {
			t.Errorf("%s: %s over %s, TLS %v", s.url, resp.Status, resp.Proto, resp.TLS != nil)
		}
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

// TestPortTaken holds that a server that cannot listen says so and gives
// everything back.
func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := t.TempDir()
	for _, args := range [][]string{
		{"--listen", taken.Addr().String()},
		{"--listen", "127.0.0.1:0", "--metrics-listen", taken.Addr().String()},
	} {
		run(t, append([]string{"serve", "--data", data}, args...)...).code1(t, taken.Addr().String(), args[len(args)-2])
		// Neither a vault nor a key was made on the way.
		if _, err := os.Stat(filepath.Join(data, datadir.FirstKeyName)); err == nil {
			t.Error("there is a first key")
		}
		run(t, "user", "list", "--data", data).expect(t, 1, `no vault "main"`)
	}
	mustRun(t, "init", "--data", data)
	run(t, "serve", "--data", data, "--listen", taken.Addr().String()).code1(t, taken.Addr().String(), "--listen")
	mustRun(t, "user", "list", "--data", data)
	noGoroutines(t)
}

// TestEveryAnswerHasAnID holds that net/http answers nothing that is well formed
// in our stead.
func TestEveryAnswerHasAnID(t *testing.T) {
	data := t.TempDir()
	mustRun(t, "init", "--data", data)
	s := startServer(t, data, "--witness-for", writeText(t, "log "+logKey(t, data)+"\nquorum none\n", t.TempDir(), "logs.txt"))
	for _, request := range []string{"OPTIONS * HTTP/1.1", "OPTIONS /livez HTTP/1.1", "GET http://elsewhere/livez HTTP/1.1", "BREW /livez HTTP/1.1",
		"GET /console/sign-in HTTP/1.1", "GET /console HTTP/1.1", "BREW /console/main/documents HTTP/1.1", "GET /console/_files/none HTTP/1.1",
		"GET /witness/key HTTP/1.1", "PUT /witness/key HTTP/1.1", "GET /witness/none HTTP/1.1", "GET /oauth/token HTTP/1.1"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\nHost: x\r\nX-Request-Id: mine\r\nConnection: close\r\n\r\n", request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if ids := resp.Header.Values("X-Request-Id"); !slices.Equal(ids, []string{"mine"}) {
			t.Errorf("%s: %s, %v", request, resp.Status, resp.Header)
		}
	}
}

// TestMaxUpload holds that the flag reaches the API.
func TestMaxUpload(t *testing.T) {
	s := startServer(t, t.TempDir(), "--max-upload", "1KiB")
	key := s.firstKey(t)
	s.upload(t, key, "a.txt", strings.Repeat("a", 1024))
	resp, _ := s.do(t, key, "POST", "/v1/documents?fileName=b.txt", strings.NewReader(strings.Repeat("b", 1025)), "Content-Type", "text/plain")
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte more: %s", resp.Status)
	}
	// The control socket is no way around it.
	o, err := control.Open(t.Context(), datadir.Place{Data: s.data, Vault: "main"}, httpapi.Build{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	content := strings.Repeat("c", 1025)
	err = o.Call(t.Context(), "POST", "/v1/documents", map[string]any{"fileName": "c.txt", "content": []byte(content)}, nil)
	if refused, ok := errors.AsType[*control.Refusal](err); !ok || refused.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte more through the control socket: %v", err)
	}
}

func TestServeRefusesTheNetworkWithoutTLS(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		run(t, "serve", "--data", t.TempDir(), "--listen", listen).expect(t, 2, listen, "--insecure-http", "--tls-cert")
	}
	s := startServer(t, t.TempDir(), "--listen", "0.0.0.0:0", "--insecure-http")
	if !strings.Contains(s.url, "http://") {
		t.Errorf("listening on %s", s.url)
	}
}
