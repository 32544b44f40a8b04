package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Identity is a person as a provider of identities knows her: its issuer and her
// subject there, as OpenID Connect defines them (OpenID Connect Core 1.0, 2). The
// two are hers for ever; an e-mail address is not. The zero Identity is nobody's.
type Identity struct {
	Issuer  string `json:"issuer"`  // an https URL, 255 bytes at most
	Subject string `json:"subject"` // 255 bytes of printable ASCII at most
}

// maxIdentity is the length of an issuer and of a subject.
const maxIdentity = 255

func (i Identity) isSet() bool { return i != Identity{} }

func (i Identity) check() error {
	var c checks
	for n, s := range []string{i.Issuer, i.Subject} {
		if s == "" || len(s) > maxIdentity || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune("\"\\<>&", r) }) {
			c.Fail([]string{"identity.issuer", "identity.subject"}[n], "must be 1 to 255 printable characters of ASCII, without \" \\ < > &")
		}
	}
	return c.err()
}

// row is the key of the identity in its bucket. Issuers have no NUL.
func (i Identity) row() []byte { return []byte(i.Issuer + "\x00" + i.Subject) }

// Arrival is somebody who has just proved to a provider who she is.
type Arrival struct {
	Identity
	Name  string // of the user that is made for her; her subject if it is ""
	Email string // likewise; "": none
	// Access is what her groups map to now; AccessNone: none of them does.
	Access Access
}

// Arrive takes in somebody who comes through an identity provider, and returns the
// user she is. One is made at her first time if a group maps. Access is what the
// groups map to now, at each time; who has lost the last is closed, and active again
// when she has got one back, unless an admin has closed her. An e-mail address binds
// nobody: where another user has hers, she is refused until an admin links the two
// (UserPatch.Identity).
//
// While making an admin needs two persons (Settings.TwoPersons), groups raise nobody
// to it: she gets upload access, or stays an auditor, and an admin asks for the rest.
//
// The last admin keeps that access, whatever the groups say, and is never closed.
//
// *UnboundError if her address is another user's, ErrNoGroup if no group maps,
// ErrTokenRevoked for whom an admin has closed. Only a host calls it, for whom it
// has proved; the actor in the log is the system.
func (v *Vault) Arrive(ctx context.Context, a Arrival) (User, error) {
	if err := a.check(); err != nil {
		return User{}, err
	}
	if a.Access != AccessNone && !slices.Contains(accesses, a.Access) {
		return User{}, invalid("access", errAccess)
	}
	for {
		is, _, err := update(v, ctx, System(), func(t *tx) (arrived, audit.Event, error) { return t.arrive(a) })
		switch {
		case err != nil:
			return User{}, err
		case is.user.Status == UserClosed:
			return User{}, ErrNoGroup
		case is.in:
			return is.user, nil
		}
		// What the groups map to had changed, which was one entry; that she came is the next.
	}
}

// mostOfOne is what groups give at the most where making an admin needs two persons:
// whom they map to admin, an admin raises with another's approval. Who is one stays one.
const mostOfOne = AccessUpload

// arrived is how far an arrival is.
type arrived struct {
	user User
	in   bool // and nothing is left to do
}

// arrive takes the next step: it makes the user, brings her access up to date, or
// notes that she came.
func (t *tx) arrive(a Arrival) (arrived, audit.Event, error) {
	s, err := t.settings()
	if err != nil {
		return arrived{}, audit.Event{}, err
	}
	row := t.Get(bucketIdentities, a.row())
	if row == nil {
		if a.Access == AccessAdmin && s.needsTwo(CoveredAdmin) {
			a.Access = mostOfOne
		}
		u, event, err := t.firstArrival(a)
		return arrived{u, err == nil}, event, err
	}
	old, err := t.user(idText(row))
	if err != nil {
		return arrived{}, audit.Event{}, err
	}
	u := old
	switch {
	case old.Status == UserClosed && !old.Left:
		return arrived{}, audit.Event{}, ErrTokenRevoked
	case a.Access == AccessNone && old.Status == UserClosed:
		return arrived{}, audit.Event{}, ErrNoGroup
	case a.Access == AccessNone:
		u.Status, u.Left = UserClosed, true
	default:
		u.Status, u.Left, u.Access = UserActive, false, a.Access
	}
	if u.strengthens(old) && s.needsTwo(CoveredAdmin) {
		if u.Access = mostOfOne; old.Access == AccessAuditor { // who reads all, and changes nothing, still does
			u.Access = AccessAuditor
		}
	}
	if old.leads() && !u.leads() {
		switch err := t.anotherAdmin(old.ID); {
		case errors.Is(err, ErrLastAdmin) && a.Access == AccessNone:
			return arrived{}, audit.Event{}, ErrNoGroup
		case errors.Is(err, ErrLastAdmin):
			u = old
		case err != nil:
			return arrived{}, audit.Event{}, err
		}
	}
	if u != old {
		u, event := t.changeUser(old, u)
		return arrived{u, false}, event, nil
	}
	u.SeenAt = t.Now()
	t.storeUser(old, u)
	return arrived{u, true}, audit.Event{Op: audit.OpUserIdentified, Facts: audit.Facts{"user": audit.Text(u.ID)}}, nil
}

func (t *tx) firstArrival(a Arrival) (User, audit.Event, error) {
	if a.Access == AccessNone {
		return User{}, audit.Event{}, ErrNoGroup
	}
	n := a.newUser()
	if err := t.emailFree(n.Email, ""); err != nil {
		return User{}, audit.Event{}, &UnboundError{a.Identity}
	}
	return t.createUser(n, a.Identity)
}

// newUser is who is made of her. What a provider says of a name or an address that
// can be none here keeps nobody out.
func (a Arrival) newUser() NewUser {
	n := NewUser{Name: check.Trim(a.Name), Email: check.NFC(check.Trim(a.Email)), Access: a.Access}
	var name, email checks
	if name.Required("name", n.Name, check.MaxShort); name.err() != nil {
		n.Name = a.Subject
	}
	if email.Email("email", n.Email); email.err() != nil {
		n.Email = ""
	}
	return n
}

// identityFree guards that an identity is nobody else's, and keeps whose it is.
func (t *tx) identityFree(i Identity, userID string) error {
	if row := t.Get(bucketIdentities, i.row()); row != nil && idText(row) != userID {
		return &ExistsError{What: NounUser, ID: idText(row), Field: "identity"}
	}
	return nil
}

// storeIdentity keeps by which identity a user is found.
func (t *tx) storeIdentity(old, u User) {
	if old.Identity == u.Identity {
		return
	}
	key, _ := store.ParseID(u.ID)
	if old.Identity.isSet() {
		t.Delete(bucketIdentities, old.Identity.row())
	}
	if u.Identity.isSet() {
		t.Put(bucketIdentities, u.Identity.row(), key[:])
	}
}

// adminHasCome guards that nobody shuts the console for want of somebody who can come
// in through the provider.
func (t *tx) adminHasCome() error {
	c := t.Cursor(bucketUsers)
	for k, b := c.First(); k != nil; k, b = c.Next() {
		u, err := decodeUser(id(k), b)
		if err != nil {
			return err
		}
		if u.leads() && u.Identity.isSet() && !u.SeenAt.IsZero() {
			return nil
		}
	}
	return invalid("signInByKey", "stays true until an admin has signed in through the identity provider: nobody could change it back in the console")
}

// SignInAgain makes what people have whom a provider made users stop so long after
// they last came through it: their keys, and whatever acts for them, are refused with
// ErrSignInAgain. So somebody who has left the organization is out even if she never
// comes back. 0 is never. A host calls it before it serves; it is not kept.
func (v *Vault) SignInAgain(after time.Duration) { v.identityAge.Store(int64(after)) }

// present guards that somebody whom a provider made a user came through it lately.
func (t *tx) present(provided bool, seenAt time.Time) error {
	after := time.Duration(t.v.identityAge.Load())
	if after > 0 && provided && t.Now().Sub(seenAt) > after {
		return ErrSignInAgain
	}
	return nil
}
