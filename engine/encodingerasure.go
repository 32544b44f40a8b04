package engine

import "encoding/binary"

func (e *erasure) encode() []byte {
	w := newEncoder(160)
	w.str(e.UserID)
	w.str(e.LegalBasis)
	w.str(e.Requester)
	w.time(e.RequestedAt)
	w.str(e.RequestedBy)
	w.num(e.seq)
	w.num(e.Total)
	w.num(e.Completed)
	w.num(e.Deferred)
	w.flag(e.userErased)
	w.num(e.last)
	return w.b
}

func decodeErasure(at id, b []byte) (*erasure, error) {
	d := newDecoder(b)
	e := &erasure{id: at, Erasure: Erasure{ID: at.String()}}
	e.UserID = d.str()
	e.LegalBasis = d.str()
	e.Requester = d.str()
	e.RequestedAt = d.time()
	e.RequestedBy = d.str()
	e.seq = d.num()
	e.Total = d.num()
	e.Completed = d.num()
	e.Deferred = d.num()
	e.userErased = d.flag()
	e.last = d.num()
	if e.Completed+e.Deferred > e.Total {
		d.fail()
	}
	return e, d.done("erasure " + e.ID)
}

func (r *erasing) encode() []byte {
	e := newEncoder(16)
	e.num(r.deferred)
	e.num(r.next)
	return e.b
}

func decodeErasing(b []byte) (*erasing, error) {
	d := newDecoder(b)
	r := &erasing{deferred: d.num(), next: d.num()}
	return r, d.done("what is left of an erasure")
}

// erasedRow is the value of a row in erased.
func erasedRow(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
