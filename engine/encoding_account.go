package engine

import (
	"crypto/sha256"
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
func decodeClient(at id, b []byte) (*client, error) { return decodeClientParts(at, b, true) }

// decodeClientParts passes over the client's texts unless all is wanted: who acts by
// a client is looked up with each request.
func decodeClientParts(at id, b []byte, all bool) (*client, error) {
	d := store.NewDecoder(b)
	c := &client{at: at}
	c.ID = at.String()
	text := func() string {
		if all {
			return d.Str()
		}
		d.Nested()
		return ""
	}
	d.Raw(c.secret[:])
	c.HasSecret = d.Flag()
	c.Name = text()
	if n := d.Count(); n > 0 {
		c.Grants = make([]Grant, n)
	}
	for i := range c.Grants {
		c.Grants[i] = grantOf(d.Nested())
	}
	c.Access = Access(d.Num())
	c.UserID = d.Str()
	c.Impersonates = d.Flag()
	for range d.Count() {
		if uri := text(); all {
			c.RedirectURIs = append(c.RedirectURIs, uri)
		}
	}
	c.der = []byte(text())
	c.CreatedAt = d.Time()
	if status := d.Nested(); string(status) == string(ClientActive) {
		c.Status = ClientActive
	} else {
		c.Status = ClientStatus(status)
	}
	c.Revision = d.Num()
	if !c.HasSecret && c.secret != [sha256.Size]byte{} { // nothing binds it
		d.Fail()
	}
	if !all {
		return c, d.Done("a client")
	}
	return c, d.Done("client " + c.ID)
}

// grantOf takes no memory for a grant there is.
func grantOf(b []byte) Grant {
	for _, g := range grants {
		if string(b) == string(g) {
			return g
		}
	}
	return Grant(b)
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
