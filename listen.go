package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
)

const (
	// grace is how long requests may run on once the server was told to stop.
	grace = 30 * time.Second

	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second // without progress
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// readers are those who read the logs of the vaults beside the API.
type readers struct {
	deliveries *deliveries
	search     *searches // nil: there is none
}

// collector tells the metrics of the process and of the readers.
func (r readers) collector(process func(*httpapi.Exposition)) func(*httpapi.Exposition) {
	return func(e *httpapi.Exposition) {
		process(e)
		r.deliveries.collect(e)
		if r.search != nil {
			r.search.expose(e)
		}
	}
}

// warnings tell of the vaults that are served without one of them, which starting
// anew may mend.
func (r readers) warnings() map[string][]string {
	all := map[string][]string{}
	for _, name := range r.deliveries.silent {
		all[name] = append(all[name], "webhooks are not delivered; the log says why, and starting the server anew tries again")
	}
	if r.search != nil {
		for _, name := range r.search.blind {
			all[name] = append(all[name], "there is no search; the log says why, and starting the server anew tries again")
		}
	}
	return all
}

// open listens at every address, and says so.
func (p *program) open(d door, vaults map[string]*engine.Vault, unopened map[string]string, r readers, o serveOptions, log zerolog.Logger) ([]front, error) {
	options := httpapi.Options{
		Unopened: unopened, Logger: log, MaxUpload: int64(o.maxUpload), PublicURL: o.publicURL, Build: buildInfo(),
		BodyTimeout: bodyTimeout, Metrics: httpapi.NewMetrics(), Collect: r.collector(processMetrics(time.Now())),
		Deliveries: r.deliveries.served(), Warnings: r.warnings,
	}
	if r.search != nil { // a nil *searches would be a Search
		options.Search = r.search
	}
	operators := options
	operators.Logger = log.With().Bool("control", true).Logger()
	options.MaxUploads, options.Rate, options.Burst = int(o.maxUploads), float64(o.rate), int(o.burst)
	api, operator := httpapi.New(vaults, options), control.New(vaults, operators)

	public, err := d.listen(d.address)
	if err != nil {
		return nil, fmt.Errorf("%w; give another --listen if the address is taken", err)
	}
	fronts := []front{{public, api, api.Stop}}
	if d.metrics != nil {
		metrics, err := d.listen(d.metrics)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--metrics-listen: %w", err), closeAll(fronts))
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", api.MetricsHandler())
		fronts = append(fronts, front{metrics, mux, func() {}})
		fmt.Fprintf(p.stderr, "metrics at %s://%s/metrics\n", d.scheme(), metrics.Addr())
	}
	socket, err := control.Listen(o.Data)
	if err != nil {
		return nil, errors.Join(err, closeAll(fronts))
	}
	fronts = append(fronts, front{socket, operator, operator.Stop})
	log.Info().Strs("vaults", slices.Sorted(maps.Keys(vaults))).Str("version", buildInfo().Version).Int("pid", os.Getpid()).Msg("serving")
	fmt.Fprintf(p.stderr, "listening on %s://%s\n", d.scheme(), public.Addr())
	return fronts, nil
}

func closeAll(fronts []front) error {
	var errs []error
	for _, f := range fronts {
		errs = append(errs, f.listener.Close())
	}
	return errors.Join(errs...)
}

// door is where strangers come in.
type door struct {
	address *net.TCPAddr
	metrics *net.TCPAddr // nil: with the rest
	tls     *tls.Config  // nil: none
}

func (d door) scheme() string {
	if d.tls == nil {
		return "http"
	}
	return "https"
}

func (d door) listen(at *net.TCPAddr) (net.Listener, error) {
	listener, err := net.ListenTCP("tcp", at)
	if err != nil || d.tls == nil {
		return listener, err
	}
	return tls.NewListener(listener, d.tls), nil
}

// check refuses what cannot be served before anything is touched.
func (o *serveOptions) check(log zerolog.Logger) (d door, err error) {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return door{}, usagef("--tls-cert and --tls-key go together: give both")
	}
	if d.address, err = o.checkAddress("--listen", o.listen, "API keys"); err != nil {
		return door{}, err
	}
	if o.metrics != "" {
		if d.metrics, err = o.checkAddress("--metrics-listen", o.metrics, "metrics"); err != nil {
			return door{}, err
		}
	}
	if o.tlsCert == "" {
		return d, nil
	}
	c, err := loadCertificate(o.tlsCert, o.tlsKey)
	if err != nil {
		return door{}, err
	}
	c.log = log
	d.tls = c.config()
	return d, nil
}

// checkAddress reads an address, and refuses one that others can reach if what
// crosses the network would do so in the clear.
func (o *serveOptions) checkAddress(flag, given, what string) (*net.TCPAddr, error) {
	address, err := net.ResolveTCPAddr("tcp", given)
	if err != nil {
		return nil, usagef("%s %s: %v; want an address and a port such as 127.0.0.1:8080", flag, given, err)
	}
	// No IP at all is every address of this machine.
	if !address.IP.IsLoopback() && o.tlsCert == "" && !o.insecureHTTP {
		return nil, usagef("%s %s can be reached from other machines, and %s would cross the network in the clear; "+
			"give --tls-cert and --tls-key, or --insecure-http if something in front of the server adds TLS", flag, given, what)
	}
	return address, nil
}

// front is a listener, what serves it, and what tells that to hurry.
type front struct {
	listener net.Listener
	handler  http.Handler
	hurry    func()
}

// serveUntil serves all fronts until ctx is done or one of them fails, then
// lets requests that run come to their end.
func serveUntil(ctx context.Context, log zerolog.Logger, fronts ...front) error {
	failed := make(chan error, len(fronts))
	var serving sync.WaitGroup
	servers := make([]*http.Server, len(fronts))
	for i, f := range fronts {
		servers[i] = &http.Server{
			Handler:           f.handler,
			ErrorLog:          httpErrors(log),
			ReadHeaderTimeout: headerTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			// A stream that stands still is httpapi's to end; a connection of
			// which no stream can be told so, is ended here.
			HTTP2: &http.HTTP2Config{WriteByteTimeout: bodyTimeout},
			// Else net/http answers OPTIONS * itself, with none of our headers.
			DisableGeneralOptionsHandler: true,
			// No WriteTimeout: it would cut long downloads. httpapi sets a
			// deadline for each step of an answer.
		}
		serving.Go(func() {
			if err := servers[i].Serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
		log.Info().Msg("stopping: finishing what runs")
	case err = <-failed:
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	for i, f := range fronts {
		f.hurry()
		serving.Go(func() {
			if servers[i].Shutdown(deadline) != nil {
				log.Warn().Str("after", grace.String()).Msg("requests that still ran were cut off")
				servers[i].Close()
			}
		})
	}
	serving.Wait()
	return err
}
