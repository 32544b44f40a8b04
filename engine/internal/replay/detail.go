package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// members reads a detail, which is an object. A detail is spelled as encoding/json
// spells it: without blanks, and mostly without escapes. Such a one is read here, in
// a fraction of the time; any other, and whatever is wrong, is for encoding/json.
func members(detail []byte) (map[string]any, error) {
	p := parser{text: string(detail)}
	if all, ok := p.object(0); ok && p.at == len(p.text) {
		return all, nil
	}
	var all map[string]any
	from := json.NewDecoder(bytes.NewReader(detail))
	from.UseNumber()
	if err := from.Decode(&all); err != nil {
		return nil, fmt.Errorf("its detail: %w", err)
	}
	return all, nil
}

// parser reads a text from at on. What it returns are parts of the text. A method
// that returns false has met what it does not read.
type parser struct {
	text string
	at   int
}

// maxDepth is deeper than any detail.
const maxDepth = 8

func (p *parser) next(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) word(w string) bool {
	if rest := p.text[p.at:]; len(rest) >= len(w) && rest[:len(w)] == w {
		p.at += len(w)
		return true
	}
	return false
}

func (p *parser) object(depth int) (map[string]any, bool) {
	if depth == maxDepth || !p.next('{') {
		return nil, false
	}
	all := make(map[string]any, p.members(depth))
	if p.next('}') {
		return all, true
	}
	for {
		name, ok := p.string()
		if !ok || !p.next(':') {
			return nil, false
		}
		if all[name], ok = p.value(depth); !ok {
			return nil, false
		}
		if !p.next(',') {
			return all, p.next('}')
		}
	}
}

// members is about how many the whole text has: a map that grows is made thrice.
func (p *parser) members(depth int) int {
	if depth > 0 {
		return 0
	}
	return min(strings.Count(p.text, `":`), 32)
}

func (p *parser) array(depth int) ([]any, bool) {
	if depth == maxDepth || !p.next('[') {
		return nil, false
	}
	all := []any{}
	if p.next(']') {
		return all, true
	}
	for {
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		if all = append(all, v); !p.next(',') {
			return all, p.next(']')
		}
	}
}

func (p *parser) value(depth int) (v any, ok bool) {
	if p.at == len(p.text) {
		return nil, false
	}
	switch p.text[p.at] {
	case '"':
		return p.string()
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	}
	return p.number()
}

func (p *parser) string() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	ascii := true
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			s := p.text[p.at:i]
			p.at = i + 1
			return s, ascii || utf8.ValidString(s)
		case c == '\\' || c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// number reads whole numbers and decimals, without an exponent.
func (p *parser) number() (json.Number, bool) {
	begin := p.at
	p.next('-')
	whole := p.digits()
	if whole == 0 || whole > 1 && p.text[p.at-whole] == '0' {
		return "", false
	}
	if p.next('.') && p.digits() == 0 {
		return "", false
	}
	if p.at < len(p.text) && p.text[p.at]|' ' == 'e' {
		return "", false
	}
	return json.Number(p.text[begin:p.at]), true
}

func (p *parser) digits() (n int) {
	for ; p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9'; n++ {
		p.at++
	}
	return n
}
