//go:build !windows

package datadir

import (
	"io/fs"
	"os"
	"syscall"
)

// openToGive opens what is to be given away: a pipe among it must not hold us up.
const openToGive = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func ownerOf(info fs.FileInfo) (owner, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, false
	}
	return owner{int(s.Uid), int(s.Gid)}, true
}

// links is how many names a file has; 0 if that is not known.
func links(info fs.FileInfo) uint64 {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(s.Nlink)
}
