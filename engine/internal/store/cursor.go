package store

import (
	"encoding/base64"
	"strings"

	"go.etcd.io/bbolt"
)

// MaxKey is the longest key a row can have, in bytes.
const MaxKey = bbolt.MaxKeySize

// Cursor walks the rows of a bucket in the order of their keys. Keys and
// values are views that live as long as the transaction; a nil key is the end.
// Writing to the bucket displaces it.
type Cursor struct{ c *bbolt.Cursor }

// Cursor returns a cursor that stands nowhere yet.
func (t *Tx) Cursor(bucket []byte) Cursor { return Cursor{t.bucket(bucket).Cursor()} }

// Seek moves to the first row that is not before key.
func (c Cursor) Seek(key []byte) (k, value []byte) { return c.c.Seek(key) }

// First moves to the first row.
func (c Cursor) First() (k, value []byte) { return c.c.First() }

// Last moves to the last row.
func (c Cursor) Last() (k, value []byte) { return c.c.Last() }

// Next moves to the next row.
func (c Cursor) Next() (k, value []byte) { return c.c.Next() }

// Prev moves to the row before.
func (c Cursor) Prev() (k, value []byte) { return c.c.Prev() }

// EncodePlace spells where a page of a list ended, for its client: the list, one byte,
// and the place in it of the last row that was looked at. It is a place and not a
// count, so that it stays valid while others write.
func EncodePlace(list byte, place []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{list}, place...))
}

// DecodePlace is the inverse. ok is false for what EncodePlace did not make for
// this list.
func DecodePlace(list byte, spelled string) (place []byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(spelled)
	if err != nil || len(b) < 2 || b[0] != list || strings.ContainsAny(spelled, "\r\n") { // which base64 skips
		return nil, false
	}
	return b[1:], true
}
