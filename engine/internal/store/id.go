package store

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/oklog/ulid/v2"
)

// ID is an identifier as it is stored: 16 bytes whose order is the order of
// creation.
type ID [16]byte

func (i ID) String() string { return ulid.ULID(i).String() }

// Spelled is String. It takes no memory if s, which i was parsed from, is that
// spelling already.
func (i ID) Spelled(s string) string {
	var b [ulid.EncodedSize]byte
	if err := ulid.ULID(i).MarshalTextTo(b[:]); err == nil && string(b[:]) == s {
		return s
	}
	return i.String()
}

// ParseID accepts the 26 characters of a ULID or the 36 of a UUID, in either
// case. Both spell the same 128 bits.
func ParseID(s string) (ID, bool) {
	switch len(s) {
	case ulid.EncodedSize:
		u, err := ulid.ParseStrict(s)
		return ID(u), err == nil
	case 36:
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return ID{}, false
		}
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		if err != nil || len(b) != 16 {
			return ID{}, false
		}
		return ID(b), true
	}
	return ID{}, false
}

// Beside returns the id next to i, and whether there is one.
func (i ID) Beside(desc bool) (ID, bool) {
	for n := len(i) - 1; n >= 0; n-- {
		if desc {
			if i[n]--; i[n] != 0xff {
				return i, true
			}
		} else if i[n]++; i[n] != 0 {
			return i, true
		}
	}
	return i, false
}

func newEntropy() *ulid.MonotonicEntropy { return ulid.Monotonic(rand.Reader, 0) }

// NewID returns an id of the transaction's instant. Ids issued by one vault
// rise, within one millisecond too: they are keys, and rising keys fill pages
// from one end (see limits: a random key dirties a leaf of its own).
func (t *Tx) NewID() (ID, error) {
	u, err := ulid.New(ulid.Timestamp(t.now), t.s.entropy)
	return ID(u), err
}
