package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
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
	key   [16]byte
	cells [tallyCells]atomic.Uint64
}

const tallyCells = 1 << 16

func newTally() *tally {
	y := &tally{}
	rand.Read(y.key[:]) // never fails
	return y
}

// cellOf is the cell of an owner. The last bytes of an id are drawn, or count up.
func cellOf(owner id) int {
	return int(binary.BigEndian.Uint16(owner[len(owner)-2:]))
}

// A row is given with its owner's id in it.

func (y *tally) expect(owner id, bucket, row []byte) { y.cells[cellOf(owner)].Add(y.hash(bucket, row)) }
func (y *tally) meet(owner id, bucket, row []byte)   { y.cells[cellOf(owner)].Add(-y.hash(bucket, row)) }

func (y *tally) hash(bucket, row []byte) uint64 {
	var memory [256]byte
	b := append(memory[:0], y.key[:]...)
	b = append(b, bucket[:2]...) // tells those apart that are tallied
	sum := sha256.Sum256(append(b, row...))
	return binary.BigEndian.Uint64(sum[:])
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
