package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxExternalID is in characters.
const maxExternalID = 200

// defaultExternalID is the externalId of a file nobody gave one: its path, or of
// one too long for that the path's SHA-256 and its end.
func defaultExternalID(path string) string {
	const before = "import:"
	whole := before + path
	if utf8.RuneCountInString(whole) <= maxExternalID {
		return whole
	}
	sum := sha256.Sum256([]byte(path))
	short := before + "sha256:" + hex.EncodeToString(sum[:]) + ":"
	end := []rune(path)
	return short + string(end[len(end)-(maxExternalID-len(short)):])
}

// twice finds rows that name what an earlier row has named. It keeps 16 bytes of
// a digest for each, some 40 MB for a million rows.
type twice map[[16]byte]struct{}

// check takes the externalId a row has and the one its path would give it: two
// rows must share neither.
func (t twice) check(f *file) error {
	given := defaultExternalID(f.path)
	if t.has(given) {
		return errors.New("path: an earlier row names the same file")
	}
	if f.externalID != given && t.has(f.externalID) {
		return fmt.Errorf("externalId: an earlier row has %q too", f.externalID)
	}
	return nil
}

// has reports whether s was there before, and remembers it.
func (t twice) has(s string) bool {
	sum := sha256.Sum256([]byte(s))
	key := [16]byte(sum[:16])
	_, before := t[key]
	t[key] = struct{}{}
	return before
}
