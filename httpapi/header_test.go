package httpapi

import (
	"encoding/base64"
	"mime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestIfMatch(t *testing.T) {
	for header, want := range map[string]ifMatch{
		`*`: nil, ` * `: nil, `"7"`: {7}, `"7", "8"`: {7, 8}, `"7","8" , "9"`: {7, 8, 9},
		`W/"7"`: {}, `W/"7", "8"`: {8}, `"abc"`: {}, `"sha256:00"`: {}, `"07"`: {}, `""`: {}, `"7" ,, "8",`: {7, 8}, `"a,b"`: {},
		`"18446744073709551616"`: {},
	} {
		m := ifMatch{99}
		if err := m.bind(header); err != nil || (m == nil) != (want == nil) || !slices.Equal(m, want) {
			t.Errorf("%s: %v %v, want %v", header, m, err, want)
		}
	}
	for _, header := range []string{``, ` `, `,`, `7`, `"7`, `7"`, `"7" "8"`, `w/"7"`, `W/7`, `"7", *`, "\"7\x7f\"", `"a b"`} {
		var m ifMatch
		if err := m.bind(header); err == nil {
			t.Errorf("%s is %v", header, m)
		}
	}
}

// FuzzIfMatch: no header panics, and only one that is a star accepts all.
func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`*`, `"7"`, `W/"7", "8"`, `"a,b",`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := ifMatch{99}
		err := m.bind(s)
		if err == nil && m == nil && strings.Trim(s, " \t") != "*" {
			t.Errorf("%q accepts any revision", s)
		}
		if err == nil && m != nil && !strings.Contains(s, `"`) {
			t.Errorf("%q is %v", s, m)
		}
	})
}

func TestContentDigest(t *testing.T) {
	const sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for field, want := range map[string]string{
		"sha-256=:" + sum + ":":                    sum,
		"sha-512=:AAAA:, sha-256=:" + sum + ":":    sum,
		"sha-256=:" + sum + ":;note=1, md5=:AA==:": sum,
		"md5=:AA==:":             "",
		"sha-256=:AAAA:":         "!",
		"sha-256=" + sum:         "!",
		"sha-256=:" + sum:        "!",
		"SHA-256=:" + sum + ":":  "!",
		"sha-256":                "!",
		"":                       "!",
		"sha-256=::":             "!",
		"sha-256=:" + sum + ":,": "!",
		"sha-256=:" + strings.Replace(sum, "4", "*", 1) + ":": "!",
	} {
		got, err := parseDigest(field)
		if (err != nil) != (want == "!") || err == nil && base64.StdEncoding.EncodeToString(got) != want {
			t.Errorf("%s: %x %v, want %s", field, got, err, want)
		}
	}
}

// FuzzContentDigest: no field panics, and what is accepted is a whole digest.
func FuzzContentDigest(f *testing.F) {
	f.Add("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	f.Add("md5=:AA==:;a=1, sha-256=:AAAA:")
	f.Fuzz(func(t *testing.T, field string) {
		if sum, err := parseDigest(field); err == nil && sum != nil && len(sum) != 32 {
			t.Errorf("%q is %x", field, sum)
		}
	})
}

func TestMediaType(t *testing.T) {
	for _, c := range []struct{ declared, name, prefix, want string }{
		{"application/pdf", "a.txt", "text", "application/pdf"},
		{"text/plain; charset=latin1", "", "text", "text/plain; charset=latin1"},
		{"", "a.PDF", "%PDF-1.4", "application/pdf"},
		{"application/octet-stream", "a.docx", "PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"", "a.zip", "PK\x03\x04", "application/zip"},
		{"", "a.md", "# Title", "text/markdown; charset=utf-8"},
		{"", "a.md", "%PDF-1.4", "application/pdf"}, // bytes count more than a name
		{"", "a.csv", "\xfe\xff\x00a\x00b", "text/plain; charset=utf-16be"},
		{"", "md", "# Title", "text/plain; charset=utf-8"},
		{"", "a.svg", `<?xml version="1.0"?>`, "image/svg+xml"},
		{"", "a.doc", "\xd0\xcf\x11\xe0\x00\x00", "application/msword"},
		{"", "", "", "text/plain; charset=utf-8"},
		{"nonsense", "a.txt", "text", ""},
		{"text/plain; charset=\"\u00e9\"", "a.txt", "text", ""},
		{"text/plain\r\nX: y", "a.txt", "text", ""},
	} {
		got, err := mediaType(c.declared)
		if err == nil && got == "" {
			got = sniff(c.name, []byte(c.prefix))
		}
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %s %v", c, got, err)
		}
	}
}

func TestBaseName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "a.txt": "a.txt", "/etc/passwd": "passwd", `C:\Temp\a.txt`: "a.txt", `..\../b`: "b",
		"חוזה.pdf": "חוזה.pdf", ".htaccess": ".htaccess", strings.Repeat("ü", 255): strings.Repeat("ü", 255),
		"..": "!", ".": "!", "a/": "!", "a/..": "!", "a\x00b": "!", "a\nb": "!", "a\u0085b": "!", "a\u202egpj.exe": "!", "a\xff": "!",
		strings.Repeat("a", 256): "!",
	} {
		got, err := baseName(name)
		if (err != nil) != (want == "!") || err == nil && got != want {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

// FuzzDisposition: whatever name is accepted, a client that knows RFC 6266 gets
// it back whole, and the header stays one line of ASCII.
func FuzzDisposition(f *testing.F) {
	for _, s := range []string{"a.txt", `a"; filename="b`, "Übersicht%20.pdf", `a\b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := baseName(s)
		if err != nil || name == "" {
			return
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			t.Fatalf("%q was accepted", name)
		}
		d := disposition("attachment", name)
		if strings.ContainsFunc(d, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q becomes %q", name, d)
		}
		// The plain name is there for clients that know no other; without it,
		// mime decodes the other.
		whole := "attachment; " + d[strings.LastIndex(d, "filename*="):]
		if _, params, err := mime.ParseMediaType(whole); err != nil || params["filename"] != name {
			t.Errorf("%q becomes %q, which is %q %v", name, d, params["filename"], err)
		}
	})
}
