package daemon

import (
	"maps"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"strongroom/httpapi"
)

// processMetrics returns what writes what there is to know of this process, under
// the names that dashboards of Go programs know.
func processMetrics(began time.Time) func(*httpapi.Exposition) {
	return func(e *httpapi.Exposition) { exposeProcess(e, began) }
}

func exposeProcess(e *httpapi.Exposition, began time.Time) {
	e.Family("process_start_time_seconds", "gauge", "When the server began, in seconds since 1970.")
	e.Sample(float64(began.UnixMilli()) / 1000)
	e.Family("go_goroutines", "gauge", "Goroutines there are.")
	e.Sample(float64(runtime.NumGoroutine()))
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(samples)
	e.Family("go_memstats_heap_alloc_bytes", "gauge", "Bytes of objects on the heap.")
	e.Sample(float64(samples[0].Value.Uint64()))
	e.Family("go_memory_used_bytes", "gauge", "Bytes the Go runtime has from the system and has not given back, the database's pages apart.")
	e.Sample(float64(samples[1].Value.Uint64() - samples[2].Value.Uint64()))
	e.Family("go_gc_gomemlimit_bytes", "gauge", "Bytes from which on the Go runtime frees memory rather than taking more.")
	e.Sample(float64(samples[3].Value.Uint64()))
}

// exposeMembers writes how the vaults of a store stand.
func exposeMembers(e *httpapi.Exposition, members map[string]member) {
	names := slices.Sorted(maps.Keys(members))
	for _, family := range []struct {
		name, help string
		value      func(member, standing) float64
	}{
		{"strongroom_cluster_owner", "1 where this server owns the vault, 0 where it follows.", func(m member, _ standing) float64 {
			if m.Owns() {
				return 1
			}
			return 0
		}},
		{"strongroom_cluster_epoch", "Which owner's the last commit is: each has an epoch of its own.", func(_ member, s standing) float64 { return float64(s.Epoch) }},
		{"strongroom_cluster_commit", "The last commit that this server has.", func(_ member, s standing) float64 { return float64(s.Commit) }},
		{"strongroom_cluster_behind_seconds", "Since when this server may not have all that is in the store; of an owner, the age of its lease.", func(_ member, s standing) float64 { return s.Quiet.Seconds() }},
	} {
		e.Family(family.name, "gauge", family.help)
		for _, name := range names {
			e.Sample(family.value(members[name], members[name].Standing()), "vault", name)
		}
	}
	locked := slices.DeleteFunc(names, func(name string) bool { return members[name].Standing().Locks == nil })
	if len(locked) == 0 {
		return
	}
	e.Family("strongroom_cluster_locks_behind_seconds", "gauge", "Since when the locks that the store has on files may not be what the vault asks for; 0 where they are.")
	for _, name := range locked {
		e.Sample(members[name].Standing().Locks.Behind.Seconds(), "vault", name)
	}
}
