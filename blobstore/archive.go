package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Archive keeps blobs on a medium of any kind, FAT included: no links, names of
// letters and digits, and no file longer than a cut.
//
//	<dir>/blobs/00 … ff/<64 hex>       a blob, named by its digest
//	<dir>/blobs/00 … ff/<64 hex>.000   the first part of one that was cut; .001 and so on follow
//	<dir>/<name>, <dir>/<name>.000     other files, see WriteFile
//	<dir>/staging/                     what is on its way in
//
// A file gets its name when its bytes are synced, so a name never stands for
// bytes that a power cut took. It makes no directory before it needs one and
// holds no open file.
type Archive struct {
	dir string
	cut int64
}

// NewArchive is the archive in dir, which is not touched. A file longer than
// cut bytes is written in parts.
func NewArchive(dir string, cut int64) *Archive { return &Archive{dir, cut} }

func (a *Archive) path(d Digest) string {
	return filepath.Join(a.dir, "blobs", fmt.Sprintf("%02x", d[0]), d.Hex())
}

// Sweep removes what an earlier writer left on its way in.
func (a *Archive) Sweep() error { return os.RemoveAll(filepath.Join(a.dir, "staging")) }

// Stat is the size of a blob, all parts together. ErrNotFound; ErrCorrupt if what
// stands there is no file.
func (a *Archive) Stat(d Digest) (int64, error) {
	_, size, err := parts(a.path(d))
	if err != nil {
		return 0, blobError("stat", d, err)
	}
	return size, nil
}

// Open returns a blob's bytes, put together. The caller closes it. ErrNotFound.
func (a *Archive) Open(d Digest) (io.ReadSeekCloser, error) {
	f, err := openParts(a.path(d))
	if err != nil {
		return nil, blobError("open", d, err)
	}
	return f, nil
}

// Check reads the whole blob, as Disk.Check does.
func (a *Archive) Check(ctx context.Context, d Digest) (int64, error) {
	f, err := openParts(a.path(d))
	if err != nil {
		return 0, blobError("check", d, err)
	}
	defer f.Close()
	hash := sha256.New()
	size, err := copyTo(ctx, hash, f, make([]byte, chunkSize))
	if err != nil {
		return size, blobError("check", d, err)
	}
	if found := Digest(hash.Sum(nil)); found != d {
		return size, fmt.Errorf("check %v: %w: its %d bytes have digest %v", d, ErrCorrupt, size, found)
	}
	return size, nil
}

// Remove unlinks a blob, durably; one that is not there is no error.
func (a *Archive) Remove(d Digest) error {
	names, _, err := parts(a.path(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if errors.Is(err, ErrCorrupt) {
		return a.Clear(d)
	}
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	if err == nil {
		err = syncDir(filepath.Dir(a.path(d)))
	}
	if err != nil {
		return blobError("remove", d, err)
	}
	return nil
}

// Clear removes whatever stands in the place of a blob: parts that do not join, a
// link, a directory. It reads the names of all that stand beside it.
func (a *Archive) Clear(d Digest) error {
	dir := filepath.Dir(a.path(d))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if text, _, _ := strings.Cut(entry.Name(), "."); text == d.Hex() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return blobError("clear", d, err)
	}
	return nil
}

// Each calls fn with every blob and its size in the order of the digests, and
// stops at the first error. What has a blob's name and is no file has the size 0;
// what has another name is passed over.
func (a *Archive) Each(ctx context.Context, fn func(Digest, int64) error) error {
	for first := range 256 {
		names, err := os.ReadDir(filepath.Join(a.dir, "blobs", fmt.Sprintf("%02x", first)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("enumerate blobs: %w", err)
		}
		var digests []Digest
		for _, entry := range names {
			text, _, _ := strings.Cut(entry.Name(), ".")
			if d, ok := parseHex(text); ok && int(d[0]) == first {
				digests = append(digests, d)
			}
		}
		slices.SortFunc(digests, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
		for _, d := range slices.Compact(digests) { // parts have one digest
			if err := ctx.Err(); err != nil {
				return err
			}
			size, err := a.Stat(d)
			if err == nil || errors.Is(err, ErrCorrupt) {
				err = fn(d, size)
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// Part is one file of what was cut, or all of what was not.
type Part struct {
	File   string `json:"file"` // name within the archive
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // 64 hexadecimal digits
}

// WriteFile makes a file of what fill writes, durably, in parts if it is longer
// than the cut, and says what they are. No file of that name may be there.
func (a *Archive) WriteFile(name string, fill func(io.Writer) error) ([]Part, error) {
	b := a.Batch()
	defer b.Discard()
	w, err := b.begin(filepath.Join(a.dir, name), true)
	if err == nil {
		err = fill(w)
	}
	if err == nil {
		err = w.end()
	}
	if err == nil {
		b.add(w)
		err = b.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, spaceError(err))
	}
	return w.parts, nil
}

// Batch brings many blobs into an archive. They are there when Close returns.
func (a *Archive) Batch() *Batch {
	return &Batch{staging: filepath.Join(a.dir, "staging"), cut: a.cut, path: a.path, buf: make([]byte, chunkSize), dirs: map[string]bool{}}
}

// parts are the files of what stands at path, whole or cut, and their size.
func parts(path string) (names []string, size int64, err error) {
	info, err := lstatKept(path)
	if err == nil {
		return []string{path}, info.Size(), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, 0, err
	}
	for number := 0; ; number++ {
		name := partName(path, number)
		info, missing := lstatKept(name)
		if errors.Is(missing, os.ErrNotExist) && number == 0 {
			return nil, 0, err
		}
		if errors.Is(missing, os.ErrNotExist) {
			return names, size, nil
		}
		if missing != nil {
			return nil, 0, missing
		}
		names, size = append(names, name), size+info.Size()
	}
}

func partName(path string, number int) string { return fmt.Sprintf("%s.%03d", path, number) }

// joined is several files read as one.
type joined struct {
	*io.SectionReader
	files []*os.File
	ends  []int64 // where each of them ends, from the beginning of the first
}

func openParts(path string) (*joined, error) {
	names, _, err := parts(path)
	if err != nil {
		return nil, err
	}
	j := &joined{}
	var size int64
	for _, name := range names {
		f, err := OpenRegular(name)
		if err != nil {
			return nil, errors.Join(err, j.Close())
		}
		j.files = append(j.files, f)
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, j.Close())
		}
		size += info.Size()
		j.ends = append(j.ends, size)
	}
	j.SectionReader = io.NewSectionReader(readerAt(j.readAt), 0, size)
	return j, nil
}

type readerAt func(p []byte, at int64) (int, error)

func (r readerAt) ReadAt(p []byte, at int64) (int, error) { return r(p, at) }

func (j *joined) readAt(p []byte, at int64) (n int, err error) {
	var begin int64
	for i, f := range j.files {
		if at < j.ends[i] {
			part := p[n:min(len(p), n+int(min(j.ends[i]-at, int64(len(p)))))]
			m, err := f.ReadAt(part, at-begin)
			n, at = n+m, at+int64(m)
			if m < len(part) {
				return n, err
			}
			if n == len(p) {
				return n, nil
			}
		}
		begin = j.ends[i]
	}
	return n, io.EOF
}

func (j *joined) Close() error {
	var errs []error
	for _, f := range j.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
