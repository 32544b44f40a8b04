package engine_test

import (
	"testing"

	"strongroom/engine"
)

// BenchmarkVerify verifies a vault of twenty thousand documents, of which some
// are archived: the log, every record, every index row.
func BenchmarkVerify(b *testing.B) {
	const n = 20_000
	v, _ := filled(b, n)
	defer v.Close()
	archive(b, v, 500)
	b.ReportAllocs()
	for b.Loop() {
		report, err := v.Verify(b.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			b.Fatal(err, report.Findings)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}
