package extract

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkKindOf is what it takes to tell that bytes are no text: each upload is asked.
func BenchmarkKindOf(b *testing.B) {
	random := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{1}).Read(random)
	f := file(random, "application/octet-stream", "agreement.bin")
	for b.Loop() {
		if kind, err := KindOf(b.Context(), f); err != nil || kind != Binary {
			b.Fatal(kind, err)
		}
	}
}
