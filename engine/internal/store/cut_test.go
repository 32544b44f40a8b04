package store_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"strongroom/engine/internal/store"

	"go.etcd.io/bbolt"
)

var (
	cuts    = flag.Int("cuts", 60, "how many power cuts TestCuts makes")
	cutSeed = flag.Uint64("cutseed", 1, "what TestCuts draws from")
)

// cutKit is a store on a drive, and what it must hold.
type cutKit struct {
	*kit
	d     *drive
	model map[string]string // what is acknowledged
	next  map[string]string // what is, if the call that runs lands; nil: none runs
}

func newCutKit(t *testing.T) *cutKit {
	k := &kit{t: t, dir: t.TempDir(), options: store.Options{Schema: schema(), Reserve: -1, Map: 64 << 20}}
	must(t, store.Create(k.dir, schema(), found))
	c := &cutKit{kit: k, d: newDrive(k.path()), model: map[string]string{}}
	k.options.Steps, k.options.Sync = c.d.steps(), c.d.sync
	c.d.settled()
	k.open()
	return c
}

// leave lets the store go as a crash does.
func (c *cutKit) leave() {
	c.Stop(store.ReasonDamaged, io.EOF)
	c.Shut()
	c.Close(nil)
}

// change lands one group.
func (c *cutKit) change(r *rand.Rand) error {
	next := maps.Clone(c.model)
	type row struct {
		name, text string
		goes       bool
	}
	var rows []row
	for range 1 + r.IntN(6) {
		w := row{name: fmt.Sprintf("%03d", r.IntN(200)), goes: r.IntN(3) == 0}
		if !w.goes {
			size := r.IntN(600)
			if r.IntN(40) == 0 {
				size = 5_000 + r.IntN(20_000)
			}
			w.text = strings.Repeat(string(rune('a'+r.IntN(26))), size)
			next[w.name] = w.text
		} else {
			delete(next, w.name)
		}
		rows = append(rows, w)
	}
	c.next = next
	err := c.submit(func(t *store.Tx) (store.Record, error) {
		for _, w := range rows {
			if w.goes {
				t.Delete(notes, []byte(w.name))
			} else {
				t.Put(notes, []byte(w.name), []byte(w.text))
			}
		}
		t.Note()
		return noted(), nil
	})
	if err == nil {
		c.model = next
	}
	if err == nil || errors.Is(err, store.ErrNoSpace) {
		c.next = nil
	}
	return err
}

// matches says what the store holds that it must not, or lacks. It may hold what was under way,
// and then must from now on.
func (c *cutKit) matches(was, next map[string]string) error {
	var broken []error
	must(c.t, c.Bare().View(func(b *bbolt.Tx) error {
		for err := range b.Check() {
			broken = append(broken, err)
		}
		return nil
	}))
	if len(broken) > 0 {
		return errors.Join(broken...)
	}
	got := c.rows(notes)
	switch {
	case maps.Equal(got, was):
		c.model = was
	case next != nil && maps.Equal(got, next):
		c.model = next
	default:
		return fmt.Errorf("it holds %d rows, and neither the %d that it held nor the %d that came", len(got), len(was), len(next))
	}
	return nil
}

// TestCuts cuts the power again and again, between two acts and in the middle of
// one, in recovery too. After each cut the store holds what was acknowledged, and
// what was under way wholly or not at all.
func TestCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(*cutSeed, 18))
	c := newCutKit(t)
	n := *cuts
	if testing.Short() {
		n = min(n, 10)
	}
	inRecovery := 0
	for cut := range n {
		var left *picture
		var was, next map[string]string
		steps := r.IntN(120)
		c.d.step = func(string) {
			if steps--; steps == 0 {
				p := c.d.cut(r)
				left, was, next = &p, c.model, c.next
			}
		}
		for left == nil {
			switch r.IntN(12) {
			case 0, 1:
				_, err := c.Checkpoint(t.Context())
				must(t, err)
			case 2:
				if r.IntN(3) == 0 {
					_, _, err := c.Wipe(t.Context(), never)
					must(t, err)
					if left == nil {
						c.d.settled()
					}
				}
			case 3:
				if r.IntN(4) == 0 {
					c.kit.close()
					c.kit.open()
				}
			default:
				must(t, c.change(r))
			}
			c.d.look()
			if left == nil && r.IntN(60) == 0 {
				p := c.d.cut(r)
				left, was, next = &p, c.model, nil
			}
		}
		c.d.step = func(string) {}
		c.leave()
		for {
			c.d.load(*left)
			var again *picture
			steps := r.IntN(60)
			c.d.step = func(string) {
				if steps--; steps == 0 {
					p := c.d.cut(r)
					again = &p
				}
			}
			s, err := store.Open(c.dir, c.options)
			if err != nil {
				t.Fatalf("cut %d: %v", cut, err)
			}
			c.d.step = func(string) {}
			c.Store = s
			if again == nil {
				break
			}
			c.leave()
			inRecovery++
			left = again
		}
		if err := c.matches(was, next); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
	}
	c.kit.close()
	t.Logf("%d cuts, %d more in recovery", n, inRecovery)
}

// TestCutsFindFaults: of a drive that leaves out one sync and says it was done, the cuts
// find that something is lost. With all of them, nothing.
func TestCutsFindFaults(t *testing.T) {
	for _, lies := range []string{"", "segment", "name", "database", "directory"} {
		t.Run(lies, func(t *testing.T) {
			r := rand.New(rand.NewPCG(4, 18))
			c := newCutKit(t)
			c.d.lies = lies
			for n := range 40 {
				must(t, c.change(r))
				if n%10 == 5 {
					must(t, checkpoint(c, r))
				}
				c.d.look()
			}
			c.leave()
			var cuts []picture
			n := 30
			if testing.Short() {
				n = 10
			}
			for range n {
				cuts = append(cuts, c.d.cut(r))
			}
			c.d.lies = ""
			faults, model := 0, c.model
			for _, p := range cuts {
				c.d.load(p)
				s, err := store.Open(c.dir, c.options)
				if err == nil {
					c.Store = s
					err = c.matches(model, nil)
					c.leave()
				}
				if err != nil {
					faults++
				}
			}
			if (faults > 0) != (lies != "") {
				t.Errorf("%d of %d cuts found a fault", faults, len(cuts))
			}
			t.Logf("%d of %d cuts found a fault", faults, len(cuts))
		})
	}
}
