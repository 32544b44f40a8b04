package extract

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	wide "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// declared finds where XML, HTML and style sheets say what they are written in.
var declared = regexp.MustCompile(`(?i)^\s*<\?xml[^>]{0,200}\sencoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,400}?charset\s*=\s*["']?\s*([\w.:-]+)|^\s*@charset\s+"([\w.:-]+)"`)

// decoded gives the text of a file in UTF-8, from what it is written in: by its
// byte order mark, else as mediaType declares, else as it says itself, else as its
// bytes look.
func decoded(data []byte, mediaType string) io.Reader {
	enc, mark := encodingOf(data, mediaType)
	data = data[mark:]
	if enc == nil {
		return bytes.NewReader(data)
	}
	return transform.NewReader(bytes.NewReader(data), enc.NewDecoder())
}

// decodedString is for what is short.
func decodedString(data []byte, mediaType string) string {
	b, _ := io.ReadAll(decoded(data, mediaType)) // a decoder replaces what it cannot read
	return string(b)
}

// encodingOf returns nil for UTF-8, and how long the byte order mark is.
func encodingOf(data []byte, mediaType string) (enc encoding.Encoding, mark int) {
	if enc, mark := marked(data); mark > 0 {
		return enc, mark
	}
	label := mediaTypeOf(mediaType).params["charset"]
	enc, known := encodingNamed(label)
	if !known {
		head := data[:min(len(data), 4<<10)]
		if m := declared.FindSubmatch(head); m != nil {
			enc, known = encodingNamed(string(m[1]) + string(m[2]) + string(m[3]))
			// It was read as ASCII, so this it is not.
			known = known && !isWide(enc)
		}
	}
	switch {
	case known && isWide(enc):
		if order := wideGuess(data); order != nil {
			return order, 0
		}
		return enc, 0
	case known && enc != nil && !isSingleByte(enc):
		return enc, 0
	case isUTF8(data) && (!controlled(data[:min(len(data), headBytes)]) || wideGuess(data) == nil):
		// What is valid UTF-8 beyond ASCII is hardly ever anything else, whatever it is
		// said to be.
		if bytes.Contains(data, []byte("\x1b$")) {
			return japanese.ISO2022JP, 0
		}
		return nil, 0
	case known && enc != nil:
		return enc, 0
	}
	if order := wideGuess(data); order != nil {
		return order, 0
	}
	enc, _ = sniff(data, false)
	return enc, 0
}

// marked tells by the byte order mark.
func marked(data []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return nil, 3
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")) && len(data)%4 == 0:
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4
	case bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 4
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return wide.UTF16(wide.LittleEndian, wide.IgnoreBOM), 2
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return wide.UTF16(wide.BigEndian, wide.IgnoreBOM), 2
	}
	return nil, 0
}

// encodingNamed knows the names that browsers know, those of IANA, and code pages.
func encodingNamed(label string) (enc encoding.Encoding, known bool) {
	label = strings.ToLower(strings.TrimSpace(label))
	switch label {
	case "":
		return nil, false
	case "utf-8", "utf8", "unicode-1-1-utf-8", "utf8mb4", "us-ascii", "ascii":
		// What is not UTF-8 in what says it is ASCII is sniffed.
		return nil, true
	case "hz-gb-2312":
		return simplifiedchinese.HZGB2312, true
	case "utf-32", "utf-32le", "utf32":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), true
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), true
	}
	for _, prefix := range []string{"cp", "windows", "ibm", "x-cp", "cp-", "ms"} {
		if n, err := strconv.Atoi(strings.TrimLeft(strings.TrimPrefix(label, prefix), "-_")); err == nil && strings.HasPrefix(label, prefix) {
			if enc, ok := codePage(n); ok {
				return enc, true
			}
		}
	}
	enc, err := htmlindex.Get(label)
	if err != nil || enc == encoding.Replacement {
		if enc, err = ianaindex.MIME.Encoding(label); err != nil {
			return nil, false
		}
	}
	return enc, enc != nil && enc != encoding.Replacement
}

// codePage returns the encoding of a code page of Windows; nil for UTF-8.
func codePage(n int) (enc encoding.Encoding, known bool) {
	switch n {
	case 65001, 20127:
		return nil, true
	case 932, 943:
		return japanese.ShiftJIS, true
	case 936, 54936, 20936:
		return simplifiedchinese.GB18030, true
	case 949, 51949:
		return korean.EUCKR, true
	case 950:
		return traditionalchinese.Big5, true
	case 51932, 20932:
		return japanese.EUCJP, true
	case 50220, 50221, 50222:
		return japanese.ISO2022JP, true
	case 10000:
		return charmap.Macintosh, true
	case 10007:
		return charmap.MacintoshCyrillic, true
	case 20866:
		return charmap.KOI8R, true
	case 21866:
		return charmap.KOI8U, true
	case 1200:
		return wide.UTF16(wide.LittleEndian, wide.IgnoreBOM), true
	case 1201:
		return wide.UTF16(wide.BigEndian, wide.IgnoreBOM), true
	}
	c, ok := singleBytePages[n]
	return c, ok
}

var singleBytePages = map[int]*charmap.Charmap{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855,
	858: charmap.CodePage858, 860: charmap.CodePage860, 862: charmap.CodePage862, 863: charmap.CodePage863,
	865: charmap.CodePage865, 866: charmap.CodePage866, 874: charmap.Windows874,
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253,
	1254: charmap.Windows1254, 1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257,
	1258: charmap.Windows1258, 28591: charmap.Windows1252, 28592: charmap.ISO8859_2, 28595: charmap.ISO8859_5,
	28597: charmap.ISO8859_7, 28599: charmap.Windows1254, 28605: charmap.ISO8859_15,
}

func isSingleByte(enc encoding.Encoding) bool {
	_, ok := enc.(*charmap.Charmap)
	return ok
}

func isWide(enc encoding.Encoding) bool {
	if enc == nil {
		return false
	}
	b, err := enc.NewEncoder().Bytes([]byte("a"))
	return err == nil && len(b) > 1 && bytes.IndexByte(b, 0) >= 0
}

// isUTF8 forgives a file that is cut within a character, and single broken bytes
// among many characters.
func isUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		if i := bytes.IndexFunc(data, func(r rune) bool { return r >= utf8.RuneSelf }); i < 0 {
			break
		} else if data = data[i:]; !utf8.FullRune(data) {
			break
		}
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		if data = data[n:]; bad > 0 && bad > 100 && good < 20*bad {
			return false
		}
	}
	return bad == 0 || good >= 20*bad
}

// controlled says whether there is a character that is in no text.
func controlled(data []byte) bool {
	for _, b := range data {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' && b != '\f' && b != 0x1b {
			return true
		}
	}
	return false
}

// wideGuess tells UTF-16 and UTF-32 without a byte order mark from bytes that are no
// text and from other text; nil is neither. Each unit must be a character that is in
// use, which in other files they hardly are, and something must speak for it: ASCII,
// Cyrillic and the like, whose high bytes are control characters, or kana.
func wideGuess(data []byte) encoding.Encoding {
	sample := data[:min(len(data), headBytes)&^3]
	if len(data) < 4 {
		sample = data
	}
	if len(data)%2 != 0 || len(sample) < 2 || !controlled(sample) {
		return nil
	}
	var best encoding.Encoding
	most := 0
	for _, e := range []struct {
		enc encoding.Encoding
		at  [4]int // where the bytes of a unit are, the highest first; 9: there is none
	}{
		{wide.UTF16(wide.LittleEndian, wide.IgnoreBOM), [4]int{9, 9, 1, 0}},
		{wide.UTF16(wide.BigEndian, wide.IgnoreBOM), [4]int{9, 9, 0, 1}},
		{utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), [4]int{3, 2, 1, 0}},
		{utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), [4]int{0, 1, 2, 3}},
	} {
		if speaks := wideEvidence(sample, e.at); speaks > most {
			best, most = e.enc, speaks
		}
	}
	return best
}

// wideEvidence counts the units that speak for it; 0 if too many speak against it,
// which bytes that are no text have told after a few of their units.
func wideEvidence(sample []byte, at [4]int) int {
	zeros := bytes.IndexByte(sample, 0) >= 0
	size := 4
	if at[0] == 9 {
		size = 2
	}
	units, bad, speaks := len(sample)/size, 0, 0
	for i, top := 0, at[4-size]; i < units; i++ { // of what needs no table: bytes at random have a lot of it
		if b := sample[i*size+top]; size == 4 && b != 0 || size == 2 && b >= 0xe0 && b <= 0xf8 { // nothing, for private use
			bad++
		}
	}
	if bad*50 > units {
		return 0
	}
	bad = 0
	for high := rune(0); len(sample) >= size; sample = sample[size:] {
		if bad*50 > units {
			return 0
		}
		r := rune(0)
		for _, i := range at {
			if i < size {
				r = r<<8 | rune(sample[i])
			}
		}
		switch {
		case utf16.IsSurrogate(r) && size == 2:
			if high != 0 && utf16.DecodeRune(high, r) == utf8.RuneError {
				bad++
			}
			high = r
			continue
		case r == '\t' || r == '\n' || r == '\r' || r == '\f', r >= ' ' && r < 0x7f:
			speaks += 2
		case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs, unicode.Cf):
			bad++
		case r>>8 < ' ' && r>>8 > 0, r>>8 == 0x30, r>>8 == 0xff:
			speaks += 2
		}
		high = 0
	}
	need := units / 2
	if zeros {
		need = max(4, units/10)
	}
	if bad*50 > units || speaks < need {
		return 0
	}
	return speaks
}
