package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of what describes one document.
const (
	MaxTags      = 100
	MaxFields    = 100 // custom fields with a value
	maxTag       = 100 // characters
	maxFieldText = 4_000
)

// SpellTag returns the one spelling of a tag: in NFC, blanks around it and around
// its first colon removed.
func SpellTag(tag string) string {
	tag = NFC(tag)
	if key, value, ok := strings.Cut(tag, ":"); ok {
		return Trim(key) + ":" + Trim(value)
	}
	return Trim(tag)
}

// Path checks the folder a document lies in and returns it spelled, in NFC. Empty
// text is no folder.
func (c *Mistakes) Path(field, value string) string {
	value = NFC(Trim(value))
	if value == "" {
		return ""
	}
	found := len(c.all)
	c.Line(field, value, MaxPath)
	folders := strings.Split(value, "/")
	switch {
	case len(c.all) > found:
	case len(folders) > maxFolders:
		c.Fail(field, "must be at most %d folders deep", maxFolders)
	case strings.ContainsRune(value, '\\'):
		c.Fail(field, `must be written with /, and not with \`)
	case slices.ContainsFunc(folders, func(f string) bool { return IsBlank(f) || f == "." || f == ".." }):
		c.Fail(field, "must be folders with one / between, such as 2024/contracts: without / at the beginning or the end, and without . or ..")
	}
	return value
}

// Folders are a path and all that it lies in, the outermost first.
func Folders(path string) (folders []string) {
	for i, r := range path {
		if r == '/' {
			folders = append(folders, path[:i])
		}
	}
	if path != "" {
		folders = append(folders, path)
	}
	return folders
}

// Tags checks a set of tags and returns them spelled, sorted and each once. A
// comma separates tags in the forms that carry them as text, and "key:*" asks
// for any value, so neither may stand in a tag.
func (c *Mistakes) Tags(field string, tags []string) []string {
	spelled := make([]string, 0, len(tags))
	for i, raw := range tags {
		tag := SpellTag(raw)
		at := fmt.Sprintf("%s[%d]", field, i)
		key, value, pair := strings.Cut(tag, ":")
		switch {
		case tag == "" || pair && (key == "" || value == ""):
			c.Fail(at, "must be a word or key:value")
		case strings.Contains(tag, ","):
			c.Fail(at, "must not contain a comma")
		case value == "*":
			c.Fail(at, "must not have the value *, which asks for any value when searching")
		default:
			c.Line(at, tag, maxTag)
		}
		spelled = append(spelled, tag)
	}
	slices.Sort(spelled)
	spelled = slices.Compact(spelled)
	if len(spelled) > MaxTags {
		c.Fail(field, "must be at most %d tags", MaxTags)
	}
	return spelled
}

var fieldKeys = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// IsFieldKey says whether a custom field can have this key.
func IsFieldKey(key string) bool { return fieldKeys.MatchString(key) }

// CustomFields checks the values of custom fields and returns them with their
// numbers as JSON spells them. A nil value stays: it removes a field. Whether
// the fields are defined, and take these values, is not asked.
func (c *Mistakes) CustomFields(fields map[string]any) map[string]any {
	spelled := make(map[string]any, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		at := "customFields." + key
		if !IsFieldKey(key) {
			c.Fail(at, "the key must be a letter followed by up to 63 letters, digits, - or _")
			continue
		}
		switch v := fields[key].(type) {
		case nil, bool:
			spelled[key] = v
		case string:
			v = NFC(v)
			c.Prose(at, v, maxFieldText)
			spelled[key] = v
		case json.Number:
			c.Number(at, v.String())
			spelled[key] = v
		case float64:
			text := strconv.FormatFloat(v, 'f', -1, 64)
			if c.Number(at, text) {
				spelled[key] = json.Number(text)
			}
		case int:
			spelled[key] = json.Number(strconv.Itoa(v))
		default:
			c.Fail(at, "must be a text, a number or true or false")
		}
	}
	return spelled
}

// Number checks that text is a number as JSON spells it, which fits a float64,
// and says whether it is.
func (c *Mistakes) Number(field, text string) bool {
	ok := isNumber(text)
	if !ok {
		c.Fail(field, "must be a number of at most 64 digits")
	}
	return ok
}

func isNumber(s string) bool {
	if len(s) > 64 || !json.Valid([]byte(s)) || s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// MediaType checks what a header can carry and the log can spell.
func (c *Mistakes) MediaType(field, value string) {
	if len(value) > MaxName || !strings.Contains(value, "/") || strings.ContainsFunc(value, func(r rune) bool {
		return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
	}) {
		c.Fail(field, "must be a media type such as application/pdf, at most %d printable ASCII characters", MaxName)
	}
}

// FileName checks that a value is a name and not a path. Empty text passes.
func (c *Mistakes) FileName(field, value string) {
	c.Line(field, value, MaxName)
	if strings.ContainsAny(value, `/\`) || value == "." || value == ".." {
		c.Fail(field, "must be a file name without a path")
	}
}
