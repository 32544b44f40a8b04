package extract

import (
	"bytes"
	"strconv"
)

// The objects of a PDF (ISO 32000-1, 7.3) as Go values: nil, bool, float64,
// name, []byte (a string), array, dict, ref, *stream; and operator, for the
// words of content streams.
type (
	name     string
	operator string
	array    []any
	dict     map[name]any
	ref      int // the number of an object; generations are not told apart
	stream   struct {
		dict dict
		raw  []byte
	}
)

const (
	maxDepth = 64
	// maxNodes is how many objects are made of one file, at some 50 bytes each.
	// So many bytes of a long one count as another, since what has no end may be
	// read again and again.
	maxNodes  = 2_000_000
	nodeBytes = 64
)

// lexer reads objects one after the other.
type lexer struct {
	data  []byte
	at    int
	nodes *int // made so far, of all lexers of a file
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) skipSpace() {
	for l.at < len(l.data) {
		switch c := l.data[l.at]; {
		case isSpace(c):
			l.at++
		case c == '%':
			for l.at < len(l.data) && l.data[l.at] != '\n' && l.data[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

// next returns the next object; ok is false at the end.
func (l *lexer) next() (o any, ok bool) { return l.object(0) }

func (l *lexer) object(depth int) (o any, ok bool) {
	begin := l.at
	l.skipSpace()
	if *l.nodes += 1 + (l.at-begin)/nodeBytes; *l.nodes > maxNodes {
		l.at = len(l.data)
	}
	if l.at >= len(l.data) || depth > maxDepth {
		return nil, false
	}
	switch c := l.data[l.at]; c {
	case '/':
		return l.name(), true
	case '(':
		return l.counted(l.literal()), true
	case '[':
		l.at++
		return l.array(depth), true
	case '<':
		if l.at+1 < len(l.data) && l.data[l.at+1] == '<' {
			l.at += 2
			return l.dict(depth), true
		}
		return l.counted(l.hex()), true
	case ']', '>', '{', '}', ')':
		l.at++
		return operator(c), true
	}
	return l.word(), true
}

func (l *lexer) counted(s []byte) []byte {
	*l.nodes += len(s) / nodeBytes
	return s
}

// word is a number, true, false, null, or an operator.
func (l *lexer) word() any {
	begin := l.at
	for l.at < len(l.data) && !isSpace(l.data[l.at]) && !isDelimiter(l.data[l.at]) {
		l.at++
	}
	w := l.data[begin:l.at]
	if c := w[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		if f, err := strconv.ParseFloat(string(w), 64); err == nil {
			return f
		}
	}
	switch string(w) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	return operator(w)
}

func (l *lexer) name() name {
	l.at++
	begin := l.at
	for l.at < len(l.data) && !isSpace(l.data[l.at]) && !isDelimiter(l.data[l.at]) {
		l.at++
	}
	raw := l.data[begin:l.at]
	if bytes.IndexByte(raw, '#') < 0 {
		return name(raw)
	}
	var b []byte
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			if n, err := strconv.ParseUint(string(raw[i+1:i+3]), 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, raw[i])
	}
	return name(b)
}

// literal is a string in parentheses, which may stand in it in pairs.
func (l *lexer) literal() []byte {
	b := []byte{}
	open := 0
	for ; l.at < len(l.data); l.at++ {
		switch c := l.data[l.at]; c {
		case '(':
			if open++; open == 1 {
				continue
			}
			b = append(b, c)
		case ')':
			if open--; open == 0 {
				l.at++
				return b
			}
			b = append(b, c)
		case '\\':
			b = l.escape(b)
		default:
			b = append(b, c)
		}
	}
	l.at = len(l.data) // not behind it, where a backslash is the last byte
	return b
}

func (l *lexer) escape(b []byte) []byte {
	l.at++
	if l.at >= len(l.data) {
		return b
	}
	c := l.data[l.at]
	if i := bytes.IndexByte([]byte("nrtbf"), c); i >= 0 {
		return append(b, "\n\r\t\b\f"[i])
	}
	if c == '\r' || c == '\n' {
		if c == '\r' && l.at+1 < len(l.data) && l.data[l.at+1] == '\n' {
			l.at++
		}
		return b
	}
	if c < '0' || c > '7' {
		return append(b, c)
	}
	n := 0
	for i := 0; i < 3 && l.at < len(l.data) && l.data[l.at] >= '0' && l.data[l.at] <= '7'; i++ {
		n = n*8 + int(l.data[l.at]-'0')
		l.at++
	}
	l.at--
	return append(b, byte(n))
}

func (l *lexer) hex() []byte {
	l.at++
	b := []byte{}
	odd, high := false, byte(0)
	for ; l.at < len(l.data) && l.data[l.at] != '>'; l.at++ {
		v, ok := hexDigit(l.data[l.at])
		switch {
		case !ok:
		case odd:
			b, odd = append(b, high<<4|v), false
		default:
			high, odd = v, true
		}
	}
	l.at = min(l.at+1, len(l.data))
	if odd {
		b = append(b, high<<4)
	}
	return b
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func (l *lexer) array(depth int) array {
	a := array{}
	for {
		o, ok := l.object(depth + 1)
		if !ok || o == operator("]") {
			return a
		}
		a = reference(append(a, o))
	}
}

// reference makes one of "12 0 R" at the end of a.
func reference(a array) array {
	if n := len(a); n >= 3 && a[n-1] == operator("R") {
		number, ok := a[n-3].(float64)
		_, also := a[n-2].(float64)
		if ok && also && number >= 0 && number < 1<<31 {
			return append(a[:n-3], ref(number))
		}
	}
	return a
}

func (l *lexer) dict(depth int) dict {
	d := dict{}
	flat := array{}
	for {
		o, ok := l.object(depth + 1)
		if !ok || o == operator(">") {
			if ok && l.at < len(l.data) && l.data[l.at] == '>' {
				l.at++
			}
			break
		}
		if o == operator("endobj") || o == operator("stream") {
			l.at -= len(o.(operator))
			break
		}
		flat = reference(append(flat, o))
	}
	for i := 0; i+1 < len(flat); i += 2 {
		key, ok := flat[i].(name)
		if !ok {
			break
		}
		d[key] = flat[i+1]
	}
	return d
}
