package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// received is a message as it came.
type received struct {
	request *http.Request
	body    []byte
}

// receiveOne has a real server tell a real endpoint something, and returns the
// message and the secret.
func receiveOne(t *testing.T) (m received, secret string) {
	t.Helper()
	messages := make(chan received, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case messages <- received{r.Clone(context.Background()), body}:
		default:
		}
	}))
	t.Cleanup(endpoint.Close)
	s := startServer(t, t.TempDir(), "--webhook-allow", "127.0.0.1")
	key := s.firstKey(t)
	resp, answer := s.do(t, key, "POST", "/v1/webhooks", strings.NewReader(`{"url":"`+endpoint.URL+`"}`), "Content-Type", "application/json")
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(answer, &made); err != nil {
		t.Fatalf("%s\n%s", resp.Status, answer)
	}
	s.do(t, key, "POST", "/v1/webhooks/"+made.ID+"/rotate", nil)
	select {
	case m = <-messages: // that of the rotation, by both secrets
		return m, made.Secret
	case <-time.After(time.Minute):
		t.Fatal("no message came")
		return m, ""
	}
}

// TestREADMEVerifiers has what httpapi/README.md says about verifying, in every language
// that is there, verify a message of a real server, and none that was changed.
func TestREADMEVerifiers(t *testing.T) {
	m, secret := receiveOne(t)
	if signatures := strings.Fields(m.request.Header.Get("Webhook-Signature")); len(signatures) != 2 {
		t.Fatalf("signed by %q", signatures)
	}
	verifiers := map[string]func(t *testing.T, secret string, m received) bool{
		"go":     func(_ *testing.T, secret string, m received) bool { return genuine(secret, m.request, m.body) },
		"python": pythonVerifier, "sh": shellVerifier,
	}
	for language, verify := range verifiers {
		t.Run(language, func(t *testing.T) {
			if !verify(t, secret, m) {
				t.Error("a message of the vault is none")
			}
			changed := received{m.request, bytes.Replace(m.body, []byte("webhook.updated"), []byte("webhook.deleted"), 1)}
			if verify(t, secret, changed) {
				t.Error("a message that was changed is one of the vault")
			}
			if verify(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", m) {
				t.Error("by another secret it is one too")
			}
			old := received{m.request.Clone(t.Context()), m.body}
			old.request.Header.Set("Webhook-Timestamp", "1614265330")
			if verify(t, secret, old) {
				t.Error("an old message is one too")
			}
		})
	}
}

// snippet is the block of a guide in a language that defines a function.
func snippet(t *testing.T, language, function string) string {
	t.Helper()
	for _, b := range allBlocks(t, language) {
		if strings.Contains(b.text, function) {
			return b.text
		}
	}
	t.Fatalf("no guide has %s in %s", function, language)
	return ""
}

// tool runs a tool that need not be there, and says whether it succeeded.
func tool(t *testing.T, name, script string, stdin []byte, args ...string) bool {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here", name)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-c", script}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if len(out) > 0 {
		t.Errorf("%s says %s", name, out)
	}
	return err == nil
}

func pythonVerifier(t *testing.T, secret string, m received) bool {
	headers := map[string]string{}
	for name := range m.request.Header {
		headers[strings.ToLower(name)] = m.request.Header.Get(name)
	}
	given, err := json.Marshal(map[string]any{"secret": secret, "headers": headers, "body": string(m.body)})
	if err != nil {
		t.Fatal(err)
	}
	return tool(t, "python3", snippet(t, "python", "def genuine")+`
import json, sys
given = json.load(sys.stdin)
sys.exit(0 if genuine(given["secret"], given["headers"], given["body"].encode()) else 1)
`, given)
}

func shellVerifier(t *testing.T, secret string, m received) bool {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl here")
	}
	h := m.request.Header
	return tool(t, "bash", snippet(t, "sh", "genuine()")+`genuine "$@"`, m.body,
		"bash", secret, h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature"))
}
