package engine_test

import (
	"context"
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

// filled is a vault of n documents of many properties, not verified at the end: that would take
// longer than what is measured.
func filled(b *testing.B, n int) (*engine.Vault, string) {
	return filledWith(b, n, func(i int, owners []string) engine.NewDocument {
		return engine.NewDocument{
			Name:     fmt.Sprintf("Contract %d with party %d", i*7919%n, i%997),
			Category: []string{"contract", "invoice", "other", "report"}[i%4],
			Tags:     []string{fmt.Sprint("client:", i%1000), "batch"},
			Product:  []string{"cpq", "clm"}[i%2], TemplateID: fmt.Sprint("template ", i%100), AgreementID: fmt.Sprint("agreement ", i/100),
			ExternalID: fmt.Sprint("erp-", i), OwnerID: owners[i%len(owners)],
			CustomFields: map[string]any{
				"value": json.Number(strconv.Itoa(i % 10_000)), "serial": json.Number(strconv.Itoa(i)), "party": fmt.Sprint("party ", i%500),
				"renewalDate": time.Date(2026, 1, 1+i%1000, 0, 0, 0, 0, time.UTC).Format(time.DateOnly),
			},
		}
	})
}

// few is one of few properties: a million take half the room.
func few(i int, _ []string) engine.NewDocument {
	return engine.NewDocument{Name: fmt.Sprint("Contract ", i*7919%1_000_000), Category: []string{"contract", "invoice", "other", "report"}[i%4]}
}

func filledWith(b *testing.B, n int, of func(i int, owners []string) engine.NewDocument) (*engine.Vault, string) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "vault")
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	k := &enginetest.Kit{Vault: v, TB: b, Dir: dir}
	admin, _ := k.Person("Ada Admin", engine.AccessAdmin)
	k.Admin = admin
	k.Define(engine.NumberField, "value", "serial")
	k.Define(engine.TextField, "party")
	owners := []string{admin.UserID}
	for i := range 9 {
		owner, _ := k.Person(fmt.Sprint("Owner ", i), engine.AccessUpload)
		owners = append(owners, owner.UserID)
	}
	began := time.Now()
	err = v.Fill(b.Context(), admin, n, k.Upload("the text"), func(i int) engine.NewDocument { return of(i, owners) })
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d documents made in %v", n, time.Since(began).Round(time.Millisecond))
	return v, dir
}

// archive archives the oldest documents, and so changes them last.
func archive(b *testing.B, v *engine.Vault, n int) {
	b.Helper()
	for q := (engine.DocumentQuery{Sort: "createdAt", Paging: engine.Paging{Limit: 500}}); n > 0; {
		page, err := v.Documents(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		var next atomic.Int64
		rate(b, len(page.Items), func() error {
			_, _, err := v.ArchiveDocument(b.Context(), engine.Operator(), page.Items[next.Add(1)-1].ID, engine.Condition{})
			return err
		})
		n -= len(page.Items)
	}
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

// query is a list that is measured.
type query struct {
	name string
	engine.DocumentQuery
}

func fields(filters ...engine.FieldFilter) engine.DocumentQuery {
	return engine.DocumentQuery{Fields: filters}
}

func by(sort engine.Sort, q engine.DocumentQuery) engine.DocumentQuery {
	q.Sort = sort
	return q
}

// listQueries are lists under each kind of filter and order, of which there are full
// pages. Of n documents the oldest archivedMost are archived, at the end.
func listQueries(v *engine.Vault, n int, began, ended, archived time.Time) []query {
	users, _ := v.Users(context.Background(), engine.Paging{Limit: 3})
	owner, archive := users.Items[2].ID, true
	year := engine.FieldFilter{Key: "renewalDate", From: "2027-01-01", To: "2028-01-01"}
	middle := began.Add(ended.Sub(began) / 2)
	contract := engine.DocumentQuery{Category: "contract"}
	return []query{
		{"newest", engine.DocumentQuery{}},
		{"category", contract},
		{"owner", engine.DocumentQuery{OwnerID: owner}},
		{"tag", engine.DocumentQuery{Tags: []string{"client:17"}}},
		{"tag-any-value", engine.DocumentQuery{Tags: []string{"client:*"}}},
		{"product", engine.DocumentQuery{Product: "cpq"}},
		{"template", engine.DocumentQuery{TemplateID: "template 17"}},
		{"agreement", engine.DocumentQuery{AgreementID: "agreement 900"}},
		{"field", fields(engine.FieldFilter{Key: "party", Value: "party 17"})},
		{"field-few", fields(engine.FieldFilter{Key: "value", From: "100", To: "120"})},
		{"field-many", fields(year)},
		{"field-oldest", by("createdAt", fields(engine.FieldFilter{Key: "serial", To: fmt.Sprint(n / 2)}))},
		{"created", engine.DocumentQuery{CreatedFrom: began, CreatedTo: middle}},
		{"updated-many", engine.DocumentQuery{UpdatedTo: archived}},
		{"archived", engine.DocumentQuery{Archived: &archive}},
		{"status-all", engine.DocumentQuery{Status: "all"}},
		{"updated", by("-updatedAt", engine.DocumentQuery{})},
		{"name", by("name", engine.DocumentQuery{})},
		{"category+tag", engine.DocumentQuery{Category: "contract", Tags: []string{"client:16"}}},
		{"category+owner+product", engine.DocumentQuery{Category: "other", OwnerID: owner, Product: "cpq"}},
		{"category+field", engine.DocumentQuery{Category: "contract", Fields: []engine.FieldFilter{{Key: "party", Value: "party 16"}}}},
		{"category+field-many", engine.DocumentQuery{Category: "contract", Fields: []engine.FieldFilter{year}}},
		{"category-by-name", by("name", contract)},
		{"tag-by-name", by("name", engine.DocumentQuery{Tags: []string{"client:17"}})},
		{"template-by-name", by("name", engine.DocumentQuery{TemplateID: "template 17"})},
		{"field-many-by-name", by("name", fields(year))},
	}
}

// archivedMost is how many documents are archived in what is measured: more
// than are gathered.
const archivedMost = 5_000

// listed is a filled vault with archived documents, and what is asked of it.
func listed(b *testing.B, n int) (v *engine.Vault, list, sparse []query) {
	began := time.Now()
	v, _ = filled(b, n)
	b.Cleanup(func() { v.Close() })
	ended := v.Head().Time.Add(time.Millisecond)
	archive(b, v, archivedMost)
	oldest := engine.FieldFilter{Key: "serial", To: "5000"}
	sparse = []query{
		{"externalId", engine.DocumentQuery{ExternalID: "erp-77777"}},
		{"none-of-two", engine.DocumentQuery{Category: "contract", Product: "clm"}},
		{"none-of-two-by-name", by("name", engine.DocumentQuery{Category: "contract", Product: "clm"})},
		{"none-of-rare-and-frequent", engine.DocumentQuery{Tags: []string{"client:17", "batch"}, Category: "contract"}},
		{"oldest-by-field", fields(oldest)},
		{"oldest-by-field-all", engine.DocumentQuery{Status: "all", Fields: []engine.FieldFilter{oldest}}},
		{"oldest-by-field-by-name", by("name", engine.DocumentQuery{Status: "all", Fields: []engine.FieldFilter{oldest}})},
		{"category+oldest-by-field", engine.DocumentQuery{Status: "all", Category: "contract", Fields: []engine.FieldFilter{oldest}}},
		{"changed-last", engine.DocumentQuery{Status: "all", UpdatedFrom: ended}},
		{"changed-last-by-name", by("name", engine.DocumentQuery{Status: "all", UpdatedFrom: ended})},
		{"archived-by-name", by("name", engine.DocumentQuery{Status: "archived"})},
	}
	return v, listQueries(v, n, began, ended, ended), sparse
}

// BenchmarkPage lists 50 documents under each kind of filter and order, eight
// callers at once, against bare bbolt reading as many rows and documents.
func BenchmarkPage(b *testing.B) {
	for _, n := range sizes() {
		v, list, sparse := listed(b, n)
		starts, err := v.BarePages('c', "contract\x00", spread)
		if err != nil {
			b.Fatal(err)
		}
		bare := rate(b, 20_000, func() error { return v.BarePage(starts[rand.IntN(spread)]) })
		for _, q := range list {
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
		// Where matches are few and far between: what it takes to the first of
		// them, or to know that there are none, in how many calls.
		for _, q := range sparse {
			b.Run(fmt.Sprintf("first-of-%s/%d", q.name, n), func(b *testing.B) {
				calls := 0
				for b.Loop() {
					q := q.DocumentQuery
					for {
						page, err := v.Documents(b.Context(), q)
						if err != nil {
							b.Fatal(err)
						}
						calls++
						if q.Cursor = page.NextCursor; q.Cursor == "" || len(page.Items) > 0 {
							break
						}
					}
				}
				b.ReportMetric(float64(calls)/float64(b.N), "calls")
			})
		}
	}
}

// BenchmarkObligations lists 50 of a hundred thousand, by eight callers, and
// counts them all, by one.
func BenchmarkObligations(b *testing.B) {
	const n = 100_000
	v, _ := filled(b, n/50)
	defer v.Close()
	docs, err := v.Documents(b.Context(), engine.DocumentQuery{Paging: engine.Paging{Limit: 500}})
	if err != nil {
		b.Fatal(err)
	}
	users, err := v.Users(b.Context(), engine.Paging{})
	if err != nil {
		b.Fatal(err)
	}
	today := v.Head().Time
	err = v.FillObligations(b.Context(), engine.Operator(), n, func(i int) engine.NewObligation {
		when, _ := engine.ParseDue(today.AddDate(0, 0, i%1000-500).Format(time.DateOnly))
		return engine.NewObligation{
			Title: fmt.Sprint("Pay ", i), DueDate: when, OwnerID: users.Items[i%len(users.Items)].ID, DocumentID: docs.Items[i%len(docs.Items)].ID,
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	from, _ := engine.ParseDue(today.AddDate(0, 0, 100).Format(time.DateOnly))
	to, _ := engine.ParseDue(today.AddDate(0, 0, 130).Format(time.DateOnly))
	for _, q := range []struct {
		name string
		engine.ObligationQuery
	}{
		{"all", engine.ObligationQuery{}},
		{"pending", engine.ObligationQuery{Status: "pending"}},
		{"overdue", engine.ObligationQuery{Status: "overdue", Sort: "-dueDate"}},
		{"month", engine.ObligationQuery{DueFrom: from, DueTo: to}},
		{"owner", engine.ObligationQuery{OwnerID: users.Items[3].ID, Status: "pending"}},
		{"document", engine.ObligationQuery{DocumentID: docs.Items[3].ID}},
	} {
		b.Run(q.name, func(b *testing.B) {
			got := rate(b, b.N, func() error {
				page, err := v.Obligations(b.Context(), q.ObligationQuery)
				if err == nil && len(page.Items) != 50 {
					err = fmt.Errorf("%d obligations", len(page.Items))
				}
				return err
			})
			b.ReportMetric(got, "pages/s")
		})
	}
	b.Run("dashboard", func(b *testing.B) {
		for b.Loop() {
			if s, err := v.ObligationSummary(b.Context()); err != nil || s.ByStatus.Pending+s.ByStatus.Overdue != n {
				b.Fatal(s.ByStatus, err)
			}
		}
	})
	// All that is due is reminded of once; then there is nothing to do.
	began := time.Now()
	if _, err := v.Sweep(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("reminded of what is due among %d in %v", n, time.Since(began).Round(time.Millisecond))
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			if _, err := v.Sweep(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
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

// BenchmarkOpen opens and closes a vault that was used before, warm; and opens one
// whose process was killed.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes() {
		v, dir := filledWith(b, n, few)
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
		benchmarkOpenAfterKill(b, dir, n)
	}
}

// BenchmarkCommit changes one of 128 documents, alone and among others who wait:
// what the write path takes beside the disk, where the temporary directory is
// memory; and how many pages of rows.db it writes.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			k := enginetest.New(b)
			ids := make([]string, 128)
			for i := range ids {
				ids[i] = k.Create(fmt.Sprint("document ", i), fmt.Sprint(i)).ID
			}
			ctx := b.Context()
			var next atomic.Int64
			pages := k.Pages()
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
						text := fmt.Sprint("text ", i)
						if _, _, err := k.UpdateDocument(ctx, k.Admin, ids[i%len(ids)], engine.Condition{}, engine.DocumentPatch{Description: &text}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(k.Pages()-pages)/float64(b.N), "pages/op")
		})
	}
}
