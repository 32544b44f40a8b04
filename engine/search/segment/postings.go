package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
)

const (
	runLength = 128
	skipSize  = 12
)

// End is behind every document.
const End = math.MaxUint32

// list writes postings.
type list struct {
	count          int
	last           int64 // the document added last
	skip, docs, at []byte
}

func (l *list) reset() {
	l.count, l.last, l.skip, l.docs, l.at = 0, -1, l.skip[:0], l.docs[:0], l.at[:0]
}

// add takes documents in order. positions are as appendPositions spells them.
func (l *list) add(doc uint32, weight byte, positions []byte) {
	if l.count > 0 && l.count%runLength == 0 {
		l.run()
	}
	l.docs = binary.AppendUvarint(l.docs, uint64(int64(doc)-l.last-1))
	l.docs = append(l.docs, weight)
	l.at = append(l.at, positions...)
	l.last = int64(doc)
	l.count++
}

// run ends a run of documents.
func (l *list) run() {
	l.skip = binary.LittleEndian.AppendUint32(l.skip, uint32(l.last))
	l.skip = binary.LittleEndian.AppendUint32(l.skip, uint32(len(l.docs)))
	l.skip = binary.LittleEndian.AppendUint32(l.skip, uint32(len(l.at)))
}

// end completes the postings.
func (l *list) end() {
	if l.count > runLength {
		l.run()
	}
}

// appendPositions spells positions, which rise; nil is none at all.
func appendPositions(b []byte, positions []uint32) []byte {
	if positions == nil {
		return b
	}
	var spelt [64]byte
	body, last := spelt[:0], uint32(0)
	for _, p := range positions {
		body = binary.AppendUvarint(body, uint64(p-last))
		last = p
	}
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}

// Postings walks the documents that have a term, in order. It begins before the
// first.
type Postings struct {
	Doc    uint32 // where it stands; End behind the last
	Weight byte   // of the term in that document
	Err    error  // ErrDamaged, and then Doc is End

	term    Term
	skip    []byte
	docs    []byte // of all runs
	at      int    // in docs
	left    int    // in the run, behind Doc
	run     int
	started bool

	positions []byte // read when they are first asked for
	posRun    int    // which run posAt is in
	posAt     int
	posIndex  int // which document of the run posAt stands before
	posLast   []byte
}

// Postings opens the postings of a term.
func (t Term) Postings() (*Postings, error) {
	p := &Postings{term: t, posRun: -1}
	if t.Docs == 0 {
		p.Doc = End
		return p, nil
	}
	lists := t.lists
	if lists == nil {
		var err error
		if lists, err = t.seg.src.view(t.at, t.size); err != nil {
			return nil, err
		}
	} else {
		lists, p.positions = lists[:t.size], lists[t.size:]
	}
	if t.Docs > runLength {
		n := p.runs() * skipSize
		if n > len(lists) {
			return nil, fmt.Errorf("%w: term %q", ErrDamaged, t.Key)
		}
		p.skip, lists = lists[:n], lists[n:]
	}
	p.docs = lists
	p.enter(0)
	return p, nil
}

func (p *Postings) runs() int { return (p.term.Docs + runLength - 1) / runLength }

// runField is one of the three numbers of a run.
func (p *Postings) runField(run, field int) uint32 {
	return binary.LittleEndian.Uint32(p.skip[run*skipSize+4*field:])
}

// enter stands before the first document of a run.
func (p *Postings) enter(run int) {
	p.run, p.at, p.started = run, 0, false
	p.left = min(p.term.Docs-run*runLength, runLength)
	if run > 0 {
		p.Doc, p.at, p.started = p.runField(run-1, 0), int(p.runField(run-1, 1)), true
	}
}

// Next goes on to the next document.
func (p *Postings) Next() uint32 {
	if p.left == 0 {
		if p.skip == nil || p.run+1 >= p.runs() {
			p.Doc = End
			return End
		}
		p.enter(p.run + 1)
	}
	// Most distances are of one byte.
	if p.at < len(p.docs)-1 && p.docs[p.at] < 0x80 {
		p.step(uint64(p.docs[p.at]), 1)
		return p.Doc
	}
	if p.at > len(p.docs) {
		return p.damaged()
	}
	distance, size := binary.Uvarint(p.docs[p.at:])
	if size <= 0 || p.at+size >= len(p.docs) || distance >= End {
		return p.damaged()
	}
	p.step(distance, size)
	return p.Doc
}

func (p *Postings) step(distance uint64, size int) {
	doc := distance
	if p.started {
		doc += uint64(p.Doc) + 1
	}
	if doc >= uint64(p.term.seg.docs) {
		p.damaged()
		return
	}
	p.Doc, p.started = uint32(doc), true
	p.Weight = p.docs[p.at+size]
	p.at += size + 1
	p.left--
}

func (p *Postings) damaged() uint32 {
	p.Err = fmt.Errorf("%w: postings of %q", ErrDamaged, p.term.Key)
	p.Doc, p.left, p.skip, p.docs = End, 0, nil, nil
	return End
}

// Seek goes on to the first document not before this one; it never goes back.
func (p *Postings) Seek(doc uint32) uint32 {
	if p.Doc == End || p.started && p.Doc >= doc {
		return p.Doc
	}
	if p.skip != nil && p.runField(p.run, 0) < doc {
		runs := p.runs()
		run := p.run + sort.Search(runs-p.run, func(i int) bool { return p.runField(p.run+i, 0) >= doc })
		if run >= runs {
			p.Doc, p.left, p.run = End, 0, runs
			return End
		}
		p.enter(run)
	}
	for p.Next() < doc {
	}
	return p.Doc
}

// Positions appends where the term stands in the document, for a term that was
// built with positions.
func (p *Postings) Positions(to []uint32) ([]uint32, error) {
	b, err := p.spelt()
	if err != nil {
		return to, err
	}
	last := uint64(0)
	for len(b) > 0 {
		distance, size := uvarint(b)
		if last += distance; size <= 0 || last >= End {
			return to, fmt.Errorf("%w: positions of %q", ErrDamaged, p.term.Key)
		}
		to = append(to, uint32(last))
		b = b[size:]
	}
	return to, nil
}

// uvarint is binary.Uvarint, which is not inlined, for numbers that mostly are
// of one byte.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

// spelt is the positions in the document as they are stored, without their
// length.
func (p *Postings) spelt() ([]byte, error) {
	b, err := p.sized()
	if err != nil {
		return nil, err
	}
	_, size := uvarint(b)
	return b[size:], nil
}

// sized is the positions in the document as they are stored.
func (p *Postings) sized() ([]byte, error) {
	if p.positions == nil && p.term.pos > 0 {
		var err error
		if p.positions, err = p.term.seg.src.view(p.term.at+p.term.size, p.term.pos); err != nil {
			return nil, err
		}
	}
	if p.posRun != p.run {
		p.posRun, p.posAt, p.posIndex = p.run, 0, 0
		if p.run > 0 {
			p.posAt = int(p.runField(p.run-1, 2))
		}
	}
	if p.posAt > len(p.positions) {
		return nil, fmt.Errorf("%w: positions of %q", ErrDamaged, p.term.Key)
	}
	index := min(p.term.Docs-p.run*runLength, runLength) - p.left - 1
	for ; p.posIndex <= index; p.posIndex++ {
		rest := p.positions[p.posAt:]
		length, size := uvarint(rest)
		if size <= 0 || length > uint64(len(rest)-size) {
			return nil, fmt.Errorf("%w: positions of %q", ErrDamaged, p.term.Key)
		}
		p.posLast = rest[:size+int(length)]
		p.posAt += len(p.posLast)
	}
	return p.posLast, nil
}
