package audit

import (
	"encoding/hex"
	"fmt"
)

// Escape spells any text so that it can be a fact: a byte that is no letter, digit
// or one of - _ . ~ becomes % and two upper-case hexadecimal digits.
func Escape(s string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if isUnescaped(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '%', digits[s[i]>>4], digits[s[i]&15])
		}
	}
	return string(b)
}

// Unescape is the inverse of Escape. What that does not spell is [ErrSyntax].
func Unescape(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		c, err := hex.DecodeString(s[i+1 : min(i+3, len(s))])
		if err != nil || len(c) != 1 {
			return "", fmt.Errorf("%w: the escape at byte %d of %.80q", ErrSyntax, i, s)
		}
		b = append(b, c[0])
		i += 2
	}
	if text := string(b); Escape(text) == s {
		return text, nil
	}
	return "", fmt.Errorf("%w: %.80q has another spelling", ErrSyntax, s)
}

func isUnescaped(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}
