package store_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"strongroom/engine/internal/store"
)

var models = flag.Int("models", 15, "how many recoveries TestEveryCut makes, without -short, of a moment of which it cannot make all; of others it makes all with -everyfault")

// moment is one at which the power may be cut: what the database's file holds for
// certain, what was written to each of its pages since, and the states in which the log
// may be, with what the store must hold then.
type moment struct {
	name  string
	floor []byte
	size  int // of the file as it is
	later map[int64][][]byte
	logs  []logState
}

type logState struct {
	name  string
	files map[string][]byte
	want  map[string]string
}

// moment is now, with the log as it is, or in states that are said later.
func (c *cutKit) moment(name string) *moment {
	c.d.look()
	m := &moment{name: name, floor: bytes.Clone(c.d.floor), size: len(c.d.seen), later: maps.Clone(c.d.later)}
	m.logs = []logState{{"as it is", c.d.taken().files, maps.Clone(c.model)}}
	return m
}

// choices is how many states of the pages there are: each may be as it was, or
// any version since; the last comes first.
func (m *moment) choices() (pages []int64, n int) {
	pages, n = slices.Sorted(maps.Keys(m.later)), 1
	for _, at := range pages {
		n *= len(m.later[at]) + 1
	}
	return pages, n
}

// rows is one of them.
func (m *moment) rows(pages []int64, choice int) []byte {
	b := append(bytes.Clone(m.floor), make([]byte, max(m.size-len(m.floor), 0))...)
	for _, at := range pages {
		versions := m.later[at]
		if kept := choice % (len(versions) + 1); kept > 0 {
			copy(b[at:], versions[len(versions)-kept])
		}
		choice /= len(versions) + 1
	}
	return b
}

// recoverEach recovers every state of the moment, or as many as the limit lets it,
// drawn evenly.
func (c *cutKit) recoverEach(m *moment, limit int) {
	c.t.Helper()
	pages, n := m.choices()
	total := n * len(m.logs)
	r := rand.New(rand.NewPCG(18, 3))
	for i := range min(total, limit) {
		which := i
		if total > limit {
			which = r.IntN(total)
		}
		log, choice := m.logs[which%len(m.logs)], which/len(m.logs)
		c.d.load(picture{m.rows(pages, choice), log.files})
		s, err := store.Open(c.dir, c.options)
		if err != nil {
			c.t.Fatalf("%s, pages %d, log %s: %v", m.name, choice, log.name, err)
		}
		c.Store = s
		if err := c.matches(log.want, nil); err != nil {
			c.t.Fatalf("%s, pages %d, log %s: %v", m.name, choice, log.name, err)
		}
		c.leave()
	}
	c.t.Logf("%s: %d of %d states, of %d pages and %d logs", m.name, min(total, limit), total, len(pages), len(m.logs))
}

// putSmall lands a group of one small note.
func (c *cutKit) putSmall(name, text string) {
	c.t.Helper()
	must(c.t, c.submit(put(name, text)))
	c.model = maps.Clone(c.model)
	c.model[name] = text
	c.d.look() // each version of a page counts
}

// lastRecord runs a group, and returns the moment when its record is written, and
// its sync and bbolt's commit are under way: the record is not there, torn, or whole.
func (c *cutKit) lastRecord(name string, run func()) *moment {
	c.t.Helper()
	was := maps.Clone(c.model)
	var absent, whole map[string][]byte
	c.d.step = func(step string) {
		if step == "sync" {
			absent, whole = map[string][]byte{}, map[string][]byte{}
			for path, s := range c.d.names {
				absent[path], whole[path] = bytes.Clone(s.synced), bytes.Clone(s.now)
			}
		}
	}
	run()
	c.d.step = func(string) {}
	m := c.moment(name)
	m.logs = []logState{{"without the record", absent, was}, {"with it", whole, maps.Clone(c.model)}}
	for tear, keep := range map[string]func(sector int) bool{
		"its first sector":     func(sector int) bool { return sector == 0 },
		"all but the first":    func(sector int) bool { return sector > 0 },
		"every second of them": func(sector int) bool { return sector%2 == 0 },
	} {
		torn := maps.Clone(absent)
		for path, b := range absent {
			torn[path] = mixed(b, whole[path], keep)
		}
		if !maps.EqualFunc(torn, whole, bytes.Equal) {
			m.logs = append(m.logs, logState{tear, torn, was})
		}
	}
	slices.SortFunc(m.logs[2:], func(a, b logState) int { return strings.Compare(a.name, b.name) })
	return m
}

// mixed has some sectors of what was written, counted from the first that differs.
func mixed(was, is []byte, keep func(sector int) bool) []byte {
	b, first := bytes.Clone(was), -1
	for at := 0; at < len(was); at += 512 {
		if bytes.Equal(was[at:at+512], is[at:at+512]) {
			continue
		}
		if first < 0 {
			first = at
		}
		if keep((at - first) / 512) {
			copy(b[at:at+512], is[at:])
		}
	}
	return b
}

// TestEveryCut is a model check of recovery: for small histories it makes every subset of
// the pages that are not synced, in each of their versions, with every state of the last
// record, and recovers each. What comes out is what the records say, to the last row.
func TestEveryCut(t *testing.T) {
	other := strings.Repeat("other", 300) // so that a record has some sectors
	// start is a store whose last checkpoint is of now.
	start := func(t *testing.T, pages int) *cutKit {
		c := newCutKit(t)
		c.putSmall("a", "first")
		c.putSmall("b", "second")
		for n := range pages { // so that the rows take pages of their own
			c.putSmall(fmt.Sprint("page ", n), strings.Repeat("page", 200))
		}
		must(t, checkpoint(c, nil))
		return c
	}
	for name, moments := range map[string]func(c *cutKit) []*moment{
		"one group": func(c *cutKit) []*moment {
			return []*moment{c.lastRecord("one group", func() { c.putSmall("a", other) })}
		},
		"two groups": func(c *cutKit) []*moment {
			c.putSmall("c", "third")
			return []*moment{c.lastRecord("two groups", func() { c.putSmall("a", other) })}
		},
		"three groups": func(c *cutKit) []*moment {
			c.putSmall("c", "third")
			c.putSmall("d", "fourth")
			return []*moment{c.lastRecord("three groups", func() { c.putSmall("a", other) })}
		},
		"a second log": func(c *cutKit) []*moment { // its first name is of a database that bbolt synced
			c.kit.reopen()
			c.putSmall("a", other)
			return []*moment{c.lastRecord("a second log", func() { c.putSmall("b", other) })}
		},
		"a checkpoint half done": func(c *cutKit) (all []*moment) {
			c.putSmall("c", "third")
			busy := false
			c.d.step = func(step string) {
				if step != "sync the database" || busy {
					return
				}
				busy = true // others land groups meanwhile
				all = append(all, c.moment("a checkpoint that is committed"))
				step1 := c.d.step
				all = append(all, c.lastRecord("a group behind it", func() { c.putSmall("a", other) }))
				c.d.step = step1
			}
			must(c.t, checkpoint(c, nil))
			c.d.step = func(string) {}
			return append(all, c.lastRecord("a group after it", func() { c.putSmall("b", other) }))
		},
		"a checkpoint that is named": func(c *cutKit) (all []*moment) {
			c.putSmall("c", "third")
			c.d.step = func(step string) {
				if step == "sync" {
					m := c.moment("while it is named")
					m.logs = nil
					for tear := range 4 {
						files := map[string][]byte{}
						for path, s := range c.d.names {
							files[path] = mixed(s.synced, s.now, func(sector int) bool { return tear == 3 || sector%2 == tear && tear < 2 })
						}
						m.logs = append(m.logs, logState{fmt.Sprint("tear ", tear), files, maps.Clone(c.model)})
					}
					all = append(all, m)
				}
			}
			must(c.t, checkpoint(c, nil))
			c.d.step = func(string) {}
			return all
		},
		"a recovery": func(c *cutKit) (all []*moment) {
			for n := range 3 {
				c.putSmall(fmt.Sprint(n), "text")
			}
			left := c.d.taken()
			rows, floor := left.rows, bytes.Clone(c.d.floor)
			c.leave()
			for kept := range 2 { // all that was written since the checkpoint arrived, or nothing
				left.rows = rows
				if kept == 0 {
					left.rows = append(floor, make([]byte, len(rows)-len(floor))...)
				}
				c.d.load(left)
				c.d.step = func(step string) {
					if step == "sync the database" {
						all = append(all, c.moment(fmt.Sprint("a recovery, kept ", kept)))
					}
				}
				c.open()
				c.d.step = func(string) {}
				c.leave()
			}
			return all
		},
	} {
		for kind, pages := range map[string]int{"one page": 0, "a tree": 12} {
			t.Run(name+", "+kind, func(t *testing.T) {
				limit := math.MaxInt
				switch {
				case testing.Short():
					limit = 3
				case pages > 0:
					limit = *models
				case !*everyFault:
					limit = 2 * *models
				}
				c := start(t, pages)
				for _, m := range moments(c) {
					if c.Ready() == nil {
						c.leave()
					}
					c.recoverEach(m, limit)
				}
			})
		}
	}
}
