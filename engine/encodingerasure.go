package engine

import (
	"encoding/binary"

	"strongroom/engine/internal/store"
)

func (e *erasure) encode() []byte {
	w := store.NewEncoder(160)
	w.Str(e.UserID)
	w.Str(e.LegalBasis)
	w.Str(e.Requester)
	w.Time(e.RequestedAt)
	w.Str(e.RequestedBy)
	w.Num(e.seq)
	w.Num(e.Total)
	w.Num(e.Completed)
	w.Num(e.Deferred)
	w.Flag(e.userErased)
	w.Num(e.last)
	return w.Bytes()
}

func decodeErasure(at id, b []byte) (*erasure, error) {
	d := store.NewDecoder(b)
	e := &erasure{id: at, Erasure: Erasure{ID: at.String()}}
	e.UserID = d.Str()
	e.LegalBasis = d.Str()
	e.Requester = d.Str()
	e.RequestedAt = d.Time()
	e.RequestedBy = d.Str()
	e.seq = d.Num()
	e.Total = d.Num()
	e.Completed = d.Num()
	e.Deferred = d.Num()
	e.userErased = d.Flag()
	e.last = d.Num()
	if e.Completed+e.Deferred > e.Total {
		d.Fail()
	}
	return e, d.Done("erasure " + e.ID)
}

func (r *erasing) encode() []byte {
	e := store.NewEncoder(16)
	e.Num(r.deferred)
	e.Num(r.next)
	return e.Bytes()
}

func decodeErasing(b []byte) (*erasing, error) {
	d := store.NewDecoder(b)
	r := &erasing{deferred: d.Num(), next: d.Num()}
	return r, d.Done("what is left of an erasure")
}

// erasedRow is the value of a row in erased.
func erasedRow(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
