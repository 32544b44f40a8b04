package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store/wal"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
)

// The files of a vault's directory that are the store's.
const (
	// FileDB makes a directory a vault. Up to format 3 it was the database; since
	// then it is a line of text that tells so, for earlier versions: see place.go.
	FileDB = "vault.db"
	// FileRows is the database.
	FileRows = "rows.db"
	// DirLog is the write-ahead log in front of it.
	DirLog = "wal"

	fileNew = FileRows + newSuffix // one that is being made, and renamed when it is whole
)

// Options of Open.
type Options struct {
	Schema Schema
	// Reserve is the free space, in bytes, below which writes are refused with
	// ErrNoSpace. 0 is 64 MiB, negative is none.
	Reserve int64
	// OnFail is called, from any goroutine, when the store stops for another
	// reason than Close. Nil is nobody.
	OnFail func()
	// OnLong is called, by a writer, when the log has grown so long that Checkpoint
	// should be called soon. Nil is nobody: writers then do it themselves, later.
	OnLong func()
	// Blobs are where the uploads lie that Tx.Carry takes. Nil: none is taken.
	Blobs Blobs
	// Ship gets the record of each group before it lands, in its turn, and returns
	// when another machine has it for certain. Whatever it returns ends the store; with ErrReplaced
	// the group did not happen. Nil: the disk here is all there is.
	Ship func(group uint64, record []byte) error
	// Follow refuses the steps of callers, with ErrFollower: see Apply.
	Follow bool
	// Commit stands in the place of the commit: it gets the real one, and what
	// undoes the transaction. It is for tests of disks that fail; nil is the
	// real one.
	Commit func(commit, rollback func() error) error
	// Steps are what the log does to its files, Sync what makes the database
	// durable, in the place of the real ones. They are for tests of disks that fail.
	Steps wal.Steps
	Sync  func(sync func() error) error
	// Map is how much address space is kept for the database, in bytes. It is for
	// tests; 0 is what suits the machine.
	Map int
}

// Blobs is a store of bytes that lets a log carry small ones: blobstore.Disk is
// one, and says what each call promises.
type Blobs interface {
	// Rewrite puts bytes under their digest, whatever stands there.
	Rewrite(ctx context.Context, d blobstore.Digest, b []byte) error
	// SyncPlaced makes durable what was placed and rewritten before.
	SyncPlaced(ctx context.Context) error
}

// Store is the database of one vault. All methods may be called from many
// goroutines. It starts none of its own.
//
// Locks, in the order in which they are taken: life, queue.mu, the writer of
// rows.db, checkpointing; Clock.mu, journal.mu and readers.mu are leaves. Nobody who shares
// life calls what shares it again: a Close in between would wait for the one
// and block the other.
type Store struct {
	Clock Clock // the store's own: who reads it changes nothing
	Stats Stats // since opening

	dir, path string
	vault     string
	schema    Schema
	reserve   int64
	onFail    func()
	onLong    func()
	steps     wal.Steps
	syncs     func(sync func() error) error
	space     int // Options.Map
	blobs     Blobs
	ship      func(group uint64, record []byte) error
	follow    bool

	db      *bbolt.DB
	opened                // the file of db
	durable atomic.Uint64 // the last transaction whose record is synced, or that is itself
	life    sync.RWMutex  // shared by every call, exclusive in Close
	down    atomic.Pointer[UnavailableError]
	failed  atomic.Bool // it stopped, for another reason than Close
	stuck   atomic.Bool // bbolt found damage while it held its locks, which it never lets go
	queue   queue

	interposed    func(commit, rollback func() error) error // nil: nothing is; tests make commits fail
	log           atomic.Pointer[wal.Log]                   // nil: db stands by itself. Set and taken in the leader's turn, or when nobody else is there
	set           *wal.Set                                  // of the group that is led
	shipment      []byte                                    // scratch of the leader's: its record
	checkpointing sync.Mutex                                // held from a checkpoint's commit until it is named; guards pin
	pin           pinned
	told          bool          // that the log is long; the leader's
	placed        atomic.Uint64 // uploads that lie there since the last checkpoint began, unsynced

	entropy *ulid.MonotonicEntropy // used by the leader only
	journal journal
	readers readers
	wiping  wiping
	lent    *bbolt.Tx // what everybody reads instead; tests lend one
}

func newStore(path string, o Options) *Store {
	s := &Store{
		dir: filepath.Dir(path), path: path, schema: o.Schema, reserve: o.Reserve, onFail: o.OnFail, onLong: o.OnLong,
		steps: o.Steps, syncs: o.Sync, interposed: o.Commit, space: o.Map, blobs: o.Blobs, ship: o.Ship, follow: o.Follow,
		set: wal.NewSet(), entropy: newEntropy(), Stats: newStats(),
	}
	if s.reserve == 0 {
		s.reserve = defaultReserve
	}
	s.journal.init()
	return s
}

// Open opens the database of a directory, whose Lock the caller holds; the caller
// knows that vault.db is there. It writes nothing to one of today's format that
// was closed in order; after a crash it brings the database up to the log (see
// recover.go). One of an earlier format is migrated, and a copy of it kept beside
// it, as vault.db.format-N, until the next Open. ErrFormat, *InUseError,
// ErrNoSpace if there is no room for the copy, and ErrDamaged, in an
// *UnavailableError if bbolt fell over it.
func Open(dir string, o Options) (*Store, error) {
	if err := moveIn(dir, o.Schema); err != nil {
		return nil, err
	}
	s := newStore(filepath.Join(dir, FileRows), o)
	switch info, err := os.Stat(s.path); { // bbolt would make a new database of nothing
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %s is missing; restore the vault from a backup", ErrDamaged, s.path)
	case err != nil:
		return nil, err
	case info.Size() == 0:
		return nil, fmt.Errorf("%w: %s is empty; restore the vault from a backup", ErrFormat, s.path)
	}
	if err := s.open(false, s.load); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenCopy opens a copy of a database, wherever it is, to be read and nothing
// else. ErrEarlier if it is not of today's format: to be read, it would have to be
// written.
func OpenCopy(path string, schema Schema) (*Store, error) {
	s := newStore(path, Options{Schema: schema, Reserve: -1})
	err := s.open(true, func() error {
		if format, err := s.readFormat(); err != nil || format < schema.Format {
			return cmp.Or(err, ErrEarlier)
		}
		return s.db.View(s.loadHead)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open opens the file and loads what is kept in memory. A damaged file is closed
// again: bbolt has unwound its transaction.
func (s *Store) open(readOnly bool, load func() error) (err error) {
	whole := func(fn func() error) (err error) {
		defer Damaged(&err, debug.SetPanicOnFault(true))
		return fn()
	}
	defer func() {
		if err != nil && s.db != nil && !s.stuck.Load() {
			err = errors.Join(err, s.db.Close())
		}
	}()
	var left *wal.Recovery
	if !readOnly {
		if left, err = s.openLog(); err != nil {
			return err
		}
	}
	err = whole(func() error { return s.openDB(readOnly) })
	if left != nil {
		if err == nil {
			err = whole(func() error { return s.replay(left) })
		}
		if err != nil {
			return errors.Join(err, left.Close())
		}
	}
	if err != nil {
		return err
	}
	return whole(load)
}

func (s *Store) openDB(readOnly bool) (err error) {
	s.db, s.opened, err = openDB(s.path, readOnly, s.space)
	return err
}

func (s *Store) load() error {
	migrated, err := s.migrate()
	if err != nil {
		return err
	}
	if err := s.db.View(s.loadHead); err != nil {
		return err
	}
	if migrated {
		return nil
	}
	if err := s.dropCopies(); err != nil {
		return fmt.Errorf("remove the copy of its former format: %w", err)
	}
	return nil
}

// loadHead reads what is kept in memory.
func (s *Store) loadHead(b *bbolt.Tx) error {
	meta := b.Bucket(Meta)
	if meta == nil {
		return fmt.Errorf("%w: bucket %s is missing", ErrFormat, Meta)
	}
	vault := meta.Get(metaVault)
	if len(vault) != ulid.EncodedSize {
		return fmt.Errorf("%w: the vault's id cannot be read", ErrDamaged)
	}
	s.vault = string(vault)
	s.durable.Store(uint64(b.ID()))
	head, err := lastHead(b)
	if err != nil {
		return err
	}
	s.Clock.start(head.Time)
	s.journal.move(head)
	return nil
}

// lastHead works the head out from the last line alone.
func lastHead(b *bbolt.Tx) (audit.Head, error) {
	_, line := b.Bucket(Log).Cursor().Last()
	e, err := audit.ParseEntry(line)
	if err != nil {
		return audit.Head{}, fmt.Errorf("the last entry of the log: %w", err)
	}
	return audit.Head{Vault: string(b.Bucket(Meta).Get(metaVault)), Seq: e.Seq, Hash: audit.HashLine(line), Time: e.Time}, nil
}

// Vault is the vault's id.
func (s *Store) Vault() string { return s.vault }

// Path is the database's file.
func (s *Store) Path() string { return s.path }

// Enter begins a call, which keeps Close waiting until Exit.
// *UnavailableError.
func (s *Store) Enter() error {
	s.life.RLock()
	if err := s.Ready(); err != nil {
		s.life.RUnlock()
		return err
	}
	return nil
}

// Exit ends a call.
func (s *Store) Exit() { s.life.RUnlock() }

// Ready is nil, or the *UnavailableError that every call gets.
func (s *Store) Ready() error {
	if down := s.down.Load(); down != nil {
		return down
	}
	return nil
}

// Stop makes the store refuse every call, for the reason it gives, and wakes
// who waits. The first reason stays.
func (s *Store) Stop(reason Reason, cause error) {
	s.failed.Store(true)
	s.down.CompareAndSwap(nil, &UnavailableError{Reason: reason, Err: cause})
	if s.onFail != nil {
		s.onFail()
	}
	s.journal.wake()
}

// Shut refuses every call from now on, and says whether it was the first to say so.
func (s *Store) Shut() (first bool) {
	was := s.down.Swap(&UnavailableError{Reason: ReasonClosed})
	if was != nil && was.Reason == ReasonClosed {
		return false
	}
	s.journal.wake()
	return true
}

// Close waits for the calls that run, runs last, if it is not nil, ends the log, and
// closes the file. The caller has called Shut, or nobody else has the store. One
// that has stopped leaves the log for the next Open.
func (s *Store) Close(last func() error) (err error) {
	s.life.Lock()
	defer s.life.Unlock()
	if last != nil {
		err = last()
	}
	if !s.failed.Load() {
		err = errors.Join(err, s.settle())
	}
	if log := s.log.Load(); log != nil {
		err = errors.Join(err, log.Abandon())
	}
	if s.stuck.Load() { // its Close would wait for ever
		return err
	}
	s.pin.end(s)
	return errors.Join(err, s.db.Close())
}

// Wait returns nil as soon as there is an entry after the one given, at once
// if there is. ErrUnavailable when the vault is closed meanwhile.
func (s *Store) Wait(ctx context.Context, after uint64) error {
	for {
		head, moved := s.journal.state()
		if err := s.Ready(); err != nil {
			return err
		}
		if head.Seq > after {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
