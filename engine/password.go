package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
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

// hashPassword is slow: it runs outside transactions.
func hashPassword(password string, salt []byte) []byte {
	return append(bytes.Clone(salt), argon2.IDKey([]byte(password), salt, passwordPasses, passwordMemory, 1, passwordHash)...)
}

func newPasswordHash(password string) []byte {
	salt := make([]byte, passwordSalt)
	rand.Read(salt) // never fails: crypto/rand
	return hashPassword(password, salt)
}

// guesses counts the wrong edit passwords of each document: derived state that
// a restart forgets.
type guesses struct {
	mu    sync.Mutex // held while one is computed
	wrong map[id]guess
}

type guess struct {
	count int
	last  time.Time
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
// transaction because that takes its time. The proof is judged in the
// transaction, so a password that changes meanwhile is not let through.
func (v *Vault) provePassword(ctx context.Context, documentID, password string) (passwordProof, error) {
	d, err := view(v, func(t *tx) (*document, error) { return t.liveDocument(documentID) })
	if err != nil || d.password == nil || password == "" {
		return nil, err
	}
	v.guesses.mu.Lock()
	defer v.guesses.mu.Unlock()
	now := v.clock.now()
	g := v.guesses.wrong[d.id]
	if now.Sub(g.last) >= throttleFor {
		g = guess{}
	}
	if g.count >= wrongPassword {
		return nil, &ThrottledError{After: throttleFor - now.Sub(g.last)}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(hashPassword(password, d.password[:passwordSalt]), d.password) != 1 {
		if v.guesses.wrong == nil {
			v.guesses.wrong = map[id]guess{}
		}
		v.guesses.wrong[d.id] = guess{g.count + 1, now}
		return nil, &PermissionError{Required: AccessUpload, Actual: AccessUpload, Reason: "templatePassword is not the document's edit password"}
	}
	delete(v.guesses.wrong, d.id)
	return passwordProof(d.password), nil
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
