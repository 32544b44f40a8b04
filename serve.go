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
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/httpapi"
)

const (
	// grace is how long requests may run on once the server was told to stop.
	grace = 30 * time.Second

	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second // without progress
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10

	firstKeyName = "first-admin-key"
)

type serveOptions struct {
	place
	listen       string
	metrics      string // address; "": no listener of its own
	insecureHTTP bool
	tlsCert      string
	tlsKey       string
	publicURL    string
	maxUpload    bytesValue
	maxUploads   uint
	rate         rateValue
	burst        uint
	headLog      string
	logLevel     levelValue
}

func (p *program) serveCommand() command {
	return command{
		name:    "serve",
		summary: "serve all vaults of a data directory over HTTP",
		about: `Serves every vault under the data directory; the API key of a request says which
one it is about. If there is no vault at all, it first makes one called "main" and
writes the API key of its administrator to the file first-admin-key in the data
directory, readable by this user alone. Store that key and remove the file.

It is ready when it prints "listening on http://ADDRESS". On SIGTERM or SIGINT it
accepts nothing new, finishes what runs, for up to 30 seconds, and exits with
status 0; a second signal ends it at once, and even that loses nothing that was
acknowledged.

While it runs, the other commands work through the socket control.sock in the
data directory. Only this user, and root, can connect to it.

To listen on an address that other machines can reach takes a TLS certificate, or
--insecure-http if something in front of the server adds TLS. A certificate is
read again when its files change; TLS is 1.2 or later, and brings HTTP/2.

A client has 10 seconds for a request's header and 2 minutes between requests; a
body that makes no progress for 30 seconds is given up, and so is a client that
does not take 256 KiB of an answer in that time.`,
		example: `strongroom serve --listen 127.0.0.1:8080 --head-log ./heads.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o serveOptions
			f.data(&o.place)
			f.set.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` and port; port 0 takes a free one")
			f.set.StringVar(&o.metrics, "metrics-listen", "", "`ADDRESS` and port to serve GET /metrics at, to anybody who comes there;\nwithout it, it is served to admins beside the rest")
			f.set.BoolVar(&o.insecureHTTP, "insecure-http", false, "listen beyond this machine without TLS")
			f.set.StringVar(&o.tlsCert, "tls-cert", "", "`FILE` with the TLS certificate chain, PEM")
			f.set.StringVar(&o.tlsKey, "tls-key", "", "`FILE` with the key of the certificate, PEM")
			f.set.StringVar(&o.publicURL, "public-url", "", "`URL` clients reach the server by, if it is behind a proxy")
			o.maxUpload = 1 << 30
			f.set.Var(&o.maxUpload, "max-upload", "`SIZE` a file may have: 500MB, 64GiB")
			f.set.UintVar(&o.maxUploads, "max-uploads", 128, "`NUMBER` of uploads at a time, of 2 MiB of memory each; more are told to\ntry again; 0 is any number")
			f.set.Var(&o.rate, "rate", "`REQUESTS` a second that an API key may make; 0 is any number")
			f.set.UintVar(&o.burst, "burst", 0, "`REQUESTS` of --rate that may come at once; 0 is those of two seconds")
			f.set.StringVar(&o.headLog, "head-log", "", "`FILE` to append the head of each vault's audit log to, at start,\ndaily at midnight UTC, and at stop: keep it where this server cannot\nwrite, or print it")
			o.logLevel = levelValue(zerolog.InfoLevel)
			f.set.Var(&o.logLevel, "log-level", "`LEVEL` of what is logged: debug, info, warn or error")
			return func(ctx context.Context, _ []string) error { return p.serve(ctx, o) }
		},
	}
}

// serve is the life of a server. Everything is taken in the order in which it
// is given back in reverse.
func (p *program) serve(ctx context.Context, o serveOptions) (err error) {
	log := newLogger(p.stderr, zerolog.Level(o.logLevel))
	door, err := o.check(log)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	lock, err := lockData(o.data)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := sweepData(o.data); err != nil {
		log.Warn().Err(err).Msg("what a crash left cannot be removed")
	}

	names, err := p.namesToServe(ctx, o.place)
	if err != nil {
		return err
	}
	vaults, unopened, err := openVaults(o.place, names, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeVaults(vaults)) }()

	schedule, err := startSchedule(vaults, o.headLog, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, schedule.stop()) }()

	fronts, err := p.open(door, vaults, unopened, o, log)
	if err != nil {
		return err
	}
	return serveUntil(ctx, log, fronts...)
}

// open listens at every address, and says so.
func (p *program) open(d door, vaults map[string]*engine.Vault, unopened map[string]string, o serveOptions, log zerolog.Logger) ([]front, error) {
	options := httpapi.Options{
		Unopened: unopened, Logger: log, MaxUpload: int64(o.maxUpload), PublicURL: o.publicURL, Build: buildInfo(),
		BodyTimeout: bodyTimeout, Metrics: httpapi.NewMetrics(), Collect: processMetrics(time.Now()),
	}
	operators := options
	operators.Logger = log.With().Bool("control", true).Logger()
	options.MaxUploads, options.Rate, options.Burst = int(o.maxUploads), float64(o.rate), int(o.burst)
	api, control := httpapi.New(vaults, options), newControl(vaults, operators)

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
	socket, err := listenControl(o.data)
	if err != nil {
		return nil, errors.Join(err, closeAll(fronts))
	}
	fronts = append(fronts, front{socket, control, control.api.Stop})
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

// namesToServe returns the vaults of a data directory; with none, it makes the
// first.
func (p *program) namesToServe(ctx context.Context, at place) ([]string, error) {
	names, err := vaultNames(at.data)
	if err != nil || len(names) > 0 {
		return names, err
	}
	at.vault = "main"
	user, err := parseAdmin("Administrator")
	if err != nil {
		return nil, err
	}
	secret, err := createVault(ctx, at, user)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(at.data, firstKeyName)
	if err := blobstore.WriteFile(path, []byte(secret.Reveal()+"\n")); err != nil {
		return nil, fmt.Errorf("vault %q is made, but the key of its administrator could not be kept: %w; make another by `strongroom key add`", at.vault, err)
	}
	fmt.Fprintf(p.stderr, "made the vault %q; the API key of its administrator is in %s\n", at.vault, path)
	if isTerminal(p.stderr) {
		fmt.Fprintf(p.stderr, "the key: %s\n", secret.Reveal())
	}
	return []string{at.vault}, nil
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
