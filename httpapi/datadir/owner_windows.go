package datadir

import (
	"io/fs"
	"os"
)

const openToGive = os.O_RDONLY

// ownerOf knows nobody: who may do what, access lists say, and they are inherited.
func ownerOf(fs.FileInfo) (owner, bool) { return owner{}, false }

func links(fs.FileInfo) uint64 { return 0 }
