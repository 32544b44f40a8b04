package segment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	manifestName = "manifest"
	segmentExt   = ".segment"
	asideExt     = ".new"
)

// manifest says which files are the index. It is one line with the checksum of
// the rest, then JSON. Files it does not name are what a crash left.
type manifest struct {
	Identity string          `json:"identity"`
	State    json.RawMessage `json:"state"`
	Next     int             `json:"next"` // the number of the next file
	Segments []manifestPart  `json:"segments"`
}

type manifestPart struct {
	Name   string `json:"name"`
	Dead   []byte `json:"dead,omitempty"` // a bit for each document
	Forget bool   `json:"forget,omitempty"`
}

func (m *manifest) write(dir string) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, manifestName+asideExt)
	err = writeFile(aside, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%08x\n%s\n", crc32.Checksum(body, castagnoli), body)
		return err
	})
	if err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// readManifest returns nil if there is none.
func readManifest(dir string) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sum, body, _ := bytes.Cut(b, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	m := &manifest{}
	if fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) != string(sum) || json.Unmarshal(body, m) != nil {
		return nil, fmt.Errorf("%w: the manifest cannot be read", ErrDamaged)
	}
	return m, nil
}

// sweep removes the files of an index that the manifest does not name; with
// nil, all of them. Other files are not touched.
func sweep(dir string, m *manifest) error {
	keep := map[string]bool{}
	if m != nil {
		keep[manifestName] = true
		for _, p := range m.Segments {
			keep[p.Name] = true
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		ours := name == manifestName || strings.HasSuffix(name, segmentExt) || strings.HasSuffix(name, asideExt)
		if ours && !keep[name] {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
