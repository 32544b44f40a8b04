package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

// Up to format 3 the database was vault.db, and bbolt's own syncs made it durable.
// A version of then must not touch one that has a log in front of it: bbolt
// commits while it opens a file whose newest state has no list of free pages,
// before anybody has looked at the format. So the database has another name, and
// vault.db is a line of text, which those versions refuse as a format they do not
// read.
//
// A vault.db that is a database is the vault's: of an earlier format, out of a
// backup, or put back by hand. It is moved in when it is opened. A crash leaves it
// where it was, or in its place.

const placeText = "strongroom vault: its database is rows.db, of format 4 or later. A version that cannot read this is too old.\n"

// markPlace makes the directory a vault, of the database that is there.
func markPlace(dir string) error {
	return blobstore.WriteFile(filepath.Join(dir, FileDB), []byte(placeText))
}

// Unmarked returns the line that a directory lacks to be a vault, to be written into
// vault.db: that is not there, and a database is. "" is said of every other.
func Unmarked(dir string) (line string) {
	if _, err := os.Lstat(filepath.Join(dir, FileDB)); !errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if info, err := os.Stat(filepath.Join(dir, FileRows)); err != nil || info.Size() == 0 {
		return ""
	}
	return strings.TrimSpace(placeText)
}

// replaceable says why Create may not put another database in the place of the one that
// is there: somebody has lost vault.db alone. What a crash has left of a vault that was
// being made has no log, and the entries of the steps and no others.
func replaceable(dir string, schema Schema, steps int) error {
	line := Unmarked(dir)
	if line == "" {
		return nil
	}
	s := newStore(filepath.Join(dir, FileRows), Options{Schema: schema, Reserve: -1})
	err := s.open(true, func() error { return s.db.View(s.loadHead) })
	left := err == nil && s.Head().Seq <= uint64(steps)
	if err := s.closeDB(); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, DirLog)); left && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%w: write this line into %s: %s", ErrUnmarked, filepath.Join(dir, FileDB), line)
}

// Create makes a database in a directory whose Lock the caller holds: its
// buckets, and what the steps write, each with its entry, in one transaction.
// The first step puts the vault's id into Meta: see Tx.Found. vault.db comes last:
// a crash before that leaves no vault, and files that the next Create replaces. ErrUnmarked.
func Create(dir string, schema Schema, steps ...Step) error {
	if err := replaceable(dir, schema, len(steps)); err != nil {
		return err
	}
	fresh := filepath.Join(dir, fileNew)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, _, err := openDB(fresh, false, 0)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, bucket := range schema.buckets(schema.Format) {
			if _, err := b.CreateBucket(bucket); err != nil {
				return err
			}
		}
		s := newStore(fresh, Options{Schema: schema})
		s.Clock.start(time.Time{})
		t := &Tx{s: s, b: b, now: s.Clock.Now()}
		for _, step := range steps {
			if _, _, err := t.run(step); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := blobstore.Rename(fresh, filepath.Join(dir, FileRows)); err != nil {
		return err
	}
	return markPlace(dir)
}

// Found gives a new vault its id, and the file the format.
func (t *Tx) Found() (ID, error) {
	vault, err := t.NewID()
	if err != nil {
		return ID{}, err
	}
	t.putFormat()
	t.Put(Meta, metaVault, []byte(vault.String()))
	return vault, nil
}

// isPlace says whether the beginning of vault.db is the line of text. Who wrote it by
// hand may have ended it otherwise.
func isPlace(head []byte) bool {
	return string(bytes.TrimRight(head, "\r\n")) == strings.TrimSpace(placeText)
}

// moveIn moves a vault.db that is a database to where databases are. ErrFormat if it is
// neither that nor the line of text.
func moveIn(dir string, schema Schema) error {
	path := filepath.Join(dir, FileDB)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(f, int64(len(placeText)+len("\r\n"))))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if isPlace(head) {
		return nil
	}
	if len(head) == 0 { // bbolt would make a new database of nothing
		return fmt.Errorf("%w: %s is empty; restore the vault from a backup", ErrFormat, path)
	}
	if err := readable(path, schema); err != nil {
		return err
	}
	// What is there belongs to what was the vault's before.
	if err := wal.Discard(filepath.Join(dir, DirLog)); err != nil {
		return fmt.Errorf("discard the log of another database: %w", err)
	}
	rows := filepath.Join(dir, FileRows)
	if err := os.Remove(rows); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Two names, and then one: some file systems have no second names.
	if err := os.Link(path, rows); err != nil {
		if err := copyFile(path, rows); err != nil {
			return fmt.Errorf("move %s to its place: %w", path, err)
		}
	}
	if err := blobstore.SyncDir(dir); err != nil {
		return err
	}
	return markPlace(dir)
}

// readable says why a file is no database that this version reads.
func readable(path string, schema Schema) (err error) {
	s := newStore(path, Options{Schema: schema, Reserve: -1})
	return errors.Join(s.open(true, func() error { _, err := s.readFormat(); return err }), s.closeDB())
}

// Place makes a directory without a database one of a vault, by a copy that Snapshot.WriteTo
// wrote. What is left there of another goes. A crash leaves no vault.
func Place(dir string, r io.Reader) (err error) {
	if err := wal.Discard(filepath.Join(dir, DirLog)); err != nil {
		return err
	}
	fresh := filepath.Join(dir, fileNew)
	f, err := blobstore.CreateFresh(fresh)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := blobstore.Rename(fresh, filepath.Join(dir, FileRows)); err != nil {
		return err
	}
	return markPlace(dir)
}

// Drop removes the database of a directory, whose Lock nobody holds: first what makes it a vault.
func Drop(dir string) error {
	for _, file := range []string{FileDB, FileRows} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := blobstore.SyncDir(dir); err != nil {
			return err
		}
	}
	return wal.Discard(filepath.Join(dir, DirLog))
}

func (s *Store) closeDB() error {
	if s.db == nil || s.stuck.Load() {
		return nil
	}
	return s.db.Close()
}

// copyFile copies a file durably, by way of another name.
func copyFile(from, to string) (err error) {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	fresh := to + newSuffix
	copied, err := blobstore.CreateFresh(fresh)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, f)
	if err == nil {
		err = copied.Sync()
	}
	if err = errors.Join(err, copied.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return blobstore.Rename(fresh, to)
}
