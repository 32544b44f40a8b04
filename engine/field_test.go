package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func setFields(k *enginetest.Kit, id string, values map[string]any) error {
	k.TB.Helper()
	_, _, err := k.UpdateDocument(k.TB.Context(), k.Admin, id, engine.Condition{}, engine.DocumentPatch{CustomFields: values})
	return err
}

func TestAVaultStartsWithTheRenewalDate(t *testing.T) {
	k := enginetest.New(t)
	f, err := k.Field(t.Context(), "renewalDate")
	if err != nil || f.Type != engine.DateField || f.Revision != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if e, err := k.Entry(t.Context(), 2); err != nil || e.Op != audit.OpFieldCreated || e.Actor != "operator" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, _, err := k.DeleteField(t.Context(), k.Admin, "renewalDate", engine.Condition{}, false); err != nil {
		t.Error("it can be deleted as any other:", err)
	}
}

func TestDefinitionsThatCannotBeAccepted(t *testing.T) {
	k := enginetest.New(t)
	head := k.Head()
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		field string
		engine.NewField
	}{
		{"key", engine.NewField{Type: engine.TextField}},
		{"key", engine.NewField{Key: "1a", Type: engine.TextField}},
		{"key", engine.NewField{Key: "a.from", Type: engine.TextField}},
		{"key", engine.NewField{Key: strings.Repeat("a", 65), Type: engine.TextField}},
		{"type", engine.NewField{Key: "a"}},
		{"type", engine.NewField{Key: "a", Type: "Text"}},
		{"label", engine.NewField{Key: "a", Type: engine.TextField, Label: "two\nlines"}},
		{"label", engine.NewField{Key: "a", Type: engine.TextField, Label: strings.Repeat("x", 201)}},
		{"description", engine.NewField{Key: "a", Type: engine.TextField, Description: strings.Repeat("x", 2_001)}},
		{"choices", engine.NewField{Key: "a", Type: engine.ChoiceField}},
		{"choices", engine.NewField{Key: "a", Type: engine.ChoiceField, Choices: many}},
		{"choices", engine.NewField{Key: "a", Type: engine.TextField, Choices: []string{"x"}}},
		{"choices[1]", engine.NewField{Key: "a", Type: engine.ChoiceField, Choices: []string{"x", " x"}}},
		{"choices[0]", engine.NewField{Key: "a", Type: engine.ChoiceField, Choices: []string{" "}}},
		{"choices[0]", engine.NewField{Key: "a", Type: engine.ChoiceField, Choices: []string{"a\x00"}}},
		{"choices[0]", engine.NewField{Key: "a", Type: engine.ChoiceField, Choices: []string{strings.Repeat("x", 101)}}},
	} {
		_, _, err := k.CreateField(t.Context(), k.Admin, c.NewField)
		if err == nil {
			t.Errorf("%+v was accepted", c.NewField)
			continue
		}
		wantField(t, err, c.field)
	}
	if _, _, err := k.CreateField(t.Context(), k.Admin, engine.NewField{Key: "renewalDate", Type: engine.TextField}); !errors.Is(err, engine.ErrExists) {
		t.Error(err)
	}
	if k.Head() != head {
		t.Error("something was written")
	}
}

func TestDefinitionsAreBounded(t *testing.T) {
	k := enginetest.New(t)
	for i := range 199 {
		k.Define(engine.TextField, fmt.Sprint("f", i))
	}
	_, _, err := k.CreateField(t.Context(), k.Admin, engine.NewField{Key: "more", Type: engine.TextField})
	wantField(t, err, "key")
	_, _, err = k.DeleteField(t.Context(), k.Admin, "f0", engine.Condition{}, false)
	must(t, err)
	k.Define(engine.TextField, "more")
	page, err := k.Fields(t.Context(), engine.Paging{Limit: 500})
	if err != nil || len(page.Items) != 200 || page.NextCursor != "" {
		t.Errorf("%d fields, %v", len(page.Items), err)
	}
}

// values of each type that are accepted, and how they are kept, and others that
// are not.
func TestValuesAreCheckedByTheirFields(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	k.Define(engine.TextField, "text")
	k.Define(engine.NumberField, "number")
	k.Define(engine.BooleanField, "boolean")
	k.Define(engine.DateField, "date")
	k.Define(engine.UserField, "user")
	_, _, err := k.CreateField(ctx, k.Admin, engine.NewField{Key: "choice", Type: engine.ChoiceField, Choices: []string{"a", "b"}})
	must(t, err)
	user := k.Admin.UserID
	d := k.Create("subject", "text")
	for key, c := range map[string]struct{ good, bad []any }{
		"text":    {[]any{"", "x", "2026-11-21", "two\nlines"}, []any{1, true}},
		"number":  {[]any{0, -1.5, json.Number("1e300"), json.Number("12345678901234567890")}, []any{"1", true, ""}},
		"boolean": {[]any{true, false}, []any{"true", 1}},
		"date":    {[]any{"2024-02-29", "0001-01-01", "9999-12-31"}, []any{"2026-02-29", "2026-1-1", "26-01-01", "2026-11-21T00:00:00Z", " 2026-11-21", "", 20261121, true}},
		"choice":  {[]any{"a", "b"}, []any{"c", "A", "", 1, true}},
		"user":    {[]any{user, strings.ToLower(user), uuid(user)}, []any{"", "operator", engine.NewID(), k.Admin.KeyID, 1, true}},
		"none":    {nil, []any{"x", 1, true, nil}},
	} {
		for _, value := range c.good {
			must(t, setFields(k, d.ID, map[string]any{key: value}))
			is, err := k.Document(ctx, d.ID)
			must(t, err)
			if want := fmt.Sprint(value); key == "user" && is.CustomFields[key] != user || key != "user" && fmt.Sprint(is.CustomFields[key]) != want {
				t.Errorf("%s: kept %v of %v", key, is.CustomFields[key], value)
			}
		}
		for _, value := range c.bad {
			err := setFields(k, d.ID, map[string]any{key: value})
			if err == nil {
				t.Errorf("%s: %#v was accepted", key, value)
				continue
			}
			wantField(t, err, "customFields."+key)
			if key == "none" && value == nil { // of a new document, nil is absent
				continue
			}
			u := k.Upload("other text")
			_, _, err = k.CreateDocument(ctx, k.Admin, engine.NewDocument{Name: "n", CustomFields: map[string]any{key: value}}, u)
			wantField(t, err, "customFields."+key)
			u.Discard()
		}
	}
}

func TestRequiredFieldsAndChoicesTakenAway(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	without := k.Create("without", "text")
	_, _, err := k.CreateField(ctx, k.Admin, engine.NewField{Key: "stage", Type: engine.ChoiceField, Choices: []string{"a", "b"}, Required: true})
	must(t, err)
	_, _, err = k.CreateField(ctx, k.Admin, engine.NewField{Key: "note", Type: engine.TextField, Required: true})
	must(t, err)
	u := k.Upload("text")
	defer u.Discard()
	_, _, err = k.CreateDocument(ctx, k.Admin, engine.NewDocument{Name: "n", CustomFields: map[string]any{"note": " "}}, u)
	wantField(t, err, "customFields.note")
	wantField(t, err, "customFields.stage")
	d := k.CreateFrom(engine.NewDocument{Name: "n", CustomFields: map[string]any{"note": "x", "stage": "a"}}, "text")

	// What was there before is not hindered, and is bound once it has it.
	must(t, setFields(k, without.ID, map[string]any{"renewalDate": "2026-11-21"}))
	must(t, setFields(k, without.ID, map[string]any{"stage": "b"}))
	wantField(t, setFields(k, without.ID, map[string]any{"stage": nil}), "customFields.stage")
	_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{ClearCustomFields: true})
	wantField(t, err, "customFields.stage")
	_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{
		ClearCustomFields: true, CustomFields: map[string]any{"stage": "b", "note": "y"},
	})
	must(t, err)
	must(t, setFields(k, d.ID, map[string]any{"stage": "a"}))

	fewer, no := []string{"b"}, false
	_, _, err = k.UpdateField(ctx, k.Admin, "stage", engine.Condition{}, engine.FieldPatch{Choices: &fewer, Required: &no})
	must(t, err)
	must(t, setFields(k, d.ID, map[string]any{"stage": "a", "note": "z"}))
	must(t, setFields(k, d.ID, map[string]any{"stage": nil}))
	wantField(t, setFields(k, d.ID, map[string]any{"stage": "a"}), "customFields.stage")
}

func TestScratchpadsAndLocksKeepToTheDefinitions(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	k.Define(engine.TextField, "gone", "kept")
	_, _, err := k.CreateField(ctx, k.Admin, engine.NewField{Key: "stage", Type: engine.ChoiceField, Choices: []string{"a", "b"}})
	must(t, err)
	d := k.CreateFrom(engine.NewDocument{Name: "n", CustomFields: map[string]any{"gone": "x", "kept": "x", "stage": "a"}}, "text")

	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	draft := func(values map[string]any) error {
		_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, with(l.Token), engine.DocumentPatch{CustomFields: values})
		return err
	}
	wantField(t, draft(map[string]any{"stage": "c"}), "customFields.stage")
	must(t, draft(map[string]any{"stage": "b"}))
	fewer := []string{"a"}
	_, _, err = k.UpdateField(ctx, k.Admin, "stage", engine.Condition{}, engine.FieldPatch{Choices: &fewer})
	must(t, err)
	if _, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), true); err == nil || !strings.Contains(err.Error(), "customFields.stage") {
		t.Errorf("saved a choice that was taken away meanwhile: %v", err)
	}
	_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), false)
	must(t, err)

	// Not to save brings back what may still be so.
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{})
	must(t, draft(map[string]any{"kept": "y", "stage": nil, "gone": "y"}))
	none := []string{"z"}
	_, _, err = k.UpdateField(ctx, k.Admin, "stage", engine.Condition{}, engine.FieldPatch{Choices: &none})
	must(t, err)
	_, _, err = k.DeleteField(ctx, k.Admin, "gone", engine.Condition{}, true)
	must(t, err)
	_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), false)
	must(t, err)
	is, err := k.Document(ctx, d.ID)
	if err != nil || fmt.Sprint(is.CustomFields) != "map[kept:x]" {
		t.Errorf("%v, %v", is.CustomFields, err)
	}
}

func TestAFieldInUseIsClearedBeforeItGoes(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	k.Define(engine.TextField, "note", "other")
	const many = 1_100
	u := k.Upload("the text")
	defer u.Discard()
	must(t, k.Fill(ctx, k.Admin, many, u, func(i int) engine.NewDocument {
		return engine.NewDocument{Name: fmt.Sprint(i), Category: "other", CustomFields: map[string]any{"note": fmt.Sprint(i % 7), "other": "stays"}}
	}))
	locked := k.CreateFrom(engine.NewDocument{Name: "locked", CustomFields: map[string]any{"note": "x"}}, "text")
	lock(t, k, k.Admin, locked.ID, engine.NewLock{})
	kind := engine.NumberField
	_, _, err := k.UpdateField(ctx, k.Admin, "note", engine.Condition{}, engine.FieldPatch{Type: &kind})
	wantIs(t, err, engine.ErrFieldInUse)
	_, _, err = k.DeleteField(ctx, k.Admin, "note", engine.Condition{}, false)
	wantIs(t, err, engine.ErrFieldInUse)
	_, _, err = k.DeleteField(ctx, k.Admin, "note", engine.Condition{IfMatch: engine.Match{2}}, true)
	wantIs(t, err, engine.ErrPrecondition)
	view, _ := k.Person("View", engine.AccessUpload)
	_, _, err = k.DeleteField(ctx, view, "note", engine.Condition{}, true)
	wantIs(t, err, engine.ErrLacksPermission)

	head := k.Head().Seq
	_, r, err := k.DeleteField(ctx, k.Admin, "note", engine.Condition{}, true)
	must(t, err)
	if r.Seq != head+many+2 {
		t.Errorf("entry %d, want %d: one for each document and one for the field", r.Seq, head+many+2)
	}
	e, err := k.Entry(ctx, r.Seq)
	must(t, err)
	if cleared, _ := e.Facts["cleared"].AsNumber(); e.Op != audit.OpFieldDeleted || cleared != many+1 {
		t.Errorf("%+v", e)
	}
	if e, _ := k.Entry(ctx, r.Seq-1); e.Op != audit.OpDocumentUpdated || !strings.Contains(string(e.Detail), `"customFields.note"`) {
		t.Errorf("%+v %s", e, e.Detail)
	}
	_, err = k.Field(ctx, "note")
	wantIs(t, err, engine.ErrFieldNotFound)
	_, _, err = k.DeleteField(ctx, k.Admin, "note", engine.Condition{}, true)
	wantIs(t, err, engine.ErrFieldNotFound)
	page, err := k.Documents(ctx, engine.DocumentQuery{Paging: engine.Paging{Limit: 500}})
	must(t, err)
	for _, d := range page.Items {
		if _, has := d.CustomFields["note"]; has || d.ID != locked.ID && d.CustomFields["other"] != "stays" {
			t.Fatalf("%+v", d)
		}
	}
}

// A range with many documents is asked of each, one with few is a set: both
// find the same, in every order, page by page.
func TestRangesOfFewAndOfMany(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("thousands of documents")
	}
	k := enginetest.New(t)
	k.Define(engine.NumberField, "amount")
	u := k.Upload("the text")
	defer u.Discard()
	const n = 5_000
	must(t, k.Fill(t.Context(), k.Admin, n, u, func(i int) engine.NewDocument {
		return engine.NewDocument{Name: fmt.Sprint(i * 7919 % n), Category: "other", CustomFields: map[string]any{
			"amount": json.Number(fmt.Sprint(i%100 - 50)), "renewalDate": fmt.Sprintf("20%02d-01-01", i%50),
		}}
	}))
	for _, c := range []struct {
		filters []engine.FieldFilter
		want    int
	}{
		{[]engine.FieldFilter{{Key: "amount", From: "-49"}}, 4_950},
		{[]engine.FieldFilter{{Key: "amount", From: "-50", To: "50"}}, n},
		{[]engine.FieldFilter{{Key: "amount", From: "-1", To: "1"}}, 100},
		{[]engine.FieldFilter{{Key: "amount", To: "-50"}}, 0},
		{[]engine.FieldFilter{{Key: "amount", From: "3", To: "3"}}, 0},
		{[]engine.FieldFilter{{Key: "amount", From: "-49"}, {Key: "renewalDate", From: "2005-01-01", To: "2049-01-01"}}, 4_350 + 50},
		{[]engine.FieldFilter{{Key: "amount", Value: "7"}, {Key: "renewalDate", From: "2001-01-01"}}, 50},
	} {
		for _, sort := range []engine.Sort{"createdAt", "-createdAt", "name", "-name", "updatedAt", "-updatedAt"} {
			seen := map[string]bool{}
			q := engine.DocumentQuery{Fields: c.filters, Sort: sort, Paging: engine.Paging{Limit: 500}}
			for {
				page, err := k.Documents(t.Context(), q)
				must(t, err)
				for _, d := range page.Items {
					if seen[d.ID] || slices.ContainsFunc(c.filters, func(f engine.FieldFilter) bool { return !within(f, d.CustomFields[f.Key]) }) {
						t.Fatalf("%+v %s: %v", c.filters, sort, d.CustomFields)
					}
					seen[d.ID] = true
				}
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
			if len(seen) != c.want {
				t.Errorf("%+v %s: %d documents, want %d", c.filters, sort, len(seen), c.want)
			}
		}
	}
}

func TestFiltersThatCannotBeAccepted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Define(engine.NumberField, "amount")
	k.Define(engine.BooleanField, "signed")
	k.Define(engine.TextField, "note")
	k.Define(engine.UserField, "signer")
	for _, c := range []struct {
		field string
		engine.FieldFilter
	}{
		{"field.none", engine.FieldFilter{Key: "none", Value: "x"}},
		{"field.", engine.FieldFilter{Value: "x"}},
		{"field.a\x00", engine.FieldFilter{Key: "a\x00", Value: "x"}},
		{"field.amount", engine.FieldFilter{Key: "amount"}},
		{"field.amount", engine.FieldFilter{Key: "amount", Value: "ten"}},
		{"field.amount.from", engine.FieldFilter{Key: "amount", From: "0x10", To: "ten"}},
		{"field.amount.to", engine.FieldFilter{Key: "amount", From: "1", To: "1e999"}},
		{"field.signed", engine.FieldFilter{Key: "signed", Value: "1"}},
		{"field.signed", engine.FieldFilter{Key: "signed", From: "true"}},
		{"field.note", engine.FieldFilter{Key: "note", To: "x"}},
		{"field.signer", engine.FieldFilter{Key: "signer", Value: "me"}},
		{"field.renewalDate", engine.FieldFilter{Key: "renewalDate", Value: "tomorrow"}},
		{"field.renewalDate.from", engine.FieldFilter{Key: "renewalDate", From: "2026-02-30"}},
	} {
		// Also where nothing could match.
		for _, q := range []engine.DocumentQuery{{}, {Status: "legal_hold"}, {ExternalID: "none"}} {
			q.Fields = []engine.FieldFilter{c.FieldFilter}
			_, err := k.Documents(t.Context(), q)
			wantField(t, err, c.field)
		}
	}
	d := k.CreateFrom(engine.NewDocument{Name: "n", CustomFields: map[string]any{"signer": k.Admin.UserID, "note": strings.Repeat("long ", 700)}}, "text")
	for _, f := range []engine.FieldFilter{{Key: "signer", Value: uuid(k.Admin.UserID)}, {Key: "note", Value: strings.Repeat("long ", 700)}} {
		page, err := k.Documents(t.Context(), engine.DocumentQuery{Fields: []engine.FieldFilter{f}})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != d.ID {
			t.Errorf("%.40s: %v, %v", f.Value, page, err)
		}
	}
}

// A field is used by the documents that have a value of it, archived ones too; not by
// those that lost it, or are gone.
func TestFieldUseCountsTheDocumentsThatHaveAValue(t *testing.T) {
	k := enginetest.New(t)
	k.Define(engine.TextField, "supplier", "supplier2")
	uses := func(want uint64) {
		t.Helper()
		if n, err := k.FieldUse(t.Context(), "supplier"); err != nil || n != want {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	uses(0)
	var made []engine.Document
	for _, fields := range []map[string]any{{"supplier": "Bolt"}, {"supplier": "Bolt"}, {"supplier": "Acme", "supplier2": "x"}, {"supplier2": "x"}, {}} {
		made = append(made, k.CreateFrom(engine.NewDocument{Name: "d", CustomFields: fields}, "text"))
	}
	uses(3)
	if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, made[0].ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	uses(3)
	if err := setFields(k, made[1].ID, map[string]any{"supplier": nil}); err != nil {
		t.Fatal(err)
	}
	uses(2)
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, made[2].ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	uses(1)
	if _, err := k.FieldUse(t.Context(), "nothing"); !errors.Is(err, engine.ErrFieldNotFound) {
		t.Error(err)
	}
}
