package engine

import (
	"encoding/json"
	"fmt"
	"time"
)

// glance is what a list must know of a document to decide whether it is on the
// page and where: views into its record, read without decoding the rest, which
// takes ten times as long. It lives as long as its transaction.
type glance struct {
	updatedAt time.Time
	name      []byte
	fields    decoder // stands at the custom fields
}

// glanceAt reads as decodeDocument does, as far as it goes.
func glanceAt(b []byte) (glance, error) {
	r := newDecoder(b)
	r.num() // seq
	deleted := r.flag()
	r.flag()   // archived
	r.num()    // revision
	r.num()    // versions
	r.num()    // created at
	r.nested() // and by
	g := glance{updatedAt: r.time()}
	r.nested() // and by
	if !deleted {
		r.nested() // version
		g.name = r.nested()
		r.nested() // category
		r.nested() // description
		r.nested() // owner
		for range r.count() {
			r.nested() // tag
		}
		g.fields = *r
	}
	return g, r.err
}

// row is the value of a custom field, as fieldRow spells it; "" if it has none.
func (g *glance) row(key string) (row string) {
	r := g.fields
	for range r.count() {
		name, kind := r.nested(), r.num()
		var text []byte
		if kind == fieldText || kind == fieldNumber {
			text = r.nested()
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
	b := t.get(bucketDocuments, doc[:])
	if b == nil {
		return glance{}, nil, fmt.Errorf("%w: the index names document %s, which is missing", errDamaged, doc)
	}
	g, err := glanceAt(b)
	if err != nil {
		return glance{}, nil, fmt.Errorf("document %s: %w", doc, err)
	}
	return g, b, nil
}
