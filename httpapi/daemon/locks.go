package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// protector has the store lock bytes: *s3.Blobs is one.
type protector interface {
	Protect(ctx context.Context, d blobstore.Digest, until time.Time, held bool) error
}

// locks brings the locks that the store has on the bytes of a vault to what the
// vault's rows say. The vault's owner has one, for as long as it owns. All it does is derived,
// and may be done again: each lock is told from what the rows say then, under the stripe of its
// digest, so two that are told at once end as the later rows have them.
//
// It follows the log, entry by entry, and looks through all bytes when an entry may
// concern them all, and once a week: what was set by hand in the store, or by a request of an
// owner before that came late, is put right. How far it is stands in the object
// locksKey, so the next owner goes on from there.
type locks struct {
	v       *engine.Vault
	bytes   protector
	objects object.Store
	current func() error // nil while this server may act as the owner
	log     zerolog.Logger

	cancel  context.CancelFunc
	running sync.WaitGroup
	again   chan struct{} // holds one token when all bytes are to be looked through
	stripes [64]sync.Mutex

	mu       sync.Mutex // guards what follows
	reached  locksReached
	since    time.Time // of the first entry that is not done; zero: none is waiting
	walking  time.Time // since when a look through all bytes was wanted; zero: none is
	problems map[string]error
}

// locksReached is the object locksKey.
type locksReached struct {
	Seq    uint64    `json:"seq"`    // the locks are as the entries up to this have them,
	Walk   bool      `json:"walk"`   // but for those of a look through all that is not over
	Walked time.Time `json:"walked"` // when the last one was
}

const (
	locksKey     = "locks"
	locksWorkers = 8
	walkBatch    = 256

	locksRetry    = 2 * time.Second
	locksPatience = 10 * time.Second // with a store that does not answer, before somebody is told
	locksEvery    = 5 * time.Second  // what is reached is kept, and what the store refused looked at
	walkEvery     = 7 * 24 * time.Hour
	// longestLock is what stores take. The weekly look puts the end further on.
	longestLock = 99 * 365 * 24 * time.Hour
)

func startLocks(v *engine.Vault, bytes protector, objects object.Store, current func() error, log zerolog.Logger) *locks {
	l := &locks{v: v, bytes: bytes, objects: objects, current: current, log: log, again: make(chan struct{}, 1), problems: map[string]error{}}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	l.since = time.Now() // until it is known how far the owner before was
	l.running.Go(func() {
		if l.resume(ctx); ctx.Err() != nil {
			return
		}
		l.running.Go(func() { l.walk(ctx) })
		l.running.Go(func() { l.tend(ctx) })
		l.follow(ctx)
	})
	return l
}

// stop ends it. What was reached is kept, if the store answers soon.
func (l *locks) stop() {
	l.cancel()
	l.running.Wait()
}

// resume goes on from where the owner before was. One whose log went further than
// this one goes, as before a restore, tells nothing.
func (l *locks) resume(ctx context.Context) {
	for ctx.Err() == nil {
		b, _, err := object.Read(ctx, l.objects, locksKey)
		if err != nil && !errors.Is(err, object.ErrNotFound) {
			l.problem("go on", fmt.Errorf("read how far the locks are: %w", err))
			wait(ctx, locksRetry)
			continue
		}
		l.problem("go on", nil)
		var r locksReached
		head := l.v.Head().Seq
		if err != nil || json.Unmarshal(b, &r) != nil || r.Seq > head {
			r = locksReached{Seq: head, Walk: true} // which finds all that the entries did
		}
		l.mu.Lock()
		l.reached = r
		l.mu.Unlock()
		if r.Walk || time.Since(r.Walked) > walkEvery {
			l.wantWalk()
		}
		return
	}
}

// follow tells the store what each entry changes.
func (l *locks) follow(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		after := l.reached.Seq
		l.since = time.Time{}
		l.mu.Unlock()
		page, err := engine.EntryPage{}, l.v.Wait(ctx, after)
		if err == nil {
			page, err = l.v.Entries(ctx, engine.EntryQuery{After: after, Limit: 500})
		}
		if err == nil && len(page.Items) > 0 {
			l.mu.Lock()
			l.since = page.Items[0].Time
			l.mu.Unlock()
			err = l.entries(ctx, page.Items)
		}
		if ctx.Err() != nil {
			return
		}
		l.problem("follow the log", err)
		if err != nil {
			wait(ctx, locksRetry)
			continue
		}
		if last := max(page.NextAfter, lastSeq(page.Items)); last > after {
			l.mu.Lock()
			l.reached.Seq = last
			l.mu.Unlock()
		}
	}
}

func lastSeq(entries []engine.Entry) uint64 {
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Seq
}

// entries does what entries ask for. After an error all of it is done again.
func (l *locks) entries(ctx context.Context, entries []engine.Entry) error {
	released := map[string]bool{} // the documents; false: something else has changed
	for _, e := range entries {
		switch e.Op {
		case audit.OpPolicyCreated, audit.OpPolicyUpdated, audit.OpPolicyDeleted, audit.OpSettingsUpdated, audit.OpVaultRestored:
			l.wantWalk()
		case audit.OpHoldReleased:
			released[e.Document] = true
		case audit.OpHoldPlaced, audit.OpDocumentCreated, audit.OpDocumentUpdated, audit.OpDocumentVersionAdded, audit.OpDocumentReverted,
			audit.OpDocumentArchived, audit.OpDocumentUnarchived:
			if !released[e.Document] {
				released[e.Document] = false // it is looked at
			}
		}
	}
	todo := map[engine.Digest]bool{}
	for id, freed := range released {
		digests, protected, err := l.v.DocumentBytes(ctx, id)
		if err != nil {
			return err
		}
		if !freed && !protected { // nothing has locked it, so there is nothing to take off
			continue
		}
		for _, d := range digests {
			todo[d] = true
		}
	}
	var all []engine.Digest
	for d := range todo {
		all = append(all, d)
	}
	return l.tell(ctx, all)
}

// tell has the store lock these bytes as the rows say.
func (l *locks) tell(ctx context.Context, digests []engine.Digest) error {
	next := make(chan engine.Digest)
	telling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range min(locksWorkers, len(digests)) {
		workers.Go(func() {
			for d := range next {
				if err := l.one(telling, d); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, d := range digests {
		select {
		case next <- d:
		case <-telling.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(telling)
}

// one tells the store of the bytes of one digest. Those that are not there are the scrub's to tell.
func (l *locks) one(ctx context.Context, d engine.Digest) error {
	stripe := &l.stripes[int(d[0])%len(l.stripes)]
	stripe.Lock()
	defer stripe.Unlock()
	if err := l.current(); err != nil {
		return err
	}
	is, err := l.v.ByteLock(ctx, d)
	if err != nil {
		return err
	}
	if furthest := time.Now().Add(longestLock); is.Until.After(furthest) {
		is.Until = furthest
	}
	asking, cancel := context.WithTimeout(ctx, locksPatience)
	err = l.bytes.Protect(asking, d, is.Until, is.Held)
	cancel()
	if errors.Is(err, blobstore.ErrNotFound) {
		if is.Needed && (is.Held || !is.Until.IsZero()) {
			l.log.Error().Str("digest", d.String()).Msg("a file that is to be locked is not in the store")
		}
		return nil
	}
	return err
}

// wantWalk has all bytes looked through, from the beginning.
// tend keeps what is reached, and takes the holds off bytes that nothing needs any more
// and that the store did not let the vault remove.
func (l *locks) tend(ctx context.Context) {
	var kept locksReached
	freed := map[engine.Digest]bool{}
	for over := false; !over; {
		wait(ctx, locksEvery)
		over = ctx.Err() != nil
		if !over {
			l.problem("free what nothing needs", l.free(ctx, freed))
		}
		l.mu.Lock()
		now := l.reached
		l.mu.Unlock()
		if now == kept || l.current() != nil {
			continue
		}
		if err := l.keep(ctx, now); err != nil && !over {
			l.problem("keep how far the locks are", err)
			continue
		}
		l.problem("keep how far the locks are", nil)
		kept = now
	}
}

// free takes the holds off; freed are those of which it has. What is retained stays so.
func (l *locks) free(ctx context.Context, freed map[engine.Digest]bool) error {
	all := l.v.Undeletable()
	maps.DeleteFunc(freed, func(d engine.Digest, _ bool) bool { return !slices.Contains(all, d) })
	todo := slices.DeleteFunc(all, func(d engine.Digest) bool { return freed[d] })
	if err := l.tell(ctx, todo); err != nil {
		return err
	}
	for _, d := range todo {
		freed[d] = true
	}
	return nil
}

func (l *locks) keep(ctx context.Context, r locksReached) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), locksRetry)
	defer cancel()
	_, err = l.objects.Put(keeping, locksKey, b, object.Condition{})
	return err
}

// problem notes what keeps the locks from being set, nil: nothing does; it is logged once.
func (l *locks) problem(doing string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.problems[doing]
	if err == nil {
		delete(l.problems, doing)
		if was != nil {
			l.log.Info().Str("doing", doing).Msg("the store locks files again")
		}
		return
	}
	l.problems[doing] = err
	if was == nil {
		l.log.Warn().Str("doing", doing).Err(err).Msg("the store does not lock files as it should; it is tried again")
	}
}

// lag is since when the store's locks may not be what the rows say, and why, nil if nothing
// is wrong. Zero: they are.
func (l *locks) lag() (behind time.Duration, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, since := range []time.Time{l.since, l.walking} {
		if !since.IsZero() {
			behind = max(behind, time.Since(since))
		}
	}
	for doing, err := range l.problems {
		why = fmt.Errorf("%s: %w", doing, err)
	}
	return behind, why
}
