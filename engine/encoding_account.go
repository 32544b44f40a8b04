package engine

import (
	"crypto/sha256"
	"time"

	"strongroom/engine/internal/store"
)

func (u *User) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(u.Name)
	e.Str(u.Email)
	e.Num(uint64(u.Access))
	e.Str(string(u.Status))
	e.Flag(u.CanLockEnvelopes)
	e.Time(u.CreatedAt)
	e.Time(u.UpdatedAt)
	e.Num(u.Revision)
	var calendar []byte
	if u.calendar != [sha256.Size]byte{} {
		calendar = u.calendar[:]
	}
	e.Nested(calendar)
	e.Str(u.Identity.Issuer)
	e.Str(u.Identity.Subject)
	e.Flag(u.Provided)
	e.Flag(u.Left)
	e.Time(u.SeenAt)
	return e.Bytes()
}

func decodeUser(key id, b []byte) (User, error) {
	d := store.NewDecoder(b)
	u := User{ID: key.String()}
	u.Name = d.Str()
	u.Email = d.Str()
	u.Access = Access(d.Num())
	u.Status = UserStatus(d.Str())
	u.CanLockEnvelopes = d.Flag()
	u.CreatedAt = d.Time()
	u.UpdatedAt = d.Time()
	u.Revision = d.Num()
	if hash := d.Nested(); len(hash) == len(u.calendar) {
		u.calendar = [sha256.Size]byte(hash)
	} else if len(hash) > 0 {
		d.Fail()
	}
	u.Identity = Identity{d.Str(), d.Str()}
	u.Provided = d.Flag()
	u.Left = d.Flag()
	u.SeenAt = d.Time()
	return u, d.Done("user " + u.ID)
}

// standing is what a user may do: what each request asks of who makes it.
type standing struct {
	active   bool
	access   Access
	provided bool
	seenAt   time.Time
}

// decodeStanding passes over the rest of a user, and takes no memory.
func decodeStanding(key id, b []byte) (s standing, err error) {
	d := store.NewDecoder(b)
	d.Nested() // the name
	d.Nested() // the e-mail address
	s.access = Access(d.Num())
	s.active = string(d.Nested()) == string(UserActive)
	d.Flag() // whether they may lock
	d.Num()  // when they were made
	d.Num()  // when they were changed
	d.Num()  // the revision
	if hash := d.Nested(); len(hash) != 0 && len(hash) != sha256.Size {
		d.Fail()
	}
	d.Nested() // the issuer of the identity
	d.Nested() // the subject of the identity
	s.provided = d.Flag()
	d.Flag() // whether they left
	s.seenAt = d.Time()
	if d.Done("user") != nil {
		return standing{}, d.Done("user " + key.String())
	}
	return s, nil
}

func (c *client) encode() []byte {
	e := store.NewEncoder(512)
	e.Raw(c.secret[:])
	e.Flag(c.HasSecret)
	e.Str(c.Name)
	e.Strs(spelledGrants(c.Grants))
	e.Num(uint64(c.Access))
	e.Str(c.UserID)
	e.Flag(c.Impersonates)
	e.Strs(c.RedirectURIs)
	e.Str(string(c.der))
	e.Time(c.CreatedAt)
	e.Str(string(c.Status))
	e.Num(c.Revision)
	return e.Bytes()
}

// decodeClient leaves the spelling of the public key to who shows it.
func decodeClient(at id, b []byte) (*client, error) {
	d := store.NewDecoder(b)
	c := &client{at: at}
	c.ID = at.String()
	d.Raw(c.secret[:])
	c.HasSecret = d.Flag()
	c.Name = d.Str()
	for range d.Count() {
		c.Grants = append(c.Grants, Grant(d.Str()))
	}
	c.Access = Access(d.Num())
	c.UserID = d.Str()
	c.Impersonates = d.Flag()
	c.RedirectURIs = d.Strs()
	c.der = []byte(d.Str())
	c.CreatedAt = d.Time()
	c.Status = ClientStatus(d.Str())
	c.Revision = d.Num()
	if !c.HasSecret && c.secret != [sha256.Size]byte{} { // nothing binds it
		d.Fail()
	}
	return c, d.Done("client " + c.ID)
}

// mandate is what a client may do for one user by one grant: what each request that
// comes with a token asks.
type mandate struct {
	active       bool
	permits      bool // that grant, for that user; "" is a grant that is not asked about
	access       Access
	impersonates bool // another than the user it acts as by itself
}

// decodeMandate passes over the rest of a client, and takes no memory.
func decodeMandate(at id, b []byte, by Grant, userID string) (m mandate, err error) {
	d := store.NewDecoder(b)
	var secret [sha256.Size]byte
	d.Raw(secret[:])
	if hasSecret := d.Flag(); !hasSecret && secret != [sha256.Size]byte{} {
		d.Fail()
	}
	d.Nested() // its name
	granted := false
	for range d.Count() {
		granted = string(d.Nested()) == string(by) || granted
	}
	m.access = Access(d.Num())
	itself := string(d.Nested()) == userID
	others := d.Flag()
	for range d.Count() {
		d.Nested() // where it sends people
	}
	d.Nested() // its public key
	d.Num()    // when it was made
	m.active = string(d.Nested()) == string(ClientActive)
	d.Num() // its revision
	m.impersonates = others && !itself
	m.permits = by == "" || granted && by.covers(itself, others)
	if d.Done("client") != nil {
		return mandate{}, d.Done("client " + at.String())
	}
	return m, nil
}

func (k *key) encode() []byte {
	e := store.NewEncoder(160)
	e.Raw(k.secret[:])
	e.Str(k.Name)
	e.Str(k.UserID)
	e.Num(uint64(k.Access))
	e.Time(k.CreatedAt)
	e.Time(k.ExpiresAt)
	e.Time(k.RevokedAt)
	e.Strs(k.successors)
	return e.Bytes()
}

func decodeKey(at id, b []byte) (*key, error) {
	d := store.NewDecoder(b)
	k := &key{}
	k.ID = at.String()
	d.Raw(k.secret[:])
	k.Name = d.Str()
	k.UserID = d.Str()
	k.Access = Access(d.Num())
	k.CreatedAt = d.Time()
	k.ExpiresAt = d.Time()
	k.RevokedAt = d.Time()
	k.successors = d.Strs()
	return k, d.Done("key " + k.ID)
}
