package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"strongroom/audit"
	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// maxGroup bounds how many callers share a transaction, and with it the time
// one fsync can keep the next group waiting.
const maxGroup = 512

// call is one caller's closures on their way through a group.
type call struct {
	ctx      context.Context
	actor    Actor
	steps    []func(*tx) (audit.Event, error)
	alone    func() error // instead of steps: see exclusive
	corrects bool         // it accepts a clock for which others are refused
	out      outcome
	done     chan struct{} // closed when out stands
	lead     chan struct{} // receives once, if this caller is to lead the next group
}

type outcome struct {
	receipts []Receipt
	err      error
	panicked any // what the closure panicked with; it is raised again in its caller
}

func newCall(ctx context.Context, actor Actor) *call {
	return &call{ctx: ctx, actor: actor, done: make(chan struct{}), lead: make(chan struct{}, 1)}
}

// queue groups callers. Whoever finds nobody leading leads: takes all who
// wait, commits for them, and hands over to the first who came meanwhile. No
// goroutine and no timer: a lone caller commits at once, and the fsync in
// progress is the window in which the next group gathers.
type queue struct {
	mu      sync.Mutex // guards what follows; nothing is called under it
	waiting []*call
	leading bool // somebody leads, or has been told to
}

// submit runs the call in a group and returns when that group is on disk, or
// is known not to be. The caller may withdraw, by its context, until a leader
// has taken the call; then it waits.
func (v *Vault) submit(c *call) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := v.enter(); err != nil {
		return err
	}
	defer v.exit()
	q := &v.queue
	q.mu.Lock()
	q.waiting = append(q.waiting, c)
	lead := !q.leading
	q.leading = true
	q.mu.Unlock()

	if !lead {
		select {
		case <-c.done:
		case <-c.lead:
			lead = true
		case <-c.ctx.Done():
			if q.withdraw(c) {
				return c.ctx.Err()
			}
			select {
			case <-c.done:
			case <-c.lead:
				lead = true
			}
		}
	}
	if lead {
		v.leadGroup()
	}
	if c.out.panicked != nil {
		panic(c.out.panicked)
	}
	return c.out.err
}

// submitEach submits a call for each of some changes that have nothing to do
// with one another. They stand in the queue one behind the other, so they land
// in their order, and in few groups. Nobody else waits for them longer than for
// as many callers.
func (v *Vault) submitEach(ctx context.Context, actor Actor, fns []func(*tx) (audit.Event, error)) ([]error, error) {
	calls := make([]*call, len(fns))
	for i, fn := range fns {
		calls[i] = newCall(ctx, actor)
		calls[i].steps = append(calls[i].steps, fn)
	}
	if err := v.submitCalls(ctx, calls); err != nil {
		return nil, err
	}
	errs := make([]error, len(calls))
	for i, c := range calls {
		errs[i] = c.out.err
	}
	return errs, nil
}

// submitCalls is submitEach for changes of several steps each. What became of
// them stands in the calls.
func (v *Vault) submitCalls(ctx context.Context, calls []*call) error {
	if err := ctx.Err(); err != nil || len(calls) == 0 {
		return err
	}
	if err := v.enter(); err != nil {
		return err
	}
	defer v.exit()
	q := &v.queue
	q.mu.Lock()
	q.waiting = append(q.waiting, calls...)
	lead := !q.leading
	q.leading = true
	q.mu.Unlock()
	if lead {
		v.leadGroup()
	}
	for _, c := range calls {
		select {
		case <-c.done:
		case <-c.lead: // all before c are done, so it is first of its group
			v.leadGroup()
		}
	}
	for _, c := range calls { // when none of them can be told to lead any more
		if c.out.panicked != nil {
			panic(c.out.panicked)
		}
	}
	return nil
}

// withdraw takes c out of the queue, and says whether it was still there. If
// it had been told to lead, the next in line leads instead.
func (q *queue) withdraw(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w != c {
			continue
		}
		q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
		select {
		case <-c.lead:
			q.handOver()
		default:
		}
		return true
	}
	return false
}

// handOver makes the first who waits the leader. Called under q.mu.
func (q *queue) handOver() {
	if len(q.waiting) == 0 {
		q.leading = false
		return
	}
	q.waiting[0].lead <- struct{}{}
}

// leadGroup runs one group and hands over. The next leader begins before the
// members of this group are woken: the disk does not wait for them.
func (v *Vault) leadGroup() {
	q := &v.queue
	q.mu.Lock()
	n := min(len(q.waiting), maxGroup)
	if i := slices.IndexFunc(q.waiting[:n], func(c *call) bool { return c.alone != nil }); i >= 0 {
		n = max(i, 1)
	}
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.mu.Unlock()

	v.runGroup(group)

	q.mu.Lock()
	q.handOver()
	q.mu.Unlock()
	for _, c := range group {
		close(c.done)
	}
}

// runGroup gives every member its outcome. A member that fails after it wrote,
// or panics, has spoilt the transaction for all: it is rolled back and the
// others run again without it, those who were refused too, because what they
// were refused for may have been the work of the one that is gone.
func (v *Vault) runGroup(group []*call) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		// Only bbolt itself can panic here; whatever it was doing, nobody
		// knows how far it came.
		if p := recover(); p != nil {
			if isDamage(p) {
				v.failDamaged(p)
			}
			v.fail(ReasonOutcomeUnknown, fmt.Errorf("panic while committing: %v", p)) // if it was no damage
			settle(group, outcome{err: v.enterError()})
		}
	}()
	if alone := group[0].alone; alone != nil {
		err := v.enterError()
		if err == nil {
			err = alone()
		}
		settle(group, outcome{err: err})
		return
	}
	members := group
	for len(members) > 0 {
		if err := v.enterError(); err != nil {
			settle(members, outcome{err: err})
			return
		}
		spoiler := v.attempt(members)
		if spoiler < 0 {
			return
		}
		rest := append([]*call(nil), members[:spoiler]...)
		members = append(rest, members[spoiler+1:]...)
	}
}

// attempt runs the members in one transaction and commits it. It returns the
// index of the member that spoilt it, or -1.
func (v *Vault) attempt(members []*call) (spoiler int) {
	b, err := v.begin(true)
	if err != nil {
		settle(members, outcome{err: fmt.Errorf("begin writing: %w", err)})
		return -1
	}
	defer v.rollback(b) // does nothing after a commit
	t := &tx{v: v, b: b, now: v.clock.now(), head: v.Head()}
	unwritable := v.clock.unwritable()
	for i, c := range members {
		if unwritable != nil && !c.corrects {
			c.out = outcome{err: unwritable}
			continue
		}
		late := false
		if c.out, late = t.perform(c); late {
			return i
		}
	}
	if !t.dirty {
		return -1
	}
	// Nobody is answered before the commit, not even a refusal, since it may
	// rest on a neighbour's change: if the commit fails, all get the failure.
	if err := v.finish(b); err != nil {
		settle(members, outcome{err: err})
		return -1
	}
	v.landed(t)
	return -1
}

// finish commits. Only the leader may, so that durable rises.
func (v *Vault) finish(b *bbolt.Tx) error {
	if err := v.checkReserve(); err != nil {
		return err
	}
	txid, took := b.ID(), stopwatch()
	if err := v.commit(b); err != nil {
		return v.commitFailed(txid, err)
	}
	v.durable.Store(uint64(txid))
	v.stats.commitTimes.Observe(took().Seconds())
	return nil
}

// exclusive runs fn in its turn while nobody else writes. It is for what
// changes nothing that the log tells of: fn begins transactions of its own, and
// ends them with finish.
func (v *Vault) exclusive(ctx context.Context, fn func() error) error {
	c := newCall(ctx, System())
	c.alone = fn
	return v.submit(c)
}

// perform runs one member's steps, unless its caller went away before it was its
// turn. late says that the transaction holds writes that must not be committed.
func (t *tx) perform(c *call) (out outcome, late bool) {
	defer func() {
		if p := recover(); p != nil {
			out, late = outcome{panicked: p}, true
			if isDamage(p) {
				t.v.failDamaged(p)
				out = outcome{err: t.v.enterError()}
				return
			}
			t.v.stats.lateFailures.Add(1)
		}
	}()
	err := c.ctx.Err()
	if err == nil {
		err = t.admit(c.actor)
	}
	if err != nil {
		return outcome{err: err}, false
	}
	wrote := false // in an earlier step, whose entry must not stand alone
	for _, fn := range c.steps {
		r, late, err := t.step(fn)
		if late {
			t.v.stats.lateFailures.Add(1)
		}
		if err != nil {
			return outcome{err: err}, late || wrote
		}
		wrote = wrote || t.wrote
		out.receipts = append(out.receipts, r)
	}
	return out, false
}

func settle(members []*call, out outcome) {
	for _, c := range members {
		c.out = out
	}
}

// landed publishes what a commit made true: first the head, then whoever waits
// for entries.
func (v *Vault) landed(t *tx) {
	v.clock.moved(t.now)
	v.stats.commits.Add(1)
	changes := t.head.Seq - v.Head().Seq
	v.stats.changes.Add(changes)
	v.stats.groups.Observe(float64(changes))
	v.journal.move(t.head)
}

// commitFailed decides what a failed commit means. For lack of space, and if
// neither meta page names the transaction, it did not happen: bbolt has gone
// back to the state before, and the vault goes on. Anything else has an unknown
// outcome (an fsync that failed may have written, and a later one that
// succeeds would not tell), so nothing read from memory can be trusted to be
// on disk: the vault stops until it is opened again.
func (v *Vault) commitFailed(txid int, cause error) error {
	if blobstore.IsNoSpace(cause) {
		if landed, err := metaNames(v.db.Path(), v.db.Info().PageSize, uint64(txid)); err == nil && !landed {
			return fmt.Errorf("%w: %w", ErrNoSpace, cause)
		}
	}
	v.fail(ReasonOutcomeUnknown, cause)
	return v.enterError()
}
