//go:build unix

package store

import (
	"os"
	"syscall"
)

// OwnedLike says whether a file belongs to this process's user, to root, or to the
// owner of one of others: on some media all files have the owner of the medium.
func OwnedLike(file os.FileInfo, others ...os.FileInfo) bool {
	uid, known := uidOf(file)
	if !known || uid == 0 || uid == uint32(os.Geteuid()) {
		return true
	}
	for _, other := range others {
		if is, known := uidOf(other); known && is == uid {
			return true
		}
	}
	return false
}

func uidOf(file os.FileInfo) (uint32, bool) {
	s, known := file.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return s.Uid, true
}
