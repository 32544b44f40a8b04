package replay

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"strongroom/audit"
)

func (a *Accounts) policy(e *entry) error {
	p, err := a.subject(Policies, e, audit.OpPolicyCreated)
	if err != nil {
		return err
	}
	period, startAt := e.word("period"), cmp.Or(e.word("startAt"), "day")
	if period == "" { // what entries told before there were calendar periods
		period = fmt.Sprintf("P%dD", e.number("days"))
	}
	if p.Facts["protect"] == Text("compliance") && (e.Op == audit.OpPolicyDeleted || shorter(period, p.Facts["the period"].text)) {
		return fmt.Errorf("weakens policy %s, which protects by compliance", e.word("policy"))
	}
	if e.Op == audit.OpPolicyDeleted {
		a.remove(Policies, e)
		return nil
	}
	p.Facts["the period"] = Text(period)
	p.Facts["where it starts"] = Text(startAt)
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

// shorter says whether a period is sure to be shorter than another one, of which
// a log tells in the spelling of ISO 8601. What cannot be read is shorter.
func shorter(period, than string) bool {
	_, most, read := daysOf(period)
	least, _, known := daysOf(than)
	return !read || known && most < least
}

// daysOf is how many days a period has at least and at most.
func daysOf(period string) (least, most int, ok bool) {
	rest, ok := strings.CutPrefix(period, "P")
	for ok && rest != "" {
		end := strings.IndexAny(rest, "YMWD")
		if end < 0 {
			return 0, 0, false
		}
		n, err := strconv.Atoi(rest[:end])
		ok = err == nil && n >= 0 && n < 1_000_000
		days := map[byte][2]int{'Y': {365 * n, 366 * n}, 'M': {28 * n, 31 * n}, 'W': {7 * n, 7 * n}, 'D': {n, n}}[rest[end]]
		least, most, rest = least+days[0], most+days[1], rest[end+1:]
	}
	return least, most, ok && period != "P"
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
