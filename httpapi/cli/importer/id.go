package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"strongroom/engine"
)

// maxExternalID is in characters.
const maxExternalID = 200

// defaultExternalID is the externalId of a file nobody gave one: its path, or of
// one too long for that the path's SHA-256 and its end. The path is in NFC: a tree
// that was copied over another file system is the same tree.
func defaultExternalID(path string) string { return externalIDOf(engine.NFC(path)) }

// formerExternalID is what defaultExternalID was before it asked for NFC; "" if that
// is the same, or found in any form.
func formerExternalID(path string) string {
	former := externalIDOf(path)
	if engine.NFC(former) == defaultExternalID(path) {
		return ""
	}
	return former
}

func externalIDOf(path string) string {
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
	given, asked := defaultExternalID(f.path), engine.NFC(f.externalID)
	if t.has(given) {
		return errors.New("path: an earlier row names the same file")
	}
	if asked != given && t.has(asked) {
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
