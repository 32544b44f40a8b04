//go:build unix

package blobstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// blobMode makes a blob read-only from its creation, which costs nothing: the
// descriptor that created the file may write all the same.
const blobMode = 0o400

var noSpace = []error{unix.ENOSPC, unix.EDQUOT}

// rename replaces what stands at to. It is durable after syncDir of to's directory.
func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes the names in a directory durable. On darwin File.Sync is
// fcntl(F_FULLFSYNC), without which the disk's own cache may keep them.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// openUnlinked opens a name that may stand for anything: it follows no link and
// waits for no pipe.
func openUnlinked(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

func freeBytes(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

// mayHold is how many written files may stay open until they are synced: a
// small share of what the process may open, since it has other vaults and connections.
func mayHold() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int64(min(uint64(limit.Cur)/16, mostHeld))
}
