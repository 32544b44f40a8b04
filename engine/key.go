package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// Key is an API key without its secret. A time that is zero did not happen or
// is not set.
type Key struct {
	ID         string
	Name       string
	Prefix     string // how its token begins: enough to recognise it, not to use it
	UserID     string
	Access     Access // never more than its user's counts
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // kept outside rows.db, so it may be lost with a crash
	RevokedAt  time.Time
}

// NewKey describes a key to be made.
type NewKey struct {
	Name      string
	UserID    string    // "": the actor
	Access    Access    // AccessNone: the user's
	ExpiresAt time.Time // zero: never
}

// Secret is a token as its holder must keep it. It is shown once: the vault
// keeps a hash. It does not print itself.
type Secret struct{ token string }

// Reveal returns the token.
func (s Secret) Reveal() string { return s.token }

// String keeps %v and %s from printing the token.
func (s Secret) String() string { return "(secret)" }

// GoString keeps %#v from printing the token.
func (s Secret) GoString() string { return "(secret)" }

// maxOverlap bounds how long a rotated key may work on.
const maxOverlap = 30 * 24 * time.Hour

// key is a Key as stored.
type key struct {
	Key
	secret     [sha256.Size]byte // the hash of the secret in its token
	successors []string          // one at most; keys of before that rule may have several
}

// usable is nil while the key works.
func (k *key) usable(now time.Time) error {
	switch {
	case !k.RevokedAt.IsZero():
		return ErrTokenRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return ErrTokenExpired
	}
	return nil
}

// TokenVault returns the name of the vault a token says it is for, "" if it is
// not a token. It proves nothing: Authenticate does.
func TokenVault(token string) string { return secret.TokenVault(token) }

// TokenKey returns the name of the vault and the id of the key that a token says
// it is, "" if it is not a token. It proves nothing, and is whatever a stranger
// has sent.
func TokenKey(token string) string { return secret.TokenKey(token) }

// Authenticate returns who presents the token. An unknown key, a wrong secret
// and a token of another vault get the same ErrInvalidToken for the same work,
// so a token of a vault that is not open may be given to any that is. Only who
// knows the secret learns ErrTokenExpired or ErrTokenRevoked.
func (v *Vault) Authenticate(ctx context.Context, token string) (Actor, error) {
	given := secret.ParseToken(token)
	return peek(v, func(t *tx) (Actor, error) {
		k, err := t.key(given.KeyID)
		known := !errors.Is(err, ErrKeyNotFound)
		if !known {
			k = &key{} // as much work as one that is known
		} else if err != nil {
			return Actor{}, err
		}
		if !given.Fits(k.secret) || !known || given.Vault != v.name {
			return Actor{}, ErrInvalidToken
		}
		if err := k.usable(t.Now()); err != nil {
			return Actor{}, err
		}
		userID, access, err := t.admitUser(k.UserID)
		if err != nil {
			return Actor{}, err
		}
		v.used.note(k.ID, t.Now())
		return Actor{UserID: userID, KeyID: k.ID, Access: Meet(k.Access, access)}, nil
	})
}

// Key returns one key, without its secret. ErrKeyNotFound.
func (v *Vault) Key(ctx context.Context, keyID string) (Key, error) {
	return view(v, func(t *tx) (Key, error) {
		k, err := t.key(keyID)
		if err != nil {
			return Key{}, err
		}
		return v.shown(k), nil
	})
}

// Keys lists keys, revoked ones too, in the order in which they were made.
func (v *Vault) Keys(ctx context.Context, p Paging) (Page[Key], error) {
	return view(v, func(t *tx) (Page[Key], error) {
		return idPage(t, bucketKeys, listKeys, p, func(at id, b []byte) (Key, error) {
			k, err := decodeKey(at, b)
			if err != nil {
				return Key{}, err
			}
			return v.shown(k), nil
		})
	})
}

// shown adds what is not stored with the key.
func (v *Vault) shown(k *key) Key {
	k.Prefix = secret.TokenPrefix(v.name, k.ID)
	k.LastUsedAt = v.used.at(k.ID)
	return k.Key
}

func (t *tx) key(keyID string) (*key, error) {
	at, ok := store.ParseID(keyID)
	if !ok {
		return nil, ErrKeyNotFound
	}
	b := t.Get(bucketKeys, at[:])
	if b == nil {
		return nil, ErrKeyNotFound
	}
	return decodeKey(at, b)
}

// CreateKey makes a key for a user, and returns its token, which is shown this
// once. It needs admin access. *InvalidError if there is no such user, if the
// key would have wider access than its user, or if it would have expired
// already; *NeedsTwoError for a key of another admin.
func (v *Vault) CreateKey(ctx context.Context, actor Actor, n NewKey) (Key, Secret, Receipt, error) {
	n.Name = check.Trim(n.Name)
	if n.UserID == "" {
		n.UserID = actor.UserID
	}
	var c checks
	c.Required("name", n.Name, check.MaxShort)
	if n.Access != AccessNone && !slices.Contains(accesses, n.Access) {
		c.Fail("access", errAccess)
	}
	if err := c.err(); err != nil {
		return Key{}, Secret{}, Receipt{}, err
	}
	random := secret.NewKey()
	k, receipt, err := update(v, ctx, actor, func(t *tx) (*key, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return nil, audit.Event{}, err
		}
		return t.createKey(n, random)
	})
	return v.issued(k, random, receipt, err)
}

func (t *tx) createKey(n NewKey, random secret.Key) (*key, audit.Event, error) {
	u, err := t.user(n.UserID)
	if errors.Is(err, ErrUserNotFound) {
		return nil, audit.Event{}, invalid("userId", "must be the id of a user of this vault")
	} else if err != nil {
		return nil, audit.Event{}, err
	}
	n.UserID = u.ID // its one spelling
	if n.Access == AccessNone {
		n.Access = u.Access
	}
	if u.Access.Permits(n.Access) != nil {
		return nil, audit.Event{}, invalid("access", "must not be wider than the user's, which is %s", u.Access)
	}
	if !n.ExpiresAt.IsZero() {
		n.ExpiresAt = n.ExpiresAt.UTC().Truncate(time.Millisecond)
		if !n.ExpiresAt.After(t.Now()) || n.ExpiresAt.Year() > 9999 {
			return nil, audit.Event{}, invalid("expiresAt", "must be in the future, and not beyond the year 9999")
		}
	}
	if n.Access == AccessAdmin && !t.self(n.UserID) {
		if err := t.needsTwo(CoveredAdmin, new(keyCreate(n))); err != nil {
			return nil, audit.Event{}, err
		}
	}
	k, err := t.newKey(n, random)
	if err != nil {
		return nil, audit.Event{}, err
	}
	return k, audit.Event{
		Op: audit.OpKeyCreated,
		Facts: audit.Facts{
			"key": audit.Text(k.ID), "user": audit.Text(k.UserID),
			"access": audit.Text(k.Access.String()), "expires": audit.Text(factTime(k.ExpiresAt)), "secret": digestOf(k.secret[:]),
		},
		Detail: encodeDetail(map[string]any{"name": k.Name}),
	}, nil
}

func (t *tx) newKey(n NewKey, random secret.Key) (*key, error) {
	at, err := t.NewID()
	if err != nil {
		return nil, err
	}
	k := &key{secret: random.Hash()}
	k.Key = Key{
		ID: at.String(), Name: n.Name, UserID: n.UserID, Access: n.Access,
		CreatedAt: t.Now(), ExpiresAt: n.ExpiresAt,
	}
	t.Put(bucketKeys, at[:], k.encode())
	return k, nil
}

func (v *Vault) issued(k *key, random secret.Key, receipt Receipt, err error) (Key, Secret, Receipt, error) {
	if err != nil {
		return Key{}, Secret{}, Receipt{}, err
	}
	return v.shown(k), Secret{random.Token(v.name, k.ID)}, receipt, nil
}

// RotateKey makes a successor with the same user, name, access and expiry. The
// old key works on for the overlap, at most 30 days; 0 ends it at once. An
// admin may rotate any key, everybody the key they act with. A key that has
// ended cannot be rotated, nor can one that has a successor. *NeedsTwoError for one
// of another admin.
func (v *Vault) RotateKey(ctx context.Context, actor Actor, keyID string, overlap time.Duration) (Key, Secret, Receipt, error) {
	if overlap < 0 || overlap > maxOverlap {
		return Key{}, Secret{}, Receipt{}, invalid("overlapSeconds", "must be between 0 and %d", int(maxOverlap.Seconds()))
	}
	random := secret.NewKey()
	k, receipt, err := update(v, ctx, actor, func(t *tx) (*key, audit.Event, error) {
		old, err := t.key(keyID)
		if own := err == nil && old.ID == t.actor.KeyID; !own {
			if err := t.may(AccessAdmin); err != nil {
				return nil, audit.Event{}, err
			}
		}
		if err != nil {
			return nil, audit.Event{}, err
		}
		if err := old.usable(t.Now()); err != nil {
			return nil, audit.Event{}, invalid("id", "this key has ended and has no successor; create a new key")
		}
		if len(old.successors) > 0 {
			return nil, audit.Event{}, invalid("id", "this key was rotated before; rotate its successor")
		}
		if old.Access == AccessAdmin && !t.self(old.UserID) {
			if err := t.needsTwo(CoveredAdmin, &keyRotate{old.ID, overlap}); err != nil {
				return nil, audit.Event{}, err
			}
		}
		return t.rotateKey(old, overlap, random)
	})
	return v.issued(k, random, receipt, err)
}

func (t *tx) rotateKey(old *key, overlap time.Duration, random secret.Key) (*key, audit.Event, error) {
	k, err := t.newKey(NewKey{Name: old.Name, UserID: old.UserID, Access: old.Access, ExpiresAt: old.ExpiresAt}, random)
	if err != nil {
		return nil, audit.Event{}, err
	}
	if until := t.Now().Add(overlap); old.ExpiresAt.IsZero() || until.Before(old.ExpiresAt) {
		old.ExpiresAt = until.Truncate(time.Millisecond)
	}
	old.successors = []string{k.ID}
	t.putKey(old)
	return k, audit.Event{
		Op: audit.OpKeyRotated,
		Facts: audit.Facts{
			"key": audit.Text(old.ID), "successor": audit.Text(k.ID), "user": audit.Text(k.UserID),
			"access": audit.Text(k.Access.String()), "expires": audit.Text(factTime(k.ExpiresAt)),
			"until": audit.Text(factTime(old.ExpiresAt)), "secret": digestOf(k.secret[:]),
		},
	}, nil
}

func (t *tx) putKey(k *key) {
	at, _ := store.ParseID(k.ID)
	t.Put(bucketKeys, at[:], k.encode())
}

// RevokeKey ends a key at once, also for requests that are on their way, and
// with it its successors and theirs. It needs admin access. Revoking what is revoked returns it as it is.
// ErrKeyNotFound.
func (v *Vault) RevokeKey(ctx context.Context, actor Actor, keyID string) (Key, Receipt, error) {
	k, receipt, err := update(v, ctx, actor, func(t *tx) (*key, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return nil, audit.Event{}, err
		}
		return t.revokeKey(keyID)
	})
	if err != nil {
		return Key{}, Receipt{}, err
	}
	return v.shown(k), receipt, nil
}

func (t *tx) revokeKey(keyID string) (*key, audit.Event, error) {
	k, err := t.key(keyID)
	if err != nil || !k.RevokedAt.IsZero() {
		return k, audit.Event{}, err
	}
	k.RevokedAt = t.Now()
	t.putKey(k)
	facts := audit.Facts{"key": audit.Text(k.ID), "user": audit.Text(k.UserID)}
	if len(k.successors) > 0 {
		revoked, err := t.revokeLine(k)
		if err != nil {
			return nil, audit.Event{}, err
		}
		facts["successors"] = audit.Number(revoked)
	}
	return k, audit.Event{Op: audit.OpKeyRevoked, Facts: facts}, nil
}

// revokeLine revokes the successors of a key, theirs too, that still work, and
// returns how many did. Those that have ended are passed over: a line may be
// long.
func (t *tx) revokeLine(first *key) (revoked uint64, err error) {
	line := slices.Clone(first.successors)
	for len(line) > 0 {
		k, err := t.key(line[0])
		if err != nil {
			return 0, fmt.Errorf("a successor of key %s: %w", first.ID, err)
		}
		if k.ID <= first.ID { // a damaged record: nothing comes after itself
			return 0, fmt.Errorf("a successor of key %s: %w", first.ID, errDamaged)
		}
		line = append(line[1:], k.successors...)
		if k.usable(t.Now()) == nil {
			k.RevokedAt = t.Now()
			t.putKey(k)
			revoked++
		}
	}
	return revoked, nil
}

// adminKeys counts the keys that administer the vault now.
func (t *tx) adminKeys() (n uint64, err error) {
	c := t.Cursor(bucketKeys)
	for at, b := c.First(); at != nil; at, b = c.Next() {
		k, err := decodeKey(id(at), b)
		if err != nil {
			return 0, err
		}
		if k.Access != AccessAdmin || k.usable(t.Now()) != nil {
			continue
		}
		u, err := t.user(k.UserID)
		if err != nil {
			return 0, err
		}
		if u.leads() {
			n++
		}
	}
	return n, nil
}

// factTime spells a time in facts; "" is none.
func factTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return audit.FormatTime(t)
}
