package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is kept, in characters.
const (
	maxName        = 255
	maxDescription = 10_000
	maxComment     = 2_000
	maxShort       = 200 // external ids, labels, products, templates, agreements, people's names
	maxTag         = 100
	maxTags        = 100
	maxFields      = 100 // values of one document
	maxDefinitions = 200
	maxChoices     = 200
	maxFieldText   = 4_000
	maxMetadata    = 256 << 10 // bytes of all that describes one document
	maxCategory    = 50
	maxCategories  = 200

	maxReminders    = 10
	maxReminderDays = 365
	maxClockGap     = 3_650 // days
)

// checks gathers every value of a call that cannot be accepted, so that the
// caller hears of all at once.
type checks struct{ fields []FieldError }

// A call has so many field errors at most: more would tell nobody more.
const maxFieldErrors = 50

func (c *checks) fail(field, format string, args ...any) {
	if len(c.fields) == maxFieldErrors {
		return
	}
	if len(field) > maxTag {
		field = strings.ToValidUTF8(field[:maxTag], "") + "…"
	}
	c.fields = append(c.fields, FieldError{field, fmt.Sprintf(format, args...)})
}

func (c *checks) err() error {
	if c.fields == nil {
		return nil
	}
	return &InvalidError{c.fields}
}

// line checks text that stands on one line: valid UTF-8 without control
// characters, at most so many characters.
func (c *checks) line(field, value string, most int) {
	c.text(field, value, most, unicode.IsControl)
}

// prose checks text that may have lines and tabs.
func (c *checks) prose(field, value string, most int) {
	c.text(field, value, most, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

func (c *checks) text(field, value string, most int, forbidden func(rune) bool) {
	switch {
	case !utf8.ValidString(value):
		c.fail(field, "must be valid UTF-8")
	case utf8.RuneCountInString(value) > most:
		c.fail(field, "must be at most %d characters", most)
	case strings.ContainsFunc(value, forbidden):
		c.fail(field, "must not contain control characters")
	}
}

func (c *checks) required(field, value string, most int) {
	if strings.TrimSpace(value) == "" {
		c.fail(field, "must not be empty")
		return
	}
	c.line(field, value, most)
}

// spellTag is the one spelling of a tag: blanks around it and around its first
// colon removed.
func spellTag(tag string) string {
	if key, value, ok := strings.Cut(tag, ":"); ok {
		return strings.TrimSpace(key) + ":" + strings.TrimSpace(value)
	}
	return strings.TrimSpace(tag)
}

// tags spells, sorts and checks a set of tags. A comma separates tags in the
// forms that carry them as text, and "key:*" asks for any value, so neither
// may stand in one.
func (c *checks) tags(field string, tags []string) []string {
	spelled := make([]string, 0, len(tags))
	for i, raw := range tags {
		tag := spellTag(raw)
		at := fmt.Sprintf("%s[%d]", field, i)
		key, value, pair := strings.Cut(tag, ":")
		switch {
		case tag == "" || pair && (key == "" || value == ""):
			c.fail(at, "must be a word or key:value")
		case strings.Contains(tag, ","):
			c.fail(at, "must not contain a comma")
		case value == "*":
			c.fail(at, "must not have the value *, which asks for any value when searching")
		default:
			c.line(at, tag, maxTag)
		}
		spelled = append(spelled, tag)
	}
	slices.Sort(spelled)
	spelled = slices.Compact(spelled)
	if len(spelled) > maxTags {
		c.fail(field, "must be at most %d tags", maxTags)
	}
	return spelled
}

var (
	fieldKeys  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	categories = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	timeOfDay  = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// customFields checks a set of custom fields and spells their numbers as JSON
// does. Nil values stay: they remove a field.
func (c *checks) customFields(fields map[string]any) map[string]any {
	spelled := make(map[string]any, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		at := "customFields." + key
		if !fieldKeys.MatchString(key) {
			c.fail(at, "the key must be a letter followed by up to 63 letters, digits, - or _")
			continue
		}
		switch v := fields[key].(type) {
		case nil, bool:
			spelled[key] = v
		case string:
			c.prose(at, v, maxFieldText)
			spelled[key] = v
		case json.Number:
			if !isNumber(v.String()) {
				c.fail(at, "must be a number of at most 64 digits")
			}
			spelled[key] = v
		case float64:
			c.number(at, strconv.FormatFloat(v, 'f', -1, 64), spelled, key)
		case int:
			spelled[key] = json.Number(strconv.Itoa(v))
		default:
			c.fail(at, "must be a text, a number or true or false")
		}
	}
	return spelled
}

func (c *checks) number(at, text string, to map[string]any, key string) {
	if !isNumber(text) {
		c.fail(at, "must be a number of at most 64 digits")
		return
	}
	to[key] = json.Number(text)
}

// isNumber says whether s is a JSON number that fits a float64.
func isNumber(s string) bool {
	if len(s) > 64 || !json.Valid([]byte(s)) || s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// mediaType must be what a header can carry and the log can spell.
func (c *checks) mediaType(field, value string) {
	if len(value) > maxName || !strings.Contains(value, "/") || strings.ContainsFunc(value, func(r rune) bool {
		return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
	}) {
		c.fail(field, "must be a media type such as application/pdf, at most %d printable ASCII characters", maxName)
	}
}

// fileName must be a name and not a path.
func (c *checks) fileName(field, value string) {
	c.line(field, value, maxName)
	if strings.ContainsAny(value, `/\`) || value == "." || value == ".." {
		c.fail(field, "must be a file name without a path")
	}
}
