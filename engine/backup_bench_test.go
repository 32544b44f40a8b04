package engine_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// stocked is a vault of a thousand documents of 64 KiB and one of 64 MiB.
func stocked(b *testing.B) (*enginetest.Kit, int64) {
	b.Helper()
	k := enginetest.New(b)
	random := rand.NewChaCha8([32]byte{1})
	var total int64
	add := func(size int64) {
		u, err := k.Stage(b.Context(), io.LimitReader(random, size), 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := k.CreateDocument(b.Context(), k.Admin, engine.NewDocument{Name: "contract"}, u); err != nil {
			b.Fatal(err)
		}
		total += size
	}
	for range 1_000 {
		add(64 << 10)
	}
	add(64 << 20)
	return k, total
}

// plainCopy is how long cp -r and a sync of every file take, the limit of a backup.
func plainCopy(b *testing.B, from string) time.Duration {
	b.Helper()
	to := filepath.Join(b.TempDir(), "copy")
	began := time.Now()
	for _, cmd := range []*exec.Cmd{
		exec.Command("cp", "-r", from, to),
		exec.Command("find", to, "-exec", "sync", "{}", "+"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Skipf("%v: %s", err, out)
		}
	}
	return time.Since(began)
}

// BenchmarkBackup is a first backup, verification included, and restoring it,
// each against cp -r and a sync of every file.
func BenchmarkBackup(b *testing.B) {
	k, total := stocked(b)
	var backups, restores, copies time.Duration
	for b.Loop() {
		copies += plainCopy(b, k.Dir)
		to := filepath.Join(b.TempDir(), "main")
		began := time.Now()
		backUp(b, k, to)
		backups += time.Since(began)
		began = time.Now()
		if _, err := engine.Restore(b.Context(), filepath.Join(b.TempDir(), "main"), engine.RestoreOptions{From: to}); err != nil {
			b.Fatal(err)
		}
		restores += time.Since(began)
		b.StopTimer()
		os.RemoveAll(to)
		b.StartTimer()
	}
	rate := func(d time.Duration) float64 { return float64(total) * float64(b.N) / (1 << 20) / d.Seconds() }
	b.ReportMetric(rate(backups), "backup-MiB/s")
	b.ReportMetric(rate(restores), "restore-MiB/s")
	b.ReportMetric(rate(copies), "cp-MiB/s")
	b.ReportMetric(rate(backups)/rate(copies), "backup-of-cp")
	b.ReportMetric(rate(restores)/rate(copies), "restore-of-cp")
}

// BenchmarkBackupStall is the longest that a lone writer waits for a commit while
// a backup runs, and, for as long, while none does.
func BenchmarkBackupStall(b *testing.B) {
	k, _ := stocked(b)
	d := k.Create("changes", "text")
	var during, otherwise, worst, count time.Duration
	for b.Loop() {
		to := filepath.Join(b.TempDir(), "main")
		done := make(chan struct{})
		go func() {
			defer close(done)
			backUp(b, k, to)
		}()
		began := time.Now()
		running := func() bool {
			select {
			case <-done:
				return false
			default:
				return true
			}
		}
		longest, mean := longestCommit(b, k, d.ID, running)
		took := time.Since(began)
		during, worst, count = during+longest, max(worst, longest), count+mean
		began = time.Now()
		longest, _ = longestCommit(b, k, d.ID, func() bool { return time.Since(began) < took })
		otherwise += longest
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(worst), "worst-ms")
	b.ReportMetric(ms(during)/float64(b.N), "longest-ms")
	b.ReportMetric(ms(count)/float64(b.N), "mean-ms")
	b.ReportMetric(ms(otherwise)/float64(b.N), "longest-without-ms")
}

func longestCommit(b *testing.B, k *enginetest.Kit, doc string, going func() bool) (longest, mean time.Duration) {
	began, n := time.Now(), 0
	for going() {
		name := string(bytes.Repeat([]byte{'a' + byte(n%26)}, 10))
		at := time.Now()
		if _, _, err := k.UpdateDocument(b.Context(), k.Admin, doc, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
			b.Fatal(err)
		}
		longest, n = max(longest, time.Since(at)), n+1
	}
	return longest, time.Since(began) / time.Duration(max(n, 1))
}
