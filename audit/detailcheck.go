package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// detailCheck goes through the rows of the details beside the log: both are in
// the order of seq, so one row in hand is enough.
type detailCheck struct {
	find   findFunc
	rows   *bufio.Reader
	line   []byte // of the row in hand
	number uint64 // of that line
	row    DetailRow
	state  rowState

	// What is missing so far, and what an erasure may name it by.
	missing    map[uint64]struct{}
	byDocument map[string][]uint64
	byUser     map[string][]uint64
}

type rowState byte

const (
	rowRead   rowState = iota // the row in hand is to be read
	rowHeld                   // row is not used yet
	rowNone                   // there are no more
	rowBroken                 // a row could not be read: no more is known
)

type findFunc func(seq uint64, code Code, format string, args ...any)

func newDetailCheck(rows io.Reader, find findFunc) *detailCheck {
	return &detailCheck{
		find:       find,
		rows:       bufio.NewReaderSize(rows, MaxLine),
		missing:    map[uint64]struct{}{},
		byDocument: map[string][]uint64{},
		byUser:     map[string][]uint64{},
	}
}

// entry takes the rows up to and with the one of an entry.
func (d *detailCheck) entry(f *fields) error {
	if err := d.skip(f.seq); err != nil {
		return err
	}
	switch held := d.state == rowHeld && d.row.Seq == f.seq; {
	case f.detail.IsZero():
		if held {
			d.state = rowRead
			d.find(f.seq, CodeDetailUnknown, "details line %d: entry %d has no detail", d.number, f.seq)
		}
	case held:
		d.state = rowRead
		if d.row.Hash() != f.detail {
			d.find(f.seq, CodeDetailMismatch, "details line %d: the detail of entry %d was changed: salt and detail hash to %s, the entry says %s",
				d.number, f.seq, d.row.Hash(), f.detail)
		}
	case d.state != rowBroken:
		d.miss(f)
	}
	if Op(f.op) == OpErasureCompleted {
		d.erase(d.byDocument, f.document)
		d.erase(d.byUser, factText(f.facts, "user"))
	}
	return nil
}

// skip reads on to the first row of seq or later. Rows before it belong to
// nothing: the entries they name have passed.
func (d *detailCheck) skip(seq uint64) error {
	for {
		if d.state == rowRead {
			if err := d.read(seq); err != nil {
				return err
			}
		}
		if d.state != rowHeld || d.row.Seq >= seq {
			return nil
		}
		d.find(d.row.Seq, CodeDetailUnknown, "details line %d: entry %d has its detail already, or has passed: rows are in the order of seq, one for an entry",
			d.number, d.row.Seq)
		d.state = rowRead
	}
}

// read takes the next row in hand. The seq is that of the entry it is read for.
func (d *detailCheck) read(seq uint64) error {
	line, err := readLine(d.rows, d.line[:0])
	d.line = line
	d.number++
	switch {
	case err == io.EOF && len(line) == 0:
		d.state = rowNone
		return nil
	case err == nil:
		d.row, err = ParseDetailRow(line)
	case err == io.EOF:
		err = fmt.Errorf("%w: no newline at its end", ErrSyntax)
	}
	if errors.Is(err, ErrSyntax) {
		d.state = rowBroken
		d.find(seq, CodeDetailRow, "details line %d: %v. No detail from entry %d on is checked", d.number, err, seq)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the details at line %d: %w", d.number, err)
	}
	d.state = rowHeld
	return nil
}

// readLine appends the next line to b, newline included.
func readLine(r *bufio.Reader, b []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > maxRow {
			return b, fmt.Errorf("%w: longer than %d bytes", ErrSyntax, maxRow)
		}
		if err != bufio.ErrBufferFull {
			return b, err
		}
	}
}

func (d *detailCheck) miss(f *fields) {
	d.missing[f.seq] = struct{}{}
	if Op(f.op).Kept() {
		return // no erasure excuses it
	}
	if len(f.document) > 0 {
		d.byDocument[string(f.document)] = append(d.byDocument[string(f.document)], f.seq)
	}
	if user := factText(f.facts, "user"); len(user) > 0 {
		d.byUser[string(user)] = append(d.byUser[string(user)], f.seq)
	}
}

// erase excuses what is missing so far under a name.
func (d *detailCheck) erase(by map[string][]uint64, name []byte) {
	for _, seq := range by[string(name)] {
		delete(d.missing, seq)
	}
	delete(by, string(name))
}

// end reports what no erasure excused, and the rows after the last entry,
// those in one finding.
func (d *detailCheck) end(last uint64) error {
	for _, seq := range slices.Sorted(maps.Keys(d.missing)) {
		d.find(seq, CodeDetailMissing, "the detail of entry %d is missing, and no later erasure names its document or its user", seq)
	}
	var first, n uint64
	for {
		if d.state == rowRead {
			if err := d.read(last + 1); err != nil {
				return err
			}
		}
		if d.state != rowHeld {
			break
		}
		if d.state = rowRead; n == 0 {
			first = d.number
		}
		n++
	}
	if n > 0 {
		d.find(last+1, CodeDetailUnknown, "details line %d: %d rows after that of the last entry belong to no entry", first, n)
	}
	return nil
}
