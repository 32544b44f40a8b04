package wal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	block      = 4096 // what records are aligned to
	headerSize = 112
	maxRecord  = 1 << 31
)

var recordMagic = [8]byte{'S', 'R', 'W', 'A', 'L', 0, 0, 1}

type (
	salt [16]byte
	sum  [32]byte
)

// header is what stands before a set.
type header struct {
	salt       salt
	number     uint64
	prev       sum
	set, blobs uint64 // lengths
	sum        sum
}

// size is what the record takes, with the zeros behind it.
func (h *header) size() int64 { return aligned(int64(headerSize + h.set + h.blobs)) }

func aligned(n int64) int64 { return (n + block - 1) &^ (block - 1) }

// seal works the sum out and writes the header to b.
func (h *header) seal(b, set []byte) {
	copy(b, recordMagic[:])
	copy(b[8:], h.salt[:])
	binary.BigEndian.PutUint64(b[24:], h.number)
	copy(b[32:], h.prev[:])
	binary.BigEndian.PutUint64(b[64:], h.set)
	binary.BigEndian.PutUint64(b[72:], h.blobs)
	h.sum = sumOf(b[:80], set)
	copy(b[80:], h.sum[:])
}

func sumOf(head, set []byte) (s sum) {
	hash := sha256.New()
	hash.Write(head)
	hash.Write(set)
	hash.Sum(s[:0])
	return s
}

// parseHeader says whether b begins with a header that can be one.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || [8]byte(b[:8]) != recordMagic {
		return h, false
	}
	copy(h.salt[:], b[8:])
	h.number = binary.BigEndian.Uint64(b[24:])
	copy(h.prev[:], b[32:])
	h.set = binary.BigEndian.Uint64(b[64:])
	h.blobs = binary.BigEndian.Uint64(b[72:])
	copy(h.sum[:], b[80:])
	return h, h.set <= maxRecord && h.blobs <= maxRecord
}

// readRecord reads the record at a place of a segment. ok is false if there is
// none that is whole; err is about reading alone.
func readRecord(f File, size, at int64) (h header, r Record, ok bool, err error) {
	var b [headerSize]byte
	if at+headerSize > size {
		return h, r, false, nil
	}
	if _, err := f.ReadAt(b[:], at); err != nil {
		return h, r, false, fmt.Errorf("read the log: %w", err)
	}
	if h, ok = parseHeader(b[:]); !ok || at+int64(headerSize+h.set+h.blobs) > size {
		return h, r, false, nil
	}
	body := make([]byte, h.set+h.blobs)
	if _, err := f.ReadAt(body, at+headerSize); err != nil && err != io.EOF {
		return h, r, false, fmt.Errorf("read the log: %w", err)
	}
	set, blobs := body[:h.set], body[h.set:]
	if sumOf(b[:80], set) != h.sum {
		return h, r, false, nil
	}
	r, sizes, err := DecodeSet(set)
	if err != nil {
		return h, r, false, err // its sum is right: nobody's crash made it
	}
	if ok, err = r.fill(sizes, blobs); err != nil {
		err = fmt.Errorf("record %d: %w", h.number, err)
	}
	return h, r, ok, err
}
