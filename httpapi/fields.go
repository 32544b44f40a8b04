package httpapi

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"strongroom/engine"
)

type newField struct {
	Key         string           `json:"key" required:"true" doc:"A letter, then up to 63 letters, digits, - or _; it stays."`
	Label       string           `json:"label" doc:"For people. Absent: the key."`
	Type        engine.FieldType `json:"type" required:"true" enum:"text|number|boolean|date|choice|user"`
	Choices     []string         `json:"choices" doc:"Of a field of type choice, in the order in which they are offered."`
	Required    bool             `json:"required" doc:"Whether a document cannot be made without it, nor lose it."`
	Description string           `json:"description"`
}

type createFieldInput struct {
	Field newField `body:"json"`
}

func createField(ctx context.Context, c caller, in createFieldInput) (reply[Field], error) {
	f, receipt, err := c.vault.CreateField(ctx, c.actor, engine.NewField(in.Field))
	out := changedField(f, receipt)
	out.location = "/v1/fields/" + f.Key
	return out, err
}

func changedField(f engine.Field, r engine.Receipt) reply[Field] {
	return reply[Field]{body: fieldOf(f), revision: f.Revision, receipt: r}
}

func listFields(ctx context.Context, c caller, in paging) (reply[List[Field]], error) {
	page, err := c.vault.Fields(ctx, in.engine())
	return answer(listOf(page, fieldOf)), err
}

type fieldInput struct {
	Key string `path:"key"`
}

func getField(ctx context.Context, c caller, in fieldInput) (reply[Field], error) {
	f, err := c.vault.Field(ctx, in.Key)
	return changedField(f, engine.Receipt{}), err
}

type fieldPatch struct {
	Label       *string           `json:"label"`
	Type        *engine.FieldType `json:"type" enum:"text|number|boolean|date|choice|user" doc:"Can be changed while no document has a value of the field."`
	Choices     *[]string         `json:"choices" doc:"Replaces all. A choice taken away stays on the documents that have it, until they change it."`
	Required    *bool             `json:"required"`
	Description *string           `json:"description"`
}

type updateFieldInput struct {
	Key     string     `path:"key"`
	IfMatch ifMatch    `header:"If-Match"`
	Patch   fieldPatch `body:"merge"`
}

func updateField(ctx context.Context, c caller, in updateFieldInput) (reply[Field], error) {
	f, receipt, err := c.vault.UpdateField(ctx, c.actor, in.Key, in.IfMatch.condition(), engine.FieldPatch(in.Patch))
	return changedField(f, receipt), err
}

type deleteFieldInput struct {
	Key     string  `path:"key"`
	IfMatch ifMatch `header:"If-Match"`
	Force   bool    `query:"force" doc:"Clear the field from all documents that have it, each in a change of its own. If that is interrupted, send it again."`
}

func deleteField(ctx context.Context, c caller, in deleteFieldInput) (reply[Field], error) {
	f, receipt, err := c.vault.DeleteField(ctx, c.actor, in.Key, in.IfMatch.condition(), in.Force)
	return reply[Field]{body: fieldOf(f), receipt: receipt}, err
}

// fieldFilters are the parameters field.<key>, field.<key>.from and
// field.<key>.to of a list. Whether there is such a field, and what its values
// look like, the engine knows.
type fieldFilters []engine.FieldFilter

const fieldFilterPattern = `[A-Za-z][A-Za-z0-9_-]{0,63}(\.(from|to))?`

var fieldFilterNames = regexp.MustCompile("^" + fieldFilterPattern + "$")

func (f *fieldFilters) pattern() string { return fieldFilterPattern }

func (f *fieldFilters) bindNamed(name, value string) error {
	if !fieldFilterNames.MatchString(name) {
		return errors.New("is not a parameter of this request; custom fields are field.<key>, field.<key>.from and field.<key>.to")
	}
	if value == "" {
		return nil
	}
	key, bound, _ := strings.Cut(name, ".")
	i := slices.IndexFunc(*f, func(filter engine.FieldFilter) bool { return filter.Key == key })
	if i < 0 {
		i = len(*f)
		*f = append(*f, engine.FieldFilter{Key: key})
	}
	switch filter := &(*f)[i]; bound {
	case "from":
		filter.From = value
	case "to":
		filter.To = value
	default:
		filter.Value = value
	}
	return nil
}
