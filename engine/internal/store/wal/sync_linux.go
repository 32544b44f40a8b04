package wal

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes what was written to a file durable, without its times.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// startWriting has the disk begin with a part of a file. It is no more than a hint.
func startWriting(f File, at, size int64) {
	if f, ok := f.(*os.File); ok {
		unix.SyncFileRange(int(f.Fd()), at, size, unix.SYNC_FILE_RANGE_WRITE)
	}
}
