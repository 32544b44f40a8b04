package blobstore

import (
	"os"

	"golang.org/x/sys/windows"
)

// blobMode: a read-only file could not be replaced or unlinked on Windows
// before its attribute is taken away again, so blobs stay writable.
const blobMode = 0o600

var noSpace = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}

// rename replaces what stands at to and returns when the move is on the disk
// (MOVEFILE_WRITE_THROUGH), which stands in for the sync of a directory.
func rename(from, to string) error {
	err := moveFile(from, to)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func moveFile(from, to string) error {
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(f, t, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
}

// syncDir does nothing: Windows has no sync of a directory; NTFS keeps its
// names in a journal. Moves are written through, see rename. A removal lost in a crash leaves garbage.
func syncDir(string) error { return nil }

// openUnlinked opens a name that may stand for anything. It looks first: to open the
// link itself would open no file that NTFS has deduplicated. It shares deletion,
// which os.Open does not: a blob can be removed while it is read, and the reader
// keeps its bytes.
func openUnlinked(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path)
	}
	if err != nil {
		return nil, err
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := windows.CreateFile(p, windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func freeBytes(path string) (uint64, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: path, Err: err}
	}
	return free, nil
}

// mayHold is none: a file that is open here can be neither renamed nor replaced.
func mayHold() int64 { return 0 }
