package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// fileState is beside a working copy's database, and says how far that may be trusted.
const fileState = "cluster.json"

// loadCopyState reads cluster.json. ok is false if there is none, or none that can be
// read: whatever is in c.Dir is not to be trusted then.
func (c *Config) loadCopyState() (s copyState, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(c.Dir, fileState))
	if errors.Is(err, os.ErrNotExist) {
		return copyState{}, false, nil
	}
	if err != nil {
		return copyState{}, false, err
	}
	if json.Unmarshal(b, &s) != nil || s.ID == "" {
		return copyState{}, false, nil
	}
	return s, true, nil
}

// saveCopyState writes it durably, in a directory that may be new.
func (c *Config) saveCopyState(s copyState) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	return blobstore.WriteFile(filepath.Join(c.Dir, fileState), append(b, '\n'))
}

// discardCopy removes the working copy's database, and leaves its keys, its bytes, and
// what only follows the log. Whoever calls it has noted that the copy is not to be
// trusted, for a crash in between.
func (c *Config) discardCopy() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.Dir, fileTaking)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return engine.DropDatabase(c.Dir)
}

// fetchCopy makes c.Dir the vault of a snapshot, its keys unsealed: whatever copy of
// the vault was there is removed first. It does not save a copyState. Nobody may have
// the vault open. object.ErrNotFound: the snapshot was collected meanwhile, and the
// pointer names another by now. ErrDamaged: it is not what was put, or not what the
// pointer says; no vault is left then.
func (c *Config) fetchCopy(ctx context.Context, p pointer) error {
	if err := c.discardCopy(); err != nil {
		return fmt.Errorf("make room for a copy of the vault: %w", err)
	}
	if err := c.unsealKeys(ctx); err != nil {
		return err
	}
	return c.placeCopy(ctx, p)
}

// placeCopy is fetchCopy without the keys, where there is no vault.
func (c *Config) placeCopy(ctx context.Context, p pointer) error {
	if c.Blobs == nil {
		if err := blobstore.Init(filepath.Join(c.Dir, dirBlobs)); err != nil {
			return err
		}
	}
	rows, err := c.openSnapshot(ctx, p.snapshot)
	if err != nil {
		return err
	}
	err = engine.PlaceDatabase(c.Dir, rows)
	// What went wrong with the snapshot says more than what came of it here.
	if failed := rows.Close(); failed != nil {
		err = failed
	}
	if err == nil {
		err = c.checkCopy(p)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("fetch the snapshot %s: %w", p.Key, err), c.discardCopy())
	}
	return nil
}

// fetchLast is fetchCopy of the last snapshot. ErrCollected if that is another by now;
// ErrStoreBehind if it is not there.
func (c *Config) fetchLast(ctx context.Context, p pointer) error {
	err := c.fetchCopy(ctx, p)
	if !errors.Is(err, object.ErrNotFound) {
		return err
	}
	now, failed := c.findPointer(ctx)
	switch {
	case failed != nil:
		return failed
	case now.Key != p.Key:
		return fmt.Errorf("%w: %v", ErrCollected, err)
	}
	return fmt.Errorf("%w: the pointer names a snapshot that is not there: %v", ErrStoreBehind, err)
}

// watched is the home of a vault that follows: it takes nothing, and tells what its owner
// has erased in the store.
type watched struct{ clean *atomic.Uint64 }

func (watched) Ship(uint64, []byte) error { return engine.ErrFollower }
func (w watched) Erased() uint64          { return w.clean.Load() }

// checkCopy looks whether the vault in c.Dir is the one, and stands where the pointer says.
func (c *Config) checkCopy(p pointer) error {
	v, err := c.openFollowing()
	if err != nil {
		return err
	}
	return errors.Join(c.checkVault(v, p), v.Close())
}

func (c *Config) checkVault(v vaultCopy, p pointer) error {
	head := v.Head()
	group, err := v.Group()
	if err != nil {
		return err
	}
	if v.ID() != p.Vault || group != p.Commit || head.Seq != p.Seq || head.Hash.String() != p.Hash {
		return fmt.Errorf("%w: it is of vault %s at commit %d, entry %d, and the pointer says %s, %d, %d",
			ErrDamaged, v.ID(), group, head.Seq, p.Vault, p.Commit, p.Seq)
	}
	return nil
}
