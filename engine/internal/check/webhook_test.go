package check_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"strongroom/engine/internal/check"
)

func TestURL(t *testing.T) {
	for value, words := range map[string]string{
		"http://10.0.0.1:8080/a?b=c": "", "https://[2001:db8::1]:1/": "", "https://a-b_c.example./": "", "HTTPS://Example.com": "",
		"https://e.com/" + strings.Repeat("a", 1_986): "",
		"":                                            "url: must not be empty",
		"example.com":                                 "https://",
		"ftp://example.com":                           "https://",
		"https://":                                    "a host",
		"https://:443/":                               "a host",
		"https://user@example.com":                    "a user",
		"https://u:p@example.com":                     "a user",
		"https://example.com/#x":                      "fragment",
		"https://example.com/#":                       "fragment",
		"https://example.com:0/":                      "a port",
		"https://example.com:70000/":                  "port",
		"https://example.com:/":                       "a port",
		"https://exa mple.com/":                       "ASCII",
		"https://example.com/\u00e9":                  "ASCII",
		"https://example.com/\x7f":                    "ASCII",
		"https://2130706433/":                         "DNS",
		"https://0x7f.1/":                             "DNS",
		"https://127.1/":                              "DNS",
		"https://a..b/":                               "DNS",
		"https://[fe80::1%25eth0]/":                   "DNS",
		"https://e.com/" + strings.Repeat("a", 2_000): "2000",
		"https://" + strings.Repeat("a", 64) + ".example":  "DNS",
		"https://" + strings.Repeat("a.", 127) + "example": "DNS",
	} {
		want(t, value, found(func(c *check.Mistakes) { c.URL("url", value) }), words)
	}
}

func TestEvents(t *testing.T) {
	ops := []string{"hold.placed", "hold.released", "document.deleted"}
	var kept []string
	want(t, "good", found(func(c *check.Mistakes) {
		kept = c.Events("events", []string{"hold.*", "document.deleted", "hold.*", "*"}, ops)
	}), "")
	if !slices.Equal(kept, []string{"*", "document.deleted", "hold.*"}) {
		t.Errorf("kept %q", kept)
	}
	for _, pattern := range []string{"holds.*", "document.delete", "", "*.deleted", "hold.**", ".*", "hold.", "hold", "**", "HOLD.*"} {
		want(t, pattern, found(func(c *check.Mistakes) { c.Events("events", []string{"*", pattern}, ops) }), "events[1]: is no operation")
	}
	want(t, "100", found(func(c *check.Mistakes) { c.Events("events", slices.Repeat([]string{"*"}, 100), ops) }), "")
	want(t, "101", found(func(c *check.Mistakes) { c.Events("events", slices.Repeat([]string{"*"}, 101), ops) }), "events: must be at most 100")
	for _, m := range []struct {
		pattern, op string
		is          bool
	}{
		{"*", "hold.placed", true}, {"hold.*", "hold.placed", true}, {"hold.placed", "hold.placed", true},
		{"hold.*", "holder.placed", false}, {"hold.released", "hold.placed", false}, {"", "hold.placed", false},
	} {
		if check.Matches(m.pattern, m.op) != m.is {
			t.Errorf("%q matches %q: %v", m.pattern, m.op, !m.is)
		}
	}
}

// FuzzURL: what is accepted is read the same way by who dials it.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"", "https://example.com/a?b=c", "http://[::1]:1", "https://a@b", "https://0x7f.1/", "HTTPS://Example.com:443", "https://a\\b/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var c check.Mistakes
		c.URL("url", value)
		if c.All() != nil {
			return
		}
		u, err := url.Parse(value)
		if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q was accepted: %+v, %v", value, u, err)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host {
			t.Errorf("%q leads to %q, and spelled again to %q: %v", value, u.Host, again.Host, err)
		}
	})
}
