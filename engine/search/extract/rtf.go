package extract

import (
	"context"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

const (
	maxGroups = 10_000 // within one another
	maxFonts  = 10_000
)

// rtfText reads Rich Text Format 1.9: what is shown of it, in the character sets of
// its fonts, without what revisions have deleted.
func rtfText(ctx context.Context, data []byte, out *Output) error {
	s := &rtfScan{out: out, data: data, page: charmap.Windows1252, fonts: map[int]encoding.Encoding{}}
	s.group = rtfGroup{uc: 1}
	for n := 0; s.at < len(data) && !out.Full(); n++ {
		if n%(16<<10) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch b := data[s.at]; b {
		case '{':
			s.flush()
			if len(s.groups) >= maxGroups {
				return fmt.Errorf("%w: groups within groups", ErrMalformed)
			}
			s.groups = append(s.groups, s.group)
			s.group.block = false
			s.skip, s.at = 0, s.at+1
		case '}':
			if s.flush(); s.group.block {
				s.gap('\n')
			}
			if n := len(s.groups); n > 0 {
				s.group, s.groups = s.groups[n-1], s.groups[:n-1]
			}
			s.skip, s.at = 0, s.at+1
		case '\\':
			s.control()
		case '\r', '\n', 0:
			s.at++
		default:
			s.at++
			s.byte(b)
		}
	}
	s.flush()
	return nil
}

// rtfGroup is what ends with a group.
type rtfGroup struct {
	skipped bool // it is not for reading
	starred bool // \* was before
	deleted bool
	fonts   bool // it is the table of fonts
	block   bool // it ends a line
	either  bool // it says the same twice, the second time in Unicode
	uc      int  // how many characters stand for one in Unicode
	font    int
}

type rtfScan struct {
	group  rtfGroup
	groups []rtfGroup
	out    *Output
	data   []byte
	at     int
	page   encoding.Encoding
	fonts  map[int]encoding.Encoding
	usual  int    // the font at first
	raw    []byte // in the encoding of the font, not yet read
	skip   int    // characters that stand for one that was read
	high   rune   // the first half of a pair
}

func (s *rtfScan) shown() bool { return !s.group.skipped && !s.group.deleted && !s.group.fonts }

// byte is a character, or half of one.
func (s *rtfScan) byte(b byte) {
	if s.skip > 0 {
		s.skip--
	} else if s.shown() {
		s.raw = append(s.raw, b)
	}
}

func (s *rtfScan) rune(r rune) {
	s.flush()
	if s.skip > 0 {
		s.skip--
	} else if s.shown() {
		s.out.Rune(r)
	}
}

func (s *rtfScan) flush() {
	if len(s.raw) == 0 {
		return
	}
	enc, ok := s.fonts[s.group.font]
	if !ok {
		enc = s.page
	}
	if enc == nil {
		s.out.Text(string(s.raw))
	} else if text, err := enc.NewDecoder().Bytes(s.raw); err == nil {
		s.out.Text(string(text))
	}
	s.raw = s.raw[:0]
}

// control reads what begins with a backslash.
func (s *rtfScan) control() {
	s.at++
	if s.at >= len(s.data) {
		return
	}
	b := s.data[s.at]
	if b|' ' < 'a' || b|' ' > 'z' {
		s.at++
		s.symbol(b)
		return
	}
	begin := s.at
	for s.at < len(s.data) && s.at-begin < 32 && s.data[s.at]|' ' >= 'a' && s.data[s.at]|' ' <= 'z' {
		s.at++
	}
	word := string(s.data[begin:s.at])
	begin = s.at
	if s.at < len(s.data) && s.data[s.at] == '-' {
		s.at++
	}
	for s.at < len(s.data) && s.at-begin < 11 && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		s.at++
	}
	n, err := strconv.Atoi(string(s.data[begin:s.at]))
	if s.at < len(s.data) && s.data[s.at] == ' ' {
		s.at++
	}
	s.word(word, n, err == nil)
}

func (s *rtfScan) symbol(b byte) {
	switch b {
	case '\'':
		if s.at+2 <= len(s.data) {
			if n, err := strconv.ParseUint(string(s.data[s.at:s.at+2]), 16, 8); err == nil {
				s.byte(byte(n))
			}
			s.at += 2
		}
	case '*':
		s.group.starred = true
	case '~':
		s.rune(' ')
	case '_':
		s.rune('-')
	case '-':
		s.flush()
	case '\r', '\n':
		s.gap('\n')
	case '\\', '{', '}':
		s.byte(b)
	}
}

func (s *rtfScan) gap(with byte) {
	s.flush()
	if s.shown() {
		s.out.Gap(with)
	}
}

// rtfSkipped are the destinations that are not for reading, and rtfRead those that
// are, though programs that do not know them should skip them.
var (
	rtfSkipped = setOf("colortbl stylesheet pict objdata objclass objname fldinst nonshppict shprslt filetbl revtbl listtable listoverridetable rsidtbl " +
		"generator themedata datastore latentstyles xe tc tcn sn sv atnid atnref atrfstart atrfend creatim revtim printim buptim bkmkstart bkmkend datafield formfield private template")
	rtfRead   = setOf("annotation shpinst shptxt do dptxbxtext atnauthor ud shppict")
	rtfBreaks = map[string]byte{"par": '\n', "line": '\n', "row": '\n', "nestrow": '\n', "sect": '\n', "page": '\n', "column": '\n',
		"cell": ' ', "nestcell": ' ', "tab": ' ', "emspace": ' ', "enspace": ' ', "qmspace": ' ',
		"title": '\n', "subject": '\n', "author": '\n', "keywords": '\n', "doccomm": '\n', "footnote": '\n', "header": '\n', "footer": '\n', "shptxt": '\n', "annotation": '\n'}
	rtfBlocks = setOf("title subject author keywords doccomm footnote header footer shptxt annotation")
	rtfSigns  = map[string]rune{"emdash": '—', "endash": '–', "bullet": '•', "lquote": '‘', "rquote": '’', "ldblquote": '“', "rdblquote": '”'}
	rtfPages  = map[string]int{"mac": 10000, "pc": 437, "pca": 850}
)

func (s *rtfScan) word(word string, n int, given bool) {
	if word == "u" {
		s.unicode(n)
		return
	}
	if word == "bin" {
		s.at = min(len(s.data), s.at+max(0, n))
	} else {
		s.flush()
	}
	if s.skip > 0 {
		s.skip--
	}
	if s.group.starred && !rtfRead[word] || rtfSkipped[word] {
		s.group.skipped = true
	}
	s.group.starred = false
	if with, ok := rtfBreaks[word]; ok {
		s.gap(with)
		s.group.block = s.group.block || rtfBlocks[word]
	}
	if r, ok := rtfSigns[word]; ok && s.shown() {
		s.out.Rune(r)
	}
	if page, ok := rtfPages[word]; ok {
		s.page, _ = codePage(page)
	}
	switch word {
	case "ansicpg":
		if page, ok := codePage(n); ok {
			s.page = page
		}
	case "fonttbl":
		s.group.fonts = true
	case "upr":
		s.group.skipped, s.group.either = true, true
	case "ud":
		if s.group.either {
			s.group.skipped = false
		}
	case "uc":
		s.group.uc = min(max(n, 0), 16)
	case "deleted":
		s.group.deleted = !given || n != 0
	case "plain":
		s.group.deleted, s.group.font = false, s.usual
	case "deff":
		s.usual, s.group.font = n, n
	case "f":
		s.group.font = n
	case "fcharset", "cpg":
		s.font(word, n)
	}
}

// rtfCharsets are the code pages of the character sets of fonts.
var rtfCharsets = map[int]int{77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
	186: 1257, 204: 1251, 222: 874, 238: 1250, 255: 437}

func (s *rtfScan) font(word string, n int) {
	if word == "fcharset" {
		n = rtfCharsets[n]
	}
	if page, ok := codePage(n); ok && s.group.fonts && len(s.fonts) < maxFonts {
		s.fonts[s.group.font] = page
	}
}

// unicode is a unit of UTF-16, as a number with a sign.
func (s *rtfScan) unicode(n int) {
	s.flush()
	s.skip = 0
	r := rune(uint16(n))
	if n > 0xffff && n <= utf8.MaxRune {
		r = rune(n)
	}
	switch pair := utf16.DecodeRune(s.high, r); {
	case pair != utf8.RuneError:
		s.rune(pair)
		s.high = 0
	case utf16.IsSurrogate(r):
		s.high = r
	default:
		s.rune(r)
		s.high = 0
	}
	s.skip = s.group.uc
}
