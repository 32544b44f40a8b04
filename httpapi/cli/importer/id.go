package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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

// spellings knows how a file system spells names, of the directory it was asked for
// last: the rows of a table come by directories, and one may have very many files.
// Workers share it.
type spellings struct {
	root  *os.Root
	mu    sync.Mutex // guards what follows
	dir   string
	names map[string][]string // by their NFC
}

// path is a path as the file system spells it, which may be in another normal form:
// macOS takes letters apart. fs.ErrNotExist if nothing is called so, and an error if
// several are.
func (s *spellings) path(wanted string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := "."
	for _, name := range strings.Split(wanted, "/") {
		if _, err := s.root.Lstat(filepath.FromSlash(path.Join(at, name))); err != nil {
			if err := s.read(at); err != nil {
				return "", err
			}
			switch like := s.names[engine.NFC(name)]; len(like) {
			case 0:
				return "", fs.ErrNotExist
			case 1:
				name = like[0]
			default:
				return "", fmt.Errorf("there are %d files called %q, which differ only in how letters are composed; rename one", len(like), name)
			}
		}
		at = path.Join(at, name)
	}
	return at, nil
}

// read reads the names in a directory. What has become a pipe does not hold it up.
func (s *spellings) read(dir string) error {
	if s.names != nil && s.dir == dir {
		return nil
	}
	d, err := s.root.OpenFile(filepath.FromSlash(dir), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	s.dir, s.names = dir, make(map[string][]string, len(names))
	for _, name := range names {
		s.names[engine.NFC(name)] = append(s.names[engine.NFC(name)], name)
	}
	return nil
}
