package engine

import (
	"context"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// MaxBulk is how many changes one call of UpdateDocuments takes.
const MaxBulk = store.MaxGroup

// DocumentChange is one of several changes. The document is named by DocumentID
// or, if that is "", by ExternalID.
type DocumentChange struct {
	DocumentID string
	ExternalID string
	Condition  Condition
	Patch      DocumentPatch // without an EditPassword
}

// DocumentOutcome is what became of a change. DocumentID is as it was given, or
// found; Revision is that of the document afterwards, as far as it is known.
type DocumentOutcome struct {
	DocumentID string
	Revision   uint64
	Changed    bool // or, in a dry run, would be
	Err        error
}

// UpdateDocuments changes the metadata of at most MaxBulk documents, in order.
// It needs upload access. Each change stands alone: it has an entry of its own,
// asks the same as UpdateDocument, and if it fails, the others go on. They share
// transactions, as callers do who come at the same time; when ctx ends, those
// whose turn has not come fail with its error. A dry run writes nothing, and
// says of each what it would come to by itself.
func (v *Vault) UpdateDocuments(ctx context.Context, actor Actor, changes []DocumentChange, dryRun bool) ([]DocumentOutcome, error) {
	if len(changes) > MaxBulk {
		return nil, invalid("changes", "must be at most %d", MaxBulk)
	}
	outcomes := make([]DocumentOutcome, len(changes))
	fns := make([]func(*tx) (audit.Event, error), len(changes))
	for i, change := range changes {
		out := &outcomes[i]
		out.DocumentID = change.DocumentID
		err := change.Patch.check()
		if change.Patch.EditPassword != nil {
			err = invalid("editPassword", "cannot be set for several documents at once")
		}
		fns[i] = func(t *tx) (event audit.Event, failed error) {
			if err != nil {
				return audit.Event{}, err
			}
			*out, event, failed = t.changeOne(change, dryRun)
			return event, failed
		}
	}
	if !dryRun {
		errs, err := v.updateEach(ctx, actor, fns)
		for i := range errs { // not to land is known only after the commit
			outcomes[i].Err, outcomes[i].Changed = errs[i], outcomes[i].Changed && errs[i] == nil
		}
		return outcomes, err
	}
	return view(v, func(t *tx) ([]DocumentOutcome, error) {
		if err := t.admit(actor); err != nil {
			return nil, err
		}
		for i, fn := range fns {
			_, outcomes[i].Err = fn(t)
		}
		return outcomes, ctx.Err()
	})
}

func (t *tx) changeOne(change DocumentChange, dryRun bool) (DocumentOutcome, audit.Event, error) {
	out := DocumentOutcome{DocumentID: change.DocumentID}
	if out.DocumentID == "" {
		key := t.Get(bucketExternals, []byte(change.ExternalID))
		if key == nil {
			return out, audit.Event{}, ErrDocumentNotFound
		}
		out.DocumentID = id(key).String()
	}
	old, err := t.writable(out.DocumentID, AccessUpload, change.Condition)
	if err != nil {
		return out, audit.Event{}, err
	}
	out.DocumentID, out.Revision = old.ID, old.Revision
	if t.drafting(old) {
		return out, audit.Event{}, fmt.Errorf("%w: its scratchpad is open; save or drop it first", ErrLockState)
	}
	if dryRun {
		d := old.clone()
		err := t.patch(d, change.Patch)
		out.Changed = err == nil && len(differences(old, d)) > 0
		return out, audit.Event{}, err
	}
	d, event, err := t.patchDocument(old, change.Patch)
	if err == nil {
		out.Revision, out.Changed = d.Revision, !event.IsZero()
	}
	return out, event, err
}
