package extract

import (
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// field is the value of a header field with its parameters.
type field struct {
	value  string // in small letters
	params map[string]string
}

// maxParameters is how many parameters of a field are looked at.
const maxParameters = 64

// mediaTypeOf reads Content-Type, Content-Disposition and their like. Real mail has
// names with spaces and no quotation marks, and parameters twice: what can be read of
// it is.
func mediaTypeOf(s string) field {
	value, rest, _ := strings.Cut(s, ";")
	f := field{value: strings.ToLower(strings.TrimSpace(value)), params: map[string]string{}}
	pieces := map[string]string{} // of values that are divided: name*0, name*1*
	for range maxParameters {
		if strings.TrimSpace(rest) == "" {
			break
		}
		var name, v string
		name, v, rest = parameter(rest)
		if name == "" {
			continue
		}
		if strings.Contains(name, "*") {
			pieces[name] = v
		} else if _, twice := f.params[name]; !twice {
			f.params[name] = v
		}
	}
	f.join(pieces)
	return f
}

// parameter takes one from the beginning of s.
func parameter(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, " \t\r\n;")
	end := strings.IndexAny(s, "=;")
	if end < 0 || s[end] == ';' {
		_, rest, _ = strings.Cut(s, ";")
		return "", "", rest
	}
	name, s = strings.ToLower(strings.TrimSpace(s[:end])), strings.TrimLeft(s[end+1:], " \t\r\n")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return name, b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return name, b.String(), ""
}

// join puts together what RFC 2231 divides, and decodes it.
func (f field) join(pieces map[string]string) {
	for name := range pieces {
		base, _, _ := strings.Cut(name, "*")
		if v := joined(pieces, base); v != "" {
			f.params[base] = v
		}
	}
}

func joined(pieces map[string]string, base string) string {
	if v, ok := pieces[base+"*"]; ok {
		charset, v := charsetOf2231(v)
		return inCharset(unpercent(v), charset)
	}
	var b strings.Builder
	charset := ""
	for i := range maxParameters {
		name := base + "*" + strconv.Itoa(i)
		v, ok := pieces[name]
		if !ok {
			if v, ok = pieces[name+"*"]; !ok {
				break
			}
			if i == 0 {
				charset, v = charsetOf2231(v)
			}
			v = unpercent(v)
		}
		b.WriteString(v)
	}
	return inCharset(b.String(), charset)
}

func charsetOf2231(v string) (charset, rest string) {
	if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
		return parts[0], parts[2]
	}
	return "", v
}

func unpercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// inCharset decodes; what is said to be nothing is sniffed.
func inCharset(s, charset string) string {
	if charset == "" && utf8.ValidString(s) && !strings.Contains(s, "\x1b$") {
		return s
	}
	return decodedString([]byte(s), "text/plain; charset="+charset)
}

// wordsIn decodes the encoded words of RFC 2047 in s, and what stands in it raw.
func wordsIn(s string) string {
	if !strings.Contains(s, "=?") {
		return inCharset(s, "")
	}
	d := mime.WordDecoder{CharsetReader: charsetReader}
	if v, err := d.DecodeHeader(s); err == nil {
		return v
	}
	return inCharset(s, "")
}

// charsetReader is that of encoded words.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return decoded(b, "text/plain; charset="+charset), nil
}
