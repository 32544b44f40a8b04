package engine_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

var (
	lockSteps = flag.Int("locksteps", 250, "how many steps TestLockModel makes")
	lockSeed  = flag.Uint64("lockseed", 0, "a seed to try alone; 0 takes the fixed ones")
)

// lockModel is what a vault must hold of a few documents that several people
// lock, draft, save, revert and break, in maps.
type lockModel struct {
	t          *testing.T
	k          *enginetest.Kit
	random     *rand.Rand
	actors     []engine.Actor // indexes of this name their users
	documents  []*modelDocument
	categories []string
	verify     bool // the whole vault after every step
	n          int
	trace      []string
}

type modelDocument struct {
	id        string
	metadata  modelMetadata
	texts     []string // of each version
	discarded map[int]bool
	current   int
	revision  int
	archived  bool
	deleted   bool
	fence     int
	lease     *modelLease // the last one, live or not
	drafts    map[int]*modelDraft
	password  string
	wrong     map[int]modelGuess
}

type modelMetadata struct {
	name, description, category, owner, external string
	tags                                         []string
	fields                                       map[string]string // values as words, with their kind
}

type modelLease struct {
	user       int
	token      string
	until      time.Time
	window     time.Duration
	scratchPad bool
	// What the document was at locking.
	metadata modelMetadata
	current  int
	versions int
}

type modelDraft struct {
	base    int
	ends    time.Time
	changes []modelChange
}

// modelChange is of metadata, or else the text of a version.
type modelChange struct {
	patch *engine.DocumentPatch
	text  string
}

type modelGuess struct {
	count int
	last  time.Time
}

func TestLockModel(t *testing.T) {
	// With seed 9 the whole vault is verified after every step.
	eachSeed(t, *lockSeed, []uint64{8, 9}, testLockModel)
}

func testLockModel(t *testing.T, seed uint64) {
	steps := *lockSteps
	if testing.Short() {
		steps = min(steps, 80)
	}
	synctest.Test(t, func(t *testing.T) {
		m := &lockModel{t: t, k: enginetest.New(t), random: rand.New(rand.NewPCG(seed, 0))}
		m.verify = m.random.IntN(4) == 0
		for _, access := range []engine.Access{engine.AccessAdmin, engine.AccessUpload, engine.AccessAdmin} {
			a, _ := m.k.Person("Actor", access)
			m.actors = append(m.actors, a)
		}
		m.k.Define(engine.TextField, "field0")
		m.k.Define(engine.BooleanField, "field1")
		m.k.Define(engine.NumberField, "field2", "n")
		for range 2 {
			m.create()
		}
		for m.n = range steps {
			m.step()
			if m.compare(); t.Failed() {
				for _, line := range m.trace[max(0, len(m.trace)-60):] {
					t.Log(line)
				}
				t.Logf("repeat with -run TestLockModel -lockseed %d -locksteps %d", seed, steps)
				return
			}
		}
		t.Logf("seed %d: %d steps, %d documents, %d entries", seed, steps, len(m.documents), m.k.Head().Seq)
	})
}

func (m *lockModel) create() {
	name, text := fmt.Sprint("document ", len(m.documents)), fmt.Sprint("first text ", m.random.IntN(2))
	d := m.k.CreateFrom(engine.NewDocument{Name: name, Tags: []string{"a"}, CustomFields: map[string]any{"n": 1}}, text)
	m.documents = append(m.documents, &modelDocument{
		id: d.ID, texts: []string{text}, current: 1, revision: 1,
		discarded: map[int]bool{}, drafts: map[int]*modelDraft{}, wrong: map[int]modelGuess{},
		metadata: modelMetadata{
			name: name, category: "other", owner: m.k.Admin.UserID, tags: []string{"a"}, fields: map[string]string{"n": "number 1"},
		},
	})
}

// expect compares what a call came to with what it had to, and says whether it
// was let through.
func (m *lockModel) expect(what string, got, want error) bool {
	m.trace = append(m.trace, fmt.Sprintf("%d %s %s: %v", m.n, time.Now().Format("02 15:04:05.000"), what, got))
	if (got == nil) != (want == nil) || !errors.Is(got, want) {
		m.t.Errorf("step %d: %s: got %v, want %v", m.n, what, got, want)
		return false
	}
	return got == nil
}

func (d *modelDocument) live() *modelLease {
	if d.lease != nil && time.Now().Before(d.lease.until) {
		return d.lease
	}
	return nil
}

// drafting says whether changes go into a scratchpad.
func (d *modelDocument) drafting() bool { return d.live() != nil && d.lease.scratchPad }

// slide moves the deadline on, as a change with the token does.
func (d *modelDocument) slide(c engine.Condition) {
	l := d.live()
	if l == nil {
		return
	}
	if c.LockDuration > 0 {
		l.window = min(c.LockDuration, 1800*time.Second)
	}
	l.until = now().Add(l.window)
	if l.scratchPad && d.drafts[l.user] != nil {
		d.drafts[l.user].ends = l.until
	}
}

// now is as precise as the vault's clock.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }

func (d *modelDraft) due() bool { return !time.Now().Before(d.ends.Add(24 * time.Hour)) }

// note adds a change to the holder's draft.
func (d *modelDocument) note(c modelChange) {
	user := d.lease.user
	if d.drafts[user] == nil {
		d.drafts[user] = &modelDraft{base: d.revision}
	}
	d.drafts[user].changes = append(d.drafts[user].changes, c)
}

// current are a draft's changes with only the last category, owner and external
// id in them.
func (d *modelDraft) current() []modelChange {
	if d == nil {
		return nil
	}
	changes := slices.Clone(d.changes)
	seen := map[string]bool{}
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].patch == nil {
			continue
		}
		p := *changes[i].patch
		for name, value := range map[string]**string{"category": &p.Category, "owner": &p.OwnerID, "external": &p.ExternalID} {
			if *value != nil && seen[name] {
				*value = nil
			} else if *value != nil {
				seen[name] = true
			}
		}
		changes[i].patch = &p
	}
	return changes
}

// replay is a document with changes on it, leaving out those that are refused
// by now.
func (m *lockModel) replay(d *modelDocument, changes []modelChange) (shown modelMetadata, text string, versions int, refused []error) {
	shown, text = d.metadata.clone(), d.texts[d.current-1]
	for _, c := range changes {
		if c.patch == nil {
			text = c.text
			versions++
			refused = append(refused, nil)
			continue
		}
		next := shown.clone()
		err := m.apply(&next, *c.patch)
		if err == nil {
			shown = next
		}
		refused = append(refused, err)
	}
	return shown, text, versions, refused
}

func (m *lockModel) known(category string) bool {
	return category == "other" || category == "contract" || slices.Contains(m.categories, category)
}

func (m *lockModel) apply(md *modelMetadata, p engine.DocumentPatch) error {
	set := func(member *string, value *string) {
		if value != nil {
			*member = *value
		}
	}
	set(&md.name, p.Name)
	set(&md.description, p.Description)
	set(&md.owner, p.OwnerID)
	if p.Category != nil {
		was := md.category
		if md.category = *p.Category; md.category == "" {
			md.category = "other"
		}
		if md.category != was && !m.known(md.category) {
			return engine.ErrInvalid
		}
	}
	if p.ExternalID != nil && *p.ExternalID != md.external {
		if md.external != "" {
			return engine.ErrInvalid
		}
		if slices.ContainsFunc(m.documents, func(d *modelDocument) bool { return !d.deleted && d.metadata.external == *p.ExternalID }) {
			return engine.ErrExists
		}
		md.external = *p.ExternalID
	}
	if p.Tags != nil {
		md.tags = slices.Clone(*p.Tags)
	}
	md.tags = append(md.tags, p.AddTags...)
	md.tags = slices.DeleteFunc(md.tags, func(tag string) bool { return slices.Contains(p.RemoveTags, tag) })
	slices.Sort(md.tags)
	md.tags = slices.Compact(md.tags)
	if p.ClearCustomFields {
		clear(md.fields)
	}
	for name, value := range p.CustomFields {
		if md.fields[name] = word(value); value == nil {
			delete(md.fields, name)
		}
	}
	return nil
}
