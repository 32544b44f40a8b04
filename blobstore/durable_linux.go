package blobstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback asks the kernel to begin writing a part of f to the disk, so
// that the disk works while the rest still comes in and the sync at the end
// finds little to do. It promises nothing, so its own error means nothing; an
// error of the writing is reported by the sync, because this call, which does not wait, does not take it away.
//
//	sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE)
func startWriteback(f *os.File, offset, length int64) {
	unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}

// uncache lets go of what the kernel holds of f in memory, so that reading it
// reads the disk. It is no more than a hint.
//
//	fadvise64(fd, 0, 0, POSIX_FADV_DONTNEED)
func uncache(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
