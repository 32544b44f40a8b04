package extract

import (
	"strconv"
	"strings"
)

const (
	// maxShared is how many bytes of shared strings are kept, and how many strings.
	maxShared  = 32 << 20
	maxStrings = 2 << 20
	maxStyles  = 64 << 10
)

// book is what the sheets of a spreadsheet share.
type book struct {
	titles   map[*part]string // of its sheets
	since04  bool             // days are counted from 1904
	loaded   bool
	shared   []byte // the shared strings,
	ends     []uint32
	formats  []format // by style
	threaded bool     // it has threaded comments
}

// workbook reads the names of the sheets.
func (o *office) workbook(s *scanner) error {
	if s.is != begun {
		return nil
	}
	switch s.name.local {
	case "workbookPr":
		o.book.since04 = isTrue(s.attr("date1904"))
	case "sheet":
		o.refer(s)
		if to := o.links[s.attr("id")]; to != nil {
			if o.book.titles == nil {
				o.book.titles = map[*part]string{}
			}
			o.book.titles[to.part] = first(s.attr("name"), 256)
			return nil
		}
		o.out.Text(s.attr("name"))
		o.out.Gap('\n')
	}
	return nil
}

func isTrue(s string) bool { return s == "1" || s == "true" }

func integer(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// load reads the shared strings and the number formats, once.
func (o *office) load() error {
	if o.book.loaded {
		return nil
	}
	o.book.loaded = true
	for _, p := range o.order {
		var err error
		switch o.roleOf(p).kind {
		case "sharedstrings":
			err = o.scan(p, o.sharedString())
		case "styles":
			err = o.scan(p, o.style())
		}
		if fatal(err) {
			return err
		}
		if o.failed == nil {
			o.failed = err
		}
	}
	return nil
}

// sharedString gathers the strings; the runs of one belong together, without how it
// is pronounced.
func (o *office) sharedString() func(*scanner) error {
	b := &o.book
	return func(s *scanner) error {
		switch {
		case s.is == begun && s.name.local == "rPh":
			return s.skip()
		case s.is == words && innermost(s) == "t":
			b.shared = append(b.shared, s.text...)
		case s.is == ended && s.name.local == "si":
			b.ends = append(b.ends, uint32(len(b.shared)))
		}
		if len(b.shared) > maxShared || len(b.ends) > maxStrings {
			return errStop
		}
		return nil
	}
}

func (b *book) sharedAt(i int64) string {
	if i < 0 || i >= int64(len(b.ends)) {
		return ""
	}
	from := uint32(0)
	if i > 0 {
		from = b.ends[i-1]
	}
	return string(b.shared[from:b.ends[i]])
}

// style gathers the number formats of the styles that cells have.
func (o *office) style() func(*scanner) error {
	codes := map[int64]string{}
	return func(s *scanner) error {
		if s.is != begun {
			return nil
		}
		switch {
		case s.name.local == "numFmt" && len(codes) < maxStyles:
			codes[integer(s.attr("numFmtId"))] = first(s.attr("formatCode"), 256)
		case s.name.local == "xf" && s.parent() == "cellXfs" && len(o.book.formats) < maxStyles:
			id := integer(s.attr("numFmtId"))
			code, ok := codes[id]
			if !ok {
				code = builtIn(id)
			}
			o.book.formats = append(o.book.formats, formatOf(code))
		}
		return nil
	}
}

// cell is one while it is read.
type cell struct {
	kind, style string
	value       []byte
}

// sheet reads a sheet's name and its cells, row by row.
func (o *office) sheet(p *part) error {
	links := o.links
	if err := o.load(); err != nil {
		return err
	}
	o.links = links
	o.out.Text(o.book.titles[p])
	o.out.Gap('\n')
	var c cell
	return o.scan(p, func(s *scanner) error {
		if o.out.Full() {
			return errStop
		}
		switch s.is {
		case begun:
			o.refer(s)
			switch s.name.local {
			case "c":
				c = cell{kind: s.attr("t"), style: s.attr("s"), value: c.value[:0]}
			case "rPh":
				return s.skip()
			}
		case words:
			switch in := innermost(s); in {
			case "v", "t":
				if len(c.value) < maxAttribute {
					c.value = append(c.value, s.text...)
				}
			case "oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter":
				o.out.Text(printed(string(s.text)))
				o.out.Gap('\n')
			}
		case ended:
			switch s.name.local {
			case "c":
				o.cell(c)
			case "row":
				o.out.Gap('\n')
			}
		}
		return nil
	})
}

// cell writes what a cell shows. Of a formula that is its result, as Excel left it.
func (o *office) cell(c cell) {
	if len(c.value) == 0 {
		return
	}
	value := string(c.value)
	switch c.kind {
	case "s":
		value = o.book.sharedAt(integer(strings.TrimSpace(value)))
	case "b":
		value = map[bool]string{true: "TRUE", false: "FALSE"}[isTrue(strings.TrimSpace(value))]
	case "d":
		value = strings.Replace(value, "T00:00:00", "", 1)
	case "inlineStr", "str", "e":
	default:
		var f format
		if i := integer(c.style); i >= 0 && i < int64(len(o.book.formats)) {
			f = o.book.formats[i]
		}
		value = f.show(strings.TrimSpace(value), o.book.since04)
	}
	o.out.Text(value)
	o.out.Gap(' ')
}

// printed is the text of a page's header: signs that begin with & are instructions.
func printed(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '&' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '&':
			b.WriteByte('&')
		case c == '"':
			end := strings.IndexByte(s[i+1:], '"')
			i += max(end+1, 0)
		case c == 'K':
			i += min(6, len(s)-1-i)
		case c == 'L' || c == 'C' || c == 'R':
			b.WriteByte('\n')
		case '0' <= c && c <= '9':
			for i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				i++
			}
		}
	}
	return b.String()
}
