package words

import (
	"bufio"
	"flag"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
)

func TestInside(t *testing.T) {
	for _, c := range []struct {
		language, query, word string
		inside                bool
	}{
		{"de", "Kündigungsfrist", "Vertragskündigungsfrist", true},
		{"de", "Kündigung", "Vertragskündigungsfrist", true},
		{"de", "Kündigungen", "Vertragskündigungsfrist", true},
		{"de", "Frist", "Vertragskündigungsfristen", true},
		{"de", "Vertrag", "Vertragskündigungsfrist", true},
		{"de", "Verträge", "Mietvertrag", true},
		{"de", "Mietverträge", "Untermietvertrag", true},
		{"de", "Miete", "Kaltmiete", true},
		{"de", "Haus", "Krankenhäuser", true},
		{"de", "Versicherung", "Haftpflichtversicherungen", true},
		{"de", "Straße", "Hauptstraßennetz", true},
		{"de", "Mieter", "Vermieter", false},
		{"de", "wirksam", "unwirksam", false},
		{"de", "Reise", "Verkaufspreise", false},
		{"de", "Reise", "Umkreise", false},
		{"de", "Amt", "gesamtschuldnerisch", false},
		{"de", "Vertrag", "Vertrag", false},
		{"nl", "verzekering", "aansprakelijkheidsverzekering", true},
		{"nl", "overeenkomst", "huurovereenkomsten", true},
		{"nl", "termijn", "opzegtermijn", true},
		{"en", "house", "warehouse", false},
	} {
		s, err := NewSplitter(c.language)
		if err != nil {
			t.Fatal(err)
		}
		var query, word Word
		for query = range s.Words(c.query) {
		}
		for word = range s.Words(c.word) {
		}
		needle := s.Needle(query)
		if got := needle != "" && s.Long(word.Form) && s.Inside(needle, []byte(word.Form)); got != c.inside {
			t.Errorf("%s in %s (%s in %s): %v", c.query, c.word, needle, word.Form, got)
		}
	}
}

var nouns = flag.String("nouns", "", "a list of German words, such as Debian's wngerman, to measure TestCompounds by")

// TestCompounds measures by a list of words how many compounds of two nouns of
// it are found by either, and how many words are found that are none of it.
func TestCompounds(t *testing.T) {
	if *nouns == "" {
		t.Skip("needs -nouns")
	}
	file, err := os.Open(*nouns)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, _ := NewSplitter("de")
	all, any := map[string]bool{}, map[string]bool{} // the forms of nouns, and of all words
	for lines := bufio.NewScanner(file); lines.Scan(); {
		any[s.word(lines.Text()).Form] = true
		if word := lines.Text(); word[0] >= 'A' && word[0] <= 'Z' || strings.HasPrefix(word, "Ä") || strings.HasPrefix(word, "Ö") || strings.HasPrefix(word, "Ü") {
			all[s.word(word).Form] = true
		}
	}
	var sorted []string
	for form := range all {
		sorted = append(sorted, form)
	}
	sort.Strings(sorted)
	pairs, found := 0, 0
	judged, wrong := 0, 0
	for i, form := range sorted {
		if i%5 != 0 || !s.Long(form) {
			continue
		}
		parts := map[string]bool{} // which of its suffixes and beginnings are nouns
		for at := 3; at <= len(form)-3; at++ {
			for _, link := range []string{"", "s", "n", "en", "es"} {
				left, ok := strings.CutSuffix(form[:at], link)
				if right := form[at:]; ok && len(left) >= needle && len(right) >= needle && all[left] && all[right] {
					parts[right] = true
					if len(left) >= firstPart {
						parts[left] = true
					}
				}
			}
		}
		for part := range parts {
			pairs++
			w := s.word(part)
			w.Parts = 1
			if needle := s.Needle(w); needle != "" && s.Inside(needle, []byte(form)) {
				found++
			}
		}
		// Any noun at all that is said to be inside: what is left of it must be
		// words, or no more than an ending.
		word := func(b string) bool {
			for _, link := range links {
				if left, ok := strings.CutSuffix(b, link); ok && any[left] {
					return true
				}
				if right, ok := strings.CutPrefix(b, link); ok && any[right] {
					return true
				}
			}
			return b == ""
		}
		for from := range len(form) {
			for to := from + needle; to <= len(form); to++ {
				sub := form[from:to]
				if to-from == len(form) || !all[sub] || !s.Inside(sub, []byte(form)) {
					continue
				}
				judged++
				if rest := form[to:]; !word(form[:from]) || !word(rest) && !slices.Contains(endings, rest) {
					if wrong++; wrong%800 == 0 {
						t.Logf("%s in %s", sub, form)
					}
				}
			}
		}
	}
	t.Logf("%d pairs of a noun and a compound with it, %d found (%.1f %%)", pairs, found, 100*float64(found)/float64(pairs))
	t.Logf("%d nouns judged to be inside, %d of them beside what is no word (%.1f %%)", judged, wrong, 100*float64(wrong)/float64(judged))
}
