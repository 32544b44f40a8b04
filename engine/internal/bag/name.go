package bag

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isDevice says whether Windows takes a name for a device, whatever stands behind a
// dot.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch base = strings.TrimRight(base, " "); base {
	case "con", "prn", "aux", "nul", "conin$", "conout$", "clock$":
		return true
	}
	port, is := strings.CutPrefix(base, "com")
	if !is {
		port, is = strings.CutPrefix(base, "lpt")
	}
	return is && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}

// Name makes of a text a name that every file system takes, of at most so many
// bytes; "" becomes "_". What was a name already, and is not too long, stays. It
// holds none of / \ < > : " | ? * %, no character that is not seen, begins with
// neither blank, dot, dash nor ~, and ends with neither blank nor dot. The last part behind a
// dot is kept when it is cut. Names that differ only in what is replaced, or in
// case, may become alike: the caller keeps them apart.
func Name(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\<>:"|?*%`, r) || r == utf8.RuneError || !unicode.IsPrint(r) && r != ' ' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
	s = strings.Trim(s, " ")
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "~") {
		s = "_" + s[1:]
	}
	s = strings.TrimRight(cut(strings.TrimRight(s, " ."), most), " .")
	if s == "" || isDevice(s) {
		s = strings.TrimRight(cut("_"+s, most), " .")
	}
	return s
}

// cut shortens a name to so many bytes, before the part behind its last dot if
// that is short.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	ending := ""
	if dot := strings.LastIndexByte(s, '.'); dot > 0 && len(s)-dot <= 12 && len(s)-dot < most/2 {
		s, ending = s[:dot], s[dot:]
	}
	for len(s) > most-len(ending) || !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + ending
}

// Cells makes values fit for a table that a spreadsheet reads: none is taken for a
// formula, whether it divides the table at commas, or, as many do by their language,
// at semicolons, or at tabs, and so takes a part of a cell for a cell. It changes and
// returns them.
func Cells(values ...string) []string {
	for i, v := range values {
		values[i] = plain(v)
	}
	return values
}

// plain puts ' before each part of a cell that would be a formula.
func plain(v string) string {
	var b strings.Builder
	if v != "" && strings.ContainsRune("\t\r\n", rune(v[0])) {
		b.WriteByte('\'')
	}
	for v != "" {
		end := strings.IndexAny(v, ";\t\r\n") + 1
		if end == 0 {
			end = len(v)
		}
		if isFormula(v[:end]) {
			b.WriteByte('\'')
		}
		b.WriteString(v[:end])
		v = v[end:]
	}
	return b.String()
}

// isFormula also knows the wide spellings, which some take too, and what they skip.
func isFormula(part string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(part, func(r rune) bool { return unicode.IsSpace(r) || r == 0 || r == '"' }))
	return strings.ContainsRune("=+-@＝＋－＠", first)
}
