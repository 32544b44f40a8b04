package engine_test

import (
	"testing"
	"time"

	"strongroom/engine"
)

// run starts a run and works it off.
func benchRun(b *testing.B, v *engine.Vault) engine.Run {
	b.Helper()
	r, _, err := v.StartRun(b.Context(), engine.Operator(), engine.NewRun{})
	if err == nil {
		_, err = v.Sweep(b.Context())
	}
	if err == nil {
		r, err = v.Run(b.Context(), r.ID)
	}
	if err != nil || r.Status != engine.RunCompleted {
		b.Fatal(r, err)
	}
	return r
}

func benchPolicy(b *testing.B, v *engine.Vault, n engine.NewPolicy) {
	b.Helper()
	n.Name = "bench"
	if _, _, err := v.CreatePolicy(b.Context(), engine.Operator(), n); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRun is a run over a million documents in eight hundred groups, with
// ten policies by three kinds of start, when nothing is due, and over as many
// with ten thousand due: to be archived, and to be deleted.
func BenchmarkRun(b *testing.B) {
	const n, due = 1_000_000, 10_000
	v, _ := filled(b, n)
	defer v.Close()
	for _, p := range []engine.NewPolicy{
		{Scope: engine.ScopeOrganization, PeriodDays: 3650, Action: engine.ActionDelete},
		{Scope: engine.ScopeOrganization, PeriodDays: 1000, Action: engine.ActionArchive},
		{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 3650, Action: engine.ActionDelete, StartFrom: "field:renewalDate"},
		{Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 4000, Action: engine.ActionDelete, StartFrom: "field:renewalDate"},
		{Scope: engine.ScopeCategory, Target: "report", PeriodDays: 700, Action: engine.ActionArchive, StartFrom: "currentVersion"},
		{Scope: engine.ScopeTemplate, Target: "template 7", PeriodDays: 5000, Action: engine.ActionDelete},
		{Scope: engine.ScopeTemplate, Target: "template 8", PeriodDays: 5000, Action: engine.ActionArchive},
		{Scope: engine.ScopeProduct, Target: "cpq", PeriodDays: 6000, Action: engine.ActionDelete},
		{Scope: engine.ScopeProduct, Target: "clm", PeriodDays: 6000, Action: engine.ActionArchive},
	} {
		benchPolicy(b, v, p)
	}
	began := time.Now()
	benchRun(b, v)
	b.Logf("three kinds of start filled in %v", time.Since(began).Round(time.Millisecond))
	b.Run("NothingDue", func(b *testing.B) {
		for b.Loop() {
			if r := benchRun(b, v); r.Counts != (engine.RunCounts{}) {
				b.Fatal(r)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/run")
	})
	for i, action := range []engine.Action{engine.ActionArchive, engine.ActionDelete} {
		b.Run(string(action)+"TenThousand", func(b *testing.B) {
			template := []string{"template 11", "template 13"}[i]
			benchPolicy(b, v, engine.NewPolicy{Scope: engine.ScopeTemplate, Target: template, Action: action})
			began := time.Now()
			r := benchRun(b, v)
			took := time.Since(began)
			if r.Counts.Archived+r.Counts.Deleted != due {
				b.Fatal(r)
			}
			b.ReportMetric(due/took.Seconds(), "documents/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
