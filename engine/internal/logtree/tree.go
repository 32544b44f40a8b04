// Package logtree keeps the Merkle tree of a log in a file: 32 bytes for each hash
// at its stored index (golang.org/x/mod/sumdb/tlog), nothing else.
//
// The file is derived: whoever has the log can make it again. It is trusted as far
// as a signed root covers it, and what was written since it was opened: a file that
// a power cut has torn may have the right length and zeros in it. A root covers what
// it was worked out from, which is little of the file, so a proof is checked against
// the root before it is given out, and so is every tile: [ErrWrong] says that the
// file is not the tree of that root, and is to be made again.
package logtree

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"strongroom/audit"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrWrong: the file has hashes that are not those of the tree.
var ErrWrong = errors.New("logtree: the file is not the tree that was signed")

// Tree is an open file. It is nobody's to share: one goroutine at a time.
type Tree struct {
	f     *os.File
	w     *bufio.Writer
	edge  *audit.Edge // of all leaves, on disk or on their way there
	disk  int64       // leaves that are synced
	spare []tlog.Hash // memory
}

// Open opens the file at path, or makes it, and keeps of it what the root covers.
// Of one that does not have that root, or is too short, nothing is kept: [Tree.Size]
// is 0 then. The zero Root keeps nothing.
func Open(path string, signed Root) (*Tree, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	t := &Tree{f: f, w: bufio.NewWriterSize(nil, 1<<16)}
	if err := t.keep(signed.Size, signed.Hash); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

func (t *Tree) keep(size int64, root tlog.Hash) error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", t.f.Name())
	}
	if offset(size) > info.Size() {
		size = 0
	}
	t.disk = size
	if size > 0 {
		if is, err := t.Root(size); err != nil {
			return err
		} else if is != root {
			return t.Reset()
		}
	}
	return t.cut()
}

// Reset forgets the whole tree.
func (t *Tree) Reset() error {
	t.disk = 0
	return t.cut()
}

// cut makes the file as long as the leaves on disk have it, so that the next are
// written behind them.
func (t *Tree) cut() error {
	end := offset(t.disk)
	if err := t.f.Truncate(end); err != nil {
		return err
	}
	if _, err := t.f.Seek(end, io.SeekStart); err != nil {
		return err
	}
	t.w.Reset(t.f)
	var err error
	t.edge, err = audit.NewEdge(t.disk, t)
	return err
}

// offset is where the hashes of so many leaves end.
func offset(size int64) int64 {
	if size == 0 {
		return 0
	}
	return tlog.StoredHashCount(size) * tlog.HashSize
}

// Size is how many leaves the tree has that are synced.
func (t *Tree) Size() int64 { return t.disk }

// Append adds a line, which is not kept. It is in the tree after the next Sync. An
// error is that of the disk, and leaves the tree as it was at the last Sync.
func (t *Tree) Append(line []byte) error {
	t.spare = t.edge.Append(t.spare[:0], line)
	for _, hash := range t.spare {
		if _, err := t.w.Write(hash[:]); err != nil {
			return errors.Join(err, t.cut())
		}
	}
	return nil
}

// Sync has what was appended on disk.
func (t *Tree) Sync() error {
	if t.edge.Size() == t.disk {
		return nil
	}
	err := t.w.Flush()
	if err == nil {
		err = t.f.Sync()
	}
	if err != nil {
		return errors.Join(err, t.cut())
	}
	t.disk = t.edge.Size()
	return nil
}

// Drop forgets what was appended since the last Sync.
func (t *Tree) Drop() error {
	if t.edge.Size() == t.disk {
		return nil
	}
	return t.cut()
}

// Close lets the file go. What was not synced is lost.
func (t *Tree) Close() error { return t.f.Close() }

// ReadHashes makes Tree a tlog.HashReader of what is synced.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes, end := make([]tlog.Hash, len(indexes)), offset(t.disk)
	for i, index := range indexes {
		at := index * tlog.HashSize
		if index < 0 || at >= end {
			return nil, fmt.Errorf("%w: it has no hash %d", ErrWrong, index)
		}
		if _, err := t.f.ReadAt(hashes[i][:], at); errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: it ends before hash %d", ErrWrong, index)
		} else if err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// Root returns the root of the first size leaves.
func (t *Tree) Root(size int64) (tlog.Hash, error) {
	if size < 0 || size > t.disk {
		return tlog.Hash{}, fmt.Errorf("logtree: the tree has %d leaves, not %d", t.disk, size)
	}
	return tlog.TreeHash(size, t)
}
