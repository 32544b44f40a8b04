package words

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func split(t testing.TB, language, text string) (forms, stems []string) {
	t.Helper()
	s, err := NewSplitter(language)
	if err != nil {
		t.Fatal(err)
	}
	for w := range s.Words(text) {
		forms, stems = append(forms, w.Form), append(stems, w.Stem)
	}
	return forms, stems
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ language, text, forms, stems string }{
		{"en", "Terminated, terminates; TERMINATION!", "terminated terminates termination", "termin termin termin"},
		{"en", "ada@example.com on 2026-11-21, § 4a", "ada example com on 2026 11 21 4a", "ada exampl com on 2026 11 21 4a"},
		{"de", "Kündigung der Verträge", "kundigung der vertrage", "kundig der vertrag"},
		{"fr", "l'échéance des contrats", "l echeance des contrats", "l echeanc de contrat"},
		{"en", "Zürich Zu\u0308rich Straße", "zurich zurich strasse", "zurich zurich strasse"},
		{"en", "契約書 contract", "契 約 書 contract", "契 約 書 contract"},
		{"en", "договор \xff\xfe ende\u0301", "договор ende", "договор ende"},
		{"en", "\u0301 , — ", "", ""},
		{"en", strings.Repeat("ü", 100), strings.Repeat("u", 32), strings.Repeat("u", 32)},
	} {
		forms, stems := split(t, c.language, c.text)
		if got := strings.Join(forms, " "); got != c.forms {
			t.Errorf("%s %q has forms %q, want %q", c.language, c.text, got, c.forms)
		}
		if got := strings.Join(stems, " "); got != c.stems {
			t.Errorf("%s %q has stems %q, want %q", c.language, c.text, got, c.stems)
		}
	}
}

func TestEveryLanguageOfTheSettings(t *testing.T) {
	for _, language := range []string{"de", "en", "es", "fr", "it", "nl", "pt"} {
		if forms, _ := split(t, language, "a contract"); len(forms) != 2 {
			t.Errorf("%s: %q", language, forms)
		}
	}
	if _, err := NewSplitter("xx"); err == nil {
		t.Error("a language nobody speaks has words")
	}
}

// What is as long as a file is not kept beyond its text.
func TestLongWordsAreNotRemembered(t *testing.T) {
	s, err := NewSplitter("en")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		for range s.Words(fmt.Sprintf("a%d %d%s", n%10, n, strings.Repeat("f", 10_000))) {
		}
	}
	kept := 0
	for written := range s.known {
		kept += len(written)
	}
	if len(s.known) != 10 || kept > 10*maxWord {
		t.Errorf("%d words of %d bytes are remembered", len(s.known), kept)
	}
}

func FuzzWords(f *testing.F) {
	f.Add("The parties' agreement, dated 2026-11-21 — Zürich 契約\xff")
	splitters := map[string]*Splitter{}
	for language := range stemmers {
		splitters[language], _ = NewSplitter(language)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for language, s := range splitters {
			last := 0
			for w := range s.Words(text) {
				if w.Start < last || w.End <= w.Start || w.End > len(text) {
					t.Fatalf("%s: a word at %d to %d, after %d", language, w.Start, w.End, last)
				}
				if w.Form == "" || w.Stem == "" || len(w.Form) > 3*maxWord || !utf8.ValidString(w.Form) || !utf8.ValidString(w.Stem) {
					t.Fatalf("%s: %+v", language, w)
				}
				last = w.End
			}
		}
	})
}

func BenchmarkWords(b *testing.B) {
	s, err := NewSplitter("en")
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "the party of the %d part terminates the agreement ", i%50)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		for range s.Words(text.String()) {
		}
	}
}
