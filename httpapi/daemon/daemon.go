// Package daemon is what `strongroom serve` is: a process that takes a data directory
// for itself, opens its vaults, and serves them until it is told to stop.
//
// It puts together what the rest of the house has apart. The API (package httpapi)
// is served at an address, with TLS if there is a certificate, and at the control
// socket (package control). The readers of the audit logs, full-text search and
// webhooks, are begun for each vault and plugged into the API as the interfaces it
// declares. Nothing in engine runs by itself, so the clock ticks here: sweeps, the
// scrub of the files, the daily heads. And here is the log of all that, one JSON
// object to a line, or lines for people on a terminal.
//
// It knows no rule about documents and decides no answer. It reads neither flags nor
// the environment, and catches no signal: package cli does, and an end of the context
// is the order to stop. Where a message names a flag, it is for the person who set it.
package daemon

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
	"strongroom/httpapi/datadir"
	"strongroom/httpapi/witness"
)

// Options say what is served, and how.
type Options struct {
	// Place is the data directory; all its vaults are served, whichever it names.
	Place datadir.Place
	// Store is where the vaults live, and Place where their working copies are; nil:
	// they live in Place.
	Store *Store

	Listen  *net.TCPAddr // port 0 takes a free one
	Metrics *net.TCPAddr // where /metrics is served to anybody; nil: nowhere
	// TLSCert and TLSKey are files in PEM; both are "" for none. Without them, keys
	// cross the network in the clear: who sets Listen has to see to that.
	TLSCert, TLSKey string
	PublicURL       string // by which clients reach it; "": as a request says
	// AllowedHosts are whom a request's Host is believed to be, beside this machine
	// by its own names, if there is no PublicURL.
	AllowedHosts []string

	MaxUpload      int64   // bytes of a file; 0: 1 GiB
	MaxUploads     int     // at a time; more are told to try again; 0: any number
	MaxConnections int     // at an address; those that wait are closed for others; 0: any number
	MaxSearches    int     // at a time; more wait a while; 0: any number
	Rate           float64 // requests a second that a user may make; 0: any number
	Burst          int     // of them at once; 0: those of two seconds
	Heap           int64   // bytes that memory may grow to before any is collected; 0: as the Go runtime has it

	HeadLog   string // file that heads are appended to; "": none
	ScrubRate int64  // bytes a second read in the background; 0: none

	WebhookAllow []netip.Prefix // networks behind the firewall that webhooks may reach
	WebhookProxy *url.URL       // nil: none, whatever the environment says
	Search       bool           // keep full-text indexes and answer searches
	Console      bool           // serve the pages for people, below /console/
	Guides       fs.FS          // the guides they show, where the repository has them; nil: none
	Reader       Reader         // how it reads files
	unserved     bool           // there is no server: files are read for somebody else
	AcceptClock  bool           // write although the clock is behind the log

	TokenLifetime   time.Duration // of access tokens; 0: an hour
	RefreshLifetime time.Duration // of refresh tokens nobody uses; 0: 30 days

	Provider     console.Provider // through which people come into the console; nil: none
	SignInAgain  time.Duration    // after which they have to come again; 0: never
	MappedVaults []string         // that their groups may open

	PublicLogs    []string // vaults whose checkpoint and tree stand open to all
	PublicEntries bool     // and the lines of these logs

	WitnessFor *audit.Policy   // the logs that this server is a witness of; nil: it is none
	Witnesses  *witness.Client // who signs the checkpoints of the vaults; nil: nobody

	Notify   Notify    // the service manager
	Stderr   io.Writer // for the log, and for what is said to people
	Terminal bool      // whether a person looks at Stderr
	LogLevel zerolog.Level
	Build    httpapi.Build
}

// Serve is the life of a server, from its start until ctx is done and what runs has
// come to its end, for which it has 30 seconds. It takes the data directory for
// itself, makes a vault if there is none, and says on o.Stderr where it listens. A
// vault that cannot be opened is logged, and the others are served.
func Serve(ctx context.Context, o Options) (err error) {
	log := newLogger(o.Stderr, o.Terminal, o.LogLevel)
	door, err := newDoor(o, log)
	if err != nil {
		return err
	}
	if o.Store != nil {
		if err := o.Store.try(ctx); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.Place.Data, 0o700); err != nil {
		return err
	}
	lock, err := datadir.Lock(o.Place.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	defer pace(ctx, o.Heap)()
	if err := datadir.RemoveLeftovers(o.Place.Data); err != nil {
		log.Warn().Err(err).Msg("what a crash left cannot be removed")
	}

	if err := o.canListen(); err != nil {
		return err
	}
	if o.Store != nil {
		return o.serveStore(ctx, door, log)
	}
	return o.serveDisk(ctx, door, log)
}

// serveDisk is Serve for vaults that are at home in the data directory. Everything is
// taken in the order in which it is given back in reverse.
func (o Options) serveDisk(ctx context.Context, door door, log zerolog.Logger) (err error) {
	names, err := o.namesToServe(ctx)
	if err != nil {
		return err
	}
	vaults, loans, unopened, err := openVaults(o.Place, names, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeVaults(vaults), loans.giveBack()) }()
	if err := o.canBePublic(names); err != nil {
		return err
	}

	o.mindProvider(vaults, log)
	if o.AcceptClock {
		if err := acceptClocks(ctx, vaults, log); err != nil {
			return err
		}
	}
	witnessed, err := o.witness(log)
	if err != nil {
		return err
	}
	witnesses := startWitnessing(ctx, o.Witnesses, vaults, log)
	defer witnesses.stop()
	schedule, err := startSchedule(vaults, vaults, o.HeadLog, o.ScrubRate, o.PublicLogs, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, schedule.stop()) }()

	readers := readers{deliveries: startDeliveries(o, vaults, log), witnesses: witnesses}
	defer func() { err = errors.Join(err, readers.deliveries.stop()) }()
	reader := startReader(o, log)
	defer func() { err = errors.Join(err, reader.stop()) }()
	readers.pictures = startPictures(o.Place, vaults, reader.painter, log)
	defer func() { readers.pictures.stop() }()
	if o.Search {
		readers.search = startSearch(o.Place, vaults, reader.readers, log)
		defer func() { err = errors.Join(err, readers.search.stop()) }()
	}
	in, err := o.rooms(served{
		vaults: vaults, unopened: unopened, readers: readers, witnessed: witnessed,
		counted: httpapi.NewMetrics(), collect: processMetrics(time.Now()),
	}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.end()) }()
	fronts, err := o.open(door, in, log)
	if err != nil {
		return err
	}
	defer o.tellSystem(ctx, log, &fronts[0])()
	return serveUntil(ctx, log, fronts...)
}

// tellSystem tells the service manager that the server is ready, that it lives, and,
// by front's hurry, that it stops. The caller calls the function at the end.
func (o Options) tellSystem(ctx context.Context, log zerolog.Logger, front *front) (end func()) {
	var watching sync.WaitGroup
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx)) // to the end of what runs
	watching.Go(func() { o.Notify.watch(watched, log) })
	o.Notify.tell(log, "READY=1", "STATUS=listening on "+front.listener.Addr().String())
	hurry := front.hurry
	front.hurry = func() {
		o.Notify.tell(log, "STOPPING=1", "STATUS=finishing what runs")
		hurry()
	}
	return func() {
		unwatch()
		watching.Wait()
	}
}
