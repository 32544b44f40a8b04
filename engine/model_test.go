package engine_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

var (
	modelCalls = flag.Int("model", 700, "how many calls TestModel makes")
	modelSeed  = flag.Uint64("modelseed", 0, "a seed for TestModel and other random tests to try alone; 0 takes the fixed ones")
)

// model is what the vault must hold, in maps.
type model struct {
	t         *testing.T
	k         *enginetest.Kit
	random    *rand.Rand
	documents map[string]engine.Document // tombstones too
	texts     map[string][]string        // of each version of a live document
	holds     map[string]engine.Hold     // those of deleted documents too
	erasing   map[string][]string        // of documents that wait, the erasures
	users     map[string]engine.User
	actors    []engine.Actor
	settings  engine.Settings
	walks     []*walk
	n         int
}

func TestModel(t *testing.T) {
	calls := *modelCalls
	if testing.Short() {
		calls = min(calls, 200)
	}
	eachSeed(t, *modelSeed, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		testModel(t, seed, calls, func(t *testing.T) (*enginetest.Kit, func(last bool)) {
			k, home := shipped(t)
			follows := follower(t, k)
			return k, func(last bool) {
				must(t, follows.Apply(t.Context(), home.after(group(t, follows.Vault))...))
				if last {
					sameRows(t, k, follows)
				}
			}
		})
	})
}

// testModel makes so many calls to a vault, and has what it is made with look at it now
// and then, and at the end.
func testModel(t *testing.T, seed uint64, calls int, made func(*testing.T) (k *enginetest.Kit, look func(last bool))) {
	defer func() {
		if t.Failed() {
			t.Logf("repeat with -run %s -modelseed %d", strings.Split(t.Name(), "/")[0], seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		k, look := made(t)
		m := &model{
			t: t, k: k, random: rand.New(rand.NewPCG(seed, 0)), documents: map[string]engine.Document{},
			texts: map[string][]string{}, holds: map[string]engine.Hold{}, erasing: map[string][]string{}, users: map[string]engine.User{},
		}
		m.settings, _ = m.k.Settings(m.ctx())
		for _, access := range []engine.Access{engine.AccessAdmin, engine.AccessUpload, engine.AccessView} {
			a, _ := m.k.Person("Actor", access)
			m.actors = append(m.actors, a)
		}
		m.actors = append(m.actors, m.k.Admin)
		for _, a := range m.actors {
			u, err := m.k.User(t.Context(), a.UserID)
			must(t, err)
			m.users[u.ID] = u
		}
		m.define()
		for m.n = range calls {
			if m.step(); t.Failed() {
				return
			}
			if m.n%50 == 49 {
				look(false)
			}
		}
		m.everything()
		look(true)
		t.Logf("seed %d: %d calls, %d documents, %d entries", seed, calls, len(m.documents), m.k.Head().Seq)
	})
}

func (m *model) step() {
	time.Sleep(time.Duration(m.random.IntN(3)) * time.Millisecond)
	switch m.random.IntN(26) {
	case 20:
		m.field()
	case 21, 22:
		m.placeHold()
	case 23:
		m.releaseHold()
	case 24:
		m.bulkHolds()
	case 25:
		m.requestErasure()
	case 0, 1, 2, 3:
		m.create()
	case 4, 5:
		m.addVersion()
	case 6, 7, 8:
		m.patch()
	case 9:
		m.restore()
	case 10, 11:
		m.archive()
	case 12:
		m.remove()
	case 13:
		m.account()
	case 14:
		m.categories()
	case 15:
		m.download()
	case 16, 17:
		m.list()
	case 18:
		m.walks = append(m.walks, m.newWalk())
	default:
		if m.random.IntN(6) == 0 {
			m.k.Reopen()
		} else if m.random.IntN(4) == 0 {
			m.everything()
		}
	}
	if len(m.walks) > 0 {
		if i := m.random.IntN(len(m.walks)); m.walks[i].step() {
			m.walks = slices.Delete(m.walks, i, i+1)
		}
	}
}

func (m *model) ctx() context.Context { return m.t.Context() }

func pick[T any](m *model, list ...T) T { return list[m.random.IntN(len(list))] }

func (m *model) anyID() string {
	if len(m.documents) == 0 || m.random.IntN(25) == 0 {
		return pick(m, engine.NewID(), "x", m.k.Admin.UserID)
	}
	id := slices.Sorted(maps.Keys(m.documents))[m.random.IntN(len(m.documents))]
	return pick(m, id, id, id, strings.ToLower(id), uuid(id))
}

func canonical(id string) string {
	if len(id) != 26 && len(id) != 36 {
		return id
	}
	return engine.Spell(id)
}

// subject picks who acts on which document under which condition, and says how
// that must be answered before the call's own rules are asked.
func (m *model) subject(needs engine.Access) (a engine.Actor, id string, d engine.Document, cond engine.Condition, want error) {
	a, id = pick(m, m.actors...), m.anyID()
	d, ok := m.documents[canonical(id)]
	match := true
	if m.random.IntN(4) == 0 {
		cond.IfMatch = pick(m, engine.Match{d.Revision}, engine.Match{99, d.Revision}, engine.Match{}, engine.Match{d.Revision + 1})
		match = slices.Contains(cond.IfMatch, d.Revision)
	}
	switch {
	case a.Access < needs:
		want = engine.ErrLacksPermission
	case !ok:
		want = engine.ErrDocumentNotFound
	case d.Status == engine.StatusDeleted:
		want = engine.ErrDocumentDeleted
	case !match:
		want = engine.ErrPrecondition
	}
	return a, id, d, cond, want
}

func (m *model) answered(call string, got, want error) {
	m.t.Helper()
	if (want == nil) != (got == nil) || !errors.Is(got, want) {
		m.t.Fatalf("call %d, %s: got %v, want %v", m.n, call, got, want)
	}
}

// same compares what a change answered, and notes it.
func (m *model) same(call string, got, want engine.Document, r engine.Receipt) {
	m.t.Helper()
	want.AuditSeq = r.Seq
	if !equal(got, want) || r.Seq != m.k.Head().Seq || r.Hash != m.k.Head().Hash {
		m.t.Fatalf("call %d, %s:\ngot  %+v %+v\nwant %+v %+v", m.n, call, got, got.Current, want, want.Current)
	}
	m.documents[want.ID] = want
	for _, w := range m.walks {
		w.touched[want.ID] = true
	}
}

var (
	modelNames      = []string{"Lease", "lease", "Ärger", "zeta", "Alpha", "invoice 7", "Invoice 70", "a", "aa", "ÄRGER"}
	modelTags       = []string{"urgent", "client:Acme", "client:Beta", "client", "year:2026", "client x:1"}
	modelCategories = []string{"", "contract", "other", "minutes", "nonsense"}
)

func (m *model) tags() (tags []string) {
	for range m.random.IntN(4) {
		tags = append(tags, pick(m, modelTags...))
	}
	return tags
}

func sorted(tags []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(tags)))
}

func (m *model) categoryKnown(name string) bool {
	return slices.Contains([]string{"contract", "other"}, name) || slices.Contains(m.settings.Categories, name)
}

func (m *model) holder(external string) string {
	for _, d := range m.documents {
		if external != "" && d.ExternalID == external {
			return d.ID
		}
	}
	return ""
}

func (m *model) create() {
	a := pick(m, m.actors...)
	n := engine.NewDocument{
		Name: pick(m, modelNames...), Category: pick(m, modelCategories...), Tags: m.tags(), OwnerID: pick(m, "", a.UserID, m.k.Admin.UserID, "x"),
		ExternalID: pick(m, "", "", fmt.Sprint("ext-", m.random.IntN(20))), Description: pick(m, "", "words"),
		Version: engine.NewVersion{FileName: pick(m, "", "a.txt"), MediaType: pick(m, "", "text/plain"), Comment: pick(m, "", "a comment")},
	}
	var sound bool
	n.CustomFields, sound = m.values()
	n.Product, n.TemplateID, n.AgreementID = pick(m, "", "cpq", "clm"), pick(m, "", "t-1"), pick(m, "", "a-1", "a-2")
	text := fmt.Sprint("text ", m.random.IntN(12))
	u := m.k.Upload(text)
	defer u.Discard()
	owner, category := cmp.Or(n.OwnerID, a.UserID), cmp.Or(n.Category, "other")
	var want error
	switch {
	case a.Access < engine.AccessUpload:
		want = engine.ErrLacksPermission
	case owner == "x", !m.categoryKnown(category):
		want = engine.ErrInvalid
	case m.holder(n.ExternalID) != "":
		want = engine.ErrExists
	case !sound:
		want = engine.ErrInvalid
	}
	d, r, err := m.k.CreateDocument(m.ctx(), a, n, u)
	m.answered("create", err, want)
	if err != nil {
		return
	}
	is := engine.Document{
		ID: d.ID, ExternalID: n.ExternalID, Name: n.Name, Category: category, Description: n.Description, OwnerID: owner,
		Product: n.Product, TemplateID: n.TemplateID, AgreementID: n.AgreementID,
		Status: engine.StatusActive, CreatedBy: a.UserID, UpdatedBy: a.UserID, CreatedAt: m.k.Head().Time, UpdatedAt: m.k.Head().Time, Revision: 1,
	}
	is.Tags = sorted(n.Tags)
	is.CustomFields = merged(nil, n.CustomFields)
	m.texts[d.ID] = []string{text}
	m.versioned(&is, d, n.Version, u)
	m.same("create", d, is, r)
}

// versioned gives the model's document its next version. The chain is the
// engine's: the kit verifies it.
func (m *model) versioned(is *engine.Document, d engine.Document, n engine.NewVersion, u interface {
	Digest() engine.Digest
	Size() int64
}) {
	var previous engine.Version
	if is.Current != nil {
		previous = *is.Current
	}
	is.VersionCount++
	is.Current = &engine.Version{
		DocumentID: is.ID, Number: is.VersionCount, Digest: u.Digest(), Size: u.Size(), MediaType: cmp.Or(n.MediaType, "application/octet-stream"),
		FileName: n.FileName, Comment: n.Comment, Label: n.Label, CreatedAt: m.k.Head().Time, CreatedBy: is.UpdatedBy,
		PreviousChain: previous.Chain, Chain: d.Current.Chain, Current: true,
	}
}

// changed counts a change.
func (m *model) changed(d engine.Document, a engine.Actor) engine.Document {
	d.Revision++
	d.UpdatedAt, d.UpdatedBy = m.k.Head().Time, a.UserID
	return d
}

func (m *model) addVersion() {
	a, id, d, cond, want := m.subject(engine.AccessUpload)
	if want == nil && d.Archived {
		want = engine.ErrDocumentArchived
	}
	n := engine.NewVersion{FileName: pick(m, "", "b.txt"), Label: pick(m, "", "final")}
	text := fmt.Sprint("text ", m.random.IntN(12))
	u := m.k.Upload(text)
	defer u.Discard()
	got, r, err := m.k.AddVersion(m.ctx(), a, id, cond, n, u)
	m.answered("add version", err, want)
	if err != nil {
		return
	}
	d = m.changed(d, a)
	m.versioned(&d, got, n, u)
	m.texts[d.ID] = append(m.texts[d.ID], text)
	m.same("add version", got, d, r)
}

// copied is the bytes of a version that is restored.
type copied struct{ engine.Version }

func (c copied) Digest() engine.Digest { return c.Version.Digest }
func (c copied) Size() int64           { return c.Version.Size }

func (m *model) restore() {
	a, id, d, cond, want := m.subject(engine.AccessUpload)
	number := uint64(m.random.IntN(int(d.VersionCount) + 2))
	if want == nil && (number == 0 || number > d.VersionCount) {
		want = engine.ErrVersionNotFound
	}
	if want == nil && d.Archived {
		want = engine.ErrDocumentArchived
	}
	var from engine.Version
	if want == nil {
		var err error
		from, err = m.k.Version(m.ctx(), id, number)
		must(m.t, err)
	}
	got, r, err := m.k.RestoreVersion(m.ctx(), a, id, cond, number)
	m.answered("restore", err, want)
	if err != nil {
		return
	}
	d = m.changed(d, a)
	m.versioned(&d, got, engine.NewVersion{MediaType: from.MediaType, FileName: from.FileName}, copied{from})
	m.texts[d.ID] = append(m.texts[d.ID], m.texts[d.ID][number-1])
	m.same("restore", got, d, r)
}

func (m *model) patch() {
	a, id, d, cond, want := m.subject(engine.AccessUpload)
	is := d
	var p engine.DocumentPatch
	if m.random.IntN(2) == 0 {
		name := pick(m, modelNames...)
		p.Name, is.Name = &name, name
	}
	if m.random.IntN(4) == 0 {
		category := pick(m, modelCategories...)
		p.Category, is.Category = &category, cmp.Or(category, "other")
		if want == nil && is.Category != d.Category && !m.categoryKnown(is.Category) {
			want = engine.ErrInvalid
		}
	}
	if m.random.IntN(4) == 0 {
		owner := pick(m, m.actors...).UserID
		p.OwnerID, is.OwnerID = &owner, owner
	}
	if m.random.IntN(4) == 0 {
		external := fmt.Sprint("ext-", m.random.IntN(20))
		p.ExternalID, is.ExternalID = &external, external
		switch {
		case want != nil || external == d.ExternalID:
		case d.ExternalID != "":
			want = engine.ErrInvalid
		case m.holder(external) != "":
			want = engine.ErrExists
		}
	}
	if m.random.IntN(2) == 0 {
		tags := m.tags()
		p.Tags, is.Tags = &tags, tags
	}
	if m.random.IntN(2) == 0 {
		var sound bool
		if p.CustomFields, sound = m.values(); want == nil && !sound {
			want = engine.ErrInvalid
		}
		if p.ClearCustomFields = m.random.IntN(5) == 0; p.ClearCustomFields {
			is.CustomFields = nil
		}
		is.CustomFields = merged(is.CustomFields, p.CustomFields)
	}
	p.AddTags, p.RemoveTags = m.tags(), m.tags()
	is.Tags = slices.Concat(is.Tags, p.AddTags)
	is.Tags = sorted(slices.DeleteFunc(is.Tags, func(tag string) bool { return slices.Contains(p.RemoveTags, tag) }))
	got, r, err := m.k.UpdateDocument(m.ctx(), a, id, cond, p)
	m.answered("patch", err, want)
	if err != nil {
		return
	}
	if equal(is, d) {
		m.unchanged("patch", got, d, r)
		return
	}
	m.same("patch", got, m.changed(is, a), r)
}

func (m *model) unchanged(call string, got, d engine.Document, r engine.Receipt) {
	m.t.Helper()
	if got.Revision != d.Revision || got.AuditSeq != d.AuditSeq || r.Seq != 0 {
		m.t.Fatalf("call %d, %s that changes nothing: %+v %+v", m.n, call, got, r)
	}
}

func (m *model) archive() {
	a, id, d, cond, want := m.subject(engine.AccessAdmin)
	archive := m.random.IntN(2) == 0
	call := m.k.UnarchiveDocument
	if archive {
		call = m.k.ArchiveDocument
	}
	got, r, err := call(m.ctx(), a, id, cond)
	if want == nil && archive && !d.Archived && d.HoldCount > 0 {
		want = engine.ErrOnHold
	}
	m.answered("archive", err, want)
	if err != nil {
		return
	}
	if d.Archived == archive {
		m.unchanged("archive", got, d, r)
		return
	}
	d = m.changed(d, a)
	d.Archived = archive
	m.same("archive", got, m.settle(d), r)
}

func (m *model) remove() {
	a, id, d, cond, want := m.subject(engine.AccessAdmin)
	if want == nil && d.HoldCount > 0 {
		want = engine.ErrOnHold
	}
	if want == nil && d.Archived {
		want = engine.ErrDocumentArchived
	}
	if want == engine.ErrDocumentDeleted {
		want = nil
	}
	c, r, err := m.k.DeleteDocument(m.ctx(), a, id, cond)
	m.answered("delete", err, want)
	if err != nil {
		return
	}
	if len(c.Versions) != int(d.VersionCount) || c.DocumentID != d.ID {
		m.t.Fatalf("call %d: %+v", m.n, c)
	}
	if d.Status == engine.StatusDeleted {
		m.unchanged("delete", d, d, r)
		return
	}
	delete(m.texts, d.ID)
	d = m.changed(engine.Document{
		ID: d.ID, Name: d.Name, VersionCount: d.VersionCount, Revision: d.Revision, CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy, Status: engine.StatusDeleted,
	}, a)
	m.documents[d.ID] = d
	d.AuditSeq = r.Seq
	m.same("delete", d, d, r)
}

// account makes and changes users that are not actors.
func (m *model) account() {
	a := pick(m, m.actors...)
	email := pick(m, "", fmt.Sprintf("User%d@example.com", m.random.IntN(6)), fmt.Sprintf("user%d@EXAMPLE.com", m.random.IntN(6)))
	taken := func(but string) bool {
		for _, u := range m.users {
			if email != "" && u.ID != but && strings.EqualFold(u.Email, email) {
				return true
			}
		}
		return false
	}
	var want error
	if a.Access < engine.AccessAdmin {
		want = engine.ErrLacksPermission
	}
	ids := slices.Sorted(maps.Keys(m.users))
	id := ids[m.random.IntN(len(ids))]
	acts := slices.ContainsFunc(m.actors, func(a engine.Actor) bool { return a.UserID == id })
	if m.random.IntN(2) == 0 || acts {
		if want == nil && taken("") {
			want = engine.ErrExists
		}
		u, r, err := m.k.CreateUser(m.ctx(), a, engine.NewUser{Name: "N", Email: email, Access: engine.AccessView})
		m.answered("create user", err, want)
		if err == nil {
			at := m.k.Head().Time
			is := engine.User{ID: u.ID, Name: "N", Email: email, Access: engine.AccessView, Status: engine.UserActive, CanLockEnvelopes: true, CreatedAt: at, UpdatedAt: at, Revision: 1}
			if u != is || r.Seq != m.k.Head().Seq {
				m.t.Fatalf("call %d: got %+v, want %+v", m.n, u, is)
			}
			m.users[u.ID] = u
		}
		return
	}
	is := m.users[id]
	status := pick(m, engine.UserActive, engine.UserClosed)
	if want == nil && taken(id) {
		want = engine.ErrExists
	}
	was := is
	is.Email, is.Status = email, status
	u, r, err := m.k.UpdateUser(m.ctx(), a, id, engine.Condition{}, engine.UserPatch{Email: &email, Status: &status})
	m.answered("update user", err, want)
	if err != nil {
		return
	}
	if is != was {
		is.Revision, is.UpdatedAt = is.Revision+1, m.k.Head().Time
	}
	if u != is || (r.Seq != 0) != (is != was) {
		m.t.Fatalf("call %d: got %+v, want %+v", m.n, u, is)
	}
	m.users[id] = u
}

func (m *model) categories() {
	a := pick(m, m.actors...)
	list := pick(m, nil, []string{"minutes"}, []string{"minutes", "contract", "letter"})
	reads := m.random.IntN(2) == 0
	var want error
	if a.Access < engine.AccessAdmin {
		want = engine.ErrLacksPermission
	}
	s, _, err := m.k.UpdateSettings(m.ctx(), a, engine.Condition{}, engine.SettingsPatch{Categories: &list, AuditReads: &reads})
	m.answered("settings", err, want)
	if err != nil {
		return
	}
	kept := sorted(slices.DeleteFunc(slices.Clone(list), func(c string) bool { return c == "contract" }))
	if !slices.Equal(kept, m.settings.Categories) || reads != m.settings.AuditReads {
		m.settings.Categories, m.settings.AuditReads = kept, reads
		m.settings.Revision++
	}
	if !slices.Equal(s.Categories, m.settings.Categories) || s.AuditReads != reads || s.Revision != m.settings.Revision {
		m.t.Fatalf("call %d: got %+v, want %+v", m.n, s, m.settings)
	}
}

func (m *model) download() {
	a, id, d, _, want := m.subject(engine.AccessView)
	number := uint64(m.random.IntN(int(d.VersionCount) + 2))
	if want == engine.ErrPrecondition {
		want = nil
	}
	if want == nil && number > d.VersionCount {
		want = engine.ErrVersionNotFound
	}
	ver, f, r, err := m.k.OpenContent(m.ctx(), a, id, number)
	m.answered("download", err, want)
	if err != nil {
		return
	}
	defer f.Close()
	text := make([]byte, ver.Size)
	f.Read(text)
	texts := m.texts[d.ID]
	if want := texts[cmp.Or(number, uint64(len(texts)))-1]; string(text) != want {
		m.t.Fatalf("call %d: %q, want %q", m.n, text, want)
	}
	if (r.Seq != 0) != m.settings.AuditReads {
		m.t.Fatalf("call %d: receipt %+v with auditReads %v", m.n, r, m.settings.AuditReads)
	}
	if r.Seq != 0 {
		d.AuditSeq = r.Seq
		m.documents[d.ID] = d
	}
}

// everything compares the whole state.
func (m *model) everything() {
	m.t.Helper()
	for id, want := range m.documents {
		got, err := m.k.Document(m.ctx(), id)
		if want.Status == engine.StatusDeleted {
			m.answered("document", err, engine.ErrDocumentDeleted)
			continue
		}
		must(m.t, err)
		if !equal(got, want) {
			m.t.Fatalf("call %d:\ngot  %+v\nwant %+v", m.n, got, want)
		}
		page, err := m.k.Versions(m.ctx(), id, engine.Paging{Limit: 500})
		must(m.t, err)
		if len(page.Items) != len(m.texts[id]) || page.Items[0] != *want.Current || page.NextCursor != "" {
			m.t.Fatalf("call %d: %d versions, want %d", m.n, len(page.Items), len(m.texts[id]))
		}
	}
	m.allHolds()
	for id, want := range m.users {
		if got, err := m.k.User(m.ctx(), id); err != nil || got != want {
			m.t.Fatalf("call %d: got %+v %v, want %+v", m.n, got, err, want)
		}
	}
}

// equal compares documents, an empty list being as good as none.
func equal(a, b engine.Document) bool {
	if len(a.Tags) == 0 && len(b.Tags) == 0 {
		a.Tags, b.Tags = nil, nil
	}
	if len(a.CustomFields) == 0 && len(b.CustomFields) == 0 {
		a.CustomFields, b.CustomFields = nil, nil
	}
	return reflect.DeepEqual(a, b)
}
