package daemon

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
	"strongroom/httpapi/witness"
)

// rooms are what answers requests about a set of open vaults.
type rooms struct {
	names                     []string     // of the vaults
	public, metrics, operator http.Handler // for strangers, for who measures, and at the control socket
	hurry, hurryOperator      func()       // tell them that an end is near
	end                       func() error // when nobody is served any more
	crossing                  *crossing    // nil: no vault lives in a store
}

// served is what rooms are about.
type served struct {
	vaults    map[string]*engine.Vault
	unopened  map[string]string // why, by name
	readers   readers
	witnessed *witness.Server  // nil: this server is no witness
	counted   *httpapi.Metrics // where requests are counted
	crossing  *crossing        // nil: no vault lives in a store
	collect   func(*httpapi.Exposition)
}

// rooms opens them. The caller ends them before it closes the vaults.
func (o Options) rooms(s served, log zerolog.Logger) (rooms, error) {
	options := httpapi.Options{
		Unopened: s.unopened, Logger: log, MaxUpload: o.MaxUpload, PublicURL: o.PublicURL, AllowedHosts: o.AllowedHosts, Build: o.Build,
		PublicLogs: o.PublicLogs, PublicEntries: o.PublicEntries,
		BodyTimeout: bodyTimeout, Metrics: s.counted, Collect: s.readers.collector(s.collect),
		Deliveries: s.readers.deliveries.served(), Warnings: s.readers.warnings, Pages: s.readers.pictures,
	}
	if s.readers.search != nil { // a nil *searches would be a Search
		options.Search = s.readers.search
	}
	if s.readers.witnesses != nil { // a nil *witnessing would be Witnesses
		options.Witnesses = s.readers.witnesses
	}
	operators := options
	operators.Logger = log.With().Bool("control", true).Logger()
	options.MaxUploads, options.MaxSearches, options.Rate, options.Burst = o.MaxUploads, o.MaxSearches, o.Rate, o.Burst
	signIn := o.signIn(s.vaults, log)
	options.Tokens = signIn
	if s.crossing != nil {
		options.Elsewhere, options.Cluster = s.crossing.elsewhere, s.crossing.tellMembers
	}
	api, operator := httpapi.New(s.vaults, options), control.New(s.vaults, operators)
	pages, err := o.console(s.vaults, s.unopened, s.readers, options, api, signIn, log)
	if err != nil {
		return rooms{}, errors.Join(err, signIn.Close())
	}
	in := rooms{
		names:  slices.Sorted(maps.Keys(s.vaults)),
		public: withWitness(withSignIn(withConsole(api, pages), signIn), s.witnessed), metrics: http.NewServeMux(), operator: operator,
		hurry: api.Stop, hurryOperator: operator.Stop, end: signIn.Close,
	}
	in.metrics.(*http.ServeMux).Handle("GET /metrics", api.MetricsHandler())
	if pages != nil {
		in.hurry = func() { api.Stop(); pages.Hurry() }
		in.end = func() error { return errors.Join(pages.Close(), signIn.Close()) }
	}
	if s.crossing != nil {
		s.crossing.rest, s.crossing.forward.refuse = in.public, api.Refuse
		in.public, in.crossing = s.crossing, s.crossing
	}
	return in, nil
}
