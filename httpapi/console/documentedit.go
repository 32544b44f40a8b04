package console

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"

	"strongroom/engine"
)

// editing is the page of what can be changed of a document.
type editing struct {
	*sheet
	Typed map[string]string // what was typed, after somebody else's change or before signing in
	Moved bool              // somebody else changed it meanwhile
	Wrong []engine.FieldError
}

// Editing is the form as it stands on the document's own page.
func (s *sheet) Editing() editing { return editing{sheet: s} }

func editDocument(v *visit) (answer, error) { return v.editPage(editing{}, nil, 0) }

func (v *visit) editPage(e editing, typed url.Values, status int) (answer, error) {
	d, err := v.asEdited(v.id("id"))
	if err != nil {
		return answer{}, err
	}
	if e.sheet, err = v.sheet(d); err != nil {
		return answer{}, err
	}
	if typed != nil {
		e.Typed = map[string]string{}
		for name := range typed {
			e.Typed[name] = typed.Get(name)
		}
	}
	return answer{page: "edit", title: "Edit " + d.Name, body: e, status: status}, nil
}

// Show is what a field of the form has in it: what was typed, else what is there.
func (e editing) Show(name, is string) string {
	if e.Typed == nil {
		return is
	}
	return e.Typed[name]
}

func saveDocument(v *visit) (answer, error) {
	p, err := v.documentPatch()
	if err == nil {
		_, _, err = v.vault.UpdateDocument(v.ctx(), v.actor, v.id("id"), v.holding(), p)
	}
	if errors.Is(err, engine.ErrPrecondition) {
		return v.editPage(editing{Moved: true}, v.r.PostForm, 409)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.editPage(editing{Wrong: invalid.Fields}, v.r.PostForm, 400)
	}
	if exists := (*engine.ExistsError)(nil); errors.As(err, &exists) {
		return v.editPage(editing{Wrong: []engine.FieldError{{Field: exists.Field, Message: "is taken already"}}}, v.r.PostForm, 409)
	}
	return v.deed(err, "Saved.")
}

// documentPatch is what the form says. What it has no field for stays as it is.
func (v *visit) documentPatch() (p engine.DocumentPatch, err error) {
	text := func(name string) *string {
		if _, sent := v.r.PostForm[name]; !sent {
			return nil
		}
		s := v.form(name)
		return &s
	}
	p = engine.DocumentPatch{Name: text("name"), Category: text("category"), Description: text("description"), Path: text("path"), OwnerID: text("ownerId")}
	if _, sent := v.r.PostForm["tags"]; sent {
		tags := splitTags([]string{v.form("tags")})
		p.Tags = &tags
	}
	if id := v.form("externalId"); id != "" { // it can be given once
		p.ExternalID = &id
	}
	var ownerErr error
	if p.OwnerID != nil {
		*p.OwnerID, ownerErr = v.person("ownerId", *p.OwnerID)
	}
	p.CustomFields, err = v.customFields(func(key string) (string, bool) {
		_, ok := v.r.PostForm["field."+key]
		return v.form("field." + key), ok
	}, true)
	return p, joinedInvalid(err, ownerErr)
}

var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func jsonNumber(s string) json.Number { return json.Number(s) }

// fieldText is the value of a field as a form has it.
func fieldText(value any) string {
	switch is := value.(type) {
	case string:
		return is
	case json.Number:
		return is.String()
	case bool:
		return strconv.FormatBool(is)
	}
	return ""
}
