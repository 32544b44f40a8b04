package segment

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"io"
	"maps"
	"slices"
)

// Doc is a document as it is put in.
type Doc struct {
	ID      ID
	Updated int64
	Stored  []byte
	Terms   []Entry // each key once
}

// Entry says that a document has a term: with what weight, and where, which may
// be nil for all documents.
type Entry struct {
	Key       string
	Weight    byte
	Positions []uint32
}

// Build makes a segment of documents, which it sorts. Each id may be there once.
func Build(docs []Doc) (*Segment, error) {
	slices.SortFunc(docs, func(a, b Doc) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	var out bytes.Buffer
	w := newWriter(&out)
	lists := map[string]*list{}
	var fresh lister
	var positions []byte
	for i, d := range docs {
		w.doc(d.ID, d.Updated, d.Stored)
		for _, e := range d.Terms {
			l := lists[e.Key]
			if l == nil {
				l = fresh.list()
				lists[e.Key] = l
			}
			positions = appendPositions(positions[:0], e.Positions)
			l.add(uint32(i), e.Weight, positions)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(lists), cmp.Compare) {
		w.term(key, lists[key])
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	return open(memory(out.Bytes()))
}

// lister makes lists. Most have few postings, so many are made at once, each with
// some room.
type lister struct {
	lists []list
	room  []byte
}

const (
	listsAtOnce       = 256
	listDocs, listPos = 4, 12 // bytes of room
)

func (m *lister) list() *list {
	if len(m.lists) == 0 {
		m.lists, m.room = make([]list, listsAtOnce), make([]byte, listsAtOnce*(listDocs+listPos))
	}
	l := &m.lists[0]
	l.last, l.docs, l.at = -1, m.room[:0:listDocs], m.room[listDocs:listDocs:listDocs+listPos]
	m.lists, m.room = m.lists[1:], m.room[listDocs+listPos:]
	return l
}

// memory is a segment that is in no file.
type memory []byte

func (m memory) size() int64 { return int64(len(m)) }

func (m memory) view(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at+n > int64(len(m)) {
		return nil, ErrDamaged
	}
	return m[at : at+n : at+n], nil
}

func (m memory) read(at int64, b []byte) error {
	from, err := m.view(at, int64(len(b)))
	copy(b, from)
	return err
}

// writer writes a segment from its first byte to its last: all documents, then
// all terms in order.
type writer struct {
	w         *bufio.Writer
	crc       uint32
	at        int64
	err       error
	docs      uint32
	table     []byte
	storedEnd int64

	begins int64 // where the postings of the block do
	first  string
	dict   []byte
	terms  int
	blocks []byte
	listed []byte
}

func newWriter(out io.Writer) *writer {
	w := &writer{w: bufio.NewWriterSize(out, 256<<10), storedEnd: -1}
	w.write([]byte(magic))
	return w
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
	w.crc = crc32.Update(w.crc, castagnoli, b)
	w.at += int64(len(b))
}

func (w *writer) doc(id ID, updated int64, stored []byte) {
	w.table = append(w.table, id[:]...)
	w.table = binary.LittleEndian.AppendUint64(w.table, uint64(updated))
	w.table = binary.LittleEndian.AppendUint64(w.table, uint64(w.at))
	w.docs++
	w.write(stored)
}

func (w *writer) term(key string, l *list) {
	if w.storedEnd < 0 {
		w.storedEnd = w.at
	}
	if w.terms == 0 {
		w.first, w.begins = key, w.at
	}
	l.end()
	if l.count > runLength {
		w.write(l.skip)
	} else {
		l.skip = l.skip[:0]
	}
	w.write(l.docs)
	w.write(l.at)
	if key[0] == Listed {
		w.listed = append(append(w.listed, key[1:]...), '\n')
	}
	w.dict = binary.AppendUvarint(w.dict, uint64(len(key)))
	w.dict = append(w.dict, key...)
	w.dict = binary.AppendUvarint(w.dict, uint64(l.count))
	w.dict = binary.AppendUvarint(w.dict, uint64(len(l.skip)+len(l.docs)))
	w.dict = binary.AppendUvarint(w.dict, uint64(len(l.at)))
	if w.terms++; w.terms == blockTerms {
		w.block()
	}
}

// block ends a block of terms.
func (w *writer) block() {
	if w.terms == 0 {
		return
	}
	w.blocks = binary.AppendUvarint(w.blocks, uint64(len(w.first)))
	w.blocks = append(w.blocks, w.first...)
	w.blocks = binary.AppendUvarint(w.blocks, uint64(w.begins))
	w.blocks = binary.AppendUvarint(w.blocks, uint64(w.at))
	w.write(w.dict)
	w.blocks = binary.AppendUvarint(w.blocks, uint64(w.at))
	w.dict, w.terms = w.dict[:0], 0
}

func (w *writer) end() error {
	if w.storedEnd < 0 {
		w.storedEnd = w.at
	}
	w.block()
	listed := w.at
	w.write(w.listed)
	table := w.at
	w.write(w.table)
	blocks := w.at
	w.write(w.blocks)
	f := binary.LittleEndian.AppendUint32(nil, w.docs)
	f = binary.LittleEndian.AppendUint64(f, uint64(w.storedEnd))
	f = binary.LittleEndian.AppendUint64(f, uint64(listed))
	f = binary.LittleEndian.AppendUint64(f, uint64(table))
	f = binary.LittleEndian.AppendUint64(f, uint64(blocks))
	f = binary.LittleEndian.AppendUint32(f, crc32.Update(crc32.Checksum(w.table, castagnoli), castagnoli, w.blocks))
	f = binary.LittleEndian.AppendUint32(f, w.crc)
	w.write(append(f, magic...))
	if w.err == nil {
		w.err = w.w.Flush()
	}
	return w.err
}
