package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"strongroom/blobstore"
)

// openDB opens vault.db with the freelist kept on disk (without it, opening a
// large file means reading all of it) and room in the address space for the
// file to grow: a reader that holds the old mapping would otherwise stall the
// writer that needs a larger one.
func openDB(path string, readOnly bool) (*bbolt.DB, error) {
	var file *os.File
	whole := false
	defer func() {
		if !whole && file != nil { // bbolt panicked: it trusts the pages it reads
			unlockFile(file)
			file.Close()
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         500 * time.Millisecond,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mmapSize(path),
		ReadOnly:        readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			if readOnly { // a copy may lie where others can put a link in its place
				file, err = blobstore.OpenRegular(name)
			} else {
				file, err = os.OpenFile(name, flag, perm)
			}
			return file, err
		},
	})
	whole = true
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &InUseError{Path: path}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	return nil, fmt.Errorf("open %s: %w", path, err)
}

// mmapSize leaves a file room to grow to twice its size before the mapping has
// to: a long reader, such as a backup, would hold that up, and every writer.
func mmapSize(path string) int {
	info, err := os.Stat(path)
	if err != nil || initialMmapSize == 0 {
		return initialMmapSize
	}
	return int(max(initialMmapSize, min(2*info.Size(), math.MaxInt/2)))
}

// metaNames says whether either of the two meta pages at the head of a bbolt
// file names the transaction, that is, whether its commit may have happened.
// It reads the file, not the mapping. The layout is bbolt's, unchanged since
// its format version 2: a page header of 16 bytes, then magic, version, page
// size and flags of 4 bytes each, the root bucket of 16, freelist and high
// water mark of 8 each, and the transaction id.
func metaNames(path string, pageSize int, txid uint64) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const at = 16 + 4*4 + 16 + 8 + 8
	var b [8]byte
	for page := range 2 {
		if _, err := f.ReadAt(b[:], int64(page*pageSize+at)); err != nil {
			return false, err
		}
		if binary.NativeEndian.Uint64(b[:]) == txid {
			return true, nil
		}
	}
	return false, nil
}
