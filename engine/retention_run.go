package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// Run is one run of retention: the plan of an instant, and what has become of it.
type Run struct {
	ID         string
	Status     RunStatus
	Trigger    Trigger
	StartedBy  string    // who: system for one on schedule
	StartedAt  time.Time // when it was recorded
	FinishedAt time.Time // zero while it runs
	At         time.Time // the instant of the plan: what was due then
	PlanDigest audit.Hash
	Why        Doubt // why it was refused
	Counts     RunCounts
}

// RunStatus is how far a run has come.
type RunStatus string

const (
	RunRunning   RunStatus = "running"   // Sweep has yet to end it
	RunCompleted RunStatus = "completed" // all that was due was dealt with
	RunRefused   RunStatus = "refused"   // the clock could not be trusted: it did nothing, or nothing more
)

// Trigger is why a run was started.
type Trigger string

const (
	TriggerSchedule Trigger = "schedule" // Settings.RetentionRunAt had come
	TriggerManual   Trigger = "manual"   // somebody called StartRun
)

// RunCounts says how many documents a run dealt with. While it runs, they are
// zero.
type RunCounts struct {
	Archived, Deleted       uint64
	Erased                  uint64 // for erasures that were deferred
	Held, Locked, Protected uint64 // left alone for that reason
	Failed                  uint64 // not as planned any more, or not possible
}

// list has the counts in the order in which they are stored.
func (c *RunCounts) list() []*uint64 {
	return []*uint64{&c.Archived, &c.Deleted, &c.Erased, &c.Held, &c.Locked, &c.Protected, &c.Failed}
}

// left counts a document that was left alone.
func (c *RunCounts) left(why Result) {
	switch why {
	case ResultHeld:
		c.Held++
	case ResultLocked:
		c.Locked++
	case ResultProtected:
		c.Protected++
	default:
		c.Failed++
	}
}

func (c *RunCounts) did(o Outcome) {
	switch o.Outcome {
	case ResultArchived:
		c.Archived++
	case ResultDeleted:
		c.Deleted++
	case ResultErased:
		c.Erased++
	}
}

func (c RunCounts) facts() audit.Facts {
	return audit.Facts{
		"archived": audit.Number(c.Archived), "deleted": audit.Number(c.Deleted), "erased": audit.Number(c.Erased), "failed": audit.Number(c.Failed),
		"held": audit.Number(c.Held), "locked": audit.Number(c.Locked), "protected": audit.Number(c.Protected),
	}
}

// run is a Run as stored.
type run struct {
	Run
	id    id
	began uint64 // seq of retention.started
	ended uint64 // seq of retention.completed; 0 while it runs
}

// NewRun describes a run to be started by hand.
type NewRun struct {
	// PlanDigest binds the run to that plan: ErrPlanChanged if there would be
	// another. Nil binds it to none.
	PlanDigest *audit.Hash
	// AcceptClock goes on although the clock cannot be trusted; it needs a Reason.
	AcceptClock bool
	Reason      string
}

// StartRun plans a run and records that it has started; Sweep works it off, and
// Due says that there is something for it to do. It needs admin access. While a
// run is not completed, it is returned instead of another.
//
// A run that has come upon a clock it cannot trust is recorded as refused. To accept
// the clock may need two: *NeedsTwoError.
func (v *Vault) StartRun(ctx context.Context, actor Actor, n NewRun) (Run, Receipt, error) {
	if err := n.check(); err != nil {
		return Run{}, Receipt{}, err
	}
	if err := v.mayAsk(actor, AccessAdmin); err != nil {
		return Run{}, Receipt{}, err
	}
	if err := v.acceptingNeedsTwo(actor, n); err != nil {
		return Run{}, Receipt{}, err
	}
	v.planning.Lock()
	defer v.planning.Unlock()
	if running, err := v.unfinished(); err != nil || running != nil {
		if err == nil && n.PlanDigest != nil && running.PlanDigest != *n.PlanDigest {
			return Run{}, Receipt{}, ErrPlanChanged
		}
		return running.value(), Receipt{}, err
	}
	doubt, err := v.doubt()
	if err != nil {
		return Run{}, Receipt{}, err
	}
	if doubt != "" && !n.AcceptClock {
		return v.refuseRun(ctx, actor, TriggerManual, doubt)
	}
	return v.startRun(ctx, actor, TriggerManual, n)
}

func (n *NewRun) check() error {
	var c checks
	n.Reason = check.Trim(n.Reason)
	c.Prose("reason", n.Reason, check.MaxComment)
	if n.AcceptClock && n.Reason == "" {
		c.Fail("reason", "must say why the clock can be trusted")
	}
	return c.err()
}

// acceptingNeedsTwo guards a run that accepts the clock, before it is planned; it is
// asked again when the run is recorded.
func (v *Vault) acceptingNeedsTwo(actor Actor, n NewRun) error {
	if !n.AcceptClock {
		return nil
	}
	_, err := view(v, func(t *tx) (struct{}, error) {
		t.actor = actor
		return struct{}{}, t.needsTwo(CoveredPolicyWeaken, new(runStart(n)))
	})
	return err
}

// mayAsk is the guard of reads that cost much; what they lead to asks again.
func (v *Vault) mayAsk(actor Actor, required Access) error {
	_, err := view(v, func(t *tx) (struct{}, error) {
		err := t.admit(actor)
		if err == nil {
			err = t.may(required)
		}
		return struct{}{}, err
	})
	return err
}

// startRun makes the plan and records the run. Called under planning. The plan
// is on disk before the run is recorded, for it is what the run works off after
// a crash.
func (v *Vault) startRun(ctx context.Context, actor Actor, trigger Trigger, n NewRun) (Run, Receipt, error) {
	at := v.store.Clock.Sure(v.store.Clock.Now(), false) // who accepts a clock that is doubted vouches for it
	if n.PlanDigest != nil {
		at = v.previews.at(*n.PlanDigest, at)
	}
	p, err := v.newPlanner(ctx, at, supposed{})
	if err != nil {
		return Run{}, Receipt{}, err
	}
	plan, err := v.writePlan(ctx, p)
	if err != nil {
		return Run{}, Receipt{}, fmt.Errorf("plan a run of retention: %w", err)
	}
	if n.PlanDigest != nil && plan.digest != *n.PlanDigest {
		return Run{}, Receipt{}, errors.Join(ErrPlanChanged, v.dropPlans())
	}
	r := &run{Run: Run{Status: RunRunning, Trigger: trigger, At: at, PlanDigest: plan.digest}}
	start := func(t *tx) (Run, audit.Event, error) { return t.recordStart(r, n) }
	ended, err := v.deferralsEnded()
	if err != nil {
		return Run{}, Receipt{}, err
	}
	if plan.lines > 0 || ended || n.AcceptClock { // with the doubt, deferrals end that it was the reason of
		out, receipt, err := update(v, ctx, actor, start)
		if err == nil {
			v.signalDue()
		}
		return out, receipt, err
	}
	// Nothing is due, as on most days: one transaction.
	return v.recordBoth(ctx, actor, r, start)
}

// refuseRun records a run that did nothing.
func (v *Vault) refuseRun(ctx context.Context, actor Actor, trigger Trigger, why Doubt) (Run, Receipt, error) {
	r := &run{Run: Run{Status: RunRefused, Trigger: trigger, At: v.store.Clock.Now(), PlanDigest: emptyPlan(), Why: why}}
	return v.recordBoth(ctx, actor, r, func(t *tx) (Run, audit.Event, error) { return t.recordStart(r, NewRun{}) })
}

func (v *Vault) recordBoth(ctx context.Context, actor Actor, r *run, start func(*tx) (Run, audit.Event, error)) (Run, Receipt, error) {
	out, receipts, err := updateAll(v, ctx, actor, start, func(t *tx) (Run, audit.Event, error) {
		recorded, err := t.lastRun()
		if err != nil {
			return Run{}, audit.Event{}, err
		}
		return t.recordEnd(recorded, RunCounts{})
	})
	if err != nil {
		return Run{}, Receipt{}, err
	}
	return out[1], receipts[0], nil
}

func (t *tx) recordStart(r *run, n NewRun) (Run, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Run{}, audit.Event{}, err
	}
	key, err := t.newRunID()
	if err != nil {
		return Run{}, audit.Event{}, err
	}
	started := *r
	started.id, started.ID, started.began = key, key.String(), t.Seq()
	started.StartedAt, started.StartedBy = t.Now(), t.actor.UserID
	t.Put(bucketRuns, key[:], started.encode())
	facts := audit.Facts{
		"at": audit.Text(audit.FormatTime(r.At)), "plan": audit.Text(r.PlanDigest.String()), "run": audit.Text(started.ID), "trigger": audit.Text(string(r.Trigger)),
	}
	if n.AcceptClock {
		if err := t.needsTwo(CoveredPolicyWeaken, new(runStart(n))); err != nil {
			return Run{}, audit.Event{}, err
		}
		t.endDoubt(facts)
	}
	detail := detailMembers{}
	detail.text("reason", n.Reason)
	return started.Run, audit.Event{Op: audit.OpRetentionStarted, Detail: encodeDetail(detail), Facts: facts}, nil
}

// newRunID is behind the last run's, which an id need not be that was issued in
// the same millisecond before the vault was opened anew: lastRun counts on it.
func (t *tx) newRunID() (id, error) {
	key, err := t.NewID()
	if err != nil {
		return key, err
	}
	last, err := t.lastRun()
	if err == nil && last != nil && bytes.Compare(key[:], last.id[:]) <= 0 {
		key, _ = last.id.Beside(false)
	}
	return key, err
}

// recordEnd completes a run, or refuses it for the doubt there is.
func (t *tx) recordEnd(r *run, counts RunCounts) (Run, audit.Event, error) {
	done := *r
	if done.Status = RunCompleted; done.Why != "" {
		done.Status = RunRefused
	}
	done.Counts, done.FinishedAt, done.ended = counts, t.Now(), t.Seq()
	t.Put(bucketRuns, done.id[:], done.encode())
	facts := counts.facts()
	facts["plan"], facts["run"] = audit.Text(r.PlanDigest.String()), audit.Text(r.ID)
	facts["status"] = audit.Text(string(done.Status))
	if done.Why != "" {
		facts["why"] = audit.Text(string(done.Why))
	}
	return done.Run, audit.Event{Op: audit.OpRetentionCompleted, Facts: facts}, nil
}
