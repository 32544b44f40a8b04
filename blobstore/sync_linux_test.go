package blobstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData is fdatasync.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
