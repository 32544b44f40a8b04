package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// Config.Lease makes all but the last shorter.
const (
	renewEvery   = 3 * time.Second
	leaseCurrent = 10 * time.Second // for this long after a renewal began its owner answers as current
	leaseExpires = 15 * time.Second // for this long it stands still before another takes it
	leaseTimeout = 4 * time.Second  // of one request about it: the next one may get through in time
	watchEvery   = time.Second
	clockMayDiff = 5 * time.Second
)

// lease is the object that says who owns the vault. It saves servers from fighting,
// and lets an owner answer reads alone; which changes count is decided by the numbers of
// commits, whatever it says.
type lease struct {
	Server string `json:"server"` // "": nobody's, free to be taken at once
	URL    string `json:"url"`
	Epoch  uint64 `json:"epoch"`
	Commit uint64 `json:"commit"` // at least this one is in the store
	Seq    uint64 `json:"seq"`
	ID     string `json:"id"`    // of the working copy: a name may be given twice
	Nonce  string `json:"nonce"` // so that no two renewals are equal, nor their ETags
	// Time is for people. Nobody compares clocks by it.
	Time time.Time `json:"time"`
}

func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// seenLease is a lease as the store gave it. No ETag: there is none.
type seenLease struct {
	lease
	etag string
	// The lease was this at some instant between the two, by Config.now.
	asked, answered time.Duration
	skew            time.Duration // of this machine's clock against the store's, at least; 0 if unknown
}

// readLease reads it, trying once.
func (c *Config) readLease(ctx context.Context) (seenLease, error) {
	ctx, done := context.WithTimeout(ctx, leaseTimeout)
	defer done()
	s := seenLease{asked: c.now()}
	before := time.Now()
	b, info, err := object.Read(ctx, c.Objects, keyLease)
	after := time.Now()
	s.answered = c.now()
	if errors.Is(err, object.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.etag, s.skew = info.ETag, skew(before, after, info.Now)
	if err := json.Unmarshal(b, &s.lease); err != nil {
		return s, fmt.Errorf("%w: the lease: %w", ErrDamaged, err)
	}
	return s, nil
}

// skew is by how much the clock of this machine is off at least, if the store's said now,
// in whole seconds, at some instant between before and after.
func skew(before, after, now time.Time) time.Duration {
	switch {
	case now.IsZero():
		return 0
	case before.After(now.Add(time.Second)):
		return before.Sub(now.Add(time.Second))
	case after.Before(now):
		return now.Sub(after)
	}
	return 0
}

// putLease writes it over the one that was seen. object.ErrChanged: that is not the one
// any more. Any other error: nobody knows.
func (c *Config) putLease(ctx context.Context, l lease, etag string) (newTag string, err error) {
	ctx, done := context.WithTimeout(ctx, leaseTimeout)
	defer done()
	b, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	info, err := c.Objects.Put(ctx, keyLease, b, object.Condition{Absent: etag == "", Match: etag})
	if errors.Is(err, object.ErrExists) {
		err = object.ErrChanged
	}
	return info.ETag, err
}

// findLease is readLease until the store answers.
func (c *Config) findLease(ctx context.Context) (s seenLease, err error) {
	err = c.until(ctx, "read the lease", func(ctx context.Context) error {
		s, err = c.readLease(ctx)
		return err
	})
	return s, err
}

// claim writes the lease over the one that was seen, until it is known to be there.
// errLost: another was first.
func (c *Config) claim(ctx context.Context, l lease, etag string) (*holder, error) {
	l.Nonce, l.Time = newNonce(), time.Now().UTC()
	h := &holder{c: c, l: l, began: c.now()}
	err := c.until(ctx, "take the lease", func(ctx context.Context) (err error) {
		h.etag, err = c.putLease(ctx, l, etag)
		if !errors.Is(err, object.ErrChanged) {
			return err
		}
		s, err := c.readLease(ctx)
		if err == nil && s.Nonce != l.Nonce {
			return object.ErrChanged
		}
		h.etag = s.etag
		return err
	})
	if errors.Is(err, object.ErrChanged) {
		err = errLost
	}
	return h, err
}

// holder renews the lease of an owner.
type holder struct {
	c *Config

	mu    sync.Mutex // guards what follows, and is not held in a request
	l     lease
	etag  string
	began time.Duration // when the last renewal that succeeded began
}

// reached notes how far the vault is, for the next renewal.
func (h *holder) reached(commit, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.l.Commit, h.l.Seq = max(h.l.Commit, commit), max(h.l.Seq, seq)
}

// renew renews it once. engine.ErrReplaced if it is another's. Any other error: not now.
func (h *holder) renew(ctx context.Context) error {
	h.mu.Lock()
	l, etag := h.l, h.etag
	h.mu.Unlock()
	return h.write(ctx, l, etag)
}

func (h *holder) write(ctx context.Context, l lease, etag string) error {
	l.Nonce, l.Time = newNonce(), time.Now().UTC()
	began := h.c.now()
	etag, err := h.c.putLease(ctx, l, etag)
	if errors.Is(err, object.ErrChanged) {
		return h.changed(ctx)
	}
	if err == nil {
		h.mu.Lock()
		h.etag, h.began = etag, began
		h.mu.Unlock()
	}
	return err
}

// changed looks who has the lease when it is not what this server last saw. It may be
// this server all the same: a renewal that was thought to have failed. That counts as
// none, for nobody knows when it was; the next one does.
func (h *holder) changed(ctx context.Context) error {
	s, err := h.c.readLease(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.etag != "" && (s.ID != h.l.ID || s.Epoch != h.l.Epoch) {
		return fmt.Errorf("%w: %q has its lease, of epoch %d", engine.ErrReplaced, s.Server, s.Epoch)
	}
	h.etag = s.etag
	return errRenewAgain
}

var errRenewAgain = errors.New("the lease was renewed by a request that was given up")

// current is nil while nobody can have taken the lease: others wait for longer than
// leaseCurrent after they saw what was put after began.
func (h *holder) current() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.c.now()-h.began > h.c.lease(leaseCurrent) {
		return ErrStale
	}
	return nil
}

// run renews the lease until ctx ends, before returns an error or it is another's, and
// returns why.
func (h *holder) run(ctx context.Context, before func() error) error {
	failed, wait := 0, h.c.lease(renewEvery)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		if err := before(); err != nil {
			return err
		}
		err := h.renew(ctx)
		switch {
		case err == nil:
			failed, wait = 0, h.c.lease(renewEvery)
		case errors.Is(err, engine.ErrReplaced) || errors.Is(err, ErrDamaged):
			return err
		case errors.Is(err, errRenewAgain):
			wait = 0
		default:
			if failed++; failed == 3 {
				h.c.log("renew the lease: %v", err)
			}
			wait = h.c.lease(watchEvery)
		}
	}
}

// release gives the lease up, so that the next need not wait.
func (h *holder) release(ctx context.Context) (err error) {
	for range 3 {
		h.mu.Lock()
		l, etag := h.l, h.etag
		h.mu.Unlock()
		l.Server, l.URL = "", ""
		if err = h.write(ctx, l, etag); err == nil || errors.Is(err, engine.ErrReplaced) {
			break
		}
	}
	return err
}
