package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// open opens the copied database. One in parts is put together beside the
// vault's own, which is on a file system that can hold it, for as long as this
// takes.
func (b *backup) open() (*copiedVault, error) {
	path := filepath.Join(b.dir, b.parts[0].File)
	if len(b.parts) == 1 {
		return openCopy(path, b.archive)
	}
	path = filepath.Join(b.v.dir, fileCheckDB)
	if err := b.v.store.Room(databaseSize(b.parts)); err != nil {
		return nil, fmt.Errorf("put the database together to check it: %w", err)
	}
	if err := joinParts(b.ctx, b.dir, b.parts, path); err != nil {
		return nil, err
	}
	copied, err := openCopy(path, b.archive)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	copied.scratch = path
	return copied, nil
}

// copiedVault is a backup's database, opened to be read.
type copiedVault struct {
	*Vault
	scratch string // a file to remove at close; "": none
}

// openCopy opens a database as a vault that can be read and nothing else.
func openCopy(path string, from *blobstore.Archive) (_ *copiedVault, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	v := &Vault{dir: filepath.Dir(path), blobs: archived{from}}
	if v.store, err = store.OpenCopy(path, v.schema()); err != nil {
		return nil, err
	}
	if _, err := peek(v, v.load); err != nil {
		return nil, errors.Join(err, v.store.Close(nil))
	}
	return &copiedVault{Vault: v}, nil
}

func (c *copiedVault) close() error {
	err := c.store.Close(nil)
	if c.scratch != "" {
		err = errors.Join(err, os.Remove(c.scratch))
	}
	return err
}

// eachBlob calls fn with every digest that the database names, in order. The
// file is nobody else's, so the transaction may last.
func (c *copiedVault) eachBlob(fn func(Digest) error) error {
	_, err := view(c.Vault, func(t *tx) (struct{}, error) { return struct{}{}, t.eachNeeded(fn) })
	return err
}

func (t *tx) eachNeeded(fn func(Digest) error) error {
	var last Digest
	first := true
	rows := t.Cursor(bucketRefs)
	for k, _ := rows.First(); k != nil; k, _ = rows.Next() {
		if len(k) < len(last) {
			return fmt.Errorf("%w: %s has the key %x", errDamaged, bucketRefs, k)
		}
		if d := Digest(k[:len(last)]); first || d != last {
			first, last = false, d
			if err := fn(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *copiedVault) names(d Digest) bool {
	named, err := view(c.Vault, func(t *tx) (bool, error) { return t.needed(d), nil })
	return err != nil || named
}

// archived is an archive in the place of a store: it can be read.
type archived struct{ *blobstore.Archive }

func (archived) Stage(context.Context, io.Reader, int64) (blobstore.Staged, error) {
	return nil, errors.ErrUnsupported
}
