package words

import (
	"fmt"
	"slices"
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
		{"en", "ada@example.com on 2026-11-21, § 4a", "ada example com on 20261121 2026 11 21 4a", "ada exampl com on 20261121 2026 11 21 4a"},
		{"de", "Kündigung der Verträge", "kundigung der vertrage", "kundig der vertrag"},
		{"fr", "l'échéance des contrats", "l echeance des contrats", "l echeanc de contrat"},
		{"en", "Zürich Zu\u0308rich Straße", "zurich zurich strasse", "zurich zurich strass"},
		{"en", "契約書 contract", "契 約 書 contract", "契 約 書 contract"},
		{"en", "договор \xff\xfe ende\u0301", "договор ende", "договор end"},
		{"en", "\u0301 , — ", "", ""},
		{"en", strings.Repeat("ü", 100), strings.Repeat("u", 64), strings.Repeat("u", 64)},
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

// What is written in several ways is found by each: all of a line have a form in
// common, in every language.
func TestOneSpelling(t *testing.T) {
	for _, line := range [][]string{
		{"café", "cafe\u0301", "cafe", "CAFÉ"},
		{"Straße", "STRASSE", "strasse", "STRAẞE"},
		{"Ørsted", "orsted", "ØRSTED"}, {"Łódź", "lodz", "Ło\u0301dz\u0301"}, {"Đà Nẵng", "da nang", "Đa\u0300 Na\u0306\u0303ng"},
		{"oﬃce", "office"}, {"ﬁnal", "final"}, {"ＡＢＣ１２３", "abc123"}, {"H₂O", "h2o"}, {"ſtaat", "staat"}, {"Ǆ", "dz"},
		{"한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"},
		{"パーティー", "ハ\u309aーティー", "ﾊﾟｰﾃｨｰ"}, {"が", "か\u3099"}, {"ガ", "ｶﾞ"},
		{"Αθήνα", "αθηνα", "ΑΘΗΝΑ", "Αθη\u0301να"}, {"ὁδός", "οδοσ"},
		{"ёлка", "елка", "Е\u0308ЛКА"}, {"йод", "и\u0306од"}, {"замо\u0301к", "замок"},
		{"İstanbul", "istanbul", "ISTANBUL"}, {"ışık", "isik"},
		{"مُحَمَّد", "محمد"}, {"كتـــاب", "كتاب"}, {"أحمد", "احمد"}, {"ﻛﺘﺎﺏ", "كتاب"}, {"٤٧١١", "4711", "۴۷۱۱"}, {"مدرسة", "مدرسه"}, {"کتاب", "كتاب"},
		{"שָׁלוֹם", "שלום"},
		{"Kün\u00addigung", "Kündigung"}, {"Kün-\ndigung", "Kündigung"}, {"Kün\u00ad\ndigung", "Kündigung"}, {"Kün\u2010 \r\n  digung", "Kündigung"}, {"Kün\x02\ndigung", "Kündigung"}, {"Kün\ufffedigung", "Kündigung"},
		{"E619-1609", "E6191609", "E619\u20111609", "E619_1609"}, {"T-4711", "T4711"}, {"030/1234567", "0301234567"}, {"1.250.000", "1250000", "1'250'000", "1,250,000", "1\u202f250\u202f000", "1\u00a0250\u00a0000"}, {"1.250,00", "1250,00"},
		{"2026-11-21", "20261121"}, {"e-mail", "email"}, {"name\u200bd", "d"}, {"می\u200cخواهم", "میخواهم"},
		{"ประเทศ", "ประเทศ"}, {"⼀", "一"},
	} {
		for language := range stemmers {
			common := map[string]int{}
			for _, written := range line {
				forms, _ := split(t, language, written)
				slices.Sort(forms)
				for _, form := range slices.Compact(forms) {
					common[form]++
				}
			}
			same := 0
			for _, n := range common {
				if n == len(line) {
					same++
				}
			}
			if same == 0 {
				t.Errorf("%s: %+q have no form in common: %v", language, line, common)
			}
		}
	}
	for _, line := range [][2]string{{"йод", "иод"}, {"が", "か"}, {"notice²", "notice2"}, {"1,2", "12 a"}} {
		a, _ := split(t, "en", line[0])
		b, _ := split(t, "en", line[1])
		if slices.Contains(a, b[0]) && line[0] != "1,2" {
			t.Errorf("%q and %q are the same: %q, %q", line[0], line[1], a, b)
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
			last, place := 0, 0
			for w := range s.Words(text) {
				if w.Start < last || w.End <= w.Start || w.End > len(text) || w.Place < place-1 {
					t.Fatalf("%s: a word at %d to %d, after %d, at place %d after %d", language, w.Start, w.End, last, w.Place, place)
				}
				if w.Form == "" || w.Stem == "" || len(w.Form) > maxWord || !utf8.ValidString(w.Form+w.Stem+w.Plain) {
					t.Fatalf("%s: %+v", language, w)
				}
				last, place = w.Start, w.Place
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
