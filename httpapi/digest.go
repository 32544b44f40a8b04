package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"strongroom/engine"
)

var errDigestField = errors.New("must be a dictionary of digests as in RFC 9530, like sha-256=:<base64>")

// parseDigest returns the sha-256 of a Content-Digest or Repr-Digest field, or
// nil if it has only others. The field is a dictionary of byte sequences
// (RFC 8941 sections 3.2 and 3.3.5); of a key given twice the last counts.
func parseDigest(field string) (sum []byte, err error) {
	members := strings.Split(field, ",") // no comma stands in a key, in base64 or in a parameter we accept
	for _, m := range members {
		key, value, ok := strings.Cut(strings.Trim(m, " \t"), "=")
		if !ok || !isDigestKey(key) {
			return nil, errDigestField
		}
		value, params, _ := strings.Cut(value, ";")
		value = strings.TrimRight(value, " ")
		if strings.ContainsAny(params, "\"\\") || len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
			return nil, errDigestField
		}
		b, err := base64.StdEncoding.DecodeString(value[1 : len(value)-1])
		if err != nil || strings.ContainsAny(value, "\r\n") {
			return nil, errDigestField
		}
		if key == "sha-256" {
			if len(b) != sha256.Size {
				return nil, errors.New("must have a sha-256 of 32 bytes")
			}
			sum = b
		}
	}
	return sum, nil
}

// isDigestKey is the key of RFC 8941 section 3.1.2.
func isDigestKey(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', c == '*':
		case i > 0 && ('0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// digests are the sha-256 a client promised in a header or the header of a
// part, by the name of the field.
type digests map[string]engine.Digest

// digestsOf reads both digest fields. Without a content coding, which no route
// takes, the representation is the content, so they promise the same.
func digestsOf(values func(name string) []string) (digests, error) {
	var promised digests
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		v := values(name)
		if len(v) == 0 {
			continue
		}
		sum, err := parseDigest(strings.Join(v, ","))
		if err != nil {
			return nil, inParameter(name, "%v", err)
		}
		if sum != nil {
			if promised == nil {
				promised = digests{}
			}
			promised[name] = engine.Digest(sum)
		}
	}
	return promised, nil
}

// check compares what was promised with what came.
func (d digests) check(came engine.Digest) error {
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		if sum, ok := d[name]; ok && sum != came {
			return refuse(errDigestMismatch, "%s promises %s but %s came; nothing was kept, send it again", name, sum, came)
		}
	}
	return nil
}

// reprDigest is the Repr-Digest of a download.
func reprDigest(d engine.Digest) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(d[:]) + ":"
}
