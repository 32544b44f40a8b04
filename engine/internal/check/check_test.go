package check_test

import (
	"fmt"
	"strings"
	"testing"

	"strongroom/engine/internal/check"
)

// found runs a rule and returns its mistakes as one line.
func found(rule func(c *check.Mistakes)) string {
	var c check.Mistakes
	rule(&c)
	var lines []string
	for _, m := range c.All() {
		lines = append(lines, m.Field+": "+m.Message)
	}
	return strings.Join(lines, "; ")
}

// want compares the mistakes of a rule with words they must have; "" is none.
func want(t *testing.T, what any, got, words string) {
	t.Helper()
	if (got == "") != (words == "") || !strings.Contains(got, words) {
		t.Errorf("%.60q: the mistakes are %q, want %q", fmt.Sprint(what), got, words)
	}
}

func TestText(t *testing.T) {
	for _, text := range []struct{ value, line, prose string }{
		{"", "", ""},
		{"one line", "", ""},
		{strings.Repeat("€", 10), "", ""},
		{"two\nlines", "control", ""},
		{"a\ttab", "control", ""},
		{"a\rreturn", "control", ""},
		{"nul\x00", "control", "control"},
		{"\x1b[2Jesc", "control", "control"},
		{"delete\x7f", "control", "control"},
		{"next\u0085", "control", "control"},
		{"\xff\xfe", "UTF-8", "UTF-8"},
		{"cut \xe2\x82", "UTF-8", "UTF-8"},
		{strings.Repeat("x", 11), "at most 10 characters", "at most 10 characters"},
		{strings.Repeat("€", 11), "at most 10 characters", "at most 10 characters"},
	} {
		want(t, text.value, found(func(c *check.Mistakes) { c.Line("f", text.value, 10) }), text.line)
		want(t, text.value, found(func(c *check.Mistakes) { c.Prose("f", text.value, 10) }), text.prose)
	}
	for value, words := range map[string]string{"": "f: must not be empty", " \t\n": "f: must not be empty", "a": "", "a\n": "control"} {
		want(t, value, found(func(c *check.Mistakes) { c.Required("f", value, 10) }), words)
	}
}

func TestMistakesAreFewAndShort(t *testing.T) {
	var c check.Mistakes
	if c.All() != nil {
		t.Errorf("before anything was checked: %v", c.All())
	}
	for i := range 60 {
		c.Fail(strings.Repeat("€", 40), "mistake %d", i)
	}
	all := c.All()
	if len(all) != 50 || all[49].Message != "mistake 49" {
		t.Errorf("%d mistakes, the last is %q", len(all), all[len(all)-1])
	}
	if got := all[0].Field; got != strings.Repeat("€", 33)+"…" {
		t.Errorf("the name of the field became %q", got)
	}
}

func TestOneOf(t *testing.T) {
	value := "c"
	want(t, value, found(func(c *check.Mistakes) { c.OneOf("f", &value, "a", "b", "c") }), "")
	want(t, "nil", found(func(c *check.Mistakes) { c.OneOf("f", nil, "a", "b") }), "")
	want(t, value, found(func(c *check.Mistakes) { c.OneOf("f", &value, "a", "b", "d") }), "f: must be a, b or d")
}

func TestEmail(t *testing.T) {
	for value, words := range map[string]string{
		"": "", "a@b": "", "ana@example.com": "", "a@b@c": "", "é@b": "", strings.Repeat("a", 249) + "@b.co": "",
		"x": "e-mail", "@": "e-mail", "a@": "e-mail", "@b": "e-mail", "a b@c": "e-mail", "<a@b>": "e-mail", `"a"@b`: "e-mail",
		"a@b\x00": "control", "a@b\nc": "control", "a@\xff": "UTF-8", strings.Repeat("a", 250) + "@b.co": "at most 254 characters",
	} {
		want(t, value, found(func(c *check.Mistakes) { c.Email("email", value) }), words)
	}
}
