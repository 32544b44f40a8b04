package engine

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"
)

// id is an identifier as it is stored: 16 bytes whose order is the order of
// creation.
type id [16]byte

func (i id) String() string { return ulid.ULID(i).String() }

// NewID returns a fresh ULID for things the vault does not store, such as the
// id of a request. What is stored gets its id in its transaction.
func NewID() string { return ulid.Make().String() }

// parseID accepts the 26 characters of a ULID or the 36 of a UUID, in either
// case. Both spell the same 128 bits.
func parseID(s string) (id, bool) {
	switch len(s) {
	case ulid.EncodedSize:
		u, err := ulid.ParseStrict(s)
		return id(u), err == nil
	case 36:
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return id{}, false
		}
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		if err != nil || len(b) != 16 {
			return id{}, false
		}
		return id(b), true
	}
	return id{}, false
}

// UUID returns an id, in either spelling, in the 36 lower-case characters of a
// UUID. ok is false for what is no id.
func UUID(s string) (uuid string, ok bool) {
	i, ok := parseID(s)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", i[:4], i[4:6], i[6:8], i[8:10], i[10:]), true
}

// newID returns an id of the transaction's instant. Ids issued by one vault
// rise, within one millisecond too: they are keys, and rising keys fill pages
// from one end (see limits: a random key dirties a leaf of its own).
func (t *tx) newID() (id, error) {
	u, err := ulid.New(ulid.Timestamp(t.now), t.v.entropy)
	return id(u), err
}
