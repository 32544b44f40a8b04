package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/blobstore/s3"
	"strongroom/engine"
	"strongroom/engine/cluster"
	"strongroom/httpapi/datadir"
)

// joined is a member of a vault that lives in a store.
type joined struct {
	*cluster.Member
	loan  *datadir.Loan
	locks *locks // of an owner, where the store locks bytes; else nil
}

func (j joined) Owns() bool { return j.Role() == cluster.Owner }

func (j joined) Standing() standing {
	s := j.Status()
	told := standing{Owner: s.Server, Epoch: s.Epoch, Commit: s.Commit, Seq: s.Seq, Quiet: s.Behind, Concern: s.Concern}
	if j.locks != nil {
		told.Locks = new(lockStanding)
		told.Locks.Behind, told.Locks.Problem = j.locks.lag()
	}
	return told
}

// Close also gives what was made in the working copy to its owner.
func (j joined) Close(ctx context.Context) error {
	if j.locks != nil {
		j.locks.stop()
	}
	return errors.Join(j.Member.Close(ctx), j.loan.Return())
}

// clusterOf is how a vault is joined, and the keeper of its bytes. A cache is a share of
// what may be kept on this disk for all vaults.
func (o Options) clusterOf(name string, share int64, log zerolog.Logger) (cluster.Config, *s3.Blobs, error) {
	at := o.Place
	at.Vault = name
	if err := datadir.MakeVaultsDir(at.Data); err != nil {
		return cluster.Config{}, nil, err
	}
	if o.Store.Cache == 0 {
		share = defaultCache / max(share, 1)
	} else {
		share = o.Store.Cache / max(share, 1)
	}
	objects := o.Store.of(name)
	kept := o.Store.blobsOf(name)
	kept.Dir, kept.CacheBytes = filepath.Join(at.Dir(), bytesName), share
	blobs, err := s3.OpenBlobs(kept)
	if err != nil {
		return cluster.Config{}, nil, fmt.Errorf("vault %q: %w", name, err)
	}
	log = log.With().Str("vault", name).Logger()
	return cluster.Config{
		Objects: objects, Dir: at.Dir(), Server: o.Store.Server, URL: o.Store.PeerURL, Options: at.Options(), Blobs: blobs,
		SealKey: o.Store.Key, History: o.Store.History, Lease: o.Store.Lease,
		Log: func(format string, args ...any) { log.Info().Msg(fmt.Sprintf(format, args...)) },
	}, blobs, nil
}

// bytesName is the directory, in that of a working copy, of copies of blobs and of those
// on their way in. It may be deleted while no server runs.
const bytesName = "bytes"

// household is all vaults of the store, as this server has them. They outlive a term:
// only those whose role is over are joined anew.
type household struct {
	o   Options
	log zerolog.Logger

	ctx     context.Context // ends the joining
	cancel  context.CancelFunc
	joining sync.WaitGroup
	news    chan struct{} // holds one token when members or trouble have changed

	mu      sync.Mutex
	known   map[string]bool   // vaults that are members, or become ones
	members map[string]member // joined
	trouble map[string]string // why a vault is not among them, by name
}

func newHousehold(ctx context.Context, o Options, log zerolog.Logger) *household {
	h := &household{o: o, log: log, news: make(chan struct{}, 1), known: map[string]bool{}, members: map[string]member{}, trouble: map[string]string{}}
	h.ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return h
}

// add joins vaults that are not known yet, and returns how many those are.
func (h *household) add(names []string) (added int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		if !h.known[name] {
			added++
			h.known[name], h.trouble[name] = true, "it is being fetched from the store"
			h.joining.Go(func() { h.join(name) })
		}
	}
	return added
}

// joinRetry is how long after a failure a vault is joined again.
const joinRetry = 10 * time.Second

// join tries until it succeeds.
func (h *household) join(name string) {
	for h.ctx.Err() == nil {
		m, err := h.once(name)
		h.mu.Lock()
		if err == nil {
			h.members[name] = m
			delete(h.trouble, name)
		} else if errors.Is(err, cluster.ErrLeft) {
			delete(h.trouble, name) // it is nobody's here any more
			h.log.Warn().Str("vault", name).Err(err).Msg("the vault is not served; its working copy may be removed")
		} else if said := err.Error(); h.ctx.Err() == nil && h.trouble[name] != said {
			h.trouble[name] = said
			h.log.Error().Str("vault", name).Err(err).Msg("vault not opened; the others are served, and it is tried again")
		}
		h.mu.Unlock()
		select {
		case h.news <- struct{}{}:
		default:
		}
		if err == nil || errors.Is(err, cluster.ErrLeft) {
			return
		}
		wait(h.ctx, joinRetry)
	}
}

func (h *household) once(name string) (member, error) {
	at := h.o.Place
	at.Vault = name
	if err := h.o.Store.sameBucket(h.ctx, name); err != nil {
		return nil, err
	}
	loan, err := datadir.Borrow(at)
	if err != nil {
		return nil, err
	}
	config, blobs, err := h.o.clusterOf(name, int64(h.count()), h.log)
	if err != nil {
		return nil, err
	}
	if h.ownsEnough() {
		config.Patience = sharePatience
	}
	m, err := cluster.Join(h.ctx, config)
	if err != nil {
		return nil, errors.Join(err, loan.Return())
	}
	if m.Role() == cluster.Owner {
		if err := forgetTokens(at, m.Status().Epoch); err != nil {
			ending, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), closeGrace)
			defer cancel()
			return nil, errors.Join(err, m.Close(ending), loan.Return())
		}
	}
	v := m.Vault()
	blobs.SetLive(func(d blobstore.Digest) bool {
		needed, err := v.Needs(d)
		return err == nil && needed
	})
	// What was erased while this server was away has no copy left here.
	if err := blobs.Sweep(h.ctx, v.Needs); err != nil {
		return nil, errors.Join(err, m.Close(h.ctx), loan.Return())
	}
	h.log.Info().Str("vault", name).Str("role", m.Role().String()).Uint64("epoch", m.Status().Epoch).Str("owner", m.Status().Server).Uint64("seq", v.Head().Seq).Msg("joined the vault")
	j := joined{Member: m, loan: loan}
	if h.o.Store.Locks != nil && j.Owns() {
		j.locks = startLocks(v, blobs, config.Objects, m.Current, h.log.With().Str("vault", name).Logger())
	}
	return j, nil
}

func (h *household) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.known)
}

// sharePatience is how much longer a server waits for an owner that is gone if it has its
// share of the vaults: one that has less comes first.
const sharePatience = 5 * time.Second

// ownsEnough reports whether this server owns its share: vaults by the servers that own any.
func (h *household) ownsEnough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	owned, servers := 0, map[string]bool{h.o.Store.Server: true}
	for _, m := range h.members {
		if m.Owns() {
			owned++
		} else if owner := m.Standing().Owner; owner != "" {
			servers[owner] = true
		}
	}
	return len(servers) > 1 && owned*len(servers) >= len(h.known) && owned > 0
}

// first waits until each vault was joined, or has failed to be, once. The error is that
// none was.
func (h *household) first(ctx context.Context) error {
	for {
		members, trouble := h.now()
		waits := 0
		for _, why := range trouble {
			if strings.HasPrefix(why, "it is being fetched") {
				waits++
			}
		}
		if waits == 0 {
			if len(members) == 0 {
				var why []string
				for _, name := range slices.Sorted(maps.Keys(trouble)) {
					why = append(why, fmt.Sprintf("vault %q: %s", name, trouble[name]))
				}
				return fmt.Errorf("none of the vaults in %s could be opened: %s", h.o.Store.Address, strings.Join(why, "; "))
			}
			return nil
		}
		select {
		case <-h.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// now is who is a member now, and why the others are not.
func (h *household) now() (members map[string]member, trouble map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.members), maps.Clone(h.trouble)
}

// renew closes the members whose role is over, and joins them anew. It waits for that a
// little, so that a takeover costs one term and not two.
func (h *household) renew(ctx context.Context) {
	members, _ := h.now()
	for name, m := range members {
		select {
		case <-m.Done():
		default:
			continue
		}
		h.log.Info().Str("vault", name).AnErr("why", m.Err()).Msg("the role in the vault is over")
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		if err := m.Close(ending); err != nil {
			h.log.Warn().Str("vault", name).Err(err).Msg("closing the vault")
		}
		cancel()
		h.mu.Lock()
		delete(h.members, name)
		h.trouble[name] = "its owner changes"
		h.joining.Go(func() { h.join(name) })
		h.mu.Unlock()
	}
	waiting, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	for {
		_, trouble := h.now()
		if !slices.Contains(slices.Collect(maps.Values(trouble)), "its owner changes") {
			return
		}
		select {
		case <-h.news:
		case <-waiting.Done():
			return
		}
	}
}

const (
	closeGrace    = 10 * time.Second
	renewPatience = 5 * time.Second
)

// close ends all members, and gives up what this server owns.
func (h *household) close() error {
	h.cancel()
	h.joining.Wait()
	var mu sync.Mutex
	var errs []error
	var closing sync.WaitGroup
	for name, m := range h.members {
		closing.Go(func() {
			ending, cancel := context.WithTimeout(context.Background(), closeGrace)
			defer cancel()
			if err := m.Close(ending); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("vault %q: closing: %w", name, err))
				mu.Unlock()
			}
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}

// parted are the vaults of members: all, and those that this server owns.
func parted(members map[string]member) (all, owned map[string]*engine.Vault) {
	all, owned = map[string]*engine.Vault{}, map[string]*engine.Vault{}
	for name, m := range members {
		all[name] = m.Vault()
		if m.Owns() {
			owned[name] = m.Vault()
		}
	}
	return all, owned
}
