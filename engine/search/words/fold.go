package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// folded is what is left of a small letter without its accent, for Latin
// letters that are one character with it. Two that are written as another pair
// of letters on plain keyboards become that pair.
var folded = func() map[rune]string {
	m := map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ĳ': "ij"}
	for plain, accented := range map[string]string{
		"a": "àáâãäåāăą", "c": "çćĉċč", "d": "ďđð", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ",
		"i": "ìíîïĩīĭįı", "j": "ĵ", "k": "ķ", "l": "ĺļľŀł", "n": "ñńņňŉ", "o": "òóôõöøōŏő",
		"r": "ŕŗř", "s": "śŝşšș", "t": "ţťŧț", "u": "ùúûüũūŭůűų", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
	} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()

// fold takes accents off a word in small letters, whether they are part of the
// character or a mark behind it.
func fold(word string) string {
	plain := true
	for i := range len(word) {
		plain = plain && word[i] < utf8.RuneSelf
	}
	if plain {
		return word
	}
	var b strings.Builder
	for _, r := range word {
		switch to, ok := folded[r]; {
		case ok:
			b.WriteString(to)
		case r < 0x0370 && unicode.IsMark(r): // the marks of Latin script; those of others are part of the word
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
