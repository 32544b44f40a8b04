package store

import (
	"slices"
	"testing"
)

func TestHistogram(t *testing.T) {
	h := NewHistogram(1, 2, 4)
	for _, v := range []float64{0, 1, 1.5, 4, 5, 100} {
		h.Observe(v)
	}
	d := h.Read()
	if !slices.Equal(d.UpTo, []uint64{2, 3, 4}) || d.Count != 6 || d.Sum != 111.5 || !slices.Equal(d.Bounds, []float64{1, 2, 4}) {
		t.Errorf("%+v", d)
	}
}
