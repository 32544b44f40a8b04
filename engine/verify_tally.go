package engine

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// tally tells whether an index has exactly the rows that it must have, without
// asking for each row what it is of. Who goes through the documents, the holds and
// the obligations adds each row that these must have, who goes through the indexes
// takes away each row that is there. What is left of a cell is 0 if both were the
// same rows. Otherwise one is missing or too many, or the owner was changed
// between, and the owners of that cell are looked at again, row by row.
//
// What is added for a row is a keyed hash of it, whose key is drawn for each
// verification: who tampers cannot know it, so that one set of rows stands for
// another with a chance of 1 in 2^64. The cells are as many as they are, however
// large the vault is; several owners share one.
type tally struct {
	key   [2]uint64
	cells [tallyCells]atomic.Uint64
}

const tallyCells = 1 << 16

func newTally() *tally {
	var key [16]byte
	rand.Read(key[:]) // never fails
	return &tally{key: [2]uint64{binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])}}
}

// cellOf is the cell of an owner. The last bytes of an id are drawn, or count up.
func cellOf(owner id) int {
	return int(binary.BigEndian.Uint16(owner[len(owner)-2:]))
}

// A row is given with its owner's id in it.

func (y *tally) expect(owner id, bucket, row []byte) { y.cells[cellOf(owner)].Add(y.hash(bucket, row)) }
func (y *tally) meet(owner id, bucket, row []byte)   { y.cells[cellOf(owner)].Add(-y.hash(bucket, row)) }

// hash tells the buckets that are tallied apart by how their names begin.
func (y *tally) hash(bucket, row []byte) uint64 {
	return y.sipHash(uint64(bucket[0])<<8|uint64(bucket[1]), row)
}

// sipHash is SipHash-2-4 of a word and the bytes behind it. It is made for keys that
// nobody knows, and of a short text takes a fraction of the time of SHA-256.
func (y *tally) sipHash(word uint64, row []byte) uint64 {
	v := sip{y.key[0] ^ 0x736f6d6570736575, y.key[1] ^ 0x646f72616e646f6d, y.key[0] ^ 0x6c7967656e657261, y.key[1] ^ 0x7465646279746573}
	v.word(word)
	size := uint64(len(row)) + 8
	for ; len(row) >= 8; row = row[8:] {
		v.word(binary.LittleEndian.Uint64(row))
	}
	last := size << 56
	for i, b := range row {
		last |= uint64(b) << (8 * i)
	}
	v.word(last)
	v.v2 ^= 0xff
	for range 4 {
		v.round()
	}
	return v.v0 ^ v.v1 ^ v.v2 ^ v.v3
}

// sip is the state of a SipHash.
type sip struct{ v0, v1, v2, v3 uint64 }

func (v *sip) word(m uint64) {
	v.v3 ^= m
	v.round()
	v.round()
	v.v0 ^= m
}

func (v *sip) round() {
	v.v0 += v.v1
	v.v2 += v.v3
	v.v1 = bits.RotateLeft64(v.v1, 13) ^ v.v0
	v.v3 = bits.RotateLeft64(v.v3, 16) ^ v.v2
	v.v0 = bits.RotateLeft64(v.v0, 32) + v.v3
	v.v2 += v.v1
	v.v3 = bits.RotateLeft64(v.v3, 21) ^ v.v0
	v.v1 = bits.RotateLeft64(v.v1, 17) ^ v.v2
	v.v2 = bits.RotateLeft64(v.v2, 32)
}

// suspects are the cells that are left with something; nil if none is.
func (y *tally) suspects() (cells *[tallyCells]bool) {
	for i := range y.cells {
		if y.cells[i].Load() != 0 {
			if cells == nil {
				cells = new([tallyCells]bool)
			}
			cells[i] = true
		}
	}
	return cells
}
