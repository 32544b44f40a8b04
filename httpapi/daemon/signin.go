package daemon

import (
	"net/http"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
	"strongroom/httpapi/datadir"
	"strongroom/httpapi/signin"
)

// signIn gives programs access tokens. People consent in the console.
func (o Options) signIn(vaults map[string]*engine.Vault, log zerolog.Logger) *signin.Server {
	options := signin.Options{
		Address:       httpapi.Address{PublicURL: o.PublicURL, AllowedHosts: o.AllowedHosts},
		TokenLifetime: o.TokenLifetime, RefreshLifetime: o.RefreshLifetime, Logger: log,
		Dir: func(vault string) string { return datadir.Place{Data: o.Place.Data, Vault: vault}.Dir() },
	}
	if o.Console {
		options.Consent = console.Consent
	}
	return signin.New(vaults, options)
}

// withSignIn serves its paths beside the others, which have none of them.
func withSignIn(rest http.Handler, signIn *signin.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signIn.Serves(r.URL.Path) {
			signIn.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}
