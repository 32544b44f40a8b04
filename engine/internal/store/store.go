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
	"time"

	"strongroom/audit"
	"strongroom/blobstore"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
)

// FileDB is the name of the database in a vault's directory.
const FileDB = "vault.db"

// fileNew is that of one being made, which is renamed when it is whole.
const fileNew = FileDB + ".new"

// Options of Open.
type Options struct {
	Schema Schema
	// Reserve is the free space, in bytes, below which writes are refused with
	// ErrNoSpace. 0 is 64 MiB, negative is none.
	Reserve int64
	// OnFail is called, from any goroutine, when the store stops for another
	// reason than Close. Nil is nobody.
	OnFail func()
	// Commit stands in the place of the commit: it gets the real one, and what
	// undoes the transaction. It is for tests of disks that fail; nil is the
	// real one.
	Commit func(commit, rollback func() error) error
}

// Store is the database of one vault. All methods may be called from many
// goroutines. It starts none of its own.
//
// Locks, in the order in which they are taken: life, queue.mu, the writer of
// vault.db; Clock.mu, journal.mu and readers.mu are leaves. Nobody who shares
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

	db      *bbolt.DB
	commit  func(*bbolt.Tx) error // (*bbolt.Tx).Commit; tests make it fail
	durable atomic.Uint64         // the last transaction that is synced
	life    sync.RWMutex          // shared by every call, exclusive in Close
	down    atomic.Pointer[UnavailableError]
	stuck   atomic.Bool // bbolt found damage while it held its locks, which it never lets go
	queue   queue
	entropy *ulid.MonotonicEntropy // used by the leader only
	journal journal
	readers readers
	wiping  wiping
	lent    *bbolt.Tx // what everybody reads instead; tests lend one
}

func newStore(path string, o Options) *Store {
	s := &Store{
		dir: filepath.Dir(path), path: path, schema: o.Schema, reserve: o.Reserve, onFail: o.OnFail,
		commit: (*bbolt.Tx).Commit, entropy: newEntropy(), Stats: newStats(),
	}
	if s.reserve == 0 {
		s.reserve = defaultReserve
	}
	if o.Commit != nil {
		s.Interpose(o.Commit)
	}
	s.journal.init()
	return s
}

// Open opens the vault.db of a directory, whose Lock the caller holds; the caller
// knows that the file is there, or an empty one is made. It writes nothing to one
// of today's format; an earlier one is migrated, and a copy of it kept beside it,
// as vault.db.format-N, until the next Open. ErrFormat, *InUseError, ErrNoSpace
// if there is no room for the copy, and ErrDamaged, in an *UnavailableError if
// bbolt fell over it.
func Open(dir string, o Options) (*Store, error) {
	s := newStore(filepath.Join(dir, FileDB), o)
	if err := s.open(false, s.load); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenCopy opens a copy of a vault.db, wherever it is, to be read and nothing
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
	err = whole(func() error { s.db, err = openDB(s.path, readOnly); return err })
	if err != nil {
		return err
	}
	if err := whole(load); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
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

// Create makes a vault.db in a directory whose Lock the caller holds: its
// buckets, and what the steps write, each with its entry, in one transaction.
// The first step puts the vault's id into Meta: see Tx.Found. The file is
// written beside its final name and renamed when it is on disk: a crash before
// that leaves no vault, and a file that the next Create removes.
func Create(dir string, schema Schema, steps ...Step) error {
	fresh := filepath.Join(dir, fileNew)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := openDB(fresh, false)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, bucket := range schema.buckets(schema.Format) {
			if _, err := b.CreateBucket(bucket); err != nil {
				return err
			}
		}
		s := newStore(fresh, Options{Schema: schema})
		s.Clock.start(time.Time{})
		t := &Tx{s: s, b: b, now: s.Clock.Now()}
		for _, step := range steps {
			if _, _, err := t.run(step); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return blobstore.Rename(fresh, filepath.Join(dir, FileDB))
}

// Found gives a new vault its id, and the file the format.
func (t *Tx) Found() (ID, error) {
	vault, err := t.NewID()
	if err != nil {
		return ID{}, err
	}
	t.putFormat()
	t.Put(Meta, metaVault, []byte(vault.String()))
	return vault, nil
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

// Close waits for the calls that run, runs last, if it is not nil, and closes
// the file. The caller has called Shut, or nobody else has the store.
func (s *Store) Close(last func() error) (err error) {
	s.life.Lock()
	defer s.life.Unlock()
	if last != nil {
		err = last()
	}
	if s.stuck.Load() { // its Close would wait for ever
		return err
	}
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
