package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"strongroom/engine/internal/check"
)

func TestVaultNames(t *testing.T) {
	for name, is := range map[string]bool{
		"a": true, "0": true, "acme-2": true, strings.Repeat("a", 40): true,
		"": false, "-a": false, "A": false, "a_b": false, "a.b": false, "a\n": false, "ä": false, strings.Repeat("a", 41): false,
	} {
		if check.IsVaultName(name) != is {
			t.Errorf("%q: %v", name, !is)
		}
	}
}

func TestCategories(t *testing.T) {
	builtin := []string{"contract", "other"}
	var kept []string
	want(t, "good", found(func(c *check.Mistakes) {
		kept = c.Categories("categories", []string{"minutes", "other", "a", "minutes", strings.Repeat("9", 50)}, builtin)
	}), "")
	if !slices.Equal(kept, []string{strings.Repeat("9", 50), "a", "minutes"}) {
		t.Errorf("kept %q", kept)
	}
	for _, name := range []string{"", "A", "a b", "-a", "_a", "a\n", "ä", "\xff", strings.Repeat("a", 51)} {
		want(t, name, found(func(c *check.Mistakes) { c.Categories("categories", []string{"good", name}, builtin) }),
			"categories[1]: must be at most 50 lower-case letters")
	}
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint("category", i)
	}
	want(t, "200", found(func(c *check.Mistakes) { c.Categories("categories", many[:200], builtin) }), "")
	want(t, "201", found(func(c *check.Mistakes) { c.Categories("categories", many, builtin) }), "categories: must be at most 200")
}

func TestChoices(t *testing.T) {
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint("choice ", i)
	}
	for _, choices := range []struct {
		given    []string
		isChoice bool
		words    string
	}{
		{nil, false, ""},
		{[]string{"a", " b "}, true, ""},
		{many[:200], true, ""},
		{[]string{"a"}, false, "choices: are for fields of type choice only"},
		{nil, true, "choices: must be at least one"},
		{many, true, "choices: must be at most 200"},
		{[]string{"a", " a"}, true, "choices[1]: is given twice"},
		{[]string{"a", ""}, true, "choices[1]: must not be empty"},
		{[]string{"a\nb"}, true, "choices[0]: must not contain control"},
		{[]string{strings.Repeat("x", 101)}, true, "choices[0]: must be at most 100"},
	} {
		var spelled []string
		want(t, choices.given, found(func(c *check.Mistakes) { spelled = c.Choices("choices", choices.given, choices.isChoice) }), choices.words)
		if len(choices.given) == 2 && choices.words == "" && !slices.Equal(spelled, []string{"a", "b"}) {
			t.Errorf("spelled %q", spelled)
		}
	}
	want(t, "a_1", found(func(c *check.Mistakes) { c.FieldKey("key", "a_1") }), "")
	want(t, "1a", found(func(c *check.Mistakes) { c.FieldKey("key", "1a") }), "key: must be a letter")
}

func TestDaysAndTimes(t *testing.T) {
	var days []uint64
	want(t, "days", found(func(c *check.Mistakes) { days = c.ReminderDays("days", []uint64{1, 365, 7, 1}) }), "")
	if !slices.Equal(days, []uint64{365, 7, 1}) {
		t.Errorf("days are %v", days)
	}
	for _, n := range []uint64{0, 366, 1 << 40} {
		want(t, n, found(func(c *check.Mistakes) { c.ReminderDays("days", []uint64{7, n}) }), "days[1]: must be from 1 to 365")
	}
	want(t, "11 days", found(func(c *check.Mistakes) { c.ReminderDays("days", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) }), "days: must be at most 10")

	for n, words := range map[uint64]string{1: "", 3_650: "", 0: "gap: must be from 1 to 3650", 3_651: "gap: must be from 1 to 3650"} {
		want(t, n, found(func(c *check.Mistakes) { c.ClockGap("gap", n) }), words)
	}
	for at, words := range map[string]string{
		"00:00": "", "23:59": "", "02:00": "",
		"": "time of day", "2:00": "time of day", "24:00": "time of day", "02:60": "time of day", "02:00:00": "time of day", "ab:cd": "time of day",
		" 02:00": "time of day", "02:00\n": "time of day",
	} {
		want(t, at, found(func(c *check.Mistakes) { c.TimeOfDay("at", at) }), words)
	}
	for zone, words := range map[string]string{
		"UTC": "", "Europe/Berlin": "",
		"": "IANA", "Local": "IANA", "Mars/Olympus": "IANA", "../etc/passwd": "IANA", "/etc/localtime": "IANA", "a\x00b": "IANA", "posixrules": "IANA",
		"posix/Europe/Berlin": "IANA", "right/UTC": "IANA", "localtime": "IANA",
	} {
		want(t, zone, found(func(c *check.Mistakes) { c.TimeZone("zone", zone) }), words)
	}
	for day, is := range map[string]bool{
		"2026-11-21": true, "2024-02-29": true, "0001-01-01": true,
		"": false, "2026-02-29": false, "2026-2-1": false, "2026-11-21T00:00:00Z": false, "21.11.2026": false, "2026-11-21 ": false,
	} {
		if check.IsDate(day) != is {
			t.Errorf("%q: %v", day, !is)
		}
	}
}
