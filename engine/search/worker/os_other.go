//go:build !linux

package worker

// resident is not known here: the bounds of the readers and of Go's runtime are
// what there is.
func resident(int) int64 { return 0 }

func capMemory(int64) {}
