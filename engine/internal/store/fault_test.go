package store_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"strongroom/engine/internal/store"
)

// act is one of a history.
type act struct {
	name string
	run  func(c *cutKit, r *rand.Rand) error
}

func change(c *cutKit, r *rand.Rand) error { return c.change(r) }

func checkpoint(c *cutKit, _ *rand.Rand) error {
	_, err := c.Checkpoint(c.t.Context())
	return err
}

// large does not fit into the first segment.
func large(c *cutKit, _ *rand.Rand) error {
	text := strings.Repeat("large", 250_000)
	c.next = maps.Clone(c.model)
	c.next["large"] = text
	err := c.submit(put("large", text))
	if err == nil {
		c.model = c.next
	}
	if err == nil || errors.Is(err, store.ErrNoSpace) {
		c.next = nil
	}
	return err
}

func wipe(c *cutKit, _ *rand.Rand) error {
	_, _, err := c.Wipe(c.t.Context(), never)
	c.d.settled() // bbolt's own syncs, which are not steps
	return err
}

func reopen(c *cutKit, _ *rand.Rand) error {
	c.Shut()
	err := c.Close(nil)
	s, opening := store.Open(c.dir, c.options)
	if opening != nil { // the one step that fails was here
		s, opening = store.Open(c.dir, c.options)
		must(c.t, opening)
	}
	c.Store = s
	return err
}

// faultHistory has each kind of step: a log that begins, groups, checkpoints that are
// made into both slots, another segment, one that is used again, an end.
var faultHistory = []act{
	{"change", change}, {"change", change}, {"checkpoint", checkpoint}, {"change", change},
	{"large", large}, {"checkpoint", checkpoint}, {"change", change},
	{"wipe", wipe}, {"change", change}, {"close", reopen}, {"change", change},
}

// fault is what goes wrong.
type fault struct {
	at      int
	applied bool
	cause   error
	cut     bool // and then the power is cut
}

func (f fault) String() string {
	return fmt.Sprintf("step %d, applied %v, %v, power cut %v", f.at, f.applied, f.cause, f.cut)
}

var everyFault = flag.Bool("everyfault", false, "tests of steps that fail try each fault of each step, not a part of them")

// eachFault calls fn with the faults of a history of so many steps: all of them by a
// flag, else some. The parts are of lengths that have nothing in common with how many faults
// a step has.
func eachFault(steps int, fn func(f fault)) {
	n, each := 0, 11
	switch {
	case *everyFault:
		each = 1
	case testing.Short():
		each = 59
	}
	for at := range steps {
		for _, applied := range []bool{false, true} {
			for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
				for _, cut := range []bool{false, true} {
					if n++; n%each == 0 {
						fn(fault{at, applied, cause, cut})
					}
				}
			}
		}
	}
}

// arm makes the drive fail at one step from now on, and returns what counts them.
func (d *drive) arm(f fault) *int {
	steps := -1
	d.cause = f.cause
	d.fails = func(string) (bool, bool) {
		steps++
		return steps == f.at, f.applied
	}
	return &steps
}

func (d *drive) disarm() {
	d.fails = func(string) (bool, bool) { return false, false }
}

// taken is what the drive holds, all of it, without a cut.
func (d *drive) taken() picture {
	d.look()
	p := picture{bytes.Clone(d.seen), map[string][]byte{}}
	for name, s := range d.names {
		p.files[name] = bytes.Clone(s.now)
	}
	return p
}

// TestEachStepFails has every step of a history fail once: of commits, of
// checkpoints, of a wipe, of the end of a log. Not done, and done although it says not. The store
// goes on, or stops; the next time it holds what was acknowledged, and what was under
// way wholly or not at all. What fails for lack of space before a record is written did not
// happen, and keeps nobody from going on.
func TestEachStepFails(t *testing.T) {
	c := newCutKit(t)
	c.kit.close()
	c.d.settled()
	base := c.d.taken()

	var before []bool // a record, of each step
	var names []string
	c.d.load(base)
	c.open()
	for _, a := range faultHistory {
		first := len(names)
		c.d.step = func(name string) { names = append(names, name) }
		must(t, a.run(c, rand.New(rand.NewPCG(1, 1))))
		c.d.step = func(string) {}
		for i := range len(names) - first {
			isChange := a.name == "change" || a.name == "large"
			before = append(before, isChange && i < len(names)-first-2)
		}
	}
	c.leave()
	t.Logf("%d steps", len(names))

	eachFault(len(names), func(f fault) {
		c.d.load(base)
		c.model, c.next = map[string]string{}, nil
		c.open()
		steps := c.d.arm(f)
		for _, a := range faultHistory {
			err := a.run(c, rand.New(rand.NewPCG(1, 1)))
			if *steps < f.at && err != nil {
				t.Fatalf("%v: %s failed before: %v", f, a.name, err)
			}
			// A name that is taken, though the system says it is not, is no lack of space.
			if *steps >= f.at && before[f.at] && f.cause == syscall.ENOSPC && !(f.applied && names[f.at] == "open") {
				if c.Ready() != nil || err != nil && !errors.Is(err, store.ErrNoSpace) {
					t.Fatalf("%v (%s): %s got %v, and %v", f, names[f.at], a.name, err, c.Ready())
				}
			}
			if err != nil && a.name != "wipe" && a.name != "close" && !errors.Is(err, store.ErrNoSpace) && c.Ready() == nil {
				t.Fatalf("%v (%s): after %v the store goes on", f, names[f.at], err)
			}
			if c.Ready() != nil {
				break
			}
			if err := c.matches(c.model, nil); err != nil {
				t.Fatalf("%v (%s): %v", f, names[f.at], err)
			}
		}
		c.comesBack(f)
	})
}

// comesBack holds that after a fault the store opens again, holds what it must, and works.
func (c *cutKit) comesBack(f fault) {
	c.t.Helper()
	c.leave()
	c.d.disarm()
	if f.cut {
		c.d.load(c.d.cut(rand.New(rand.NewPCG(uint64(f.at), 2))))
	}
	c.open()
	if err := c.matches(c.model, c.next); err != nil {
		c.t.Fatalf("%v: %v", f, err)
	}
	c.next = nil
	if err := c.change(rand.New(rand.NewPCG(3, 3))); err != nil {
		c.t.Fatalf("%v: afterwards: %v", f, err)
	}
	c.reopen()
	if err := c.matches(c.model, nil); err != nil {
		c.t.Fatalf("%v: afterwards: %v", f, err)
	}
	c.leave()
}

// TestEachStepOfRecoveryFails has every step of a recovery fail once. The store is not
// opened, and the next time it is, with all that was acknowledged; or nothing is amiss.
func TestEachStepOfRecoveryFails(t *testing.T) {
	c := newCutKit(t)
	r := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		must(t, c.change(r))
	}
	must(t, checkpoint(c, r))
	for range 3 {
		must(t, c.change(r))
	}
	must(t, large(c, r))
	c.leave()
	base, model := c.d.taken(), c.model

	c.d.load(base)
	steps := c.d.arm(fault{at: -1})
	c.open()
	n := *steps + 1
	c.leave()
	t.Logf("%d steps", n)
	eachFault(n, func(f fault) {
		c.d.load(base)
		c.model, c.next = model, nil
		c.d.arm(f)
		s, err := store.Open(c.dir, c.options)
		if err != nil {
			c.d.disarm()
			if f.cut {
				c.d.load(c.d.cut(rand.New(rand.NewPCG(uint64(f.at), 2))))
			}
			s, err = store.Open(c.dir, c.options)
			must(t, err)
			f.cut = false
		}
		c.Store = s
		if err := c.matches(model, nil); err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		c.comesBack(f)
	})
}
