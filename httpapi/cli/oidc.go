package cli

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"strongroom/httpapi/console"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/oidc"
)

// oidcFlags are what serve is told of the identity provider.
type oidcFlags struct {
	issuer, clientID, secretFile, caFile, claim, mapFile string

	maxAge lifeValue
}

const (
	defaultClaim  = "groups"
	defaultMaxAge = lifeValue(7 * day)
)

func (f *flagSet) oidc(o *oidcFlags) {
	f.set.StringVar(&o.issuer, "oidc-issuer", "", "`URL` of the identity provider, exactly as it names itself: people sign in\nto the console through it; needs --public-url, and the redirect URL there is\nits /console/oidc/callback")
	f.set.StringVar(&o.clientID, "oidc-client-id", "", "`ID` of this server at the provider")
	f.set.StringVar(&o.secretFile, "oidc-client-secret-file", "", "`FILE` with the secret of that client")
	f.set.StringVar(&o.caFile, "oidc-ca", "", "`FILE` of certificates, PEM, to trust for the provider instead of the system's")
	f.set.StringVar(&o.claim, "oidc-claim", defaultClaim, "`NAME` of the claim that has a person's groups")
	f.set.StringVar(&o.mapFile, "oidc-map", "", "`FILE` that says what groups give: lines \"group vault:access\", such as\n\"legal main:upload\"; \"*\" is anybody the provider knows")
	o.maxAge = defaultMaxAge
	f.set.Var(&o.maxAge, "oidc-max-age", "`TIME` after her last sign-in there at which the keys, sessions and tokens of\na person stop whom the provider made a user: 12h, 7d")
}

// apply reads the files, and makes the way to the provider; nothing without an issuer.
func (o *oidcFlags) apply(to *daemon.Options) error {
	if o.issuer == "" {
		if o.clientID != "" || o.secretFile != "" || o.caFile != "" || o.mapFile != "" || o.claim != defaultClaim || o.maxAge != defaultMaxAge {
			return usagef("--oidc-client-id, --oidc-client-secret-file, --oidc-ca, --oidc-claim, --oidc-map and --oidc-max-age are about a provider: give --oidc-issuer too")
		}
		return nil
	}
	switch {
	case to.PublicURL == "":
		return usagef("--oidc-issuer needs --public-url: the provider leads people back there")
	case o.clientID == "" || o.mapFile == "":
		return usagef("--oidc-issuer needs --oidc-client-id and --oidc-map")
	case !to.Console:
		return usagef("--oidc-issuer is about the console: leave out --console=false")
	}
	c := oidc.Config{Issuer: o.issuer, ClientID: o.clientID, Claim: o.claim, Redirect: to.PublicURL + console.Callback}
	if o.secretFile != "" {
		b, err := os.ReadFile(o.secretFile)
		if err != nil {
			return fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		if c.Secret = strings.TrimSpace(string(b)); c.Secret == "" {
			return usagef("--oidc-client-secret-file %s is empty", o.secretFile)
		}
	}
	if o.caFile != "" {
		b, err := os.ReadFile(o.caFile)
		if err != nil {
			return fmt.Errorf("--oidc-ca: %w", err)
		}
		if c.CAs = x509.NewCertPool(); !c.CAs.AppendCertsFromPEM(b) {
			return usagef("--oidc-ca %s has no certificate in PEM", o.caFile)
		}
	}
	file, err := os.Open(o.mapFile)
	if err != nil {
		return fmt.Errorf("--oidc-map: %w", err)
	}
	defer file.Close()
	if c.Map, err = oidc.ParseMap(file); err != nil {
		return usagef("--oidc-map %s: %v", o.mapFile, err)
	}
	if to.Provider, err = oidc.New(c); err != nil {
		return usagef("--oidc-issuer: %v", err)
	}
	to.SignInAgain, to.MappedVaults = time.Duration(o.maxAge), c.Map.Vaults()
	return nil
}
