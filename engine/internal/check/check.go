// Package check judges the values that callers give: names, tags, custom
// fields, addresses and the like. Its rules need no vault, so they can be tested
// without one. What only a vault can tell (whether an id is known, a name is
// free, one row more is allowed) is asked in package engine.
package check

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of text, in characters.
const (
	MaxName        = 255
	MaxDescription = 10_000
	MaxComment     = 2_000 // reasons and notes too
	MaxShort       = 200   // external ids, labels, products, templates, agreements, people's names
	maxEmail       = 254
)

const (
	// maxMistakes bounds what one call is told: more would help nobody.
	maxMistakes = 50
	// maxField bounds the name of a field in a message, in bytes. A caller may have chosen it.
	maxField = 100
)

// Mistake names one value that cannot be accepted, in the API's spelling
// ("tags[3]", "customFields.amount"), and says what would be.
type Mistake struct {
	Field   string
	Message string
}

// Mistakes gathers the mistakes of one call, so that the caller hears of all of
// them at once. The zero value has none. At most 50 are kept.
type Mistakes struct{ all []Mistake }

// All returns the mistakes in the order in which they were found, nil if there
// are none.
func (c *Mistakes) All() []Mistake { return c.all }

// Fail adds a mistake. A field name of more than 100 bytes is cut.
func (c *Mistakes) Fail(field, format string, args ...any) {
	if len(c.all) == maxMistakes {
		return
	}
	if len(field) > maxField {
		field = strings.ToValidUTF8(field[:maxField], "") + "…"
	}
	c.all = append(c.all, Mistake{field, fmt.Sprintf(format, args...)})
}

// Line checks text that stands on one line: valid UTF-8, no control characters,
// at most so many characters. Empty text passes.
func (c *Mistakes) Line(field, value string, most int) {
	c.text(field, value, most, unicode.IsControl)
}

// Prose checks as Line does, but allows line breaks and tabs.
func (c *Mistakes) Prose(field, value string, most int) {
	c.text(field, value, most, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

func (c *Mistakes) text(field, value string, most int, forbidden func(rune) bool) {
	switch {
	case !utf8.ValidString(value):
		c.Fail(field, "must be valid UTF-8")
	case utf8.RuneCountInString(value) > most:
		c.Fail(field, "must be at most %d characters", most)
	case strings.ContainsFunc(value, forbidden):
		c.Fail(field, "must not contain control characters")
	}
}

// Required checks as Line does, and refuses text that is empty or blank.
func (c *Mistakes) Required(field, value string, most int) {
	if strings.TrimSpace(value) == "" {
		c.Fail(field, "must not be empty")
		return
	}
	c.Line(field, value, most)
}

// OneOf checks that a value is one of at least two words. A nil value passes.
func (c *Mistakes) OneOf(field string, value *string, words ...string) {
	if value != nil && !slices.Contains(words, *value) {
		c.Fail(field, "must be %s or %s", strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	}
}

// Email checks an e-mail address. Empty text passes. Whether mail arrives there
// is not asked, so only what cannot be an address is refused.
func (c *Mistakes) Email(field, value string) {
	if value == "" {
		return
	}
	c.Line(field, value, maxEmail)
	if at := strings.LastIndexByte(value, '@'); at < 1 || at == len(value)-1 || strings.ContainsAny(value, " <>\"") {
		c.Fail(field, "must be an e-mail address such as ana@example.com")
	}
}
