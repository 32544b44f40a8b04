package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// checkFields is the guard of every write of custom fields. Each key given must
// be defined, and each value that is not what it was must be one its field
// takes; it is spelled in place. Removing a required field is refused, and with
// isNew, lacking one. What a document has already is not checked again, so that
// a choice taken away, or a field that became required, hinders no other change.
func (t *tx) checkFields(was, is, given map[string]any, isNew bool) error {
	var c checks
	for _, key := range sortedKeys(given) {
		f, err := t.field(key)
		if errors.Is(err, ErrFieldNotFound) {
			c.Fail("customFields."+key, "is not a field of this vault; an admin can define it")
			continue
		} else if err != nil {
			return err
		}
		value, has := is[key]
		if !has || value == was[key] {
			continue
		}
		spelled, problem, err := t.acceptable(&f, value)
		if err != nil {
			return err
		}
		if problem != "" {
			c.Fail("customFields."+key, "%s", problem)
		}
		is[key] = spelled
	}
	needed, err := t.requiredFields(was, isNew)
	if err != nil {
		return err
	}
	for _, key := range needed {
		if _, has := is[key]; !has {
			c.Fail("customFields."+key, "is required and must have a value")
		}
	}
	return c.err()
}

// requiredFields are the required ones of all fields, for a new document, or of
// those a document had.
func (t *tx) requiredFields(was map[string]any, isNew bool) (keys []string, err error) {
	if !isNew {
		for _, key := range sortedKeys(was) {
			f, err := t.field(key)
			if err != nil && !errors.Is(err, ErrFieldNotFound) {
				return nil, err
			}
			if f.Required {
				keys = append(keys, key)
			}
		}
		return keys, nil
	}
	c := t.Cursor(bucketFields)
	for k, b := c.First(); k != nil; k, b = c.Next() {
		f, err := decodeField(k, b)
		if err != nil {
			return nil, err
		}
		if f.Required {
			keys = append(keys, f.Key)
		}
	}
	return keys, nil
}

// acceptable spells a value as the field keeps it, or says what is wrong.
func (t *tx) acceptable(f *Field, value any) (spelled any, problem string, err error) {
	s, isText := value.(string)
	if f.Required && isText && check.IsBlank(s) {
		return value, "is required and must not be empty", nil
	}
	switch f.Type {
	case NumberField:
		if _, ok := value.(json.Number); !ok {
			problem = "must be a number"
		}
	case BooleanField:
		if _, ok := value.(bool); !ok {
			problem = "must be true or false"
		}
	case TextField:
		if !isText {
			problem = "must be a text"
		}
	case DateField:
		if !isText || !check.IsDate(s) {
			problem = problemDate
		}
	case ChoiceField:
		if !isText || !slices.ContainsFunc(f.Choices, func(choice string) bool { return check.NFC(choice) == check.NFC(s) }) {
			problem = "must be one of " + enumerated(f.Choices)
		}
	case UserField:
		u, err := t.user(s)
		if errors.Is(err, ErrUserNotFound) {
			return value, problemUser, nil
		}
		return u.ID, "", err
	}
	return value, problem, nil
}

const (
	problemDate = "must be a date such as 2026-11-21"
	problemUser = "must be the id of a user of this vault"
)

// enumerated lists choices for a message, the first of them if they are many.
func enumerated(choices []string) string {
	const most = 8
	if len(choices) > most {
		return strings.Join(choices[:most], ", ") + ", …"
	}
	return strings.Join(choices, ", ")
}

// revertFields is what custom fields become when those at locking are brought
// back: each of them where it may still be so, else as it is now.
func (t *tx) revertFields(was, is map[string]any) (map[string]any, error) {
	reverted := map[string]any{}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(was), sortedKeys(is)...)))) {
		before, had := was[key]
		now, has := is[key]
		f, err := t.field(key)
		if err != nil && !errors.Is(err, ErrFieldNotFound) {
			return nil, err
		}
		problem := ""
		switch {
		case err != nil: // the field is gone, and with it all values
			continue
		case had && before != now:
			if before, problem, err = t.acceptable(&f, before); err != nil {
				return nil, err
			}
		case !had && f.Required:
			problem = "is required"
		}
		if problem != "" {
			before, had = now, has
		}
		if had {
			reverted[key] = before
		}
	}
	return reverted, nil
}

// fieldRow is how the index spells a value. Numbers and dates are in their
// order; of other texts there is only equality, so 16 bytes of their SHA-256
// stand for them. The kind of value leads, and each has one length, so no value
// is a prefix of another. It is told by the value alone and not by the type of
// its field, so that a document's rows follow from the document.
func fieldRow(value any) string {
	switch v := value.(type) {
	case bool:
		if v {
			return "b1"
		}
		return "b0"
	case json.Number:
		return "n" + orderedNumber(v)
	case string:
		if check.IsDate(v) {
			return "d" + v
		}
		sum := sha256.Sum256([]byte(v))
		return "t" + string(sum[:16])
	}
	return ""
}

// orderedNumber is a double whose bytes sort as the numbers do: those of a
// negative one are inverted, of any other the sign bit is set.
func orderedNumber(n json.Number) string {
	f, _ := n.Float64()
	bits := math.Float64bits(f)
	if f < 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63 // of -0 it is set already
	}
	return string(binary.BigEndian.AppendUint64(nil, bits))
}

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
			c.Fail("field."+filter.Key, "is not a field of this vault; ask for one that is defined")
			continue
		} else if err != nil {
			return nil, nil, err
		}
		if filter.Value == "" && filter.From == "" && filter.To == "" {
			c.Fail("field."+f.Key, "must not be empty")
		}
		if filter.Value != "" {
			values = append(values, text(f.Key)+c.fieldRow(&f, "field."+f.Key, filter.Value))
		}
		if filter.From == "" && filter.To == "" {
			continue
		}
		if f.Type != NumberField && f.Type != DateField {
			c.Fail("field."+f.Key, "has no order, being of type %s; ask for one value", f.Type)
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
		if !c.Number(at, value) {
			return ""
		}
		of = json.Number(value)
	case BooleanField:
		if value != "true" && value != "false" {
			c.Fail(at, "must be true or false")
		}
		of = value == "true"
	case DateField:
		if !check.IsDate(value) {
			c.Fail(at, problemDate)
		}
	case UserField:
		user, ok := store.ParseID(value)
		if !ok {
			c.Fail(at, problemUser)
		}
		of = user.String()
	}
	return fieldRow(formOf(of, check.NFC))
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
	var ids store.SortedIDs
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
	return l.q.updatedMatches(g.updatedAt) && l.nameMatches(g) && !slices.ContainsFunc(l.ranges, func(r fieldRange) bool { return !r.has(g) })
}
