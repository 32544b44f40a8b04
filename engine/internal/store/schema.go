package store

import (
	"encoding/binary"
	"slices"

	"strongroom/audit"
)

// Schema is what the engine tells the store about its rows.
type Schema struct {
	// Format is what this version writes. A higher one is refused at open; a
	// lower one is migrated.
	Format int
	// Buckets returns those of a format, without Meta, Log and Detail. Each
	// format has all of the one before.
	Buckets func(format int) [][]byte
	// Derived names the buckets whose rows are worked out from others, and may
	// be written without an entry: see Tx.Derive.
	Derived [][]byte
	// Cleared names the buckets of which rows may be removed without an entry: see
	// Tx.Clear.
	Cleared [][]byte
	// Migrate rewrites what stands otherwise in the format before, and returns
	// the record of that; from is the format found. It runs in one transaction
	// with all it takes: the new buckets are there.
	Migrate func(t *Tx, from int) (Record, error)
	// Migrated is called after Migrate, in the same transaction, again and again
	// until it returns the zero Record: each is an entry of its own, for what did
	// not fit into the one before. Nil: there is nothing more.
	Migrated func(t *Tx) (Record, error)
}

// The buckets that the store reads itself.
//
//	meta    format, vault and what else the engine keeps there
//	log     seq: the exact line of an entry
//	detail  seq: what stands beside the line, see DetailRow
var (
	Meta   = []byte("meta")
	Log    = []byte("log")
	Detail = []byte("detail")
)

var (
	metaFormat = []byte("format")
	metaVault  = []byte("vault")
)

func (s *Schema) buckets(format int) [][]byte {
	return append([][]byte{Meta, Log, Detail}, s.Buckets(format)...)
}

func (s *Schema) derived(bucket []byte) bool { return named(s.Derived, bucket) }

func named(buckets [][]byte, bucket []byte) bool {
	return slices.ContainsFunc(buckets, func(b []byte) bool { return string(b) == string(bucket) })
}

// fillPercent is high for buckets that only grow at their end: a page that is
// split there will never be written again, so leaving half of it free doubles
// the file for nothing. Documents and versions grow at their end and are changed
// afterwards, some rows by some bytes; most rows of the index come in between others, and
// many of them at the end of their kind. The denser their pages, the fewer a group of changes
// has to write.
func fillPercent(bucket []byte) float64 {
	switch string(bucket) {
	case "log", "detail":
		return 0.95
	case "documents", "versions":
		return 0.8
	case "index":
		return 0.7
	}
	return 0.5
}

// SeqKey is the key of an entry in Log and in Detail.
func SeqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// DetailRow is what stands beside a line of the log. Prev is the seq of the
// previous entry about the same subject, 0 for its first and for entries about
// none. Erasure removes salt and detail and leaves Prev.
type DetailRow struct {
	Prev   uint64
	Salt   []byte // 16 bytes, or none
	Detail []byte
}

// SaltSize is the length of a detail's salt in bytes.
const SaltSize = len(audit.DetailRow{}.Salt)

// Encode returns the row as it is stored.
func (r DetailRow) Encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, r.Prev)
	b = append(b, r.Salt...)
	return append(b, r.Detail...)
}

// DecodeDetail returns views into b, which the caller must copy if it comes
// from a transaction. No bytes are the zero row. ErrDamaged.
func DecodeDetail(b []byte) (DetailRow, error) {
	switch {
	case len(b) == 0:
		return DetailRow{}, nil
	case len(b) == 8:
		return DetailRow{Prev: binary.BigEndian.Uint64(b)}, nil
	case len(b) > 8+SaltSize:
		return DetailRow{Prev: binary.BigEndian.Uint64(b), Salt: b[8 : 8+SaltSize], Detail: b[8+SaltSize:]}, nil
	}
	return DetailRow{}, ErrDamaged
}

// SeqOf is the seq that a key of 8 bytes spells.
func SeqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }
