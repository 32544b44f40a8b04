package search

import (
	"errors"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

func parsed(t testing.TB, text string) (string, error) {
	t.Helper()
	split, err := words.NewSplitter("en")
	if err != nil {
		t.Fatal(err)
	}
	clauses, err := parse(split, text)
	var out []string
	for _, c := range clauses {
		var stems []string
		for _, w := range c.words {
			stems = append(stems, w.Stem)
		}
		if c.prefix != "" {
			stems = append(stems, c.prefix+"*")
		}
		out = append(out, strings.Join(stems, " "))
	}
	return strings.Join(out, " + "), err
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"terminated leases":     "termin + leas",
		`"written notice"`:      "written notic",
		`lease"written notice`:  "leas + written notic",
		`""a"b`:                 "a + b",
		"e-mail":                "e mail",
		"termin*":               "termin*",
		"le* lease* a lease*":   "lease* + a",
		"e-mai*":                "mai* + e",
		`"a b*"`:                "a b",
		"* ** a* -b +c (d) ~e~": "a* + b + c + d + e",
		"Zürich\u00a0ÉTÉ*":      "zurich + ete*",
		"\xff\xfe lease":        "leas",
	} {
		got, err := parsed(t, text)
		if err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", `"`, `""`, "***", "- + !", strings.Repeat("a", 1001), strings.Repeat("a ", 33), strings.Repeat("a-", 33)} {
		if got, err := parsed(t, text); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// FuzzParse holds that any text is a query or refused, and that the query that
// is read does not change when it is read again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`lease "written notice" termin*`, `e-mai* "`, "\xff*", "契約*", `"a"b"c*`} {
		f.Add(text)
	}
	split, err := words.NewSplitter("en")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clauses, err := parse(split, text)
		if err != nil {
			if !errors.Is(err, engine.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		total := 0
		for _, c := range clauses {
			total += len(c.words)
			if (c.prefix == "") == (len(c.words) == 0) {
				t.Fatalf("%q: a clause of %+v", text, c)
			}
		}
		if len(clauses) == 0 || total > maxWords {
			t.Fatalf("%q: %d clauses of %d words", text, len(clauses), total)
		}
	})
}

// FuzzExcerpt holds that no text makes markup of a snippet.
func FuzzExcerpt(f *testing.F) {
	f.Add(`<script>alert("x")</script> & 'y'`, "alert")
	f.Add(strings.Repeat("Größe <b>", 50), "größe b*")
	f.Add("a\xffb <mark>c", "c")
	f.Fuzz(func(t *testing.T, text, query string) {
		split, err := words.NewSplitter("en")
		if err != nil {
			t.Fatal(err)
		}
		clauses, err := parse(split, query)
		if err != nil {
			return
		}
		for _, s := range (&marker{split, clauses}).passages(text, maxSnippets) {
			bare := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(s)
			if strings.ContainsAny(bare, `<>"'`) || strings.Count(s, "<mark>") != strings.Count(s, "</mark>") || !strings.Contains(s, "<mark>") {
				t.Fatalf("%q in %q: %q", query, text, s)
			}
		}
	})
}
