package engine

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"strongroom/audit"
)

// accounts is what the entries say of the vault itself, its users, keys, fields,
// webhooks and settings.
type accounts struct {
	seq       uint64 // the last entry that was followed
	vault     string
	name      string
	created   string // as in meta
	users     map[string]*saidUser
	keys      map[string]*saidKey
	fields    map[string]*saidField
	webhooks  map[string]*saidWebhook
	settings  saidSettings
	retention saidRetention
	erasures  map[string]audit.Entry // erasure.requested
}

type saidUser struct {
	User
	erased bool // a detail is gone, so name and e-mail address are not known
}

type saidKey struct {
	Key
	expires string // as in facts
	erased  bool   // likewise its name
}

type saidSettings struct {
	members  map[string]any // as JSON has them
	revision uint64
	erased   bool
}

// read follows one more entry.
func (a *accounts) read(t *tx, k, line []byte) error {
	e, err := audit.ParseEntry(line)
	if err != nil || e.Seq <= a.seq {
		return err
	}
	a.seq = e.Seq
	if e.Document != "" {
		return a.retention.count(e)
	}
	row, _ := decodeDetail(t.get(bucketDetail, k)) // a damaged one is a finding already, and like one that is gone
	if row.prev != 0 {
		return errors.New("is about no document, and linked to an earlier entry")
	}
	told, err := readDetail(e, row.detail)
	if err != nil {
		return err
	}
	return a.follow(e, told)
}

func (a *accounts) follow(e audit.Entry, told detail) error {
	userID, _ := e.Facts["user"].AsText()
	keyID, _ := e.Facts["key"].AsText()
	u, k := a.users[userID], a.keys[keyID]
	switch e.Op {
	case audit.OpVaultCreated:
		a.vault, _ = e.Facts["vault"].AsText()
		a.name, a.created = told.text("name"), audit.FormatTime(e.Time)
	case audit.OpUserCreated:
		u = &saidUser{User: User{ID: userID, CreatedAt: e.Time}}
		a.users[userID] = u
		u.follow(e, told)
	case audit.OpUserUpdated:
		if u == nil {
			return fmt.Errorf("user %s was never made", userID)
		}
		u.follow(e, told)
	case audit.OpKeyCreated:
		a.keys[keyID] = newSaidKey(e, told.text("name"), told.erased)
	case audit.OpKeyRotated:
		if k == nil {
			return fmt.Errorf("key %s was never made", keyID)
		}
		successor, _ := e.Facts["successor"].AsText()
		a.keys[successor] = newSaidKey(e, k.Name, k.erased)
		k.expires, _ = e.Facts["until"].AsText()
	case audit.OpKeyRevoked:
		if k == nil {
			return fmt.Errorf("key %s was never made", keyID)
		}
		k.RevokedAt = e.Time
	case audit.OpFieldCreated, audit.OpFieldUpdated, audit.OpFieldDeleted:
		return a.followField(e, told)
	case audit.OpWebhookCreated, audit.OpWebhookUpdated, audit.OpWebhookDeleted, audit.OpWebhookDisabled:
		return a.followWebhook(e, told)
	case audit.OpSettingsUpdated:
		a.settings.follow(told)
	case audit.OpErasureRequested:
		erasureID, _ := e.Facts["erasure"].AsText()
		a.erasures[erasureID] = e
	case audit.OpErasureCompleted:
		if u == nil {
			return fmt.Errorf("user %s was never made", userID)
		}
		a.erase(u, e)
	default:
		return a.retention.follow(e, told)
	}
	return nil
}

func (u *saidUser) follow(e audit.Entry, told detail) {
	access, _ := e.Facts["access"].AsText()
	u.Access.UnmarshalText([]byte(access))
	status, _ := e.Facts["status"].AsText()
	u.Status = UserStatus(status)
	canLock, _ := e.Facts["canLock"].AsText()
	u.CanLockEnvelopes = canLock == "true"
	if _, ok := told.members["name"]; ok {
		u.Name = told.text("name")
	}
	if _, ok := told.members["email"]; ok {
		u.Email = told.text("email")
	}
	u.erased = u.erased || told.erased
	u.UpdatedAt = e.Time
	u.Revision++
}

func newSaidKey(e audit.Entry, name string, erased bool) *saidKey {
	k := &saidKey{Key: Key{Name: name, CreatedAt: e.Time}, erased: erased}
	k.UserID, _ = e.Facts["user"].AsText()
	access, _ := e.Facts["access"].AsText()
	k.Access.UnmarshalText([]byte(access))
	k.expires, _ = e.Facts["expires"].AsText()
	return k
}

func (s *saidSettings) follow(told detail) {
	maps.Copy(s.members, told.members)
	s.erased = s.erased || told.erased
	s.revision++
}

// accounts replays the entries about the vault, its users, keys, fields, webhooks
// and settings, and counts those about documents.
func (c *checker) accounts() error {
	a := &accounts{
		users: map[string]*saidUser{}, keys: map[string]*saidKey{}, fields: map[string]*saidField{},
		webhooks: map[string]*saidWebhook{}, retention: newSaidRetention(), erasures: map[string]audit.Entry{},
	}
	first := defaultSettings()
	members, err := asJSON(first.members())
	if err != nil {
		return err
	}
	a.settings = saidSettings{members: members, revision: first.Revision}
	c.said = a
	err = c.each(bucketLog, CodeState, 8, func(t *tx, k, line []byte) error {
		if err := a.read(t, k, line); err != nil {
			c.find(seqOf(k), CodeState, "entry %d: %v", seqOf(k), err)
		} else if e, _ := audit.ParseEntry(line); e.Document != "" && e.Seq <= c.e.Head.Seq {
			c.entries++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, check := range []func() error{c.vault, c.users, c.keys, c.fields, c.webhooks, c.settings, c.policies, c.runs} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// catchUp follows what was written since, so that a transaction's rows are
// compared with exactly the entries it sees.
func (c *checker) catchUp(t *tx) {
	rows := t.bucket(bucketLog).Cursor()
	for k, line := rows.Seek(seqKey(c.said.seq + 1)); len(k) == 8 && seqOf(k) > c.said.seq; k, line = rows.Next() {
		if err := c.said.read(t, k, line); err != nil {
			c.find(c.said.seq, CodeState, "entry %d: %v", c.said.seq, err)
		}
	}
}

// differ is a finding for each member that is not what the log says.
func (c *checker) differ(what string, members ...member) {
	for _, m := range members {
		if m.is != m.was {
			c.find(0, CodeState, "%s: %s is %v, the log says %v", what, m.name, m.is, m.was)
		}
	}
}

type member struct {
	name    string
	is, was any
}

func (c *checker) vault() error {
	c.differ("the vault", member{"its id", c.v.id, c.said.vault}, member{"its name", c.v.name, c.said.name})
	_, err := view(c.v, func(t *tx) (struct{}, error) {
		if !bytes.Equal(t.get(bucketMeta, metaCreated), []byte(c.said.created)) {
			c.find(1, CodeState, "the vault was not made when the log says, %s", c.said.created)
		}
		return struct{}{}, nil
	})
	return err
}

func (c *checker) users() error {
	met := map[string]bool{}
	err := c.each(bucketUsers, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		c.catchUp(t)
		met[id(k).String()] = true
		u, err := decodeUser(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if u.Email != "" && !bytes.Equal(t.get(bucketEmails, emailKey(u.Email)), k) {
			c.find(0, CodeIndex, "user %s is not found by e-mail address", u.ID)
		}
		said, ok := c.said.users[u.ID]
		if !ok {
			c.find(0, CodeState, "user %s is not in the log", u.ID)
			return nil
		}
		c.differ("user "+u.ID, member{"access", u.Access, said.Access}, member{"status", u.Status, said.Status},
			member{"locking", u.CanLockEnvelopes, said.CanLockEnvelopes}, member{"created at", u.CreatedAt, said.CreatedAt},
			member{"updated at", u.UpdatedAt, said.UpdatedAt}, member{"the revision", u.Revision, said.Revision})
		if !said.erased {
			c.differ("user "+u.ID, member{"the name", u.Name, said.Name}, member{"the e-mail address", u.Email, said.Email})
		}
		return nil
	})
	for _, known := range sortedKeys(c.said.users) {
		if !met[known] {
			c.find(0, CodeState, "user %s of the log is missing", known)
		}
	}
	return err
}

func (c *checker) keys() error {
	met := map[string]bool{}
	err := c.each(bucketKeys, CodeState, len(id{}), func(t *tx, at, value []byte) error {
		c.catchUp(t)
		met[id(at).String()] = true
		k, err := decodeKey(id(at), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		said, ok := c.said.keys[k.ID]
		if !ok {
			c.find(0, CodeState, "key %s is not in the log", k.ID)
			return nil
		}
		c.differ("key "+k.ID, member{"its user", k.UserID, said.UserID}, member{"access", k.Access, said.Access},
			member{"created at", k.CreatedAt, said.CreatedAt}, member{"the expiry", factTime(k.ExpiresAt), said.expires},
			member{"revoked at", k.RevokedAt, said.RevokedAt})
		if !said.erased {
			c.differ("key "+k.ID, member{"the name", k.Name, said.Name})
		}
		return nil
	})
	for _, known := range sortedKeys(c.said.keys) {
		if !met[known] {
			c.find(0, CodeState, "key %s of the log is missing", known)
		}
	}
	return err
}

func (c *checker) settings() error {
	_, err := view(c.v, func(t *tx) (struct{}, error) {
		c.catchUp(t)
		s, err := t.settings()
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return struct{}{}, nil
		}
		said := &c.said.settings
		c.differ("the settings", member{"the revision", s.Revision, said.revision})
		is, err := asJSON(s.members())
		if err != nil {
			return struct{}{}, err
		}
		for _, name := range sortedKeys(is) {
			if !said.erased && !reflect.DeepEqual(is[name], said.members[name]) {
				c.find(0, CodeState, "the settings: %s is %v, the log says %v", name, is[name], said.members[name])
			}
		}
		return struct{}{}, nil
	})
	return err
}
