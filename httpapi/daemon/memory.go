package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// paceTime is from one look at what is in use to the next. What is taken at once
	// meanwhile is bounded by the memory limit.
	paceTime = time.Second
	// quietTime is how long nothing was collected before the heap shrinks again.
	quietTime = 10 * time.Second
	// The Go runtime collects when the heap has grown by so many percent of what is in
	// use: by itself usualPercent, and largestPercent at most as it is paced here.
	usualPercent, largestPercent = 100, 400
)

// pace lets the heap grow to a size before it is collected, while there is work. The
// runtime by itself collects at twice of what is in use, which for a server that uses
// little is many times a second: a seventh of its processor. It returns what ends that,
// and restores what was.
func pace(ctx context.Context, heap int64) (end func()) {
	if heap <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	before := debug.SetGCPercent(usualPercent)
	go func() {
		defer close(ended)
		defer debug.SetGCPercent(before)
		tick := time.NewTicker(paceTime)
		defer tick.Stop()
		p := pacer{heap: heap, percent: usualPercent, quiet: quietTime}
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if percent, changes := p.look(collected()); changes {
				debug.SetGCPercent(percent)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// pacer decides by how much the heap may grow.
type pacer struct {
	heap    int64
	percent int // as it is set
	cycles  uint64
	quiet   time.Duration // since something was collected, up to quietTime
}

// look takes how often was collected and what that has left, each paceTime. A change
// stops the world, so small ones are none.
func (p *pacer) look(cycles uint64, inUse int64) (percent int, changes bool) {
	if p.quiet += paceTime; cycles != p.cycles {
		p.quiet = 0
	}
	p.quiet, p.cycles = min(p.quiet, quietTime), cycles
	percent = usualPercent
	if p.quiet < quietTime {
		percent = percentFor(inUse, p.heap)
	}
	if percent*10 >= p.percent*9 && percent*9 <= p.percent*10 {
		return p.percent, false
	}
	p.percent = percent
	return percent, true
}

// percentFor is by how much what is in use may grow to reach a size.
func percentFor(inUse, heap int64) int {
	if inUse <= 0 {
		return largestPercent
	}
	return int(min(max((heap-inUse)*100/inUse, usualPercent), largestPercent))
}

// collected is how often the runtime has collected, and what the last time has left of
// the heap, in bytes.
func collected() (cycles uint64, inUse int64) {
	samples := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return 0, 0
		}
	}
	return samples[0].Value.Uint64(), int64(samples[1].Value.Uint64())
}
