package engine_test

import (
	"testing"

	"strongroom/engine/enginetest"
)

// BenchmarkProveEntry is one proof of an entry under a checkpoint that is there.
func BenchmarkProveEntry(b *testing.B) {
	k := enginetest.New(b)
	for range 200 {
		k.Create("a", "text")
	}
	c := signed(b, k.Vault)
	for b.Loop() {
		if _, err := k.ProveEntry(b.Context(), uint64(c.Size)/2); err != nil {
			b.Fatal(err)
		}
	}
}
