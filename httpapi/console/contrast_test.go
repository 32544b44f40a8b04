package console

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	tokenPattern = regexp.MustCompile(`--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`)
	rulePattern  = regexp.MustCompile(`\{[^{}]*\}`)
)

// luminance is the relative luminance of a colour, as WCAG 2.2 has it.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(channel uint64) float64 {
		c := float64(channel&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestColoursCanBeRead computes the contrast of each pair of tokens that text stands
// in, and of what shows where something is, in light and in dark.
func TestColoursCanBeRead(t *testing.T) {
	css, err := staticFiles.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string][2]string{}
	for _, m := range tokenPattern.FindAllStringSubmatch(string(css), -1) {
		tokens[m[1]] = [2]string{m[2], m[3]}
	}
	if n := strings.Count(string(css), "light-dark(#"); n != len(tokens) {
		t.Errorf("%d colours of %d are tokens with a name of their own", len(tokens), n)
	}
	check := func(fore, back string, least float64) {
		t.Helper()
		f, ok := tokens[fore]
		b, there := tokens[back]
		if !ok || !there {
			t.Errorf("there is no token %s or %s", fore, back)
			return
		}
		for i, scheme := range []string{"light", "dark"} {
			if c := contrast(t, f[i], b[i]); c < least {
				t.Errorf("%s: %s on %s has %.2f, and needs %.1f", scheme, fore, back, c, least)
			}
		}
	}
	grounds := []string{"paper", "sheet", "sunk", "wash", "ok-wash", "warn-wash", "hold-wash", "idle-wash"}
	for _, ground := range grounds {
		for _, ink := range []string{"ink", "ink-2", "accent"} {
			check(ink, ground, 4.5)
		}
	}
	for _, kind := range []string{"ok", "warn", "hold", "idle"} {
		for _, ground := range []string{"paper", "sheet", "sunk", kind + "-wash"} {
			check(kind, ground, 4.5)
		}
	}
	for _, ground := range []string{"paper", "sheet"} {
		check("ink-3", ground, 4.5)
		check("accent", ground, 3) // the focus
	}
	check("accent-ink", "accent", 4.5)
	check("ink", "mark", 4.5)
	// A rule that sets both must be of a pair that is checked above.
	pair := regexp.MustCompile(`background: var\(--([a-z0-9-]+)\)`)
	colour := regexp.MustCompile(`[ ;{]color: var\(--([a-z0-9-]+)\)`)
	for _, rule := range rulePattern.FindAllString(string(css), -1) {
		b, f := pair.FindStringSubmatch(rule), colour.FindStringSubmatch(rule)
		if b != nil && f != nil {
			check(f[1], b[1], 4.5)
		}
	}
}
