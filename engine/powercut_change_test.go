package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"strongroom/engine"
	"sync"
	"time"
)

const loadWriters = 5

// signIn returns who has the key, which is made if there is none. Locks are for users
// alone, not for the operator.
func (l *loader) signIn(ctx context.Context, key string) (engine.Actor, error) {
	if key != "" {
		return l.v.Authenticate(ctx, key)
	}
	user, _, err := l.v.EnsureUser(ctx, engine.Operator(), engine.NewUser{Name: "Ada", Email: "ada@example.com", Access: engine.AccessAdmin})
	if err != nil {
		return engine.Actor{}, err
	}
	_, secret, r, err := l.v.CreateKey(ctx, engine.Operator(), engine.NewKey{Name: "load", UserID: user.ID})
	if err != nil {
		return engine.Actor{}, err
	}
	l.say(loadWord{Secret: secret.Reveal(), Receipt: r.String()})
	return l.v.Authenticate(ctx, secret.Reveal())
}

// work changes the vault until it is asked to end, or nothing is answered any more.
func (l *loader) work(ctx context.Context, seed uint64) {
	var running sync.WaitGroup
	for w := range loadWriters {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for n := 0; !l.ended.Load(); n++ {
				if err := l.change(ctx, random, w, fmt.Sprintf("%d-%x-%d", w, seed, n)); err != nil {
					l.say(loadWord{Stopped: err.Error()})
					return
				}
			}
		})
	}
	running.Go(func() {
		for !l.ended.Load() {
			if err := l.sweep(ctx); err != nil {
				l.say(loadWord{Stopped: err.Error()})
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	running.Wait()
}

// sweep sweeps, and settles what was asked to be erased and is gone then.
func (l *loader) sweep(ctx context.Context) error {
	if _, err := l.v.Sweep(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	docs := maps.Clone(l.docs)
	l.mu.Unlock()
	for key, d := range docs {
		if d.Token != erasing || d.settled() {
			continue
		}
		if _, err := l.v.Document(ctx, d.ID); errors.Is(err, engine.ErrDocumentDeleted) {
			d.States = d.States[1:]
			l.say(loadWord{Key: key, Doc: d})
		} else if err != nil {
			return err
		}
	}
	return nil
}

// erasing stands for the token of a document that somebody asked to be erased: nobody
// locks it any more.
const erasing = "erasing"

// change makes one change that may be made to a document of a writer, or a new one
// under the key.
func (l *loader) change(ctx context.Context, random *rand.Rand, w int, key string) error {
	var mine []string
	l.mu.Lock()
	for k, d := range l.docs {
		if strings.HasPrefix(k, fmt.Sprint(w, "-")) && d.settled() && d.ID != "" && !d.States[0].Erased && d.Token != erasing {
			mine = append(mine, k)
		}
	}
	l.mu.Unlock()
	slices.Sort(mine)
	if len(mine) < 3 || len(mine) < 10 && random.IntN(3) == 0 {
		return l.create(ctx, random, key)
	}
	c := l.begin(mine[random.IntN(len(mine))])
	switch what := random.IntN(20); {
	case what < 5:
		return l.rename(ctx, random, c)
	case what < 8:
		return l.version(ctx, random, c)
	case what < 12:
		return l.lock(ctx, c)
	case what < 14:
		return l.hold(ctx, c)
	case c.old.Held || c.old.Locked:
		return l.renew(ctx, c)
	case what < 19:
		return l.remove(ctx, c)
	default:
		return l.erase(ctx, c)
	}
}

// loadedChange is one that is being made.
type loadedChange struct {
	l    *loader
	key  string
	d    loadedDoc
	old  loadedState
	cond engine.Condition
}

func (l *loader) begin(key string) *loadedChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[key]
	return &loadedChange{l: l, key: key, d: d, old: d.States[0], cond: engine.Condition{LockToken: d.Token}}
}

// ask tells what the document may be from now on.
func (c *loadedChange) ask(fn func(*loadedState)) {
	c.d.States = []loadedState{c.old, c.old.with(fn)}
	c.l.say(loadWord{Key: c.key, Doc: c.d})
}

// answered tells that the change happened.
func (c *loadedChange) answered(r engine.Receipt, err error) error {
	if err != nil {
		return err
	}
	c.d.States = c.d.States[len(c.d.States)-1:]
	c.l.say(loadWord{Key: c.key, Doc: c.d, Receipt: r.String()})
	return nil
}

func someContent(random *rand.Rand) loadedBytes {
	switch random.IntN(12) {
	case 0:
		return loadedBytes{random.Uint64N(1 << 30), 300<<10 + random.IntN(300<<10)}
	case 1, 2:
		return loadedBytes{7, 20_000} // others have it, or had it
	case 3, 4, 5:
		return loadedBytes{random.Uint64N(1 << 30), 1<<10 + random.IntN(100<<10)}
	}
	return loadedBytes{random.Uint64N(1 << 30), 1 + random.IntN(6<<10)}
}

func (l *loader) create(ctx context.Context, random *rand.Rand, key string) error {
	c := &loadedChange{l: l, key: key}
	bytesOf := someContent(random)
	c.ask(func(s *loadedState) { s.Name, s.Contents = "new "+key, []loadedBytes{bytesOf} })
	u, err := l.v.Stage(ctx, bytes.NewReader(bytesOf.bytes()), 0)
	if err != nil {
		return err
	}
	defer u.Discard()
	d, r, err := l.v.CreateDocument(ctx, l.actor, engine.NewDocument{Name: "new " + key, ExternalID: key}, u)
	c.d.ID = d.ID
	return c.answered(r, err)
}

func (l *loader) rename(ctx context.Context, random *rand.Rand, c *loadedChange) error {
	if c.old.Locked && c.d.Token == "" {
		return l.lock(ctx, c)
	}
	name := fmt.Sprintf("%x %s", random.Uint64(), strings.Repeat("x", random.IntN(200)))
	name = strings.TrimSpace(name)
	c.ask(func(s *loadedState) { s.Name = name })
	_, r, err := l.v.UpdateDocument(ctx, l.actor, c.d.ID, c.cond, engine.DocumentPatch{Name: &name})
	return c.answered(r, err)
}

func (l *loader) version(ctx context.Context, random *rand.Rand, c *loadedChange) error {
	if c.old.Locked && c.d.Token == "" {
		return l.lock(ctx, c)
	}
	bytesOf := someContent(random)
	c.ask(func(s *loadedState) { s.Contents = append(s.Contents, bytesOf) })
	u, err := l.v.Stage(ctx, bytes.NewReader(bytesOf.bytes()), 0)
	if err != nil {
		return err
	}
	defer u.Discard()
	_, r, err := l.v.AddVersion(ctx, l.actor, c.d.ID, c.cond, engine.NewVersion{}, u)
	return c.answered(r, err)
}

// lock takes the lock, or ends it: one whose token was never told is broken.
func (l *loader) lock(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Locked = !s.Locked })
	var lock engine.Lock
	var r engine.Receipt
	var err error
	switch {
	case !c.old.Locked:
		lock, r, err = l.v.AcquireLock(ctx, l.actor, c.d.ID, engine.Condition{}, engine.NewLock{Duration: 30 * time.Minute})
	case c.d.Token == "":
		_, r, err = l.v.BreakLock(ctx, l.actor, c.d.ID, engine.Condition{}, "forgotten")
	default:
		_, r, err = l.v.ReleaseLock(ctx, l.actor, c.d.ID, c.cond, true)
	}
	c.d.Token = lock.Token
	return c.answered(r, err)
}

// renew moves the deadline of a lock on, and ends a hold where there is none.
func (l *loader) renew(ctx context.Context, c *loadedChange) error {
	if !c.old.Locked || c.d.Token == "" {
		return l.hold(ctx, c)
	}
	_, r, err := l.v.RenewLock(ctx, l.actor, c.d.ID, c.cond, engine.LockPatch{})
	return c.answered(r, err)
}

// hold places a hold, or ends it.
func (l *loader) hold(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Held = !s.Held })
	if !c.old.Held {
		h, r, err := l.v.PlaceHold(ctx, l.actor, c.d.ID, engine.Condition{}, engine.NewHold{Reason: "a case"})
		c.d.Hold = h.ID
		return c.answered(r, err)
	}
	if c.d.Hold == "" {
		page, err := l.v.DocumentHolds(ctx, c.d.ID, engine.HoldActive, engine.Paging{})
		if err != nil || len(page.Items) != 1 {
			return fmt.Errorf("%d holds: %w", len(page.Items), err)
		}
		c.d.Hold = page.Items[0].ID
	}
	_, r, err := l.v.ReleaseHold(ctx, l.actor, c.d.Hold, engine.Condition{}, "it is over")
	c.d.Hold = ""
	return c.answered(r, err)
}

func (l *loader) remove(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Erased = true })
	_, r, err := l.v.DeleteDocument(ctx, l.actor, c.d.ID, engine.Condition{})
	return c.answered(r, err)
}

// erase asks for it. Whether it has happened is seen by who sweeps.
func (l *loader) erase(ctx context.Context, c *loadedChange) error {
	c.d.Token = erasing
	c.ask(func(s *loadedState) { s.Erased = true })
	_, r, err := l.v.RequestErasure(ctx, l.actor, engine.NewErasure{DocumentIDs: []string{c.d.ID}, LegalBasis: "a law", Requester: "case 7"})
	if err == nil {
		l.say(loadWord{Receipt: r.String()})
	}
	return err
}
