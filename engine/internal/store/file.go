package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"strongroom/blobstore"
)

// openDB opens a database with the freelist kept on disk (without it, opening a
// large file means reading all of it) and room in the address space for the
// file to grow: it cannot be mapped anew while the log pins a state (see
// checkpoint.go). space is how much, in bytes, 0 what suits the machine.
func openDB(path string, readOnly bool, space int) (*bbolt.DB, opened, error) {
	if space == 0 && !readOnly {
		space = addressSpace(path)
	}
	for {
		db, file, err := openMapped(path, readOnly, space)
		if err == nil {
			info, err := file.Stat()
			if err != nil {
				return nil, opened{}, errors.Join(err, db.Close())
			}
			return db, opened{file: file, size: info.Size(), mapped: mappedSize(max(info.Size(), int64(space)))}, nil
		}
		if !errors.Is(err, syscall.ENOMEM) || space <= 1<<30 {
			return nil, opened{}, err
		}
		space /= 4 // the machine has less, or others have taken it
	}
}

// opened is the file below a database. The leader alone uses it.
type opened struct {
	file   *os.File // bbolt's own
	size   int64    // as far as it has blocks
	mapped int64    // what bbolt has mapped of it, and of what is to come, at least
	used   int64    // of size, by pages that were ever taken; and
	named  int64    // that of the last checkpoint
}

func openMapped(path string, readOnly bool, space int) (*bbolt.DB, *os.File, error) {
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
		InitialMmapSize: space,
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
		return db, file, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, &InUseError{Path: path}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	return nil, nil, fmt.Errorf("open %s: %w", path, err)
}

// addressSpace is how much is kept for a file: what the system has plenty of, or
// twice the file's size.
func addressSpace(path string) int {
	info, err := os.Stat(path)
	if err != nil || initialMmapSize == 0 {
		return initialMmapSize
	}
	return int(max(initialMmapSize, min(2*info.Size(), math.MaxInt/2)))
}

// mappedSize is what bbolt maps at least for a file that needs so many bytes: a
// power of two up to a gigabyte, then whole gigabytes.
func mappedSize(need int64) int64 {
	for size := int64(1 << 15); size <= 1<<30; size *= 2 {
		if need <= size {
			return size
		}
	}
	return (need + 1<<30 - 1) &^ (1<<30 - 1)
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
