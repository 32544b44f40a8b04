package httpapi

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scalar is a number or a truth that may also be sent as the string of it.
type scalar interface{ scalar(string) error }

// isScalar reports whether a member of this type is one.
func isScalar(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(reflect.TypeFor[scalar]())
}

func (d *decoder) scalar(tok json.Token, s scalar, path string) error {
	var spelling string
	switch tok := tok.(type) {
	case string:
		spelling = tok
	case json.Number:
		spelling = string(tok)
	case bool:
		spelling = strconv.FormatBool(tok)
	}
	if err := s.scalar(spelling); err != nil {
		return d.refuse(path, "%v", err)
	}
	return nil
}

// seconds is the duration of a lock. What is more than any lock lasts is as
// good as the longest there is, so that no number is too large to be read.
type seconds uint64

func (n *seconds) scalar(s string) error {
	const day = 24 * 60 * 60
	if s == "" || strings.Trim(s, "0123456789") != "" || strings.Trim(s, "0") == "" {
		return errors.New("must be a whole number above 0")
	}
	parsed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		parsed = day
	}
	*n = seconds(min(parsed, day))
	return nil
}

func (n seconds) duration() time.Duration { return time.Duration(n) * time.Second }

// truth is a boolean.
type truth bool

func (f *truth) scalar(s string) error {
	switch strings.ToLower(s) {
	case "true":
		*f = true
	case "false":
		*f = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}
