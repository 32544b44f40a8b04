package engine

import (
	"encoding/binary"
	"fmt"

	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// holds ends a document's record. One without any ends with a zero, or before
// it.
func encodeHolds(e *store.Encoder, holds []matterHolds) {
	e.Num(uint64(len(holds)))
	for _, h := range holds {
		e.Str(h.matter)
		e.Num(h.active)
	}
}

func decodeHolds(d *store.Decoder) []matterHolds {
	n := d.Count()
	if n == 0 {
		return nil
	}
	holds := make([]matterHolds, n)
	for i := range holds {
		holds[i] = matterHolds{matter: d.Str(), active: d.Num()}
	}
	return holds
}

func (h *hold) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(h.DocumentID)
	e.Str(h.Reason)
	e.Str(h.Matter)
	e.Time(h.PlacedAt)
	e.Str(h.PlacedBy)
	e.Time(h.ReleasedAt)
	e.Str(h.ReleasedBy)
	e.Str(h.ReleaseReason)
	return e.Bytes()
}

func decodeHold(at id, b []byte) (*hold, error) {
	d := store.NewDecoder(b)
	h := &hold{id: at, Hold: Hold{ID: at.String(), Status: HoldActive}}
	h.DocumentID = d.Str()
	h.Reason = d.Str()
	h.Matter = d.Str()
	h.PlacedAt = d.Time()
	h.PlacedBy = d.Str()
	if h.ReleasedAt = d.Time(); !h.ReleasedAt.IsZero() {
		h.Status = HoldReleased
	}
	h.ReleasedBy = d.Str()
	h.ReleaseReason = d.Str()
	return h, d.Done("hold " + h.ID)
}

func (m *matter) encode() []byte {
	e := store.NewEncoder(48)
	e.Num(m.Active)
	e.Num(m.Released)
	e.Num(m.Documents)
	e.Time(m.FirstPlacedAt)
	e.Time(m.LastReleasedAt)
	e.Num(m.seq)
	return e.Bytes()
}

func decodeMatter(name, b []byte) (*matter, error) {
	d := store.NewDecoder(b)
	m := &matter{Matter: Matter{Name: string(name)}}
	m.Active = d.Num()
	m.Released = d.Num()
	m.Documents = d.Num()
	m.FirstPlacedAt = d.Time()
	m.LastReleasedAt = d.Time()
	m.seq = d.Num()
	return m, d.Done("a matter")
}

// The records of retention.

func (p *Policy) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(p.Name)
	e.Str(string(p.Scope))
	e.Str(p.Target)
	e.Num(0) // up to format 2 the period, in days
	e.Str(string(p.Action))
	e.Str(string(p.StartFrom))
	e.Str(string(p.Protect))
	e.Flag(p.Enabled)
	e.Time(p.CreatedAt)
	e.Time(p.UpdatedAt)
	e.Num(p.Revision)
	e.Str(string(p.Period))
	e.Str(string(p.StartAt))
	return e.Bytes()
}

func decodePolicy(at id, b []byte) (Policy, error) {
	d := store.NewDecoder(b)
	p := Policy{ID: at.String()}
	p.Name = d.Str()
	p.Scope = Scope(d.Str())
	p.Target = d.Str()
	days := d.Num()
	p.Action = Action(d.Str())
	p.StartFrom = Start(d.Str())
	p.Protect = Protect(d.Str())
	p.Enabled = d.Flag()
	p.CreatedAt = d.Time()
	p.UpdatedAt = d.Time()
	p.Revision = d.Num()
	p.Period = Period(d.Str())
	p.StartAt = StartAt(d.Str())
	if p.Period == "" && p.StartAt == "" { // of a format before
		p.Period, p.StartAt = Period(retention.SpellDays(days)), StartAtDay
	} else if _, _, ok := retention.ParsePeriod(string(p.Period)); !ok || days != 0 {
		d.Fail()
	}
	return p, d.Done("policy " + p.ID)
}

func (k *kind) encode() []byte {
	e := store.NewEncoder(32)
	e.Raw(k.through[:])
	e.Flag(k.whole)
	e.Flag(k.draining)
	return e.Bytes()
}

func decodeKind(name, b []byte) (kind, error) {
	d := store.NewDecoder(b)
	k := kind{from: string(name)}
	d.Raw(k.through[:])
	k.whole = d.Flag()
	k.draining = d.Flag()
	return k, d.Done(fmt.Sprintf("kind of start %q", name))
}

func (r *run) encode() []byte {
	e := store.NewEncoder(192)
	e.Str(string(r.Status))
	e.Str(string(r.Trigger))
	e.Str(r.StartedBy)
	e.Time(r.StartedAt)
	e.Time(r.FinishedAt)
	e.Time(r.At)
	e.Hash(r.PlanDigest)
	e.Str(string(r.Why))
	e.Num(r.began)
	e.Num(r.ended)
	for _, n := range r.Counts.list() {
		e.Num(*n)
	}
	return e.Bytes()
}

func decodeRun(at id, b []byte) (*run, error) {
	d := store.NewDecoder(b)
	r := &run{id: at}
	r.ID = at.String()
	r.Status = RunStatus(d.Str())
	r.Trigger = Trigger(d.Str())
	r.StartedBy = d.Str()
	r.StartedAt = d.Time()
	r.FinishedAt = d.Time()
	r.At = d.Time()
	r.PlanDigest = d.Hash()
	r.Why = Doubt(d.Str())
	r.began = d.Num()
	r.ended = d.Num()
	for _, n := range r.Counts.list() {
		*n = d.Num()
	}
	return r, d.Done("run " + r.ID)
}

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

func (w *webhook) encode() []byte {
	e := store.NewEncoder(256)
	e.Str(w.URL)
	e.Num(uint64(len(w.Events)))
	for _, pattern := range w.Events {
		e.Str(pattern)
	}
	e.Str(w.Description)
	e.Flag(w.Active)
	e.Str(string(w.DisabledReason))
	e.Time(w.CreatedAt)
	e.Num(w.CreatedSeq)
	e.Num(w.Revision)
	e.Nested(w.secret)
	e.Nested(w.former)
	e.Time(w.until)
	return e.Bytes()
}

func decodeWebhook(at id, b []byte) (*webhook, error) {
	d := store.NewDecoder(b)
	w := &webhook{at: at, Webhook: Webhook{ID: at.String()}}
	w.URL = d.Str()
	if n := d.Count(); n > 0 {
		w.Events = make([]string, n)
		for i := range w.Events {
			w.Events[i] = d.Str()
		}
	}
	w.Description = d.Str()
	w.Active = d.Flag()
	w.DisabledReason = DisabledReason(d.Str())
	w.CreatedAt = d.Time()
	w.CreatedSeq = d.Num()
	w.Revision = d.Num()
	w.secret = append(w.secret, d.Nested()...)
	w.former = append(w.former, d.Nested()...)
	w.until = d.Time()
	if len(w.secret) != secret.SigningKeySize || w.until.IsZero() != (len(w.former) == 0) {
		d.Fail()
	}
	return w, d.Done("webhook " + w.ID)
}
