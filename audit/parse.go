package audit

import (
	"encoding/binary"
	"fmt"
	"time"
)

// maxNumber is the largest number that every JSON library reads without
// rounding.
const maxNumber = 1<<53 - 1

// plain says which bytes stand in a string as they are. No other byte does,
// so no library has a choice of escapes.
var plain = func() (t [256]bool) {
	for c := byte(' '); c <= '~'; c++ {
		t[c] = true
	}
	for _, c := range []byte(`"\<>&`) {
		t[c] = false
	}
	return t
}()

// fields is an entry as it lies in its line: the slices point into the line
// and live as long as it does.
type fields struct {
	seq, version                    uint64
	prev, detail                    Hash
	millis                          int64
	actor, key, op, document, facts []byte
}

func (f *fields) time() time.Time { return timeOf(f.millis) }

// parse reads a line into f. It is the grammar of the package doc, member by
// member, and reads nothing twice.
func (f *fields) parse(line []byte) error {
	if len(line) > MaxLine {
		return fmt.Errorf("%w: a line of %d bytes, more than %d", ErrSyntax, len(line), MaxLine)
	}
	c := cursor{b: line}
	if c.lit(`{"seq":`) && c.number(&f.seq) &&
		c.lit(`,"prev":`) && c.hash(&f.prev) &&
		c.lit(`,"time":`) && c.time(&f.millis) &&
		c.lit(`,"actor":`) && c.text(&f.actor) &&
		c.lit(`,"key":`) && c.text(&f.key) &&
		c.lit(`,"op":`) && c.op(&f.op) &&
		c.lit(`,"document":`) && c.text(&f.document) &&
		c.lit(`,"version":`) && c.number(&f.version) &&
		c.lit(`,"facts":`) && c.facts(&f.facts) &&
		c.lit(`,"detail":`) && c.hash(&f.detail) &&
		c.lit("}\n") && c.end() {
		return nil
	}
	return c.err()
}

// cursor reads parts of one spelling from b, starting at i. A method that
// returns false leaves i where it went wrong and says in want what should be
// there.
type cursor struct {
	b    []byte
	i    int
	want string
}

func (c *cursor) err() error {
	return fmt.Errorf("%w: byte %d: want %s", ErrSyntax, c.i, c.want)
}

func (c *cursor) fail(want string) bool {
	c.want = want
	return false
}

func (c *cursor) end() bool {
	return c.i == len(c.b) || c.fail("the end of the line")
}

func (c *cursor) lit(s string) bool {
	if rest := c.b[c.i:]; len(rest) >= len(s) && string(rest[:len(s)]) == s {
		c.i += len(s)
		return true
	}
	return c.fail(s)
}

// peek returns the byte at i, or 0 at the end: no part begins with 0.
func (c *cursor) peek() byte {
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

func (c *cursor) number(n *uint64) bool {
	const want = "a number below 2^53 without leading zeros"
	start, v := c.i, uint64(0)
	for d := c.peek() - '0'; d <= 9; d = c.peek() - '0' {
		v = v*10 + uint64(d)
		c.i++
		if v > maxNumber || v != 0 && c.b[start] == '0' {
			return c.fail(want)
		}
	}
	if c.i == start || v == 0 && c.i > start+1 {
		return c.fail(want)
	}
	*n = v
	return true
}

// text reads a string in quotes and gives its inside.
func (c *cursor) text(s *[]byte) bool {
	if c.peek() != '"' {
		return c.fail("a string")
	}
	i := c.i + 1
	for len(c.b)-i >= 8 && plain8(c.b[i:i+8]) {
		i += 8
	}
	for i < len(c.b) && plain[c.b[i]] {
		i++
	}
	inside := c.b[c.i+1 : i]
	c.i = i
	if c.peek() != '"' {
		return c.fail("a string of printable ASCII without \" \\ < > &")
	}
	c.i++
	*s = inside
	return true
}

// plain8 is plain of eight bytes at a time.
func plain8(b []byte) bool {
	_ = b[7]
	return plain[b[0]] && plain[b[1]] && plain[b[2]] && plain[b[3]] &&
		plain[b[4]] && plain[b[5]] && plain[b[6]] && plain[b[7]]
}

func (c *cursor) time(ms *int64) bool {
	const quoted = timeLen + 2
	if rest := c.b[c.i:]; len(rest) >= quoted && rest[0] == '"' && rest[quoted-1] == '"' {
		if v, ok := parseMillis(rest[1 : quoted-1]); ok {
			*ms = v
			c.i += quoted
			return true
		}
	}
	return c.fail("a time of the form 2026-11-21T17:36:01.123Z")
}

// hash reads 64 hexadecimal digits in quotes, or "" for no hash. Sixty-four
// zeros would be a second spelling of no hash.
func (c *cursor) hash(h *Hash) bool {
	const want = `a hash of 64 lower-case hexadecimal digits, or ""`
	rest := c.b[c.i:]
	if len(rest) >= 2 && rest[0] == '"' && rest[1] == '"' {
		*h = Hash{}
		c.i += 2
		return true
	}
	if len(rest) < 66 || rest[0] != '"' || rest[65] != '"' || !decodeHex(h[:], rest[1:65]) || h.IsZero() {
		return c.fail(want)
	}
	c.i += 66
	return true
}

// decodeHex fills dst, a multiple of four bytes, from twice as many lower-case
// hexadecimal digits. It takes eight digits at a time, a byte of a word each:
// digit by digit, the two hashes of an entry would cost more than the rest of
// its parsing.
func decodeHex(dst, digits []byte) bool {
	if len(digits) != 2*len(dst) {
		return false
	}
	const ones = 0x0101010101010101
	var bad uint64
	for i := 0; i+4 <= len(dst) && 2*i+8 <= len(digits); i += 4 {
		x := binary.BigEndian.Uint64(digits[2*i:])
		letter := x >> 6 & ones       // 1 for 0x40 to 0x7f
		v := x&(0x0f*ones) + 9*letter // the digit's value, at most 24
		atLeast10 := (v + 0x76*ones) >> 7 & ones
		bad |= x&(0xf0*ones) ^ (0x30*ones + 0x30*letter) // 0x30 and up, or 0x60 and up
		bad |= atLeast10 ^ letter                        // 0 to 9, or 10 and up
		bad |= v & (0x10 * ones)                         // up to 15
		v = (v | v>>4) & 0x00ff00ff00ff00ff
		v = (v | v>>8) & 0x0000ffff0000ffff
		binary.BigEndian.PutUint32(dst[i:], uint32(v|v>>16))
	}
	return bad == 0
}

func (c *cursor) op(op *[]byte) bool {
	start := c.i
	var s []byte
	if !c.text(&s) {
		return false
	}
	if !isOp(s) {
		c.i = start
		return c.fail("an operation of the form noun.verb")
	}
	*op = s
	return true
}

// isOp reports whether s is two names with a dot between, each of words of
// lower-case letters with single underscores between.
func isOp(s []byte) bool {
	dots, letter := 0, false
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z':
			letter = true
		case letter && (c == '_' || c == '.'):
			letter = false
			if c == '.' {
				dots++
			}
		default:
			return false
		}
	}
	return letter && dots == 1
}
