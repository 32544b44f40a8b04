package daemon

import (
	"runtime/debug"
	"testing"
)

// TestPercentFor lets little grow to the size, much as the runtime does, and nothing
// less than that.
func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		inUse, heap int64
		want        int
	}{
		{0, 128 * mib, 400}, {1 * mib, 128 * mib, 400}, {32 * mib, 128 * mib, 300}, {40 * mib, 128 * mib, 220},
		{64 * mib, 128 * mib, 100}, {100 * mib, 128 * mib, 100}, {1 << 40, 128 * mib, 100},
	} {
		if got := percentFor(c.inUse, c.heap); got != c.want {
			t.Errorf("%d MiB in use of %d: %d %%, want %d", c.inUse/mib, c.heap/mib, got, c.want)
		}
	}
}

// TestPacer lets the heap grow while something is collected now and then, and no more
// when nothing was for a while; what changes little stays.
func TestPacer(t *testing.T) {
	const mib = 1 << 20
	p := pacer{heap: 128 * mib, percent: usualPercent, quiet: quietTime}
	idle := int(quietTime / paceTime)
	for at, step := range []struct {
		cycles  uint64
		inUse   int64
		seconds int // as often
		percent int
		changes bool // the last time
	}{
		{0, 40 * mib, 1, 100, false},
		{3, 40 * mib, 1, 220, true},
		{4, 41 * mib, 1, 220, false},
		{4, 41 * mib, idle - 1, 220, false},
		{4, 41 * mib, 1, 100, true},
		{4, 41 * mib, 5, 100, false},
		{5, 8 * mib, 1, 400, true},
		{6, 90 * mib, 1, 100, true},
	} {
		var percent int
		var changes bool
		for range step.seconds {
			percent, changes = p.look(step.cycles, step.inUse)
		}
		if percent != step.percent || changes != step.changes {
			t.Errorf("step %d: %d %%, changes %v", at, percent, changes)
		}
	}
}

// TestPaceEnds leaves the runtime as it was.
func TestPaceEnds(t *testing.T) {
	before := debug.SetGCPercent(80)
	defer debug.SetGCPercent(before)
	pace(t.Context(), 1<<40)()
	if got := debug.SetGCPercent(80); got != 80 {
		t.Errorf("it collects at %d %%", got)
	}
	pace(t.Context(), 0)()
	if got := debug.SetGCPercent(80); got != 80 {
		t.Errorf("nothing was to be paced, and it collects at %d %%", got)
	}
}
