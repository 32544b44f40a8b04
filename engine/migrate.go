package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"strongroom/audit"
	"strongroom/blobstore"

	"go.etcd.io/bbolt"
)

// A vault of an earlier format is migrated when it is opened, in one
// transaction with its entry, vault.migrated. Before that the file is copied
// beside itself; the copy goes with the next open that needs no migration, so
// whoever finds the new version wanting can still take the old one back, with
// the file as it was. A crash at any moment leaves the old format, perhaps with
// a copy that the next open makes anew, or the new one with its copy.
//
// Few records need rewriting (see migrate_rows.go): what a later format adds
// stands at their ends (see codec.go), and what is derived from it has no rows
// before there is any.

// newSuffix is that of a copy which is not whole yet.
const newSuffix = ".new"

// migrate brings vault.db to this version's format, and says whether it had to.
func (v *Vault) migrate() (migrated bool, err error) {
	from, err := readFormat(v.db)
	if err != nil || from == formatVersion {
		return false, err
	}
	if err := v.snapshot(from); err != nil {
		return false, fmt.Errorf("copy vault.db before its format is changed: %w", err)
	}
	return true, v.migrateFrom(from)
}

func (v *Vault) migrateFrom(from int) error {
	b, err := v.db.Begin(true)
	if err != nil {
		return err
	}
	defer b.Rollback()
	for _, name := range buckets() {
		if _, err := b.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	head, err := lastHead(b, string(b.Bucket(bucketMeta).Get(metaVault)))
	if err != nil {
		return err
	}
	v.clock.start(head.Time)
	t := &tx{v: v, b: b, now: v.clock.now(), actor: System(), head: head}
	_, _, err = t.step(func(t *tx) (audit.Event, error) {
		t.rewrite(from)
		return t.migrated(from), nil
	})
	if err != nil {
		return err
	}
	return v.commit(b)
}

func (t *tx) migrated(from int) audit.Event {
	t.put(bucketMeta, metaFormat, strconv.AppendInt(nil, formatVersion, 10))
	return audit.Event{
		Op:    audit.OpVaultMigrated,
		Facts: audit.Facts{"format": audit.Number(formatVersion), "from": audit.Number(uint64(from))},
	}
}

// readFormat returns the format of a vault this version reads.
func readFormat(db *bbolt.DB) (format int, err error) {
	err = db.View(func(b *bbolt.Tx) error {
		meta := b.Bucket(bucketMeta)
		if meta == nil {
			return fmt.Errorf("%w: bucket %s is missing", ErrFormat, bucketMeta)
		}
		format, err = strconv.Atoi(string(meta.Get(metaFormat)))
		switch {
		case err != nil || format < 1:
			return fmt.Errorf("%w: %q", ErrFormat, meta.Get(metaFormat))
		case format > formatVersion:
			return fmt.Errorf("%w: it has format %d, this version reads up to %d; use a newer strongroom", ErrFormat, format, formatVersion)
		}
		for _, name := range bucketsOf(format) {
			if b.Bucket(name) == nil {
				return fmt.Errorf("%w: bucket %s is missing", ErrFormat, name)
			}
		}
		return nil
	})
	return format, err
}

// snapshotPath is where the copy of a format stands.
func (v *Vault) snapshotPath(format int) string {
	return filepath.Join(v.dir, fileDB+".format-"+strconv.Itoa(format))
}

// snapshot copies vault.db, durably, and leaves room for what is written after.
func (v *Vault) snapshot(format int) error {
	path := v.snapshotPath(format)
	fresh := path + newSuffix
	return v.db.View(func(b *bbolt.Tx) error {
		free, err := blobstore.Free(v.dir)
		if err != nil {
			return fmt.Errorf("look for free space: %w", err)
		}
		if need := uint64(b.Size()) + uint64(max(v.reserve, 0)); free < need {
			return fmt.Errorf("%w: %d bytes free, the copy needs %d with the reserve", ErrNoSpace, free, need)
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

// dropSnapshots removes the copies that migrations left, whole or not.
func (v *Vault) dropSnapshots() error {
	var left bool
	for format := 1; format < formatVersion; format++ {
		path := v.snapshotPath(format)
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
	return blobstore.SyncDir(v.dir)
}
