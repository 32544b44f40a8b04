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
	"strongroom/httpapi"
)

const (
	// grace is how long requests may run on once the server was told to stop.
	grace = 30 * time.Second

	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10

	firstKeyName = "first-admin-key"
)

type serveOptions struct {
	place
	listen       string
	insecureHTTP bool
	tlsCert      string
	tlsKey       string
	publicURL    string
	maxUpload    bytesValue
	headLog      string
	search       bool
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
--insecure-http if something in front of the server adds TLS.`,
		example: `strongroom serve --listen 127.0.0.1:8080 --head-log ./heads.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o serveOptions
			f.data(&o.place)
			f.set.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` and port; port 0 takes a free one")
			f.set.BoolVar(&o.insecureHTTP, "insecure-http", false, "listen beyond this machine without TLS")
			f.set.StringVar(&o.tlsCert, "tls-cert", "", "`FILE` with the TLS certificate chain, PEM")
			f.set.StringVar(&o.tlsKey, "tls-key", "", "`FILE` with the key of the certificate, PEM")
			f.set.StringVar(&o.publicURL, "public-url", "", "`URL` clients reach the server by, if it is behind a proxy")
			o.maxUpload = 1 << 30
			f.set.Var(&o.maxUpload, "max-upload", "`SIZE` a file may have: 500MB, 64GiB")
			f.set.StringVar(&o.headLog, "head-log", "", "`FILE` to append the head of each vault's audit log to, at start,\ndaily at midnight UTC, and at stop: keep it where this server cannot\nwrite, or print it")
			f.set.BoolVar(&o.search, "search", true, "keep a full-text index of each vault and answer searches; its files,\nthe directory search of a vault, may be deleted at any time")
			o.logLevel = levelValue(zerolog.InfoLevel)
			f.set.Var(&o.logLevel, "log-level", "`LEVEL` of what is logged: debug, info, warn or error")
			return func(ctx context.Context, _ []string) error { return p.serve(ctx, o) }
		},
	}
}

// serve is the life of a server. Everything is taken in the order in which it
// is given back in reverse.
func (p *program) serve(ctx context.Context, o serveOptions) (err error) {
	address, tlsConfig, err := o.check()
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, zerolog.Level(o.logLevel))
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

	options := httpapi.Options{
		Unopened: unopened, Logger: log, MaxUpload: int64(o.maxUpload), PublicURL: o.publicURL, Build: buildInfo(),
	}
	if o.search {
		s := startSearch(o.place, vaults, log)
		defer func() { err = errors.Join(err, s.stop()) }()
		options.Search = s
	}

	public, err := net.ListenTCP("tcp", address)
	if err != nil {
		return fmt.Errorf("%w; give another --listen if the address is taken", err)
	}
	operators, err := listenControl(o.data)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	api := httpapi.New(vaults, options)
	options.Logger = log.With().Bool("control", true).Logger()
	control := newControl(vaults, options)
	scheme, listener := "http", net.Listener(public)
	if tlsConfig != nil {
		scheme, listener = "https", tls.NewListener(public, tlsConfig)
	}
	log.Info().Strs("vaults", slices.Sorted(maps.Keys(vaults))).Str("version", buildInfo().Version).Int("pid", os.Getpid()).Msg("serving")
	fmt.Fprintf(p.stderr, "listening on %s://%s\n", scheme, public.Addr())
	return serveUntil(ctx, log,
		front{listener, api, api.Stop},
		front{operators, control, control.api.Stop})
}

// check refuses what cannot be served before anything is touched.
func (o *serveOptions) check() (*net.TCPAddr, *tls.Config, error) {
	address, err := net.ResolveTCPAddr("tcp", o.listen)
	if err != nil {
		return nil, nil, usagef("--listen %s: %v; want an address and a port such as 127.0.0.1:8080", o.listen, err)
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return nil, nil, usagef("--tls-cert and --tls-key go together: give both")
	}
	if o.tlsCert == "" {
		// No IP at all is every address of this machine.
		if !address.IP.IsLoopback() && !o.insecureHTTP {
			return nil, nil, usagef("--listen %s can be reached from other machines, and API keys would cross the network in the clear; "+
				"give --tls-cert and --tls-key, or --insecure-http if something in front of the server adds TLS", o.listen)
		}
		return address, nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return nil, nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", o.tlsCert, o.tlsKey, err)
	}
	return address, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}, nil
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
			// Else net/http answers OPTIONS * itself, with none of our headers.
			DisableGeneralOptionsHandler: true,
			// No WriteTimeout: it would cut long downloads. A client that
			// stops reading holds a connection and nothing else.
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
