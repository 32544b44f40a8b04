package worker

import "runtime/debug"

// limitMemory has Go's runtime give memory back rather than come near what the
// process may have.
func limitMemory(bytes int64) {
	if bytes <= 0 {
		return
	}
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(bytes * 3 / 4)
	capMemory(shadow * bytes)
}
