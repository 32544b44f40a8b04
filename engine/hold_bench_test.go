package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"strongroom/engine"
)

// BenchmarkHoldByFilter holds ten thousand documents of a hundred thousand for a
// matter, by one caller, a step at a time: evaluates the filter, and writes a
// hold and an entry for each. The limit is to tag as many.
func BenchmarkHoldByFilter(b *testing.B) {
	const n = 10_000
	v, _ := filled(b, 10*n)
	defer v.Close()
	began := time.Now()
	inSteps(b, v, n, func(ids []string) (bool, error) {
		var changes []engine.DocumentChange
		for _, id := range ids {
			changes = append(changes, engine.DocumentChange{DocumentID: id, Patch: engine.DocumentPatch{AddTags: []string{"litigation"}}})
		}
		outcomes, err := v.UpdateDocuments(b.Context(), engine.Operator(), changes, false)
		return outcomes[0].Changed, err
	})
	limit := n / time.Since(began).Seconds()
	round := 0
	for b.Loop() {
		round++
		var holds []string
		inSteps(b, v, n, func(ids []string) (bool, error) {
			outcomes, err := v.PlaceHolds(b.Context(), engine.Operator(), ids, engine.NewHold{Reason: "litigation", Matter: fmt.Sprint("matter ", round)}, false)
			for _, out := range outcomes {
				holds = append(holds, out.HoldID)
			}
			return outcomes[0].Changed, err
		})
		b.StopTimer() // the next round finds the documents free again
		for step := range slices.Chunk(holds, 128) {
			if _, err := v.ReleaseHolds(b.Context(), engine.Operator(), step, "", false); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
	rate := n * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "documents/s")
	b.ReportMetric(rate/limit, "of-limit")
}

// inSteps evaluates a filter and does something to the first n it finds, as a
// bulk request does.
func inSteps(b *testing.B, v *engine.Vault, n int, do func(ids []string) (changed bool, err error)) {
	b.Helper()
	var ids []string
	q := engine.DocumentQuery{Category: "contract", Product: "cpq", Sort: "createdAt", Paging: engine.Paging{Limit: 500}}
	for len(ids) < n {
		page, err := v.Documents(b.Context(), q)
		if err != nil || page.NextCursor == "" {
			b.Fatal(len(ids), err)
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		q.Cursor = page.NextCursor
	}
	for step := range slices.Chunk(ids[:n], 128) {
		if changed, err := do(step); err != nil || !changed {
			b.Fatal(changed, err)
		}
	}
}
