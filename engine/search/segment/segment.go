// Package segment keeps an inverted index in immutable files.
//
// A [Segment] holds documents, and for each term a list of the documents that
// have it. It is built once ([Build]) from a few documents, in memory, and
// never changed; several are merged into one, in memory or in a file. A
// [Store] is a directory of segments: what is searched is all of them, a
// document that was replaced or removed is only marked dead in the segment that
// holds it, and is left behind when that is merged.
//
// Everything in a segment follows from what was put in, so a file that is
// missing or damaged is no loss: whoever owns the index builds it anew. Reading
// one finds every offset and count that cannot be right (ErrDamaged), and each
// file has a checksum, for [Store.Check].
//
// # The file
//
// Numbers are little-endian where their size is given, else unsigned varints.
//
//	magic     8 bytes
//	stored    what each document carries along, one behind the other
//	terms     blocks of up to 32 terms in order: the postings of each, then
//	          of each: length of key, key, documents, bytes of lists, bytes of positions
//	listed    the keys of the kind Listed, without their first byte, each with a
//	          line feed behind it
//	table     for each document, in the order of their ids: id (16), updated (8),
//	          where its stored bytes begin (8)
//	blocks    for each block: length of first key, first key, where its postings
//	          begin, where its terms begin, where it ends
//	footer    documents (4), where stored ends (8), where listed begins (8), where
//	          table begins (8), where blocks begin (8), CRC-32C of table and blocks
//	          (4), CRC-32C of all before the footer (4), magic (8)
//
// Documents are numbered in the order of their ids. Postings are lists and
// positions. The list of a term is cut into runs of 128 documents: if there is
// more than one, for each its last document (4), where it ends in the lists (4)
// and in the positions (4); then for each document the distance to the one
// before, less one, and its weight (1). Positions are for each document their
// bytes, and each position as the distance to the one before.
package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"
	"sort"
)

// ErrDamaged: a file is not what was written.
var ErrDamaged = errors.New("the search index is damaged")

// ID names a document; ids have an order.
type ID [16]byte

const (
	magic      = "SRindex2"
	footerSize = 4 + 8 + 8 + 8 + 8 + 4 + 4 + 8
	rowSize    = 16 + 8 + 8
	blockTerms = 32
)

// Listed is the first byte of those keys that can be looked for by what is
// within them (see Containing). No line feed may be in one.
const Listed = 'x'

// blockBytes is up to what size a block of terms is read at once. A block of
// words that many long texts have may be as large as a file.
const blockBytes = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// source is where the bytes of a segment are. What view returns must not be
// changed.
type source interface {
	view(at, n int64) ([]byte, error)
	read(at int64, b []byte) error
	size() int64
}

// Segment can be read by many at once.
type Segment struct {
	src       source
	docs      int
	storedEnd int64
	listed    int64
	listedEnd int64
	table     []byte
	blocks    []block
	crc       uint32 // of all before the footer
	sets      sets
}

type block struct {
	first             string
	begins, dict, end int64
}

// open reads what is kept in memory of a segment: its table, and the first key
// of each block.
func open(src source) (*Segment, error) {
	size := src.size()
	if size < footerSize+int64(len(magic)) {
		return nil, fmt.Errorf("%w: %d bytes are no segment", ErrDamaged, size)
	}
	f, err := src.view(size-footerSize, footerSize)
	if err != nil {
		return nil, err
	}
	if string(f[footerSize-8:]) != magic {
		return nil, fmt.Errorf("%w: a segment does not end as one", ErrDamaged)
	}
	s := &Segment{src: src, docs: int(binary.LittleEndian.Uint32(f)), crc: binary.LittleEndian.Uint32(f[40:])}
	s.storedEnd = int64(binary.LittleEndian.Uint64(f[4:]))
	s.listed = int64(binary.LittleEndian.Uint64(f[12:]))
	table, blocks := int64(binary.LittleEndian.Uint64(f[20:])), int64(binary.LittleEndian.Uint64(f[28:]))
	s.listedEnd = table
	ends := size - footerSize
	if s.storedEnd < int64(len(magic)) || s.storedEnd > s.listed || s.listed > table || table > blocks || blocks > ends || blocks-table != int64(s.docs)*rowSize {
		return nil, fmt.Errorf("%w: the parts of a segment do not fit", ErrDamaged)
	}
	if s.table, err = src.view(table, blocks-table); err != nil {
		return nil, err
	}
	list, err := src.view(blocks, ends-blocks)
	if err != nil {
		return nil, err
	}
	if crc32.Update(crc32.Checksum(s.table, castagnoli), castagnoli, list) != binary.LittleEndian.Uint32(f[36:]) {
		return nil, fmt.Errorf("%w: the table of a segment has another checksum", ErrDamaged)
	}
	return s, s.readBlocks(list, s.listed)
}

func (s *Segment) readBlocks(list []byte, limit int64) error {
	at := s.storedEnd
	for r := (reader{b: list}); len(r.b) > 0; {
		b := block{first: string(r.bytes(r.number())), begins: int64(r.number()), dict: int64(r.number()), end: int64(r.number())}
		if r.bad || b.begins != at || b.dict < b.begins || b.end < b.dict || b.end > limit {
			return fmt.Errorf("%w: the blocks of a segment do not fit", ErrDamaged)
		}
		at = b.end
		s.blocks = append(s.blocks, b)
	}
	return nil
}

// check reads all of a segment and compares its checksum.
func (s *Segment) check(stop func() error) error {
	const step = 1 << 20
	var crc uint32
	for at, ends := int64(0), s.src.size()-footerSize; at < ends; at += step {
		if err := stop(); err != nil {
			return err
		}
		b, err := s.src.view(at, min(step, ends-at))
		if err != nil {
			return err
		}
		crc = crc32.Update(crc, castagnoli, b)
	}
	if crc != s.crc {
		return fmt.Errorf("%w: a segment has another checksum", ErrDamaged)
	}
	return nil
}

// Len is the number of documents, dead ones included; they are numbered from 0.
func (s *Segment) Len() int { return s.docs }

// ID of a document.
func (s *Segment) ID(doc uint32) ID { return ID(s.table[int(doc)*rowSize:]) }

// Updated is the number the document was built with.
func (s *Segment) Updated(doc uint32) int64 {
	return int64(binary.LittleEndian.Uint64(s.table[int(doc)*rowSize+16:]))
}

// Stored is what the document carries along.
func (s *Segment) Stored(doc uint32) ([]byte, error) {
	begins, ends, err := s.storedBounds(doc)
	if err != nil {
		return nil, err
	}
	return s.src.view(begins, ends-begins)
}

// StoredPrefix appends as many bytes of it, or all.
func (s *Segment) StoredPrefix(doc uint32, most int, to []byte) ([]byte, error) {
	begins, ends, err := s.storedBounds(doc)
	if err != nil {
		return to, err
	}
	n := int(min(ends-begins, int64(most)))
	at := len(to)
	to = slices.Grow(to, n)[:at+n]
	return to, s.src.read(begins, to[at:])
}

func (s *Segment) storedBounds(doc uint32) (begins, ends int64, err error) {
	begins, ends = s.storedAt(doc), s.storedEnd
	if int(doc)+1 < s.docs {
		ends = s.storedAt(doc + 1)
	}
	if begins < int64(len(magic)) || begins > ends || ends > s.storedEnd {
		return 0, 0, fmt.Errorf("%w: document %d", ErrDamaged, doc)
	}
	return begins, ends, nil
}

func (s *Segment) storedAt(doc uint32) int64 {
	return int64(binary.LittleEndian.Uint64(s.table[int(doc)*rowSize+24:]))
}

// Search returns the first document whose id is not before this one; Len if
// there is none.
func (s *Segment) Search(id ID) uint32 {
	return uint32(sort.Search(s.docs, func(i int) bool { return bytes.Compare(s.table[i*rowSize:i*rowSize+16], id[:]) >= 0 }))
}

// Find returns the document with this id.
func (s *Segment) Find(id ID) (doc uint32, ok bool) {
	doc = s.Search(id)
	return doc, int(doc) < s.docs && s.ID(doc) == id
}

// Term is a term of a segment and where its postings are.
type Term struct {
	Key  string
	Docs int // how many documents have it, dead ones included
	seg  *Segment
	src  source // of the lists
	at   int64
	size int64 // of the lists; the positions follow
	pos  int64
}

// Term looks a term up; its Docs are 0 if no document has it.
func (s *Segment) Term(key string) (Term, error) {
	for t, err := range s.Terms(key, key+"\x00") {
		return t, err
	}
	return Term{Key: key}, nil
}

// Terms yields the terms at from or after and before to, in order. "" for to is
// no bound.
func (s *Segment) Terms(from, to string) iter.Seq2[Term, error] {
	return s.terms(from, to, func(b block) ([]byte, int64, error) {
		dict, err := s.src.view(b.dict, b.end-b.dict)
		return dict, b.dict, err
	})
}

// Lists yields the same terms with their postings read a block at once, where
// that is not large, for who reads them all. They are read into buffer, if it is
// not nil: then a term is good until the next is asked for.
func (s *Segment) Lists(from, to string, buffer *[]byte) iter.Seq2[Term, error] {
	return s.terms(from, to, func(b block) ([]byte, int64, error) { return s.lists(b, buffer) })
}

// lists reads a block of terms, with its postings if it is not large.
func (s *Segment) lists(b block, buffer *[]byte) (data []byte, begins int64, err error) {
	begins = b.begins
	if b.end-begins > blockBytes {
		begins = b.dict
	}
	if _, ok := s.src.(memory); ok || buffer == nil {
		data, err = s.src.view(begins, b.end-begins)
		return data, begins, err
	}
	*buffer = slices.Grow((*buffer)[:0], int(b.end-begins))[:b.end-begins]
	return *buffer, begins, s.src.read(begins, *buffer)
}

// terms reads blocks by a function that returns bytes up to a block's end, and
// where these begin.
func (s *Segment) terms(from, to string, read func(block) ([]byte, int64, error)) iter.Seq2[Term, error] {
	return func(yield func(Term, error) bool) {
		first := sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].first > from })
		for _, b := range s.blocks[max(first-1, 0):] {
			if to != "" && b.first >= to {
				return
			}
			data, begins, err := read(b)
			if err != nil {
				yield(Term{}, err)
				return
			}
			for t, err := range s.block(b, data, begins) {
				if err == nil && t.Key < from {
					continue
				}
				if err == nil && to != "" && t.Key >= to || !yield(t, err) || err != nil {
					return
				}
			}
		}
	}
}

func (s *Segment) block(b block, data []byte, begins int64) iter.Seq2[Term, error] {
	return func(yield func(Term, error) bool) {
		for c := s.cursor(b, data, begins); ; {
			t, err, ok := c.next()
			if !ok || !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// cursor walks the terms of a block.
type cursor struct {
	seg   *Segment
	src   source
	block block
	base  int64 // where src begins in the segment
	at    int64 // of the postings of the next term, in the segment
	dict  reader
}

// cursor takes bytes up to the block's end, and where these begin.
func (s *Segment) cursor(b block, data []byte, begins int64) cursor {
	c := cursor{seg: s, src: s.src, block: b, at: b.begins, dict: reader{b: data[b.dict-begins:]}}
	if begins < b.dict { // the postings are there too
		c.src, c.base = memory(data), begins
	}
	return c
}

func (c *cursor) next() (t Term, err error, ok bool) {
	r := &c.dict
	if len(r.b) == 0 {
		return Term{}, nil, false
	}
	t = Term{seg: c.seg, src: c.src, Key: string(r.bytes(r.number())), Docs: int(r.number()), size: int64(r.number()), pos: int64(r.number()), at: c.at - c.base}
	if r.bad || t.Docs > c.seg.docs || t.size > c.block.dict-c.at || t.pos > c.block.dict-c.at-t.size {
		return Term{}, fmt.Errorf("%w: a block of terms", ErrDamaged), true
	}
	c.at += t.size + t.pos
	return t, nil, true
}

// reader takes numbers and bytes off the front of b. bad says that there were
// none to take.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > 1<<40 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
