package engine_test

import (
	"fmt"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A time of change or creation is found at once in every order, however many
// documents others there are.
func TestTimesAreBoundsOfTheIndex(t *testing.T) {
	if testing.Short() {
		t.Skip("twelve thousand documents")
	}
	k := enginetest.New(t)
	u := k.Upload("text")
	defer u.Discard()
	err := k.Fill(t.Context(), k.Admin, 12_000, u, func(i int) engine.NewDocument {
		return engine.NewDocument{Name: fmt.Sprintf("document %05d", i), Category: "other"}
	})
	if err != nil {
		t.Fatal(err)
	}
	last := k.Head().Time
	d := k.Create("zebra", "stripes")
	for !d.CreatedAt.After(last) { // within the same millisecond
		d = k.Create("zebra", "stripes")
	}
	for _, q := range []engine.DocumentQuery{{UpdatedFrom: d.UpdatedAt}, {CreatedFrom: d.CreatedAt}} {
		for _, order := range []engine.Sort{"", "createdAt", "updatedAt", "-updatedAt", "name", "-name"} {
			q.Sort = order
			page, err := k.Documents(t.Context(), q)
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != d.ID || page.NextCursor != "" {
				t.Errorf("%q: %d documents, cursor %q, %v", order, len(page.Items), page.NextCursor, err)
			}
		}
	}
	for _, q := range []engine.DocumentQuery{{UpdatedTo: d.UpdatedAt, Sort: "-updatedAt"}, {UpdatedTo: d.UpdatedAt, Sort: "updatedAt"}} {
		if page, err := k.Documents(t.Context(), q); err != nil || len(page.Items) != 50 {
			t.Errorf("%q: %d documents, %v", q.Sort, len(page.Items), err)
		}
	}
}
