package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxDetail is the size a detail may have.
const MaxDetail = 4 << 20

// maxRow bounds the line of a detail row: a byte takes at most six, \u001f.
const maxRow = 6*MaxDetail + 128

// DetailHash returns the hash of a detail that its entry carries: the SHA-256
// of the 16 bytes of salt and the exact bytes of the detail after them.
func DetailHash(salt [16]byte, detail []byte) Hash {
	s := sha256.New()
	s.Write(salt[:])
	s.Write(detail)
	var h Hash
	s.Sum(h[:0])
	return h
}

// DetailRow is the detail of an entry as it is exported beside the log.
type DetailRow struct {
	Seq    uint64 // of the entry
	Salt   [16]byte
	Detail []byte // the exact bytes hashed
}

// Hash is [DetailHash] of the row.
func (r DetailRow) Hash() Hash { return DetailHash(r.Salt, r.Detail) }

// Append appends the row as one line of JSON, newline included, in its one
// spelling (see the package doc). A row without seq or whose detail is too
// large or no UTF-8 is [ErrSyntax].
func (r DetailRow) Append(b []byte) ([]byte, error) {
	if r.Seq == 0 || r.Seq > maxNumber || len(r.Detail) > MaxDetail || !utf8.Valid(r.Detail) {
		return nil, fmt.Errorf("%w: detail of seq %d: want a seq from 1 to 2^53-1 and at most %d bytes of UTF-8", ErrSyntax, r.Seq, MaxDetail)
	}
	b = appendUint(append(b, `{"seq":`...), r.Seq)
	b = hex.AppendEncode(append(b, `,"salt":"`...), r.Salt[:])
	b = append(b, `","detail":"`...)
	for _, c := range r.Detail {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = hex.AppendEncode(append(b, `\u00`...), []byte{c})
		default:
			b = append(b, c)
		}
	}
	return append(b, "\"}\n"...), nil
}

// ParseDetailRow reads a line, newline included, in the spelling of
// [DetailRow.Append] and no other: anything else is [ErrSyntax].
func ParseDetailRow(line []byte) (DetailRow, error) {
	var r DetailRow
	c := cursor{b: line}
	if c.lit(`{"seq":`) && c.number(&r.Seq) && c.lit(`,"salt":"`) && c.salt(&r.Salt) &&
		c.lit(`","detail":"`) && c.detail(&r.Detail) && c.lit("}\n") && c.end() {
		if r.Seq > 0 {
			return r, nil
		}
		c.i, c.want = len(`{"seq":`), "a seq from 1"
	}
	return DetailRow{}, c.err()
}

// DetailRows reads the rows of an export of details, one after the other.
type DetailRows struct {
	rows *bufio.Reader
	line []byte
	n    uint64
}

// NewDetailRows reads from r, which it buffers.
func NewDetailRows(r io.Reader) *DetailRows {
	return &DetailRows{rows: bufio.NewReaderSize(r, MaxLine)}
}

// Next returns the next row; io.EOF after the last. A line that is no row is
// [ErrSyntax], and names its number.
func (d *DetailRows) Next() (DetailRow, error) {
	line, err := readLine(d.rows, d.line[:0])
	d.line = line
	if err == io.EOF && len(line) == 0 {
		return DetailRow{}, io.EOF
	}
	d.n++
	var row DetailRow
	switch err {
	case nil:
		row, err = ParseDetailRow(line)
	case io.EOF:
		err = fmt.Errorf("%w: no newline at its end", ErrSyntax)
	}
	if err != nil {
		return DetailRow{}, fmt.Errorf("details line %d: %w", d.n, err)
	}
	return row, nil
}

func (c *cursor) salt(salt *[16]byte) bool {
	digits := c.b[c.i:min(c.i+2*len(salt), len(c.b))]
	if !decodeHex(salt[:], digits) {
		return c.fail("a salt of 32 lower-case hexadecimal digits")
	}
	c.i += len(digits)
	return true
}

// detail reads the rest of a string, its end quote included, with the escapes
// that Append writes.
func (c *cursor) detail(detail *[]byte) bool {
	start := c.i
	d := make([]byte, 0, len(c.b)-c.i)
	for c.peek() != '"' {
		rest := c.b[c.i:]
		n := 1
		switch {
		case len(rest) == 0 || rest[0] < ' ':
			return c.fail("a character of a string, or its end")
		case rest[0] != '\\':
			d = append(d, rest[0])
		case len(rest) > 1 && (rest[1] == '"' || rest[1] == '\\'):
			d = append(d, rest[1])
			n = 2
		default:
			b, ok := controlEscape(rest)
			if !ok {
				return c.fail(`one of the escapes \" and \\ and \u0000 to \u001f`)
			}
			d = append(d, b)
			n = len(`\u0000`)
		}
		c.i += n
	}
	if len(d) > MaxDetail || !utf8.Valid(d) {
		c.i = start
		return c.fail(fmt.Sprintf("at most %d bytes of UTF-8", MaxDetail))
	}
	c.i++
	*detail = d
	return true
}

// controlEscape reads the escape of a control character at the start of s.
func controlEscape(s []byte) (byte, bool) {
	if len(s) < 6 || string(s[:4]) != `\u00` || s[4] != '0' && s[4] != '1' {
		return 0, false
	}
	low := bytes.IndexByte([]byte("0123456789abcdef"), s[5])
	return (s[4]-'0')<<4 | byte(low), low >= 0
}
