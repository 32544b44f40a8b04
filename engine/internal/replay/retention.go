package replay

import (
	"fmt"

	"strongroom/audit"
)

func (a *Accounts) policy(e *entry) error {
	p, err := a.subject(Policies, e, audit.OpPolicyCreated)
	if err != nil {
		return err
	}
	days := e.number("days")
	if p.Facts["protect"] == Text("compliance") && (e.Op == audit.OpPolicyDeleted || days < uint64(p.Facts["the period in days"].number)) {
		return fmt.Errorf("weakens policy %s, which protects by compliance", e.word("policy"))
	}
	if e.Op == audit.OpPolicyDeleted {
		a.remove(Policies, e)
		return nil
	}
	p.Facts["the period in days"] = Number(days)
	p.Facts["the action"] = Text(e.word("action"))
	p.Facts["the scope"] = Text(e.word("scope"))
	p.Facts["the start"] = Text(e.word("startFrom"))
	p.Facts["protect"] = Text(e.word("protect"))
	p.Facts["enabled"] = Flag(e.flag("enabled"))
	e.tell(p, "name", "the name", "target", "the target")
	if target, err := audit.Unescape(e.word("target")); err == nil && target != "" {
		p.Texts["the target"] = Text(target)
	}
	e.changed(p)
	return nil
}

// done is what a run has done so far, by its entries about documents.
type done struct{ archived, deleted, erased uint64 }

// count takes an entry about a document into account that a run has made.
func (a *Accounts) count(e audit.Entry) error {
	run, ok := e.Facts["run"].AsText()
	if !ok {
		return nil
	}
	d := a.running[run]
	if d == nil {
		return fmt.Errorf("is of run %q, which did not run then", run)
	}
	right, _ := e.Facts["right"].AsText()
	switch {
	case e.Op == audit.OpDocumentArchived:
		d.archived++
	case right == "erasure":
		d.erased++
	default:
		d.deleted++
	}
	return nil
}

func (a *Accounts) started(e *entry) error {
	r, err := a.made(Runs, e)
	if err != nil {
		return err
	}
	a.running[e.word("run")] = &done{}
	if e.word("clock") != "" {
		delete(a.Vault.Facts, ClockDoubted)
	}
	r.Facts["the status"] = Text("running")
	r.Facts["the trigger"] = Text(e.word("trigger"))
	r.Facts["started at"] = Time(e.Time)
	r.Facts["started by"] = Text(e.Actor)
	r.Facts["the plan"] = Text(e.word("plan"))
	r.Facts[PlannedAt] = e.time("at")
	r.Facts["its first entry"] = Number(e.Seq)
	return nil
}

// completed takes the end of a run, whose counts must be those of its entries.
func (a *Accounts) completed(e *entry) error {
	r, err := a.known(Runs, e)
	if err != nil {
		return err
	}
	name := e.word("run")
	did := a.running[name]
	if did == nil {
		return fmt.Errorf("completes run %q, which did not run then", name)
	}
	delete(a.running, name)
	r.Facts["the status"] = Text(e.word("status"))
	r.Facts["why it was refused"] = Text(e.word("why"))
	r.Facts["its last entry"] = Number(e.Seq)
	r.Facts["finished at"] = Time(e.Time)
	for _, count := range []string{"archived", "deleted", "erased", "failed", "held", "locked", "protected"} {
		r.Facts[count] = Number(e.number(count))
	}
	says := done{e.number("archived"), e.number("deleted"), e.number("erased")}
	if *did != says {
		return fmt.Errorf("run %s archived %d, deleted %d and erased %d, it says %d, %d and %d", name,
			did.archived, did.deleted, did.erased, says.archived, says.deleted, says.erased)
	}
	return nil
}
