package segment

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// BenchmarkMerge merges eight segments of five hundred documents each, which were changed
// at random: most words are in all, and some in one alone.
func BenchmarkMerge(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var segments []*Segment
	for n := range 8 {
		var docs []Doc
		for _, at := range random.Perm(10_000)[:500] {
			d := Doc{ID: ID{14: byte(at >> 8), 15: byte(at)}, Stored: []byte("stored")}
			for word := range 40 {
				d.Terms = append(d.Terms, Entry{Key: fmt.Sprintf("sword%d", word), Weight: 7, Positions: []uint32{uint32(word), 90}})
			}
			for word := range 6 {
				d.Terms = append(d.Terms, Entry{Key: fmt.Sprintf("sown %d %d %d", n, at, word), Weight: 7, Positions: []uint32{uint32(word)}})
			}
			docs = append(docs, d)
		}
		s, err := Build(docs)
		if err != nil {
			b.Fatal(err)
		}
		segments = append(segments, s)
	}
	for b.Loop() {
		var inputs []*merging
		for _, s := range segments {
			inputs = append(inputs, &merging{seg: s})
		}
		if err := merge(inputs, io.Discard, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*8*500), "µs/document")
}
