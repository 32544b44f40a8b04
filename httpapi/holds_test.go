package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"strongroom/engine"
)

// TestBulkHoldsOfMany goes through more than one step, by filter, by ids and by
// matter, whole and as lines.
func TestBulkHoldsOfMany(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	main := k.vaults["main"]
	const n = 2*bulkStep + 7
	for i := range n {
		main.CreateFrom(engine.NewDocument{Name: fmt.Sprint(i), Category: "invoice"}, "text")
	}
	main.Create("bystander", "text")
	ask := func(path, body string) (out BulkAnswer) {
		t.Helper()
		a, text := k.do("admin", "POST", path, strings.NewReader(body))
		if err := json.Unmarshal([]byte(text), &out); err != nil || a.StatusCode != 200 || len(out.Results) != int(out.Matched) {
			t.Fatalf("%d %v %.200s", a.StatusCode, err, text)
		}
		return out
	}
	const invoices = `{"filter":{"category":"invoice"},"reason":"audit","matter":"tax"}`
	placed := ask("/v1/bulk/holds", invoices)
	if placed.BulkCounts != (BulkCounts{Matched: n, Changed: n}) {
		t.Errorf("placed %+v", placed.BulkCounts)
	}
	for _, r := range placed.Results {
		h, err := main.Hold(t.Context(), r.HoldID)
		if err != nil || h.DocumentID != r.ID || h.Matter != "tax" {
			t.Fatalf("%+v: %+v, %v", r, h, err)
		}
	}
	if again := ask("/v1/bulk/holds", invoices); again.BulkCounts != (BulkCounts{Matched: n, Unchanged: n}) || again.Results[n-1] != (BulkResult{
		ID: placed.Results[n-1].ID, HoldID: placed.Results[n-1].HoldID, Result: "unchanged", Revision: 1,
	}) {
		t.Errorf("again %+v, last %+v", again.BulkCounts, again.Results[n-1])
	}
	some, _ := json.Marshal([]string{placed.Results[0].HoldID, placed.Results[1].HoldID})
	if out := ask("/v1/bulk/holds/release", `{"holdIds":`+string(some)+`}`); out.BulkCounts != (BulkCounts{Matched: 2, Changed: 2}) {
		t.Errorf("released %+v", out.BulkCounts)
	}
	_, text := k.do("admin", "POST", "/v1/bulk/holds/release", strings.NewReader(`{"matter":" tax "}`), "Accept", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if want := fmt.Sprintf(`{"matched":%d,"changed":%d,"unchanged":0,"failed":0}`, n-2, n-2); len(lines) != n-1 || lines[n-2] != want {
		t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1])
	}
	many := strings.Repeat(`"x",`, maxBulkIDs) + `"x"`
	for path, body := range map[string]string{
		"/v1/bulk/holds": `{"documentIds":[` + many + `],"reason":"audit","matter":"tax"}`, "/v1/bulk/holds/release": `{"holdIds":[` + many + `]}`,
	} {
		if a, text := k.do("admin", "POST", path, strings.NewReader(body)); a.StatusCode != 400 || !strings.Contains(text, "Ids: must be at most 10000") {
			t.Errorf("%s: %d %.200s", path, a.StatusCode, text)
		}
	}
}

// A dry run counts what is named twice as the real run does, however far apart.
func TestADryRunCountsADocumentOnce(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	id := main.Create("a.txt", "text").ID
	var ids []string
	for range 2*bulkStep + 3 {
		ids = append(ids, id)
	}
	list, _ := json.Marshal(ids)
	for path, body := range map[string]string{
		"/v1/bulk/documents": `{"ids":%s,"addTags":["x"],"dryRun":%t}`, "/v1/bulk/archive": `{"ids":%s,"dryRun":%t}`,
		"/v1/bulk/holds": `{"documentIds":%s,"reason":"r","matter":"m","dryRun":%t}`,
	} {
		id = main.Create("a.txt", "text").ID
		one := strings.ReplaceAll(string(list), ids[0], id)
		for _, dry := range []bool{true, false} {
			_, text := k.do("admin", "POST", path, strings.NewReader(fmt.Sprintf(body, one, dry)), "Content-Type", "application/json")
			if want := fmt.Sprintf(`"matched":%d,"changed":1,"unchanged":%d,"failed":0`, len(ids), len(ids)-1); !strings.Contains(text, want) {
				t.Errorf("%s, dry run %v: %.80s…%s", path, dry, text, text[max(0, len(text)-80):])
			}
		}
	}
}
