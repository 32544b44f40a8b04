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
	MaxPath        = 500
	maxEmail       = 254
	maxFolders     = 100 // in one path
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

// Trim removes the blanks around text, and all of it if there is nothing else to
// be seen.
func Trim(s string) string {
	if IsBlank(s) {
		return ""
	}
	return strings.TrimSpace(s)
}

// IsBlank says whether text shows nothing: it is empty, or white space and
// characters without width.
func IsBlank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsSpace(r) && !isInvisible(r) })
}

// isInvisible says whether a character takes no place of its own. Those of the
// format characters that stand around what follows them do.
func isInvisible(r rune) bool {
	const brailleBlank = 0x2800
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// turns says whether a character changes the direction of what stands behind it,
// so that a name reads as another. The marks U+200E, U+200F and U+061C do not: a
// name in Hebrew or Arabic may need them.
func turns(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// Line checks text that stands on one line: valid UTF-8, no control characters,
// none that turn the direction of text, at most so many characters. Empty text
// passes.
func (c *Mistakes) Line(field, value string, most int) {
	c.text(field, value, most, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
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
	case strings.ContainsFunc(value, turns):
		c.Fail(field, "must not contain %U, which turns the direction of the text behind it; take it out", firstOf(value, turns))
	}
}

func firstOf(value string, is func(rune) bool) rune {
	r, _ := utf8.DecodeRuneInString(value[strings.IndexFunc(value, is):])
	return r
}

// Required checks as Line does, and refuses text that is empty or blank.
func (c *Mistakes) Required(field, value string, most int) {
	if IsBlank(value) {
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
	if at := strings.LastIndexByte(value, '@'); at < 1 || at == len(value)-1 || strings.ContainsAny(value, "<>\"") || strings.ContainsFunc(value, unicode.IsSpace) {
		c.Fail(field, "must be an e-mail address such as ana@example.com")
	}
	if strings.ContainsFunc(value, isInvisible) {
		c.Fail(field, "must not contain %U, which cannot be seen; take it out", firstOf(value, isInvisible))
	}
}
