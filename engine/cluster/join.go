package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// Join makes this server a member of the vault: it brings the working copy up to date,
// or a new one, and takes the vault over if it is nobody's or was this copy's. Else the
// member follows. It asks the store until that answers or ctx ends, and a large copy takes its time.
//
// ErrNoVault; ErrStoreBehind, ErrForked and ErrDamaged if the store is not what it was;
// what engine.Open returns.
func Join(ctx context.Context, cfg Config) (*Member, error) {
	c := &cfg
	c.start, c.clean = time.Now(), &atomic.Uint64{}
	anew := false
	for {
		m, err := c.join(ctx, anew)
		if !errors.Is(err, ErrCollected) && (anew || !errors.Is(err, errApply)) {
			return m, err
		}
		c.log("this server's copy is of no use, and is fetched anew: %v", err)
		anew = true
	}
}

func (c *Config) join(ctx context.Context, anew bool) (*Member, error) {
	k, err := c.openCopy(ctx, anew)
	if err != nil {
		return nil, err
	}
	m, err := k.join(ctx)
	if err != nil {
		return nil, errors.Join(err, k.v.Close())
	}
	return m, nil
}

// join brings the copy up to date and decides the role.
func (k *candidate) join(ctx context.Context) (*Member, error) {
	var l seenLease
	for {
		var err error
		if l, err = k.c.findLease(ctx); err != nil {
			return nil, err
		}
		was := k.at
		if err := k.catchUp(ctx, l.Commit); err != nil {
			return nil, err
		}
		// The first may have taken minutes.
		if k.at.Commit-was.Commit <= mostAhead {
			break
		}
	}
	if err := k.c.saveCopyState(copyState{place: k.at, ID: k.id, Boot: bootID()}); err != nil {
		return nil, err
	}
	var w watch
	w.see(l)
	if wrong := l.clock(); wrong == nil && w.free(k.id, k.c.lease(leaseExpires), k.c.Patience) {
		m, err := k.own(ctx, l)
		if !errors.Is(err, errLost) {
			return m, err
		}
	}
	return k.follow(w), nil
}

// openCopy opens the working copy to follow, a new one if there is none or it is of no
// use. What it holds is looked for in the store.
func (c *Config) openCopy(ctx context.Context, anew bool) (*candidate, error) {
	p, err := c.findPointer(ctx)
	if err != nil {
		return nil, err // ErrLeft: a copy that is up to date would not find out
	}
	c.clean.Store(p.Clean)
	s, there, err := c.loadCopyState()
	if err != nil {
		return nil, err
	}
	if s.ID == "" {
		s.ID = newNonce()
	}
	if there && !anew && !s.Suspect {
		k, err := c.openOld(ctx, s)
		if err == nil || !errors.Is(err, errUseless) && !errors.Is(err, ErrCollected) {
			return k, err
		}
		c.log("this server's copy is of no use, and is fetched anew: %v", err)
	}
	return c.openNew(ctx, s.ID)
}

// errUseless: the working copy cannot be opened.
var errUseless = errors.New("the copy cannot be opened")

// openOld opens the copy that is there, and recovers it as its own log does if it was
// not closed. It is never ahead of the store: a group is put there before it is
// committed here. So a store that lacks the last one has lost it.
func (c *Config) openOld(ctx context.Context, s copyState) (*candidate, error) {
	v, err := c.openFollowing()
	for _, reason := range []error{engine.ErrVaultInUse, engine.ErrNetworkFS, engine.ErrFormat, engine.ErrNoSpace, fs.ErrPermission} {
		if errors.Is(err, reason) {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUseless, err)
	}
	var at place
	n, err := v.Group()
	if err == nil {
		at, err = c.locate(ctx, n)
	}
	if err == nil {
		err = c.same(ctx, s.place, at)
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return &candidate{c: c, id: s.ID, v: v, at: at, f: fetcher{c: c}}, nil
}

// same is nil if the commit that the copy was last noted to have is the one of the store.
func (c *Config) same(ctx context.Context, noted, at place) error {
	there := at
	if noted.Commit != at.Commit {
		cm, err := c.findCommit(ctx, noted.Commit)
		if errors.Is(err, object.ErrNotFound) && noted.Commit < at.Commit {
			return nil // collected
		}
		if err == nil {
			there = cm.place
		} else if there, err = c.locate(ctx, noted.Commit); err != nil {
			return err
		}
	}
	if there.Mark != noted.Mark {
		return fmt.Errorf("%w: commit %d is another than this server has seen", ErrStoreBehind, noted.Commit)
	}
	return nil
}

// openNew brings the last snapshot.
func (c *Config) openNew(ctx context.Context, id string) (*candidate, error) {
	p, err := c.findPointer(ctx)
	if err != nil {
		return nil, err
	}
	// A crash from here on leaves a copy that is not trusted.
	if err := c.saveCopyState(copyState{ID: id, Suspect: true}); err != nil {
		return nil, err
	}
	if c.place != nil {
		err = c.place(c.Dir, p)
	} else {
		err = c.fetchLast(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("bring snapshot %d: %w", p.Commit, err)
	}
	v, err := c.openFollowing()
	if err != nil {
		return nil, err
	}
	if n, err := v.Group(); err != nil || n != p.Commit {
		return nil, errors.Join(fmt.Errorf("%w: snapshot %d has group %d (%v)", ErrDamaged, p.Commit, n, err), v.Close())
	}
	return &candidate{c: c, id: id, v: v, at: p.place, f: fetcher{c: c}}, nil
}

// follow begins a follower's life.
func (k *candidate) follow(w watch) *Member {
	m := newMember(k, Follower)
	now := k.c.now()
	m.f = &follower{candidate: *k, watch: w, stands: k.at, reached: w.asked, looked: now, changed: now}
	m.f.rest.at = k.at
	m.runs.Go(func() { m.end(m.f.run(m.work)) })
	return m
}

func newMember(k *candidate, r Role) *Member {
	m := &Member{c: k.c, role: r, v: k.v, id: k.id, done: make(chan struct{})}
	m.work, m.stop = context.WithCancelCause(context.Background())
	return m
}

// own takes the vault over and opens it as its owner. errLost if another did; the
// vault is then open to follow, as it was.
func (k *candidate) own(ctx context.Context, l seenLease) (_ *Member, err error) {
	h, err := k.claim(ctx, l)
	if err != nil {
		return nil, err
	}
	m := newMember(k, Owner)
	m.h, m.open = h, make(chan struct{})
	m.runs.Go(func() { m.end(h.run(m.work, m.alive)) })
	defer func() {
		if err == nil {
			return
		}
		m.stop(ErrClosed)
		m.runs.Wait()
		if !errors.Is(err, errLost) && ctx.Err() == nil {
			err = errors.Join(err, h.release(ctx)) // somebody else may be able to
		}
	}()
	if err := k.take(ctx, h.l.Epoch); err != nil {
		return nil, err
	}
	p, err := k.c.findPointer(ctx)
	if err != nil {
		return nil, err // ErrLeft, meanwhile: see noteLeft
	}
	m.s = &shipper{c: k.c, ended: m.Err, lost: m.end, z: newDeflater(), rest: k.rest, last: k.at}
	m.s.ctx, m.letGo = context.WithCancelCause(context.Background())
	k.c.clean.Store(p.Clean)
	if err := m.reopen(ctx, l.ID == k.id); err != nil {
		return nil, err
	}
	close(m.open)
	var house context.Context
	house, m.house = context.WithCancel(m.work)
	m.keeper.Go(func() { m.keepHouse(house) })
	return m, nil
}

// reopen opens the vault that followed as its owner's. The keys are those of the owner
// before, which may have made some since this copy was fetched; if that was this server,
// its own may be newer than those in the store.
func (m *Member) reopen(ctx context.Context, was bool) error {
	if err := m.v.Close(); err != nil {
		return err
	}
	at := m.s.place()
	if m.c.Blobs != nil {
		m.c.Blobs.SetEpoch(at.Epoch)
	}
	if err := m.c.saveCopyState(copyState{place: at, ID: m.id, Boot: bootID()}); err != nil {
		return err
	}
	if !was {
		if err := m.c.unsealKeys(ctx); err != nil {
			return err
		}
	}
	v, err := m.c.openOwned(m.s)
	if err != nil {
		return err
	}
	m.v = v
	if err := m.c.sealKeys(ctx); err != nil {
		return errors.Join(err, v.Close())
	}
	return nil
}

func (c *Config) openFollowing() (vault, error) {
	o := c.Options
	o.Home, o.Follow, o.Create = nil, true, false
	if c.clean != nil {
		o.Home = watched{c.clean}
	}
	return c.openVault(o)
}

func (c *Config) openOwned(home engine.Home) (vault, error) {
	o := c.Options
	o.Home, o.Follow, o.Create = home, false, false
	return c.openVault(o)
}
