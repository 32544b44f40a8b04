package engine_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func TestFindSkipsWhatIsGone(t *testing.T) {
	k := enginetest.New(t)
	a, b, c := k.Create("a", "a"), k.Create("b", "b"), k.Create("c", "c")
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, b.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	found, err := k.LogReader().Find(t.Context(), []string{c.ID, b.ID, engine.NewID(), "x", a.ID})
	if err != nil || len(found) != 2 || found[0].Name != "c" || found[1].Name != "a" {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := k.LogReader().Find(t.Context(), make([]string, 501)); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
}

func TestAReaderLeavesNoEntry(t *testing.T) {
	k := enginetest.New(t)
	on := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on}); err != nil {
		t.Fatal(err)
	}
	d := k.Create("a", "the text")
	before := k.Head()
	f, err := k.LogReader().OpenContent(t.Context(), d.Current)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "the text" || k.Head() != before {
		t.Errorf("%q, %v, head %v", text, err, k.Head())
	}
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.LogReader().OpenContent(t.Context(), d.Current); !errors.Is(err, engine.ErrVersionNotFound) {
		t.Error(err)
	}
}

func TestCriteriaAreMetByFacets(t *testing.T) {
	k := enginetest.New(t)
	k.Define(engine.NumberField, "amount")
	d := k.CreateFrom(engine.NewDocument{
		Name: "a", Category: "contract", Tags: []string{"client:acme", "urgent"}, ExternalID: "erp-1",
		CustomFields: map[string]any{"amount": 120, "renewalDate": "2027-01-31"},
	}, "a")
	found, err := k.LogReader().Find(t.Context(), []string{d.ID})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	facets := found[0].Facets
	key, ok := k.LogReader().IDBytes(d.ID)
	if !ok || k.LogReader().IDText(key) != d.ID {
		t.Errorf("%x is %s", key, k.LogReader().IDText(key))
	}
	field := func(f engine.FieldFilter) engine.DocumentQuery {
		return engine.DocumentQuery{Fields: []engine.FieldFilter{f}}
	}
	for _, c := range []struct {
		query engine.DocumentQuery
		met   bool
	}{
		{engine.DocumentQuery{}, true},
		{engine.DocumentQuery{Status: "archived"}, false},
		{engine.DocumentQuery{Category: "contract", Tags: []string{"client:*", "urgent"}, OwnerID: k.Admin.UserID}, true},
		{engine.DocumentQuery{Tags: []string{"urgent:*"}}, false},
		{engine.DocumentQuery{ExternalID: "erp-1"}, true},
		{engine.DocumentQuery{ExternalID: "erp-2"}, false},
		{engine.DocumentQuery{CreatedTo: d.CreatedAt}, false},
		{engine.DocumentQuery{CreatedFrom: d.CreatedAt}, true},
		{field(engine.FieldFilter{Key: "amount", Value: "120.0"}), true},
		{field(engine.FieldFilter{Key: "amount", From: "-5", To: "120"}), false},
		{field(engine.FieldFilter{Key: "amount", From: "120"}), true},
		{field(engine.FieldFilter{Key: "renewalDate", To: "2027-02-01"}), true},
	} {
		criteria, err := k.LogReader().Criteria(t.Context(), c.query)
		if err != nil {
			t.Fatal(err)
		}
		met := string(criteria.First[:]) <= string(key[:]) && string(key[:]) <= string(criteria.Last[:])
		for _, any := range criteria.AnyOf {
			met = met && slices.ContainsFunc(any, func(f string) bool { return slices.Contains(facets, f) })
		}
		for _, r := range criteria.Ranges {
			met = met && slices.ContainsFunc(facets, func(f string) bool { return f >= r.From && f < r.To })
		}
		if met != c.met {
			t.Errorf("%s: %v", fmt.Sprintf("%+v", c.query), met)
		}
	}
	for _, wrong := range []engine.DocumentQuery{{Status: "odd"}, field(engine.FieldFilter{Key: "colour", Value: "x"}), field(engine.FieldFilter{Key: "amount", From: "x"})} {
		if _, err := k.LogReader().Criteria(t.Context(), wrong); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}
