package httpapi

import (
	"context"
	"maps"
	"slices"
	"time"

	"strongroom/engine"
)

// standing is how a vault stands. That of one that cannot be asked is zero.
type standing struct {
	up       bool
	writable bool
	concerns int
	stats    engine.Stats
	measures engine.Measures
	fixity   engine.Fixity
}

// standings are those of all vaults, the unopened ones too.
func (s *Server) standings(ctx context.Context) map[string]standing {
	all := map[string]standing{}
	for name := range s.options.Unopened {
		all[name] = standing{}
	}
	for name, v := range s.vaults {
		all[name] = standing{}
		if measures, err := v.Measure(); err == nil {
			all[name] = standing{true, v.Writable() == nil, len(concerns(ctx, v)), v.Stats(), measures, v.Fixity()}
		}
	}
	return all
}

// vaultFamily is a family with a sample for each vault that can be asked.
type vaultFamily struct {
	name, kind, help string
	value            func(standing) float64
}

func vaultFamilies() []vaultFamily {
	return []vaultFamily{
		{"strongroom_vault_writable", "gauge", "Whether anything can be written: there is space above the reserve, and the clock is not behind the log.",
			func(v standing) float64 { return oneIf(v.writable) }},
		{"strongroom_vault_concerns", "gauge", "What the vault's operator should see to, although it works: GET /readyz says it in words.",
			func(v standing) float64 { return float64(v.concerns) }},
		{"strongroom_audit_entries", "gauge", "Entries in the audit log.",
			func(v standing) float64 { return float64(v.measures.Entries) }},
		{"strongroom_commits_total", "counter", "Transactions written since the start.",
			func(v standing) float64 { return float64(v.stats.Commits) }},
		{"strongroom_changes_total", "counter", "Changes written since the start, an entry each.",
			func(v standing) float64 { return float64(v.stats.Changes) }},
		{"strongroom_commit_queue_length", "gauge", "Changes that wait for a transaction.",
			func(v standing) float64 { return float64(v.measures.Waiting) }},
		{"strongroom_late_failures_total", "counter", "Changes that failed after they wrote and were rolled back: defects of the program.",
			func(v standing) float64 { return float64(v.stats.LateFailures) }},
		{"strongroom_database_bytes", "gauge", "Size of rows.db.",
			func(v standing) float64 { return float64(v.measures.DatabaseBytes) }},
		{"strongroom_database_free_pages", "gauge", "Pages of rows.db that will be used before it grows; 0 until the first transaction.",
			func(v standing) float64 { return float64(v.measures.FreePages) }},
		{"strongroom_database_page_bytes", "gauge", "Size of a page of rows.db.",
			func(v standing) float64 { return float64(v.measures.PageBytes) }},
		{"strongroom_log_bytes", "gauge", "Bytes of the write-ahead log that would be read after a crash.",
			func(v standing) float64 { return float64(v.measures.LogBytes) }},
		{"strongroom_checkpoints_total", "counter", "Checkpoints since the start: times rows.db was made durable, so that the write-ahead log before is not needed any more.",
			func(v standing) float64 { return float64(v.stats.Checkpoints) }},
		{"strongroom_disk_free_bytes", "gauge", "Free space where the vault is.",
			func(v standing) float64 { return float64(v.measures.DiskFree) }},
		{"strongroom_disk_reserve_bytes", "gauge", "Free space below which writes are refused.",
			func(v standing) float64 { return float64(v.measures.DiskReserve) }},
		{"strongroom_scrubbed_bytes_total", "counter", "Bytes of files that were read since the start, to see that they are whole.",
			func(v standing) float64 { return float64(v.fixity.Read) }},
		{"strongroom_scrub_oldest_seconds", "gauge", "When the file that was read longest ago was, in seconds since 1970; 0 while not all were.",
			func(v standing) float64 { return max(0, float64(v.fixity.Oldest.Unix())) }},
		{"strongroom_damaged_files", "gauge", "Files that were found not to have the bytes they came with.",
			func(v standing) float64 { return float64(len(v.fixity.Damaged)) }},
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// exposeVaults writes what is cheap to ask of each vault.
func (s *Server) exposeVaults(ctx context.Context, e *Exposition) {
	all := s.standings(ctx)
	names := slices.Sorted(maps.Keys(all))
	e.Family("strongroom_vault_up", "gauge", "Whether the vault can be used.")
	for _, name := range names {
		e.Sample(oneIf(all[name].up), "vault", name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !all[name].up })
	for _, f := range vaultFamilies() {
		e.Family(f.name, f.kind, f.help)
		for _, name := range names {
			e.Sample(f.value(all[name]), "vault", name)
		}
	}
	e.Family("strongroom_commit_changes", "histogram", "Changes that shared a transaction.")
	for _, name := range names {
		e.Histogram(all[name].stats.Groups, "vault", name)
	}
	e.Family("strongroom_commit_duration_seconds", "histogram", "How long a transaction took to be on disk: the sync of its record above all.")
	for _, name := range names {
		e.Histogram(all[name].stats.CommitTimes, "vault", name)
	}
}

// censusAge is how old a census may be that is told again: taking one looks at
// a row for each document.
const censusAge = time.Minute

type census struct {
	taken time.Time
	of    engine.Census
}

// census counts what a vault holds, or has been counting a moment ago.
func (m *Metrics) census(ctx context.Context, name string, v *engine.Vault) (engine.Census, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last, ok := m.censuses[name]; ok && time.Since(last.taken) < censusAge {
		return last.of, nil
	}
	of, err := v.Census(ctx)
	if err == nil {
		m.censuses[name] = census{time.Now(), of}
	}
	return of, err
}

// exposeCensuses writes what the vaults hold. A vault that cannot be asked is
// left out: that it cannot is told already.
func (s *Server) exposeCensuses(ctx context.Context, e *Exposition) error {
	held := map[string]engine.Census{}
	for name, v := range s.vaults {
		of, err := s.metrics.census(ctx, name, v)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			held[name] = of
		}
	}
	names := slices.Sorted(maps.Keys(held))
	e.Family("strongroom_documents", "gauge", "Documents by status, counted once a minute at most; the deleted ones are tombstones.")
	for _, name := range names {
		for _, status := range slices.Sorted(maps.Keys(held[name].Documents)) {
			e.Sample(float64(held[name].Documents[status]), "vault", name, "status", string(status))
		}
	}
	e.Family("strongroom_locks", "gauge", "Documents with a live lock, but for those whose scratchpad is still empty.")
	for _, name := range names {
		e.Sample(float64(held[name].Locked), "vault", name)
	}
	e.Family("strongroom_holds", "gauge", "Active legal holds.")
	for _, name := range names {
		e.Sample(float64(held[name].Holds), "vault", name)
	}
	e.Family("strongroom_obligations", "gauge", "Obligations by status. 100,000 open ones and as many completed ones are counted at most.")
	for _, name := range names {
		e.Sample(float64(held[name].Obligations.Pending), "vault", name, "status", "pending")
		e.Sample(float64(held[name].Obligations.Overdue), "vault", name, "status", "overdue")
		e.Sample(float64(held[name].Obligations.Completed), "vault", name, "status", "completed")
	}
	return nil
}
