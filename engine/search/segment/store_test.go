package segment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func never() error { return nil }

// model is a store beside a map of what it must hold.
type model struct {
	*testing.T
	random *rand.Rand
	dir    string
	store  *Store
	docs   map[ID]Doc
	saved  map[ID]Doc
	steps  int
}

func idOf(n int) ID { return ID{14: byte(n >> 8), 15: byte(n)} }

func (m *model) doc(n int) Doc {
	d := Doc{ID: idOf(n), Updated: m.random.Int64(), Stored: fmt.Appendf(nil, "%d at %d", n, m.steps)}
	for i := range 12 {
		if m.random.IntN(1+i) > 2 {
			continue
		}
		e := Entry{Key: fmt.Sprintf("term-%02d", i), Weight: byte(m.random.IntN(256))}
		at := uint32(0)
		for range m.random.IntN(4) {
			at += 1 + uint32(m.random.IntN(1<<m.random.IntN(20)))
			e.Positions = append(e.Positions, at)
		}
		if e.Positions == nil {
			e.Positions = []uint32{}
		}
		d.Terms = append(d.Terms, e)
	}
	d.Terms = append(d.Terms, Entry{Key: fmt.Sprintf("only-%d-%d", n, m.steps), Positions: []uint32{}})
	return d
}

func (m *model) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) step() {
	m.steps++
	switch m.random.IntN(10) {
	case 0:
		m.must(m.store.Save())
		m.saved = maps.Clone(m.docs)
	case 1:
		m.must(m.store.Compact(never))
	case 2:
		m.must(m.store.Settle())
	case 3:
		if m.random.IntN(3) == 0 {
			m.reopen()
		}
	default:
		m.apply()
	}
}

func (m *model) apply() {
	c := Changes{State: json.RawMessage(fmt.Sprint(m.steps))}
	for range m.random.IntN(300) {
		d := m.doc(m.random.IntN(2000))
		if !slices.ContainsFunc(c.Put, func(o Doc) bool { return o.ID == d.ID }) {
			c.Put = append(c.Put, d)
			m.docs[d.ID] = d
		}
	}
	for range m.random.IntN(30) {
		id := idOf(2000 + m.random.IntN(500)) // not among those put, so that order does not matter
		if m.random.IntN(2) == 0 {
			d := m.doc(int(id[14])<<8 | int(id[15]))
			m.must(m.store.Apply(Changes{Put: []Doc{d}, State: c.State}))
			m.docs[id] = d
			continue
		}
		if m.random.IntN(2) == 0 {
			c.Remove = append(c.Remove, id)
		} else {
			c.Forget = append(c.Forget, id)
		}
	}
	for _, id := range append(slices.Clone(c.Remove), c.Forget...) {
		delete(m.docs, id)
	}
	m.must(m.store.Apply(c))
}

// reopen is a crash: what was not saved is lost.
func (m *model) reopen() {
	m.must(m.store.Close())
	var why error
	var err error
	m.store, why, err = Open(m.dir, "test")
	m.must(err)
	if why != nil {
		m.Fatal(why)
	}
	// What was replaced since the last Save may be dead in files by now: whoever
	// owns the index follows its log from the state that was saved.
	c := Changes{State: json.RawMessage(fmt.Sprint(m.steps))}
	for _, d := range m.saved {
		c.Put = append(c.Put, d)
	}
	m.store.View(func(parts []*Part) error {
		for _, p := range parts {
			for doc := range uint32(p.Len()) {
				if _, ok := m.saved[p.ID(doc)]; !ok {
					c.Remove = append(c.Remove, p.ID(doc))
				}
			}
		}
		return nil
	})
	m.must(m.store.Apply(c))
	m.docs = maps.Clone(m.saved)
}

// seen reads everything there is back out of the segments.
func (m *model) seen() map[ID]Doc {
	docs := map[ID]Doc{}
	m.must(m.store.View(func(parts []*Part) error {
		for _, p := range parts {
			alive := 0
			for doc := range uint32(p.Len()) {
				if p.Dead(doc) {
					continue
				}
				alive++
				stored, err := p.Stored(doc)
				m.must(err)
				if _, twice := docs[p.ID(doc)]; twice {
					m.Fatalf("%x is alive twice", p.ID(doc))
				}
				docs[p.ID(doc)] = Doc{ID: p.ID(doc), Updated: p.Updated(doc), Stored: stored}
			}
			if alive != p.Alive() {
				m.Errorf("%d alive, it says %d", alive, p.Alive())
			}
			m.terms(p, docs)
		}
		return nil
	}))
	return docs
}

func (m *model) terms(p *Part, docs map[ID]Doc) {
	last := ""
	for t, err := range p.Terms("", "") {
		m.must(err)
		if t.Key <= last {
			m.Fatalf("%q behind %q", t.Key, last)
		}
		last = t.Key
		list, err := t.Postings()
		m.must(err)
		n := 0
		for ; list.Next() != End; n++ {
			if p.Dead(list.Doc) {
				continue
			}
			positions, err := positionsOf(list)
			m.must(err)
			again, err := positionsOf(list)
			if m.must(err); !slices.Equal(positions, again) {
				m.Fatalf("asked twice: %v, %v", positions, again)
			}
			d := docs[p.ID(list.Doc)]
			d.Terms = append(d.Terms, Entry{t.Key, list.Weight, positions})
			docs[d.ID] = d
		}
		if m.must(list.Err); n != t.Docs {
			m.Errorf("%q: %d postings of %d", t.Key, n, t.Docs)
		}
		m.seek(p, t.Key)
	}
}

// positionsOf walks all there are.
func positionsOf(p *Postings) ([]uint32, error) {
	positions := []uint32{}
	var at Places
	for p.Places(&at); at.Next() != End; {
		positions = append(positions, at.At)
	}
	return positions, at.Err
}

// seek leaps through the postings and must come to where walking comes.
func (m *model) seek(p *Part, key string) {
	t, err := p.Term(key)
	m.must(err)
	walked, err := t.Postings()
	m.must(err)
	leapt, err := t.Postings()
	m.must(err)
	for to := uint32(m.random.IntN(5)); leapt.Doc != End; to += uint32(m.random.IntN(400)) {
		for walked.Doc < to || !walked.started {
			if walked.Next() == End {
				break
			}
		}
		if leapt.Seek(to) != walked.Doc || walked.Doc != End && leapt.Weight != walked.Weight {
			m.Fatalf("%q: leapt to %d, walked to %d", key, leapt.Doc, walked.Doc)
		}
		if leapt.Doc == End {
			break
		}
		a, errA := positionsOf(walked)
		b, errB := positionsOf(leapt)
		if m.must(errors.Join(errA, errB)); !slices.Equal(a, b) {
			m.Fatalf("%q: %v, %v", key, a, b)
		}
	}
}

func (m *model) compare() {
	m.Helper()
	seen := m.seen()
	for id, d := range m.docs {
		got := seen[id]
		byKey := func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) }
		slices.SortFunc(d.Terms, byKey)
		if got.Updated != d.Updated || !bytes.Equal(got.Stored, d.Stored) || fmt.Sprint(got.Terms) != fmt.Sprint(d.Terms) {
			m.Fatalf("step %d: %x is\n%v, want\n%v", m.steps, id, got, d)
		}
		delete(seen, id)
	}
	if len(seen) > 0 {
		m.Fatalf("step %d: %d documents too many", m.steps, len(seen))
	}
}

var (
	modelSeed = flag.Uint64("modelseed", 0, "a seed for TestModel to try alone; 0 takes the fixed ones")
	moreSeeds = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")
)

// TestModel runs with a seed that is always the same, and with as many others as
// the flag asks for. The subtest's name is the seed.
func TestModel(t *testing.T) {
	list := []uint64{1}
	for range *moreSeeds {
		list = append(list, rand.Uint64())
	}
	if *modelSeed != 0 {
		list = []uint64{*modelSeed}
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testModel(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func testModel(t *testing.T, random *rand.Rand) {
	m := &model{T: t, random: random, dir: t.TempDir(), docs: map[ID]Doc{}, saved: map[ID]Doc{}}
	var err error
	m.store, _, err = Open(m.dir, "test")
	m.must(err)
	for range 120 {
		m.step()
		if m.steps%10 == 0 {
			m.compare()
		}
	}
	m.must(m.store.Save())
	m.must(m.store.Check(never))
	m.compare()
	m.must(m.store.Close())
}
