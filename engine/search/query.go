package search

import (
	"fmt"
	"strings"
	"unicode"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

const (
	maxQuery = 1000 // bytes
	maxWords = 32
)

// clause is a part of a query that a document must meet: several words are a
// phrase, a prefix stands alone.
type clause struct {
	words  []words.Word
	prefix string
}

// parse reads a query: words, "phrases" and prefix*. It takes whatever people
// type: a quote that is not closed reaches to the end, and signs mean nothing.
// What is written as one word and is several, as e-mail is, is a phrase.
func parse(split *words.Splitter, text string) ([]clause, error) {
	if len(text) > maxQuery {
		return nil, invalid("must be at most %d bytes", maxQuery)
	}
	var clauses []clause
	total := 0
	for piece, star := range pieces(text) {
		var c clause
		for w := range split.Words(piece) {
			c.words = append(c.words, w)
		}
		if total += len(c.words); total > maxWords {
			return nil, invalid("must have at most %d words", maxWords)
		}
		if len(c.words) == 0 {
			continue
		}
		if star {
			last := len(c.words) - 1
			clauses = append(clauses, clause{prefix: c.words[last].Form})
			c.words = c.words[:last]
		}
		if len(c.words) > 0 {
			clauses = append(clauses, c)
		}
	}
	if len(clauses) == 0 {
		return nil, invalid("must have a word to look for")
	}
	return withoutImplied(clauses), nil
}

// withoutImplied leaves out prefixes that a longer one says already, or an
// earlier one has said, so that no query reads the words of the index twice.
func withoutImplied(clauses []clause) []clause {
	var needed []clause
	for i, c := range clauses {
		implied := func(j int, other clause) bool {
			longer := len(other.prefix) > len(c.prefix) || len(other.prefix) == len(c.prefix) && j < i
			return longer && strings.HasPrefix(other.prefix, c.prefix)
		}
		said := false
		for j, other := range clauses {
			said = said || c.prefix != "" && implied(j, other)
		}
		if !said {
			needed = append(needed, c)
		}
	}
	return needed
}

func invalid(format string, args ...any) error {
	return &engine.InvalidError{Fields: []engine.FieldError{{Field: "q", Message: fmt.Sprintf(format, args...)}}}
}

// pieces yields what is between spaces or quotes, and whether a star ends it.
func pieces(text string) func(yield func(string, bool) bool) {
	return func(yield func(string, bool) bool) {
		for {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
			if text == "" {
				return
			}
			var piece string
			quoted := false
			if text[0] == '"' {
				piece, text, _ = strings.Cut(text[1:], `"`)
				quoted = true
			} else {
				end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
				if end < 0 {
					end = len(text)
				}
				piece, text = text[:end], text[end:]
			}
			if !yield(piece, !quoted && strings.HasSuffix(piece, "*")) {
				return
			}
		}
	}
}
