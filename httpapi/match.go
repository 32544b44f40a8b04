package httpapi

import (
	"errors"
	"strconv"
	"strings"

	"strongroom/engine"
)

// ifMatch is the header If-Match (RFC 9110 section 13.1.1): the revisions of
// which one must be the current one. Nil, and *, is any.
type ifMatch engine.Match

// condition is all that the header asks of a change that no lock stands before.
func (m ifMatch) condition() engine.Condition { return engine.Condition{IfMatch: engine.Match(m)} }

var errIfMatch = errors.New(`must be * or a list of ETags as they were received, like "7"`)

func (m *ifMatch) bind(s string) error {
	if strings.Trim(s, " \t") == "*" {
		*m = nil
		return nil
	}
	tags, err := entityTags(s)
	if err != nil {
		return err
	}
	*m = ifMatch{} // not nil: if none of the tags is a revision, none will do
	for _, tag := range tags {
		// Another spelling of the number, like "07", is another tag.
		if n, err := strconv.ParseUint(tag, 10, 64); err == nil && strconv.FormatUint(n, 10) == tag {
			*m = append(*m, n)
		}
	}
	return nil
}

// entityTags returns the opaque parts of the strong tags of a list. Weak ones
// are left out: If-Match compares strongly, so they never match.
func entityTags(s string) (strong []string, err error) {
	found := false
	for {
		s = strings.TrimLeft(s, " \t,")
		if s == "" {
			break
		}
		rest, weak := strings.CutPrefix(s, "W/")
		rest, ok := strings.CutPrefix(rest, `"`)
		tag, rest, closed := strings.Cut(rest, `"`)
		if !ok || !closed || strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, errIfMatch
		}
		if s = strings.TrimLeft(rest, " \t"); s != "" && s[0] != ',' {
			return nil, errIfMatch
		}
		if found = true; !weak {
			strong = append(strong, tag)
		}
	}
	if !found {
		return nil, errIfMatch
	}
	return strong, nil
}
