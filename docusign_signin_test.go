package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
)

// secured asks a server with TLS of an authority of one's own.
type secured struct {
	*server
	client *http.Client
}

// spawnTLS starts a server with what tls init makes, in a directory.
func spawnTLS(t *testing.T, dir string, args ...string) secured {
	t.Helper()
	mustRun(t, "tls", "init", "--dir", dir)
	s := spawn(t, filepath.Join(t.TempDir(), "data"), append(args, "--tls-cert", filepath.Join(dir, "server.crt"), "--tls-key", filepath.Join(dir, "server.key"))...)
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return secured{s, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}}
}

// ask sends JSON, or a text, and returns what is answered.
func (s secured) ask(t *testing.T, key, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "text/plain")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, text)
	}
	return out
}

// TestDocuSignSDKSignsIn lets DocuSign's published Node SDK, as it is, sign in by JWT
// and by code, and lock with what it gets, over TLS made by tls init. What it expects
// stands in signin.js.
func TestDocuSignSDKSignsIn(t *testing.T) {
	dir := docusignSDK(t)
	tlsDir := filepath.Join(t.TempDir(), "tls")
	s := spawnTLS(t, tlsDir)
	admin := s.firstKey(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}), 0o600); err != nil {
		t.Fatal(err)
	}
	user := s.ask(t, admin, "POST", "/v1/users", `{"name":"Grace","email":"grace@example.com","access":"upload"}`)["id"].(string)
	hers := s.ask(t, admin, "POST", "/v1/api-keys", `{"name":"browser","userId":"`+user+`"}`)["secret"].(string)
	client, err := json.Marshal(map[string]any{
		"name": "Contract editor", "grants": []string{"jwt-bearer", "authorization_code", "refresh_token"}, "impersonates": true,
		"redirectUris": []string{"https://app.example.com/callback"}, "publicKey": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	made := s.ask(t, admin, "POST", "/v1/clients", string(client))
	document := s.ask(t, admin, "POST", "/v1/documents?fileName=lease.txt", "The lease.")["id"].(string)
	uuid := func(id string) string {
		out, ok := engine.UUID(id)
		if !ok {
			t.Fatalf("no id: %q", id)
		}
		return out
	}
	node := exec.CommandContext(t.Context(), "node", "signin.js")
	node.Dir = dir
	node.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "NODE_EXTRA_CA_CERTS="+filepath.Join(tlsDir, "ca.crt"),
		"HOST="+strings.TrimPrefix(s.url, "https://"), "CLIENT="+uuid(made["id"].(string)), "SECRET="+made["secret"].(string), "USER="+uuid(user),
		"ENVELOPE="+uuid(document), "CALLBACK=https://app.example.com/callback", "KEY="+keyFile, "COOKIE_KEY="+hers)
	if said, err := node.CombinedOutput(); err != nil {
		t.Fatalf("node signin.js: %v\n%s", err, said)
	}
	if name := s.ask(t, admin, "GET", "/v1/documents/"+document, "")["name"]; name != "Changed after signing in" {
		t.Errorf("the document is called %v", name)
	}
}
