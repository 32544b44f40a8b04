package engine

import "fmt"

// The records of retention.

func (p *Policy) encode() []byte {
	e := newEncoder(128)
	e.str(p.Name)
	e.str(string(p.Scope))
	e.str(p.Target)
	e.num(p.PeriodDays)
	e.str(string(p.Action))
	e.str(p.StartFrom)
	e.str(string(p.Protect))
	e.flag(p.Enabled)
	e.time(p.CreatedAt)
	e.time(p.UpdatedAt)
	e.num(p.Revision)
	return e.b
}

func decodePolicy(at id, b []byte) (Policy, error) {
	d := newDecoder(b)
	p := Policy{ID: at.String()}
	p.Name = d.str()
	p.Scope = Scope(d.str())
	p.Target = d.str()
	p.PeriodDays = d.num()
	p.Action = Action(d.str())
	p.StartFrom = d.str()
	p.Protect = Protect(d.str())
	p.Enabled = d.flag()
	p.CreatedAt = d.time()
	p.UpdatedAt = d.time()
	p.Revision = d.num()
	return p, d.done("policy " + p.ID)
}

func (k *kind) encode() []byte {
	e := newEncoder(32)
	e.raw(k.through[:])
	e.flag(k.whole)
	e.flag(k.draining)
	e.time(k.until)
	return e.b
}

func decodeKind(name, b []byte) (kind, error) {
	d := newDecoder(b)
	k := kind{from: string(name)}
	d.raw(k.through[:])
	k.whole = d.flag()
	k.draining = d.flag()
	k.until = d.time()
	return k, d.done(fmt.Sprintf("kind of start %q", name))
}

func (r *run) encode() []byte {
	e := newEncoder(192)
	e.str(string(r.Status))
	e.str(string(r.Trigger))
	e.str(r.StartedBy)
	e.time(r.StartedAt)
	e.time(r.FinishedAt)
	e.time(r.At)
	e.hash(r.PlanDigest)
	e.str(string(r.Why))
	e.num(r.began)
	e.num(r.ended)
	for _, n := range r.Counts.list() {
		e.num(*n)
	}
	return e.b
}

func decodeRun(at id, b []byte) (*run, error) {
	d := newDecoder(b)
	r := &run{id: at}
	r.ID = at.String()
	r.Status = RunStatus(d.str())
	r.Trigger = Trigger(d.str())
	r.StartedBy = d.str()
	r.StartedAt = d.time()
	r.FinishedAt = d.time()
	r.At = d.time()
	r.PlanDigest = d.hash()
	r.Why = Doubt(d.str())
	r.began = d.num()
	r.ended = d.num()
	for _, n := range r.Counts.list() {
		*n = d.num()
	}
	return r, d.done("run " + r.ID)
}
