package wal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"strongroom/audit"
	"strongroom/blobstore"
)

// ErrDamaged: bytes are not what this package wrote.
var ErrDamaged = errors.New("the write-ahead log is damaged")

// setVersion is the encoding of a set. It is frozen: see the test that holds it.
const setVersion = 1

// Set is what one group of changes does: everything, and nothing else, that a
// database in the state before needs to be in the state after. Make it with
// NewSet, add to it, and hand it to Log.Write; Reset begins another with the
// same memory.
//
// Its encoding: the version, 1 byte; group, 8; the seq of the log's head after
// it, 8, and its hash, 32; how many rows, 4. Then the rows in the order in which
// they were written: a uvarint, twice the place of the bucket's name in the list
// below, plus one for a row that is deleted; the key with its length; unless it
// is deleted, the value with its length. Then the names of the buckets: how many,
// each with its length. Then the blobs: how many; of each the digest, 32, and
// the size. Lengths, sizes and numbers of those are uvarints.
type Set struct {
	b       []byte // the encoding, up to the last row
	rows    uint32
	buckets []string
	blobs   []Blob
	ended   bool // nothing can be added: it is encoded
}

// Blob is bytes that a set carries, under their digest.
type Blob struct {
	Digest blobstore.Digest
	Bytes  []byte
}

const setPrefix = 1 + 8 + 8 + 32 + 4

// NewSet returns a set without rows.
func NewSet() *Set {
	s := &Set{}
	s.Reset()
	return s
}

// Reset empties the set.
func (s *Set) Reset() {
	s.b = append(s.b[:0], make([]byte, setPrefix)...)
	s.rows, s.buckets, s.blobs, s.ended = 0, s.buckets[:0], s.blobs[:0], false
}

// Len is how many rows it has.
func (s *Set) Len() int { return int(s.rows) }

// Size is how many bytes it takes in the log, at most.
func (s *Set) Size() int64 {
	size := int64(headerSize + len(s.b) + 64*(len(s.buckets)+1) + 48*len(s.blobs) + block)
	for _, b := range s.blobs {
		size += int64(len(b.Bytes))
	}
	return size
}

// RowBytes is how many bytes the keys and values of its rows have, about.
func (s *Set) RowBytes() int { return len(s.b) }

// Put adds a row. Key and value are copied.
func (s *Set) Put(bucket, key, value []byte) {
	s.key(bucket, key, 0)
	s.b = binary.AppendUvarint(s.b, uint64(len(value)))
	s.b = append(s.b, value...)
}

// Delete adds a row that goes.
func (s *Set) Delete(bucket, key []byte) { s.key(bucket, key, 1) }

func (s *Set) key(bucket, key []byte, deleted uint64) {
	s.b = binary.AppendUvarint(s.b, s.place(bucket)<<1|deleted)
	s.b = binary.AppendUvarint(s.b, uint64(len(key)))
	s.b = append(s.b, key...)
	s.rows++
}

func (s *Set) place(bucket []byte) uint64 {
	for i, name := range s.buckets { // a few dozen at most
		if name == string(bucket) {
			return uint64(i)
		}
	}
	s.buckets = append(s.buckets, string(bucket))
	return uint64(len(s.buckets) - 1)
}

// Carry adds a blob. Its bytes are not copied, and must stay until the set is
// written.
func (s *Set) Carry(b Blob) {
	if !slices.ContainsFunc(s.blobs, func(c Blob) bool { return c.Digest == b.Digest }) {
		s.blobs = append(s.blobs, b)
	}
}

// Blobs are those that it carries.
func (s *Set) Blobs() []Blob { return s.blobs }

// encode ends the set: nothing can be added to it after. group is its number, and
// head where the audit log stands then. It may be asked for again, with the same.
func (s *Set) encode(group uint64, head audit.Head) []byte {
	if s.ended {
		return s.b
	}
	s.ended = true
	s.b[0] = setVersion
	binary.BigEndian.PutUint64(s.b[1:], group)
	binary.BigEndian.PutUint64(s.b[9:], head.Seq)
	copy(s.b[17:], head.Hash[:])
	binary.BigEndian.PutUint32(s.b[49:], s.rows)
	s.b = binary.AppendUvarint(s.b, uint64(len(s.buckets)))
	for _, name := range s.buckets {
		s.b = binary.AppendUvarint(s.b, uint64(len(name)))
		s.b = append(s.b, name...)
	}
	s.b = binary.AppendUvarint(s.b, uint64(len(s.blobs)))
	for _, b := range s.blobs {
		s.b = append(s.b, b.Digest[:]...)
		s.b = binary.AppendUvarint(s.b, uint64(len(b.Bytes)))
	}
	return s.b
}

// AppendRecord appends to b what another machine needs to do what the set does: the
// length of the encoded set, 8 bytes; the set; and the bytes of its blobs, one behind the
// other. It ends the set, and Log.Write takes the same group and head.
func (s *Set) AppendRecord(b []byte, group uint64, head audit.Head) []byte {
	set := s.encode(group, head)
	b = binary.BigEndian.AppendUint64(b, uint64(len(set)))
	b = append(b, set...)
	for _, blob := range s.blobs {
		b = append(b, blob.Bytes...)
	}
	return b
}

// ParseRecord reads what AppendRecord writes, and returns views into it. ErrDamaged,
// also if the bytes of a blob are not those of its digest.
func ParseRecord(b []byte) (Record, error) {
	if len(b) < 8 || binary.BigEndian.Uint64(b) > uint64(len(b)-8) {
		return Record{}, fmt.Errorf("%w: a record that ends early", ErrDamaged)
	}
	n := binary.BigEndian.Uint64(b)
	r, sizes, err := DecodeSet(b[8 : 8+n])
	if err != nil {
		return Record{}, err
	}
	whole, err := r.fill(sizes, b[8+n:])
	if err == nil && !whole {
		err = fmt.Errorf("%w: a record whose blobs are not what it names", ErrDamaged)
	}
	return r, err
}

// Record is a set that was read.
type Record struct {
	Group uint64
	Seq   uint64     // where the audit log stands after it
	Hash  audit.Hash // of the entry there
	Rows  []Row
	Blobs []Blob
}

// Row is one row of it; Deleted says that it goes, and has no value then.
type Row struct {
	Bucket, Key, Value []byte
	Deleted            bool
}

// DecodeSet reads what a Set encodes. The result has views into set. Bytes of the
// blobs are the caller's to set: of each stands here only how many there are, as
// the length of a slice without memory behind it. ErrDamaged.
func DecodeSet(set []byte) (Record, []int64, error) {
	var r Record
	if len(set) < setPrefix || set[0] != setVersion {
		return r, nil, fmt.Errorf("%w: a set of another version", ErrDamaged)
	}
	r.Group = binary.BigEndian.Uint64(set[1:])
	r.Seq = binary.BigEndian.Uint64(set[9:])
	copy(r.Hash[:], set[17:])
	rows := binary.BigEndian.Uint32(set[49:])
	d := decoder{b: set[setPrefix:]}
	if int64(rows) > int64(len(d.b)/2) { // the least: a bucket, and an empty key
		return r, nil, fmt.Errorf("%w: a set that ends early", ErrDamaged)
	}
	r.Rows = make([]Row, rows)
	places := make([]uint64, rows)
	for i := range r.Rows {
		n := d.number()
		places[i], r.Rows[i].Deleted = n>>1, n&1 == 1
		r.Rows[i].Key = d.bytes()
		if !r.Rows[i].Deleted {
			r.Rows[i].Value = d.bytes()
		}
	}
	names := make([][]byte, d.count(1))
	for i := range names {
		names[i] = d.bytes()
	}
	for i, at := range places {
		if at >= uint64(len(names)) {
			return r, nil, fmt.Errorf("%w: a row of no bucket", ErrDamaged)
		}
		r.Rows[i].Bucket = names[at]
	}
	sizes := make([]int64, d.count(33))
	r.Blobs = make([]Blob, len(sizes))
	for i := range r.Blobs {
		copy(r.Blobs[i].Digest[:], d.take(32))
		size := d.number()
		if size > maxRecord {
			d.bad = true
		}
		sizes[i] = int64(size)
	}
	if d.bad || len(d.b) > 0 {
		return r, nil, fmt.Errorf("%w: a set that makes no sense", ErrDamaged)
	}
	return r, sizes, nil
}

// fill gives the blobs of a record their bytes, which stand one behind the other in b. whole says that
// they are those of their digests, and that nothing is left.
func (r *Record) fill(sizes []int64, b []byte) (whole bool, err error) {
	for i, size := range sizes {
		if size > int64(len(b)) {
			return false, fmt.Errorf("%w: it has fewer bytes of blobs than it names", ErrDamaged)
		}
		r.Blobs[i].Bytes, b = b[:size:size], b[size:]
		if blobstore.Digest(sha256.Sum256(r.Blobs[i].Bytes)) != r.Blobs[i].Digest {
			return false, nil
		}
	}
	return len(b) == 0, nil
}

type decoder struct {
	b   []byte
	bad bool
}

// number has one spelling.
func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || size > 1 && d.b[size-1] == 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count is bounded by the bytes that are left, each of what is counted having so
// many at least.
func (d *decoder) count(least int) int {
	n := d.number()
	if n > uint64(len(d.b)/least) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.b)) { // before it is an int, which it may not fit
		d.bad, d.b = true, nil
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}
