package datadir

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the file for this process until it is closed, by whatever
// road, the end of the process included. It reports false if another has it.
// One byte far beyond the end is locked: Windows would keep others from
// reading what is locked, and they shall read the process id.
func tryLock(f *os.File) (bool, error) {
	beyond := windows.Overlapped{Offset: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &beyond)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
