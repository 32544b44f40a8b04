package engine_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"strongroom/engine"
)

// The model's fields, with values of them, and one that is none.
var modelFields = []struct {
	engine.NewField
	values []any
	wrong  any
}{
	{engine.NewField{Key: "amount", Type: engine.NumberField}, numbers("0", "1", "-1", "-0", "1e2", "100", "-12.5", "0.1", "1e300", "-1e300", "9007199254740993"), "1"},
	{engine.NewField{Key: "signed", Type: engine.BooleanField}, []any{true, false}, "true"},
	{engine.NewField{Key: "due", Type: engine.DateField}, []any{"2026-01-31", "2026-02-01", "2026-11-21", "0999-12-31", "9999-12-31"}, "2026-02-30"},
	{engine.NewField{Key: "note", Type: engine.TextField}, []any{"", "x", "2026-02-01", "X", "two\nlines", "true"}, true},
	{engine.NewField{Key: "stage", Type: engine.ChoiceField, Choices: []string{"a", "b", "c"}}, []any{"a", "b", "c"}, "d"},
}

func numbers(spelled ...string) (list []any) {
	for _, s := range spelled {
		list = append(list, json.Number(s))
	}
	return list
}

func (m *model) define() {
	for _, f := range modelFields {
		_, _, err := m.k.CreateField(m.ctx(), m.k.Admin, f.NewField)
		must(m.t, err)
	}
}

// values makes some up, and says whether they can be accepted.
func (m *model) values() (values map[string]any, sound bool) {
	sound = true
	for _, f := range modelFields {
		if m.random.IntN(3) > 0 {
			continue
		}
		if values == nil {
			values = map[string]any{}
		}
		switch m.random.IntN(30) {
		case 0:
			values[f.Key], sound = f.wrong, false
		case 1, 2, 3, 4:
			values[f.Key] = nil
		default:
			values[f.Key] = pick(m, f.values...)
		}
	}
	if m.random.IntN(60) == 0 {
		return map[string]any{"unknown": "x"}, false
	}
	return values, sound
}

func merged(fields, given map[string]any) map[string]any {
	all := map[string]any{}
	maps.Copy(all, fields)
	maps.Copy(all, given)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// filters asks for values and ranges.
func (m *model) filters() (list []engine.FieldFilter) {
	for _, f := range modelFields {
		if m.random.IntN(8) > 0 {
			continue
		}
		filter := engine.FieldFilter{Key: f.Key}
		value := func() string { return fmt.Sprint(pick(m, f.values...)) }
		if ordered := f.Type == engine.NumberField || f.Type == engine.DateField; ordered && m.random.IntN(2) == 0 {
			filter.From = pick(m, "", value())
			filter.To = pick(m, "", value())
		}
		if filter.From == "" && filter.To == "" || m.random.IntN(10) == 0 {
			filter.Value = cmp.Or(value(), "x")
		}
		list = append(list, filter)
	}
	return list
}

// within says whether a value is one that a filter asks for.
func within(f engine.FieldFilter, value any) bool {
	if value == nil {
		return false
	}
	compare := func(bound string) int {
		if n, ok := value.(json.Number); ok {
			a, _ := n.Float64()
			b, _ := strconv.ParseFloat(bound, 64)
			return cmp.Compare(a, b)
		}
		return cmp.Compare(fmt.Sprint(value), bound)
	}
	return (f.Value == "" || compare(f.Value) == 0) && (f.From == "" || compare(f.From) >= 0) && (f.To == "" || compare(f.To) < 0)
}

// field deletes a field and defines it anew.
func (m *model) field() {
	if m.random.IntN(4) > 0 {
		return
	}
	f := pick(m, modelFields...)
	has := func(d engine.Document) bool { _, ok := d.CustomFields[f.Key]; return ok }
	var want error
	force := m.random.IntN(2) == 0
	if used := slices.ContainsFunc(slices.Collect(maps.Values(m.documents)), has); used && !force {
		want = engine.ErrFieldInUse
	}
	_, _, err := m.k.DeleteField(m.ctx(), m.k.Admin, f.Key, engine.Condition{}, force)
	m.answered("delete field", err, want)
	if err != nil {
		return
	}
	for id, d := range m.documents {
		if !has(d) {
			continue
		}
		got, err := m.k.Document(m.ctx(), id)
		must(m.t, err)
		is := m.changed(d, m.k.Admin)
		is.CustomFields = merged(d.CustomFields, map[string]any{f.Key: nil})
		is.UpdatedAt, is.AuditSeq = got.UpdatedAt, got.AuditSeq // each has an entry of its own
		if !equal(got, is) || !got.UpdatedAt.After(d.UpdatedAt) && got.AuditSeq <= d.AuditSeq {
			m.t.Fatalf("call %d: got %+v, want %+v", m.n, got, is)
		}
		m.documents[id] = is
		for _, w := range m.walks {
			w.touched[id] = true
		}
	}
	_, _, err = m.k.CreateField(m.ctx(), m.k.Admin, f.NewField)
	must(m.t, err)
}
