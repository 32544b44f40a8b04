package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/fixity"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// The files of a vault's directory.
const (
	fileDB       = store.FileDB
	fileLastUsed = "last-used.json"
	fileLockKey  = "lock.key" // what lock tokens are derived with
	dirBlobs     = "blobs"
)

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
	// Origin names the log in what the vault signs: a name that nobody else gives a
	// log, such as vault.example.com/log, in letters, digits and . _ ~ / : - . Empty
	// keeps the one it has, or takes one with the vault's id. Another than before is
	// another signer: see LogKey.
	Origin string
	// MLDSA has the vault keep a second key, in mldsa.key, by which SignTwice signs
	// checkpoints too. nil: no second key is made, and none signs.
	MLDSA MLDSA
	// Home has every group of changes before anybody is told of one. nil: the
	// directory is the vault's home. With Follow it gets none, and may be an Eraser.
	Home Home
	// Follow opens the vault to be read and brought further by Apply, and nothing else:
	// every change is refused with ErrFollower.
	Follow bool
}

// BlobStore keeps bytes under their digest. blobstore.Disk is one, and says what
// each call promises. A host may give another in Options.Blobs.
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

// Vault is one organization: its documents, users, keys, bytes and audit log. All
// methods may be called from many goroutines, but for Sweep. It starts none of its
// own. After Close, calls that can fail return *UnavailableError; a second Close
// does nothing.
//
// A vault is seen whole, as Open returns it, or as somebody who is neither admin
// nor auditor sees it: see [Vault.As].
type Vault struct {
	*vault
	partial bool // what is restricted is not seen
}

// vault is what the two views have in common.
type vault struct {
	whole, part *Vault

	// Locks, in the order in which they are taken: the turn of signing, planning, bytes, restored.mu, ruled.mu, that of
	// reading in scrub, those of store.Store; used.mu, pins.mu, previews.mu, kept.mu and that
	// of the report in scrub are leaves. Nobody who is in a transaction begins another: a
	// Close in between would wait for the one and block the other.

	dir, name string
	follows   bool   // see Options.Follow
	eraser    Eraser // nil: the directory is all there is

	store   *store.Store
	lock    *store.Lock
	blobs   BlobStore
	bytes   sync.RWMutex // shared from placing a blob until its reference is committed; purge alone takes it exclusively
	used    lastUsed
	failed  failedSignIns
	lockKey secret.LockKey

	identityAge atomic.Int64 // see SignInAgain

	guesses  secret.Guesses[guesser]
	hasher   secret.Hasher
	recent   recent                             // passages that were shown
	calendar atomic.Pointer[retention.Calendar] // the last one loaded: see tx.calendar
	planning sync.Mutex                         // held while a run of retention is planned and recorded; taken before all other locks
	previews previews
	kept     keptKinds     // kinds of starts that no policy names
	due      chan struct{} // holds one token when Sweep has something to do at once
	erased   atomic.Uint64 // the last erasure.completed that is to be overwritten: who erases, or follows, says so
	wiped    atomic.Uint64 // what was erased up to this entry is overwritten
	unwiped  atomic.Bool   // rows.db may hold what was erased: Sweep overwrites it
	litter   atomic.Bool   // bytes may lie about that no version needs: Sweep looks at every blob
	swept    bool          // whether requests of before the last weeks were looked through; Sweep alone uses it
	pins     pins          // what a running backup has yet to copy
	backing  chan struct{} // holds one token while a backup runs
	scrub    *fixity.Scrub
	restored restorations
	ruled    policyLog

	signing       signing
	contradiction atomic.Pointer[ContradictedError] // nil: the vault may sign
}

// ID is the vault's ULID, which the first entry of its log carries.
func (v *Vault) ID() string { return v.store.Vault() }

// Name is the organization's name: Options.Name when the vault was made.
func (v *Vault) Name() string { return v.name }

// Database is the file that makes a directory a vault. Who finds the rest without
// it has a vault that has lost its database.
func Database(dir string) string { return filepath.Join(dir, fileDB) }

// Create makes a vault in dir, which may exist, and opens it. Nobody can do
// anything in it yet: CreateUser and CreateKey, as Operator, let the first
// person in. ErrVaultExists if there is one, ErrVaultInUse, ErrNetworkFS;
// *InvalidError if it cannot have the name.
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
		return nil, errors.Join(err, v.release(nil))
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

// create makes the bytes' directories and the database: a crash before that has
// its name leaves no vault.
func (v *Vault) create(name string, o Options) error {
	if _, err := os.Stat(filepath.Join(v.dir, fileDB)); err == nil {
		return fmt.Errorf("%w: %s", ErrVaultExists, v.dir)
	}
	if o.Blobs == nil {
		if err := blobstore.Init(filepath.Join(v.dir, dirBlobs)); err != nil {
			return fmt.Errorf("make a vault: %w", err)
		}
	}
	if err := v.found(name); err != nil {
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

// found writes a new database: what the vault is, and its first field, each with
// its entry.
func (v *Vault) found(name string) error {
	c := v.call(context.Background(), Operator(),
		func(t *tx) (audit.Event, error) { return t.found(name) },
		func(t *tx) (audit.Event, error) {
			_, event, err := t.createField(firstField().field())
			return event, err
		})
	return store.Create(v.dir, v.schema(), c.Steps...)
}

func (t *tx) found(name string) (audit.Event, error) {
	vault, err := t.Found()
	if err != nil {
		return audit.Event{}, err
	}
	t.Put(bucketMeta, metaName, []byte(name))
	t.Put(bucketMeta, metaCreated, []byte(audit.FormatTime(t.Now())))
	return audit.Event{
		Op:     audit.OpVaultCreated,
		Facts:  audit.Facts{"vault": audit.Text(vault.String()), "format": audit.Number(formatVersion)},
		Detail: encodeDetail(map[string]any{"name": name}),
	}, nil
}

// Open opens the vault in dir for this process alone. It writes nothing to a
// database of today's format that was closed in order; after a crash it brings that
// up to its log. One of an earlier format is migrated, and a copy of it is
// kept beside it, as vault.db.format-N, until the next Open. ErrVaultNotFound,
// ErrVaultInUse, ErrNetworkFS or ErrFormat say why not.
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
		return nil, errors.Join(err, v.release(nil))
	}
	return v, nil
}

// prepare takes the vault's lock.
func prepare(dir string, o Options) (*Vault, error) {
	if !o.AllowNetworkFS {
		if kind, err := store.NetworkFS(dir); err != nil {
			return nil, fmt.Errorf("look at the file system of %s: %w", dir, err)
		} else if kind != "" {
			return nil, fmt.Errorf("%w (%s): %s; put it on a local disk", ErrNetworkFS, kind, dir)
		}
	}
	v := newVault(&vault{
		dir:     dir,
		blobs:   o.Blobs,
		hasher:  secret.NewHasher(),
		due:     make(chan struct{}, 1),
		backing: make(chan struct{}, 1),
		follows: o.Follow,
	})
	var err error
	if v.lock, err = store.TakeLock(dir); err != nil {
		return nil, err
	}
	// What lies about is for the owner to find: a new one, what its predecessor left, and
	// what came late.
	v.litter.Store((!v.lock.Clean || o.Home != nil) && !o.Follow)
	return v, nil
}

// newVault returns the whole view.
func newVault(of *vault) *Vault {
	of.signing.turn = make(chan struct{}, 1)
	of.whole, of.part = &Vault{vault: of}, &Vault{vault: of, partial: true}
	return of.whole
}

func (v *Vault) open(o Options) error { return v.openWith(o, nil) }

// openWith is open with what stands in the place of the commit, for tests.
func (v *Vault) openWith(o Options, commit func(commit, rollback func() error) error) (err error) {
	if v.blobs == nil {
		if v.blobs, err = blobstore.Open(filepath.Join(v.dir, dirBlobs)); err != nil {
			return fmt.Errorf("open the blobs of %s: %w", v.dir, err)
		}
	}
	settings := store.Options{
		Schema: v.schema(), Reserve: o.ReserveBytes, OnFail: func() { v.litter.Store(true) }, OnLong: v.signalDue, Commit: commit,
		Follow: o.Follow,
	}
	if o.Home != nil && !o.Follow {
		settings.Ship = o.Home.Ship
	}
	v.eraser, _ = o.Home.(Eraser)
	if disk, ok := v.blobs.(carrier); ok {
		settings.Blobs = disk
	}
	v.store, err = store.Open(v.dir, settings)
	if err == nil {
		_, err = peek(v, v.load)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", v.dir, err)
	}
	if err := os.RemoveAll(filepath.Join(v.dir, dirExports)); err != nil {
		return fmt.Errorf("open %s: %w", v.dir, err)
	}
	v.used.load(filepath.Join(v.dir, fileLastUsed))
	v.scrub = v.openScrub()
	if v.lockKey, err = loadLockKey(v.dir); err != nil {
		return err
	}
	if err := v.loadContradiction(); err != nil {
		return fmt.Errorf("open %s: %w", v.dir, err)
	}
	v.signing.mldsa = o.MLDSA
	return v.signing.setOrigin(o.Origin)
}

// load reads what is kept in memory.
func (v *Vault) load(t *tx) (struct{}, error) {
	name := t.Get(bucketMeta, metaName)
	if !check.IsVaultName(string(name)) {
		return struct{}{}, fmt.Errorf("%w: the vault's name cannot be read", errDamaged)
	}
	v.name = string(name)
	if err := t.loadDoubt(); err != nil {
		return struct{}{}, err
	}
	// Nobody knows what was overwritten before an unclean end.
	if first, _ := t.Cursor(bucketErasures).First(); first != nil && v.lock != nil && !v.lock.Clean {
		v.erasedTo(v.Head().Seq)
		v.unwiped.Store(true)
	} else {
		v.wiped.Store(v.Head().Seq)
	}
	return struct{}{}, nil
}

// Close waits for the calls that run, wakes those that wait for entries, and lets
// the vault go. A second Close does nothing.
func (v *Vault) Close() error {
	if !v.store.Shut() {
		return nil
	}
	v.bytes.Lock() // nobody places or unlinks bytes of a vault that another may have opened
	defer v.bytes.Unlock()
	stopped := v.scrub.Stop() // it holds a file open from one call to the next
	return errors.Join(stopped, v.signing.close(), v.release(v.used.save))
}

// release waits for the calls that run, then calls last, if it is not nil, and
// closes the files. The lock file is emptied only if nothing is left to tidy, so that the next to open knows.
func (v *Vault) release(last func() error) error {
	var errs []error
	if v.store != nil {
		errs = append(errs, v.store.Close(last))
	}
	if closer, ok := v.blobs.(io.Closer); ok {
		errs = append(errs, closer.Close())
	}
	errs = append(errs, v.lock.Release(!v.litter.Load() && !v.unwiped.Load() && !v.pins.waiting()))
	return errors.Join(errs...)
}

// Ready is nil, or the *UnavailableError that every call gets.
func (v *Vault) Ready() error { return v.store.Ready() }

// Due receives when there is something for Sweep to do before it said: a run that
// was started by hand, an erasure. Who calls Sweep waits for this as well.
func (v *Vault) Due() <-chan struct{} { return v.due }

func (v *Vault) signalDue() {
	select {
	case v.due <- struct{}{}:
	default: // it was told already
	}
}
