package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
	"strongroom/engine"
	"strongroom/engine/cluster"
	"strongroom/httpapi/datadir"
)

// Moving is what goes with moving a vault.
type Moving struct {
	// Remove removes the source once all of it is verified at the other end.
	Remove bool
	// Progress is told how many files of how many are done; nil: nobody is.
	Progress func(done, all int)
	Log      zerolog.Logger
}

// blobsDir is where the bytes of a vault of the local disk are.
func blobsDir(at datadir.Place) string { return filepath.Join(at.Dir(), "blobs") }

const (
	moveWorkers = 8 // files that are copied at a time
	noLimit     = math.MaxInt64
)

// MoveIn makes a vault at rest, of the data directory, one that lives in the store. Its
// bytes go first and are read back; the vault is the store's when its database is there
// as well, and until then nothing has changed. What was interrupted goes on. The
// directory stays as a working copy; with Remove, without the bytes.
func (o Options) MoveIn(ctx context.Context, name string, m Moving) error {
	at := o.Place
	at.Vault = name
	if _, err := os.Lstat(engine.Database(at.Dir())); errors.Is(err, fs.ErrNotExist) {
		return datadir.NotFound(at) // before anything is made there
	}
	config, blobs, err := o.clusterOf(name, 1, m.Log)
	if err != nil {
		return err
	}
	loan, err := datadir.Borrow(at)
	if err != nil {
		return err
	}
	return errors.Join(o.moveIn(ctx, at, config, blobs, m), loan.Return())
}

func (o Options) moveIn(ctx context.Context, at datadir.Place, config cluster.Config, blobs *s3.Blobs, m Moving) error {
	if err := o.Store.chooseBucket(ctx, at.Vault); err != nil {
		return err
	}
	epoch, before, err := nextEpoch(ctx, config.Objects)
	if err != nil {
		return err
	}
	blobs.SetEpoch(epoch)
	there := map[blobstore.Digest]int64{}
	if !before { // what an earlier try has put: nobody has removed anything since
		if there, err = listed(ctx, blobs); err != nil {
			return err
		}
	}
	if !datadir.IsCopy(at) {
		v, err := datadir.Open(at) // keeps everybody else out
		if err != nil {
			return err
		}
		err = copyBytes(ctx, at, blobs, there, m)
		if err := errors.Join(err, v.Close()); err != nil {
			return fmt.Errorf("copy the bytes of vault %q into the store: %w", at.Vault, err)
		}
		if err := cluster.Init(ctx, config); err != nil {
			return fmt.Errorf("vault %q: %w", at.Vault, err)
		}
	}
	// What came between the copy and the move, if anybody was so quick; and what is left
	// of a move that was interrupted.
	if err := copyBytes(ctx, at, blobs, there, m); err != nil {
		return fmt.Errorf("copy the bytes of vault %q into the store: %w", at.Vault, err)
	}
	if !m.Remove {
		return nil
	}
	return os.RemoveAll(blobsDir(at))
}

// nextEpoch is that of the next owner, who may remove what is put here, and before
// says that there was one already.
func nextEpoch(ctx context.Context, objects object.Store) (epoch uint64, before bool, err error) {
	b, _, err := object.Read(ctx, objects, "lease")
	if errors.Is(err, object.ErrNotFound) {
		return 1, false, nil
	}
	var lease struct {
		Epoch uint64 `json:"epoch"`
	}
	if err == nil {
		err = json.Unmarshal(b, &lease)
	}
	return lease.Epoch + 1, true, err
}

func listed(ctx context.Context, blobs engine.BlobStore) (map[blobstore.Digest]int64, error) {
	there := map[blobstore.Digest]int64{}
	err := blobs.Each(ctx, func(d blobstore.Digest, size int64) error {
		there[d] = size
		return nil
	})
	if errors.Is(err, blobstore.ErrForeign) { // somebody else's files: they stay where they are
		err = nil
	}
	return there, err
}

// copyBytes brings the bytes of a vault of the local disk into the store, but for those
// that are there, and reads back each.
func copyBytes(ctx context.Context, at datadir.Place, to *s3.Blobs, there map[blobstore.Digest]int64, m Moving) error {
	disk, err := blobstore.Open(blobsDir(at))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return carry(ctx, disk, to, there, m)
}

// carry copies what from has and there has not, and notes it there. Each is compared
// with its digest on its way, and read once more where it has arrived.
func carry(ctx context.Context, from, to engine.BlobStore, there map[blobstore.Digest]int64, m Moving) error {
	all, err := listed(ctx, from)
	if err != nil {
		return err
	}
	done := 0
	var todo []blobstore.Digest
	for d, size := range all {
		if had, ok := there[d]; ok && had == size {
			if _, err := to.Check(ctx, d); err == nil {
				done++
				continue
			}
		}
		todo = append(todo, d)
	}
	work := make(chan blobstore.Digest)
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range moveWorkers {
		workers.Go(func() {
			for d := range work {
				if err := carryOne(working, from, to, d); err != nil {
					cancel(fmt.Errorf("%s: %w", d, err))
					return
				}
				mu.Lock()
				done++
				there[d] = all[d]
				if m.Progress != nil {
					m.Progress(done, len(all))
				}
				mu.Unlock()
			}
		})
	}
	for _, d := range todo {
		select {
		case work <- d:
			continue
		case <-working.Done():
		}
		break
	}
	close(work)
	workers.Wait()
	return context.Cause(working)
}

func carryOne(ctx context.Context, from, to engine.BlobStore, d blobstore.Digest) error {
	r, err := from.Open(d)
	if err != nil {
		return err
	}
	staged, err := to.Stage(ctx, r, noLimit)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if staged.Digest() != d {
		return errors.Join(fmt.Errorf("%w: it has other bytes; see `strongroom verify --bytes`", blobstore.ErrCorrupt), staged.Discard())
	}
	if err := staged.Keep(ctx); err != nil {
		return err
	}
	_, err = to.Check(ctx, d)
	return err
}

// MoveOut makes a vault of the store one of the local disk, in the data directory. Its
// bytes are copied, the store is told that it has left, and what came meanwhile is
// copied too. What was interrupted goes on. With Remove, the store is emptied of it.
func (o Options) MoveOut(ctx context.Context, name string, m Moving) error {
	at := o.Place
	at.Vault = name
	if there, err := o.Store.holds(ctx, name); err != nil || !there {
		return errors.Join(err, fmt.Errorf("there is no vault %q in %s", name, o.Store.Address))
	}
	if err := o.Store.sameBucket(ctx, name); err != nil {
		return err
	}
	config, blobs, err := o.clusterOf(name, 1, m.Log)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(engine.Database(at.Dir())); err == nil && !datadir.IsCopy(at) {
		// A vault is here. It is this one, of a move that was interrupted, or Leave says so.
		m.Log.Info().Str("vault", name).Msg("the vault is here already; looking for bytes that are missing")
	}
	if err := errors.Join(os.MkdirAll(at.Dir(), 0o700), blobstore.Init(blobsDir(at))); err != nil {
		return err
	}
	if err := o.carryOut(ctx, at, blobs, m); err != nil {
		return fmt.Errorf("copy the bytes of vault %q out of the store: %w", name, err)
	}
	if err := cluster.Leave(ctx, config); err != nil {
		return fmt.Errorf("vault %q: %w", name, err)
	}
	if err := o.carryOut(ctx, at, blobs, m); err != nil {
		return fmt.Errorf("copy the bytes of vault %q out of the store: %w", name, err)
	}
	if err := os.RemoveAll(filepath.Join(at.Dir(), bytesName)); err != nil {
		return err
	}
	if !m.Remove {
		return nil
	}
	return o.emptyStore(ctx, name)
}

func (o Options) carryOut(ctx context.Context, at datadir.Place, blobs *s3.Blobs, m Moving) error {
	disk, err := blobstore.Open(blobsDir(at))
	if err != nil {
		return err
	}
	there, err := listed(ctx, disk)
	if err != nil {
		return err
	}
	return carry(ctx, blobs, disk, there, m)
}

// emptyStore removes all objects of a vault that has left. The pointer, which says that
// it has, goes last, and stays with where its bytes are while the store retains some of them.
func (o Options) emptyStore(ctx context.Context, name string) error {
	objects := o.Store.of(name)
	left, err := o.Store.emptyLocks(ctx, name)
	if err != nil {
		return err
	}
	const last = "snapshot"
	var keys []string
	if err := objects.List(ctx, "", "", func(info object.Info) error {
		if info.Key != last && info.Key != bucketKey {
			keys = append(keys, info.Key)
		}
		return nil
	}); err != nil {
		return err
	}
	if left == 0 {
		keys = append(keys, bucketKey, last)
	}
	for _, key := range keys {
		if err := objects.Delete(ctx, key); err != nil {
			return fmt.Errorf("remove %s/%s from the store: %w", name, key, err)
		}
	}
	if left > 0 {
		return fmt.Errorf("vault %q is moved, and all else is removed, but the bucket %s retains %d of its files, which nobody can delete before their time is over: repeat the command then", name, o.Store.LockBucket, left)
	}
	return nil
}
