//go:build unix

package engine_test

import (
	"syscall"
	"testing"
	"time"

	"strongroom/engine"
)

// BenchmarkVerify verifies a vault of a hundred thousand documents, of which some
// are archived: the log, every record, every index row. A core's rate is by the
// time that all cores have worked, whatever else they did meanwhile.
func BenchmarkVerify(b *testing.B) {
	const n = 100_000
	v, _ := filled(b, n)
	defer v.Close()
	archive(b, v, 500)
	b.ReportAllocs()
	began := worked(b)
	for b.Loop() {
		report, err := v.Verify(b.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			b.Fatal(err, report.Findings)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "documents/s")
	b.ReportMetric(n*float64(b.N)/(worked(b)-began).Seconds(), "documents/s/core")
}

// worked is for how long the process has had a core, or several as long together.
func worked(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
