package engine

import (
	"fmt"

	"strongroom/audit"
)

// saidRetention is what the entries say of policies and runs.
type saidRetention struct {
	policies map[string]*saidPolicy
	runs     map[string]*saidRun
}

func newSaidRetention() saidRetention {
	return saidRetention{map[string]*saidPolicy{}, map[string]*saidRun{}}
}

type saidPolicy struct {
	Policy
	erased bool // a detail is gone, so name and target are not known
}

type saidRun struct {
	run
	done RunCounts // by its entries about documents
}

func (s *saidRetention) follow(e audit.Entry, told detail) error {
	switch e.Op {
	case audit.OpPolicyCreated, audit.OpPolicyUpdated, audit.OpPolicyDeleted:
		return s.followPolicy(e, told)
	case audit.OpRetentionStarted:
		runID, _ := e.Facts["run"].AsText()
		trigger, _ := e.Facts["trigger"].AsText()
		r := &saidRun{run: run{began: e.Seq, Run: Run{ID: runID, Status: RunRunning, Trigger: Trigger(trigger), StartedAt: e.Time, StartedBy: e.Actor}}}
		plan, _ := e.Facts["plan"].AsText()
		r.PlanDigest.UnmarshalText([]byte(plan))
		s.runs[runID] = r
	case audit.OpRetentionCompleted:
		return s.complete(e)
	}
	return nil
}

func (s *saidRetention) followPolicy(e audit.Entry, told detail) error {
	policyID, _ := e.Facts["policy"].AsText()
	p := s.policies[policyID]
	if (p == nil) != (e.Op == audit.OpPolicyCreated) {
		return fmt.Errorf("%s: policy %s was made before, or never", e.Op, policyID)
	}
	if p != nil && p.Protect == ProtectCompliance {
		if days, _ := e.Facts["days"].AsNumber(); e.Op == audit.OpPolicyDeleted || days < p.PeriodDays {
			return fmt.Errorf("%s: policy %s protects by compliance and was weakened", e.Op, policyID)
		}
	}
	switch e.Op {
	case audit.OpPolicyDeleted:
		delete(s.policies, policyID)
		return nil
	case audit.OpPolicyCreated:
		p = &saidPolicy{Policy: Policy{ID: policyID, CreatedAt: e.Time}}
		s.policies[policyID] = p
	}
	word := func(name string) string { text, _ := e.Facts[name].AsText(); return text }
	p.PeriodDays, _ = e.Facts["days"].AsNumber()
	p.Action, p.Scope, p.StartFrom = Action(word("action")), Scope(word("scope")), word("startFrom")
	p.Protect, p.Enabled = Protect(word("protect")), word("enabled") == "true"
	if _, ok := told.members["name"]; ok {
		p.Name = told.text("name")
	}
	if _, ok := told.members["target"]; ok {
		p.Target = told.text("target")
	}
	p.erased = p.erased || told.erased
	p.UpdatedAt = e.Time
	p.Revision++
	return nil
}

// count takes an entry about a document into account that a run has made.
func (s *saidRetention) count(e audit.Entry) error {
	runID, ok := e.Facts["run"].AsText()
	if !ok {
		return nil
	}
	r := s.runs[runID]
	if r == nil || r.ended != 0 {
		return fmt.Errorf("is of run %s, which did not run then", runID)
	}
	r.done.did(outcomeOf(e))
	return nil
}

func (s *saidRetention) complete(e audit.Entry) error {
	runID, _ := e.Facts["run"].AsText()
	r := s.runs[runID]
	if r == nil || r.ended != 0 {
		return fmt.Errorf("completes run %s, which did not run then", runID)
	}
	status, _ := e.Facts["status"].AsText()
	why, _ := e.Facts["why"].AsText()
	r.Status, r.Why, r.ended, r.FinishedAt = RunStatus(status), Doubt(why), e.Seq, e.Time
	counts := RunCounts{}
	for name, n := range map[string]*uint64{
		"archived": &counts.Archived, "deleted": &counts.Deleted, "erased": &counts.Erased, "failed": &counts.Failed,
		"held": &counts.Held, "locked": &counts.Locked, "protected": &counts.Protected,
	} {
		*n, _ = e.Facts[name].AsNumber()
	}
	r.Counts = counts
	if counts.Archived != r.done.Archived || counts.Deleted != r.done.Deleted || counts.Erased != r.done.Erased {
		return fmt.Errorf("run %s archived %d, deleted %d and erased %d, it says %d, %d and %d", runID,
			r.done.Archived, r.done.Deleted, r.done.Erased, counts.Archived, counts.Deleted, counts.Erased)
	}
	return nil
}

// policies compares every policy with the log.
func (c *checker) policies() error {
	met := map[string]bool{}
	err := c.each(bucketPolicies, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		c.catchUp(t)
		met[id(k).String()] = true
		p, err := decodePolicy(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		for _, row := range policyRows(&p) {
			if t.Get(bucketScopes, row) == nil {
				c.find(0, CodeIndex, "policy %s lacks the index row %q", p.ID, row)
			}
		}
		said, ok := c.said.retention.policies[p.ID]
		if !ok {
			c.find(0, CodeState, "policy %s is not in the log", p.ID)
			return nil
		}
		was := said.Policy
		if said.erased {
			was.Name, was.Target = p.Name, p.Target
		}
		c.differ("policy "+p.ID, member{"all of it", p, was})
		return nil
	})
	for _, known := range sortedKeys(c.said.retention.policies) {
		if !met[known] {
			c.find(0, CodeState, "policy %s of the log is missing", known)
		}
	}
	return err
}

// runs compares every run with the log.
func (c *checker) runs() error {
	met := map[string]bool{}
	err := c.each(bucketRuns, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		c.catchUp(t)
		met[id(k).String()] = true
		r, err := decodeRun(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		said, ok := c.said.retention.runs[r.ID]
		if !ok {
			c.find(0, CodeState, "run %s is not in the log", r.ID)
			return nil
		}
		was := said.run
		was.id, was.At = r.id, r.At // the log does not tell the instant of the plan
		c.differ("run "+r.ID, member{"all of it", *r, was})
		return nil
	})
	for _, known := range sortedKeys(c.said.retention.runs) {
		if !met[known] {
			c.find(0, CodeState, "run %s of the log is missing", known)
		}
	}
	return err
}

// starts finds rows of policies and of starts that say what is not so. That none
// is missing, policies and documents look for.
func (c *checker) starts() error {
	err := c.rows(bucketScopes, 0, func(t *tx, k []byte) error {
		if len(k) < len(id{}) {
			c.find(0, CodeIndex, "a row of policies by scope has the key %x", k)
		} else if p, err := t.policyAt(id(k[len(k)-len(id{}):])); err != nil || !containsRow(policyRows(&p), k) {
			c.find(0, CodeIndex, "the index row %q is of no policy", k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.rows(bucketStarts, 0, func(t *tx, k []byte) error {
		kinds, err := t.kinds()
		if err != nil || len(k) < len(id{}) {
			c.find(0, CodeIndex, "a row of starts has the key %x: %v", k, err)
			return nil
		}
		for _, of := range kinds {
			if prefix := text(of.from); of.draining && len(k) > len(prefix) && string(k[:len(prefix)]) == prefix {
				return nil // it goes
			}
		}
		if d, err := t.documentAt(id(k[len(k)-len(id{}):])); err != nil || !containsRow(startRows(d, kinds), k) {
			c.find(0, CodeIndex, "the row of starts %q is of no document", k)
		}
		return nil
	})
}

// startsOf looks for the rows that a document must have.
func (c *checker) startsOf(t *tx, d *document) {
	kinds, err := t.kinds()
	if err != nil {
		c.find(0, CodeIndex, "the kinds of starts cannot be read: %v", err)
		return
	}
	for _, row := range startRows(d, kinds) {
		if t.Get(bucketStarts, row) == nil {
			c.find(d.AuditSeq, CodeIndex, "%s lacks the row of starts %q", d, row)
		}
	}
}
