package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives a file blocks from one size to another. A file system that
// cannot do so beforehand says how long the file is.
func allocate(f *os.File, from, to int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, from, to-from)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return f.Truncate(to)
		case !errors.Is(err, unix.EINTR):
			return os.NewSyscallError("fallocate", err)
		}
	}
}
