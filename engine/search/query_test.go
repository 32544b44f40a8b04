package search

import (
	"errors"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

func splitter(t testing.TB, language string) *words.Splitter {
	t.Helper()
	split, err := words.NewSplitter(language)
	if err != nil {
		t.Fatal(err)
	}
	return split
}

// someFields are those of a vault with two fields of its own.
var someFields = fields{"name": "name", "tag": "tag", "tags": "tag", "description": "description",
	"field.amount": "field.amount", "amount": "field.amount", "field.signed": "", "signed": ""}

// String spells a query that was understood.
func (q *inquiry) String() string { return q.spell(q.root) }

func (q *inquiry) spell(n node) string {
	var of []string
	for _, n := range n.nodes {
		of = append(of, q.spell(n))
	}
	switch n.op {
	case opAll:
		return "(" + strings.Join(of, " + ") + ")"
	case opAny:
		return "(" + strings.Join(of, " | ") + ")"
	case opBest:
		return "<" + strings.Join(of, " ") + ">"
	case opNot:
		return "!" + of[0]
	}
	c := q.clauses[n.clause]
	said := strings.Join(c.stems, " ")
	if c.prefix != "" {
		said = c.prefix + "*"
	}
	if c.needle != "" {
		said = "~" + c.needle + "~"
	}
	if len(c.stems) > 1 {
		said = `"` + said + `"`
	}
	if c.field != "" {
		said = c.field + ":" + said
	}
	return said
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"terminated leases":         "(termin + leas)",
		`"written notice"`:          `"written notic"`,
		`lease"written notice"`:     `(leas + "written notic")`,
		`„written notice“ «a b»`:    `("written notic" + "a b")`,
		`""a"b"`:                    "(a + b)",
		"e-mail":                    `<"e mail" email>`,
		"termin*":                   "termin*",
		"le* lease* a lease*":       "(lease* + a)",
		"e-mai*":                    "<(mai* + e) emai*>",
		`"a b*"`:                    `"a b"`,
		"a* -b +c (d) ~e~":          "(a* + !b + c + d + e)",
		"Zürich\u00a0ÉTÉ*":          "(zurich + ete*)",
		"\xff\xfe lease":            "leas",
		"Quill & Co - § 4":          "(quill + co + 4)",
		"a OR b c":                  "(a | (b + c))",
		"a AND b OR NOT c":          "((a + b) | !c)",
		"a (b OR c)":                "(a + (b | c))",
		"-(a OR -b)":                "!(a | !b)",
		"NOT NOT a":                 "!!a",
		`-"a b"`:                    `!"a b"`,
		"-a":                        "!a",
		`or and not "OR"`:           "(or + and + not + or)",
		"ORDER NOTE ANDREW":         "(order + note + andrew)",
		"name:lease":                "name:leas",
		"Name:lease tags:a":         "(name:leas + tag:a)",
		`description:"a b" -tag:x`:  `(description:"a b" + !tag:x)`,
		"tag:client:acme":           `tag:"client acm"`,
		"amount:12 field.amount:1*": "(field.amount:12 + field.amount:1*)",
		"name:(a OR b) c":           "((name:a | name:b) + c)",
		"10:30":                     `"10 30"`,
		"https://example.com/a?b=c": `"https exampl com a b c"`,
		`C:\path`:                   `"c path"`,
		"colour:red":                `"colour red"`,
		"4(a) f(x)":                 `("4 a" + "f x")`,
		"--rate -> x":               "(rate + x)",
		"E619-1609":                 `<"e619 1609" e6191609>`,
		`"no E619-1609"`:            `<"no e619 1609" "no e6191609">`,
		"what? yes! a; b, c.":       "(what + yes + a + b + c)",
	} {
		got, err := parse(splitter(t, "en"), someFields, text)
		if err != nil || got.String() != want {
			t.Errorf("%q is %v, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"vertrag":        "<vertrag ~vertrag~>",
		"Kündigungen":    "<kundig ~kundigung~>",
		`"die Verträge"`: `"die vertrag"`,
		"name:vertrag":   "name:vertrag",
		"amt":            "amt",
	} {
		if got, err := parse(splitter(t, "de"), someFields, text); err != nil || got.String() != want {
			t.Errorf("%q is %v, %v, want %s", text, got, err, want)
		}
	}
	if got, err := parse(splitter(t, "fr"), someFields, "privilégiée"); err != nil || got.String() != "<privilegi privilegie>" {
		t.Errorf("%v, %v", got, err)
	}
}

// A query that cannot be understood is refused, and says where and why.
func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("(", maxDepth+1) + "a" + strings.Repeat(")", maxDepth+1)
	for text, want := range map[string]string{
		"": "a word to look for", " ": "a word to look for", `""`: "a word to look for", "+ !": "a word to look for",
		strings.Repeat("a", 1001): "at most 1000 bytes", strings.Repeat("a ", 33): "at most 32 words", strings.Repeat("a-", 33): "at most 32 words",
		`lease "written`:                 "at character 7: this quotation mark is not closed",
		`"`:                              "at character 1: this quotation mark",
		"a (b":                           "at character 3: this parenthesis is not closed",
		"a b)":                           "at character 4: this parenthesis closes none",
		")":                              "at character 1: this parenthesis closes none",
		"a ()":                           "at character 3: there is no word",
		deep:                             "at character 17: more than 16 parentheses",
		strings.Repeat("NOT ", 17) + "a": "more than 16 parts",
		"OR a":                           "at character 1: OR needs a word before it",
		"a OR":                           "at character 3: OR needs a word behind it",
		"a OR OR b":                      "at character 3: OR needs",
		"(a OR) b":                       "at character 4: OR needs",
		"a AND":                          "at character 3: AND needs",
		"AND":                            "at character 1: AND needs",
		"a AND OR b":                     "at character 3: AND needs",
		"a NOT":                          "at character 3: NOT needs a word",
		"NOT OR":                         "at character 1: NOT needs",
		"-OR":                            "at character 1: - needs",
		"é *":                            "at character 3: a star",
		"ter*m":                          "at character 4: a star",
		"*ment":                          "at character 1: a star",
		"name:":                          "at character 1: name: needs a word",
		"a tag: b":                       "at character 3: tag: needs a word",
		"name:!":                         "at character 6: name: needs a word",
		"name:-a":                        "as in -name:word",
		"name:()":                        "there is no word",
		`name:"a`:                        "at character 6: this quotation mark",
		"field.x:a":                      "at character 1: field.x is not a field",
		"signed:yes":                     "filter by field.signed=true",
	} {
		var refused *engine.InvalidError
		if got, err := parse(splitter(t, "en"), someFields, text); !errors.As(err, &refused) || refused.Fields[0].Field != "q" || !strings.Contains(refused.Fields[0].Message, want) {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

// FuzzParse holds that any text is a query or refused, and that what is read is
// bounded.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`lease "written notice" termin*`, `e-mai* "`, "\xff*", "契約*", `"a"b"c*`, "-(a OR name:b) NOT c", "E619-1609.4/5,000*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, language := range []string{"en", "de", "fr"} {
			q, err := parse(splitter(t, language), someFields, text)
			if err != nil {
				if !errors.Is(err, engine.ErrInvalid) {
					t.Fatal(err)
				}
				continue
			}
			if len(q.clauses) == 0 || len(q.clauses) > 5*maxWords {
				t.Fatalf("%q: %d clauses", text, len(q.clauses))
			}
			for _, c := range q.clauses {
				if (c.prefix == "") == (c.needle == "") && len(c.stems) == 0 || len(c.stems) > maxWords {
					t.Fatalf("%q: a clause of %+v", text, c)
				}
			}
		}
	})
}

// FuzzExcerpt holds that no text makes markup of a snippet.
func FuzzExcerpt(f *testing.F) {
	f.Add(`<script>alert("x")</script> & 'y'`, "alert")
	f.Add(strings.Repeat("Größe <b>", 50), "größe b*")
	f.Add("a\xffb <mark>c", "c")
	f.Fuzz(func(t *testing.T, text, query string) {
		split := splitter(t, "en")
		q, err := parse(split, someFields, query)
		if err != nil {
			return
		}
		for _, s := range newMarker(&evaluation{split: split, inquiry: q}).passages("", text, maxSnippets) {
			bare := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(s)
			if strings.ContainsAny(bare, `<>"'`) || strings.Count(s, "<mark>") != strings.Count(s, "</mark>") || !strings.Contains(s, "<mark>") {
				t.Fatalf("%q in %q: %q", query, text, s)
			}
		}
	})
}
