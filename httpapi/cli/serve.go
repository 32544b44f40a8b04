package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
)

// serveFlags are what serve is given.
type serveFlags struct {
	datadir.Place
	listen       string
	metrics      string // address; "": no listener of its own
	insecureHTTP bool
	tlsCert      string
	tlsKey       string
	publicURL    addressValue
	hosts        hostsValue
	maxUpload    bytesValue
	maxUploads   uint
	maxSearches  uint
	maxConns     uint
	tokens       lifeValue
	refreshes    lifeValue
	oidc         oidcFlags
	store        storeFlags
	rate         rateValue
	burst        uint
	memory       bytesValue
	headLog      string
	scrubRate    uint // MiB a second
	webhooks     webhookFlags
	logs         logFlags
	witnesses    witnessFlags
	search       bool
	console      bool
	pdf          pdfValue
	logLevel     levelValue
	acceptClock  bool
}

func (p *Program) serveCommand() command {
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

With --store, the vaults live in a store of objects, S3 or what speaks it, and several
servers may share them: one owns a vault and makes its changes, the others follow, and
one of them takes over when the owner is gone for 15 seconds. An answer then means
that the change is in the store. A vault of the data directory is moved there by
` + "`strongroom vault move`" + `.

To listen on an address that other machines can reach takes a TLS certificate, or
--insecure-http if something in front of the server adds TLS. A certificate is
read again when its files change; TLS is 1.2 or later, and brings HTTP/2.

A client has 10 seconds for a request's header and 2 minutes between requests; a
body that makes no progress for 30 seconds, or brings less than 64 KiB in a minute
of waiting, is given up, and so is a client that does not take 256 KiB of an answer
in 30 seconds. Of connections that wait for their next request, 128 of one address
are kept, and 1,024 in all; of all connections, --max-connections.`,
		example: `strongroom serve --listen 127.0.0.1:8080 --head-log ./heads.txt`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o serveFlags
			f.data(&o.Place)
			f.storeServing(&o.store)
			f.set.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` and port; port 0 takes a free one")
			f.set.StringVar(&o.metrics, "metrics-listen", "", "`ADDRESS` and port to serve GET /metrics at, to anybody who comes there;\nwithout it, it is served to admins beside the rest")
			f.set.BoolVar(&o.insecureHTTP, "insecure-http", false, "listen beyond this machine without TLS")
			f.set.StringVar(&o.tlsCert, "tls-cert", "", "`FILE` with the TLS certificate chain, PEM")
			f.set.StringVar(&o.tlsKey, "tls-key", "", "`FILE` with the key of the certificate, PEM")
			f.set.Var(&o.publicURL, "public-url", "`URL` clients reach the server by, if it is behind a proxy")
			f.set.Var(&o.hosts, "allowed-hosts", "`HOST,...` by which clients reach the server, if there is no --public-url;\nfor those who name another one, localhost and its addresses apart, the\nURLs in answers begin with the path")
			o.limits(f)
			o.tokens, o.refreshes = lifeValue(time.Hour), lifeValue(30*day)
			f.set.Var(&o.tokens, "token-lifetime", "`TIME` an access token is good for: 15m, 1h")
			f.set.Var(&o.refreshes, "refresh-lifetime", "`TIME` a refresh token is good for that nobody uses: 12h, 30d")
			f.oidc(&o.oidc)
			f.set.StringVar(&o.headLog, "head-log", "", "`FILE` to append the head of each vault's audit log to, at start,\ndaily at midnight UTC, and at stop: keep it where this server cannot\nwrite, or print it")
			f.set.UintVar(&o.scrubRate, "scrub-rate", 10, "`MiB` per second to read in the background, so that files which no longer\nhave their bytes are found; 0 reads none")
			f.webhooks(&o.webhooks)
			f.logs(&o.logs)
			f.witnesses(&o.witnesses)
			f.set.BoolVar(&o.search, "search", true, "keep a full-text index of each vault and answer searches; its files,\nthe directory search of a vault, may be deleted at any time")
			f.set.BoolVar(&o.console, "console", true, "serve the pages for people, below /console/")
			o.pdf = daemon.PDFAuto
			f.set.Var(&o.pdf, "pdf", "`HOW` the text of PDFs is read: auto, by machine code where that may be\nmade; interpreter, about ten times as slow; or off")
			f.set.BoolVar(&o.acceptClock, "accept-clock", false, "write although the clock is more than five minutes behind the audit\nlog: it is right now, and was wrong before")
			o.logLevel = levelValue(zerolog.InfoLevel)
			f.set.Var(&o.logLevel, "log-level", "`LEVEL` of what is logged: debug, info, warn or error")
			return func(ctx context.Context, _ []string) error { return p.serve(ctx, o) }
		},
	}
}

// limits are the flags that bound what clients may take.
func (o *serveFlags) limits(f *flagSet) {
	o.maxUpload = 1 << 30
	f.set.Var(&o.maxUpload, "max-upload", "`SIZE` a file may have: 500MB, 64GiB")
	f.set.UintVar(&o.maxUploads, "max-uploads", 128, "`NUMBER` of uploads at a time, of 2 MiB of memory each; more are told to\ntry again, and so is a user who has more than an equal share; 0 is any\nnumber")
	f.set.UintVar(&o.maxConns, "max-connections", 4096, "`NUMBER` of connections at a time; when there are more, those that wait\nfor a request are closed, the longest waiting first; 0 is any number")
	f.set.UintVar(&o.maxSearches, "max-searches", 8, "`NUMBER` of searches at a time, half of them of one user; more wait 5\nseconds at most and are told to try again; 0 is any number")
	f.set.Var(&o.rate, "rate", "`REQUESTS` a second that a user may make, all API keys together; 0 is any number")
	f.set.UintVar(&o.burst, "burst", 0, "`REQUESTS` of --rate that may come at once; 0 is those of two seconds")
	o.memory = 384 << 20
	f.set.Var(&o.memory, "memory-limit", "`SIZE` of memory from which on it is freed rather than taken: the Go\nruntime's, without the pages of the database; GOMEMLIMIT, if it is set,\nstands instead. Under load half of it is taken before any is freed, a\nquarter without --search; GOGC, if it is set, says otherwise")
}

// serve refuses what cannot be served before anything is touched.
func (p *Program) serve(ctx context.Context, o serveFlags) error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return usagef("--tls-cert and --tls-key go together: give both")
	}
	options := daemon.Options{
		TokenLifetime: time.Duration(o.tokens), RefreshLifetime: time.Duration(o.refreshes),
		Place: o.Place, TLSCert: o.tlsCert, TLSKey: o.tlsKey, PublicURL: string(o.publicURL), AllowedHosts: o.hosts,
		MaxUpload: int64(o.maxUpload), MaxUploads: int(o.maxUploads), MaxSearches: int(o.maxSearches), MaxConnections: int(o.maxConns), Rate: float64(o.rate), Burst: int(o.burst),
		HeadLog: o.headLog, ScrubRate: int64(o.scrubRate) << 20,
		WebhookAllow: o.webhooks.allow, WebhookProxy: o.webhooks.proxy.url, Search: o.search, Console: o.console, Guides: p.Guides,
		Reader:      p.reader(string(o.pdf)),
		AcceptClock: o.acceptClock,
		Notify:      daemon.NotifyOf(p.Env), Stderr: p.Stderr, Terminal: isTerminal(p.Stderr), LogLevel: zerolog.Level(o.logLevel), Build: buildInfo(),
	}
	err := errors.Join(o.oidc.apply(&options), o.logs.apply(&options), o.witnesses.apply(&options))
	if err != nil {
		return err
	}
	if options.Listen, err = o.checkAddress("--listen", o.listen, "API keys"); err != nil {
		return err
	}
	if o.metrics != "" {
		if options.Metrics, err = o.checkAddress("--metrics-listen", o.metrics, "metrics"); err != nil {
			return err
		}
	}
	if options.Store, err = o.store.open(p.Env, o.insecureHTTP); err != nil {
		return err
	}
	if options.Store != nil {
		options.Store.Lease = p.Lease
	}
	if p.Env("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(o.memory)))
	}
	if p.Env("GOGC") == "" {
		options.Heap = o.heap(debug.SetMemoryLimit(-1)) // which only tells
	}
	return daemon.Serve(ctx, options)
}

// largestHeap is enough for any load: more would be taken for nothing.
const largestHeap = 256 << 20

// heap is how much is taken before any is collected, of a limit of memory: less without
// a search index, which is to need less.
func (o *serveFlags) heap(limit int64) int64 {
	if o.search {
		return min(limit/2, largestHeap)
	}
	return min(limit/4, largestHeap)
}

// checkAddress reads an address, and refuses one that others can reach if what
// crosses the network would do so in the clear.
func (o *serveFlags) checkAddress(flag, given, what string) (*net.TCPAddr, error) {
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

// hostsValue is the flag --allowed-hosts: names or addresses, without ports.
type hostsValue []string

func (h *hostsValue) String() string { return strings.Join(*h, ",") }

func (h *hostsValue) Set(s string) error {
	var hosts []string
	for host := range strings.SplitSeq(s, ",") {
		host = strings.TrimSpace(host)
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if host == "" || err != nil && strings.ContainsAny(host, " /:@[]*") {
			return fmt.Errorf("want names or addresses without a port, such as vault.example.com,10.0.0.7")
		}
		hosts = append(hosts, host)
	}
	*h = hosts
	return nil
}

// levelValue is the flag --log-level.
type levelValue zerolog.Level

func (l *levelValue) String() string { return zerolog.Level(*l).String() }

func (l *levelValue) Set(s string) error {
	switch s {
	case "debug", "info", "warn", "error":
		level, err := zerolog.ParseLevel(s)
		*l = levelValue(level)
		return err
	}
	return fmt.Errorf("want debug, info, warn or error")
}

// pdfValue is the flag --pdf.
type pdfValue string

func (v *pdfValue) String() string { return string(*v) }

func (v *pdfValue) Set(s string) error {
	switch s {
	case daemon.PDFAuto, daemon.PDFInterpreter, daemon.PDFOff:
		*v = pdfValue(s)
		return nil
	}
	return fmt.Errorf("want auto, interpreter or off")
}
