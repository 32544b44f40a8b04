package engine

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"strongroom/engine/internal/check"
)

const (
	maxRedirects   = 20
	maxRedirectURI = 2_000 // bytes
	minKeyBits     = 2_048
	maxKeyBits     = 8_192 // a longer one makes checking a signature slow for all
)

var grants = []Grant{GrantAuthorizationCode, GrantClientCredentials, GrantRefreshToken, GrantJWTBearer}

// takesSecret says whether any of its grants needs a secret.
func (c *Client) takesSecret() bool {
	return slices.Contains(c.Grants, GrantClientCredentials) || slices.Contains(c.Grants, GrantAuthorizationCode)
}

// check looks at a client, and spells it.
func (c *client) check() error {
	var m checks
	m.Required("name", c.Name, check.MaxShort)
	c.Grants = checkGrants(&m, c.Grants)
	if c.Access != AccessNone && !slices.Contains(accesses, c.Access) {
		m.Fail("access", errAccess)
	}
	signs := slices.Contains(c.Grants, GrantJWTBearer)
	switch {
	case c.UserID == "" && slices.Contains(c.Grants, GrantClientCredentials):
		m.Fail("userId", "must be given with client_credentials: it is whom the client acts as")
	case c.UserID == "" && signs && !c.Impersonates:
		m.Fail("userId", "must be given with jwt-bearer, unless impersonates is true: it is whom the client acts as")
	case c.Impersonates && !signs:
		m.Fail("impersonates", "means something only with the grant jwt-bearer")
	}
	c.checkRedirects(&m)
	if signs && strings.TrimSpace(c.PublicKey) == "" {
		m.Fail("publicKey", "must be given with jwt-bearer: assertions are checked with it")
	}
	c.checkKey(&m)
	return m.err()
}

// checkGrants returns them sorted and each once. jwt-bearer may be given by its
// last word.
func checkGrants(m *checks, given []Grant) []Grant {
	var sorted []Grant
	for i, g := range given {
		if g == "jwt-bearer" {
			g = GrantJWTBearer
		}
		if !slices.Contains(grants, g) {
			m.Fail(fmt.Sprintf("grants[%d]", i), "must be authorization_code, client_credentials, refresh_token or %s", GrantJWTBearer)
			return nil
		}
		sorted = append(sorted, g)
	}
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) == 0 {
		m.Fail("grants", "must name one at least: authorization_code, client_credentials, refresh_token or %s", GrantJWTBearer)
	}
	if len(sorted) == 1 && sorted[0] == GrantRefreshToken {
		m.Fail("grants", "must name another one beside refresh_token, by which the first token is got")
	}
	return sorted
}

func (c *client) checkRedirects(m *checks) {
	code := slices.Contains(c.Grants, GrantAuthorizationCode)
	switch {
	case code && len(c.RedirectURIs) == 0:
		m.Fail("redirectUris", "must name one at least with authorization_code")
	case len(c.RedirectURIs) > maxRedirects:
		m.Fail("redirectUris", "must be %d at most", maxRedirects)
	}
	for i, uri := range c.RedirectURIs {
		if why := badRedirect(uri); why != "" {
			m.Fail(fmt.Sprintf("redirectUris[%d]", i), "%s", why)
		}
	}
}

// badRedirect says what is wrong with where codes are sent: "" is nothing. It is
// compared as it is, so it is one text and no pattern.
func badRedirect(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || len(uri) > maxRedirectURI || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'\<>;,*`, r) }):
		return "must be a URI such as https://app.example.com/callback, in printable ASCII, without quotes, commas, semicolons and *"
	case strings.Contains(uri, "#"):
		return "must not have a fragment"
	case u.User != nil:
		return "must not hold a user or a password"
	case u.Scheme == "https" && u.Hostname() != "":
		return ""
	case u.Scheme == "http" && isThisMachine(u.Hostname()):
		return ""
	case strings.Contains(u.Scheme, "."): // a program's own, named after a domain of its maker: RFC 8252 section 7.1
		return ""
	}
	return "must begin with https://, with http:// for this machine (127.0.0.1, [::1] or localhost), or with a scheme of a program's own such as com.example.app:"
}

func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback() && addr.Zone() == ""
}

// checkKey reads the public key, in either spelling of PEM, and keeps one.
func (c *client) checkKey(m *checks) {
	c.der = nil
	text := strings.TrimSpace(c.PublicKey)
	if text == "" {
		c.PublicKey = ""
		return
	}
	key := parseRSA(text)
	switch {
	case key == nil:
		m.Fail("publicKey", "must be one RSA public key in PEM, such as `openssl rsa -in key.pem -pubout` prints")
	case key.N.BitLen() < minKeyBits || key.N.BitLen() > maxKeyBits:
		m.Fail("publicKey", "must have from %d to %d bits, not %d", minKeyBits, maxKeyBits, key.N.BitLen())
	case key.E < 3 || key.E%2 == 0:
		m.Fail("publicKey", "must have an odd exponent of 3 at least")
	default:
		c.der, _ = x509.MarshalPKIXPublicKey(key)
		c.PublicKey = spelledKey(c.der)
	}
}

func spelledKey(der []byte) string {
	if len(der) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func parseRSA(text string) *rsa.PublicKey {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" || !strings.HasPrefix(text, "-----BEGIN") {
		return nil
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		of, is := key.(*rsa.PublicKey)
		if err != nil || !is {
			return nil
		}
		return of
	case "RSA PUBLIC KEY":
		if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return key
		}
	}
	return nil
}
