package check_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/engine/internal/check"
)

func TestTags(t *testing.T) {
	for _, tag := range []struct{ given, spelled, words string }{
		{"word", "word", ""},
		{"  two words ", "two words", ""},
		{" key : value ", "key:value", ""},
		{"key: a : b ", "key:a : b", ""},
		{strings.Repeat("€", 100), strings.Repeat("€", 100), ""},
		{"", "", "tags[0]: must be a word"},
		{" ", "", "must be a word"},
		{":value", ":value", "must be a word"},
		{"key:  ", "key:", "must be a word"},
		{":", ":", "must be a word"},
		{"a,b", "a,b", "comma"},
		{"key:a,b", "key:a,b", "comma"},
		{"key: *", "key:*", "any value"},
		{"new\nline", "new\nline", "control"},
		{"\xff", "\xff", "UTF-8"},
		{strings.Repeat("x", 101), strings.Repeat("x", 101), "at most 100 characters"},
	} {
		var spelled []string
		want(t, tag.given, found(func(c *check.Mistakes) { spelled = c.Tags("tags", []string{tag.given}) }), tag.words)
		if !slices.Equal(spelled, []string{tag.spelled}) {
			t.Errorf("%q is spelled %q", tag.given, spelled)
		}
	}
	var spelled []string
	want(t, "a set", found(func(c *check.Mistakes) { spelled = c.Tags("tags", []string{"b : 1", "a", "a ", "b:1"}) }), "")
	if !slices.Equal(spelled, []string{"a", "b:1"}) {
		t.Errorf("a set is spelled %q", spelled)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("tag", i)
	}
	want(t, "100 tags", found(func(c *check.Mistakes) { c.Tags("tags", append(many[:100:100], "tag1")) }), "")
	want(t, "101 tags", found(func(c *check.Mistakes) { c.Tags("tags", many) }), "tags: must be at most 100 tags")
}

func TestCustomFields(t *testing.T) {
	type own string
	for _, field := range []struct {
		key     string
		value   any
		spelled any
		words   string
	}{
		{"a", nil, nil, ""}, {"no", false, false, ""}, {"text", "two\nlines", "two\nlines", ""}, {"A-b_9", true, true, ""},
		{"float", 0.1, json.Number("0.1"), ""}, {"int", 7, json.Number("7"), ""}, {"number", json.Number("1e300"), json.Number("1e300"), ""},
		{strings.Repeat("a", 64), true, true, ""}, {"text", strings.Repeat("€", 4_000), strings.Repeat("€", 4_000), ""},
		{"", 1, nil, "customFields.: the key"}, {"1a", 1, nil, "the key"}, {"a b", 1, nil, "the key"}, {"a.b", 1, nil, "the key"}, {"ä", 1, nil, "the key"},
		{"a\n", 1, nil, "the key"}, {strings.Repeat("a", 65), 1, nil, "the key"},
		{"a", []any{1}, nil, "a text, a number"}, {"a", map[string]any{"a": 1}, nil, "a text, a number"}, {"a", []byte("x"), nil, "a text, a number"},
		{"a", own("x"), nil, "a text, a number"}, {"a", time.Now(), nil, "a text, a number"}, {"a", int64(1), nil, "a text, a number"},
		{"a", math.NaN(), nil, "64 digits"}, {"a", math.Inf(1), nil, "64 digits"}, {"a", math.Inf(-1), nil, "64 digits"}, {"a", 1e300, nil, "64 digits"},
		{"a", "a\x00b", "a\x00b", "customFields.a: must not contain control"}, {"a", "\xff", "\xff", "UTF-8"},
		{"a", strings.Repeat("x", 4_001), strings.Repeat("x", 4_001), "at most 4000"},
	} {
		var spelled map[string]any
		want(t, field, found(func(c *check.Mistakes) { spelled = c.CustomFields(map[string]any{field.key: field.value}) }), field.words)
		if spelled[field.key] != field.spelled {
			t.Errorf("%q: %v is spelled %v", field.key, field.value, spelled[field.key])
		}
	}
}

func TestNumber(t *testing.T) {
	good := []string{"0", "-0", "7", "-1.5", "1e300", "1E-5", strings.Repeat("1", 64)}
	bad := []string{"", " 1", "1 ", "1\n", "+1", "01", "0x10", "one", "true", "null", `"1"`, "[1]", "1e999", "-", ".5", strings.Repeat("1", 65)}
	for _, text := range good {
		want(t, text, found(func(c *check.Mistakes) { c.Number("n", text) }), "")
	}
	for _, text := range bad {
		want(t, text, found(func(c *check.Mistakes) { c.Number("n", text) }), "n: must be a number")
	}
}

func TestMediaType(t *testing.T) {
	for value, words := range map[string]string{
		"application/pdf": "", "text/plain; charset=utf-8": "", "x/" + strings.Repeat("y", 253): "",
		"": "media type", "pdf": "media type", "text/plain\r\nX: y": "media type", `text/plain; name="a"`: "media type", "text/ä": "media type",
		"text/<b>": "media type", "text/a&b": "media type", `text/a\b`: "media type", "text/\x7f": "media type", "\xff/x": "media type",
		"text/" + strings.Repeat("x", 251): "at most 255",
	} {
		want(t, value, found(func(c *check.Mistakes) { c.MediaType("mediaType", value) }), words)
	}
}

func TestFileName(t *testing.T) {
	for value, words := range map[string]string{
		"": "", "a.pdf": "", "...": "", strings.Repeat("€", 255): "",
		"a/b": "without a path", "../../etc/passwd": "without a path", `a\b`: "without a path", `C:\x`: "without a path", "/": "without a path",
		".": "without a path", "..": "without a path", "a\nb": "control", "\xff": "UTF-8", strings.Repeat("€", 256): "at most 255",
	} {
		want(t, value, found(func(c *check.Mistakes) { c.FileName("fileName", value) }), words)
	}
}

// FuzzTags: what is accepted is spelled one way.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{"", "a", " key : value ", "a,b", "key:*", "\xff", "a : b : c", "\u00a0x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		var c check.Mistakes
		once := c.Tags("tags", []string{tag})
		if c.All() != nil {
			return
		}
		twice := c.Tags("tags", once)
		if c.All() != nil || !slices.Equal(once, twice) || check.SpellTag(once[0]) != once[0] || strings.Contains(once[0], ",") {
			t.Errorf("%q is spelled %q, and that %q: %v", tag, once, twice, c.All())
		}
	})
}

// FuzzCustomFields: what is accepted can be put as JSON, and is accepted again.
func FuzzCustomFields(f *testing.F) {
	for _, seed := range []string{"", "1", "-1.5e3", "01", "text", "a\x00", strings.Repeat("9", 70), "NaN"} {
		f.Add("key", seed)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, v := range []any{value, json.Number(value)} {
			var c check.Mistakes
			once := c.CustomFields(map[string]any{key: v})
			if c.All() != nil {
				continue
			}
			if _, err := json.Marshal(once); err != nil {
				t.Errorf("%q %q: %v", key, v, err)
			}
			if again := c.CustomFields(once); c.All() != nil || !reflect.DeepEqual(once, again) {
				t.Errorf("%q %q: first %v, then %v: %v", key, v, once, again, c.All())
			}
			if n, ok := once[key].(json.Number); ok {
				if _, err := strconv.ParseFloat(n.String(), 64); err != nil {
					t.Errorf("%q is no number: %v", n, err)
				}
			}
		}
	})
}
