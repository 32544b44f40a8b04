package cluster

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

var benchDocuments = flag.Int("cluster.documents", 2_000, "documents of the vault that is recovered")

// BenchmarkRecovery is a server that has nothing: it fetches a snapshot, and then the
// commits after it, of as many documents again. The store is in memory, so what is
// measured is this package, engine and the disk.
func BenchmarkRecovery(b *testing.B) {
	for b.Loop() {
		n := *benchDocuments
		s := newShelf(b)
		m, k := s.own(s.server("first"))
		fill(k, n)
		began := time.Now()
		p := s.snapshot(m)
		report(b, "take", began, p.Rows, n)
		b.ReportMetric(float64(p.Rows)/float64(n), "rows-bytes/document")
		b.ReportMetric(float64(p.Size)/float64(p.Rows), "packed")

		from, bytes := m.s.place().Commit, m.s.tended().Bytes
		fill(k, n)
		commits, packed := m.s.place().Commit-from, int64(m.s.tended().Bytes-bytes)
		s.must(m.Close(b.Context()))

		began = time.Now()
		c := s.server("second")
		s.must(c.fetchCopy(b.Context(), p))
		report(b, "fetch", began, p.Rows, n)
		v, err := c.openFollowing()
		s.must(err)
		began = time.Now()
		s.must(c.replayTo(b.Context(), v, p, p.place, time.Time{}))
		report(b, "apply", began, packed, n)
		b.ReportMetric(float64(commits)/time.Since(began).Seconds(), "apply-commits/s")
		b.ReportMetric(float64(packed)/float64(n), "commit-bytes/document")
		s.must(v.Close())
	}
}

func report(b *testing.B, what string, began time.Time, bytes int64, documents int) {
	took := time.Since(began).Seconds()
	b.ReportMetric(took, what+"-s")
	b.ReportMetric(float64(bytes)/1e6/took, what+"-MB/s")
	b.ReportMetric(float64(documents)/took, what+"-documents/s")
}

// fill makes documents, 16 at a time, all of the same bytes.
func fill(k *enginetest.Kit, n int) {
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := w; i < n; i += 16 {
				k.CreateFrom(engine.NewDocument{
					Name: fmt.Sprintf("Agreement %06d with somebody", i), Category: "contract",
					Tags: []string{fmt.Sprintf("customer:%d", i%997)},
				}, "the same bytes")
			}
		})
	}
	writers.Wait()
}
