package engine

import (
	"context"

	"strongroom/audit"
	"strongroom/engine/internal/secret"

	"strongroom/engine/internal/store"
)

// Hooks of the tests in package engine_test. Nothing here is part of the
// program.

// Down is what stops a vault after a commit whose outcome is unknown.
func (v *Vault) Down(cause error) { v.store.Stop(ReasonOutcomeUnknown, cause) }

// The edits below change one stored record: they decode it, hand it to fn and
// encode what fn left.

func EditDocument(key, record []byte, fn func(*Document)) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&d.Document)
	return d.encode()
}

func EditVersion(key, record []byte, fn func(*Version)) []byte {
	v, err := decodeVersion(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(v)
	return encodeVersion(v)
}

func EditUser(key, record []byte, fn func(*User)) []byte {
	u, err := decodeUser(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&u)
	return u.encode()
}

func EditField(key, record []byte, fn func(*Field)) []byte {
	f, err := decodeField(key, record)
	if err != nil {
		panic(err)
	}
	fn(&f)
	return f.encode()
}

func EditKey(at, record []byte, fn func(*Key)) []byte {
	k, err := decodeKey(id(at), record)
	if err != nil {
		panic(err)
	}
	fn(&k.Key)
	return k.encode()
}

func EditCertificate(key, record []byte, fn func(*Certificate)) []byte {
	c, err := decodeCertificate(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&c)
	return c.encode()
}

// Key is the key an id has in rows.db.
func KeyOf(s string) []byte {
	key, ok := store.ParseID(s)
	if !ok {
		panic("no id: " + s)
	}
	return key[:]
}

// SeqKey is the key of an entry in rows.db.
func SeqKey(seq uint64) []byte { return store.SeqKey(seq) }

// VersionKey is the key of a version in rows.db.
func VersionKey(doc string, number uint64) []byte { return versionKey(id(KeyOf(doc)), number) }

// RefKey is the row that says who needs bytes.
func RefKey(d Digest, doc string, number uint64) []byte {
	return refKey(d, id(KeyOf(doc)), number)
}

// Provable is a row without what the log cannot prove: the values of rows that are
// only keys.
func Provable(bucket string, k, v []byte) string {
	switch bucket {
	case "index", "refs":
		return ""
	}
	return string(v)
}

// Spell is the one spelling of an id, "" if it is none.
func Spell(s string) string {
	key, ok := store.ParseID(s)
	if !ok {
		return ""
	}
	return key.String()
}

// StoredWebhook is a webhook's record.
type StoredWebhook struct{ *webhook }

// Prolong lets the former secret sign on.
func (w StoredWebhook) Prolong() { w.until = w.until.Add(signingOverlap) }

// Swap puts the secret and the one before it in each other's place.
func (w StoredWebhook) Swap() { w.secret, w.former = w.former, w.secret }

// ChangeWebhook returns the record with what fn changes.
func ChangeWebhook(webhookID string, record []byte, fn func(*StoredWebhook)) []byte {
	w, err := decodeWebhook(id(KeyOf(webhookID)), record)
	if err != nil {
		panic(err)
	}
	fn(&StoredWebhook{w})
	return w.encode()
}

// StoredClient is a client's record.
type StoredClient struct{ *client }

// SetKey puts another public key there, or none.
func (c StoredClient) SetKey(text string) {
	c.PublicKey = text
	c.checkKey(&checks{})
}

// SetSecret puts another secret there.
func (c StoredClient) SetSecret() { c.secret[0]++ }

// ChangeClient returns the record with what fn changes.
func ChangeClient(clientID string, record []byte, fn func(*StoredClient)) []byte {
	c, err := decodeClient(id(KeyOf(clientID)), record)
	if err != nil {
		panic(err)
	}
	fn(&StoredClient{c})
	return c.encode()
}

// PasswordOf is the edit password as a document's record keeps it, or the record of
// it as it was at locking.
func PasswordOf(bucket string, key, record []byte) string {
	decode := decodeDocument
	if bucket == "snapshots" {
		decode = decodeSnapshot
	}
	d, err := decode(id(key), record)
	if err != nil {
		panic(err)
	}
	return string(d.password)
}

// KeepPassword has a document keep an edit password as it is given: hashed, at a
// cost that may be less than today's.
func (v *Vault) KeepPassword(ctx context.Context, actor Actor, documentID, text string) error {
	_, _, err := update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
		old, g, err := t.writable(documentID, AccessAdmin, Condition{})
		if err != nil {
			return Document{}, audit.Event{}, err
		}
		return t.patchDocument(old, DocumentPatch{EditPassword: &EditPassword{}, passwordHash: secret.Password(text)}, g)
	})
	return err
}

// ChangePassword puts any text in the place of a document's edit password.
func ChangePassword(key, record []byte, text string) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil {
		panic(err)
	}
	d.password = secret.Password(text)
	return d.encode()
}
