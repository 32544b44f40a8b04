package extract

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// font turns the codes of a string into characters, and says how wide they are.
type font struct {
	toUnicode *cmap
	simple    *[256]string // of codes of one byte, where the file has no ToUnicode
	wide      bool         // codes have two bytes
	ucs2      bool         // and are UTF-16
	first     int          // of widths
	widths    []float64    // in thousandths of the size
	other     float64      // the width of what is not in widths
}

func (p *pdf) font(d dict) *font {
	f := &font{other: 500}
	if s, ok := p.resolve(d["ToUnicode"]).(*stream); ok {
		f.toUnicode = p.cmap(p.decode(s))
	}
	if d["Subtype"] == name("Type0") {
		f.wide = true
		encoding, _ := p.resolve(d["Encoding"]).(name)
		f.ucs2 = strings.HasPrefix(string(encoding), "Uni")
		if below := p.list(d["DescendantFonts"]); len(below) > 0 { // there is one
			f.descend(p, p.dict(below[0]))
		}
		return f
	}
	f.simple = p.encoding(d["Encoding"])
	if first, ok := p.resolve(d["FirstChar"]).(float64); ok && first >= 0 && first < 256 {
		f.first = int(first)
		for _, w := range p.list(d["Widths"]) {
			width, _ := p.resolve(w).(float64)
			f.widths = append(f.widths, width)
		}
	}
	return f
}

// descend takes the widths from the font that a Type0 font is made of.
func (f *font) descend(p *pdf, below dict) {
	f.other = 1000
	if w, ok := p.resolve(below["DW"]).(float64); ok {
		f.other = w
	}
	f.wideWidths(p, p.list(below["W"]))
}

// wideWidths reads "c [w1 w2 …]" and "first last w".
func (f *font) wideWidths(p *pdf, list array) {
	const most = 1 << 16
	left := 4 * most
	set := func(code int, width float64) {
		if left--; code < 0 || code >= most || left < 0 {
			return
		}
		for len(f.widths) <= code {
			f.widths = append(f.widths, f.other)
		}
		f.widths[code] = width
	}
	for len(list) >= 2 && left > 0 {
		begin, _ := p.resolve(list[0]).(float64)
		switch v := p.resolve(list[1]).(type) {
		case array:
			for i, w := range v[:min(len(v), most)] {
				width, _ := p.resolve(w).(float64)
				set(int(begin)+i, width)
			}
			list = list[2:]
		case float64:
			if len(list) < 3 {
				return
			}
			width, _ := p.resolve(list[2]).(float64)
			for code := max(int(begin), 0); code <= int(min(v, most)); code++ {
				set(code, width)
			}
			list = list[3:]
		default:
			return
		}
	}
}

// codes yields for each code of a string its characters, "" if they are not
// known, its width, and whether it is a space of one byte.
func (f *font) codes(s []byte, yield func(text string, width float64, space bool)) {
	for len(s) > 0 {
		n := 1
		if f.wide {
			n = 2
		}
		if f.toUnicode != nil {
			n = f.toUnicode.length(s, n)
		}
		n = min(n, len(s))
		code := 0
		for _, c := range s[:n] {
			code = code<<8 | int(c)
		}
		yield(f.text(s[:n], code), f.width(code), n == 1 && code == ' ')
		s = s[n:]
	}
}

func (f *font) text(b []byte, code int) string {
	if f.toUnicode != nil {
		if text, ok := f.toUnicode.lookup(uint32(code), len(b)); ok {
			return text
		}
	}
	switch {
	case f.ucs2:
		return utf16Big(b)
	case f.simple != nil && code < 256:
		return f.simple[code]
	}
	return ""
}

func (f *font) width(code int) float64 {
	if i := code - f.first; i >= 0 && i < len(f.widths) {
		return f.widths[i]
	}
	return f.other
}

func utf16Big(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return string(utf16.Decode(units))
}

// cmap is a ToUnicode map (ISO 32000-1, 9.10.3).
type cmap struct {
	spaces []codeSpace
	ranges []codeRange // sorted by length, then first
}

type codeSpace struct {
	length    int
	low, high uint32
}

type codeRange struct {
	length      int
	first, last uint32
	to          []byte // UTF-16, of first; the last unit counts up
}

const maxRanges = 200_000

func (p *pdf) cmap(data []byte) *cmap {
	m := &cmap{}
	l := lexer{data: data, nodes: &p.nodes}
	var args array
	for len(m.ranges) < maxRanges {
		o, ok := l.next()
		if !ok {
			break
		}
		op, isOp := o.(operator)
		if !isOp {
			args = append(args, o)
			continue
		}
		switch op {
		case "endcodespacerange":
			for ; len(args) >= 2; args = args[2:] {
				low, n := codeOf(args[0])
				high, _ := codeOf(args[1])
				m.spaces = append(m.spaces, codeSpace{n, low, high})
			}
		case "endbfchar":
			for ; len(args) >= 2; args = args[2:] {
				code, n := codeOf(args[0])
				m.add(n, code, code, args[1])
			}
		case "endbfrange":
			for ; len(args) >= 3; args = args[3:] {
				first, n := codeOf(args[0])
				last, _ := codeOf(args[1])
				m.add(n, first, last, args[2])
			}
		}
		args = args[:0]
	}
	slices.SortStableFunc(m.ranges, func(a, b codeRange) int {
		return cmp.Or(cmp.Compare(a.length, b.length), cmp.Compare(a.first, b.first))
	})
	return m
}

// codeOf is a code and how many bytes it has.
func codeOf(o any) (code uint32, length int) {
	b, _ := o.([]byte)
	for _, c := range b[:min(len(b), 4)] {
		code = code<<8 | uint32(c)
	}
	return code, min(len(b), 4)
}

func (m *cmap) add(length int, first, last uint32, to any) {
	switch to := to.(type) {
	case []byte:
		m.ranges = append(m.ranges, codeRange{length, first, last, to})
	case array:
		for i, o := range to {
			if b, ok := o.([]byte); ok && uint32(i) <= last-first {
				m.ranges = append(m.ranges, codeRange{length, first + uint32(i), first + uint32(i), b})
			}
		}
	}
}

// length of the code that s begins with.
func (m *cmap) length(s []byte, otherwise int) int {
	code := uint32(0)
	for n := 1; n <= min(4, len(s)); n++ {
		code = code<<8 | uint32(s[n-1])
		for _, space := range m.spaces[:min(len(m.spaces), 16)] {
			if space.length == n && code >= space.low && code <= space.high {
				return n
			}
		}
	}
	return otherwise
}

func (m *cmap) lookup(code uint32, length int) (string, bool) {
	i, _ := slices.BinarySearchFunc(m.ranges, codeRange{length: length, first: code}, func(r, to codeRange) int {
		return cmp.Or(cmp.Compare(r.length, to.length), cmp.Compare(r.first, to.first))
	})
	if i < len(m.ranges) && m.ranges[i].length == length && m.ranges[i].first == code {
		return utf16Big(m.ranges[i].to), true
	}
	if i--; i < 0 || m.ranges[i].length != length || code > m.ranges[i].last {
		return "", false
	}
	to := slices.Clone(m.ranges[i].to)
	if n := len(to); n >= 2 {
		unit := (uint32(to[n-2])<<8 | uint32(to[n-1])) + code - m.ranges[i].first
		to[n-2], to[n-1] = byte(unit>>8), byte(unit)
	}
	return utf16Big(to), true
}

// encoding is what the codes of a simple font mean: Windows-1252 unless the file
// says otherwise, which in most letters is what all encodings agree on.
func (p *pdf) encoding(o any) *[256]string {
	var e [256]string
	base, _ := p.resolve(o).(name)
	d := p.dict(o)
	if b, ok := p.resolve(d["BaseEncoding"]).(name); ok {
		base = b
	}
	for code := range e {
		r := windows1252(byte(code))
		if base == "MacRomanEncoding" && code >= 0x80 {
			r = macRoman[code-0x80]
		}
		e[code] = string(r)
	}
	code := 0
	for _, o := range p.list(d["Differences"]) {
		switch v := p.resolve(o).(type) {
		case float64:
			code = int(v)
		case name:
			if code >= 0 && code < len(e) {
				e[code] = glyph(string(v))
			}
			code++
		}
	}
	return &e
}

// glyph is what the name of a glyph stands for; "" if that is not known.
func glyph(name string) string {
	name, _, _ = strings.Cut(name, ".")
	if len(name) == 1 {
		return name
	}
	if s, ok := glyphs[name]; ok {
		return s
	}
	for _, prefix := range []string{"uni", "u"} {
		if hex, ok := strings.CutPrefix(name, prefix); ok && len(hex) >= 4 && len(hex) <= 6 {
			if n, err := strconv.ParseUint(hex, 16, 21); err == nil {
				return string(rune(n))
			}
		}
	}
	for accent, mark := range accents {
		if letter, ok := strings.CutSuffix(name, accent); ok && len(letter) == 1 {
			return letter + mark
		}
	}
	return ""
}

// accents are combining marks, by how the names of glyphs end.
var accents = map[string]string{
	"grave": "\u0300", "acute": "\u0301", "circumflex": "\u0302", "tilde": "\u0303", "dieresis": "\u0308",
	"ring": "\u030a", "caron": "\u030c", "cedilla": "\u0327", "ogonek": "\u0328", "breve": "\u0306", "macron": "\u0304",
}

var glyphs = map[string]string{
	"space": " ", "exclam": "!", "quotedbl": `"`, "numbersign": "#", "dollar": "$", "percent": "%", "ampersand": "&",
	"quotesingle": "'", "parenleft": "(", "parenright": ")", "asterisk": "*", "plus": "+", "comma": ",", "hyphen": "-",
	"period": ".", "slash": "/", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
	"seven": "7", "eight": "8", "nine": "9", "colon": ":", "semicolon": ";", "less": "<", "equal": "=", "greater": ">",
	"question": "?", "at": "@", "bracketleft": "[", "backslash": `\`, "bracketright": "]", "underscore": "_",
	"braceleft": "{", "bar": "|", "braceright": "}", "quoteleft": "‘", "quoteright": "’", "quotedblleft": "“",
	"quotedblright": "”", "endash": "–", "emdash": "—", "bullet": "•", "ellipsis": "…", "section": "§", "paragraph": "¶",
	"Euro": "€", "sterling": "£", "yen": "¥", "cent": "¢", "copyright": "©", "registered": "®", "trademark": "™", "degree": "°",
	"fi": "fi", "fl": "fl", "ff": "ff", "ffi": "ffi", "ffl": "ffl", "germandbls": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
	"oslash": "ø", "Oslash": "Ø", "lslash": "ł", "Lslash": "Ł", "dotlessi": "ı", "eth": "ð", "Eth": "Ð", "thorn": "þ", "Thorn": "Þ",
}

var macRoman = []rune("ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u00a0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\uf8ffÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ")
