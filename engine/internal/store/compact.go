package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// compactBatch is how many bytes of rows go into one transaction of the new file.
const compactBatch = 32 << 20

// Compaction is what Compact came to.
type Compaction struct {
	Before, After int64 // bytes of the pages of rows.db, those that are free included
	Rows          uint64
}

// Compact gives the free pages of rows.db back to the file system, and leaves
// the store without its file, so that the caller can only close it: it writes every row into a new file, compares that with the old row
// by row, and puts it in its place. A crash leaves the old file or the new. It
// takes room for a second database while it runs. ErrNoSpace.
func (s *Store) Compact(ctx context.Context) (report Compaction, err error) {
	fresh := filepath.Join(s.dir, fileNew)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Compaction{}, err
	}
	if err := s.settle(); err != nil { // the log is none of the new file
		return Compaction{}, err
	}
	report, err = s.rewriteTo(ctx, fresh)
	if err != nil {
		return Compaction{}, errors.Join(fmt.Errorf("compact %s: %w", s.path, err), os.Remove(fresh))
	}
	if err := s.db.Close(); err != nil { // before another file has its name
		return Compaction{}, err
	}
	return report, blobstore.Rename(fresh, s.path)
}

// rewriteTo writes every row into a new file, compares the two, and makes the
// new one as long as it needs to be, durably.
func (s *Store) rewriteTo(ctx context.Context, path string) (report Compaction, err error) {
	if err := s.db.View(func(was *bbolt.Tx) error { report.Before = was.Size(); return nil }); err != nil {
		return report, err
	}
	if err := s.Room(report.Before); err != nil {
		return report, err
	}
	db, _, err := openDB(path, false, 0)
	if err != nil {
		return report, err
	}
	db.NoSync = true // the one sync at the end counts
	err = bbolt.Compact(db, s.db, compactBatch)
	if err == nil {
		err = s.db.View(func(was *bbolt.Tx) error {
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
			return fmt.Errorf("%w: the copy lacks the bucket %s", ErrDamaged, name)
		}
		c := copied.Cursor()
		k, value := c.First()
		err := bucket.ForEach(func(key, row []byte) error {
			if !bytes.Equal(k, key) || !bytes.Equal(value, row) {
				return fmt.Errorf("%w: in the copy, %s differs at %.40x", ErrDamaged, name, key)
			}
			if rows++; rows%10_000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			k, value = c.Next()
			return nil
		})
		if err == nil && k != nil {
			err = fmt.Errorf("%w: in the copy, %s has more rows", ErrDamaged, name)
		}
		return err
	})
	return rows, err
}
