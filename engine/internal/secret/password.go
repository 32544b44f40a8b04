// Package secret has the machinery of passwords: how they are hashed, how the
// hash is spelled, and how guessing is slowed down. It knows nothing of what a
// password is for.
package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what hashing with Argon2id (RFC 9106) takes.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// Today is the cost at which passwords are hashed now: 19 MiB of memory and two
// passes, about 20 ms of one core. It is what OWASP asks of a login.
func Today() Cost { return Cost{Memory: 19 << 10, Passes: 2, Lanes: 1} }

const (
	saltSize = 16 // of new passwords, bytes
	hashSize = 32

	// What a stored password may ask for at most. It bounds what a damaged one
	// can cost: 256 MiB, and some seconds.
	maxMemory = 256 << 10 // KiB
	maxPasses = 16
	maxLanes  = 4

	minSalt, maxSalt = 8, 64 // bytes
	minHash, maxHash = 16, 64
)

// ErrMalformed says that a text is no password in PHC form, or asks for a cost
// that nobody would have chosen.
var ErrMalformed = errors.New("secret: not the PHC form of a password")

// Password is a password as it is kept: its hash, with the salt and the cost it
// was made with, in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$hash
//
// Salt and hash are base64 without padding. "" is no password. Each has one
// spelling, so two are compared with ==. [Parse] makes one of a stored text.
type Password string

// Parse reads a stored password. ErrMalformed if it is spelled another way than
// this package does, or its cost is out of bounds.
func Parse(text string) (Password, error) {
	if _, err := Password(text).parts(); err != nil {
		return "", err
	}
	return Password(text), nil
}

// Of is the password with this salt and this hash, made at this cost.
// ErrMalformed if one of them is out of bounds.
func Of(c Cost, salt, hash []byte) (Password, error) { return Parse(parts{c, salt, hash}.spell()) }

type parts struct {
	cost       Cost
	salt, hash []byte
}

const form = "$argon2id$v=19$m=%d,t=%d,p=%d$"

func (p parts) spell() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf(form, p.cost.Memory, p.cost.Passes, p.cost.Lanes) + b64.EncodeToString(p.salt) + "$" + b64.EncodeToString(p.hash)
}

func (p Password) parts() (s parts, err error) {
	head, hash := cutLast(string(p))
	head, salt := cutLast(head)
	if _, err := fmt.Sscanf(head+"$", form, &s.cost.Memory, &s.cost.Passes, &s.cost.Lanes); err != nil {
		return parts{}, ErrMalformed
	}
	b64 := base64.RawStdEncoding.Strict()
	var badSalt, badHash error
	s.salt, badSalt = b64.DecodeString(salt)
	s.hash, badHash = b64.DecodeString(hash)
	// What is spelled another way, with a sign or a leading zero or a line
	// break, is no password.
	if badSalt != nil || badHash != nil || !s.bounded() || s.spell() != string(p) {
		return parts{}, ErrMalformed
	}
	return s, nil
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '$')
	return s[:max(i, 0)], s[i+1:]
}

func (p parts) bounded() bool {
	within := func(n, least, most int) bool { return least <= n && n <= most }
	return within(int(p.cost.Lanes), 1, maxLanes) && within(int(p.cost.Passes), 1, maxPasses) &&
		within(int(p.cost.Memory), 8*int(p.cost.Lanes), maxMemory) &&
		within(len(p.salt), minSalt, maxSalt) && within(len(p.hash), minHash, maxHash)
}

// Weak says whether a password was hashed at less than today's cost.
func (p Password) Weak() bool {
	s, err := p.parts()
	today := Today()
	return err == nil && (s.cost.Memory < today.Memory || s.cost.Passes < today.Passes || len(s.salt) < saltSize || len(s.hash) < hashSize)
}

// Hasher hashes one password at a time, so guessing costs a process no more
// memory than that. [NewHasher] makes one.
type Hasher struct {
	turn chan struct{} // holds one token while a password is hashed
}

func NewHasher() Hasher { return Hasher{make(chan struct{}, 1)} }

// New hashes a password at today's cost, with a salt of its own. It is slow; an
// error is that of ctx.
func (h Hasher) New(ctx context.Context, password string) (Password, error) {
	s := parts{cost: Today(), salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	rand.Read(s.salt) // never fails: crypto/rand
	end, err := h.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	s.hash = s.derive(password)
	return Password(s.spell()), nil
}

// Fits says whether this is the password that was kept. It takes as long as that
// one's cost says. ErrMalformed, or the error of ctx.
func (h Hasher) Fits(ctx context.Context, password string, kept Password) (bool, error) {
	s, err := kept.parts()
	if err != nil {
		return false, err
	}
	end, err := h.begin(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	return s.fits(password), nil
}

// begin waits for a turn. Whoever has it calls end.
func (h Hasher) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil { // select would toss a coin
		return nil, err
	}
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// derive hashes as p was hashed. It needs a turn.
func (p parts) derive(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.cost.Passes, p.cost.Memory, p.cost.Lanes, uint32(len(p.hash)))
}

func (p parts) fits(password string) bool {
	return subtle.ConstantTimeCompare(p.derive(password), p.hash) == 1
}
