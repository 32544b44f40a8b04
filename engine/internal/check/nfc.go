package check

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// NFC returns text in Unicode's canonical composition (UAX #15), so that what
// looks the same and means the same is the same: ü is one character, whether it
// was typed on a Mac or anywhere else. Text that is not UTF-8 is returned as it is.
func NFC(s string) string {
	if isComposed(s) || !utf8.ValidString(s) {
		return s
	}
	f := forms()
	apart := make([]rune, 0, len(s))
	for _, r := range s {
		apart = f.decompose(apart, r)
	}
	f.order(apart)
	return string(f.compose(apart))
}

// isComposed says of most text that it is in NFC, without a table: nothing below
// U+0300 combines with what stands before it.
func isComposed(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x300 })
}

// normalForms is Unicode's data, but for Hangul, which is arithmetic.
type normalForms struct {
	apart   map[rune][]rune  // a character in parts, which have none themselves
	classes map[rune]byte    // the combining class, of those that have one
	whole   map[[2]rune]rune // what two characters become
}

// forms reads the table once, when the first text needs it.
var forms = sync.OnceValue(func() *normalForms {
	f := &normalForms{apart: map[rune][]rune{}, classes: map[rune]byte{}, whole: map[[2]rune]rune{}}
	table, err := base64.StdEncoding.DecodeString(nfcTable)
	num := func() rune {
		n, size := binary.Uvarint(table)
		if err != nil || size <= 0 {
			panic("check: the table of nfc_table.go is damaged")
		}
		table = table[size:]
		return rune(n)
	}
	// Runs of characters of one class: how far from the last, how many, which.
	at := rune(0)
	for range num() {
		at += num()
		n, class := num(), byte(num())
		for range n {
			f.classes[at] = class
			at++
		}
	}
	// Characters: how far from the last, how many parts and whether they become
	// it again, the parts.
	wholes := map[string]rune{}
	at = 0
	for range num() {
		at += num()
		n := num()
		parts := make([]rune, n>>1)
		for i := range parts {
			parts[i] = num()
		}
		f.apart[at] = parts
		if n&1 == 1 {
			wholes[string(parts)] = at
		}
	}
	for _, r := range wholes {
		parts := f.apart[r]
		first := parts[0]
		if len(parts) > 2 {
			first = wholes[string(parts[:len(parts)-1])]
		}
		f.whole[[2]rune{first, parts[len(parts)-1]}] = r
	}
	return f
})

// Hangul syllables are made of two or three letters, in the order of the letters.
const (
	hangul, hangulL, hangulV, hangulT = 0xac00, 0x1100, 0x1161, 0x11a7
	manyL, manyV, manyT               = 19, 21, 28
)

func (f *normalForms) decompose(to []rune, r rune) []rune {
	if at := r - hangul; at >= 0 && at < manyL*manyV*manyT {
		to = append(to, hangulL+at/(manyV*manyT), hangulV+at%(manyV*manyT)/manyT)
		if t := at % manyT; t > 0 {
			to = append(to, hangulT+t)
		}
		return to
	}
	if parts := f.apart[r]; parts != nil {
		return append(to, parts...)
	}
	return append(to, r)
}

// order sorts what combines with the same character by its class.
func (f *normalForms) order(text []rune) {
	for begin := 0; begin < len(text); {
		end := begin
		for end < len(text) && f.classes[text[end]] != 0 {
			end++
		}
		slices.SortStableFunc(text[begin:end], func(a, b rune) int { return int(f.classes[a]) - int(f.classes[b]) })
		begin = end + 1
	}
}

// compose puts together, in place, what is apart and ordered.
func (f *normalForms) compose(text []rune) []rune {
	out, starter, last := text[:0], -1, -1 // last is the class of what stands before, -1 for the starter itself
	for _, r := range text {
		class := int(f.classes[r])
		if starter >= 0 && (last < class || last == -1) {
			if whole, ok := f.pair(out[starter], r); ok {
				out[starter] = whole
				continue
			}
		}
		if last = class; class == 0 {
			starter, last = len(out), -1
		}
		out = append(out, r)
	}
	return out
}

func (f *normalForms) pair(a, b rune) (rune, bool) {
	l, v := a-hangulL, b-hangulV
	if l >= 0 && l < manyL && v >= 0 && v < manyV {
		return hangul + (l*manyV+v)*manyT, true
	}
	if s, t := a-hangul, b-hangulT; s >= 0 && s < manyL*manyV*manyT && s%manyT == 0 && t > 0 && t < manyT {
		return a + t, true
	}
	whole, ok := f.whole[[2]rune{a, b}]
	return whole, ok
}
