package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// UserStatus is whether a user's keys work.
type UserStatus string

const (
	UserActive UserStatus = "active" // they do
	UserClosed UserStatus = "closed" // they do not, and nobody acts as the user
)

// User is a person or a program that acts in the vault.
type User struct {
	ID               string
	Name             string
	Email            string // unique in the vault when set, compared without case
	Access           Access
	Status           UserStatus
	CanLockEnvelopes bool      // may take the locks of documents
	Identity         Identity  // by which a provider of identities knows them; zero: none does
	Provided         bool      // made at a first sign-in through the provider; see SignInAgain
	Left             bool      // closed because no group of theirs maps any more; see Arrive
	SeenAt           time.Time // when they last came through the provider; zero: never
	CreatedAt        time.Time
	UpdatedAt        time.Time
	Revision         uint64
	calendar         [sha256.Size]byte // the hash of the secret of their calendar's address; zero: there is none
}

// NewUser describes a user to be made. Name and Access are required.
type NewUser struct {
	Name                string
	Email               string // unique among users; "": none
	Access              Access
	CannotLockEnvelopes bool // see User.CanLockEnvelopes
}

// UserPatch: nil leaves a member alone.
type UserPatch struct {
	Name             *string
	Email            *string
	Access           *Access
	Status           *UserStatus
	CanLockEnvelopes *bool
	// Identity links the user to a person whom a provider knows; the zero Identity
	// ends that. *ExistsError if it is another user's.
	Identity *Identity
}

// User returns one user. ErrUserNotFound.
func (v *Vault) User(ctx context.Context, userID string) (User, error) {
	return view(v, func(t *tx) (User, error) { return t.user(userID) })
}

// Users lists users in the order in which they were made.
func (v *Vault) Users(ctx context.Context, p Paging) (Page[User], error) {
	return view(v, func(t *tx) (Page[User], error) { return idPage(t, bucketUsers, listUsers, p, decodeUser) })
}

func (t *tx) user(userID string) (User, error) {
	key, b := t.userRow(userID)
	if b == nil {
		return User{}, ErrUserNotFound
	}
	return decodeUser(key, b)
}

// userRow returns a user as it is stored; nil if there is none.
func (t *tx) userRow(userID string) (key id, row []byte) {
	key, ok := store.ParseID(userID)
	if !ok {
		return key, nil
	}
	return key, t.Get(bucketUsers, key[:])
}

// admitUser returns a user who may act now, by the one spelling of the ID, and with
// what access.
func (t *tx) admitUser(userID string) (id string, access Access, err error) {
	key, b := t.userRow(userID)
	if b == nil {
		return "", AccessNone, ErrUserNotFound
	}
	s, err := decodeStanding(key, b)
	switch {
	case err != nil:
		return "", AccessNone, err
	case !s.active:
		return "", AccessNone, ErrTokenRevoked
	}
	return key.Spelled(userID), s.access, t.present(s.provided, s.seenAt)
}

// CreateUser makes a user, who may act as soon as somebody makes a key for them
// or the host acts for them. It needs admin access. *ExistsError if the e-mail
// address is taken, *NeedsTwoError.
func (v *Vault) CreateUser(ctx context.Context, actor Actor, n NewUser) (User, Receipt, error) {
	n.Name, n.Email = check.Trim(n.Name), check.NFC(check.Trim(n.Email))
	if err := n.check(); err != nil {
		return User{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (User, audit.Event, error) { return t.createUser(n, Identity{}) })
}

// EnsureUser returns the user with this e-mail address, and makes one if there
// is none. With it a host maps its people to the vault's. A user who is there
// already stays as it is, closed or active. It needs admin access. *InvalidError
// without an e-mail address.
func (v *Vault) EnsureUser(ctx context.Context, actor Actor, n NewUser) (User, Receipt, error) {
	n.Name, n.Email = check.Trim(n.Name), check.NFC(check.Trim(n.Email))
	if n.Email == "" {
		return User{}, Receipt{}, invalid("email", "is what users are found by here, and must be given")
	}
	if err := n.check(); err != nil {
		return User{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (User, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return User{}, audit.Event{}, err
		}
		if key := t.lookUp(bucketEmails, emailKeys(n.Email)); key != nil {
			u, err := decodeUser(id(key), t.Get(bucketUsers, key))
			return u, audit.Event{}, err
		}
		return t.createUser(n, Identity{})
	})
}

func (n NewUser) check() error {
	var c checks
	c.Required("name", n.Name, check.MaxShort)
	c.Email("email", n.Email)
	if !slices.Contains(accesses, n.Access) {
		c.Fail("access", errAccess)
	}
	return c.err()
}

// createUser makes a user, whom a provider knows if there is an identity.
func (t *tx) createUser(n NewUser, identity Identity) (User, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return User{}, audit.Event{}, err
	}
	if err := t.emailFree(n.Email, ""); err != nil {
		return User{}, audit.Event{}, err
	}
	if n.Access == AccessAdmin {
		if err := t.needsTwo(CoveredAdmin, new(userCreate(n))); err != nil {
			return User{}, audit.Event{}, err
		}
	}
	key, err := t.NewID()
	if err != nil {
		return User{}, audit.Event{}, err
	}
	u := User{
		ID: key.String(), Name: n.Name, Email: n.Email, Access: n.Access, Status: UserActive,
		CanLockEnvelopes: !n.CannotLockEnvelopes, CreatedAt: t.Now(), UpdatedAt: t.Now(), Revision: 1,
	}
	if identity.isSet() {
		u.Identity, u.Provided, u.SeenAt = identity, true, t.Now()
	}
	t.storeUser(User{}, u)
	detail := detailMembers{}
	detail.text("name", u.Name)
	detail.text("email", u.Email)
	return u, audit.Event{Op: audit.OpUserCreated, Facts: u.facts(), Detail: encodeDetail(detail)}, nil
}

func (u *User) facts() audit.Facts {
	canLock := "false"
	if u.CanLockEnvelopes {
		canLock = "true"
	}
	facts := audit.Facts{
		"user": audit.Text(u.ID), "access": audit.Text(u.Access.String()),
		"status": audit.Text(string(u.Status)), "canLock": audit.Text(canLock),
	}
	if u.Identity.isSet() {
		facts["issuer"], facts["subject"] = audit.Text(u.Identity.Issuer), audit.Text(u.Identity.Subject)
	}
	if u.Left {
		facts["left"] = audit.Text("true")
	}
	return facts
}

// emailFree guards that no other user has the address.
func (t *tx) emailFree(email, userID string) error {
	if email == "" {
		return nil
	}
	if key := t.lookUp(bucketEmails, emailKeys(email)); key != nil && id(key).String() != userID {
		return &ExistsError{What: NounUser, ID: id(key).String(), Field: "email"}
	}
	return nil
}

// UpdateUser changes a user. It needs admin access. A user who is closed keeps
// name and history. Their keys stop at once, and work again when the user is
// made active. ErrLastAdmin if the vault would have no active admin any more,
// *ExistsError if the e-mail address is taken, ErrUserNotFound, *NeedsTwoError.
func (v *Vault) UpdateUser(ctx context.Context, actor Actor, userID string, cond Condition, p UserPatch) (User, Receipt, error) {
	if err := p.check(); err != nil {
		return User{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (User, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return User{}, audit.Event{}, err
		}
		old, err := t.user(userID)
		if err != nil {
			return User{}, audit.Event{}, err
		}
		if err := cond.IfMatch.check(old.Revision); err != nil {
			return User{}, audit.Event{}, err
		}
		u := p.apply(old)
		if u == old {
			return old, audit.Event{}, nil
		}
		if err := t.emailFree(u.Email, u.ID); err != nil {
			return User{}, audit.Event{}, err
		}
		if u.Identity.isSet() {
			if err := t.identityFree(u.Identity, u.ID); err != nil {
				return User{}, audit.Event{}, err
			}
		}
		if old.leads() && !u.leads() {
			if err := t.anotherAdmin(u.ID); err != nil {
				return User{}, audit.Event{}, err
			}
		}
		// Who links an admin to an account of the provider's can act as that admin.
		if u.strengthens(old) || u.Access == AccessAdmin && u.Identity != old.Identity && u.Identity.isSet() {
			if err := t.needsTwo(CoveredAdmin, &userUpdate{old.ID, cond.IfMatch, userPatch(p)}); err != nil {
				return User{}, audit.Event{}, err
			}
		}
		u, event := t.changeUser(old, u)
		return u, event, nil
	})
}

// changeUser stores a user as they are from now on.
func (t *tx) changeUser(old, u User) (User, audit.Event) {
	u.Revision, u.UpdatedAt = old.Revision+1, t.Now()
	t.storeUser(old, u)
	detail := map[string]any{}
	if u.Name != old.Name {
		detail["name"] = changed{old.Name, u.Name}
	}
	if u.Email != old.Email {
		detail["email"] = changed{old.Email, u.Email}
	}
	facts := u.facts()
	if old.Identity.isSet() && !u.Identity.isSet() {
		facts["issuer"], facts["subject"] = audit.Text(""), audit.Text("")
	}
	return u, audit.Event{Op: audit.OpUserUpdated, Facts: facts, Detail: encodeDetail(detail)}
}

func (p *UserPatch) check() error {
	var c checks
	if p.Name != nil {
		c.Required("name", *p.Name, check.MaxShort)
	}
	if p.Email != nil {
		c.Email("email", check.Trim(*p.Email))
	}
	if p.Access != nil && !slices.Contains(accesses, *p.Access) {
		c.Fail("access", errAccess)
	}
	if p.Identity != nil && p.Identity.isSet() {
		if err := p.Identity.check(); err != nil {
			return err
		}
	}
	if p.Status != nil && *p.Status != UserActive && *p.Status != UserClosed {
		c.Fail("status", "must be active or closed")
	}
	return c.err()
}

func (p *UserPatch) apply(u User) User {
	if p.Name != nil {
		u.Name = check.Trim(*p.Name)
	}
	if p.Email != nil {
		u.Email = check.NFC(check.Trim(*p.Email))
	}
	if p.Access != nil {
		u.Access = *p.Access
	}
	if p.Status != nil {
		u.Status = *p.Status
	}
	if p.CanLockEnvelopes != nil {
		u.CanLockEnvelopes = *p.CanLockEnvelopes
	}
	if p.Identity != nil {
		u.Identity = *p.Identity
	}
	if u.Status != UserClosed || p.Status != nil { // an admin has decided
		u.Left = false
	}
	return u
}

func (u *User) leads() bool { return u.Access == AccessAdmin && u.Status == UserActive }

// anotherAdmin guards that somebody else can still administer the vault.
func (t *tx) anotherAdmin(userID string) error {
	c := t.Cursor(bucketUsers)
	for k, b := c.First(); k != nil; k, b = c.Next() {
		u, err := decodeUser(id(k), b)
		if err != nil {
			return err
		}
		if u.ID != userID && u.leads() {
			return nil
		}
	}
	return ErrLastAdmin
}

func (t *tx) storeUser(old, u User) {
	key, _ := store.ParseID(u.ID)
	if old.Email != "" && !bytes.Equal(emailKey(old.Email), emailKey(u.Email)) {
		t.unlink(bucketEmails, emailKeys(old.Email), key)
	}
	if u.Email != "" {
		t.Put(bucketEmails, emailKey(u.Email), key[:])
	}
	t.storeIdentity(old, u)
	t.Put(bucketUsers, key[:], u.encode())
}
