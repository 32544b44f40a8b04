//go:build !linux

package pdf

// reserve returns memory that is all zeros.
func reserve(size uint64) ([]byte, error) { return make([]byte, size), nil }

// empty has it read as zeros again.
func empty(space []byte) { clear(space) }

// release ends what reserve returned.
func release([]byte) {}
