package segment

import (
	"encoding/binary"
	"fmt"
)

// Places walks where a term stands in one document, in order. It begins before
// the first. It is the postings' own, for as long as these stay at the document:
// they are read as they are walked, and nothing of a long text is unpacked.
type Places struct {
	At     uint32 // where it stands; End behind the last
	Behind uint32 // of a pair the second
	Err    error  // ErrDamaged, and then At is End

	of       *Postings
	begun    bool
	at, ends int64
	b        []byte
}

// Places are those in the document where the postings stand, for a term that
// was built with positions. There are as many places as it is asked for.
func (p *Postings) Places(at *Places) {
	if at.of != p || at.Err != nil || at.b != nil { // writing pointers costs most of it
		*at = Places{of: p}
	}
	at.At, at.Behind, at.begun, at.at, at.ends = 0, 0, false, 0, 0
	if at.Err = p.locate(); at.Err == nil {
		at.at, at.ends = p.posLast[1], p.posLast[2]
	}
}

// Bytes is how many are left to walk, which says how many places there are, about.
func (w *Places) Bytes() int64 { return w.ends - w.at }

// Seek goes on to the first place not before this one; it never goes back.
func (w *Places) Seek(to uint32) uint32 {
	for !w.begun || w.At < to {
		if w.Next() == End {
			break
		}
	}
	return w.At
}

// Pair goes on to the next two places, of those that come in pairs: At and Behind.
func (w *Places) Pair() {
	w.At = w.Behind
	if w.Next() == End {
		return
	}
	if at := w.At; w.Next() != End {
		w.At, w.Behind = at, w.At
	}
}

// Next goes on to the next place.
func (w *Places) Next() uint32 {
	w.begun = true
	if len(w.b) == 0 {
		if w.Err != nil || w.at >= w.ends {
			w.At = End
			return End
		}
		if w.b, w.Err = w.of.spelt.from(w.at, 1); w.Err != nil {
			return w.fail(w.Err)
		}
	}
	distance, size := uint64(w.b[0]), 1
	if distance >= 0x80 {
		if len(w.b) < binary.MaxVarintLen32 {
			if w.b, w.Err = w.of.spelt.from(w.at, binary.MaxVarintLen32); w.Err != nil {
				return w.fail(w.Err)
			}
		}
		distance, size = binary.Uvarint(w.b)
	}
	at := uint64(w.At) + distance
	if size <= 0 || at >= End || w.at+int64(size) > w.ends {
		return w.fail(fmt.Errorf("%w: positions of %q", ErrDamaged, w.of.term.Key))
	}
	w.At = uint32(at)
	w.at += int64(size)
	if w.b = w.b[size:]; w.at == w.ends {
		w.b = nil
	}
	return w.At
}

func (w *Places) fail(err error) uint32 {
	w.At, w.Err, w.at, w.b = End, err, w.ends, nil
	return End
}

// locate finds the positions in the document.
func (p *Postings) locate() error {
	begins := p.term.at + p.term.size
	if p.posRun != p.run {
		p.posRun, p.posAt, p.posIndex = p.run, begins, 0
		if p.run > 0 {
			p.posAt += int64(p.runField(p.run-1, 2))
		}
	}
	index := min(p.term.Docs-p.run*runLength, runLength) - p.left - 1
	var b []byte
	for ; p.posIndex <= index; p.posIndex++ {
		if len(b) < binary.MaxVarintLen32 {
			var err error
			if b, err = p.spelt.from(p.posAt, binary.MaxVarintLen32); err != nil {
				return err
			}
		}
		length, size := uvarint(b)
		first := p.posAt + int64(size)
		if size <= 0 || length > uint64(p.spelt.end-first) {
			return fmt.Errorf("%w: positions of %q", ErrDamaged, p.term.Key)
		}
		p.posLast = [3]int64{p.posAt, first, first + int64(length)}
		p.posAt = p.posLast[2]
		b = b[min(size+int(length), len(b)):]
	}
	return nil
}

// sized is the positions in the document as they are stored, to keep.
func (p *Postings) sized() ([]byte, error) {
	if err := p.locate(); err != nil {
		return nil, err
	}
	return p.term.src.view(p.posLast[0], p.posLast[2]-p.posLast[0])
}

// uvarint is binary.Uvarint, which is not inlined, for numbers that mostly are
// of one byte.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}
