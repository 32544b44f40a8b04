package engine_test

import (
	"fmt"
	"slices"
	"time"

	"strongroom/engine"
)

// release ends a lock, saved or not.
func (m *lockModel) release(d *modelDocument, user int) {
	c, want := m.condition(d, user)
	c.Overwrite = m.random.IntN(3) == 0
	save := m.random.IntN(2) == 0
	if want == nil && d.live() == nil {
		want = engine.ErrNotLocked
	}
	landed := *d
	switch {
	case want != nil:
	case d.drafting() && save:
		want = m.land(&landed, d.drafts[user], c.Overwrite)
	case !d.drafting() && !save:
		m.revert(&landed)
	}
	_, _, err := m.k.ReleaseLock(m.ctx(), m.actors[user], d.id, c, save)
	if !m.expect(fmt.Sprintf("user %d releases %s, save %v, overwrite %v", user, d.id, save, c.Overwrite), err, want) {
		return
	}
	if d.drafting() {
		delete(d.drafts, user)
	}
	*d = landed
	d.lease = nil
}

// land applies a draft as it counts, or says why it cannot be saved.
func (m *lockModel) land(d *modelDocument, draft *modelDraft, overwrite bool) error {
	if draft == nil {
		return nil
	}
	if draft.base != d.revision && !overwrite {
		return engine.ErrLockState
	}
	d.metadata, d.texts = d.metadata.clone(), slices.Clone(d.texts)
	for _, change := range draft.current() {
		if change.patch == nil {
			d.texts = append(d.texts, change.text)
			d.current = len(d.texts)
			d.revision++
			continue
		}
		before := d.metadata.clone()
		switch err := m.apply(&d.metadata, *change.patch); {
		case err == engine.ErrInvalid: // it was valid when it was drafted
			return engine.ErrLockState
		case err != nil:
			return err
		case !d.metadata.equal(before):
			d.revision++
		}
	}
	return nil
}

// revert brings back what was at locking, but for an external id, and for a
// category that is gone.
func (m *lockModel) revert(d *modelDocument) {
	md := d.lease.metadata.clone()
	md.external = d.metadata.external
	if !m.known(md.category) {
		md.category = d.metadata.category
	}
	if !md.equal(d.metadata) || len(d.texts) > d.lease.versions {
		d.revision++
	}
	d.metadata = md
	if len(d.texts) > d.lease.versions {
		d.current = d.lease.current
	}
	for n := d.lease.versions + 1; n <= len(d.texts); n++ {
		d.discarded[n] = true
	}
}

func (m *lockModel) breakLock(d *modelDocument) {
	var want error
	switch {
	case d.deleted:
		want = engine.ErrDocumentDeleted
	case d.live() == nil:
		want = engine.ErrNotLocked
	}
	_, _, err := m.k.BreakLock(m.ctx(), m.k.Admin, d.id, engine.Condition{}, "forgotten")
	if !m.expect("break the lock of "+d.id, err, want) {
		return
	}
	if draft := d.drafts[d.lease.user]; draft != nil && d.lease.scratchPad {
		draft.ends = now()
	}
	d.fence++
	d.lease = nil
}

func (m *lockModel) renew(d *modelDocument, user int) {
	c, want := m.condition(d, user)
	if want == nil && d.live() == nil {
		want = engine.ErrNotLocked
	}
	_, _, err := m.k.RenewLock(m.ctx(), m.actors[user], d.id, c, engine.LockPatch{})
	if m.expect(fmt.Sprintf("user %d renews the lock of %s", user, d.id), err, want) {
		d.slide(c)
	}
}

func (m *lockModel) archive(d *modelDocument, user int) {
	to := m.random.IntN(4) == 0
	c, want := m.condition(d, user)
	switch {
	case m.actors[user].Access < engine.AccessAdmin:
		want = engine.ErrLacksPermission
	case want == nil && to != d.archived && d.drafting():
		want = engine.ErrLockState
	}
	change := m.k.UnarchiveDocument
	if to {
		change = m.k.ArchiveDocument
	}
	_, _, err := change(m.ctx(), m.actors[user], d.id, c)
	if m.expect(fmt.Sprintf("user %d archives %s: %v", user, d.id, to), err, want) && to != d.archived {
		d.archived = to
		d.revision++
		d.slide(c)
	}
}

// remove deletes a document, its drafts with it, and makes another.
func (m *lockModel) remove(d *modelDocument, user int) {
	c, want := m.condition(d, user)
	switch {
	case m.actors[user].Access < engine.AccessAdmin:
		want = engine.ErrLacksPermission
	case d.deleted:
		want = nil
	case want != nil:
	case d.drafting():
		want = engine.ErrLockState
	case d.archived:
		want = engine.ErrDocumentArchived
	}
	_, _, err := m.k.DeleteDocument(m.ctx(), m.actors[user], d.id, c)
	if m.expect(fmt.Sprintf("user %d deletes %s", user, d.id), err, want) && !d.deleted {
		d.deleted = true
		m.create()
	}
}

// sweep lets hours pass, and drops the drafts nobody came back for.
func (m *lockModel) sweep() {
	time.Sleep(oneOf(m, 10*time.Hour, 10*time.Hour, 25*time.Hour))
	if m.random.IntN(2) == 0 {
		return // it is not always in time
	}
	_, err := m.k.Sweep(m.ctx())
	m.expect("sweep", err, nil)
	for _, d := range m.documents {
		for user, draft := range d.drafts {
			if draft.due() {
				delete(d.drafts, user)
			}
		}
	}
}

func (m *lockModel) settings() {
	m.categories = oneOf(m, []string{}, []string{"c1"}, []string{"c1", "c2"})
	categories := slices.Clone(m.categories)
	_, _, err := m.k.UpdateSettings(m.ctx(), m.k.Admin, engine.Condition{}, engine.SettingsPatch{Categories: &categories})
	m.expect(fmt.Sprint("categories ", categories), err, nil)
}
