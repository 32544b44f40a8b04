package engine

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

type encoder struct{ b []byte }

func newEncoder(size int) *encoder {
	return &encoder{append(make([]byte, 0, size), recordVersion)}
}

func (e *encoder) num(n uint64)      { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) str(s string)      { e.num(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) raw(b []byte)      { e.b = append(e.b, b...) }
func (e *encoder) hash(h audit.Hash) { e.raw(h[:]) }

// nested holds a record within a record, so that the inner one can grow too.
func (e *encoder) nested(record []byte) { e.num(uint64(len(record))); e.raw(record) }

func (e *encoder) flag(f bool) {
	if f {
		e.num(1)
		return
	}
	e.num(0)
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.num(0)
		return
	}
	e.num(uint64(t.UnixMilli()))
}

// decoder reads what encoder wrote. It copies all it returns: nothing of a
// transaction's memory escapes. The first error stays, and done reports it.
type decoder struct {
	b   []byte
	err error
}

func newDecoder(b []byte) *decoder {
	if len(b) == 0 || b[0] != recordVersion {
		return &decoder{err: errDamaged}
	}
	return &decoder{b: b[1:]}
}

func (d *decoder) num() uint64 {
	if len(d.b) == 0 {
		return 0
	}
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) str() string {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) raw(to []byte) {
	if len(d.b) < len(to) {
		d.fail()
		return
	}
	d.b = d.b[copy(to, d.b):]
}

// nested returns a view: decode it before the transaction ends.
func (d *decoder) nested() []byte {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) hash() (h audit.Hash) { d.raw(h[:]); return h }

func (d *decoder) flag() bool {
	n := d.num()
	if n > 1 {
		d.fail()
	}
	return n == 1
}

func (d *decoder) time() time.Time {
	ms := d.num()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// count bounds a list's length by the bytes that are left, so that a damaged
// record cannot ask for memory.
func (d *decoder) count() int {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) fail() { d.err, d.b = errDamaged, nil }

// done refuses a record with more than was read, too: a member of a later
// format, which this one would lose when it writes the record again.
func (d *decoder) done(what string) error {
	if len(d.b) > 0 {
		d.fail()
	}
	if d.err != nil {
		return fmt.Errorf("%s: %w", what, d.err)
	}
	return nil
}
