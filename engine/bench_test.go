package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

var million = flag.Bool("million", false, "measure lists and opening at a million documents too")

// filled is a vault of n documents, not verified at the end: that would take
// longer than what is measured.
func filled(b *testing.B, n int) (*engine.Vault, string) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "vault")
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	k := &enginetest.Kit{Vault: v, TB: b, Dir: dir}
	admin, _ := k.Person("Ada Admin", engine.AccessAdmin)
	k.Admin = admin
	k.Define(engine.NumberField, "value")
	k.Define(engine.TextField, "party")
	began := time.Now()
	err = v.Fill(b.Context(), admin, n, k.Upload("the text"), func(i int) engine.NewDocument {
		return engine.NewDocument{
			Name:     fmt.Sprintf("Contract %d with party %d", i*7919%n, i%997),
			Category: []string{"contract", "invoice", "other", "report"}[i%4],
			Tags:     []string{fmt.Sprint("client:", i%1000), "batch"},
			Product:  []string{"cpq", "clm"}[i%2],
			CustomFields: map[string]any{
				"value": json.Number(strconv.Itoa(i % 10_000)), "party": fmt.Sprint("party ", i%500),
				"renewalDate": time.Date(2026, 1, 1+i%1000, 0, 0, 0, 0, time.UTC).Format(time.DateOnly),
			},
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d documents made in %v", n, time.Since(began).Round(time.Millisecond))
	return v, dir
}

func sizes() []int {
	if *million {
		return []int{100_000, 1_000_000}
	}
	return []int{100_000}
}

// rate is how often eight callers did the work in a second.
func rate(b *testing.B, n int, work func() error) float64 {
	b.Helper()
	var done atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range 8 {
		wg.Go(func() {
			for done.Add(1) <= int64(n) {
				if err := work(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkPage lists 50 documents under each kind of filter and order, eight
// callers at once, against bare bbolt reading as many rows and documents.
func BenchmarkPage(b *testing.B) {
	for _, n := range sizes() {
		v, _ := filled(b, n)
		b.Cleanup(func() { v.Close() })
		starts, err := v.BarePages('c', "contract\x00", spread)
		if err != nil {
			b.Fatal(err)
		}
		bare := rate(b, 20_000, func() error { return v.BarePage(starts[rand.IntN(spread)]) })
		for _, q := range []struct {
			name string
			engine.DocumentQuery
		}{
			{"newest", engine.DocumentQuery{}},
			{"category", engine.DocumentQuery{Category: "contract"}},
			{"tag", engine.DocumentQuery{Tags: []string{"client:17"}}},
			{"tag-any-value", engine.DocumentQuery{Tags: []string{"client:*"}}},
			{"updated", engine.DocumentQuery{Sort: "-updatedAt"}},
			{"name", engine.DocumentQuery{Sort: "name"}},
			{"category+tag", engine.DocumentQuery{Category: "contract", Tags: []string{"client:16"}}},
			{"category-by-name", engine.DocumentQuery{Category: "contract", Sort: "name"}},
			{"product", engine.DocumentQuery{Product: "cpq"}},
			{"field", engine.DocumentQuery{Fields: []engine.FieldFilter{{Key: "party", Value: "party 17"}}}},
			{"field-few", engine.DocumentQuery{Fields: []engine.FieldFilter{{Key: "value", From: "100", To: "120"}}}},
			{"field-many", engine.DocumentQuery{Fields: []engine.FieldFilter{{Key: "renewalDate", From: "2027-01-01", To: "2028-01-01"}}}},
			{"field-many-by-name", engine.DocumentQuery{Sort: "name", Fields: []engine.FieldFilter{{Key: "renewalDate", From: "2027-01-01", To: "2028-01-01"}}}},
			{"category+field", engine.DocumentQuery{Category: "contract", Fields: []engine.FieldFilter{{Key: "party", Value: "party 16"}}}},
			{"tag-by-name", engine.DocumentQuery{Tags: []string{"client:17"}, Sort: "name"}},
		} {
			b.Run(fmt.Sprintf("%s/%d", q.name, n), func(b *testing.B) {
				cursors := pages(b, v, q.DocumentQuery)
				b.ResetTimer()
				got := rate(b, b.N, func() error {
					q := q.DocumentQuery
					q.Cursor = cursors[rand.IntN(len(cursors))]
					page, err := v.Documents(b.Context(), q)
					if err == nil && len(page.Items) != 50 {
						err = fmt.Errorf("%d documents", len(page.Items))
					}
					return err
				})
				b.ReportMetric(got, "pages/s")
				b.ReportMetric(got/bare, "of-limit")
			})
		}
	}
}

// BenchmarkBulk tags ten thousand documents, a step at a time, by one caller.
func BenchmarkBulk(b *testing.B) {
	const n = 10_000
	v, _ := filled(b, n)
	defer v.Close()
	var ids []string
	for q := (engine.DocumentQuery{Paging: engine.Paging{Limit: 500}}); ; {
		page, err := v.Documents(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	round := 0
	for b.Loop() {
		patch := engine.DocumentPatch{AddTags: []string{fmt.Sprint("bulk:", round)}, RemoveTags: []string{fmt.Sprint("bulk:", round-1)}}
		round++
		for step := range slices.Chunk(ids, 128) {
			var changes []engine.DocumentChange
			for _, id := range step {
				changes = append(changes, engine.DocumentChange{DocumentID: id, Patch: patch})
			}
			outcomes, err := v.UpdateDocuments(b.Context(), engine.Operator(), changes, false)
			if err != nil || !outcomes[0].Changed {
				b.Fatal(outcomes[0], err)
			}
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}

// spread is how many pages of a list are asked for at random.
const spread = 200

// pages returns the cursors of the first full pages of a list.
func pages(b *testing.B, v *engine.Vault, q engine.DocumentQuery) []string {
	b.Helper()
	var cursors []string
	for len(cursors) < spread {
		page, err := v.Documents(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		if len(page.Items) < 50 {
			break
		}
		cursors = append(cursors, q.Cursor)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	return cursors
}

// BenchmarkOpen opens and closes a vault that was used before, warm.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes() {
		v, dir := filled(b, n)
		v.Close()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
				if err != nil {
					b.Fatal(err)
				}
				v.Close()
			}
		})
	}
}
