package audit

import "bytes"

// isFactName reports whether s is a lower-case letter followed by letters and
// digits.
func isFactName[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		c := s[i]
		lower := 'a' <= c && c <= 'z'
		if !lower && (i == 0 || !('A' <= c && c <= 'Z' || '0' <= c && c <= '9')) {
			return false
		}
	}
	return len(s) > 0
}

// facts reads the whole object and gives it with its braces, for [walk].
func (c *cursor) facts(facts *[]byte) bool {
	start := c.i
	if !c.lit("{") {
		return false
	}
	var last []byte
	for c.peek() != '}' {
		if last != nil && !c.lit(",") {
			return false
		}
		at := c.i
		var name []byte
		if !c.text(&name) {
			return false
		}
		if !isFactName(name) || bytes.Compare(name, last) <= 0 {
			c.i = at
			return c.fail("the name of a fact, after the one before it in order")
		}
		if last = name; !c.lit(":") || !c.value() {
			return false
		}
	}
	c.i++
	*facts = c.b[start:c.i]
	return true
}

func (c *cursor) value() bool {
	var s []byte
	var n uint64
	switch first := c.peek(); {
	case first == '"':
		return c.text(&s)
	case first == '[':
		return c.texts()
	case '0' <= first && first <= '9':
		return c.number(&n)
	}
	return c.fail("a string, a number or an array of strings")
}

func (c *cursor) texts() bool {
	c.i++
	var s []byte
	for first := true; c.peek() != ']'; first = false {
		if !first && !c.lit(",") || !c.text(&s) {
			return false
		}
	}
	c.i++
	return true
}

// walk takes the next fact from facts that the parser has accepted: its name,
// its value as it is spelled, and what is left. At the end the name is nil.
func walk(facts []byte) (name, value, rest []byte) {
	if facts = facts[1:]; len(facts) == 0 || facts[0] == '}' {
		return nil, nil, nil
	}
	colon := bytes.IndexByte(facts, ':')
	name, facts = facts[1:colon-1], facts[colon+1:]
	n := 0
	switch facts[0] {
	case '"':
		n = 2 + bytes.IndexByte(facts[1:], '"')
	case '[':
		for n = 1; facts[n] != ']'; {
			if facts[n] == '"' {
				n += 1 + bytes.IndexByte(facts[n+1:], '"')
			}
			n++
		}
		n++
	default:
		for '0' <= facts[n] && facts[n] <= '9' {
			n++
		}
	}
	return name, facts[:n], facts[n:]
}

// rawText returns the inside of a value as it is spelled if it is a string,
// else nil.
func rawText(value []byte) []byte {
	if len(value) > 0 && value[0] == '"' {
		return value[1 : len(value)-1]
	}
	return nil
}

// rawNumber returns a value as it is spelled if it is a number, else false.
func rawNumber(value []byte) (n uint64, ok bool) {
	c := cursor{b: value}
	ok = c.number(&n) && c.end()
	return n, ok
}

// factText returns the string under a name, nil if there is none.
func factText(facts []byte, name string) []byte {
	for n, value, rest := walk(facts); n != nil; n, value, rest = walk(rest) {
		if string(n) == name {
			return rawText(value)
		}
	}
	return nil
}

// decodeFacts turns facts that the parser has accepted into a map.
func (t texts) decodeFacts(facts []byte) Facts {
	n := 0
	for name, _, rest := walk(facts); name != nil; name, _, rest = walk(rest) {
		n++
	}
	f := make(Facts, n)
	for name, value, rest := walk(facts); name != nil; name, value, rest = walk(rest) {
		switch value[0] {
		case '"':
			f[t.of(name)] = Text(t.of(rawText(value)))
		case '[':
			f[t.of(name)] = t.decodeTexts(value)
		default:
			// Accepted before: it is a number below 2^53.
			n, _ := rawNumber(value)
			f[t.of(name)] = Number(n)
		}
	}
	return f
}

func (t texts) decodeTexts(array []byte) Value {
	v := Value{kind: isTexts}
	c := cursor{b: array, i: 1}
	for c.peek() == '"' {
		var s []byte
		c.text(&s)
		v.texts = append(v.texts, t.of(s))
		c.i++ // the comma, or the bracket at the end
	}
	return v
}
