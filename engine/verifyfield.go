package engine

import (
	"fmt"
	"slices"

	"strongroom/audit"
)

// saidField is a definition as its entries tell it.
type saidField struct {
	Field
	erased bool // a detail is gone, so label, choices and description are not known
}

func (a *accounts) followField(e audit.Entry, told detail) error {
	key, _ := e.Facts["field"].AsText()
	f := a.fields[key]
	if (f == nil) != (e.Op == audit.OpFieldCreated) {
		return fmt.Errorf("%s: field %s was defined before, or never", e.Op, key)
	}
	switch e.Op {
	case audit.OpFieldDeleted:
		delete(a.fields, key)
		return nil
	case audit.OpFieldCreated:
		f = &saidField{Field: Field{Key: key, CreatedAt: e.Time}}
		a.fields[key] = f
	}
	kind, _ := e.Facts["type"].AsText()
	required, _ := e.Facts["required"].AsText()
	f.Type, f.Required = FieldType(kind), required == "true"
	if _, ok := told.members["label"]; ok {
		f.Label = told.text("label")
	}
	if _, ok := told.members["description"]; ok {
		f.Description = told.text("description")
	}
	if list, ok := told.members["choices"].([]any); ok {
		f.Choices = nil
		for _, choice := range list {
			text, _ := choice.(string)
			f.Choices = append(f.Choices, text)
		}
	}
	f.erased = f.erased || told.erased
	f.UpdatedAt = e.Time
	f.Revision++
	return nil
}

// fields compares every definition with the log. They are few, and their keys do
// not rise, so all are read in one transaction.
func (c *checker) fields() error {
	_, err := view(c.v, func(t *tx) (struct{}, error) {
		c.catchUp(t)
		met := map[string]bool{}
		rows := t.Cursor(bucketFields)
		for k, value := rows.First(); k != nil && len(met) <= maxDefinitions; k, value = rows.Next() {
			met[string(k)] = true
			c.compareField(k, value)
		}
		for _, known := range sortedKeys(c.said.fields) {
			if !met[known] {
				c.find(0, CodeState, "field %s of the log is missing", known)
			}
		}
		return struct{}{}, nil
	})
	return err
}

func (c *checker) compareField(k, value []byte) {
	f, err := decodeField(k, value)
	if err != nil {
		c.find(0, CodeState, "%v", err)
		return
	}
	said, ok := c.said.fields[f.Key]
	if !ok {
		c.find(0, CodeState, "field %q is not in the log", f.Key)
		return
	}
	c.differ("field "+f.Key, member{"the type", f.Type, said.Type}, member{"required", f.Required, said.Required},
		member{"created at", f.CreatedAt, said.CreatedAt}, member{"updated at", f.UpdatedAt, said.UpdatedAt},
		member{"the revision", f.Revision, said.Revision})
	if said.erased {
		return
	}
	c.differ("field "+f.Key, member{"the label", f.Label, said.Label}, member{"the description", f.Description, said.Description})
	if !slices.Equal(f.Choices, said.Choices) {
		c.find(0, CodeState, "field %s: the choices are %q, the log says %q", f.Key, f.Choices, said.Choices)
	}
}
