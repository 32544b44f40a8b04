package engine

import (
	"fmt"

	"strongroom/engine/internal/store"
)

// The records of retention.

func (p *Policy) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(p.Name)
	e.Str(string(p.Scope))
	e.Str(p.Target)
	e.Num(p.PeriodDays)
	e.Str(string(p.Action))
	e.Str(p.StartFrom)
	e.Str(string(p.Protect))
	e.Flag(p.Enabled)
	e.Time(p.CreatedAt)
	e.Time(p.UpdatedAt)
	e.Num(p.Revision)
	return e.Bytes()
}

func decodePolicy(at id, b []byte) (Policy, error) {
	d := store.NewDecoder(b)
	p := Policy{ID: at.String()}
	p.Name = d.Str()
	p.Scope = Scope(d.Str())
	p.Target = d.Str()
	p.PeriodDays = d.Num()
	p.Action = Action(d.Str())
	p.StartFrom = d.Str()
	p.Protect = Protect(d.Str())
	p.Enabled = d.Flag()
	p.CreatedAt = d.Time()
	p.UpdatedAt = d.Time()
	p.Revision = d.Num()
	return p, d.Done("policy " + p.ID)
}

func (k *kind) encode() []byte {
	e := store.NewEncoder(32)
	e.Raw(k.through[:])
	e.Flag(k.whole)
	e.Flag(k.draining)
	e.Time(k.until)
	return e.Bytes()
}

func decodeKind(name, b []byte) (kind, error) {
	d := store.NewDecoder(b)
	k := kind{from: string(name)}
	d.Raw(k.through[:])
	k.whole = d.Flag()
	k.draining = d.Flag()
	k.until = d.Time()
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
