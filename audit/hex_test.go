package audit

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestParseHashTakesEachDigitAndNothingElse(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef0123456789abcdeffedcba9876543210"
	for at := range len(good) {
		for c := range 256 {
			s := good[:at] + string([]byte{byte(c)}) + good[at+1:]
			h, err := ParseHash(s)
			want, wantErr := hex.DecodeString(s)
			ok := wantErr == nil && s == strings.ToLower(s)
			if ok != (err == nil) || ok && string(h[:]) != string(want) {
				t.Fatalf("ParseHash(%q) = %v, %v", s, h, err)
			}
		}
	}
	for _, s := range []string{"", good[:62], good[:63], good + "0", good + "00", " " + good[1:]} {
		if _, err := ParseHash(s); err == nil {
			t.Errorf("ParseHash(%q) accepts it", s)
		}
	}
}
