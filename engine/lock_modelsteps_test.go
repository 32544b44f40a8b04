package engine_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"strongroom/engine"
)

func (m *lockModel) step() {
	time.Sleep(oneOf(m, time.Millisecond, time.Second, 10*time.Second, 100*time.Second))
	d := oneOf(m, m.documents...)
	for d.deleted && m.random.IntN(30) > 0 {
		d = oneOf(m, m.documents...)
	}
	user := m.random.IntN(len(m.actors))
	if l := d.live(); l != nil && m.random.IntN(4) > 0 {
		user = l.user
	}
	switch n := m.random.IntN(50); {
	case n < 10:
		m.acquire(d, user)
	case n < 25:
		m.patch(d, user)
	case n < 31:
		m.addVersion(d, user)
	case n < 33:
		m.archive(d, user)
	case n < 38:
		m.release(d, user)
	case n < 41:
		m.breakLock(d)
	case n < 42:
		m.renew(d, user)
	case n < 43:
		m.setPassword(d, user)
	case n < 45:
		m.sweep()
	case n < 46:
		if m.random.IntN(3) == 0 {
			m.remove(d, user)
		}
	case n < 49:
		m.settings()
	default:
		m.k.Reopen()
		m.trace = append(m.trace, fmt.Sprint(m.n, " reopen"))
		for _, d := range m.documents {
			clear(d.wrong)
		}
	}
}

func (m *lockModel) ctx() context.Context { return m.t.Context() }

func oneOf[T any](m *lockModel, list ...T) T { return list[m.random.IntN(len(list))] }

// condition picks a token, mostly the right one, and says how any change with
// it must be answered before its own rules are asked.
func (m *lockModel) condition(d *modelDocument, user int) (engine.Condition, error) {
	c, l := engine.Condition{}, d.live()
	switch n := m.random.IntN(12); {
	case n == 0:
		c.LockToken = "made up"
	case d.lease != nil && (n == 1 || n > 2 && l != nil):
		c.LockToken = d.lease.token
	}
	if m.random.IntN(4) == 0 {
		c.LockDuration = time.Duration(1+m.random.IntN(4000)) * time.Second
	}
	switch {
	case d.deleted:
		return c, engine.ErrDocumentDeleted
	case l == nil && c.LockToken == "":
		return c, nil
	case l == nil:
		return c, engine.ErrNotLocked
	case l.user != user || c.LockToken != l.token:
		return c, engine.ErrLocked
	}
	return c, nil
}

// acquire takes a lock. Whether the password is right is judged last, so that
// nobody learns it who may not lock.
func (m *lockModel) acquire(d *modelDocument, user int) {
	n := engine.NewLock{UseScratchPad: m.random.IntN(3) > 0, Duration: time.Duration(m.random.IntN(2500)) * time.Second}
	if d.password != "" {
		n.Password = oneOf(m, "", "wrong", d.password, d.password)
	}
	var want error
	switch {
	case d.deleted:
		want = engine.ErrDocumentDeleted
	case d.live() != nil:
		want = engine.ErrLocked
	case d.archived:
		want = engine.ErrLockState
	case d.password != "":
		want = d.guess(user, n.Password)
	}
	l, _, err := m.k.AcquireLock(m.ctx(), m.actors[user], d.id, engine.Condition{}, n)
	if !m.expect(fmt.Sprintf("user %d locks %s, %+v", user, d.id, n), err, want) {
		return
	}
	window := min(n.Duration, 1800*time.Second)
	if window == 0 {
		window = 300 * time.Second
	}
	d.fence++
	d.lease = &modelLease{
		user: user, token: l.Token, until: now().Add(window), window: window, scratchPad: n.UseScratchPad,
		metadata: d.metadata.clone(), current: d.current, versions: len(d.texts),
	}
	if draft := d.drafts[user]; draft != nil && n.UseScratchPad {
		if draft.due() {
			delete(d.drafts, user)
		} else {
			draft.ends = d.lease.until
		}
	}
	m.compareLock(user, d, l)
}

// guess is how the password of a document that has one is answered: after five
// wrong ones the user is not asked for a minute.
func (d *modelDocument) guess(user int, password string) error {
	was := d.wrong[user]
	if time.Since(was.last) >= time.Minute {
		was = modelGuess{}
	}
	switch {
	case password == "":
		return engine.ErrLacksPermission
	case was.count >= 5:
		return engine.ErrThrottled
	case password == d.password:
		delete(d.wrong, user)
		return nil
	}
	d.wrong[user] = modelGuess{was.count + 1, now()}
	return engine.ErrLacksPermission
}

func (m *lockModel) somePatch() (p engine.DocumentPatch) {
	for set := 0; set == 0; {
		one := func(in int) bool {
			yes := m.random.IntN(in) == 0
			if yes {
				set++
			}
			return yes
		}
		if one(3) {
			p.Name = new(fmt.Sprint("name ", m.random.IntN(4)))
		}
		if one(5) {
			p.Description = new(oneOf(m, "", "x", "y"))
		}
		if one(4) {
			p.Category = new(oneOf(m, "", "contract", "c1", "c2"))
		}
		if one(5) {
			p.OwnerID = new(oneOf(m, m.actors...).UserID)
		}
		if one(7) {
			p.ExternalID = new(oneOf(m, "", "", "external 1", "external 2", "external 3", "external 4"))
		}
		tags := []string{"a", "b", "k:v", "k:w"}
		if one(6) {
			p.Tags = new(slices.Clone(tags[:m.random.IntN(5)]))
		}
		if one(4) {
			p.AddTags = []string{oneOf(m, tags...)}
		}
		if one(4) {
			p.RemoveTags = []string{oneOf(m, tags...)}
		}
		if one(4) {
			kind := m.random.IntN(3)
			values := [][]any{{nil, "", "s"}, {nil, true, false}, {nil, 3, 1.5}}[kind]
			p.CustomFields = map[string]any{fmt.Sprint("field", kind): oneOf(m, values...)}
		}
		p.ClearCustomFields = one(8)
	}
	return p
}

func (m *lockModel) patch(d *modelDocument, user int) {
	p := m.somePatch()
	c, want := m.condition(d, user)
	after, changed := d.metadata.clone(), false
	switch {
	case want != nil:
	case d.drafting():
		draft := d.drafts[user]
		before, _, _, refused := m.replay(d, draft.current())
		var changes []modelChange
		if draft != nil {
			changes = draft.changes
		}
		appended := &modelDraft{changes: append(slices.Clone(changes), modelChange{patch: &p})}
		shown, _, _, still := m.replay(d, appended.current())
		after, want = shown, still[len(still)-1]
		// What is refused by now can be mended by setting what is shown already.
		changed = !before.equal(after) || slices.ContainsFunc(refused, func(err error) bool { return err != nil })
		if want == nil && changed && len(appended.changes) > 200 {
			want = engine.ErrLockState
		}
	default:
		want = m.apply(&after, p)
		changed = !d.metadata.equal(after)
	}
	got, _, err := m.k.UpdateDocument(m.ctx(), m.actors[user], d.id, c, p)
	if !m.expect(fmt.Sprintf("user %d patches %s, %s", user, d.id, said(p)), err, want) {
		return
	}
	if md := metadataOf(got); !md.equal(after) {
		m.t.Errorf("step %d: the answer is %+v, want %+v", m.n, md, after)
	}
	if !changed {
		return
	}
	if d.drafting() {
		d.note(modelChange{patch: &p})
	} else {
		d.metadata = after
		d.revision++
	}
	d.slide(c)
}

// said is a patch to be read.
func said(p engine.DocumentPatch) string {
	s := fmt.Sprintf("+%v -%v %v clear %v", p.AddTags, p.RemoveTags, p.CustomFields, p.ClearCustomFields)
	for name, value := range map[string]*string{
		"name": p.Name, "description": p.Description, "category": p.Category, "owner": p.OwnerID, "external": p.ExternalID,
	} {
		if value != nil {
			s += fmt.Sprintf(" %s=%q", name, *value)
		}
	}
	if p.Tags != nil {
		s += fmt.Sprint(" tags=", *p.Tags)
	}
	return s
}

// addVersion adds one, or brings an earlier one back.
func (m *lockModel) addVersion(d *modelDocument, user int) {
	c, want := m.condition(d, user)
	if want == nil && d.archived {
		want = engine.ErrDocumentArchived
	}
	text := fmt.Sprint("text ", m.random.IntN(4))
	var err error
	if m.random.IntN(3) == 0 {
		n := 1 + m.random.IntN(len(d.texts))
		text = d.texts[n-1]
		_, _, err = m.k.RestoreVersion(m.ctx(), m.actors[user], d.id, c, uint64(n))
	} else {
		u := m.k.Upload(text)
		defer u.Discard()
		_, _, err = m.k.AddVersion(m.ctx(), m.actors[user], d.id, c, engine.NewVersion{FileName: "a.txt"}, u)
	}
	if !m.expect(fmt.Sprintf("user %d adds %q to %s", user, text, d.id), err, want) {
		return
	}
	if d.drafting() {
		d.note(modelChange{text: text})
	} else {
		d.texts = append(d.texts, text)
		d.current = len(d.texts)
		d.revision++
	}
	d.slide(c)
}

func (m *lockModel) setPassword(d *modelDocument, user int) {
	password := oneOf(m, "", "open", "sesame")
	c, want := m.condition(d, user)
	switch {
	case m.actors[user].Access < engine.AccessAdmin && (password != "" || want == nil && !d.drafting()):
		want = engine.ErrLacksPermission
	case want == nil && d.drafting():
		want = engine.ErrInvalid
	}
	p := engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: password}}
	_, _, err := m.k.UpdateDocument(m.ctx(), m.actors[user], d.id, c, p)
	if !m.expect(fmt.Sprintf("user %d sets the password of %s to %q", user, d.id, password), err, want) {
		return
	}
	if d.password != "" || password != "" {
		d.password = password
		d.revision++
		d.slide(c)
	}
}
