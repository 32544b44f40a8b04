package store

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Stats counts since opening.
type Stats struct {
	Commits, Changes, LateFailures, Checkpoints atomic.Uint64

	Groups      *Histogram // changes in a commit
	CommitTimes *Histogram // seconds
}

func newStats() Stats {
	return Stats{
		Groups:      NewHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256, MaxGroup),
		CommitTimes: NewHistogram(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
	}
}

// Usage is what the database and its log take.
type Usage struct {
	FileBytes int64
	PageBytes int
	FreePages int   // since the first commit after opening: they are used before the file grows
	Waiting   int   // calls that wait for their commit
	LogBytes  int64 // of records that recovery would have to read, with the uploads in them
}

// Usage asks the file system and the database. It is cheap.
func (s *Store) Usage() (Usage, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return Usage{}, fmt.Errorf("look at the database: %w", err)
	}
	s.queue.mu.Lock()
	waiting := len(s.queue.waiting)
	s.queue.mu.Unlock()
	pages := s.db.Stats()
	u := Usage{FileBytes: info.Size(), PageBytes: s.db.Info().PageSize, FreePages: pages.FreePageN + pages.PendingPageN, Waiting: waiting}
	if log := s.log.Load(); log != nil {
		u.LogBytes = log.Since()
	}
	return u, nil
}

// Size is how many bytes of the file the pages took that were ever used.
func (t *Tx) Size() int64 { return t.b.Size() }
