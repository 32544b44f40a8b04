package engine_test

import (
	"fmt"
	"testing"
	"time"

	"strongroom/engine"
)

// benchRun starts a run and works it off.
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

// BenchmarkRun is a run over a million documents in a hundred groups, with
// nine policies by three kinds of start, when nothing is due.
func BenchmarkRun(b *testing.B) {
	const n = 1_000_000
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
	for b.Loop() {
		if r := benchRun(b, v); r.Counts != (engine.RunCounts{}) {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/run")
}

// BenchmarkRunDue is a run with ten thousand documents due of a hundred
// thousand: to be archived, and to be deleted. The limit is to tag as many, in
// steps of as many documents as the run takes at once.
func BenchmarkRunDue(b *testing.B) {
	const due = 10_000
	for _, action := range []engine.Action{engine.ActionArchive, engine.ActionDelete} {
		b.Run(string(action), func(b *testing.B) {
			v, _ := filled(b, 10*due)
			defer v.Close()
			began := time.Now()
			inSteps(b, v, due, func(ids []string) (bool, error) {
				var changes []engine.DocumentChange
				for _, id := range ids {
					changes = append(changes, engine.DocumentChange{DocumentID: id, Patch: engine.DocumentPatch{AddTags: []string{"due"}}})
				}
				outcomes, err := v.UpdateDocuments(b.Context(), engine.Operator(), changes, false)
				return outcomes[0].Changed, err
			})
			limit := due / time.Since(began).Seconds()
			for i := range 10 { // each for a hundredth
				benchPolicy(b, v, engine.NewPolicy{Scope: engine.ScopeTemplate, Target: fmt.Sprint("template ", 10*i+2), Action: action})
			}
			benchPolicy(b, v, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "report", PeriodDays: 3650, Action: action})
			if err := v.FillStart(b.Context(), "createdAt"); err != nil {
				b.Fatal(err)
			}
			began = time.Now()
			r := benchRun(b, v)
			rate := due / time.Since(began).Seconds()
			if r.Counts.Archived+r.Counts.Deleted != due {
				b.Fatal(r)
			}
			b.ReportMetric(rate, "documents/s")
			b.ReportMetric(rate/limit, "of-limit")
			b.ReportMetric(0, "ns/op")
		})
	}
}
