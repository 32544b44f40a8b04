package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"strongroom/audit"
	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// CompactReport is what Compact came to.
type CompactReport struct {
	Head          audit.Head
	Before, After int64 // bytes of the pages of vault.db, those that are free included
	Rows          uint64
}

// compactBatch is how many bytes of rows go into one transaction of the new file.
const compactBatch = 32 << 20

// Compact gives the free pages of the vault in dir, which must be at rest, back
// to the file system: it writes its rows into a new file, compares that with the
// old row by row, and puts it in its place. A crash leaves the old file or the
// new. It takes room for a second database while it runs. The errors are those
// of Open, ErrNoSpace and *DamagedError.
func Compact(ctx context.Context, dir string, o Options) (report CompactReport, err error) {
	defer damaged(&err, debug.SetPanicOnFault(true))
	v, err := Open(dir, o)
	if err != nil {
		return CompactReport{}, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	path := filepath.Join(dir, fileDB)
	fresh := filepath.Join(dir, fileNewDB)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return CompactReport{}, err
	}
	report, err = v.rewriteTo(ctx, fresh)
	if err != nil {
		return CompactReport{}, errors.Join(fmt.Errorf("compact %s: %w", path, err), os.Remove(fresh))
	}
	if err := v.db.Close(); err != nil { // before another file has its name
		return CompactReport{}, err
	}
	if err := blobstore.Rename(fresh, path); err != nil {
		return CompactReport{}, err
	}
	return report, nil
}

// rewriteTo writes every row into a new file, compares the two, and makes the
// new one as long as it needs to be, durably.
func (v *Vault) rewriteTo(ctx context.Context, path string) (report CompactReport, err error) {
	report.Head = v.Head()
	if err := v.db.View(func(was *bbolt.Tx) error { report.Before = was.Size(); return nil }); err != nil {
		return report, err
	}
	if err := v.roomFor(report.Before); err != nil {
		return report, err
	}
	db, err := openDB(path, false)
	if err != nil {
		return report, err
	}
	db.NoSync = true // the one sync at the end counts
	err = bbolt.Compact(db, v.db, compactBatch)
	if err == nil {
		err = v.db.View(func(was *bbolt.Tx) error {
			return db.View(func(is *bbolt.Tx) error {
				report.After = is.Size()
				report.Rows, err = sameRows(ctx, was, is)
				return err
			})
		})
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return report, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return report, err
	}
	return report, errors.Join(f.Truncate(report.After), f.Sync(), f.Close()) // bbolt takes 16 MiB in advance
}

// sameRows compares two databases bucket by bucket and row by row.
func sameRows(ctx context.Context, was, is *bbolt.Tx) (rows uint64, err error) {
	err = was.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		copied := is.Bucket(name)
		if copied == nil {
			return fmt.Errorf("%w: the copy lacks the bucket %s", errDamaged, name)
		}
		c := copied.Cursor()
		k, value := c.First()
		err := bucket.ForEach(func(key, row []byte) error {
			if !bytes.Equal(k, key) || !bytes.Equal(value, row) {
				return fmt.Errorf("%w: in the copy, %s differs at %.40x", errDamaged, name, key)
			}
			if rows++; rows%10_000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			k, value = c.Next()
			return nil
		})
		if err == nil && k != nil {
			err = fmt.Errorf("%w: in the copy, %s has more rows", errDamaged, name)
		}
		return err
	})
	return rows, err
}
