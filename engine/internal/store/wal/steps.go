package wal

import (
	"errors"
	"io"
	"os"

	"strongroom/blobstore"
)

// File is what the log does with a file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// Steps are the acts that a log's durability depends on. Tests put in steps that
// fail, before or after having acted, and disks in memory; nothing else is
// replaced. The zero value is the real ones.
//
// The system calls of one record on Linux:
//
//	pwrite64(segment, record, at) …   the header and the set; one more for each blob
//	sync_file_range(segment, at, …, SYNC_FILE_RANGE_WRITE)   no more than a hint
//	fdatasync(segment)
//
// of a new segment:
//
//	openat(O_CREAT|O_EXCL) pwrite64 … fdatasync, then openat(directory) fsync close
//
// of a name:
//
//	pwrite64(checkpoint, slot, 0 or 4096) fdatasync(checkpoint)
type Steps struct {
	Open    func(path string, create bool) (File, int64, error) // with its size; create: it is not there yet
	WriteAt func(f File, b []byte, at int64) error
	Sync    func(f File) error
	Rename  func(from, to string) error
	Remove  func(path string) error
	SyncDir func(dir string) error
	Mkdir   func(dir string) error
	List    func(dir string) ([]string, error) // names; none if there is no such directory
}

func (s *Steps) fill() {
	if s.Open != nil {
		return
	}
	*s = Steps{
		Open: openFile,
		WriteAt: func(f File, b []byte, at int64) error {
			_, err := f.WriteAt(b, at)
			return err
		},
		Sync:    func(f File) error { return syncData(f.(*os.File)) },
		Rename:  os.Rename,
		Remove:  os.Remove,
		SyncDir: blobstore.SyncDir,
		Mkdir:   func(dir string) error { return os.Mkdir(dir, 0o700) },
		List:    list,
	}
}

func openFile(path string, create bool) (File, int64, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func list(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// removeIfThere removes a file that may be gone already.
func (s *Steps) removeIfThere(path string) error {
	if err := s.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
