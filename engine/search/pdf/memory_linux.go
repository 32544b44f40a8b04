package pdf

import "syscall"

// reserve returns memory that takes no room until it is written to. It is no part
// of Go's heap: there, what was freed and is used again is cleared first, and that
// takes all the room at once.
func reserve(size uint64) ([]byte, error) {
	return syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// empty gives the room of what was reserved back. It reads as zeros afterwards, see
// madvise(2) on MADV_DONTNEED of private anonymous memory.
func empty(space []byte) {
	if syscall.Madvise(space, syscall.MADV_DONTNEED) != nil {
		clear(space)
	}
}

// release ends what reserve returned. Nothing may refer to it any more.
func release(space []byte) { syscall.Munmap(space) }
