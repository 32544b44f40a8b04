package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// FieldType is what the values of a custom field are.
type FieldType string

const (
	TextField    FieldType = "text"    // at most 4,000 characters; lines allowed
	NumberField  FieldType = "number"  // a JSON number; compared as a double (IEEE 754)
	BooleanField FieldType = "boolean" // true or false
	DateField    FieldType = "date"    // a day, as 2026-11-21 (ISO 8601)
	ChoiceField  FieldType = "choice"  // one of the field's choices
	UserField    FieldType = "user"    // the id of a user of the vault
)

func fieldTypes() []FieldType {
	return []FieldType{TextField, NumberField, BooleanField, DateField, ChoiceField, UserField}
}

// Field defines a custom field of documents: only defined ones can be given,
// and every value is checked when it is written.
type Field struct {
	Key         string // a letter, then up to 63 letters, digits, - or _
	Label       string // for people
	Type        FieldType
	Choices     []string // of a choice, in the order in which they are offered
	Required    bool     // a document cannot be made without it, nor lose it
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Revision    uint64
}

// NewField describes a field to be defined. Key and Type are required; an empty
// Label is the key.
type NewField struct {
	Key         string
	Label       string
	Type        FieldType
	Choices     []string
	Required    bool
	Description string
}

// FieldPatch: nil leaves a member alone. Type can be changed while no document
// has a value of the field.
type FieldPatch struct {
	Label       *string
	Type        *FieldType
	Choices     *[]string
	Required    *bool
	Description *string
}

// firstField is defined in every vault when it is made.
func firstField() NewField {
	return NewField{Key: "renewalDate", Label: "Renewal date", Type: DateField}
}

// Field returns the definition of a field. ErrFieldNotFound.
func (v *Vault) Field(ctx context.Context, key string) (Field, error) {
	return view(v, func(t *tx) (Field, error) { return t.field(key) })
}

// Fields lists the definitions in the order of their keys.
func (v *Vault) Fields(ctx context.Context, p Paging) (Page[Field], error) {
	return view(v, func(t *tx) (Page[Field], error) { return rowPage(t, bucketFields, listFields, p, decodeField) })
}

func (t *tx) field(key string) (Field, error) {
	if !check.IsFieldKey(key) {
		return Field{}, ErrFieldNotFound
	}
	b := t.Get(bucketFields, []byte(key))
	if b == nil {
		return Field{}, ErrFieldNotFound
	}
	return decodeField([]byte(key), b)
}

// CreateField defines a field. It needs admin access. *ExistsError if the key
// is taken.
func (v *Vault) CreateField(ctx context.Context, actor Actor, n NewField) (Field, Receipt, error) {
	f := n.field()
	if err := f.check(); err != nil {
		return Field{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Field, audit.Event, error) { return t.createField(f) })
}

func (n NewField) field() Field {
	return Field{Key: n.Key, Label: n.Label, Type: n.Type, Choices: n.Choices, Required: n.Required, Description: n.Description}
}

// maxDefinitions is how many fields a vault has at most.
const maxDefinitions = 200

func (t *tx) createField(f Field) (Field, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Field{}, audit.Event{}, err
	}
	if t.Get(bucketFields, []byte(f.Key)) != nil {
		return Field{}, audit.Event{}, &ExistsError{What: NounField, ID: f.Key, Field: "key"}
	}
	many, c := 0, t.Cursor(bucketFields)
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		many++
	}
	if many >= maxDefinitions {
		return Field{}, audit.Event{}, invalid("key", "would be that of one field too many: a vault has at most %d", maxDefinitions)
	}
	f.CreatedAt, f.UpdatedAt, f.Revision = t.Now(), t.Now(), 1
	t.Put(bucketFields, []byte(f.Key), f.encode())
	detail := detailMembers{}
	detail.text("label", f.Label)
	detail.text("description", f.Description)
	if len(f.Choices) > 0 {
		detail["choices"] = f.Choices
	}
	return f, audit.Event{Op: audit.OpFieldCreated, Facts: f.facts(), Detail: encodeDetail(detail)}, nil
}

func (f *Field) facts() audit.Facts {
	required := "false"
	if f.Required {
		required = "true"
	}
	return audit.Facts{"field": audit.Text(f.Key), "type": audit.Text(string(f.Type)), "required": audit.Text(required)}
}

// UpdateField changes a definition. It needs admin access. A choice that is
// taken away stays on the documents that have it, until they change it; a field
// that becomes required binds those that have it, and those made from then on.
// ErrFieldNotFound; ErrFieldInUse for another type while documents have values.
func (v *Vault) UpdateField(ctx context.Context, actor Actor, key string, cond Condition, p FieldPatch) (Field, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Field, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Field{}, audit.Event{}, err
		}
		old, err := t.field(key)
		if err == nil {
			err = cond.IfMatch.check(old.Revision)
		}
		if err != nil {
			return Field{}, audit.Event{}, err
		}
		f := p.apply(old)
		if err := f.check(); err != nil {
			return Field{}, audit.Event{}, err
		}
		detail := old.differences(&f)
		if len(detail) == 0 && f.Type == old.Type && f.Required == old.Required {
			return old, audit.Event{}, nil
		}
		if f.Type != old.Type && t.fieldUsed(key) {
			return Field{}, audit.Event{}, fmt.Errorf("%w: documents have values of it, so its type stays; define another field for the new type", ErrFieldInUse)
		}
		if f.Type != old.Type {
			if err := t.fieldFree(key); err != nil {
				return Field{}, audit.Event{}, err
			}
		}
		f.Revision, f.UpdatedAt = old.Revision+1, t.Now()
		t.Put(bucketFields, []byte(key), f.encode())
		return f, audit.Event{Op: audit.OpFieldUpdated, Facts: f.facts(), Detail: encodeDetail(detail)}, nil
	})
}

func (p *FieldPatch) apply(f Field) Field {
	if p.Label != nil {
		f.Label = *p.Label
	}
	if p.Type != nil {
		f.Type = *p.Type
	}
	if p.Choices != nil {
		f.Choices = *p.Choices
	}
	if p.Required != nil {
		f.Required = *p.Required
	}
	if p.Description != nil {
		f.Description = *p.Description
	}
	return f
}

func (f *Field) differences(is *Field) map[string]any {
	detail := map[string]any{}
	if f.Label != is.Label {
		detail["label"] = changed{f.Label, is.Label}
	}
	if f.Description != is.Description {
		detail["description"] = changed{f.Description, is.Description}
	}
	if !slices.Equal(f.Choices, is.Choices) {
		detail["choices"] = changed{append([]string{}, f.Choices...), append([]string{}, is.Choices...)}
	}
	return detail
}

// check looks at a definition, and spells it.
func (f *Field) check() error {
	var c checks
	c.FieldKey("key", f.Key)
	if f.Label = check.Trim(f.Label); f.Label == "" {
		f.Label = f.Key
	}
	c.Line("label", f.Label, check.MaxShort)
	c.Prose("description", f.Description, check.MaxComment)
	if !slices.Contains(fieldTypes(), f.Type) {
		c.Fail("type", "must be text, number, boolean, date, choice or user")
	}
	f.Choices = c.Choices("choices", f.Choices, f.Type == ChoiceField)
	return c.err()
}

// fieldUsed says whether any document has a value of the field.
func (t *tx) fieldUsed(key string) bool {
	prefix := indexPrefix(kindField, text(key))
	k, _ := t.Cursor(bucketIndex).Seek(prefix)
	return bytes.HasPrefix(k, prefix)
}

// FieldUse counts the documents that have a value of a field: those DeleteField
// clears by force. ErrFieldNotFound.
func (v *Vault) FieldUse(ctx context.Context, key string) (uint64, error) {
	return view(v, func(t *tx) (n uint64, err error) {
		if _, err := t.field(key); err != nil {
			return 0, err
		}
		prefix := indexPrefix(kindField, text(key))
		rows := t.Cursor(bucketIndex)
		for k, _ := rows.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = rows.Next() {
			if n++; n%clearBatch == 0 && ctx.Err() != nil {
				return 0, ctx.Err()
			}
		}
		return n, nil
	})
}

// DeleteField removes a definition. It needs admin access. While documents have
// values of the field it is refused (ErrFieldInUse), unless force takes the
// values away first, from archived and locked documents too, each in a change
// of its own. A policy of retention that counts from the field refuses even that. The field goes last, so what was interrupted is done by asking
// again; until then, values may still be given. ErrFieldNotFound.
func (v *Vault) DeleteField(ctx context.Context, actor Actor, key string, cond Condition, force bool) (Field, Receipt, error) {
	for cleared := uint64(0); ; {
		f, receipt, err := update(v, ctx, actor, func(t *tx) (Field, audit.Event, error) { return t.deleteField(key, cond.IfMatch, cleared) })
		if !force || !errors.Is(err, errFieldHasValues) {
			return f, receipt, err
		}
		more, err := v.clearField(ctx, actor, key)
		if err != nil {
			return Field{}, Receipt{}, fmt.Errorf("clear the field %s: %w", key, err)
		}
		cleared += more
	}
}

var errFieldHasValues = fmt.Errorf("%w: documents have values of it; clear it there, or send force=true to have it cleared from all of them", ErrFieldInUse)

var errFieldNamed = fmt.Errorf("%w: the period of a retention policy counts from it; change or delete the policy first", ErrFieldInUse)

// fieldFree guards that no policy counts from a field: without it, documents
// would never be due, or protected for ever.
func (t *tx) fieldFree(key string) error {
	named, err := t.fieldNamed(key)
	if err == nil && named {
		err = errFieldNamed
	}
	return err
}

func (t *tx) deleteField(key string, m Match, cleared uint64) (Field, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Field{}, audit.Event{}, err
	}
	f, err := t.field(key)
	if err == nil {
		err = m.check(f.Revision)
	}
	if err == nil {
		err = t.fieldFree(key) // before anything is cleared
	}
	if err == nil && t.fieldUsed(key) {
		err = errFieldHasValues
	}
	if err != nil {
		return Field{}, audit.Event{}, err
	}
	t.Delete(bucketFields, []byte(key))
	return f, audit.Event{
		Op: audit.OpFieldDeleted, Facts: audit.Facts{"field": audit.Text(key), "cleared": audit.Number(cleared)},
	}, nil
}

// clearBatch is how many documents are cleared in one transaction.
const clearBatch = 500

// clearField takes the field away from some documents, and says from how many.
func (v *Vault) clearField(ctx context.Context, actor Actor, key string) (cleared uint64, err error) {
	docs, err := view(v, func(t *tx) (docs []id, err error) {
		prefix := indexPrefix(kindField, text(key))
		rows := t.Cursor(bucketIndex)
		for k, _ := rows.Seek(prefix); bytes.HasPrefix(k, prefix) && len(docs) < clearBatch; k, _ = rows.Next() {
			docs = append(docs, id(k[len(k)-len(id{}):]))
		}
		return docs, nil
	})
	if err != nil {
		return 0, err
	}
	var fns []func(*tx) (bool, audit.Event, error)
	for _, doc := range docs {
		fns = append(fns, func(t *tx) (bool, audit.Event, error) { return t.clearFieldOf(doc, key) })
	}
	done, _, err := updateAll(v, ctx, actor, fns...)
	for _, did := range done {
		if did {
			cleared++
		}
	}
	return cleared, err
}

func (t *tx) clearFieldOf(doc id, key string) (bool, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return false, audit.Event{}, err
	}
	old, err := t.documentAt(doc)
	if err != nil {
		return false, audit.Event{}, err
	}
	if _, has := old.CustomFields[key]; !has { // somebody was faster
		return false, audit.Event{}, nil
	}
	d := old.clone()
	delete(d.CustomFields, key)
	t.changes(d)
	facts := audit.Facts{"revision": audit.Number(d.Revision)}
	t.store(old, d, grant{}).tell(facts)
	return true, audit.Event{
		Op: audit.OpDocumentUpdated, Document: d.ID, Facts: facts, Detail: encodeDetail(differences(old, d)),
	}, nil
}
