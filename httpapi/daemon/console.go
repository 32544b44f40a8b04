package daemon

import (
	"net/http"
	"path/filepath"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
	"strongroom/httpapi/datadir"
)

// sessionsFile is where the console keeps who has signed in, as hashes. Nothing
// is lost with it: everybody signs in again.
const sessionsFile = "console-sessions.json"

// jobsFile is where the console keeps what became of changes of many documents.
const jobsFile = "console-work.json"

// console makes the pages; nil if there are to be none.
func (o Options) console(vaults map[string]*engine.Vault, unopened map[string]string, r readers, api httpapi.Options, server *httpapi.Server, programs console.Programs, log zerolog.Logger) (*console.Console, error) {
	if !o.Console {
		return nil, nil
	}
	options := console.Options{
		Kept:      func(file string) error { return datadir.GiveLike(o.Place.Data, file) },
		PublicURL: o.PublicURL, Sessions: filepath.Join(o.Place.Data, sessionsFile), Jobs: filepath.Join(o.Place.Data, jobsFile), Search: api.Search, Deliveries: api.Deliveries,
		Programs: programs, Provider: o.Provider,
		MaxUpload: o.MaxUpload, Unopened: unopened, Warnings: r.warnings, Logger: log, Build: o.Build, Guides: o.Guides,
	}
	if api.Pages != nil {
		options.Pictures = server.Picture
	}
	return console.New(vaults, options)
}

// mindProvider stops people who stay away from the provider, and tells of what its map
// opens that is not here.
func (o Options) mindProvider(vaults map[string]*engine.Vault, log zerolog.Logger) {
	for _, v := range vaults {
		v.SignInAgain(o.SignInAgain)
	}
	for _, name := range o.MappedVaults {
		if vaults[name] == nil {
			log.Warn().Str("vault", name).Msg("the map of groups is about a vault that is not served")
		}
	}
}

// withConsole serves pages beside the API, which has no path below theirs.
func withConsole(api http.Handler, pages *console.Console) http.Handler {
	if pages == nil {
		return api
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pages.Serves(r.URL.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
