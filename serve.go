package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/httpapi/datadir"
)

type serveOptions struct {
	datadir.Place
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
	scrubRate    uint
	webhooks     webhookOptions
	search       bool
	logLevel     levelValue
	acceptClock  bool
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
			f.data(&o.Place)
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
			f.set.UintVar(&o.scrubRate, "scrub-rate", 10, "`MiB` per second to read in the background, so that files which no longer\nhave their bytes are found; 0 reads none")
			f.webhooks(&o.webhooks)
			f.set.BoolVar(&o.search, "search", true, "keep a full-text index of each vault and answer searches; its files,\nthe directory search of a vault, may be deleted at any time")
			f.set.BoolVar(&o.acceptClock, "accept-clock", false, "write although the clock is more than five minutes behind the audit\nlog: it is right now, and was wrong before")
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
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return err
	}
	lock, err := datadir.Lock(o.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := datadir.RemoveLeftovers(o.Data); err != nil {
		log.Warn().Err(err).Msg("what a crash left cannot be removed")
	}

	names, err := p.namesToServe(ctx, o.Place)
	if err != nil {
		return err
	}
	vaults, unopened, err := openVaults(o.Place, names, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeVaults(vaults)) }()

	if o.acceptClock {
		if err := acceptClocks(ctx, vaults, log); err != nil {
			return err
		}
	}
	schedule, err := startSchedule(vaults, o.headLog, int64(o.scrubRate)<<20, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, schedule.stop()) }()

	readers := readers{deliveries: startDeliveries(o.Place, vaults, o.webhooks, log)}
	defer func() { err = errors.Join(err, readers.deliveries.stop()) }()
	if o.search {
		readers.search = startSearch(o.Place, vaults, log)
		defer func() { err = errors.Join(err, readers.search.stop()) }()
	}
	fronts, err := p.open(door, vaults, unopened, readers, o, log)
	if err != nil {
		return err
	}
	return serveUntil(ctx, log, fronts...)
}

// namesToServe returns the vaults of a data directory; with none, it makes the
// first.
func (p *program) namesToServe(ctx context.Context, at datadir.Place) ([]string, error) {
	names, err := datadir.Vaults(at.Data)
	if err != nil || len(names) > 0 {
		return names, err
	}
	at.Vault = "main"
	user, err := parseAdmin("Administrator")
	if err != nil {
		return nil, err
	}
	secret, err := datadir.Create(ctx, at, user)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(at.Data, datadir.FirstKeyName)
	if err := blobstore.WriteFile(path, []byte(secret.Reveal()+"\n")); err != nil {
		return nil, fmt.Errorf("vault %q is made, but the key of its administrator could not be kept: %w; make another by `strongroom key add`", at.Vault, err)
	}
	fmt.Fprintf(p.stderr, "made the vault %q; the API key of its administrator is in %s\n", at.Vault, path)
	if isTerminal(p.stderr) {
		fmt.Fprintf(p.stderr, "the key: %s\n", secret.Reveal())
	}
	return []string{at.Vault}, nil
}
