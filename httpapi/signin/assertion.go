package signin

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/httpapi"
)

const (
	maxAssertion     = 16 << 10 // bytes
	maxClaim         = 256
	longestAssertion = time.Hour
	clockSkew        = time.Minute // that clients' clocks may be ahead by
)

// assertion is a JWT that a client signs about who it acts as (RFC 7523). Members
// that are not here mean nothing.
type assertion struct {
	signed    string // what the signature is over
	signature []byte
	issuer    string
	subject   string
	audience  []string
	expires   time.Time
	id        string // "": it may come again until it expires
	scope     string // DocuSign's clients ask for it here
}

// parseAssertion takes an assertion apart. It proves nothing yet. One that would
// hold longer than an hour is refused, and one of the time to come.
func parseAssertion(text string, now time.Time) (*assertion, error) {
	parts := strings.Split(text, ".")
	if len(text) > maxAssertion || len(parts) != 3 {
		return nil, refuse(invalidGrant, "the assertion is not a JWT in its compact form")
	}
	var header, claims map[string]json.RawMessage // by exact name: encoding/json would take Alg for alg
	for i, into := range []*map[string]json.RawMessage{&header, &claims} {
		b, err := decode64(parts[i])
		if err != nil || json.Unmarshal(b, into) != nil || *into == nil {
			return nil, refuse(invalidGrant, "the assertion is not a JWT in its compact form")
		}
	}
	a := &assertion{signed: parts[0] + "." + parts[1]}
	var err error
	if a.signature, err = decode64(parts[2]); err != nil || len(a.signature) == 0 {
		return nil, refuse(invalidGrant, "the assertion is not a JWT in its compact form")
	}
	if alg, ok := textOf(header["alg"]); !ok || alg != "RS256" || header["crit"] != nil {
		return nil, refuse(invalidGrant, "the assertion must be signed with RS256, and no crit in its header")
	}
	return a, a.read(claims, now)
}

func (a *assertion) read(claims map[string]json.RawMessage, now time.Time) error {
	for name, into := range map[string]*string{"iss": &a.issuer, "sub": &a.subject, "jti": &a.id, "scope": &a.scope} {
		text, ok := textOf(claims[name])
		if claims[name] != nil && (!ok || text == "" && name != "scope" || name != "scope" && len(text) > maxClaim) {
			return refuse(invalidGrant, "%s must be a text of %d bytes at most", name, maxClaim)
		}
		*into = text
	}
	if one, ok := textOf(claims["aud"]); ok {
		a.audience = []string{one}
	} else if json.Unmarshal(claims["aud"], &a.audience) != nil || len(a.audience) == 0 {
		return refuse(invalidGrant, "aud must name this server: its host, or its URL")
	}
	if a.issuer == "" {
		return refuse(invalidGrant, "iss must be the client_id")
	}
	at := map[string]time.Time{}
	for _, name := range []string{"exp", "iat", "nbf"} {
		if claims[name] == nil {
			continue
		}
		seconds, err := strconv.ParseFloat(string(claims[name]), 64)
		if err != nil || !(seconds >= 0 && seconds < 1<<40) {
			return refuse(invalidGrant, "%s must be a number of seconds since 1970", name)
		}
		at[name] = time.UnixMilli(int64(seconds * 1000))
	}
	a.expires = at["exp"]
	switch {
	case a.expires.IsZero():
		return refuse(invalidGrant, "exp is missing")
	case !now.Before(a.expires):
		return refuse(invalidGrant, "the assertion has expired; look at the clock of the machine that signs it")
	case a.expires.After(now.Add(longestAssertion + clockSkew)):
		return refuse(invalidGrant, "exp must not be further away than an hour")
	case at["iat"].After(now.Add(clockSkew)) || at["nbf"].After(now.Add(clockSkew)):
		return refuse(invalidGrant, "the assertion is of the time to come; look at the clock of the machine that signs it")
	}
	return nil
}

func textOf(raw json.RawMessage) (text string, ok bool) {
	ok = bytes.HasPrefix(raw, []byte(`"`)) && json.Unmarshal(raw, &text) == nil
	return text, ok
}

// decode64 takes base64url without padding and without line breaks, as a JWT is.
func decode64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

// signedWith says whether the assertion is signed with the key of a client.
func (a *assertion) signedWith(c engine.Client) bool {
	block, _ := pem.Decode([]byte(c.PublicKey))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	of, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	sum := sha256.Sum256([]byte(a.signed))
	return rsa.VerifyPKCS1v15(of, crypto.SHA256, sum[:], a.signature) == nil
}

// isFor says whether an audience is this server: its host, with or without a port,
// or its URL or that of its token endpoint. What the request calls this server is
// not asked: whoever has an assertion for another server could call it so.
func isFor(a httpapi.Address, audience string) bool {
	public := &url.URL{}
	if u, err := url.Parse(a.PublicURL); err == nil {
		public = u
	}
	host, path := audience, ""
	if scheme, rest, ok := strings.Cut(audience, "://"); ok {
		if scheme != "https" && scheme != "http" {
			return false
		}
		host, path, _ = strings.Cut(rest, "/")
	}
	base := strings.TrimSuffix(public.Path, "/") + a.Prefix
	switch path = strings.TrimSuffix("/"+path, "/"); path {
	case "", base, base + "/oauth/token", base + "/oauth2/token":
	default:
		return false
	}
	name, port := host, ""
	if n, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return false
		}
		name, port = n, p
	}
	switch name = strings.Trim(name, "[]"); {
	case name == "":
		return false
	case public.Host == "":
		return a.Believes(name)
	case strings.EqualFold(name, public.Hostname()):
		usual := map[string]string{"https": "443", "http": "80"}[public.Scheme]
		return port == "" || port == cmp.Or(public.Port(), usual)
	}
	return allowed(a.AllowedHosts, name)
}

// allowed says whether a name is one of the hosts that were named. With a public URL
// this machine's own names are no names of the server.
func allowed(hosts []string, name string) bool {
	for _, host := range hosts {
		if strings.EqualFold(strings.Trim(host, "[]"), name) {
			return true
		}
	}
	return false
}

// byAssertion is the grant jwt-bearer. The signature is the client's proof, so what
// else it sends to say who it is has only to agree.
func (s *Server) byAssertion(r *http.Request) (issued, error) {
	text := r.PostForm.Get("assertion")
	if text == "" {
		return issued{}, refuse(invalidRequest, "assertion is missing")
	}
	a, err := parseAssertion(text, s.now())
	if err != nil {
		return issued{}, err
	}
	c, err := credentialsOf(r)
	if err == nil && c.id != "" && c.id != a.issuer {
		err = refuse(invalidClient, "the client_id is not the iss of the assertion")
	}
	if err != nil {
		return issued{}, err
	}
	p, err := s.prove(r.Context(), a.issuer, "", func(t *tokens, id string) (engine.Client, error) {
		c, err := t.vault.Client(r.Context(), id)
		switch {
		case err != nil && !errors.Is(err, engine.ErrClientNotFound):
			return c, err
		case err != nil || !a.signedWith(c):
			return c, engine.ErrInvalidToken
		case c.Status != engine.ClientActive:
			return c, engine.ErrTokenRevoked
		}
		return c, nil
	})
	if err != nil {
		return issued{}, s.refusedClient(r, a.issuer, err)
	}
	if c.secret != "" {
		if p, err = s.authenticate(r, p.tokens.vault.Name()); err != nil {
			return issued{}, err
		}
	}
	return s.byProvenAssertion(r, p, a)
}

func (s *Server) byProvenAssertion(r *http.Request, p proven, a *assertion) (issued, error) {
	if err := p.may(engine.GrantJWTBearer); err != nil {
		return issued{}, err
	}
	ours := false
	for _, audience := range a.audience {
		ours = ours || isFor(s.options.Address, audience)
	}
	if !ours {
		return issued{}, refuse(invalidGrant, "aud does not name this server; it is compared with --public-url and --allowed-hosts")
	}
	return s.begin(r, p, engine.GrantJWTBearer, cmp.Or(a.subject, p.client.UserID), cmp.Or(r.PostForm.Get("scope"), a.scope), func(b *bbolt.Tx) error {
		if a.id == "" {
			return nil
		}
		first, err := takeAssertion(b, p.client.ID, a.id, a.expires)
		if err == nil && !first {
			err = refuse(invalidGrant, "this assertion was used before; sign another one, with another jti")
		}
		return err
	})
}
