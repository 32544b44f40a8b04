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
// first. It holds a few pages of the lists, be they as long as they may.
type Postings struct {
	Doc    uint32 // where it stands; End behind the last
	Weight byte   // of the term in that document
	Err    error  // ErrDamaged, and then Doc is End

	term    Term
	skip    []byte
	list    stream // of the documents
	docs    []byte // what is at hand of list
	at      int    // in docs
	left    int    // in the run, behind Doc
	run     int
	started bool

	spelt    stream // of the positions
	posRun   int    // which run posAt is in
	posAt    int64
	posIndex int      // which document of the run posAt stands before
	posLast  [3]int64 // of the document before: where its length, its positions and its end are
}

// Postings opens the postings of a term.
func (t Term) Postings() (*Postings, error) {
	var p Postings
	if err := p.open(t); err != nil {
		return nil, err
	}
	return &p, nil
}

// open makes these the postings of a term, whatever they were.
func (p *Postings) open(t Term) error {
	*p = Postings{term: t, posRun: -1, list: stream{own: p.list.own}, spelt: stream{own: p.spelt.own}}
	if t.Docs == 0 {
		p.Doc = End
		return nil
	}
	begins, lists := t.at, t.at+t.size
	if t.Docs > runLength {
		n := int64(p.runs()) * skipSize
		if n > t.size {
			return fmt.Errorf("%w: term %q", ErrDamaged, t.Key)
		}
		var err error
		if p.skip, err = t.src.view(t.at, n); err != nil {
			return err
		}
		begins += n
	}
	p.list.open(t.src, begins, lists)
	p.spelt.open(t.src, lists, lists+t.pos)
	p.enter(0)
	return nil
}

func (p *Postings) runs() int { return (p.term.Docs + runLength - 1) / runLength }

// runField is one of the three numbers of a run.
func (p *Postings) runField(run, field int) uint32 {
	return binary.LittleEndian.Uint32(p.skip[run*skipSize+4*field:])
}

// enter stands before the first document of a run.
func (p *Postings) enter(run int) {
	p.run, p.started = run, false
	p.left = min(p.term.Docs-run*runLength, runLength)
	if run == 0 {
		return
	}
	p.Doc, p.started = p.runField(run-1, 0), true
	begins := p.term.at + int64(len(p.skip)) + int64(p.runField(run-1, 1))
	if at := begins - p.list.base; at >= 0 && at <= int64(len(p.docs)) {
		p.at = int(at)
	} else {
		p.more(begins)
	}
}

// more has what comes from a place on at hand: an entry at least.
func (p *Postings) more(at int64) {
	docs, err := p.list.from(at, binary.MaxVarintLen32+1)
	if err != nil {
		p.fail(err)
		return
	}
	p.docs = p.list.b
	p.at = len(p.docs) - len(docs)
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
	if p.Doc == End && p.started {
		return End
	}
	if p.more(p.list.base + int64(p.at)); p.Err != nil {
		return End
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
	return p.fail(fmt.Errorf("%w: postings of %q", ErrDamaged, p.term.Key))
}

func (p *Postings) fail(err error) uint32 {
	p.Err = err
	p.Doc, p.left, p.skip, p.docs, p.started = End, 0, nil, nil, true
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
