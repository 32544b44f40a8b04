package engine

import (
	"context"
	"errors"
	"fmt"

	"strongroom/engine/internal/secret"
)

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
func (v *Vault) provePassword(ctx context.Context, actor Actor, documentID string, n NewLock) (passwordProof, error) {
	var who guesser
	d, err := view(v, func(t *tx) (*document, error) {
		if err := t.admit(actor); err != nil {
			return nil, err
		}
		who.userID = t.actor.UserID
		return t.lockable(documentID, n.IfMatch)
	})
	if err != nil || d.password == "" || n.Password == "" {
		return passwordProof{}, err
	}
	if who.doc = d.id; v.guesses.Wait(who, v.store.Clock.Now()) > 0 {
		return passwordProof{}, &ThrottledError{After: v.guesses.Wait(who, v.store.Clock.Now())}
	}
	right, err := v.hasher.Fits(ctx, n.Password, d.password)
	if err != nil {
		return passwordProof{}, fmt.Errorf("compare the edit password of %s: %w", d, err)
	}
	if v.guesses.Note(who, v.store.Clock.Now(), right); !right {
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
