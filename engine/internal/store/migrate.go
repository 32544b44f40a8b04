package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// A vault of an earlier format is migrated when it is opened, in one
// transaction with its entries, vault.migrated. Before that the file is copied
// beside itself; the copy goes with the next open that needs no migration, so
// whoever finds the new version wanting can still take the old one back, with
// the file as it was. A crash at any moment leaves the old format, perhaps with
// a copy that the next open makes anew, or the new one with its copy.
//
// Few records need rewriting: what a later format adds stands at their ends
// (see codec.go). What does is the engine's: see Schema.Migrate.

// newSuffix is that of a copy which is not whole yet.
const newSuffix = ".new"

// migrate brings rows.db to the schema's format, and says whether it had to.
func (s *Store) migrate() (migrated bool, err error) {
	from, err := s.readFormat()
	if err != nil || from == s.schema.Format {
		return false, err
	}
	if err := s.keepCopy(from); err != nil {
		return false, fmt.Errorf("copy rows.db before its format is changed: %w", err)
	}
	return true, s.migrateFrom(from)
}

func (s *Store) migrateFrom(from int) error {
	b, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer b.Rollback()
	for _, name := range s.schema.buckets(s.schema.Format) {
		if _, err := b.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	head, err := lastHead(b)
	if err != nil {
		return err
	}
	s.Clock.start(head.Time)
	t := &Tx{s: s, b: b, now: s.Clock.Now(), head: head}
	_, _, err = t.run(func(t *Tx) (Record, error) {
		t.putFormat()
		return s.schema.Migrate(t, from)
	})
	for more := s.schema.Migrated != nil; more && err == nil; {
		_, _, err = t.run(func(t *Tx) (Record, error) {
			r, err := s.schema.Migrated(t)
			if more = !r.IsZero(); more {
				t.Note()
			}
			return r, err
		})
	}
	if err != nil {
		return err
	}
	return s.commit(b.Commit, b.Rollback)
}

func (t *Tx) putFormat() {
	t.Put(Meta, metaFormat, strconv.AppendInt(nil, int64(t.s.schema.Format), 10))
}

// readFormat returns the format of a vault this version reads.
func (s *Store) readFormat() (format int, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		meta := b.Bucket(Meta)
		if meta == nil {
			return fmt.Errorf("%w: bucket %s is missing", ErrFormat, Meta)
		}
		format, err = strconv.Atoi(string(meta.Get(metaFormat)))
		switch {
		case err != nil || format < 1:
			return fmt.Errorf("%w: %q", ErrFormat, meta.Get(metaFormat))
		case format > s.schema.Format:
			return fmt.Errorf("%w: it has format %d, this version reads up to %d; use a newer strongroom", ErrFormat, format, s.schema.Format)
		}
		for _, name := range s.schema.buckets(format) {
			if b.Bucket(name) == nil {
				return fmt.Errorf("%w: bucket %s is missing", ErrFormat, name)
			}
		}
		return nil
	})
	return format, err
}

// copyPath is where the copy of a format stands.
func (s *Store) copyPath(format int) string {
	return filepath.Join(s.dir, FileDB) + ".format-" + strconv.Itoa(format)
}

// keepCopy copies rows.db, durably, and leaves room for what is written after.
func (s *Store) keepCopy(format int) error {
	path := s.copyPath(format)
	fresh := path + newSuffix
	return s.db.View(func(b *bbolt.Tx) error {
		if err := s.Room(b.Size()); err != nil {
			return err
		}
		f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = b.WriteTo(f)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(fresh))
		}
		return blobstore.Rename(fresh, path)
	})
}

// dropCopies removes the copies that migrations left, whole or not.
func (s *Store) dropCopies() error {
	var left bool
	for format := 1; format < s.schema.Format; format++ {
		path := s.copyPath(format)
		for _, name := range []string{path, path + newSuffix} {
			err := os.Remove(name)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			left = left || err == nil
		}
	}
	if !left {
		return nil
	}
	return blobstore.SyncDir(s.dir)
}
