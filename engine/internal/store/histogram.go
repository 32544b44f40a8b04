package store

import (
	"math"
	"slices"
	"sync/atomic"
)

// Histogram counts values in ranges. Counting is cheap and may be done by many
// at once.
type Histogram struct {
	bounds []float64
	counts []atomic.Uint64 // by range, each up to its bound; the last has none
	sum    atomic.Uint64   // bits of a float64
}

// NewHistogram returns a histogram whose ranges end at these bounds, which
// rise, and one above them.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value in the range that ends at it or above it.
func (h *Histogram) Observe(value float64) {
	at, _ := slices.BinarySearch(h.bounds, value)
	h.counts[at].Add(1)
	for {
		was := h.sum.Load()
		if h.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+value)) {
			return
		}
	}
}

// Distribution is what a histogram has counted. UpTo says how many values were
// at a bound or below it; Count is all of them.
type Distribution struct {
	Bounds []float64
	UpTo   []uint64
	Count  uint64
	Sum    float64
}

// Read returns what was counted. A value that is counted meanwhile may be in
// one part of it only.
func (h *Histogram) Read() Distribution {
	d := Distribution{Bounds: h.bounds, Sum: math.Float64frombits(h.sum.Load())}
	for i := range h.counts {
		d.Count += h.counts[i].Load()
		if i < len(h.bounds) {
			d.UpTo = append(d.UpTo, d.Count)
		}
	}
	return d
}
