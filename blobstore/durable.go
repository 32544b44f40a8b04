package blobstore

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// steps are the acts that durability depends on, in the order in which one Keep
// takes them. Tests put in steps that fail, before or after having acted;
// nothing else is replaced.
//
// The system calls of one new blob on Linux, in order:
//
//	openat(staging/<name>, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0400)   create
//	write(fd, …) …                                                  write
//	sync_file_range(fd, …, SYNC_FILE_RANGE_WRITE) …                 every 8 MiB, no more than a hint
//	fsync(fd)                                                       sync
//	close(fd)                                                       close
//	renameat(staging/<name>, sha256/ab/<hex>)                       rename
//	openat(sha256/ab, O_RDONLY|O_CLOEXEC) fsync(fd) close(fd)       syncDir
//
// Those of a blob whose bytes are in a log, by whom they are made:
//
//	Prepare     openat(staging/<name>, …) write(fd, …)              create, write
//	Place       renameat(staging/<name>, sha256/ab/<hex>)           rename
//	SyncPlaced  sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)    all files, no more than a hint
//	            fsync(fd) close(fd)                                 all files, some at once: sync, close
//	            openat(sha256/ab, …) fsync(fd) close(fd)            each directory once, some at once: syncDir
type steps struct {
	create  func(path string) (*os.File, error)
	write   func(f *os.File, p []byte) error
	sync    func(f *os.File) error
	close   func(f *os.File) error
	rename  func(from, to string) error
	syncDir func(path string) error
	remove  func(path string) error
}

func realSteps() steps {
	return steps{
		create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, blobMode)
		},
		write: func(f *os.File, p []byte) error {
			_, err := f.Write(p)
			return err
		},
		sync:    (*os.File).Sync,
		close:   (*os.File).Close,
		rename:  rename,
		syncDir: syncDir,
		remove:  os.Remove,
	}
}

// fanout is what Disk knows of one of the 256 directories.
type fanout struct {
	// placing makes "is it there already? then rename" one step, so that of
	// equal blobs kept at once one is placed. Held for a stat and a rename, never during a sync.
	placing sync.Mutex

	unsynced map[Digest]*unsynced // names that are not known to be durable; guarded by placing
	vouched  atomic.Bool          // a sync succeeded since Open: names from before it are durable too

	// A sync of the directory covers every rename that came before it began.
	// So whoever comes while one runs waits for the next, and all who wait
	// share it: at most one runs and one is being gathered.
	gathering sync.Mutex // guards running and next; never held during a sync
	running   *dirSync   // nil: none
	next      *dirSync   // begins when running has ended; nil: nobody waits

	// failures counts the syncs of the directory that failed. The kernel may
	// hold for clean what such a sync could not write, and the next sync
	// succeed without it: a name is durable only if no sync failed between
	// its rename and the sync that succeeded.
	failures atomic.Uint64
}

type dirSync struct {
	done chan struct{} // closed when err is set
	err  error
}

var errSyncFailed = errors.New("a sync of the directory failed in between")

// sync returns when a sync of the directory that began after the call of sync
// has ended, with its outcome. failures is the count from before the rename.
func (f *fanout) sync(failures uint64, syncDir func() error) error {
	if err := f.share(syncDir); err != nil {
		return err
	}
	if f.failures.Load() != failures {
		return errSyncFailed
	}
	return nil
}

func (f *fanout) share(syncDir func() error) error {
	f.gathering.Lock()
	if s := f.next; s != nil {
		f.gathering.Unlock()
		<-s.done
		return s.err
	}
	s := &dirSync{done: make(chan struct{})}
	if before := f.running; before != nil {
		f.next = s
		f.gathering.Unlock()
		<-before.done
		f.gathering.Lock()
		f.next = nil // whoever comes from here on may have renamed too late for s
	}
	f.running = s
	f.gathering.Unlock()

	if s.err = syncDir(); s.err != nil {
		f.failures.Add(1)
	}
	f.gathering.Lock()
	if f.next == nil {
		f.running = nil
	}
	f.gathering.Unlock()
	close(s.done)
	return s.err
}

// writeFile makes path a new file of the bytes that fill writes, synced. If it
// fails, nothing is left at path.
//
// The file is written from scratch or not at all: after a failed sync the
// kernel may hold the lost pages for clean, so a second sync proves nothing.
func (s steps) writeFile(path string, fill func(f *os.File) error) (err error) {
	whole := false
	// Deferred, so that a panic of a reader inside fill leaves nothing either.
	defer func() {
		if !whole {
			err = errors.Join(err, s.removeIfPresent(path)) // a create that failed may have made it
		}
	}()
	f, err := s.create(path)
	if err != nil {
		return spaceError(err)
	}
	defer f.Close() // again after close, which does no harm
	if err := fill(f); err != nil {
		return err
	}
	if err := s.sync(f); err != nil {
		return spaceError(err)
	}
	if err := s.close(f); err != nil {
		return spaceError(err)
	}
	whole = true
	return nil
}

// put writes all of p.
func (s steps) put(f *os.File, p []byte) error { return spaceError(s.write(f, p)) }

func (s steps) removeIfPresent(path string) error {
	if err := s.remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// spaceError adds ErrNoSpace to the system's ways of saying it.
func spaceError(err error) error {
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return err
}
