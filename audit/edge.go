package audit

import (
	"crypto/sha256"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge is the right edge of a tree: all that is needed to append to it. It
// spares who catches up with a log from reading back what was just stored. The
// zero Edge is that of the empty tree.
type Edge struct {
	size   int64
	hashes []TreeHash // of the full trees it consists of, the largest first
	buf    []byte
}

// NewEdge reads the right edge of the stored tree of size lines.
func NewEdge(size int64, r HashReader) (*Edge, error) {
	var at []int64
	for rest, start := uint64(size), int64(0); rest > 0; {
		level := bits.Len64(rest) - 1
		at = append(at, tlog.StoredHashIndex(level, start>>level))
		rest, start = rest&^(1<<level), start+int64(1)<<level
	}
	hashes, err := r.ReadHashes(at)
	return &Edge{size: size, hashes: hashes}, err
}

// Size returns how many lines there are.
func (e *Edge) Size() int64 { return e.size }

// Append adds the line, with its newline or without, and appends to stored the
// hashes to be stored for it, those of [StoredHashes].
func (e *Edge) Append(stored []TreeHash, line []byte) []TreeHash {
	e.buf = append(append(e.buf[:0], 0), leafOf(line)...)
	return e.appendHash(stored, sha256.Sum256(e.buf))
}

// appendHash is Append of the line with this leaf hash.
func (e *Edge) appendHash(stored []TreeHash, h TreeHash) []TreeHash {
	stored = append(stored, h)
	// Each full tree as large as the one that ends here makes a larger one with it.
	for range bits.TrailingZeros64(^uint64(e.size)) {
		last := len(e.hashes) - 1
		h = nodeHash(e.hashes[last], h)
		e.hashes = e.hashes[:last]
		stored = append(stored, h)
	}
	e.hashes = append(e.hashes, h)
	e.size++
	return stored
}

func (e *Edge) clone() *Edge { return &Edge{size: e.size, hashes: slices.Clone(e.hashes)} }

// Root returns the root of the tree.
func (e *Edge) Root() TreeHash {
	if e.size == 0 {
		return emptyRoot
	}
	last := len(e.hashes) - 1
	h := e.hashes[last]
	for i := last - 1; i >= 0; i-- {
		h = nodeHash(e.hashes[i], h)
	}
	return h
}

func nodeHash(left, right TreeHash) TreeHash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}
