package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"strongroom/blobstore"
)

// ByteLock is what the vault asks of a store beyond this machine that can keep bytes
// from being deleted by anybody. It is derived from the rows, at the instant at which it is asked for.
type ByteLock struct {
	// Held: a document that has the bytes bears a legal hold, or a period of compliance
	// whose end is not known, because a fact is missing.
	Held bool
	// Until is the latest end of a period of compliance of these documents. Zero: none lasts.
	Until time.Time
	// Needed: a document has the bytes, or a scratchpad.
	Needed bool
}

// ByteLock says how bytes are to be locked. Those that are only a scratchpad's are not.
func (v *Vault) ByteLock(ctx context.Context, d Digest) (ByteLock, error) {
	return view(v, func(t *tx) (l ByteLock, err error) {
		seen := ""
		t.eachVersionOf(d, func(documentID string, number uint64) bool {
			l.Needed = true
			if isDraftRef(number) || documentID == seen {
				return true
			}
			seen = documentID
			var is protecting
			if is, err = t.protects(documentID); err == nil {
				err = ctx.Err()
			}
			l.Held = l.Held || is.held
			if is.until.After(l.Until) {
				l.Until = is.until
			}
			return err == nil
		})
		return l, err
	})
}

// protecting is what keeps one document from everybody.
type protecting struct {
	held  bool
	until time.Time
	bound bool // policies of compliance are for it, whether their periods last or not
}

func (t *tx) protects(documentID string) (protecting, error) {
	d, err := t.document(documentID)
	if errors.Is(err, ErrDocumentNotFound) || err == nil && d.deleted { // its versions are being cleared
		return protecting{}, nil
	}
	if err != nil {
		return protecting{}, err
	}
	c, err := t.compliance(d)
	return protecting{d.HoldCount > 0 || len(c.Undated) > 0, c.Until, len(c.All) > 0 || !c.Until.IsZero()}, err
}

// DocumentBytes are the bytes of all versions of a document, and of the texts that were
// given for them; none of a document that is gone. protected says whether it bears a
// hold, or a policy of compliance is for it.
func (v *Vault) DocumentBytes(ctx context.Context, documentID string) (digests []Digest, protected bool, err error) {
	digests, err = view(v, func(t *tx) (digests []Digest, err error) {
		d, err := t.document(documentID)
		if errors.Is(err, ErrDocumentNotFound) || err == nil && d.deleted {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		is, err := t.protects(documentID)
		if err != nil {
			return nil, err
		}
		protected = is.held || is.bound
		for number := uint64(1); number <= d.VersionCount; number++ {
			ver, err := t.version(d, number)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("%s version %d: %w", d, number, err)
			}
			if digests = append(digests, ver.Digest); ver.TextSize > 0 {
				digests = append(digests, ver.TextDigest)
			}
		}
		return digests, nil
	})
	return digests, protected, err
}

// Undeletable are bytes that nothing in the vault needs and that the store beyond this
// machine keeps locked, in order. Sweep tries to remove them again. Until they are gone no erasure is completed.
func (v *Vault) Undeletable() []Digest { return v.pins.refusedOnes() }

// refused takes note that bytes cannot be removed yet; it says whether that is why.
func (v *Vault) refused(d Digest, err error) bool {
	if !errors.Is(err, blobstore.ErrLocked) {
		return false
	}
	v.pins.refuse(d)
	return true
}

const (
	mostRetried = 100 // bytes that the store keeps are tried again at a time
	retryEvery  = time.Minute
)

// retryRefused removes what the store has let go of.
func (v *Vault) retryRefused(ctx context.Context) error {
	refused := v.Undeletable()
	if len(refused) == 0 || !v.pins.retries(v.store.Clock.Now()) {
		return nil
	}
	if len(refused) > mostRetried {
		at := rand.N(len(refused))
		refused = slices.Concat(refused[at:], refused[:at])[:mostRetried]
	}
	return v.purge(ctx, refused...)
}

// undeletable says what Concerns does about them, "" if there are none.
func (v *Vault) undeletable() string {
	n := len(v.Undeletable())
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the store keeps %d files locked that nothing needs any more: they are deleted when it lets go of them, and no erasure is completed until then", n)
}

func (p *pins) refuse(d Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		p.refused = map[Digest]bool{}
	}
	p.refused[d] = true
}

// retries says whether refused bytes are to be tried again now. Sweep may be called every second.
func (p *pins) retries(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.retried) < retryEvery {
		return false
	}
	p.retried = now
	return true
}

// settled says that bytes are gone, or needed again.
func (p *pins) settled(d Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.refused, d)
}

func (p *pins) refusedOnes() []Digest {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Digest, 0, len(p.refused))
	for d := range p.refused {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	return all
}
