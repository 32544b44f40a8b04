package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a run of characters of a word, or one that is a word by itself.
type token struct {
	start, end int
	alone      bool
}

// next finds the first token from at on; start is end when there is none.
func next(text string, at int) token {
	start, last := -1, at
	for at < len(text) {
		if c := text[at]; c < utf8.RuneSelf && c != 2 {
			if at++; inWord(rune(c)) {
				if last = at; start < 0 {
					start = at - 1
				}
			} else if start >= 0 {
				return token{start, last, false}
			}
			continue
		}
		r, size := decode(text[at:])
		switch {
		case alone(r):
			if start >= 0 {
				return token{start, last, false}
			}
			return token{at, unit(text, at+size, r), true}
		case inWord(r):
			if start < 0 {
				start = at
			}
			last = at + size
		case ignored(r):
			if start >= 0 && hyphen(r) {
				if n := lineEnd(text[at+size:]); n > 0 { // the word goes on in the next line
					at += n
				}
			}
		case start >= 0:
			return token{start, last, false}
		}
		at += size
	}
	if start < 0 {
		return token{at, at, false}
	}
	return token{start, last, false}
}

func decode(text string) (r rune, size int) {
	if text[0] < utf8.RuneSelf {
		return rune(text[0]), 1
	}
	return utf8.DecodeRuneInString(text)
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r >= 0x2080 && r <= 0x2089 || r == 0x3007) && !ignored(r)
}

// alone reports whether a character is a word by itself, with the marks on it.
func alone(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) &&
		!unicode.IsMark(r) && !unicode.IsDigit(r)
}

// unit is where a character ends that is a word by itself: behind the marks on
// it, and behind the parts of a Korean syllable that is written as several.
func unit(text string, at int, first rune) int {
	for at < len(text) {
		r, size := decode(text[at:])
		voiced := r == 0xff9e || r == 0xff9f // marks of half width
		if !voiced && !unicode.IsMark(r) && !(jamo(first) && jamo(r)) && !ignored(r) {
			break
		}
		at += size
	}
	return at
}

func jamo(r rune) bool {
	return r >= 0x1100 && r <= 0x11ff || r >= 0xa960 && r <= 0xa97f || r >= 0xd7b0 && r <= 0xd7ff || r >= 0xac00 && r <= 0xd7a3
}

func hyphen(r rune) bool { return r == 0xad || r == 0x02 || r == 0xfffe || r == '-' || r == 0x2010 }

// lineEnd is how many bytes are from here to the first letter of the next line;
// 0 if the line does not end here, or no letter begins the next.
func lineEnd(text string) int {
	rest := strings.TrimLeft(text, " \t\r")
	if rest == "" || rest[0] != '\n' && rest[0] != '\f' {
		return 0
	}
	rest = strings.TrimLeft(rest[1:], " \t\r\f")
	if rest == "" {
		return 0
	}
	if r, _ := decode(rest); !inWord(r) || alone(r) {
		return 0
	}
	return len(text) - len(rest)
}

// What parts the tokens of one thing, as in T-4711, by the kind of it.
const (
	apart     = iota
	hyphens   // and underlines: each word may be written with them or as one
	points    // and slants: a number may
	thousands // between digits only
	lines     // a hyphen and the line's end
)

// parting says what parts a token from one that follows at once, and where that
// begins.
func parting(text string, end int) (kind, at int) {
	if end == len(text) || text[end] == ' ' || text[end] == '\n' {
		return apart, end
	}
	r, size := decode(text[end:])
	at = end + size
	if at == len(text) {
		return apart, end
	}
	switch r {
	case '-', 0x2010:
		if n := lineEnd(text[at:]); n > 0 {
			return lines, at + n
		}
		kind = hyphens
	case 0x2011, 0x2012, 0x2013, 0x2212, '_':
		kind = hyphens
	case '.', '/':
		kind = points
	case ',', '\'', 0x2019, 0xa0, 0x202f:
		kind = thousands
		if before, _ := utf8.DecodeLastRuneInString(text[:end]); !unicode.IsDigit(before) {
			return apart, end
		}
	default:
		return apart, end
	}
	after, _ := decode(text[at:])
	if !inWord(after) || alone(after) || kind == thousands && !unicode.IsDigit(after) {
		return apart, end
	}
	return kind, at
}

// Bounds of what is joined: of longer chains, as rows of a table without
// spaces, the parts are words and the whole is none.
const (
	maxChain  = 16
	maxJoined = 8
	maxMixed  = 4
)

// chain is what follows one another with a sign between.
type chain struct {
	tokens [maxChain]token
	kinds  [maxChain]int // what parts each from the next
	n      int
}

func (c *chain) read(text string, first token) {
	c.tokens[0], c.n = first, 1
	for c.n < maxChain && !first.alone {
		kind, at := parting(text, c.tokens[c.n-1].end)
		if kind == apart {
			return
		}
		c.kinds[c.n-1] = kind
		c.tokens[c.n] = next(text, at)
		c.n++
	}
}

// joined yields which tokens make one word too, from which through which.
func (c *chain) joined(text string, yield func(from, through int)) {
	mixed := false
	for from := 0; from < c.n-1; {
		kind := c.kinds[from]
		through := from + 1
		for through < c.n-1 && same(c.kinds[through], kind) {
			through++
		}
		mixed = mixed || through < c.n-1
		if through-from < maxJoined && (kind == hyphens || kind == lines || c.number(text, from, through)) {
			yield(from, through)
		}
		from = through
	}
	if mixed && c.n <= maxMixed && c.number(text, 0, c.n-1) {
		yield(0, c.n-1)
	}
}

func same(a, b int) bool { return a == b || a+b == hyphens+lines }

// number says whether any of the tokens has a digit.
func (c *chain) number(text string, from, through int) bool {
	return strings.ContainsFunc(text[c.tokens[from].start:c.tokens[through].end], unicode.IsDigit)
}
