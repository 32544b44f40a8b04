package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var peers = struct {
	strongroom, before, etcd, pocketbase, immudb, dir *string
	documents, rounds                                 *int
	turn                                              *time.Duration
}{
	flag.String("strongroom", "", "the `program` that BenchmarkPeers measures; built of this checkout without"),
	flag.String("before", "", "an earlier `program` of ours, which BenchmarkPeers measures too"),
	flag.String("etcd", "", "etcd's `program`, for BenchmarkPeers"),
	flag.String("pocketbase", "", "PocketBase's `program`, for BenchmarkPeers"),
	flag.String("immudb", "", "immudb's `program`, for BenchmarkPeers"),
	flag.String("dir", "", "the `directory` in which BenchmarkPeers has all of them keep their data; that of temporary files without"),
	flag.Int("documents", 100_000, "how many documents BenchmarkPeers puts into each before it measures"),
	flag.Int("rounds", 3, "how many turns each takes in BenchmarkPeers, for each line"),
	flag.Duration("turn", 3*time.Second, "how long a turn of BenchmarkPeers and BenchmarkStore is"),
}

// side is one that is measured beside others.
type side interface {
	// turn has so many clients work for so long, and returns how much was done in a second.
	turn(b *testing.B, work string, clients int, duration time.Duration) float64
	// rest returns when what a turn left to be done behind its answers is done: the
	// next turn is another's.
	rest()
}

// peerRows are the lines of the table, and who stands beside us in each.
var peerRows = []struct {
	work   string
	beside []string
}{
	{"metadata", []string{"before", "etcd", "pocketbase", "immudb", "disk"}},
	{"lock", []string{"before", "etcd"}},
	{"renew", []string{"before", "etcd"}},
	{"upload", []string{"before", "etcd", "pocketbase", "immudb", "segment", "appended"}},
	{"page", []string{"before", "pocketbase"}},
}

// BenchmarkPeers is the server beside other stores on the same disk, turn by
// turn, with as many documents in each: rates a second, and ours as a part of
// theirs in the same round, of which the middle one counts. Rounds that differ much
// say that the machine has other work, and the figures little.
//
// Everybody's answers are durable, with two exceptions that are theirs: etcd does
// not write a keepalive, and PocketBase does not sync a file. PocketBase syncs
// its database if it is the one in testdata/peers. The disk itself stands there
// too: one overwrite of 4 KiB with its sync, and as many blobs as there are clients
// with one sync, in a segment that was written before and appended to one that grows.
func BenchmarkPeers(b *testing.B) {
	if *peers.before+*peers.etcd+*peers.pocketbase+*peers.immudb == "" {
		b.Skip("there is nobody beside us: -etcd, -pocketbase, -immudb and -before name programs")
	}
	sides := startSides(b)
	for _, row := range peerRows {
		for _, clients := range crowd {
			b.Run(fmt.Sprintf("%s/%d", row.work, clients), func(b *testing.B) { compare(b, sides, row.work, row.beside, clients) })
		}
	}
}

func compare(b *testing.B, sides map[string]side, work string, beside []string, clients int) {
	names := []string{"strongroom"}
	for _, name := range beside {
		if sides[name] != nil {
			names = append(names, name)
		}
	}
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for range *peers.rounds {
			for _, name := range names {
				rate := sides[name].turn(b, work, clients, *peers.turn)
				sides[name].rest()
				rates[name] = append(rates[name], rate)
				if ours := rates["strongroom"]; name != "strongroom" {
					ratios[name] = append(ratios[name], ours[len(ours)-1]/rate)
				}
			}
		}
	}
	for name, all := range rates {
		b.ReportMetric(middle(all), name+"/s")
	}
	for _, name := range slices.Sorted(maps.Keys(ratios)) {
		b.ReportMetric(middle(ratios[name]), "of-"+name)
		b.Logf("of-%s, round by round: %.3f", name, ratios[name])
	}
	b.ReportMetric(0, "ns/op")
}

func middle(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// startSides starts all that there are, and fills them.
func startSides(b *testing.B) map[string]side {
	dir, err := os.MkdirTemp(*peers.dir, "peers")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	disk := newBareDisk(b, filepath.Join(dir, "disk"), false)
	growing := newBareDisk(b, filepath.Join(dir, "appended"), true)
	sides := map[string]side{"disk": disk, "segment": disk, "appended": growing, "strongroom": startStrongroom(b, *peers.strongroom, filepath.Join(dir, "strongroom"))}
	if *peers.before != "" {
		sides["before"] = startStrongroom(b, *peers.before, filepath.Join(dir, "before"))
	}
	if *peers.etcd != "" {
		sides["etcd"] = startEtcd(b, filepath.Join(dir, "etcd"))
	}
	if *peers.immudb != "" {
		sides["immudb"] = startImmudb(b, filepath.Join(dir, "immudb"))
	}
	if *peers.pocketbase != "" {
		sides["pocketbase"] = startPocketBase(b, filepath.Join(dir, "pocketbase"))
	}
	for _, name := range slices.Sorted(maps.Keys(sides)) {
		began := time.Now()
		if s, ok := sides[name].(interface {
			seed(b *testing.B, documents int)
		}); ok {
			s.seed(b, *peers.documents)
			sides[name].rest()
			b.Logf("%s has %d documents after %s", name, *peers.documents, time.Since(began).Round(time.Second))
		}
	}
	return sides
}

// build builds a package of a module and returns the program.
func build(b *testing.B, module, pkg string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-C", module, "-o", program, pkg).CombinedOutput(); err != nil {
		b.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return program
}
