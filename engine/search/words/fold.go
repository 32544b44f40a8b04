package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letters are those that no decomposition tells what plain keyboards have for
// them: Latin ones, the sigma that ends a word, and the Arabic and Persian forms
// of one letter that are typed for one another.
var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ð': "d", 'đ': "d", 'ħ': "h", 'ı': "i", 'ĸ': "k", 'ł': "l", 'ŋ': "n", 'ø': "o", 'ŧ': "t",
	'ƀ': "b", 'ɓ': "b", 'ɖ': "d", 'ɗ': "d", 'ǝ': "e", 'ə': "e", 'ɛ': "e", 'ƒ': "f", 'ɣ': "g", 'ǥ': "g", 'ɨ': "i", 'ƙ': "k", 'ɲ': "n", 'ɔ': "o", 'ʉ': "u", 'ƴ': "y", 'ƶ': "z",
	'ς': "σ", 'ٱ': "ا", 'ى': "ي", 'ی': "ي", 'ک': "ك", 'ة': "ه", 'ە': "ه", 'ہ': "ه",
}

// clean is a word as it is written, in one spelling: composed, in small letters,
// its compatibility forms (ligatures, full width) as the letters they stand for,
// and without what has no sound: hyphens that divide it at a line's end, signs
// that govern direction, Arabic vowel signs and tatweel, Hebrew points.
func clean(written string) string {
	plain, small := true, true
	for i := range len(written) {
		c := written[i]
		plain = plain && c < utf8.RuneSelf && inWord(rune(c))
		small = small && (c < 'A' || c > 'Z')
	}
	switch {
	case plain && small:
		return written
	case plain:
		return strings.ToLower(written)
	}
	var b strings.Builder
	for _, r := range strings.ToLower(norm.NFKC.String(written)) {
		switch {
		case r == 'ʼ' || r == 'ـ' || ignored(r) || unspoken(r):
		case unicode.IsDigit(r):
			b.WriteRune(digit(r))
		case inWord(r):
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// fold takes the accents off what clean returns, in scripts where they are left
// out by many who type: Latin, Greek, Cyrillic but for й, ў and ї, which are
// letters of their own.
func fold(word string) string {
	plain := true
	for i := range len(word) {
		plain = plain && word[i] < utf8.RuneSelf
	}
	if plain {
		return word
	}
	var b strings.Builder
	base := rune(0)
	for _, r := range norm.NFD.String(word) {
		if unicode.IsMark(r) {
			if !accent(base, r) {
				b.WriteRune(r)
			}
			continue
		}
		if base = r; letters[r] != "" {
			b.WriteString(letters[r])
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// accent says whether a mark on a letter is one that people leave out.
func accent(base, mark rune) bool {
	switch {
	case base < 0x0250 || unicode.In(base, unicode.Latin, unicode.Greek, unicode.Arabic):
		return true
	case !unicode.Is(unicode.Cyrillic, base):
		return false
	case base == 'и' || base == 'у':
		return mark != 0x0306
	case base == 'і':
		return mark != 0x0308
	}
	return true
}

// unspoken are the points and vowel signs of Hebrew and Arabic.
func unspoken(r rune) bool {
	return r >= 0x0591 && r <= 0x08ff && (r <= 0x05c7 && unicode.IsMark(r) || r >= 0x0610 && unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Arabic, unicode.Inherited))
}

// ignored are characters within a word that are no part of it: soft hyphens,
// also as readers of PDF report them, joiners, signs of direction, and the
// selectors of a variant.
func ignored(r rune) bool {
	switch {
	case r < 0x80:
		return r == 0x02
	case r == 0xad, r == 0x061c, r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2069, r == 0xfeff, r == 0xfffe, r >= 0xfe00 && r <= 0xfe0f:
		return true
	}
	return false
}

// digit is the ASCII digit of the same value.
func digit(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	for _, s := range unicode.Nd.R16 { // each is of whole sets of ten
		if r >= rune(s.Lo) && r <= rune(s.Hi) {
			return '0' + (r-rune(s.Lo))%10
		}
	}
	for _, s := range unicode.Nd.R32 {
		if r >= rune(s.Lo) && r <= rune(s.Hi) {
			return '0' + (r-rune(s.Lo))%10
		}
	}
	return r
}
