package search

import (
	"fmt"
	"strings"
	"testing"

	"strongroom/engine"
)

// TestWhatIsHiddenCountsForNothing: who may not see a document cannot tell from a
// search that the index holds it, or held it a moment ago, were it by how rare its
// words make others.
func TestWhatIsHiddenCountsForNothing(t *testing.T) {
	k := newKit(t)
	viewer, _ := k.Person("Vera", engine.AccessView)
	part := k.As(viewer)
	first := k.doc("lease of the tower", "the tenant pays rent each month, and rents a cellar", "client:acme")
	k.doc("rent roll", "tenants who pay")
	k.doc("minutes", "nobody paid the cellar's rent")
	k.patch(first.ID, engine.DocumentPatch{Description: new("renting")}) // what was before is still in the index
	answers := func(v *engine.Vault) string {
		t.Helper()
		var b strings.Builder
		for _, q := range []string{"rent", "pays", `"pays rent"`, "ren*", "name:rent", "tag:acme*", "rent OR cellar", "tenant -roll", "xylophone OR rent", "xylo* OR rent", `"rent each" OR tower`} {
			r := k.search(Query{Text: q, Filter: v.Narrow(engine.DocumentQuery{}), Paging: engine.Paging{Limit: 1}})
			fmt.Fprintln(&b, q, r.Total, r.Waiting, r.NextCursor)
			for _, h := range r.Hits {
				fmt.Fprintln(&b, h.Document.Name, h.Score)
			}
		}
		waiting, failed, err := k.index.Unread(t.Context(), v.Narrow(engine.DocumentQuery{}))
		k.must(err)
		fmt.Fprintln(&b, waiting, failed)
		return b.String()
	}
	before := answers(part)
	ctx := t.Context()
	var hidden []engine.Document
	for i := range 4 {
		d := k.doc(fmt.Sprintf("rent %d xylophone", i), "the tenant pays rent each xylophone of the tower", "client:acme")
		k.patch(d.ID, engine.DocumentPatch{Description: new("renting a cellar")})
		if i > 0 {
			_, _, err := k.RestrictDocument(ctx, k.Admin, d.ID, engine.Condition{}, "contested")
			k.must(err)
		}
		hidden = append(hidden, d)
	}
	broken := k.CreateFrom(engine.NewDocument{Name: "rent", Version: engine.NewVersion{MediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", FileName: "a.docx"}}, "PK\x03\x04 rent")
	_, _, err := k.RestrictDocument(ctx, k.Admin, broken.ID, engine.Condition{}, "contested")
	k.must(err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, hidden[1].ID, engine.Condition{})
	k.must(err)
	// The first is hidden because its erasure is deferred.
	_, _, err = k.PlaceHold(ctx, k.Admin, hidden[0].ID, engine.Condition{}, engine.NewHold{Reason: "litigation"})
	k.must(err)
	_, _, err = k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{hidden[0].ID}, LegalBasis: "Art. 17", Requester: "case 1"})
	k.must(err)
	_, err = k.Sweep(ctx)
	k.must(err)
	if answers(part) == before {
		t.Error("as long as the setting is off, what is deferred counts")
	}
	_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{RestrictDeferred: new(true)})
	k.must(err)
	if is := answers(part); is != before {
		t.Errorf("a viewer is told\n%s\nand was before there was anything hidden\n%s", is, before)
	}
	if whole := answers(k.Vault); whole == before || !strings.Contains(whole, "\n0 1\n") {
		t.Errorf("an admin is told\n%s", whole)
	}
}
