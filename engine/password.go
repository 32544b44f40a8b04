package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// An edit password is kept as its Argon2id (RFC 9106) hash with a random salt.
// The cost is 19 MiB of memory and two passes, about 20 ms of one core: what
// OWASP asks of a login. One is computed at a time, so guessing costs the vault
// no more memory than that, and after a few wrong ones a document takes none
// for a while.
const (
	passwordSalt   = 16
	passwordHash   = 32
	passwordMemory = 19 << 10 // KiB
	passwordPasses = 2

	maxPassword   = 200
	wrongPassword = 5           // so many guesses at a document
	throttleFor   = time.Minute // before it takes no more for so long
)

// hashPassword is slow: it runs outside transactions, one at a time.
func (v *Vault) hashPassword(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case v.hashing <- struct{}{}:
		defer func() { <-v.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return append(bytes.Clone(salt), argon2.IDKey([]byte(password), salt, passwordPasses, passwordMemory, 1, passwordHash)...), nil
}

// newPassword hashes an edit password to be set, for who may set one.
func (v *Vault) newPassword(ctx context.Context, actor Actor, p *EditPassword) ([]byte, error) {
	if p == nil || p.Password == "" {
		return nil, nil
	}
	_, err := peek(v, func(t *tx) (struct{}, error) {
		return struct{}{}, errors.Join(t.admit(actor), t.may(AccessAdmin))
	})
	if err != nil {
		return nil, err
	}
	salt := make([]byte, passwordSalt)
	rand.Read(salt) // never fails: crypto/rand
	return v.hashPassword(ctx, p.Password, salt)
}

// guesses counts the wrong edit passwords each user gave for each document:
// derived state that a restart forgets.
type guesses struct {
	mu    sync.Mutex // leaf lock
	wrong map[guesser]guess
}

type guesser struct {
	doc    id
	userID string
}

type guess struct {
	count int
	last  time.Time
}

// wait is how long this guesser is not asked any more; 0: go on.
func (g *guesses) wait(who guesser, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if was := g.wrong[who]; was.count >= wrongPassword {
		return throttleFor - now.Sub(was.last)
	}
	return 0
}

// note counts a wrong guess, or forgets those before a right one.
func (g *guesses) note(who guesser, now time.Time, right bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong == nil {
		g.wrong = map[guesser]guess{}
	}
	maps.DeleteFunc(g.wrong, func(_ guesser, was guess) bool { return now.Sub(was.last) >= throttleFor })
	if right {
		delete(g.wrong, who)
		return
	}
	g.wrong[who] = guess{g.wrong[who].count + 1, now}
}

// passwordProof is the hash that a password was found to fit.
type passwordProof []byte

// stands says whether the password fits the document as it is now.
func (p passwordProof) stands(d *document) error {
	if d.password == nil || bytes.Equal(p, d.password) {
		return nil
	}
	return &PermissionError{Required: AccessUpload, Actual: AccessUpload, Reason: "the document has an edit password; give it as templatePassword"}
}

// provePassword compares a password with that of a document, outside any
// transaction because that takes its time, and after every other guard of
// AcquireLock, so that nobody else learns whether it is right. The proof is
// decided in the transaction: a password that changes meanwhile is not let
// through.
func (v *Vault) provePassword(ctx context.Context, actor Actor, documentID string, n NewLock) (passwordProof, error) {
	var who guesser
	d, err := view(v, func(t *tx) (*document, error) {
		if err := t.admit(actor); err != nil {
			return nil, err
		}
		who.userID = t.actor.UserID
		return t.lockable(documentID, n.IfMatch)
	})
	if err != nil || d.password == nil || n.Password == "" {
		return nil, err
	}
	if who.doc = d.id; v.guesses.wait(who, v.store.Clock.Now()) > 0 {
		return nil, &ThrottledError{After: v.guesses.wait(who, v.store.Clock.Now())}
	}
	hash, err := v.hashPassword(ctx, n.Password, d.password[:passwordSalt])
	if err != nil {
		return nil, err
	}
	right := subtle.ConstantTimeCompare(hash, d.password) == 1
	if v.guesses.note(who, v.store.Clock.Now(), right); !right {
		return nil, &PermissionError{Required: AccessUpload, Actual: AccessUpload, Reason: "templatePassword is not the document's edit password"}
	}
	return d.password, nil
}

// EditPassword sets or removes what it takes to lock a document.
type EditPassword struct {
	Password string // "" removes it
}

func (p *EditPassword) check(c *checks) {
	if len(p.Password) > maxPassword {
		c.fail("editPassword", "must be at most %d bytes", maxPassword)
	}
}
