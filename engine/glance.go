package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"strongroom/engine/internal/store"
)

// glance is what a list must know of a document to decide whether it is on the
// page and where: views into its record, read without decoding the rest, which
// takes ten times as long. It lives as long as its transaction.
type glance struct {
	updatedAt time.Time
	name      []byte
	fields    store.Decoder // stands at the custom fields
}

// glanceAt reads as decodeDocument does, as far as it goes.
func glanceAt(b []byte) (glance, error) {
	r := store.NewDecoder(b)
	r.Num() // seq
	deleted := r.Flag()
	r.Flag()   // archived
	r.Num()    // revision
	r.Num()    // versions
	r.Num()    // created at
	r.Nested() // and by
	g := glance{updatedAt: r.Time()}
	r.Nested() // and by
	if !deleted {
		r.Nested() // version
		g.name = r.Nested()
		r.Nested() // category
		r.Nested() // description
		r.Nested() // owner
		for range r.Count() {
			r.Nested() // tag
		}
		g.fields = *r
	}
	return g, r.Err()
}

// row is the value of a custom field, as fieldRow spells it; "" if it has none.
func (g *glance) row(key string) (row string) {
	r := g.fields // a copy: the glance stays where it stands
	for range r.Count() {
		name, kind := r.Nested(), r.Num()
		var text []byte
		if kind == fieldText || kind == fieldNumber {
			text = r.Nested()
		}
		if string(name) != key {
			continue
		}
		switch kind {
		case fieldText:
			row = fieldRow(string(text))
		case fieldNumber:
			row = fieldRow(json.Number(text))
		default:
			row = fieldRow(kind == fieldTrue)
		}
	}
	return row
}

// has says whether the document has a value within.
func (r fieldRange) has(g *glance) bool {
	row := g.row(r.key)
	return row != "" && (r.from == "" || row >= r.from) && (r.to == "" || row < r.to)
}

// glance returns a document's record too.
func (t *tx) glance(doc id) (glance, []byte, error) {
	b := t.Get(bucketDocuments, doc[:])
	if b == nil {
		return glance{}, nil, fmt.Errorf("%w: the index names document %s, which is missing", errDamaged, doc)
	}
	g, err := glanceAt(b)
	if err != nil {
		return glance{}, nil, fmt.Errorf("document %s: %w", doc, err)
	}
	return g, b, nil
}
