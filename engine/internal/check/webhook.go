package check

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxURL      = 2_000 // bytes
	maxPatterns = 100
)

// EveryEvent is the pattern that all operations of the audit log match.
const EveryEvent = "*"

// URL checks where a webhook is to deliver to. Where the URL leads is checked
// when it is dialled: a name may lead elsewhere tomorrow.
func (c *Mistakes) URL(field, value string) {
	u, err := url.Parse(value)
	switch {
	case value == "":
		c.Fail(field, "must not be empty")
	case len(value) > maxURL:
		c.Fail(field, "must be at most %d characters", maxURL)
	case err != nil || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.Fail(field, "must be a URL such as https://example.com/events, in printable ASCII")
	case u.Scheme != "https" && u.Scheme != "http":
		c.Fail(field, "must begin with https://, or with http:// for a target that the operator allows")
	case u.Host == "" || u.Hostname() == "":
		c.Fail(field, "must name a host")
	case u.User != nil:
		c.Fail(field, "must not hold a user or a password: it is read by other admins; check the signature instead")
	case strings.Contains(value, "#"):
		c.Fail(field, "must not have a fragment, which is not sent")
	case !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		c.Fail(field, "must have a port from 1 to 65535, or none")
	case !isHost(u.Hostname()):
		c.Fail(field, "must name a host as DNS does, or an IP address")
	}
}

func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// isHost refuses spellings of addresses that not every resolver reads alike,
// such as 0x7f.1.
func isHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	return len(host) <= 253 && !strings.ContainsAny(last[:min(1, len(last))], "0123456789") &&
		!slices.ContainsFunc(labels, func(label string) bool { return !isLabel(label) })
}

func isLabel(label string) bool {
	return label != "" && len(label) <= 63 && !strings.ContainsFunc(label, func(r rune) bool {
		return !(r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

// Events checks what a webhook is to be told of, ops being all there is, and
// returns the patterns sorted and each once.
func (c *Mistakes) Events(field string, given, ops []string) []string {
	if len(given) > maxPatterns {
		c.Fail(field, "must be at most %d", maxPatterns)
		return nil
	}
	for i, pattern := range given {
		if !slices.ContainsFunc(ops, func(op string) bool { return Matches(pattern, op) }) {
			c.Fail(fmt.Sprintf("%s[%d]", field, i), "is no operation of the audit log, nor one with * for its verb such as hold.*, nor * for all")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(given)))
}

// Matches says whether an operation is one that a pattern asks for: the
// operation itself ("hold.placed"), all of its noun ("hold.*"), or EveryEvent.
func Matches(pattern, op string) bool {
	noun, _, _ := strings.Cut(op, ".")
	return pattern == op || pattern == EveryEvent || pattern == noun+".*"
}
