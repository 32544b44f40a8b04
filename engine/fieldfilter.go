package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"strongroom/engine/internal/store"
)

// FieldFilter chooses documents by a custom field: by its Value, or by a range,
// From inclusive and To exclusive, which numbers and dates have. "" is not
// asked for, but one of them must be.
type FieldFilter struct {
	Key             string
	Value, From, To string
}

// addFields makes a set of each value asked for, and of each range with few
// documents. One with many is asked of each document that whoever walks another
// order meets.
func (l *lister) addFields() error {
	values, ranges, err := l.t.fieldRows(l.q.Fields)
	if err != nil {
		return err
	}
	for _, value := range values {
		l.sets = append(l.sets, l.t.rows(kindField, value))
	}
	for _, r := range ranges {
		l.addRange(r)
	}
	return nil
}

// fieldRows puts filters as the index spells them: the values asked for, each
// with the key of its field, and the ranges.
func (t *tx) fieldRows(filters []FieldFilter) (values []string, ranges []fieldRange, err error) {
	var c checks
	for _, filter := range filters {
		f, err := t.field(filter.Key)
		if errors.Is(err, ErrFieldNotFound) {
			c.fail("field."+filter.Key, "is not a field of this vault; ask for one that is defined")
			continue
		} else if err != nil {
			return nil, nil, err
		}
		if filter.Value == "" && filter.From == "" && filter.To == "" {
			c.fail("field."+f.Key, "must not be empty")
		}
		if filter.Value != "" {
			values = append(values, text(f.Key)+c.fieldRow(&f, "field."+f.Key, filter.Value))
		}
		if filter.From == "" && filter.To == "" {
			continue
		}
		if f.Type != NumberField && f.Type != DateField {
			c.fail("field."+f.Key, "has no order, being of type %s; ask for one value", f.Type)
			continue
		}
		r := fieldRange{key: f.Key}
		if filter.From != "" {
			r.from = c.fieldRow(&f, "field."+f.Key+".from", filter.From)
		}
		if filter.To != "" {
			r.to = c.fieldRow(&f, "field."+f.Key+".to", filter.To)
		}
		ranges = append(ranges, r)
	}
	return values, ranges, c.err()
}

// fieldRow reads a value as a field of this type would have it, and spells it
// as the index does.
func (c *checks) fieldRow(f *Field, at, value string) string {
	var of any = value
	switch f.Type {
	case NumberField:
		if !isNumber(value) {
			c.fail(at, "must be a number of at most 64 digits")
			return ""
		}
		of = json.Number(value)
	case BooleanField:
		if value != "true" && value != "false" {
			c.fail(at, "must be true or false")
		}
		of = value == "true"
	case DateField:
		if !isDate(value) {
			c.fail(at, problemDate)
		}
	case UserField:
		user, ok := store.ParseID(value)
		if !ok {
			c.fail(at, problemUser)
		}
		of = user.String()
	}
	return fieldRow(of)
}

// fieldRange is a range of values, as fieldRow spells them; "" is no bound.
type fieldRange struct{ key, from, to string }

// addRange walks the rows within, if they are few.
func (l *lister) addRange(r fieldRange) {
	prefix := indexPrefix(kindField, text(r.key))
	var end []byte
	if r.to != "" {
		end = append(bytes.Clone(prefix), r.to...)
	}
	var ids sortedIDs
	rows := l.t.Cursor(bucketIndex)
	k, _ := rows.Seek(append(bytes.Clone(prefix), r.from...))
	for ; bytes.HasPrefix(k, prefix) && (end == nil || bytes.Compare(k, end) < 0); k, _ = rows.Next() {
		if len(ids) == gatherMost {
			l.ranges = append(l.ranges, r)
			return
		}
		ids = append(ids, id(k[len(k)-len(id{}):]))
	}
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	l.sets = append(l.sets, ids)
}

// matches says what the sets do not.
func (l *lister) matches(g *glance) bool {
	return l.q.updatedMatches(g.updatedAt) && !slices.ContainsFunc(l.ranges, func(r fieldRange) bool { return !r.has(g) })
}
