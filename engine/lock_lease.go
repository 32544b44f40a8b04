package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// The window of a lease: how long it lives without a change under it.
const (
	defaultWindow = 300 * time.Second
	maxWindow     = 1800 * time.Second
)

// Lock is an edit lock: a lease on one document, held by one user in one
// application (the API key), proved by a token. It ends by release, by breaking,
// or when its deadline passes, and every accepted change with the token moves
// the deadline on. Whether it is live is decided by the clock each time it is
// asked, so nothing has to be swept.
type Lock struct {
	Token           string // "" unless for the key that took it
	Duration        time.Duration
	Until           time.Time
	LockedByApp     string
	UseScratchPad   bool
	ScratchPadStale bool   // for the holder: the document has moved on since the scratchpad was begun
	Fence           uint64 // rises with every acquisition and breaking, and outlives the lock
	User            User   // who holds it
	Revision        uint64 // of the document, which locking leaves alone
}

// NewLock describes a lock to be acquired.
type NewLock struct {
	Duration      time.Duration // 0: 300 s; more than 1,800 s is 1,800 s
	LockedByApp   string
	UseScratchPad bool
	Password      string // the document's edit password, if it has one
}

// LockPatch: nil leaves a member alone.
type LockPatch struct {
	Duration    *time.Duration
	LockedByApp *string
}

// lease is a lock as its document's record has it, live or not.
type lease struct {
	userID, keyID, app string
	window             time.Duration
	until              time.Time
	scratchPad         bool
	fence              uint64 // of this lease; the document's own may have risen since
	base               uint64 // the document's revision when its scratchpad was begun; 0: it is empty
}

func (l *lease) encode() []byte {
	e := store.NewEncoder(96)
	e.Str(l.userID)
	e.Str(l.keyID)
	e.Str(l.app)
	e.Num(uint64(l.window / time.Second))
	e.Time(l.until)
	e.Flag(l.scratchPad)
	e.Num(l.fence)
	e.Num(l.base)
	return e.Bytes()
}

func decodeLease(b []byte) (*lease, error) {
	if len(b) == 0 {
		return nil, nil
	}
	d := store.NewDecoder(b)
	l := &lease{userID: d.Str(), keyID: d.Str(), app: d.Str()}
	l.window = time.Duration(d.Num()) * time.Second
	l.until = d.Time()
	l.scratchPad = d.Flag()
	l.fence = d.Num()
	l.base = d.Num()
	return l, d.Done("lease")
}

// live returns the lease that holds the document now, or nil.
func (t *tx) live(d *document) *lease {
	if d.lease != nil && t.Now().Before(d.lease.until) {
		return d.lease
	}
	return nil
}

// lock is the live lease as others may see it: without the token.
func (t *tx) lock(d *document) (*Lock, error) {
	l := t.live(d)
	if l == nil {
		return nil, nil
	}
	u, err := t.user(l.userID)
	if err != nil {
		return nil, fmt.Errorf("who holds the lock of %s: %w", d, err)
	}
	return &Lock{
		Duration: l.window, Until: l.until, LockedByApp: l.app, UseScratchPad: l.scratchPad, Fence: l.fence, User: u,
		Revision: d.Revision,
	}, nil
}

// admitToken is the guard of every change of a document. A locked document is
// changed only with the token of the live lock, by the user who holds it; and a
// token that is not the live lock's is refused, lock or no lock: its holder
// believes in a lock that is gone.
func (t *tx) admitToken(d *document, c Condition) (grant, error) {
	l := t.live(d)
	switch {
	case l == nil && c.LockToken == "":
		return grant{}, nil
	case l == nil:
		return grant{}, ErrNotLocked
	case l.userID != t.actor.UserID || !t.v.isToken(d.ID, l, c.LockToken):
		lock, err := t.lock(d)
		if err != nil {
			return grant{}, err
		}
		return grant{}, &LockedError{Lock: *lock}
	}
	if window := min(c.LockDuration, maxWindow).Truncate(time.Second); window > 0 {
		return grant{window}, nil
	}
	return grant{l.window}, nil
}

// grant is what the token of a live lock grants a change: the lock's deadline
// moves on to this long after it. Zero is the grant of a change without a token,
// which moves nothing.
type grant struct{ window time.Duration }

// slide moves the deadline of the document's lease, if it still has one, and
// returns by how much from now on; 0: it stays.
func (g grant) slide(d *document, now time.Time) time.Duration {
	if g.window == 0 || d.lease == nil {
		return 0
	}
	d.lease.window, d.lease.until = g.window, now.Add(g.window)
	return g.window
}

func (v *Vault) token(documentID string, l *lease) string {
	return v.lockKey.Token(documentID, l.fence, l.userID)
}

func (v *Vault) isToken(documentID string, l *lease, token string) bool {
	return v.lockKey.Fits(token, documentID, l.fence, l.userID)
}

// loadLockKey reads the key that lock tokens are derived with. If it is not
// there, it makes another: to lose it voids the locks that run, and nothing else.
func loadLockKey(dir string) (secret.LockKey, error) {
	path := filepath.Join(dir, fileLockKey)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == secret.LockKeySize {
		return key, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the key of lock tokens: %w", err)
	}
	key = secret.NewLockKey()
	if err := blobstore.WriteFile(path, key); err != nil {
		return nil, fmt.Errorf("the key of lock tokens: %w", err)
	}
	return key, nil
}

// showLock adds what the holder may know: the token only for the key that took
// the lock.
func (t *tx) showLock(d *document) (Lock, error) {
	lock, err := t.lock(d)
	if err != nil {
		return Lock{}, err
	}
	if lock == nil {
		return Lock{}, ErrNotLocked
	}
	// What there is in a scratchpad concerns its holder alone.
	if d.lease.userID == t.actor.UserID {
		lock.ScratchPadStale = d.lease.base != 0 && d.lease.base != d.Revision
		if d.lease.keyID == t.actor.KeyID {
			lock.Token = t.v.token(d.ID, d.lease)
		}
	}
	return *lock, nil
}

const maxPassword = 200

// newPassword hashes an edit password to be set, for who may set one.
func (v *Vault) newPassword(ctx context.Context, actor Actor, p *EditPassword) (secret.Password, error) {
	if p == nil || p.Password == "" {
		return "", nil
	}
	_, err := peek(v, func(t *tx) (struct{}, error) {
		return struct{}{}, errors.Join(t.admit(actor), t.may(AccessAdmin))
	})
	if err != nil {
		return "", err
	}
	return v.hasher.New(ctx, p.Password)
}

// guesser is whose wrong edit passwords for which document are counted: nobody
// keeps another from locking by guessing wrong.
type guesser struct {
	doc    id
	userID string
}

// passwordProof says which password of a document was found to fit.
type passwordProof struct {
	fits   secret.Password // "": none was asked for
	raised secret.Password // the same at today's cost, if it was kept at less; else ""
}

// errPasswordMoved: the document's edit password changed, or was raised, after
// it was proved.
var errPasswordMoved = errors.New("engine: the edit password has changed meanwhile")

// stands says whether the password fits the document as it is now.
func (p passwordProof) stands(d *document) error {
	switch {
	case d.password == "" || p.fits == d.password:
		return nil
	case p.fits != "":
		return errPasswordMoved
	}
	return &PermissionError{Required: AccessUpload, Actual: AccessUpload, Reason: "the document has an edit password; give it as templatePassword"}
}

// raise gives a document whose password was proved the one at today's cost. The
// caller's own entry is that of the change. What a lock notes of the document to
// go back to has it too, and going back leaves the edit password as it is.
func (p passwordProof) raise(d *document) {
	if p.raised != "" && p.fits == d.password {
		d.password = p.raised
	}
}

// provePassword compares a password with that of a document, outside any
// transaction because that takes its time, and after every other guard of
// AcquireLock, so that nobody else learns whether it is right. The proof is
// decided in the transaction: a password that changes meanwhile is not let
// through.
func (v *Vault) provePassword(ctx context.Context, actor Actor, documentID string, cond Condition, n NewLock) (passwordProof, error) {
	var who guesser
	look := foresee[*document]
	if n.Password != "" { // whether it is wrong is told at once too
		look = view[*document]
	}
	d, err := look(v, func(t *tx) (*document, error) {
		if err := t.admit(actor); err != nil {
			return nil, err
		}
		who.userID = t.actor.UserID
		return t.lockable(documentID, cond.IfMatch)
	})
	if err != nil || d.password == "" || n.Password == "" {
		return passwordProof{}, err
	}
	who.doc = d.id
	right, wait, err := v.guesses.Try(ctx, v.hasher, who, v.store.Clock.Now, n.Password, d.password)
	switch {
	case err != nil:
		return passwordProof{}, fmt.Errorf("compare the edit password of %s: %w", d, err)
	case wait > 0:
		return passwordProof{}, &ThrottledError{After: wait}
	case !right:
		return passwordProof{}, &PermissionError{Required: AccessUpload, Actual: AccessUpload, Reason: "templatePassword is not the document's edit password"}
	}
	proof := passwordProof{fits: d.password}
	if d.password.Weak() {
		proof.raised, err = v.hasher.New(ctx, n.Password)
	}
	return proof, err
}

// EditPassword sets or removes what it takes to lock a document.
type EditPassword struct {
	Password string // "" removes it
}

func (p *EditPassword) check(c *checks) {
	if len(p.Password) > maxPassword {
		c.Fail("editPassword", "must be at most %d bytes", maxPassword)
	}
}
