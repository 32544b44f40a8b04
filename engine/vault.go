package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/fixity"
	"strongroom/engine/internal/secret"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
)

// The files of a vault's directory.
const (
	fileDB       = "vault.db"
	fileNewDB    = "vault.db.new" // a vault being made; Create renames it when it is whole
	fileLock     = "vault.lock"   // held while open; its text is the process id
	fileLastUsed = "last-used.json"
	fileLockKey  = "lock.key" // what lock tokens are derived with
	dirBlobs     = "blobs"
)

// defaultReserve is kept free for what must still work on a full disk: closing,
// the log of the operating system, an operator's shell.
const defaultReserve = 64 << 20

// Options of Open and Create. The zero value is right for most.
type Options struct {
	// Name of the organization, given when the vault is made and kept in it:
	// lower-case letters, digits and hyphens, 40 at most. Empty takes the
	// directory's base name.
	Name string
	// Create makes the vault if the directory holds none.
	Create bool
	// AllowNetworkFS opens a vault on NFS, SMB and their like, where locks may
	// not exclude and fsync may not sync. What that loses is yours.
	AllowNetworkFS bool
	// ReserveBytes is the free space below which writes are refused with
	// ErrNoSpace. 0 is 64 MiB, negative is none.
	ReserveBytes int64
	// Blobs keeps the bytes; nil is the local disk, below the vault's directory.
	Blobs BlobStore
}

// BlobStore keeps bytes under their digest. blobstore.Disk satisfies it, and
// says what each call promises; another store can stand in for it.
type BlobStore interface {
	Stage(ctx context.Context, r io.Reader, limit int64) (blobstore.Staged, error)
	Open(blobstore.Digest) (io.ReadSeekCloser, error)
	Stat(blobstore.Digest) (int64, error)
	Remove(blobstore.Digest) error
	Check(context.Context, blobstore.Digest) (int64, error)
	Each(ctx context.Context, fn func(blobstore.Digest, int64) error) error
}

// Digest names bytes by their SHA-256.
type Digest = blobstore.Digest

// Vault is one organization: its documents, users, keys, bytes and audit log.
// All methods may be called from many goroutines. It starts none of its own.
//
// Locks, in the order in which they are taken: planning, bytes, that of reading
// in scrub, life, queue.mu, the writer of vault.db. Leaves are clock.mu,
// journal.mu, used.mu, readers.mu, pins.mu, previews.mu and that of the report in
// scrub. Nobody who shares life calls what shares it again: a Close in between
// would wait for the one and block the other.
type Vault struct {
	dir, id, name string

	db      *bbolt.DB
	commit  func(*bbolt.Tx) error // (*bbolt.Tx).Commit; tests make it fail
	durable atomic.Uint64         // the last transaction that is synced
	blobs   BlobStore
	lock    *os.File
	reserve int64

	life     sync.RWMutex // shared by every call, exclusive in Close
	down     atomic.Pointer[UnavailableError]
	bytes    sync.RWMutex // shared from placing a blob until its reference is committed; purge alone takes it exclusively
	queue    queue
	entropy  *ulid.MonotonicEntropy // used by the leader only
	clock    clock
	journal  journal
	used     lastUsed
	lockKey  secret.LockKey
	guesses  guesses
	hashing  chan struct{}                 // holds one token while an edit password is hashed
	zone     atomic.Pointer[time.Location] // the last one loaded: see tx.zone
	planning sync.Mutex                    // held while a run of retention is planned and recorded; taken before all other locks
	previews previews
	due      chan struct{} // holds one token when Sweep has something to do at once
	readers  readers
	erased   uint64        // the last erasure.completed that Sweep wrote; Sweep alone uses it
	wiped    atomic.Uint64 // what was erased up to this entry is overwritten
	unwiped  atomic.Bool   // vault.db may hold what was erased: Sweep overwrites it
	wiping   wiping
	litter   atomic.Bool // bytes may lie about that no version needs: Sweep looks at every blob
	stats    counters
	pins     pins          // what a running backup has yet to copy
	backing  chan struct{} // holds one token while a backup runs
	scrub    *fixity.Scrub
	stuck    atomic.Bool // bbolt found damage while it held its locks, which it never lets go
}

// ID is the vault's ULID, which the first entry of its log carries.
func (v *Vault) ID() string { return v.id }

// Name is the organization's name.
func (v *Vault) Name() string { return v.name }

// Create makes a vault in dir, which may exist, and opens it. Nobody can do
// anything in it yet: CreateUser and CreateKey, as Operator, let the first
// person in. ErrVaultExists if there is one.
func Create(dir string, o Options) (*Vault, error) {
	name, err := vaultName(dir, o.Name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a vault: %w", err)
	}
	v, err := prepare(dir, o)
	if err != nil {
		return nil, err
	}
	if err := v.create(name, o); err != nil {
		return nil, errors.Join(err, v.release())
	}
	return v, nil
}

// ValidName says whether a vault can have this name: 1 to 40 lower-case letters,
// digits and hyphens, not beginning with a hyphen.
func ValidName(name string) bool { return check.IsVaultName(name) }

func vaultName(dir, name string) (string, error) {
	if name == "" {
		name = filepath.Base(dir)
	}
	if !ValidName(name) {
		return "", invalid("vault", "%q must be 1 to 40 lower-case letters, digits and hyphens, and not begin with a hyphen", name)
	}
	return name, nil
}

// create writes the vault beside its final name and renames it when its first
// entry is on disk: a crash before that leaves no vault, and a file that the
// next Create removes.
func (v *Vault) create(name string, o Options) error {
	path, fresh := filepath.Join(v.dir, fileDB), filepath.Join(v.dir, fileNewDB)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%w: %s", ErrVaultExists, v.dir)
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make a vault: %w", err)
	}
	if o.Blobs == nil {
		if err := blobstore.Init(filepath.Join(v.dir, dirBlobs)); err != nil {
			return fmt.Errorf("make a vault: %w", err)
		}
	}
	if err := found(fresh, name); err != nil {
		return fmt.Errorf("make a vault: %w", err)
	}
	if err := blobstore.Rename(fresh, path); err != nil {
		return fmt.Errorf("make a vault: %w", err)
	}
	// The names above the vault's may be as new as it is.
	for _, above := range []string{filepath.Dir(v.dir), filepath.Dir(filepath.Dir(v.dir))} {
		if err := blobstore.SyncDir(above); err != nil {
			return fmt.Errorf("make a vault: %w", err)
		}
	}
	return v.open(o)
}

// Open opens the vault in dir for this process alone. It writes nothing to an
// up-to-date vault.db; one of an earlier format is migrated, and a copy of it
// kept beside it, as vault.db.format-N, until the next Open. ErrVaultNotFound, ErrVaultInUse, ErrNetworkFS or
// ErrFormat say why not.
func Open(dir string, o Options) (*Vault, error) {
	info, err := os.Stat(filepath.Join(dir, fileDB))
	switch {
	case errors.Is(err, os.ErrNotExist) && o.Create:
		return Create(dir, o)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", ErrVaultNotFound, dir)
	case err == nil && info.Size() == 0: // bbolt would make a new database of it
		return nil, fmt.Errorf("%w: %s is empty", ErrFormat, filepath.Join(dir, fileDB))
	}
	v, err := prepare(dir, o)
	if err != nil {
		return nil, err
	}
	if err := v.open(o); err != nil {
		return nil, errors.Join(err, v.release())
	}
	return v, nil
}

// prepare takes the vault's lock.
func prepare(dir string, o Options) (*Vault, error) {
	if !o.AllowNetworkFS {
		if kind, err := networkFS(dir); err != nil {
			return nil, fmt.Errorf("look at the file system of %s: %w", dir, err)
		} else if kind != "" {
			return nil, fmt.Errorf("%w (%s): %s; put it on a local disk", ErrNetworkFS, kind, dir)
		}
	}
	v := &Vault{
		dir:     dir,
		blobs:   o.Blobs,
		commit:  (*bbolt.Tx).Commit,
		reserve: o.ReserveBytes,
		entropy: newEntropy(),
		hashing: make(chan struct{}, 1),
		due:     make(chan struct{}, 1),
		stats:   newCounters(),
		backing: make(chan struct{}, 1),
	}
	if v.reserve == 0 {
		v.reserve = defaultReserve
	}
	v.journal.init()
	var err error
	var clean bool
	v.lock, clean, err = lockVault(filepath.Join(dir, fileLock))
	if err != nil {
		return nil, err
	}
	v.litter.Store(!clean)
	return v, nil
}

func (v *Vault) open(o Options) (err error) {
	defer damaged(&err, debug.SetPanicOnFault(true))
	if v.blobs == nil {
		if v.blobs, err = blobstore.Open(filepath.Join(v.dir, dirBlobs)); err != nil {
			return fmt.Errorf("open the blobs of %s: %w", v.dir, err)
		}
	}
	if v.db, err = openDB(filepath.Join(v.dir, fileDB), false); err != nil {
		return err
	}
	migrated, err := v.migrate()
	if err != nil {
		return fmt.Errorf("open %s: %w", v.dir, err)
	}
	if err := v.db.View(v.load); err != nil {
		return fmt.Errorf("open %s: %w", v.dir, err)
	}
	if !migrated {
		if err := v.dropSnapshots(); err != nil {
			return fmt.Errorf("open %s: remove the copy of its former format: %w", v.dir, err)
		}
	}
	v.used.load(filepath.Join(v.dir, fileLastUsed))
	v.scrub = v.openScrub()
	v.lockKey, err = loadLockKey(v.dir)
	return err
}

// load reads what is kept in memory: who the vault is, and the head.
func (v *Vault) load(b *bbolt.Tx) error {
	meta := b.Bucket(bucketMeta)
	vault, name := meta.Get(metaVault), meta.Get(metaName)
	if len(vault) != ulid.EncodedSize || !check.IsVaultName(string(name)) {
		return fmt.Errorf("%w: the vault's id or name cannot be read", errDamaged)
	}
	v.id, v.name = string(vault), string(name)
	v.durable.Store(uint64(b.ID()))
	head, err := lastHead(b, v.id)
	if err != nil {
		return err
	}
	v.clock.start(head.Time)
	v.journal.move(head)
	// Nobody knows what was overwritten before an unclean end.
	if first, _ := b.Bucket(bucketErasures).Cursor().First(); first != nil && v.litter.Load() {
		v.erased = head.Seq
		v.unwiped.Store(true)
	} else {
		v.wiped.Store(head.Seq)
	}
	return nil
}

// lastHead works the head out from the last line alone.
func lastHead(b *bbolt.Tx, vault string) (audit.Head, error) {
	_, line := b.Bucket(bucketLog).Cursor().Last()
	e, err := audit.ParseEntry(line)
	if err != nil {
		return audit.Head{}, fmt.Errorf("the last entry of the log: %w", err)
	}
	return audit.Head{Vault: vault, Seq: e.Seq, Hash: audit.HashLine(line), Time: e.Time}, nil
}

// Close waits for what runs, wakes who waits for entries, and lets the vault
// go. A second Close does nothing.
func (v *Vault) Close() error {
	was := v.down.Swap(&UnavailableError{Reason: ReasonClosed})
	if was != nil && was.Reason == ReasonClosed {
		return nil
	}
	v.journal.wake()
	v.bytes.Lock() // nobody places or unlinks bytes of a vault that another may have opened
	defer v.bytes.Unlock()
	stopped := v.scrub.Stop() // it holds a file open from one call to the next
	v.life.Lock()
	defer v.life.Unlock()
	return errors.Join(stopped, v.used.save(), v.release())
}

// release closes the files. The lock file is emptied only if nothing is left
// to tidy, so that the next to open knows.
func (v *Vault) release() error {
	var errs []error
	if v.db != nil && !v.stuck.Load() { // else its Close would wait for ever
		errs = append(errs, v.db.Close())
	}
	if closer, ok := v.blobs.(io.Closer); ok {
		errs = append(errs, closer.Close())
	}
	errs = append(errs, unlockVault(v.lock, !v.litter.Load() && !v.unwiped.Load() && !v.pins.waiting()))
	return errors.Join(errs...)
}

// enter begins a call; exit ends it.
func (v *Vault) enter() error {
	v.life.RLock()
	if err := v.enterError(); err != nil {
		v.life.RUnlock()
		return err
	}
	return nil
}

func (v *Vault) exit() { v.life.RUnlock() }

func (v *Vault) enterError() error {
	if down := v.down.Load(); down != nil {
		return down
	}
	return nil
}

// Ready is nil, or the *UnavailableError that every call gets.
func (v *Vault) Ready() error { return v.enterError() }

// fail stops the vault: every call from now on gets this.
func (v *Vault) fail(reason string, cause error) {
	v.down.CompareAndSwap(nil, &UnavailableError{Reason: reason, Err: cause})
	v.litter.Store(true)
	v.journal.wake()
}
