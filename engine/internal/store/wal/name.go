package wal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	fileName = "checkpoint"
	fileNew  = "checkpoint.new"
	// MaxView is how long a view may be, in bytes.
	MaxView = 2048

	slotView = 100
	slotSum  = block - 32
)

var nameMagic = [8]byte{'S', 'R', 'W', 'A', 'L', 'C', 'P', 1}

// name is what a slot says. Its layout: the magic, 8 bytes; generation, 8; salt,
// 16; number, 8; prev, 32; segment, 8; at, 8; the length of the view, 4; at 100 the view; at
// 4064 the SHA-256 of all before.
type name struct {
	generation uint64 // the newest is that with the highest
	salt       salt
	Position
	view []byte
}

// Position is a place in the log: that of the record that comes next there. Mark
// returns it, Name takes it.
type Position struct {
	number  uint64
	prev    sum
	segment uint64 // where the record is, unless it begins another segment
	at      int64
	written int64 // bytes of the log before it, since it began
}

func (n *name) encode() []byte {
	b := make([]byte, block)
	copy(b, nameMagic[:])
	binary.BigEndian.PutUint64(b[8:], n.generation)
	copy(b[16:], n.salt[:])
	binary.BigEndian.PutUint64(b[32:], n.number)
	copy(b[40:], n.prev[:])
	binary.BigEndian.PutUint64(b[72:], n.segment)
	binary.BigEndian.PutUint64(b[80:], uint64(n.at))
	binary.BigEndian.PutUint32(b[88:], uint32(len(n.view)))
	copy(b[slotView:], n.view)
	sum := sha256.Sum256(b[:slotSum])
	copy(b[slotSum:], sum[:])
	return b
}

func decodeName(b []byte) (n name, ok bool) {
	if len(b) < block || [8]byte(b[:8]) != nameMagic || sha256.Sum256(b[:slotSum]) != [32]byte(b[slotSum:block]) {
		return n, false
	}
	n.generation = binary.BigEndian.Uint64(b[8:])
	copy(n.salt[:], b[16:])
	n.number = binary.BigEndian.Uint64(b[32:])
	copy(n.prev[:], b[40:])
	n.segment = binary.BigEndian.Uint64(b[72:])
	at, view := binary.BigEndian.Uint64(b[80:]), binary.BigEndian.Uint32(b[88:])
	if at > 1<<62 || view > MaxView {
		return n, false
	}
	n.at, n.view = int64(at), append([]byte(nil), b[slotView:slotView+view]...)
	return n, true
}

// readName returns the newest name of the file.
func readName(f io.ReaderAt) (newest name, err error) {
	found := false
	for slot := range int64(2) {
		var b [block]byte
		if _, err := f.ReadAt(b[:], slot*block); err != nil && err != io.EOF {
			return newest, fmt.Errorf("read the checkpoint's name: %w", err)
		}
		if n, ok := decodeName(b[:]); ok && (!found || n.generation > newest.generation) {
			newest, found = n, true
		}
	}
	if !found {
		return newest, fmt.Errorf("%w: no checkpoint can be read in its file %s; restore the vault from a backup", ErrDamaged, fileName)
	}
	return newest, nil
}
