package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"strongroom/audit"
)

// Records are a version byte and their members in a fixed order: numbers as
// uvarints, strings with their length, times as milliseconds since 1970, 0
// being the zero time. A member that comes later is appended; a record that
// ends before it has its zero value, so old records need no rewriting. This
// decodes in a tenth of the time JSON takes, and a list page is fifty of them.
const recordVersion = 1

// Encoder writes the members of one record, in the order in which a Decoder
// reads them.
type Encoder struct{ b []byte }

// NewEncoder begins a record of about so many bytes.
func NewEncoder(size int) *Encoder {
	return &Encoder{append(make([]byte, 0, size), recordVersion)}
}

// Bytes returns the record.
func (e *Encoder) Bytes() []byte { return e.b }

func (e *Encoder) Num(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *Encoder) Str(s string) { e.Num(uint64(len(s))); e.b = append(e.b, s...) }

// Strs writes a list of strings.
func (e *Encoder) Strs(list []string) {
	e.Num(uint64(len(list)))
	for _, s := range list {
		e.Str(s)
	}
}

// Raw writes bytes whose number the reader knows.
func (e *Encoder) Raw(b []byte)      { e.b = append(e.b, b...) }
func (e *Encoder) Hash(h audit.Hash) { e.Raw(h[:]) }

// Nested holds a record within a record, so that the inner one can grow too.
func (e *Encoder) Nested(record []byte) { e.Num(uint64(len(record))); e.Raw(record) }

func (e *Encoder) Flag(f bool) {
	if f {
		e.Num(1)
		return
	}
	e.Num(0)
}

// Time keeps milliseconds.
func (e *Encoder) Time(t time.Time) {
	if t.IsZero() {
		e.Num(0)
		return
	}
	e.Num(uint64(t.UnixMilli()))
}

// Decoder reads what an Encoder wrote. It copies all it returns, but for
// Nested: nothing of a transaction's memory escapes. The first error stays, and
// Done reports it.
type Decoder struct {
	b    []byte
	text string // the record from its first string on, which all its strings are cut from
	err  error
}

// NewDecoder begins to read a record.
func NewDecoder(b []byte) *Decoder {
	if len(b) == 0 || b[0] != recordVersion {
		return &Decoder{err: ErrDamaged}
	}
	return &Decoder{b: b[1:]}
}

func (d *Decoder) Num() uint64 {
	if len(d.b) == 0 {
		return 0
	}
	n, size := binary.Uvarint(d.b)
	if size <= 0 || size > 1 && d.b[size-1] == 0 { // a number has one spelling
		d.Fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// Str shares the memory of the record's other strings: one piece for all of them.
func (d *Decoder) Str() string {
	b := d.Nested()
	if len(b) == 0 {
		return ""
	}
	if d.text == "" {
		d.text = string(b[:len(b)+len(d.b)])
	}
	at := len(d.text) - len(d.b)
	return d.text[at-len(b) : at]
}

// Strs returns nil for a list without any.
func (d *Decoder) Strs() (list []string) {
	for range d.Count() {
		list = append(list, d.Str())
	}
	return list
}

// Raw fills to. It and Hash have no zero value: a record that ends before them is
// damaged.
func (d *Decoder) Raw(to []byte) {
	if len(d.b) < len(to) {
		d.Fail()
		return
	}
	d.b = d.b[copy(to, d.b):]
}

// Nested returns a view: decode it before the transaction ends.
func (d *Decoder) Nested() []byte {
	n := d.Num()
	if n > uint64(len(d.b)) {
		d.Fail()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *Decoder) Hash() (h audit.Hash) { d.Raw(h[:]); return h }

func (d *Decoder) Flag() bool {
	n := d.Num()
	if n > 1 {
		d.Fail()
	}
	return n == 1
}

func (d *Decoder) Time() time.Time {
	ms := d.Num()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// Count reads a list's length. It is bounded by the bytes that are left, so
// that a damaged record cannot ask for memory.
func (d *Decoder) Count() int {
	n := d.Num()
	if n > uint64(len(d.b)) {
		d.Fail()
		return 0
	}
	return int(n)
}

// Fail says that what was read makes no sense.
func (d *Decoder) Fail() { d.err, d.b = ErrDamaged, nil }

// Err is what went wrong so far, for who does not read to the end.
func (d *Decoder) Err() error { return d.err }

// Done refuses a record with more than was read, too: a member of a later
// format, which this one would lose when it writes the record again.
func (d *Decoder) Done(what string) error {
	if len(d.b) > 0 {
		d.Fail()
	}
	if d.err != nil {
		return fmt.Errorf("%s: %w", what, d.err)
	}
	return nil
}
