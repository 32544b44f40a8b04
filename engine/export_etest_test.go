package engine

import "strongroom/engine/internal/store"

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

// Key is the key an id has in vault.db.
func KeyOf(s string) []byte {
	key, ok := store.ParseID(s)
	if !ok {
		panic("no id: " + s)
	}
	return key[:]
}

// SeqKey is the key of an entry in vault.db.
func SeqKey(seq uint64) []byte { return store.SeqKey(seq) }

// VersionKey is the key of a version in vault.db.
func VersionKey(doc string, number uint64) []byte { return versionKey(id(KeyOf(doc)), number) }

// RefKey is the row that says who needs bytes.
func RefKey(d Digest, doc string, number uint64) []byte {
	return refKey(d, id(KeyOf(doc)), number)
}

// Provable is a row without what the log cannot prove: the hash of a key's
// secret and what a webhook signs with, what a certificate says of ids that have no fact yet, and the values
// of rows that are only keys.
func Provable(bucket string, k, v []byte) string {
	switch bucket {
	case "index", "refs":
		return ""
	case "keys":
		if key, err := decodeKey(id(k), v); err == nil {
			key.secret = [32]byte{}
			return string(key.encode())
		}
	case "webhooks":
		if w, err := decodeWebhook(id(k), v); err == nil {
			clear(w.secret)
			clear(w.former)
			return string(w.encode())
		}
	case "certificates":
		if c, err := decodeCertificate(id(k), v); err == nil {
			c.PolicyID, c.ErasureID = "", ""
			return string(c.encode())
		}
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

// ChangeWebhook returns the record with what fn changes.
func ChangeWebhook(webhookID string, record []byte, fn func(*StoredWebhook)) []byte {
	w, err := decodeWebhook(id(KeyOf(webhookID)), record)
	if err != nil {
		panic(err)
	}
	fn(&StoredWebhook{w})
	return w.encode()
}
