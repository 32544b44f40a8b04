package engine_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strongroom/engine"
)

// compare holds the vault to the model: what everybody sees, what the holder of
// a scratchpad sees, and no bytes but those needed.
func (m *lockModel) compare() {
	if m.verify {
		m.k.Check()
	}
	for _, d := range m.documents {
		if d.deleted {
			continue
		}
		got, err := m.k.Document(m.ctx(), d.id)
		if err != nil {
			m.t.Errorf("step %d: %v", m.n, err)
			return
		}
		if md := metadataOf(got); !md.equal(d.metadata) || int(got.Revision) != d.revision || int(got.Current.Number) != d.current ||
			int(got.VersionCount) != len(d.texts) || got.Archived != d.archived || got.EditProtected != (d.password != "") {
			m.t.Errorf("step %d: it is %+v, want %+v", m.n, got, d)
		}
		if (got.Lock == nil) != (d.live() == nil) {
			m.t.Errorf("step %d: the lock of %s is %+v, want %+v", m.n, d.id, got.Lock, d.lease)
		}
		for user := range m.actors {
			switch l, err := m.k.Lock(m.ctx(), m.actors[user], d.id); {
			case err == nil && d.live() != nil:
				m.compareLock(user, d, l)
			case d.live() != nil || !errors.Is(err, engine.ErrNotLocked):
				m.t.Errorf("step %d: user %d sees %+v, %v, want %+v", m.n, user, l, err, d.lease)
			}
		}
		m.compareVersions(d)
		if d.drafting() {
			m.compareSketch(d)
		}
	}
	m.compareBytes()
}

// compareLock compares a lock as a user sees it: the token and whether the
// scratchpad is stale concern the holder alone.
func (m *lockModel) compareLock(user int, d *modelDocument, l engine.Lock) {
	want := engine.Lock{
		Duration: d.lease.window, Until: d.lease.until, UseScratchPad: d.lease.scratchPad, Fence: uint64(d.fence),
		Revision: uint64(d.revision),
	}
	if user == d.lease.user {
		draft := d.drafts[user]
		want.Token = d.lease.token
		want.ScratchPadStale = d.lease.scratchPad && draft != nil && draft.base != d.revision
	}
	holder := l.User.ID
	l.User = engine.User{}
	if !l.Until.Equal(want.Until) {
		m.t.Errorf("step %d: user %d sees a deadline %v, want %v", m.n, user, l.Until, want.Until)
	}
	if l.Until = want.Until; l != want || holder != m.actors[d.lease.user].UserID {
		m.t.Errorf("step %d: user %d sees %+v of %s, want %+v", m.n, user, l, holder, want)
	}
}

func (m *lockModel) compareVersions(d *modelDocument) {
	for cursor := ""; ; {
		page, err := m.k.Versions(m.ctx(), d.id, engine.Paging{Limit: 500, Cursor: cursor})
		if err != nil {
			m.t.Errorf("step %d: %v", m.n, err)
			return
		}
		for _, v := range page.Items {
			if n := int(v.Number); v.Discarded != d.discarded[n] || v.Current != (n == d.current) {
				m.t.Errorf("step %d: version %d: %+v, want discarded %v, current %d", m.n, n, v, d.discarded[n], d.current)
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			return
		}
	}
}

func (m *lockModel) compareSketch(d *modelDocument) {
	who := m.actors[d.lease.user]
	want, text, versions, _ := m.replay(d, d.drafts[d.lease.user].current())
	s, err := m.k.Sketch(m.ctx(), who, d.id, engine.Condition{LockToken: d.lease.token})
	if err != nil || len(s.Versions) != versions || !metadataOf(s.Document).equal(want) {
		m.t.Errorf("step %d: the holder of %s sees %+v, %v, want %+v and %d versions", m.n, d.id, s, err, want, versions)
	}
	_, f, _, err := m.k.OpenSketch(m.ctx(), who, d.id, engine.Condition{LockToken: d.lease.token})
	if err != nil {
		m.t.Errorf("step %d: %v", m.n, err)
		return
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != text {
		m.t.Errorf("step %d: the holder of %s reads %q, %v, want %q", m.n, d.id, b, err, text)
	}
}

func (m *lockModel) compareBytes() {
	needed := map[string]bool{}
	for _, d := range m.documents {
		if d.deleted {
			continue
		}
		for _, text := range d.texts {
			needed[text] = true
		}
		for _, draft := range d.drafts {
			for _, change := range draft.changes {
				if change.patch == nil {
					needed[change.text] = true
				}
			}
		}
	}
	err := filepath.WalkDir(filepath.Join(m.k.Dir, "blobs", "sha256"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !needed[string(text)] {
			m.t.Errorf("step %d: the bytes of %q are kept for nobody", m.n, text)
		}
		delete(needed, string(text))
		return err
	})
	if err != nil || len(needed) > 0 {
		m.t.Errorf("step %d: missing are the bytes of %v, %v", m.n, needed, err)
	}
}

func (md modelMetadata) clone() modelMetadata {
	md.tags, md.fields = slices.Clone(md.tags), maps.Clone(md.fields)
	return md
}

func (md modelMetadata) equal(other modelMetadata) bool {
	return md.name == other.name && md.description == other.description && md.category == other.category &&
		md.owner == other.owner && md.external == other.external &&
		slices.Equal(md.tags, other.tags) && maps.Equal(md.fields, other.fields)
}

func metadataOf(d engine.Document) modelMetadata {
	md := modelMetadata{
		name: d.Name, description: d.Description, category: d.Category, owner: d.OwnerID, external: d.ExternalID,
		tags: d.Tags, fields: map[string]string{},
	}
	for name, value := range d.CustomFields {
		md.fields[name] = word(value)
	}
	return md
}

// word is a custom field's value with its kind, numbers however they are held.
func word(value any) string {
	switch value.(type) {
	case string, bool:
		return fmt.Sprintf("%T %v", value, value)
	}
	return fmt.Sprintf("number %v", value)
}
