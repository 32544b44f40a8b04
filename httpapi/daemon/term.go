package daemon

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/witness"
)

// newVaultsEvery is how often the store is asked for vaults that were made elsewhere.
const newVaultsEvery = time.Minute

// termWitness is how long a term that is not the first waits for witnesses: clients wait
// with it.
const termWitness = 2 * time.Second

// life is what a server with a store has from its start to its end.
type life struct {
	o         Options
	log       zerolog.Logger
	house     *household
	gate      *gate
	witnessed *witness.Server
	counted   *httpapi.Metrics
	process   func(*httpapi.Exposition)
	forward   *forwarder
	patience  time.Duration // with witnesses, at the beginning of a term
}

// serveStore is Serve for vaults that live in a store. It serves term after term: the
// roles of the vaults are fixed within one, and when one changes, what reads them is
// ended and begun anew, for what this server owns now. The listeners stay open.
func (o Options) serveStore(ctx context.Context, d door, log zerolog.Logger) (err error) {
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // it was told to end before it was ready
		}
	}()
	names, err := o.vaultsToServe(ctx, log)
	if err != nil {
		return err
	}
	if err := o.canBePublic(names); err != nil {
		return err
	}
	l := &life{o: o, log: log, house: newHousehold(ctx, o, log), gate: newGate(), counted: httpapi.NewMetrics(), process: processMetrics(time.Now()), patience: witnessStart}
	transport := newTransport()
	defer transport.CloseIdleConnections()
	l.forward = &forwarder{hops: newHops(o.Store.Key), transport: transport, own: o.Store.PeerURL}
	if l.witnessed, err = o.witness(log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.house.close()) }()
	l.house.add(names)
	if err := l.house.first(ctx); err != nil {
		return err
	}
	t, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end()) }()
	fronts, err := o.open(d, rooms{
		names:  t.in.names,
		public: http.HandlerFunc(l.gate.public), metrics: http.HandlerFunc(l.gate.metrics), operator: http.HandlerFunc(l.gate.operator),
		hurry: l.gate.stop, hurryOperator: l.gate.stop,
	}, log)
	if err != nil {
		return err
	}
	defer o.tellSystem(ctx, log, &fronts[0])()
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- serveUntil(serving, log, fronts...) }()
	for {
		over, err := l.last(ctx, served)
		if over {
			return err
		}
		l.gate.shut()
		if err := t.end(); err != nil {
			log.Warn().Err(err).Msg("the end of a term")
		}
		l.house.renew(ctx)
		next, err := l.begin(ctx)
		if err != nil { // nothing is served any more: let the service manager begin anew
			t = &term{end: func() error { return nil }}
			cancel()
			return errors.Join(err, <-served)
		}
		t = next
	}
}

// last returns when the term is over: a role is, a vault has come, or, then over is true,
// the server ends.
func (l *life) last(ctx context.Context, served <-chan error) (over bool, err error) {
	ended, cancel := context.WithCancel(context.Background())
	defer cancel()
	changed := make(chan struct{}, 1)
	members, _ := l.house.now()
	for _, m := range members {
		go func() {
			select {
			case <-m.Done():
				select {
				case changed <- struct{}{}:
				default:
				}
			case <-ended.Done():
			}
		}()
	}
	look := time.NewTicker(newVaultsEvery)
	defer look.Stop()
	for {
		select {
		case err := <-served:
			return true, err
		case <-changed:
			return false, nil
		case <-l.house.news:
			if now, _ := l.house.now(); len(now) != len(members) {
				return false, nil
			}
		case <-look.C:
			names, err := l.o.Store.Vaults(ctx)
			if err != nil {
				l.log.Warn().Err(err).Msg("the store cannot be asked for new vaults; it is asked again")
				continue
			}
			l.house.add(names) // the term ends when they are joined
		}
	}
}

// term is what is open while the roles stay as they are.
type term struct {
	in  rooms
	end func() error
}

// begin opens what reads the vaults, and lets requests in. What it begins is ended in
// reverse.
func (l *life) begin(ctx context.Context) (_ *term, err error) {
	o, log := l.o, l.log
	members, unopened := l.house.now()
	all, owned := parted(members)
	var ends []func() error
	end := func() error {
		var errs []error
		for _, fn := range slices.Backward(ends) {
			errs = append(errs, fn())
		}
		ends = nil
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()

	o.mindProvider(all, log)
	if o.AcceptClock {
		if err := acceptClocks(ctx, owned, log); err != nil {
			log.Error().Err(err).Msg("the clock is not accepted")
		}
	}
	asking, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	l.patience = termWitness
	witnesses := startWitnessing(asking, o.Witnesses, owned, log)
	ends = append(ends, func() error { witnesses.stop(); return nil })
	schedule, err := startSchedule(all, owned, o.HeadLog, o.ScrubRate, o.PublicLogs, log)
	if err != nil {
		return nil, err
	}
	ends = append(ends, schedule.stop)
	read := readers{deliveries: startDeliveries(o, owned, log), witnesses: witnesses}
	ends = append(ends, read.deliveries.stop)
	reader := startReader(o, log)
	ends = append(ends, reader.stop)
	read.pictures = startPictures(o.Place, all, reader.painter, log)
	ends = append(ends, func() error { read.pictures.stop(); return nil })
	if o.Search {
		read.search = startSearch(o.Place, all, reader.readers, log)
		ends = append(ends, read.search.stop)
	}
	forward := *l.forward // what refuses is this term's
	in, err := o.rooms(served{
		vaults: all, unopened: unopened, readers: read, witnessed: l.witnessed, counted: l.counted,
		collect:  func(e *httpapi.Exposition) { l.process(e); exposeMembers(e, members) },
		crossing: &crossing{members: members, forward: &forward, patience: atLeastPatience},
	}, log)
	if err != nil {
		return nil, err
	}
	ends = append(ends, in.end)
	l.gate.open(&in)
	return &term{in, end}, nil
}

// tellMembers is httpapi.Options.Cluster.
func (c *crossing) tellMembers(v *engine.Vault) *httpapi.Standing {
	m := c.members[v.Name()]
	if m == nil {
		return nil
	}
	s := m.Standing()
	told := &httpapi.Standing{Role: roleOf(m), Owner: s.Owner, Epoch: s.Epoch, Behind: s.Quiet.Seconds()}
	if s.Concern != nil {
		told.Concern = s.Concern.Error()
	}
	if s.Locks != nil {
		told.Locks = &httpapi.LockStanding{Behind: s.Locks.Behind.Seconds()}
		if s.Locks.Problem != nil {
			told.Locks.Concern = s.Locks.Problem.Error()
		}
	}
	return told
}

func roleOf(m member) string {
	if m.Owns() {
		return "owner"
	}
	return "follower"
}
