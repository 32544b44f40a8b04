package extract

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// format is how a number is shown, as far as that is known: a date, or a number with
// signs around it. The zero format shows a number as it is.
type format struct {
	date     []string // parts of a date; nil: it is none
	local    bool     // a date that every reader sees in the way of their country
	sections []digits
}

// digits is one section of a number format, for numbers above, below and of zero.
type digits struct {
	before, after string
	whole, places int // digits at least before the point, and behind it
	grouped       bool
	percent       bool
	plain         bool // it has no digits
	unknown       bool
}

// builtIn is the code of a format that every Excel knows.
func builtIn(id int64) string {
	switch {
	case id == 14:
		return "local"
	case 27 <= id && id <= 36, 50 <= id && id <= 58:
		return "yyyy-mm-dd" // of East Asia
	}
	return map[int64]string{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
		18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "local h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
		39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss"}[id]
}

func formatOf(code string) format {
	if rest, ok := strings.CutPrefix(code, "local"); ok {
		return format{local: true, date: append([]string{"yyyy", "-", "mm", "-", "dd"}, pieces(rest)...)}
	}
	if code == "" || strings.EqualFold(code, "general") || code == "@" {
		return format{}
	}
	var f format
	section := []string{}
	for _, piece := range append(pieces(code), ";") {
		if piece == ";" {
			if f.sections == nil && isDate(section) {
				return format{date: section}
			}
			if len(f.sections) < 3 {
				f.sections = append(f.sections, digitsOf(section))
			}
			section = nil
			continue
		}
		section = append(section, piece)
	}
	return f
}

// pieces divides a code: letters of one kind together in lower case, text behind a ",
// every other sign alone.
func pieces(code string) []string {
	var list []string
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '"':
			end := max(strings.IndexByte(code[i+1:], '"'), 0)
			list = append(list, `"`+code[i+1:i+1+end])
			i += end + 1
		case c == '\\' && i+1 < len(code):
			list = append(list, `"`+code[i+1:i+2])
			i++
		case (c == '_' || c == '*') && i+1 < len(code): // space, and what fills it
			list = append(list, `" `)
			i++
		case c == '[':
			end := max(strings.IndexByte(code[i:], ']'), 0)
			in := strings.ToLower(code[min(i+1, i+end) : i+end])
			if strings.HasPrefix(in, "$") {
				sign, _, _ := strings.Cut(in[1:], "-")
				list = append(list, `"`+strings.ToUpper(sign))
			} else if strings.Trim(in, "hms") == "" || strings.ContainsAny(in, "<>=") {
				list = append(list, "["+in)
			}
			i += end
		case strings.ContainsRune("ymdhsYMDHS", rune(c)):
			lower := strings.ToLower(code[i : i+1])
			end := i
			for end < len(code) && strings.EqualFold(code[end:end+1], lower) {
				end++
			}
			list = append(list, strings.ToLower(code[i:end]))
			i = end - 1
		case len(code)-i >= 5 && strings.EqualFold(code[i:i+5], "AM/PM"):
			list, i = append(list, "am/pm"), i+4
		default:
			list = append(list, string(c))
		}
	}
	return list
}

func isDate(section []string) bool {
	return slices.ContainsFunc(section, func(p string) bool {
		return strings.Trim(p, "ymdhs") == "" && p != "" || p == "[h" || p == "[hh" || p == "[m" || p == "[mm" || p == "[s" || p == "[ss"
	})
}

// digitsOf reads one section of a number's format.
func digitsOf(section []string) digits {
	d := digits{plain: true}
	point, closed := false, false
	for _, p := range section {
		text, isText := strings.CutPrefix(p, `"`)
		switch {
		case p == "0" || p == "#" || p == "?":
			d.unknown = d.unknown || closed
			d.plain = false
			if point && p == "0" {
				d.places++
			} else if p == "0" {
				d.whole++
			}
		case p == "." && !d.plain && !point:
			point = true
		case p == "," && !d.plain && !closed:
			d.grouped = true
		case p == "%":
			d.percent = true
			d.after, closed = d.after+"%", true
		case p == "@" || p == "E" || p == "e" || p == "/" || strings.HasPrefix(p, "["):
			d.unknown = true
		default:
			if !isText {
				text = p
			}
			if d.plain {
				d.before += text
			} else {
				d.after, closed = d.after+text, true
			}
		}
	}
	return d
}

// show is a number as it is shown. since04: days are counted from 1904.
func (f format) show(value string, since04 bool) string {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return value
	}
	if f.date != nil && n >= 0 && n < 2958466 {
		return f.showDate(n, since04)
	}
	d := digits{unknown: true}
	if i := min(len(f.sections), 3); i > 0 {
		switch {
		case n < 0 && i > 1:
			d, n = f.sections[1], -n
		case n == 0 && i > 2:
			d = f.sections[2]
		default:
			d = f.sections[0]
		}
	}
	switch {
	case d.unknown:
		return general(value, n)
	case d.plain:
		return d.before
	}
	return d.show(n)
}

// general shows fifteen digits, as a spreadsheet does.
func general(value string, n float64) string {
	if len(value) < 16 && !strings.ContainsAny(value, "eE") {
		return value
	}
	if math.Abs(n) < 1e15 && math.Abs(n) > 1e-6 {
		rounded, _ := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 15, 64), 64)
		return strconv.FormatFloat(rounded, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'G', 15, 64)
}

func (d digits) show(n float64) string {
	if d.percent {
		n *= 100
	}
	s := strconv.FormatFloat(math.Abs(n), 'f', min(d.places, 15), 64)
	whole, places, _ := strings.Cut(s, ".")
	if len(whole) < d.whole {
		whole = strings.Repeat("0", min(d.whole, 30)-min(len(whole), 30)) + whole
	}
	for i := len(whole) - 3; d.grouped && i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if places != "" {
		whole += "." + places
	}
	if n < 0 {
		whole = "-" + whole
	}
	return d.before + whole + d.after
}

// showDate shows a date as the format says, and in the order of ISO 8601 as well: the
// names of months, and some formats, are those of the reader's country.
func (f format) showDate(n float64, since04 bool) string {
	day := n
	if since04 {
		day += 1462
	}
	if day < 61 && day >= 1 {
		day++ // Excel believes that there was a 29 February 1900
	}
	t := time.Unix(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Unix()+int64(math.Round(day*86400)), 0).UTC()
	var b strings.Builder
	half := slices.Contains(f.date, "am/pm")
	dated := false
	for i, p := range f.date {
		if strings.HasPrefix(p, `"`) {
			b.WriteString(p[1:])
			continue
		}
		minutes := (p == "m" || p == "mm") && isMinutes(f.date, i)
		dated = dated || strings.ContainsAny(p[:1], "yd") || p[0] == 'm' && !minutes
		b.WriteString(datePiece(p, t, n, minutes, half))
	}
	shown := strings.TrimSpace(b.String())
	if f.local {
		return shown + t.Format(" 02.01.2006 1/2/2006")
	}
	if iso := t.Format(time.DateOnly); dated && !strings.Contains(shown, iso) {
		return shown + " " + iso
	}
	return shown
}

// isMinutes: m is minutes next to hours or seconds, and months elsewhere.
func isMinutes(pieces []string, i int) bool {
	for j := i - 1; j >= 0; j-- {
		if p := strings.Trim(pieces[j], "["); strings.Trim(p, "ymdhs") == "" && p != "" {
			if p[0] == 'h' {
				return true
			}
			break
		}
	}
	for _, p := range pieces[i+1:] {
		if p = strings.Trim(p, "["); strings.Trim(p, "ymdhs") == "" && p != "" {
			return p[0] == 's'
		}
	}
	return false
}

func datePiece(p string, t time.Time, n float64, minutes, half bool) string {
	layout := map[string]string{"d": "2", "dd": "02", "ddd": "Mon", "dddd": "Monday", "m": "1", "mm": "01", "mmm": "Jan", "mmmm": "January",
		"yy": "06", "y": "06", "yyy": "2006", "yyyy": "2006", "s": "5", "ss": "05", "am/pm": "PM"}[p]
	seconds := int64(math.Round(n * 86400))
	switch {
	case minutes:
		layout = map[string]string{"m": "4", "mm": "04"}[p]
	case p == "h" && half:
		layout = "3"
	case p == "hh" && half:
		layout = "03"
	case p == "h":
		return strconv.Itoa(t.Hour())
	case p == "hh":
		layout = "15"
	case p == "[h", p == "[hh":
		return fmt.Sprint(seconds / 3600)
	case p == "[m", p == "[mm":
		return fmt.Sprint(seconds / 60)
	case p == "[s", p == "[ss":
		return fmt.Sprint(seconds)
	case layout == "" && strings.Trim(p, "ymdhs[") == "":
		return ""
	}
	if layout == "" {
		return p
	}
	return t.Format(layout)
}
