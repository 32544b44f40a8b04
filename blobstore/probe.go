package blobstore

import (
	"errors"
	"os"
	"slices"
	"time"
)

// ProbeSync appends 4 KiB to a file of its own in dir and syncs it, some times,
// and returns the median of what the syncs took. A disk that answers faster than
// any flash can write has not written: its cache, or the machine it is a guest
// of, only says so.
func ProbeSync(dir string) (median time.Duration, err error) {
	f, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return 0, spaceError(err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var took []time.Duration
	page := make([]byte, 4<<10)
	for range 21 {
		if _, err := f.Write(page); err != nil {
			return 0, spaceError(err)
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, spaceError(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// Uncache lets go of what the system holds of a file in memory, where it can be
// asked to: reading the file then reads the disk. Nothing is lost.
func Uncache(f *os.File) { uncache(f) }
