package engine_test

import (
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestADocumentFromFirstToLast(t *testing.T) {
	k := enginetest.New(t)
	k.Define(engine.NumberField, "amount")
	k.Define(engine.BooleanField, "signed")
	d := k.CreateFrom(engine.NewDocument{
		Name: "Lease", Category: "contract", Tags: []string{"client: Acme ", "urgent"},
		CustomFields: map[string]any{"amount": 12.5, "signed": true}, ExternalID: "erp-1",
	}, "first text")
	if d.Status != engine.StatusActive || d.VersionCount != 1 || d.Tags[0] != "client:Acme" {
		t.Fatalf("%+v", d)
	}
	d = k.AddText(d.ID, "second text")
	if d.Current.Number != 2 || d.Current.PreviousChain.IsZero() {
		t.Fatalf("%+v", d.Current)
	}
	name := "Lease, signed"
	d, r, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name, AddTags: []string{"new"}})
	if err != nil || r.Seq != d.AuditSeq {
		t.Fatal(err, r, d.AuditSeq)
	}
	if k.Content(d.ID, 1) != "first text" || k.Content(d.ID, 0) != "second text" {
		t.Fatal("content")
	}
	cert, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	if err != nil || len(cert.Versions) != 2 {
		t.Fatal(err, cert)
	}
}

// TestACategoryThatWasRemovedIsKept also when it is given again, as a client
// does that sends back what it read; no other document can get it.
func TestACategoryThatWasRemovedIsKept(t *testing.T) {
	k := enginetest.New(t)
	setCategories(t, k, "lease")
	d := k.CreateFrom(engine.NewDocument{Name: "one", Category: "lease"}, "text")
	other := k.Create("two", "text")
	setCategories(t, k)
	category, description := "lease", "described"
	patch := engine.DocumentPatch{Category: &category, Description: &description}
	is, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, patch)
	if err != nil || is.Category != category || is.Description != description {
		t.Errorf("%+v, %v", is, err)
	}
	_, _, err = k.UpdateDocument(t.Context(), k.Admin, other.ID, engine.Condition{}, patch)
	wantField(t, err, "category")
}
