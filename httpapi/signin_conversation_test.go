package httpapi_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi"
	"strongroom/httpapi/signin"
)

// TestSignInConversations replays the conversations of testdata/http that begin with
// "! sign-in". They have the variables publicKey, of a key pair, as it stands in JSON,
// and now and hour, in seconds: now, and an hour later; and the functions
//
//	${jwt "iss": "x", …}            claims, signed with the key of that pair
//	${code client user challenge}   what the browser brings back after the user has
//	                                consented; without a challenge as DocuSign asks
func TestSignInConversations(t *testing.T) { withSignIn(t, httpapi.ConverseWithSignIn) }

func TestSignInConversationsInStore(t *testing.T) { withSignIn(t, httpapi.ConverseInStoreWithSignIn) }

func withSignIn(t *testing.T, converse func(*testing.T, func(*testing.T, map[string]*enginetest.Kit) httpapi.Plugged)) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	inJSON, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	converse(t, func(t *testing.T, vaults map[string]*enginetest.Kit) httpapi.Plugged {
		open := map[string]*engine.Vault{}
		for name, v := range vaults {
			open[name] = v.Vault
		}
		s := signin.New(open, signin.Options{
			Address: httpapi.Address{AllowedHosts: []string{"vault.example"}}, Consent: "/console/consent", Logger: zerolog.Nop(),
			Dir: func(vault string) string { return vaults[vault].Dir },
		})
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return httpapi.Plugged{
			Tokens: s, Serves: s.Serves, Handler: s,
			Functions: map[string]func(string) string{
				"jwt":  func(claims string) string { return signed(t, key, claims) },
				"code": func(of string) string { return consented(t, s, open["main"], strings.Fields(of)) },
			},
			Values: map[string]string{
				"publicKey": string(inJSON), "now": strconv.FormatInt(now.Unix(), 10), "hour": strconv.FormatInt(now.Add(time.Hour).Unix(), 10),
			},
		}
	})
}

func signed(t *testing.T, key *rsa.PrivateKey, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + encode([]byte("{"+claims+"}"))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

func consented(t *testing.T, s *signin.Server, vault *engine.Vault, of []string) string {
	t.Helper()
	q := url.Values{"response_type": {"code"}, "client_id": {of[0]}, "scope": {"signature"}}
	if len(of) > 2 {
		q.Set("code_challenge", of[2])
		q.Set("code_challenge_method", "S256")
	}
	actor := engine.Actor{UserID: of[1], Access: engine.AccessAdmin}
	to, wrong, err := s.Answer(httptest.NewRequestWithContext(t.Context(), "GET", "/oauth/auth", nil), vault, actor, len(of) == 2, q, true)
	u, bad := url.Parse(to)
	if err != nil || bad != nil || wrong != "" || u.Query().Get("code") == "" {
		t.Fatalf("%v, %v, %q: %s", err, bad, wrong, to)
	}
	return u.Query().Get("code")
}
