package blobstore

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The digest of no bytes at all, as sha256sum </dev/null prints it.
const emptyHex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestDigest(t *testing.T) {
	empty := Digest(sha256.Sum256(nil))
	if empty.Hex() != emptyHex || empty.String() != "sha256:"+emptyHex {
		t.Errorf("printed as %s, %s", empty.Hex(), empty)
	}
	if got, err := ParseDigest("sha256:" + emptyHex); err != nil || got != empty {
		t.Errorf("ParseDigest = %v, %v", got, err)
	}
	if empty.IsZero() || !(Digest{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	text, err := json.Marshal(map[Digest]Digest{empty: empty})
	if want := `{"sha256:` + emptyHex + `":"sha256:` + emptyHex + `"}`; err != nil || string(text) != want {
		t.Errorf("JSON is %s, %v", text, err)
	}
	var back map[Digest]Digest
	if err := json.Unmarshal(text, &back); err != nil || back[empty] != empty {
		t.Errorf("back from JSON: %v, %v", back, err)
	}
}

func TestParseDigestIsStrict(t *testing.T) {
	for _, s := range []string{
		"", "sha256:", emptyHex, "sha256:" + emptyHex[1:], "sha256:" + emptyHex + "0", "sha256:" + emptyHex + "\n",
		" sha256:" + emptyHex, "SHA256:" + emptyHex, "sha256:" + strings.ToUpper(emptyHex), "sha512:" + emptyHex,
		"sha256:" + strings.Replace(emptyHex, "e", "g", 1), "sha256-" + emptyHex, "sha256:../../../" + emptyHex[:55],
		"sha256:" + strings.Repeat("é", 32), "sha256:" + emptyHex[:63] + "\x00",
	} {
		d := Digest{1}
		if _, err := ParseDigest(s); !errors.Is(err, ErrInvalidDigest) {
			t.Errorf("ParseDigest(%q): %v", s, err)
		}
		if err := d.UnmarshalText([]byte(s)); !errors.Is(err, ErrInvalidDigest) || d != (Digest{1}) {
			t.Errorf("UnmarshalText(%q): %v, %v", s, d, err)
		}
	}
}

// FuzzParseDigest: a text that is read is the one that would be printed.
func FuzzParseDigest(f *testing.F) {
	f.Add("sha256:" + emptyHex)
	f.Add("sha256:" + strings.ToUpper(emptyHex))
	f.Add(emptyHex)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDigest(s)
		if err == nil && d.String() != s {
			t.Errorf("%q is read as %v", s, d)
		}
		if err != nil && (!errors.Is(err, ErrInvalidDigest) || !d.IsZero()) {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	})
}
