package engine

import (
	"context"
	"errors"
	"os"
	"slices"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// workBatch is how many documents of a plan are dealt with between two looks at
// whether to stop: as many as share a transaction.
const workBatch = store.MaxGroup

// workOff brings the run that is not completed to its end. It makes one change
// for each document of the run's plan. Then it makes one for each document whose
// erasure was deferred and need not wait any longer. A run may be cut off and
// begin anew as often as it likes: what it has done is found done, so each
// document is dealt with once. On a clock that cannot be trusted the run ends as
// refused, with what it has done.
func (v *Vault) workOff(ctx context.Context) error {
	r, err := v.unfinished()
	if err != nil || r == nil {
		return err
	}
	w := &worker{v: v, run: r}
	err = v.readPlan(r.PlanDigest, workBatch, func(lines []planLine) error { return w.carryOut(ctx, lines) })
	if err == nil {
		err = w.eraseDeferred(ctx)
	}
	switch {
	case errors.Is(err, errRunWaits):
		return w.close()
	case errors.Is(err, errRunDoubts):
		err = nil
	}
	if err == nil {
		err = w.recall()
	}
	if err = errors.Join(err, w.close()); err != nil {
		return err
	}
	v.planning.Lock()
	defer v.planning.Unlock()
	if _, _, err := update(v, ctx, System(), func(t *tx) (Run, audit.Event, error) { return t.recordEnd(r, w.counts) }); err != nil {
		return err
	}
	return errors.Join(v.dropPlans(), v.dropLeft())
}

var (
	errRunWaits  = errors.New("the vault is paused, and the run waits")
	errRunDoubts = errors.New("the clock cannot be trusted, and the run ends")
)

// mayGoOn is asked before every batch. An admin may pause the vault at any time,
// to stop a run on schedule. Somebody may set the clock, or may have set it while
// the vault was closed. Who starts a run and accepts the clock has done so before
// planning is unlocked.
func (w *worker) mayGoOn(ctx context.Context) error {
	w.v.planning.Lock()
	defer w.v.planning.Unlock()
	paused, err := w.paused()
	if err == nil && paused {
		err = errRunWaits
	}
	if err = errors.Join(ctx.Err(), err); err != nil {
		return err
	}
	if w.run.Why, err = w.v.doubt(); err == nil && w.run.Why != "" {
		err = errRunDoubts
	}
	return err
}

// paused says whether the run waits because the vault is paused.
func (w *worker) paused() (bool, error) {
	return view(w.v, func(t *tx) (bool, error) {
		s, err := t.settings()
		return s.Paused && w.run.Trigger == TriggerSchedule, err
	})
}

// eraseDeferred comes last, so that what is due by a policy goes by the policy.
func (w *worker) eraseDeferred(ctx context.Context) error {
	if err := w.mayGoOn(ctx); err != nil {
		return err
	}
	return w.v.eraseDeferred(ctx, w.run)
}

// worker works one run off.
type worker struct {
	v      *Vault
	run    *run
	counts RunCounts
	left   *os.File // nil until something is left alone
	text   []byte
}

// lineOutcome is what became of a line, and what a document leaves.
type lineOutcome struct {
	because Result // ResultDue if it was done
	gone    disposal
}

// carryOut does what the lines say, each in a change of its own, and writes down
// what was left alone.
func (w *worker) carryOut(ctx context.Context, lines []planLine) error {
	if err := w.mayGoOn(ctx); err != nil {
		return err
	}
	outcomes := make([]lineOutcome, len(lines))
	var fns []func(*tx) (audit.Event, error)
	var at []int // the lines of fns
	for i, line := range lines {
		if outcomes[i].because = line.because; line.because != ResultDue {
			continue
		}
		at = append(at, i)
		fns = append(fns, func(t *tx) (event audit.Event, err error) {
			outcomes[i], event, err = t.carryOut(w.run, line)
			return event, err
		})
	}
	errs, err := w.v.updateEach(ctx, w.actor(), fns, false)
	if err != nil {
		return err
	}
	for n, err := range errs {
		if err != nil {
			outcomes[at[n]] = lineOutcome{because: ResultFailed}
		}
	}
	for _, out := range outcomes { // of some that landed, if others did not
		w.v.settle(context.WithoutCancel(ctx), out.gone)
	}
	if i := slices.IndexFunc(errs, unable); i >= 0 {
		return errs[i] // it is not about the document: the run goes on later
	}
	for i, out := range outcomes {
		if out.because == ResultDue {
			continue // the log tells
		}
		lines[i].because = out.because
		if err := w.leave(lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// unable says whether the vault could not write at all.
func unable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNoSpace) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// actor is who acts: what an admin has started, the admin does.
func (w *worker) actor() Actor {
	if w.run.Trigger == TriggerSchedule {
		return System()
	}
	return Actor{UserID: w.run.StartedBy, Access: AccessAdmin}
}

// leave counts a document that was left alone, and writes its line to the run's
// list. A run that begins anew writes its list anew.
func (w *worker) leave(line planLine) (err error) {
	w.counts.left(line.because)
	if w.left == nil {
		if w.left, err = w.v.newRetentionFile(w.v.leftFile(w.run.ID)); err != nil {
			return err
		}
	}
	if w.text = line.appendTo(w.text); len(w.text) < 64<<10 {
		return nil
	}
	return w.flush()
}

func (w *worker) flush() error {
	_, err := w.left.Write(w.text)
	w.text = w.text[:0]
	return err
}

func (w *worker) close() error {
	if w.left == nil {
		return nil
	}
	return errors.Join(w.flush(), w.left.Sync(), w.left.Close(), blobstore.SyncDir(w.v.retentionFile("")))
}

// recall counts what the run has done, from the log. The log knows what was done
// before a crash. It knows nothing twice, even of a document that stands in the
// plan twice because it changed its place while the plan was made.
func (w *worker) recall() error {
	for after := w.run.began; ; {
		page, err := w.v.done(w.run, after, maxLimit)
		if err != nil {
			return err
		}
		for _, o := range page.outcomes {
			w.counts.did(o)
		}
		if after = page.next; after == 0 {
			return nil
		}
	}
}

// carryOut does what a line says, if the document is judged the same now. What
// this run has done already is not done again.
func (t *tx) carryOut(r *run, line planLine) (lineOutcome, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil { // who started it may have lost it since
		return lineOutcome{}, audit.Event{}, err
	}
	d, err := t.document(line.documentID)
	if err != nil {
		return lineOutcome{}, audit.Event{}, err
	}
	if done, err := t.doneBy(r, d, line.action); done || err != nil {
		return lineOutcome{because: ResultDue}, audit.Event{}, err
	}
	if d.deleted {
		return lineOutcome{because: ResultFailed}, audit.Event{}, nil
	}
	policies, err := t.rulesFor(d)
	if err != nil {
		return lineOutcome{}, audit.Event{}, err
	}
	shortest, err := t.shortestWins()
	if err != nil {
		return lineOutcome{}, audit.Event{}, err
	}
	doubt, err := t.doubt()
	if err != nil {
		return lineOutcome{}, audit.Event{}, err
	}
	v, due := t.judge(d, retention.Action(line.action), policies, shortest, r.At, doubt)
	if !due || v.PolicyID != line.policyID {
		return lineOutcome{because: ResultFailed}, audit.Event{}, nil
	}
	if v.Because == retention.Doubted { // since the batch began: the run looks again
		return lineOutcome{}, audit.Event{}, doubtful(doubt)
	}
	if v.Because != retention.Due {
		return lineOutcome{because: Result(v.Because)}, audit.Event{}, nil
	}
	w := warrant{right: RightRetention, policyID: v.PolicyID, runID: r.ID}
	if line.action == ActionArchive {
		_, event := t.archive(d, true, grant{}, w)
		return lineOutcome{because: ResultDue}, event, nil
	}
	gone, event, err := t.dispose(d, w)
	return lineOutcome{ResultDue, gone}, event, err
}

// doneBy says whether this run has done it. If so, an entry says so: it is among
// the document's last ones, and later than the entry with which the run began.
func (t *tx) doneBy(r *run, d *document, action Action) (bool, error) {
	op := audit.OpDocumentDeleted
	if action == ActionArchive {
		op = audit.OpDocumentArchived
	}
	for seq := d.AuditSeq; seq > r.began; {
		e, err := t.entry(seq)
		if err != nil {
			return false, err
		}
		if by, _ := e.Facts["run"].AsText(); e.Op == op && by == r.ID {
			return true, nil
		}
		row, err := store.DecodeDetail(t.Get(bucketDetail, store.SeqKey(seq)))
		if err != nil || row.Prev >= seq {
			return false, errors.Join(err, errDamaged)
		}
		seq = row.Prev
	}
	return false, nil
}
