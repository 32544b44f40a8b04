package signin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"strongroom/engine"
)

// The rows of signin.db. Whatever is secret is kept as its SHA-256 alone.
//
//	tokens      hash of a token or code     token
//	families    id                          family
//	assertions  hash of client and jti      empty: it was taken
//	ends        when ‖ bucket ‖ key         empty: what may be forgotten then
//
// when is 8 bytes of milliseconds, bucket one letter. The file may be thrown away:
// everybody signs in again.
var (
	bucketTokens     = []byte("tokens")
	bucketFamilies   = []byte("families")
	bucketAssertions = []byte("assertions")
	bucketEnds       = []byte("ends")
)

const (
	maxCached  = 8_192 // tokens; what is forgotten is read again
	maxRemoved = 200   // rows forgotten at each change: more than one makes
)

type hash = [sha256.Size]byte

// family is what one sign-in has led to: all tokens that follow from it end with it.
type family struct {
	ID      string        `json:"-"`
	Client  string        `json:"client"`
	User    string        `json:"user"`
	Grant   engine.Grant  `json:"grant"`
	Access  engine.Access `json:"access"` // that the scope allows
	Scope   string        `json:"scope"`  // as it was asked for; "": none
	Revoked bool          `json:"revoked,omitzero"`
	Forget  time.Time     `json:"forget"` // when none of its tokens is known any more
}

// kind is what a token is good for.
type kind string

const (
	kindAccess  kind = "sa"
	kindRefresh kind = "sf"
	kindCode    kind = "so"
)

// token is one that was given out.
type token struct {
	Kind    kind          `json:"kind"`
	Family  string        `json:"family"`
	Issued  time.Time     `json:"issued"`
	Expires time.Time     `json:"expires"`
	Access  engine.Access `json:"access"` // of this one, not wider than the family's
	Scope   string        `json:"scope"`
	Used    bool          `json:"used,omitzero"` // of a refresh token or a code: it was exchanged
	Code    *codeTerms    `json:"code,omitzero"`
}

// codeTerms are what the exchange of a code has to fit.
type codeTerms struct {
	RedirectURI string `json:"redirectUri"`
	Sent        bool   `json:"sent"` // the request named the redirect URI, and the exchange has to
	Challenge   string `json:"challenge"`
}

// known is a token with its family, shared by all tokens of it.
type known struct {
	token
	family *family
}

// tokens is signin.db of one vault.
type tokens struct {
	vault *engine.Vault
	db    *bbolt.DB

	mu       sync.Mutex // leaf lock
	cache    map[hash]*known
	families map[string]*family
	changes  uint64 // what was read before one is not cached after it
}

// openTokens opens the file, and makes another if it is damaged.
func openTokens(path string, vault *engine.Vault) (*tokens, error) {
	t := &tokens{vault: vault, cache: map[hash]*known{}, families: map[string]*family{}}
	open := func() error {
		var err error
		if t.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second}); err != nil {
			return err
		}
		err = t.db.Update(func(b *bbolt.Tx) error {
			for _, name := range [][]byte{bucketTokens, bucketFamilies, bucketAssertions, bucketEnds} {
				if _, err := b.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.db.Close()
		}
		return err
	}
	err := open()
	if err != nil && !errors.Is(err, bolterrors.ErrTimeout) && !errors.Is(err, os.ErrPermission) {
		if os.Remove(path) == nil {
			err = open()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func (t *tokens) close() error { return t.db.Close() }

// find returns a token with its family; nil if it is not known.
func (t *tokens) find(of hash) (*known, error) {
	t.mu.Lock()
	k, seen := t.cache[of], t.changes
	t.mu.Unlock()
	if k != nil {
		return k, nil
	}
	err := t.db.View(func(b *bbolt.Tx) (err error) {
		k, err = read(b, of)
		return err
	})
	if err != nil || k == nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes != seen { // it may have ended since
		return k, nil
	}
	if len(t.cache) >= maxCached {
		t.cache, t.families = map[hash]*known{}, map[string]*family{}
	}
	if f := t.families[k.Family]; f != nil {
		k.family = f
	}
	t.families[k.Family], t.cache[of] = k.family, k
	return k, nil
}

func read(b *bbolt.Tx, of hash) (*known, error) {
	k := &known{family: &family{}}
	row := b.Bucket(bucketTokens).Get(of[:])
	if row == nil {
		return nil, nil
	}
	if err := json.Unmarshal(row, &k.token); err != nil {
		return nil, err
	}
	row = b.Bucket(bucketFamilies).Get([]byte(k.Family))
	if row == nil {
		return nil, nil
	}
	k.family.ID = k.Family
	return k, json.Unmarshal(row, k.family)
}

// change is the one way to write. What fn returns nil for is on disk then, and what
// was cached of the families it names is read anew.
func (t *tokens) change(now time.Time, fn func(*bbolt.Tx) ([]string, error)) error {
	var touched []string
	err := t.db.Update(func(b *bbolt.Tx) (err error) {
		if touched, err = fn(b); err != nil {
			return err
		}
		return forget(b, now)
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	for _, id := range touched {
		delete(t.families, id)
		for of, k := range t.cache {
			if k.Family == id {
				delete(t.cache, of)
			}
		}
	}
	return err
}

// forget removes some of what nobody is told of any more.
func forget(b *bbolt.Tx, now time.Time) error {
	ends := b.Bucket(bucketEnds)
	c := ends.Cursor()
	var due [][]byte
	for k, _ := c.First(); k != nil && len(due) < maxRemoved && !endOf(k).After(now); k, _ = c.Next() {
		due = append(due, bytes.Clone(k))
	}
	for _, k := range due {
		if err := ends.Delete(k); err != nil {
			return err
		}
		of, key := bucketTokens, k[9:]
		switch k[8] {
		case 'a':
			of = bucketAssertions
		case 'f':
			of = bucketFamilies
			var f family
			if row := b.Bucket(of).Get(key); row != nil && json.Unmarshal(row, &f) == nil && f.Forget.After(now) {
				if err := ends.Put(endKey(f.Forget, 'f', key), nil); err != nil {
					return err
				}
				continue
			}
		}
		if err := b.Bucket(of).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func endKey(at time.Time, letter byte, key []byte) []byte {
	k := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	return append(append(k, letter), key...)
}

func endOf(k []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(k))) }

// putFamily writes a family, which is kept until f.Forget at least.
func putFamily(b *bbolt.Tx, f *family) error {
	row, err := json.Marshal(f)
	if err != nil {
		return err
	}
	made := b.Bucket(bucketFamilies).Get([]byte(f.ID)) == nil
	if err := b.Bucket(bucketFamilies).Put([]byte(f.ID), row); err != nil || !made {
		return err
	}
	return b.Bucket(bucketEnds).Put(endKey(f.Forget, 'f', []byte(f.ID)), nil)
}

// putToken writes a token; a new one is forgotten at a time.
func putToken(b *bbolt.Tx, of hash, one *token, forget time.Time) error {
	row, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if err := b.Bucket(bucketTokens).Put(of[:], row); err != nil || forget.IsZero() {
		return err
	}
	return b.Bucket(bucketEnds).Put(endKey(forget, 't', of[:]), nil)
}

// putUsed writes a token that is there.
func putUsed(b *bbolt.Tx, of hash, one *token) error { return putToken(b, of, one, time.Time{}) }

// takeAssertion notes that an assertion was taken, until it has expired, and says
// whether it is the first time.
func takeAssertion(b *bbolt.Tx, client, jti string, expires time.Time) (first bool, err error) {
	of := sha256.Sum256([]byte(client + "\n" + jti))
	if b.Bucket(bucketAssertions).Get(of[:]) != nil {
		return false, nil
	}
	if err := b.Bucket(bucketAssertions).Put(of[:], []byte{1}); err != nil {
		return false, err
	}
	return true, b.Bucket(bucketEnds).Put(endKey(expires, 'a', of[:]), nil)
}
