package console

import (
	"strings"

	"strongroom/engine"
)

// fieldsPage is the list of custom fields, and the form of another one.
type fieldsPage struct {
	draft
	Items []fieldUse
}

type fieldUse struct {
	engine.Field
	Uses uint64 // documents that have a value of it
}

// fieldPage is one of them.
type fieldPage struct {
	draft
	fieldUse
	Lines string // the choices, one a line
}

// fieldTypes are offered for a field, with what they are.
func fieldTypes() []option {
	return []option{{"text", "Text"}, {"number", "Number"}, {"boolean", "Yes or no"}, {"date", "Date"}, {"choice", "One of some choices"}, {"user", "Somebody of the vault"}}
}

// Types are offered for a field.
func (fieldsPage) Types() []option { return fieldTypes() }

// Types are offered for a field.
func (fieldPage) Types() []option { return fieldTypes() }

// TypeText is the type in words.
func (f fieldUse) TypeText() string {
	for _, o := range fieldTypes() {
		if o.Value == string(f.Type) {
			return o.Text
		}
	}
	return string(f.Type)
}

func listFields(v *visit) (answer, error) { return v.fieldsPage(v.draft(), 0) }

func (v *visit) fieldsPage(d draft, status int) (answer, error) {
	all, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	body := fieldsPage{draft: d}
	for _, f := range all.Items {
		n, err := v.vault.FieldUse(v.ctx(), f.Key)
		if err != nil {
			return answer{}, err
		}
		body.Items = append(body.Items, fieldUse{f, n})
	}
	return answer{page: "fields", title: "Fields", body: body, status: status}, err
}

func addField(v *visit) (answer, error) {
	f, _, err := v.vault.CreateField(v.ctx(), v.actor, engine.NewField{
		Key: v.form("key"), Label: v.form("label"), Type: engine.FieldType(v.form("type")), Choices: lines(v.form("choices")),
		Required: v.form("required") != "", Description: v.form("description"),
	})
	if err == nil {
		return see(v.Path("settings", "fields"), "The field %s is there: documents can have it now.", f.Label), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.fieldsPage(d, status)
	}
	return answer{}, err
}

// lines are the lines of a text, without the empty ones.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

func showField(v *visit) (answer, error) { return v.fieldPage(v.draft(), 0) }

func (v *visit) fieldPage(d draft, status int) (answer, error) {
	f, err := v.vault.Field(v.ctx(), v.id("key"))
	if err != nil {
		return answer{}, err
	}
	n, err := v.vault.FieldUse(v.ctx(), f.Key)
	return answer{page: "field", title: "Field " + f.Label, body: fieldPage{d, fieldUse{f, n}, strings.Join(f.Choices, "\n")}, status: status}, err
}

func changeField(v *visit) (answer, error) {
	label, description, required := v.form("label"), v.form("description"), v.form("required") != ""
	kind, choices := engine.FieldType(v.form("type")), lines(v.form("choices"))
	f, _, err := v.vault.UpdateField(v.ctx(), v.actor, v.id("key"), v.revision(), engine.FieldPatch{
		Label: &label, Type: &kind, Choices: &choices, Required: &required, Description: &description,
	})
	if err == nil {
		return see(v.Path("settings", "fields"), "The field %s is changed.", f.Label), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.fieldPage(d, status)
	}
	return answer{}, err
}

// removeField deletes a field. Its values go with it only if somebody has ticked
// that they are to.
func removeField(v *visit) (answer, error) {
	f, _, err := v.vault.DeleteField(v.ctx(), v.actor, v.id("key"), v.revision(), v.form("force") != "")
	if err == nil {
		return see(v.Path("settings", "fields"), "The field %s is deleted.", f.Label), nil
	}
	if d, status := v.again(err); status != 0 {
		d.Typed = nil // nothing was typed
		return v.fieldPage(d, status)
	}
	return answer{}, err
}
