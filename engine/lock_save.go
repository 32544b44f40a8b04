package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/audit"
)

// saveScratchpad lands a scratchpad and releases the lock: one transaction, an entry
// for each change. Everything is checked anew; if one part fails, nothing is
// saved and the lock stays.
func (v *Vault) saveScratchpad(ctx context.Context, actor Actor, documentID string, c Condition) (Lock, Receipt, error) {
	for {
		pad, err := view(v, func(t *tx) (*scratchpad, error) {
			if err := t.admit(actor); err != nil {
				return nil, err
			}
			d, err := t.liveDocument(documentID)
			if err != nil {
				return nil, err
			}
			return t.scratchpadOf(d, t.actor.UserID)
		})
		if err != nil {
			return Lock{}, Receipt{}, err
		}
		lock, receipt, err := v.land(ctx, actor, documentID, c, pad)
		if !errors.Is(err, errScratchpadMoved) {
			return lock, receipt, err
		}
	}
}

// errScratchpadMoved: another request of the holder's changed the scratchpad between
// reading and saving it.
var errScratchpadMoved = errors.New("engine: the scratchpad has changed meanwhile")

func (v *Vault) land(ctx context.Context, actor Actor, documentID string, c Condition, pad *scratchpad) (Lock, Receipt, error) {
	type step = func(*tx) (locked, audit.Event, error)
	steps := []step{func(t *tx) (locked, audit.Event, error) {
		return locked{}, audit.Event{}, t.mayLand(documentID, c, pad)
	}}
	held := c.token()
	for _, change := range pad.current() {
		steps = append(steps, func(t *tx) (locked, audit.Event, error) {
			old, g, err := t.held(documentID, held)
			if err != nil {
				return locked{}, audit.Event{}, err
			}
			_, event, err := t.landChange(old, change, g)
			return locked{}, event, err
		})
	}
	steps = append(steps, func(t *tx) (locked, audit.Event, error) { return t.release(documentID, held, true, false) })
	results, receipts, err := updateAll(v, ctx, actor, steps...)
	if errors.Is(err, ErrInvalid) {
		// Nothing is wrong with the request: the vault has changed meanwhile.
		err = fmt.Errorf("%w: the scratchpad cannot be saved as it is: %s; change that in it, or drop it", ErrLockState, err)
	}
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	last := len(results) - 1
	v.purge(context.WithoutCancel(ctx), results[last].litter...) // those that became versions stay
	return results[last].Lock, receipts[last], nil
}

// mayLand is the guard of saving.
func (t *tx) mayLand(documentID string, c Condition, pad *scratchpad) error {
	d, _, err := t.held(documentID, c)
	if err != nil {
		return err
	}
	now, err := t.scratchpadOf(d, d.lease.userID)
	if err != nil {
		return err
	}
	if len(now.Changes) != len(pad.Changes) || now.Base != pad.Base {
		return errScratchpadMoved
	}
	if now.stale(d) && !c.Overwrite {
		return fmt.Errorf("%w: the document has changed since the scratchpad was begun; look at it and save with overwrite=true, or drop the scratchpad", ErrLockState)
	}
	return nil
}

// current are the changes as they count: of what the vault may refuse later, a
// category, an owner or an external id, only the last one set.
func (d *scratchpad) current() []pendingChange {
	changes := slices.Clone(d.Changes)
	var category, owner, external bool
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].Patch == nil {
			continue
		}
		p := *changes[i].Patch
		supersede(&p.Category, &category)
		supersede(&p.OwnerID, &owner)
		supersede(&p.ExternalID, &external)
		changes[i].Patch = &p
	}
	return changes
}

func supersede(value **string, set *bool) {
	if *set {
		*value = nil
	}
	*set = *set || *value != nil
}

func (t *tx) landChange(old *document, change pendingChange, g grant) (Document, audit.Event, error) {
	if change.Version == nil {
		return t.patchDocument(old, *change.Patch, g)
	}
	return t.appendVersion(old, *change.Version, change.Digest, change.Size, change.Restored, g)
}

// revert takes back what landed under the lock: metadata as at locking, where
// that is still valid; versions added since are discarded, and the one that was
// current is so again. Archived state stays, and nothing leaves the chain.
func (t *tx) revert(documentID string, c Condition) (locked, audit.Event, error) {
	old, g, err := t.held(documentID, c)
	if err != nil {
		return locked{}, audit.Event{}, err
	}
	was, err := decodeSnapshot(old.id, t.Get(bucketSnapshots, old.id[:]))
	if err != nil {
		return locked{}, audit.Event{}, fmt.Errorf("%s as it was at locking: %w", old, err)
	}
	d := old.clone()
	d.Name, d.Description, d.Tags, d.Path = was.Name, was.Description, was.Tags, was.Path
	if d.CustomFields, err = t.revertFields(was.CustomFields, old.CustomFields); err != nil {
		return locked{}, audit.Event{}, err
	}
	d.confirmed = slices.DeleteFunc(append(d.confirmed, was.confirmed...), func(key string) bool {
		now := d.CustomFields[key]
		return !(slices.Contains(old.confirmed, key) && now == old.CustomFields[key] || slices.Contains(was.confirmed, key) && now == was.CustomFields[key])
	})
	slices.Sort(d.confirmed)
	d.confirmed = slices.Compact(d.confirmed)
	if err := t.revertCategory(old, d, was.Category); err != nil {
		return locked{}, audit.Event{}, err
	}
	if _, err := t.owner(was.OwnerID); err == nil {
		d.OwnerID = was.OwnerID
	} else if !errors.Is(err, ErrInvalid) {
		return locked{}, audit.Event{}, err
	}
	if err := t.discard(d, was); err != nil {
		return locked{}, audit.Event{}, err
	}
	detail, discards := differences(old, d), d.VersionCount > was.VersionCount
	if len(detail) == 0 && !discards {
		return locked{}, audit.Event{}, nil
	}
	t.changes(d)
	facts := audit.Facts{"revision": audit.Number(d.Revision)}
	t.store(old, d, g).tell(facts)
	if discards {
		facts["discardedFrom"], facts["discardedTo"] = audit.Number(was.VersionCount+1), audit.Number(d.VersionCount)
	}
	if d.OwnerID != old.OwnerID {
		facts["owner"] = audit.Text(d.OwnerID)
	}
	return locked{}, audit.Event{
		Op: audit.OpDocumentReverted, Document: d.ID, Version: d.Current.Number, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// revertCategory leaves the category that d has if the one of then is none any
// more, or would lead out of the compliance it is under now.
func (t *tx) revertCategory(old, d *document, was string) error {
	err := t.knownCategory(was)
	if err == nil {
		back := d.clone()
		back.Category = was
		err = t.mayLeave(old, back)
	}
	switch {
	case err == nil:
		d.Category = was
	case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrRetained):
		return err
	}
	return nil
}

// discard marks the versions of d that were added since was, and makes the one
// of then current again.
func (t *tx) discard(d, was *document) error {
	for n := was.VersionCount + 1; n <= d.VersionCount; n++ {
		ver, err := t.storedVersion(d, n)
		if err != nil {
			return fmt.Errorf("%w: %s lacks version %d", errDamaged, d, n)
		}
		ver.Discarded = true
		t.Put(bucketVersions, versionKey(d.id, n), encodeVersion(ver))
	}
	if d.VersionCount == was.VersionCount {
		return nil
	}
	current, err := t.storedVersion(d, was.Current.Number)
	if err != nil {
		return err
	}
	current.Current, d.Current = true, current
	return nil
}
