package blobstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// IsNoSpace says whether err, from any file operation, means that the file
// system or the quota on it is full.
func IsNoSpace(err error) bool { return errors.Is(spaceError(err), ErrNoSpace) }

// Rename puts the synced file at from in the place of whatever stands at to, in
// the same directory, and returns when that is durable: renameat, then fsync of
// the directory. A crash leaves the one or the other.
func Rename(from, to string) error {
	if err := rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// WriteFile replaces the file at path by one of these bytes, durably: a crash
// leaves the old or the new, whole. It is for the small files that stand
// beside the blobs, and uses path+".new" on the way, which a crash may leave. What
// stands there is removed and not followed: on a medium, others may have laid a link.
func WriteFile(path string, data []byte) error {
	fresh := path + ".new"
	f, err := CreateFresh(fresh)
	if err != nil {
		return spaceError(err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, spaceError(err))
	}
	return Rename(fresh, path)
}

// SyncDir makes the names in a directory durable; it does nothing where the
// system has no such call.
func SyncDir(dir string) error { return syncDir(dir) }

// Free is the number of bytes that this process may still write to the file
// system of a directory.
func Free(dir string) (uint64, error) { return freeBytes(dir) }

// CreateFresh makes a file of this process's own, for it alone, in the place of
// whatever stands at path, which must be no directory with something in it. A link is
// removed and never followed, and what somebody lays there meanwhile is an error.
func CreateFresh(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// OpenRegular opens a file that came from elsewhere to be read. What is no
// regular file is refused: a pipe would never open, a device never end, and a
// link leads to what is none of that medium. It is the opened file that is judged:
// a name may come to stand for something else at any time.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	f, err := openUnlinked(path)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !(opened.Mode().IsRegular() && os.SameFile(info, opened)) {
		err = notRegular(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func notRegular(path string) error {
	return &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
}
