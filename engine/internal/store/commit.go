package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"strongroom/audit"
)

// MaxGroup bounds how many callers share a transaction, and with it the time
// one fsync can keep the next group waiting.
const MaxGroup = 512

// Call is one caller's steps on their way through a group: one transaction, an
// entry each, all or nothing. Ctx and Steps are the caller's to set.
type Call struct {
	Ctx   context.Context
	Steps []Step
	// AcceptsClock lets the call through although the clock is too far behind
	// the log for others: it is the one that says so.
	AcceptsClock bool

	// Heads is, when the call has landed, where the log stood after each step:
	// its entry. Zero for a step that changed nothing.
	Heads []audit.Head
	Err   error // what became of it

	alone    func() error  // instead of steps: see exclusive
	panicked any           // what a step panicked with; it is raised again in its caller
	done     chan struct{} // closed when the outcome stands
	lead     chan struct{} // receives once, if this caller is to lead the next group
}

func (c *Call) begin() {
	c.done, c.lead = make(chan struct{}), make(chan struct{}, 1)
}

// queue groups callers. Whoever finds nobody leading leads: takes all who
// wait, commits for them, and hands over to the first who came meanwhile. No
// goroutine and no timer: a lone caller commits at once, and the fsync in
// progress is the window in which the next group gathers.
type queue struct {
	mu      sync.Mutex // guards what follows; nothing is called under it
	waiting []*Call
	leading bool // somebody leads, or has been told to
}

// Submit runs the call in a group and returns its error when that group is on
// disk, or is known not to be. The caller may withdraw, by its context, until a
// leader has taken the call; then it waits. ErrNoSpace, ErrFollower, *UnavailableError, the
// context's error, ErrBreach, and whatever a step returned.
func (s *Store) Submit(c *Call) error {
	if err := c.Ctx.Err(); err != nil {
		return err
	}
	if s.follow && c.alone == nil {
		return ErrFollower
	}
	if err := s.Enter(); err != nil {
		return err
	}
	defer s.Exit()
	return s.submit(c)
}

// submit is Submit for who shares life already.
func (s *Store) submit(c *Call) error {
	c.begin()
	q := &s.queue
	lead := q.join(c)
	if !lead {
		select {
		case <-c.done:
		case <-c.lead:
			lead = true
		case <-c.Ctx.Done():
			if q.withdraw(c) {
				return c.Ctx.Err()
			}
			select {
			case <-c.done:
			case <-c.lead:
				lead = true
			}
		}
	}
	if lead {
		s.leadGroup()
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.Err
}

// SubmitEach submits calls that have nothing to do with one another. They stand
// in the queue one behind the other, so they land in their order, and in few
// groups. Nobody else waits for them longer than for as many callers. What
// became of them stands in the calls; the error says that none was submitted.
func (s *Store) SubmitEach(ctx context.Context, calls []*Call) error {
	if err := ctx.Err(); err != nil || len(calls) == 0 {
		return err
	}
	if s.follow {
		return ErrFollower
	}
	if err := s.Enter(); err != nil {
		return err
	}
	defer s.Exit()
	for _, c := range calls {
		c.begin()
	}
	if s.queue.join(calls...) {
		s.leadGroup()
	}
	for _, c := range calls {
		select {
		case <-c.done:
		case <-c.lead: // all before c are done, so it is first of its group
			s.leadGroup()
		}
	}
	for _, c := range calls { // when none of them can be told to lead any more
		if c.panicked != nil {
			panic(c.panicked)
		}
	}
	return nil
}

// join adds calls at the end, and says whether their caller leads.
func (q *queue) join(calls ...*Call) (lead bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, calls...)
	lead = !q.leading
	q.leading = true
	return lead
}

// withdraw takes c out of the queue, and says whether it was still there. If
// it had been told to lead, the next in line leads instead.
func (q *queue) withdraw(c *Call) bool {
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
func (s *Store) leadGroup() {
	q := &s.queue
	q.mu.Lock()
	n := min(len(q.waiting), MaxGroup)
	if i := slices.IndexFunc(q.waiting[:n], func(c *Call) bool { return c.alone != nil }); i >= 0 {
		n = max(i, 1)
	}
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.mu.Unlock()

	s.runGroup(group)

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
func (s *Store) runGroup(group []*Call) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		// Only bbolt itself can panic here; whatever it was doing, nobody
		// knows how far it came.
		if p := recover(); p != nil {
			if isDamage(p) {
				s.failDamaged(p)
			}
			s.Stop(ReasonOutcomeUnknown, fmt.Errorf("panic while committing: %v", p)) // if it was no damage
			failAll(group, s.Ready())
		}
	}()
	if alone := group[0].alone; alone != nil {
		err := s.Ready()
		if err == nil {
			err = alone()
		}
		failAll(group, err)
		return
	}
	s.runMembers(group, true)
}

// runMembers attempts until nobody spoils it for the others.
func (s *Store) runMembers(members []*Call, land bool) {
	for len(members) > 0 {
		if err := s.Ready(); err != nil {
			failAll(members, err)
			return
		}
		took, spoiler := s.attempt(members, land)
		if spoiler < 0 {
			members = members[took:]
			continue
		}
		rest := append([]*Call(nil), members[:spoiler]...)
		members = append(rest, members[spoiler+1:]...)
	}
}

// largestSet bounds what the members of a group write together, in bytes, with the
// uploads that they carry.
const largestSet = 8 << 20

// attempt runs members in one transaction and commits it, if it is to land: all of
// them, or as many as have their outcome then. It returns how many that are, and the index of the member that
// spoilt it, or -1.
func (s *Store) attempt(members []*Call, land bool) (took, spoiler int) {
	if err := s.shorten(); err != nil {
		failAll(members, err)
		return len(members), -1
	}
	b, err := s.begin(true)
	if err != nil {
		failAll(members, fmt.Errorf("begin writing: %w", err))
		return len(members), -1
	}
	defer s.rollback(b) // does nothing after a commit
	t := &Tx{s: s, b: b, now: s.Clock.Now(), head: s.Head(), set: s.set}
	t.set.Reset()
	unwritable := s.Clock.Unwritable()
	for i := 0; i < len(members); i++ {
		c := members[i]
		if unwritable != nil && !c.AcceptsClock {
			c.settle(nil, unwritable)
			continue
		}
		if late := t.perform(c); late {
			return 0, i
		}
		if land && t.set.Size() > largestSet {
			members = members[:i+1]
		}
	}
	if !t.dirty || !land {
		return len(members), -1
	}
	if s.beyond(t) {
		s.rollback(b)
		if err := s.widen(); err != nil {
			failAll(members, err)
			return len(members), -1
		}
		return 0, -1
	}
	// Nobody is answered before the commit, not even a refusal, since it may
	// rest on a neighbour's change: if the commit fails, all get the failure.
	if err := s.finish(t); err != nil {
		failAll(members, err)
		return len(members), -1
	}
	s.landed(t)
	return len(members), -1
}

// Try runs calls as SubmitEach does, each seeing what those before it did, and
// rolls all of it back: what became of them, in Err, is what would, and nothing is
// written. Of Heads nothing is true. It waits for its turn as a writer does, since
// only a writer's transaction can try a step.
func (s *Store) Try(ctx context.Context, calls []*Call) error {
	err := s.exclusive(ctx, func() error {
		s.runMembers(calls, false)
		return nil
	})
	for _, c := range calls {
		if c.panicked != nil {
			panic(c.panicked)
		}
	}
	return err
}

// exclusive runs fn in its turn while nobody else writes. It is for what
// changes nothing that the log tells of: fn begins transactions of its own, and
// ends them with finishUnlogged.
func (s *Store) exclusive(ctx context.Context, fn func() error) error {
	return s.Submit(&Call{Ctx: ctx, alone: fn})
}

// perform runs one member's steps, unless its caller went away before it was its
// turn. late says that the transaction holds writes that must not be committed.
func (t *Tx) perform(c *Call) (late bool) {
	defer func() {
		if p := recover(); p != nil {
			late = true
			if isDamage(p) {
				t.s.failDamaged(p)
				c.settle(nil, t.s.Ready())
				return
			}
			c.settle(nil, nil)
			c.panicked = p
			t.s.Stats.LateFailures.Add(1)
		}
	}()
	if err := c.Ctx.Err(); err != nil {
		c.settle(nil, err)
		return false
	}
	heads := make([]audit.Head, 0, len(c.Steps))
	wrote := false // in an earlier step, whose entry must not stand alone
	for _, step := range c.Steps {
		head, late, err := t.run(step)
		if late {
			t.s.Stats.LateFailures.Add(1)
		}
		if err != nil {
			c.settle(nil, err)
			return late || wrote
		}
		wrote = wrote || t.step.wrote
		heads = append(heads, head)
	}
	c.settle(heads, nil)
	return false
}

// settle says what became of a call. It may be said again: by the commit, or by
// another attempt.
func (c *Call) settle(heads []audit.Head, err error) { c.Heads, c.Err = heads, err }

func failAll(members []*Call, err error) {
	for _, c := range members {
		c.settle(nil, err)
	}
}

// landed publishes what a commit made true: first the head, then whoever waits
// for entries.
func (s *Store) landed(t *Tx) {
	s.Clock.moved(t.now)
	if t.trust {
		s.Clock.Trust()
	}
	s.Stats.Commits.Add(1)
	changes := t.head.Seq - s.Head().Seq
	s.Stats.Changes.Add(changes)
	s.Stats.Groups.Observe(float64(changes))
	s.journal.move(t.head)
}
