package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"strongroom/engine"
)

// Role is what a member is of its vault.
type Role int

const (
	Follower Role = iota // applies what the owner has put in the store
	Owner                // changes the vault
)

func (r Role) String() string {
	if r == Owner {
		return "owner"
	}
	return "follower"
}

// Status tells how a member stands.
type Status struct {
	Role  Role
	Epoch uint64 // of the last commit: each owner has one of its own
	// Commit is the last that this server has, Seq the last entry of its log.
	Commit, Seq uint64
	// Behind is how long ago this server is known to have had all there was. An owner
	// has it while it is current: how old its lease is.
	Behind time.Duration
	// Server and URL are the owner's, as far as is known.
	Server, URL string
	// Concern is why this server would not take over: ErrClock. nil: it would.
	Concern error
	// SnapshotCommit and SnapshotTime are the last snapshot's. Zero: not known here.
	SnapshotCommit uint64
	SnapshotTime   time.Time
	// Nothing that was erased up to the entry Clean lies in the store, since CleanAt;
	// nor can the vault be restored to a time before. Zero: nothing was, or it is not known here.
	Clean   uint64
	CleanAt time.Time
}

// Member is this server's part in a vault that lives in a store. Its role stays the
// same until it is over: then Close it and Join again. All methods may be called from
// many goroutines.
type Member struct {
	c    *Config
	role Role
	v    vault
	id   string

	work   context.Context // ends what runs beside the vault
	stop   context.CancelCauseFunc
	house  context.CancelFunc // ends an owner's housekeeping
	keeper sync.WaitGroup     // the housekeeping
	runs   sync.WaitGroup     // all else that runs

	f *follower // a follower's

	h      *holder       // an owner's
	s      *shipper      // an owner's
	open   chan struct{} // closed when an owner's vault is open, and s and v are set for good
	letGo  context.CancelCauseFunc
	closed sync.Once
	failed error // of closing

	mu   sync.Mutex // guards what follows
	err  error
	done chan struct{}
	kept *tending
}

// Vault is the vault, until Close.
func (m *Member) Vault() *engine.Vault {
	v, _ := m.v.(*engine.Vault)
	return v
}

// Role is Owner or Follower, for the member's life.
func (m *Member) Role() Role { return m.role }

// Done is closed when the role is over: see Err.
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is why the role is over, nil while it is not. engine.ErrReplaced: another server
// owns the vault. ErrOwnerGone: the owner is gone, and this server has claimed the vault:
// Join owns it. ErrCollected: this server was away for so long that Join fetches a
// snapshot. ErrStoreBehind and ErrForked: somebody has to see to the store. ErrClosed.
func (m *Member) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *Member) end(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		close(m.done)
	}
}

// Current is nil if this server may answer as the owner: nobody else can have been
// acknowledged anything that the vault here does not have. It takes no time, so it is asked
// for each request, before it reads. engine.ErrFollower; ErrStale if the lease was not
// renewed for ten seconds, or what Err says.
func (m *Member) Current() error {
	if m.role != Owner {
		return engine.ErrFollower
	}
	if err := m.Err(); err != nil {
		return err
	}
	return m.h.current()
}

// Owner is where requests are forwarded to; not ok if nobody is known to take them.
func (m *Member) Owner() (url string, ok bool) {
	s := m.Status()
	return s.URL, s.URL != ""
}

// Status tells how the member stands, without asking the store.
func (m *Member) Status() Status {
	s := Status{Role: m.role, Seq: m.v.Head().Seq}
	if m.role == Follower {
		m.f.mu.Lock()
		defer m.f.mu.Unlock()
		s.Epoch, s.Commit = m.f.stands.Epoch, m.f.stands.Commit
		s.Behind = m.c.now() - m.f.reached
		s.Server, s.URL, s.Concern = m.f.watch.Server, m.f.watch.URL, m.f.concern
		return s
	}
	at := m.s.place()
	s.Epoch, s.Commit, s.Server, s.URL = at.Epoch, at.Commit, m.c.Server, m.c.URL
	m.h.mu.Lock()
	s.Behind = m.c.now() - m.h.began
	m.h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept != nil {
		s.SnapshotCommit, s.SnapshotTime = m.kept.Snapshot.Commit, m.kept.Snapshot.Time
		s.Clean, s.CleanAt = m.kept.Snapshot.Clean, m.kept.Snapshot.CleanAt
	}
	return s
}

// Close ends the member and closes the vault. An owner's waits for the changes that
// are under way, and gives the lease up, so that the next takes over at once. If ctx
// ends first, those whose outcome is not known are answered so. A second Close does nothing.
func (m *Member) Close(ctx context.Context) error {
	m.closed.Do(func() {
		if m.role == Owner {
			m.failed = m.closeOwner(ctx)
		} else {
			m.failed = m.closeFollower()
		}
		m.end(ErrClosed)
	})
	return m.failed
}

func (m *Member) closeFollower() error {
	m.stop(ErrClosed)
	m.runs.Wait()
	failed := m.v.Close()
	suspect := errors.Is(m.Err(), errApply)
	state := copyState{place: m.f.at, ID: m.id, Boot: bootID(), Clean: failed == nil && !suspect, Suspect: suspect}
	return errors.Join(failed, m.c.saveCopyState(state))
}

// closeOwner renews the lease until the vault changes no more: when it is closed, or can
// ship nothing.
func (m *Member) closeOwner(ctx context.Context) error {
	m.house()
	m.keeper.Wait()
	closed := make(chan error, 1)
	go func() { closed <- m.v.Close() }()
	var failed error
	waits := false
	select {
	case failed = <-closed:
	case <-ctx.Done():
		waits = true // for callers who read, too; the next owner need not
	}
	m.letGo(ErrClosed)
	m.stop(ErrClosed)
	m.runs.Wait()
	m.end(ErrClosed) // before the lease is given up: this server is current no more
	m.release(ctx)
	if waits {
		failed = <-closed
	}
	state := copyState{place: m.s.place(), ID: m.id, Boot: bootID(), Clean: failed == nil}
	return errors.Join(failed, m.c.saveCopyState(state))
}

// release gives the lease up, unless it is another's. It has some seconds for it even
// if ctx has ended.
func (m *Member) release(ctx context.Context) {
	if errors.Is(m.Err(), engine.ErrReplaced) {
		return
	}
	for _, step := range []struct {
		do     func(context.Context) error
		failed string
	}{
		{m.c.sealKeys, "seal keys: %v; what this server made of late, the next owner does not have"},
		{m.h.release, "give the lease up: %v; another server takes over when it has expired"},
	} {
		limited, done := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		m.h.reached(m.s.place().Commit, 0)
		if err := step.do(limited); err != nil {
			m.c.log(step.failed, err)
		}
		done()
	}
}

// keepHouse takes snapshots and collects what is old, and notes how far the copy is.
func (m *Member) keepHouse(ctx context.Context) {
	var kept *tending
	saved := m.s.place()
	for wait := tendFirst; ; wait = tendEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		t := m.s.tended()
		next, err := m.c.tend(ctx, m.v, t, kept)
		if next != nil {
			kept = next
			m.c.clean.Store(kept.Snapshot.Clean)
			m.mu.Lock()
			m.kept = next
			m.mu.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			m.c.log("keep the vault's store in order: %v", err)
		}
		if t.place == saved {
			continue
		}
		if err := m.c.saveCopyState(copyState{place: t.place, ID: m.id, Boot: bootID()}); err != nil {
			m.c.log("note how far this server's copy is: %v", err)
			continue
		}
		saved = t.place
	}
}

const tendEvery = 10 * time.Second

// tendFirst is soon: where no owner lives for long there would never be a snapshot, and
// each that joins with an empty disk would apply all that ever happened.
const tendFirst = time.Second

// alive is what an owner looks at before it renews its lease.
func (m *Member) alive() error {
	select {
	case <-m.open:
	default:
		return nil // it is being taken over
	}
	var down *engine.UnavailableError
	if err := m.v.Ready(); err != nil && !(errors.As(err, &down) && down.Reason == engine.ReasonClosed) {
		return err // it can do nothing with the lease; the next one can
	}
	m.h.reached(m.s.place().Commit, m.v.Head().Seq)
	return nil
}
