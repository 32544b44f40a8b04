// Package words divides text into the words a full-text index knows it by.
//
// A word is a run of letters, digits and combining marks; whatever else stands
// in a text divides words, so that "e-mail" is two and "2026-11-21" three. Where
// a script writes no spaces (Chinese, Japanese, Korean) each character is a
// word. A word has a form, which is what was written without case and accents
// (Zürich is zurich), and a stem, which is what its inflections have in common
// in the language of the text: terminate, terminated and termination all have
// the stem termin. Stems are those of the Snowball project.
package words

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/spanish"
)

// Word is one word of a text: text[Start:End] as it stands there.
type Word struct {
	Form, Stem string
	Start, End int
}

// maxWord is how many bytes of a word count; what is longer is no word that
// anybody would look for, but must not fill the index either.
const maxWord = 64

// maxStems is how many stems are remembered, since a text repeats its words.
const maxStems = 1 << 16

var stemmers = map[string]func(*snowballstem.Env) bool{
	"de": german.Stem, "en": english.Stem, "es": spanish.Stem, "fr": french.Stem,
	"it": italian.Stem, "nl": dutch.Stem, "pt": portuguese.Stem,
}

// Splitter divides texts of one language. It is not for concurrent use.
type Splitter struct {
	stem  func(*snowballstem.Env) bool
	known map[string]Word // by the word as written; Form and Stem only
}

// NewSplitter takes a language by its code of ISO 639-1.
func NewSplitter(language string) (*Splitter, error) {
	stem, ok := stemmers[language]
	if !ok {
		return nil, fmt.Errorf("no words are known of language %q, only of %s", language,
			strings.Join(slices.Sorted(maps.Keys(stemmers)), ", "))
	}
	return &Splitter{stem: stem, known: map[string]Word{}}, nil
}

// Words divides a text. Invalid UTF-8 divides words.
func (s *Splitter) Words(text string) iter.Seq[Word] {
	return func(yield func(Word) bool) {
		for at := 0; at < len(text); {
			start, end := next(text, at)
			if start == end {
				return
			}
			at = end
			w := s.word(text[start:end])
			if w.Form == "" { // marks alone
				continue
			}
			w.Start, w.End = start, end
			if !yield(w) {
				return
			}
		}
	}
}

// next finds the first word from at on; start is end when there is none.
func next(text string, at int) (start, end int) {
	start = -1
	for at < len(text) {
		r, size := rune(text[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[at:])
		}
		switch {
		case alone(r):
			if start >= 0 {
				return start, at
			}
			return at, at + size
		case inWord(r):
			if start < 0 {
				start = at
			}
		case start >= 0:
			return start, at
		}
		at += size
	}
	if start < 0 {
		return at, at
	}
	return start, at
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// alone reports whether a character is a word by itself.
func alone(r rune) bool {
	return r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func (s *Splitter) word(written string) Word {
	if w, ok := s.known[written]; ok {
		return w
	}
	lower := strings.ToLower(cut(written))
	w := Word{Form: fold(lower), Stem: fold(s.stemOf(lower))}
	if w.Stem == "" {
		w.Stem = w.Form
	}
	if len(written) > maxWord {
		return w // as long as a file: too much to remember
	}
	if len(s.known) == maxStems {
		clear(s.known)
	}
	s.known[strings.Clone(written)] = w
	return w
}

// stemOf leaves alone what has a digit: a number and the name of a clause have
// no inflections.
func (s *Splitter) stemOf(lower string) string {
	if strings.ContainsFunc(lower, unicode.IsDigit) {
		return lower
	}
	env := snowballstem.NewEnv(lower)
	s.stem(env)
	return env.Current()
}

// cut keeps what counts of a long word, in whole characters.
func cut(word string) string {
	if len(word) <= maxWord {
		return word
	}
	end := maxWord
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}
