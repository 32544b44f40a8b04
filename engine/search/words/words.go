// Package words divides text into the words a full-text index knows it by.
//
// A word is a run of letters, digits and combining marks; whatever else stands
// in a text divides words, so that "e-mail" is two and "2026-11-21" three. What
// is one thing with signs in it is a word as a whole too: e-mail is also email,
// E619-1609 is also E6191609, 1.250 is also 1250, and so is what a hyphen divides
// at a line's end. Where words are written without spaces (Chinese, Japanese,
// Korean, Thai and its neighbours) each character is a word.
//
// Whoever indexes a text, reads a query or marks a passage takes words from
// here, so that all compare the same. A word has a form, which is what was
// written, in one spelling (canonical and compatibility forms, full width,
// ligatures), without case and accents (Zürich is zurich, Ørsted is orsted); and
// a stem, which is what its inflections have in common in the language of the
// text: terminate, terminated and termination all have the stem termin. Stems
// are those of the Snowball project. Accents come off before the stem is made
// where the language allows it; where endings differ by them (French, Italian,
// Portuguese, Spanish) a word has the stem of its plain form as well.
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
	Plain      string // the stem of what is typed without accents; "" if that is Stem
	Start, End int
	Place      int // among the words of the text, from 0
	Parts      int // how many words it is joined of; 1 is one that stands by itself
}

// maxWord is how many bytes of a word count; what is longer is no word that
// anybody would look for, but must not fill the index either.
const maxWord = 64

// maxStems is how many stems are remembered, since a text repeats its words.
const maxStems = 1 << 16

// foldsFirst are the languages whose stemmers need no accents.
var foldsFirst = map[string]bool{"de": true, "en": true, "nl": true}

var stemmers = map[string]func(*snowballstem.Env) bool{
	"de": german.Stem, "en": english.Stem, "es": spanish.Stem, "fr": french.Stem,
	"it": italian.Stem, "nl": dutch.Stem, "pt": portuguese.Stem,
}

// Splitter divides texts of one language. It is not for concurrent use.
type Splitter struct {
	language string
	stem     func(*snowballstem.Env) bool
	known    map[string]Word // by the word as written; without where it stands
	remember int
}

// NewSplitter takes a language by its code of ISO 639-1.
func NewSplitter(language string) (*Splitter, error) {
	stem, ok := stemmers[language]
	if !ok {
		return nil, fmt.Errorf("no words are known of language %q, only of %s", language,
			strings.Join(slices.Sorted(maps.Keys(stemmers)), ", "))
	}
	return &Splitter{language: language, stem: stem, known: map[string]Word{}, remember: maxStems}, nil
}

// Forgetful makes the splitter remember few words, for who reads little: half a
// MiB of them at most. It returns the splitter.
func (s *Splitter) Forgetful() *Splitter {
	s.remember = maxStems / 32
	return s
}

// Words divides a text. Invalid UTF-8 divides words. What is joined comes before
// its parts; the places never fall.
func (s *Splitter) Words(text string) iter.Seq[Word] {
	return func(yield func(Word) bool) {
		place := 0
		var c chain
		for at := 0; at < len(text); {
			t := next(text, at)
			if t.start == t.end {
				return
			}
			at = t.end
			if t.alone {
				n, ok := s.alone(text, t, place, yield)
				if place += n; !ok {
					return
				}
				continue
			}
			kind := apart
			if t.end < len(text) && text[t.end] != ' ' {
				kind, _ = parting(text, t.end)
			}
			if kind == apart {
				w := s.word(text[t.start:t.end])
				if w.Form == "" { // marks alone
					continue
				}
				w.Start, w.End, w.Place, w.Parts = t.start, t.end, place, 1
				if place++; !yield(w) {
					return
				}
				continue
			}
			c.read(text, t)
			at = c.tokens[c.n-1].end
			n, ok := s.chain(text, &c, place, yield)
			if place += n; !ok {
				return
			}
		}
	}
}

// alone yields the words of a token that is one by itself: several, if it is
// Korean in parts. n is how many places they take.
func (s *Splitter) alone(text string, t token, place int, yield func(Word) bool) (n int, ok bool) {
	whole := clean(text[t.start:t.end])
	for rest := whole; rest != ""; n++ {
		_, size := utf8.DecodeRuneInString(rest)
		for size < len(rest) {
			r, more := utf8.DecodeRuneInString(rest[size:])
			if !unicode.IsMark(r) {
				break
			}
			size += more
		}
		form := fold(rest[:size])
		rest = rest[size:]
		if !yield(Word{Form: form, Stem: form, Start: t.start, End: t.end, Place: place + n, Parts: 1}) {
			return n, false
		}
	}
	return n, true
}

// chain yields the words of a chain, and those that several of them make.
func (s *Splitter) chain(text string, c *chain, place int, yield func(Word) bool) (n int, ok bool) {
	var whole [maxChain + 1][2]int
	wholes := 0
	c.joined(text, func(from, through int) {
		whole[wholes] = [2]int{from, through}
		wholes++
	})
	broken := 0
	for i, t := range c.tokens[:c.n] {
		for _, w := range whole[:wholes] {
			if w[0] == i && !s.join(text, c, w[0], w[1], place+i, yield) {
				return n, false
			}
		}
		if i < c.n-1 && c.kinds[i] == lines {
			broken = 1
		}
		w := s.word(text[t.start:t.end])
		w.Start, w.End, w.Place, w.Parts = t.start, t.end, place+i, 1
		if w.Form != "" && !yield(w) {
			return n, false
		}
	}
	// What a line's end divides takes one place, so that it is one word of a
	// phrase; its parts are words as well, for it may be well-known.
	return c.n - broken, true
}

func (s *Splitter) join(text string, c *chain, from, through, place int, yield func(Word) bool) bool {
	var b strings.Builder
	for _, t := range c.tokens[from : through+1] {
		b.WriteString(text[t.start:t.end])
		if b.Len() > maxWord {
			return true
		}
	}
	w := s.word(b.String())
	w.Start, w.End, w.Place, w.Parts = c.tokens[from].start, c.tokens[through].end, place, through-from+1
	return w.Form == "" || yield(w)
}

func (s *Splitter) word(written string) Word {
	if w, ok := s.known[written]; ok {
		return w
	}
	full := clean(cut(written, 4*maxWord))
	w := Word{Form: cut(fold(full), maxWord)}
	w.Stem = s.stemOf(w.Form)
	if !foldsFirst[s.language] {
		plain := w.Stem
		if w.Stem = cut(fold(s.stemOf(cut(full, maxWord))), maxWord); plain != w.Stem {
			w.Plain = plain
		}
	}
	if w.Stem == "" {
		w.Stem = w.Form
	}
	if len(written) > maxWord {
		return w // as long as a file: too much to remember
	}
	if len(s.known) >= s.remember {
		clear(s.known)
	}
	s.known[strings.Clone(written)] = w
	return w
}

// stemOf leaves alone what has a digit: a number and the name of a clause have
// no inflections.
func (s *Splitter) stemOf(word string) string {
	if word == "" || strings.ContainsFunc(word, unicode.IsDigit) {
		return word
	}
	env := snowballstem.NewEnv(word)
	s.stem(env)
	if env.Current() == "" {
		return word
	}
	return env.Current()
}

// cut keeps what counts of a long word, in whole characters.
func cut(word string, most int) string {
	if len(word) <= most {
		return word
	}
	end := most
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}
