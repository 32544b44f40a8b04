package webhook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"strongroom/audit"
	"strongroom/engine"
)

// The buckets of webhooks.db. Values are JSON.
//
//	meta        "log"                     logMark
//	endpoints   webhook                   place
//	deliveries  webhook ‖ n, 8 bytes      engine.Delivery, the last keptDeliveries
var (
	bucketMeta       = []byte("meta")
	bucketEndpoints  = []byte("endpoints")
	bucketDeliveries = []byte("deliveries")
	keyLog           = []byte("log")
)

const (
	// keptDeliveries is how many attempts are kept of an endpoint.
	keptDeliveries = 1_000
	// lockPatience is how long to wait for another process to let go of the file.
	lockPatience = 5 * time.Second
)

// logMark says which log the file is about, and where in it the file was made.
type logMark struct {
	Start uint64     // the head when the file was made: endpoints older than it begin there
	Seq   uint64     // the head when the file was last written, and
	Hash  audit.Hash // its hash: it must be in the log still
}

// place is how far an endpoint has been told.
type place struct {
	Cursor   uint64 // up to here all is delivered, not wanted, or set aside
	Revision uint64 // of the webhook that was delivered to last
	// Failures counts those of the entry that is to be told next; it is not tried
	// before Next.
	Failures uint64    `json:",omitempty"`
	Next     time.Time `json:",omitzero"`
	// Failing is since when there was nothing but failure, Last the last attempt.
	Failing time.Time `json:",omitzero"`
	Last    time.Time `json:",omitzero"`
	Aside   []aside   `json:",omitempty"` // in order
	N       uint64    // of the last delivery
}

// aside is an entry that the endpoint refuses while it takes others.
type aside struct {
	Seq      uint64
	Attempts uint64 // since ever
	Failures uint64 // since it was set aside
	Next     time.Time
}

// state is the file.
type state struct {
	db *bbolt.DB
	// damaged says that bbolt panicked: nobody asks it again. held counts calls that
	// take or let go of its locks, those that panicked for ever.
	damaged atomic.Bool
	held    atomic.Int64

	mu   sync.Mutex // leaf lock
	gone []string   // webhooks whose rows are to be removed
	kick chan struct{}
	// start is where endpoints begin that the file knows nothing of, unless their
	// webhooks are younger.
	start uint64
}

// openState opens the file, or makes it anew if there is none that is about this
// log.
func openState(path string, v *engine.Vault, report func(error)) (*state, error) {
	s, err := loadState(path, v)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeState(path, v)
	case err == nil, isKept(err):
		return s, err
	}
	report(fmt.Errorf("what was kept of deliveries is lost, they go on from the head of the log: %w", err))
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	return makeState(path, v)
}

// isKept says that a file which could not be opened is not lost for that: what
// the system does not give now, open files or memory, it gives later.
func isKept(err error) bool {
	_, system := errors.AsType[syscall.Errno](err)
	return system || errors.Is(err, bbolterrors.ErrTimeout) || errors.Is(err, engine.ErrUnavailable)
}

// check holds that the entry which was the last is the one it was.
func (m logMark) check(v *engine.Vault) error {
	e, err := v.Entry(context.Background(), m.Seq)
	switch {
	case errors.Is(err, engine.ErrEntryNotFound), err == nil && e.Hash != m.Hash:
		return fmt.Errorf("%w: entry %d is not the one it knew", errForeign, m.Seq)
	}
	return err
}

func makeState(path string, v *engine.Vault) (*state, error) {
	s, err := openDB(path)
	if err != nil {
		return nil, err
	}
	head := v.Head()
	mark := logMark{Start: head.Seq, Seq: head.Seq, Hash: head.Hash}
	err = s.update(func(b *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketEndpoints, bucketDeliveries} {
			if _, err := b.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return putJSON(b.Bucket(bucketMeta), keyLog, mark)
	})
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.start = mark.Start
	return s, nil
}

// syncDir makes the name of the file durable: a power cut that took it back would
// take back how far everybody was told. Windows has no such thing, and needs none.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
