package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var sustained = flag.Duration("sustained", 0, "how long BenchmarkSustained uploads; 0 leaves it out")

const (
	sustainedStep   = 10 * time.Second
	sustainedLeaves = 3 << 30 // bytes of the disk that it leaves free
)

// BenchmarkSustained uploads files of 64 KiB into a new vault, from 64 clients,
// without a pause: what the disk takes behind the answers shows in the rate of later
// steps, not in that of the first. Where the rate falls and what an upload costs the
// processor does not rise, the disk or other work on the machine is why. It takes about 10 GB for two minutes of 1,300 a second, in
// -dir, and ends early where they are not there.
func BenchmarkSustained(b *testing.B) {
	if *sustained == 0 {
		b.Skip("run with -sustained 2m")
	}
	dir := *peers.dir
	if dir == "" {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, "sustained")
	b.Cleanup(func() { os.RemoveAll(dir) })
	s := startStrongroom(b, *peers.strongroom, dir).(*vaultSide)
	var rates []float64
	for began := time.Now(); time.Since(began) < *sustained && freeSpace(b, dir) > sustainedLeaves; {
		ticks := s.ticks()
		rate := s.turn(b, "upload", crowd[len(crowd)-1], sustainedStep)
		rates = append(rates, rate)
		cost := 10 * float64(s.ticks()-ticks) / (rate * sustainedStep.Seconds())
		b.Logf("after %3.0f s: %5.0f uploads/s, %.2f ms of the processor each; %s", time.Since(began).Seconds(), rate, cost, s.behind(b))
	}
	if len(rates) < 4 {
		b.Fatalf("the disk had room for %d steps", len(rates))
	}
	first, last := rates[:len(rates)/2], rates[len(rates)/2:]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mean(rates), "uploads/s")
	b.ReportMetric(mean(last)/mean(first), "later-of-earlier")
}

// behind is what the server tells of what it has yet to write.
func (s *vaultSide) behind(b *testing.B) string {
	b.Helper()
	s.connect(b, 1)
	defer s.hangUp()
	page, err := s.all[0].do("GET", "/metrics", "")
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(regexp.MustCompile(`(?m)^strongroom_(?:log_bytes|checkpoints_total|database_bytes)\{.*$`).FindAllString(string(page), -1), ", ")
}

func mean(all []float64) (sum float64) {
	for _, v := range all {
		sum += v / float64(len(all))
	}
	return sum
}

func freeSpace(b *testing.B, dir string) uint64 {
	b.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		b.Fatal(err)
	}
	return s.Bavail * uint64(s.Bsize)
}
