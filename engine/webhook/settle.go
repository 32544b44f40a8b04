package webhook

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/engine"
)

const (
	// refusals is how often an entry must have failed before another is tried in
	// its stead.
	refusals = 3
	// maxAside bounds how many entries are set aside. Beyond it all wait.
	maxAside = 100
)

// attempt sends an event. It is false if that was broken off because the program
// stops: then nothing is known, and nothing is kept.
func (e *endpoint) attempt(r *running, target engine.WebhookTarget, i *item) (outcome, bool, error) {
	event, err := i.spelled()
	if err != nil {
		return outcome{}, false, err
	}
	end, err := e.d.pace.take(r.ctx)
	if err != nil {
		return outcome{}, false, nil
	}
	defer end()
	o := e.d.client.attempt(r.attempts, event, target)
	return o, o.delivered() || r.attempts.Err() == nil, nil
}

// tell tries the entry that is next.
func (e *endpoint) tell(r *running, target engine.WebhookTarget, i *item) error {
	o, known, err := e.attempt(r, target, i)
	if !known {
		return err
	}
	return e.disable(r, target, e.settle(i, o))
}

// settle records what became of the entry that is next, and returns why the
// webhook is to be disabled, if it is.
func (e *endpoint) settle(i *item, o outcome) (reason engine.DisabledReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &e.place
	e.refused = o.refused()
	d := o.delivery(i.seq, string(i.op), p.Failures+1)
	if o.delivered() {
		p.answered(i.seq, o)
	} else if reason = p.failed(o); reason == "" {
		d.NextAttemptAt = shown(p.Next)
	}
	e.note(d)
	return reason
}

// answered moves on.
func (p *place) answered(seq uint64, o outcome) {
	p.Cursor = max(p.Cursor, seq)
	p.Failures, p.Next, p.Failing, p.Last = 0, time.Time{}, time.Time{}, o.at
}

// failed waits, unless it is enough.
func (p *place) failed(o outcome) (reason engine.DisabledReason) {
	if p.Failing.IsZero() || o.at.Sub(p.Last) > longestWait+time.Hour { // when nothing was tried, nothing failed
		p.Failing = o.at
	}
	p.Failures++
	p.Last, p.Next = o.at, o.at.Add(delay(p.Failures, o.asked))
	switch {
	case o.gone():
		return engine.DisabledGone
	case o.at.Sub(p.Failing) >= giveUp:
		return engine.DisabledFailing
	}
	return ""
}

// mayProbe says whether the entry after the first may be tried: the endpoint
// refuses the first again and again, so perhaps it would have others. The caller
// holds mu.
func (e *endpoint) mayProbe() bool {
	return e.refused && e.place.Failures >= refusals && len(e.place.Aside) < maxAside
}

// probe tries the second entry. If it is taken, the first is set aside: it is
// tried by itself, from the schedule's beginning.
func (e *endpoint) probe(r *running, target engine.WebhookTarget, first, second *item) error {
	o, known, err := e.attempt(r, target, second)
	if !known {
		return err
	}
	return e.disable(r, target, e.settleProbe(first, second, o))
}

func (e *endpoint) settleProbe(first, second *item, o outcome) (reason engine.DisabledReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &e.place
	e.refused = false
	d := o.delivery(second.seq, string(second.op), 1)
	switch {
	case o.delivered():
		p.Aside = append(slices.Clone(p.Aside), aside{Seq: first.seq, Attempts: p.Failures, Next: o.at.Add(delays[0])})
		p.answered(second.seq, o)
	case o.gone():
		reason = engine.DisabledGone
	default:
		d.NextAttemptAt = shown(p.Next)
	}
	e.note(d)
	return reason
}

// retry tries an entry that was set aside.
func (e *endpoint) retry(r *running, target engine.WebhookTarget, set aside) error {
	entry, err := e.d.v.Entry(r.ctx, set.Seq)
	if err != nil {
		return fmt.Errorf("entry %d: %w", set.Seq, err)
	}
	i := newItem(e.d.v.ID(), entry)
	o, known, err := e.attempt(r, target, i)
	if !known {
		return err
	}
	return e.disable(r, target, e.settleAside(i, set, o))
}

func (e *endpoint) settleAside(i *item, set aside, o outcome) (reason engine.DisabledReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &e.place
	d := o.delivery(set.Seq, string(i.op), set.Attempts+1)
	set.Attempts++
	set.Failures++
	p.Aside = slices.DeleteFunc(slices.Clone(p.Aside), func(a aside) bool { return a.Seq == set.Seq })
	switch {
	case o.delivered():
		p.Failing, p.Last = time.Time{}, o.at
	case o.gone():
		reason = engine.DisabledGone
		p.Aside = append(p.Aside, set)
	case set.Failures < uint64(len(delays)):
		set.Next = o.at.Add(delay(set.Failures+1, o.asked))
		d.NextAttemptAt = shown(set.Next)
		p.Aside = append(p.Aside, set)
	}
	e.note(d)
	return reason
}

// disable takes the webhook out of service, if it is still the one that was
// delivered to.
func (e *endpoint) disable(r *running, target engine.WebhookTarget, reason engine.DisabledReason) error {
	if reason == "" {
		return nil
	}
	_, _, err := e.d.v.LogReader().DisableWebhook(r.attempts, engine.System(), e.id, engine.Condition{IfMatch: engine.Match{target.Revision}}, reason)
	if errors.Is(err, engine.ErrPrecondition) || errors.Is(err, engine.ErrWebhookNotFound) {
		return nil
	}
	return err
}

// shown is a time as it is shown.
func shown(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
