package engine_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
)

var loadFor = flag.Duration("load", 0, "how long BenchmarkCheckpoints changes documents, for each number of callers; 0 leaves it out")

// latencies are how long changes took, by whether a checkpoint was under way meanwhile.
type latencies struct {
	mu             sync.Mutex
	with, without  []time.Duration
	minute         int // changes since the last look
	worst          time.Duration
	checkpointing  atomic.Int32
	checkpointTime atomic.Int64
}

// BenchmarkCheckpoints changes some of 20,000 documents, from so many callers, while the host makes the
// database durable whenever it is due: what a change waits while that is done and
// while it is not, and how long rows.db is each minute. Ten minutes say whether it
// goes on growing. It wants a disk: TMPDIR.
func BenchmarkCheckpoints(b *testing.B) {
	if *loadFor == 0 {
		b.Skip("run with -load 10m")
	}
	const documents = 20_000
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			v, _ := filled(b, documents)
			defer v.Close()
			ids := idsOf(b, v, documents)
			l := &latencies{}
			ended := make(chan struct{})
			var host, working sync.WaitGroup
			host.Go(func() { l.host(b, v, ended) })
			before := v.Stats().Checkpoints
			began := time.Now()
			for range callers {
				working.Go(func() {
					for i := 0; time.Since(began) < *loadFor; i++ {
						text := fmt.Sprintf("changed %d", rand.Uint64())
						l.time(v, func() {
							if _, _, err := v.UpdateDocument(b.Context(), engine.Operator(), ids[rand.IntN(len(ids))], engine.Condition{}, engine.DocumentPatch{Description: &text}); err != nil {
								b.Error(err)
							}
						})
					}
				})
			}
			host.Go(func() { l.minutes(b, v, began, ended) })
			working.Wait()
			close(ended)
			host.Wait()
			l.report(b, time.Since(began), v.Stats().Checkpoints-before)
		})
	}
}

// host is what a host does for the vault.
func (l *latencies) host(b *testing.B, v *engine.Vault, ended chan struct{}) {
	for {
		at := time.Now()
		l.checkpointing.Add(1)
		_, err := v.Sweep(b.Context())
		l.checkpointing.Add(-1)
		l.checkpointTime.Add(int64(time.Since(at)))
		if err != nil {
			b.Error(err)
		}
		select {
		case <-v.Due():
		case <-time.After(time.Minute):
		case <-ended:
			return
		}
	}
}

// time takes the time of a change. Checkpoints that writers make count, too.
func (l *latencies) time(v *engine.Vault, change func()) {
	made, at := v.Checkpoints(), time.Now()
	during := l.checkpointing.Load() > 0
	change()
	took := time.Since(at)
	during = during || l.checkpointing.Load() > 0 || v.Checkpoints() != made
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.minute++; during {
		l.with = append(l.with, took)
	} else {
		l.without = append(l.without, took)
	}
	l.worst = max(l.worst, took)
}

// minutes tells how the vault stands each minute.
func (l *latencies) minutes(b *testing.B, v *engine.Vault, began time.Time, ended chan struct{}) {
	tell := func() {
		m, err := v.Measure()
		if err != nil {
			b.Error(err)
			return
		}
		used, err := v.Used()
		if err != nil {
			b.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		b.Logf("after %3.0f s: rows.db %.1f MiB, of which pages took %.1f ever and %.1f are free; log %.1f MiB; %d entries, %d checkpoints; %d changes since, the longest %v",
			time.Since(began).Seconds(), mib(m.DatabaseBytes), mib(used), mib(int64(m.FreePages*m.PageBytes)), mib(m.LogBytes), m.Entries, v.Checkpoints(), l.minute, l.worst.Round(time.Millisecond))
		l.minute, l.worst = 0, 0
	}
	for tell(); ; tell() {
		select {
		case <-time.After(time.Minute):
		case <-ended:
			tell()
			return
		}
	}
}

func (l *latencies) report(b *testing.B, took time.Duration, checkpoints uint64) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(l.with)+len(l.without))/took.Seconds(), "changes/s")
	b.Logf("%d checkpoints, which took %.0f %% of the time", checkpoints, 100*time.Duration(l.checkpointTime.Load()).Seconds()/took.Seconds())
	for name, all := range map[string][]time.Duration{"with": l.with, "without": l.without} {
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		at := func(part float64) float64 { return all[int(part*float64(len(all)-1))].Seconds() * 1000 }
		b.Logf("%s a checkpoint: %d changes, p50 %.2f ms, p99 %.2f, p99.9 %.2f, longest %.2f", name, len(all), at(.5), at(.99), at(.999), at(1))
		b.ReportMetric(at(.999), "p99.9-ms-"+name)
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// idsOf are the ids of so many documents, by name, which is not the order they were made in.
func idsOf(t testing.TB, v *engine.Vault, n int) (ids []string) {
	t.Helper()
	for q := by("name", engine.DocumentQuery{Paging: engine.Paging{Limit: 500}}); len(ids) < n; {
		page, err := v.Documents(t.Context(), q)
		must(t, err)
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	return ids
}

// crashEnv names the vault that the test binary, as a process of its own, changes
// until its log is so long as crashLogEnv says, and then waits to be killed.
const (
	crashEnv    = "STRONGROOM_TEST_CRASH"
	crashLogEnv = "STRONGROOM_TEST_CRASH_LOG"
	crashPrefix = "its log has grown to "
)

// TestCrash is that process.
func TestCrash(t *testing.T) {
	dir := os.Getenv(crashEnv)
	if dir == "" {
		t.Skip("not asked for by a benchmark")
	}
	var want int64
	_, err := fmt.Sscan(os.Getenv(crashLogEnv), &want)
	must(t, err)
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	must(t, err)
	ids := idsOf(t, v, 20_000)
	for longest := int64(0); ; {
		m, err := v.Measure()
		must(t, err)
		if m.LogBytes < longest { // a writer has made a checkpoint, and makes the next at that length too
			want = min(want, longest*9/10)
		}
		if m.LogBytes >= want {
			break
		}
		longest = m.LogBytes
		var working sync.WaitGroup
		for range 64 {
			working.Go(func() {
				text := fmt.Sprint("changed ", rand.Uint64())
				if _, _, err := v.UpdateDocument(t.Context(), engine.Operator(), ids[rand.IntN(len(ids))], engine.Condition{}, engine.DocumentPatch{Description: &text}); err != nil {
					t.Error(err)
				}
			})
		}
		working.Wait()
	}
	m, err := v.Measure()
	must(t, err)
	fmt.Printf("%s%d\n", crashPrefix, m.LogBytes)
	select {}
}

// crashed has a process change the vault and kills it, and returns how long its log was.
func crashed(b *testing.B, dir string, long int64) int64 {
	b.Helper()
	p := exec.Command(os.Args[0], "-test.run=^TestCrash$", "-test.v")
	p.Env = append(os.Environ(), crashEnv+"="+dir, fmt.Sprint(crashLogEnv, "=", long))
	out, err := p.StdoutPipe()
	must(b, err)
	must(b, p.Start())
	defer p.Wait()
	defer p.Process.Kill()
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
		if n, told := strings.CutPrefix(lines.Text(), crashPrefix); told {
			is, err := strconv.ParseInt(n, 10, 64)
			must(b, err)
			return is
		}
	}
	b.Fatalf("the process ended by itself:\n%s", said)
	return 0
}

// processorTicks is how many hundredths of a second of processors this process has used, where
// the system tells by a file; else 0.
func processorTicks() (ticks int) {
	stat, _ := os.ReadFile("/proc/self/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	for _, of := range fields[11:13] { // user and system
		n, _ := strconv.Atoi(of)
		ticks += n
	}
	return ticks
}

// benchmarkOpenAfterKill opens a vault whose process was killed with a log of so many
// bytes: the one after which the host is asked to shorten it, and the longest that writers leave.
func benchmarkOpenAfterKill(b *testing.B, dir string, n int) {
	for _, long := range []int64{15 << 20, 60 << 20} {
		b.Run(fmt.Sprintf("%d/killed-%d-MiB", n, long>>20), func(b *testing.B) {
			var was int64
			var took []string
			for b.Loop() {
				b.StopTimer()
				was += crashed(b, dir, long)
				at, ticks := time.Now(), processorTicks()
				b.StartTimer()
				v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
				b.StopTimer()
				took = append(took, fmt.Sprintf("%v (processor %v)", time.Since(at).Round(time.Millisecond), time.Duration(processorTicks()-ticks)*10*time.Millisecond))
				must(b, err)
				v.Close()
				b.StartTimer()
			}
			b.Logf("took %v", took)
			b.ReportMetric(mib(was)/float64(b.N), "log-MiB")
		})
	}
}
