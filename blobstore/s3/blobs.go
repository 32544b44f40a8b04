package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// BlobsConfig is what OpenBlobs needs.
type BlobsConfig struct {
	Store object.Store // where the blobs are at home, below "blobs/"
	// Lock is the blobs' home instead, in a bucket of its own that keeps versions and can
	// lock them: see Protect. nil: the store need not know versions, and must have none.
	Lock object.Locker
	// Dir is a directory of the local disk, which is made if it is not there: for bytes on
	// their way in, and for copies. It may be deleted while nobody has it open.
	Dir string
	// CacheBytes is how much Dir may hold. 0: 1 GiB. Negative: no copies are kept.
	CacheBytes int64
}

// Blobs keeps blobs in a store of objects, and copies of some on the local disk. It
// promises what blobstore.Disk promises, but for three things: the staged bytes of a
// blob need not survive this process; a Keep that ctx ends may leave bytes in the
// store that nobody needs, even some time later; and a long blob that is removed while
// it is open can be read no further.
//
// A blob is an object blobs/<2 hex>/<64 hex>.<epoch>-<mark>: its digest, the epoch of
// the owner who put it, and a mark of 16 hexadecimal digits that is drawn for each Keep.
//
// # Why no delete can hit what lives
//
// A request to a store whose answer did not come may be carried out at any time
// later, also when the process that sent it is gone, or no longer the owner. So a
// DELETE must never name an object that anybody may come to rely on. This is what holds:
//
//	For each digest that the vault refers to there is an object with its bytes, and no
//	DELETE of that object has been sent, nor is one sent while the reference lives.
//
// Remove sends a DELETE only for names that it has seen listed or knows to have been
// put, and only of epochs up to its owner's own. It is called only when no reference is
// left, and no Keep of the digest runs (engine holds a lock). Keep then puts the bytes
// under a name of its own that nobody has ever put. So at that time no DELETE of this name
// has been sent, by
//
//   - an older owner, be it paused in the middle of Remove for a week: the epoch is above
//     its own, whatever the listing shows it when it wakes;
//   - this owner, before: the mark is new. A Remove that timed out, then a Keep of equal
//     bytes in the same epoch, also after a restart that kept the epoch, make another name.
//     A name for which a DELETE was sent is burnt, and is not used again by anybody;
//   - this owner, or a newer one, later: not while the reference lives.
//
// So a Keep need not put bytes again in two cases, and does not. The digest has a live
// reference (Live says so, under engine's lock): the object of the sentence above is there.
// Or this process has put it in this epoch, and has sent no DELETE for the digest since.
// It does not share what merely lies there: the store may have the DELETE of it in its queue.
//
// A listing may show several objects of one digest. Their bytes are equal, so it does
// not matter which is read; if that one goes away, another is looked for.
//
// A PUT can be late as well. It comes under its own name, so it can bring nothing back
// that somebody relies on, and spoil nothing. It leaves an object that nobody needs, which the next
// look at all blobs (Each) finds. To be sure that bytes are erased, look once more after Keeps that failed.
//
// # Who may do what
//
// All methods may be called by any number of goroutines, with the exception that
// blobstore.Disk makes for Remove. One process uses Dir at a time. No goroutine
// outlives a call, and nothing is to be closed.
type Blobs struct {
	store  object.Store
	lock   object.Locker // the store too, if not nil
	dir    string
	epoch  atomic.Uint64
	live   atomic.Pointer[func(blobstore.Digest) bool]
	heads  sync.Pool // of *[]byte, headBytes long
	chunks sync.Pool // likewise, chunkBytes long
	known  blobIndex
	cache  blobCache
	turns  blobTurns
}

// OpenBlobs opens the blobs of a vault. It asks nothing of the store. What an earlier
// process left on its way in is removed; its copies are kept, and each is compared with
// its digest when it is read for the first time.
func OpenBlobs(c BlobsConfig) (*Blobs, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the blobs' cache: %w", err)
	}
	b := &Blobs{store: c.Store, lock: c.Lock, dir: dir}
	if c.Lock != nil {
		b.store = c.Lock
	}
	b.heads.New = func() any { p := make([]byte, headBytes); return &p }
	b.chunks.New = func() any { p := make([]byte, chunkBytes); return &p }
	staging := filepath.Join(dir, "staging")
	if err := os.RemoveAll(staging); err != nil {
		return nil, fmt.Errorf("sweep staged blobs: %w", err)
	}
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return nil, fmt.Errorf("open the blobs' cache: %w", spaceError(err))
	}
	if err := b.cache.load(filepath.Join(dir, "cache"), max(cmp.Or(c.CacheBytes, 1<<30), 0)); err != nil {
		return nil, fmt.Errorf("open the blobs' cache: %w", err)
	}
	return b, nil
}

// SetEpoch says that this process owns the vault, in this epoch, until it is called
// again. Without it nothing can be kept or removed. It is called before the vault is opened.
func (b *Blobs) SetEpoch(epoch uint64) { b.epoch.Store(epoch) }

// SetLive gives Blobs a function that says whether the vault refers to a digest. Keep asks
// it in its caller's goroutine, so under the caller's locks: those must keep the last
// reference from being removed until the one that the Keep is for is recorded. nil, as at the
// beginning: each Keep puts its bytes, but for those that this process has put. It must say no when in doubt.
func (b *Blobs) SetLive(live func(blobstore.Digest) bool) {
	if live == nil {
		b.live.Store(nil)
		return
	}
	b.live.Store(&live)
}

var errNoEpoch = errors.New("this server does not own the vault: it keeps and removes no bytes")

// Stat returns the blob's size in bytes, as the store tells it. ErrNotFound,
// ErrUnavailable.
func (b *Blobs) Stat(digest blobstore.Digest) (int64, error) {
	found, err := b.look(context.Background(), readPatience, digest)
	if err != nil {
		return 0, blobError("stat", digest, err)
	}
	return found.size, nil
}

// look finds an object of the digest that is there now.
func (b *Blobs) look(ctx context.Context, patience time.Duration, digest blobstore.Digest) (found locatedBlob, err error) {
	if at, ok := b.known.get(digest); ok {
		var info object.Info
		err := persist(ctx, patience, func() (err error) {
			info, err = b.store.Stat(ctx, at.key(digest))
			return err
		})
		if err == nil {
			return locatedBlob{at.blobName, info.Size}, nil
		}
		if !errors.Is(err, object.ErrNotFound) {
			return locatedBlob{}, err
		}
		b.known.forget(digest, at.blobName)
	}
	all, err := b.list(ctx, patience, digest)
	if err == nil && len(all) == 0 {
		err = object.ErrNotFound
	}
	if err != nil {
		return locatedBlob{}, err
	}
	b.known.note(digest, knownBlob{all[0], false})
	return all[0], nil
}

// Remove deletes all objects of the blob, of epochs up to the own one, and its copy
// on the local disk. It returns nil when they are gone; so too if there was none. After an
// error the copy is gone, and the objects may be. ErrUnavailable; object.ErrLocked where
// the store keeps them (see Protect).
func (b *Blobs) Remove(digest blobstore.Digest) error {
	epoch := b.epoch.Load() // once: who is replaced and owns again later has no right to what came in between
	if epoch == 0 {
		return blobError("remove", digest, errNoEpoch)
	}
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	leave, err := b.turns.enter(ctx, digest)
	if err != nil {
		return blobError("remove", digest, err)
	}
	defer leave()
	b.cache.bar(digest) // a reader who found the object before must not bring the copy back
	defer b.cache.unbar(digest)
	if b.lock != nil {
		err = b.deleteVersions(ctx, digest, epoch)
	} else {
		err = b.delete(ctx, digest, epoch)
	}
	if err := errors.Join(err, b.cache.drop(digest)); err != nil {
		return blobError("remove", digest, err)
	}
	return nil
}

func (b *Blobs) delete(ctx context.Context, digest blobstore.Digest, epoch uint64) error {
	names := b.known.take(digest)
	all, err := b.list(ctx, removePatience, digest)
	for _, found := range all {
		names[found.blobName] = true
	}
	for name := range names {
		if name.epoch > epoch {
			continue // a newer owner's
		}
		gone := persist(ctx, removePatience, func() error { return b.store.Delete(ctx, name.key(digest)) })
		if gone != nil {
			b.known.doubt(digest, name)
			err = errors.Join(err, gone)
		}
	}
	return err
}

// Check reads the whole blob from the store, and never from the copy, and compares
// its digest with its name. It returns the number of bytes read, ErrCorrupt if no object
// of the blob has its bytes, ErrNotFound, ErrUnavailable.
func (b *Blobs) Check(ctx context.Context, digest blobstore.Digest) (int64, error) {
	size, err := b.fetch(ctx, digest, func(r *blobReader) (int64, error) { return io.Copy(io.Discard, r) })
	if err != nil {
		return size, blobError("check", digest, err)
	}
	return size, nil
}
