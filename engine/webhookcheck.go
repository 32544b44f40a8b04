package engine

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
)

const (
	maxWebhooks = 1_000
	maxPatterns = 100
	maxURL      = 2_000
)

// settle spells a webhook and checks it. Where its URL leads is judged when it is
// dialled, not here: names lead elsewhere tomorrow.
func (w *Webhook) settle() error {
	var c checks
	w.URL = strings.TrimSpace(w.URL)
	c.url("url", w.URL)
	w.Events = c.patterns(w.Events)
	c.prose("description", w.Description, maxComment)
	return c.err()
}

func (c *checks) url(field, value string) {
	u, err := url.Parse(value)
	switch {
	case value == "":
		c.fail(field, "must not be empty")
	case len(value) > maxURL:
		c.fail(field, "must be at most %d characters", maxURL)
	case err != nil || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.fail(field, "must be a URL such as https://example.com/events, in printable ASCII")
	case u.Scheme != "https" && u.Scheme != "http":
		c.fail(field, "must begin with https://, or with http:// for a target that the operator allows")
	case u.Host == "" || u.Hostname() == "":
		c.fail(field, "must name a host")
	case u.User != nil:
		c.fail(field, "must not hold a user or a password: it is read by other admins; check the signature instead")
	case strings.Contains(value, "#"):
		c.fail(field, "must not have a fragment, which is not sent")
	case !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		c.fail(field, "must have a port from 1 to 65535, or none")
	case !isHost(u.Hostname()):
		c.fail(field, "must name a host as DNS does, or an IP address")
	}
}

func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// isHost refuses spellings that resolvers read as they please, such as 0x7f.1.
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

// patterns checks, sorts and compacts what a webhook is to be told of.
func (c *checks) patterns(given []string) []string {
	if len(given) > maxPatterns {
		c.fail("events", "must be at most %d", maxPatterns)
		return nil
	}
	for i, pattern := range given {
		if !isPattern(pattern) {
			c.fail(fmt.Sprintf("events[%d]", i), "is no operation of the audit log, nor one with * for its verb such as hold.*, nor * for all")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(given)))
}

func isPattern(pattern string) bool {
	noun, all := strings.CutSuffix(pattern, ".*")
	return pattern == everyEvent || slices.ContainsFunc(audit.Ops(), func(op audit.Op) bool {
		return string(op) == pattern || all && strings.HasPrefix(string(op), noun+".")
	})
}
