package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// The limits that benchmarks stand against: the same work by bare system calls
// and bare bbolt.

// barePages is how many pages of 50 index rows and their records bbolt alone
// reads in a second, for eight callers.
func barePages(b *testing.B, documents, pages int) float64 {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	key := func(i int) []byte { return binary.BigEndian.AppendUint64([]byte("document"), uint64(i)) }
	err = db.Update(func(tx *bbolt.Tx) error {
		records, err := tx.CreateBucket([]byte("documents"))
		if err != nil {
			return err
		}
		index, err := tx.CreateBucket([]byte("index"))
		if err != nil {
			return err
		}
		record := randomBytes(400)
		for i := range documents {
			if err := records.Put(key(i), record); err != nil {
				return err
			}
			if i%2 > 0 {
				continue
			}
			if err := index.Put(append([]byte("contract"), key(i)...), []byte{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return perSecond(b, 8, 20_000, func(i int) error {
		return db.View(func(tx *bbolt.Tx) error {
			records, c := tx.Bucket([]byte("documents")), tx.Bucket([]byte("index")).Cursor()
			k, _ := c.Seek(append([]byte("contract"), key(i%pages*100)...))
			for range 50 {
				if records.Get(k[8:]) == nil {
					return fmt.Errorf("no record for %x", k)
				}
				k, _ = c.Next()
			}
			return nil
		})
	})
}

// bareBlobs keeps 64 KiB by bare system calls: a temporary file, fsync, rename,
// fsync of the directory.
func bareBlobs(b *testing.B, callers, n int) float64 {
	b.Helper()
	root := b.TempDir()
	dirs := make([]*os.File, 256)
	for i := range dirs {
		path := filepath.Join(root, fmt.Sprintf("%02x", i))
		if err := os.Mkdir(path, 0o700); err != nil {
			b.Fatal(err)
		}
		d, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer d.Close()
		dirs[i] = d
	}
	return perSecond(b, callers, n, func(i int) error {
		content := randomBytes(64 << 10)
		digest := sha256.Sum256(content)
		f, err := os.Create(filepath.Join(root, fmt.Sprint("staged", i)))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Write(content); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		dir := dirs[digest[0]]
		if err := os.Rename(f.Name(), filepath.Join(dir.Name(), fmt.Sprintf("%x", digest))); err != nil {
			return err
		}
		return dir.Sync()
	})
}

// bareChanges is how many changes bbolt alone takes in a second, if always so
// many share a transaction: of each a document at a random key, an index row
// moved, an entry and its detail.
func bareChanges(b *testing.B, group, documents int) float64 {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	record, line := randomBytes(400), randomBytes(330)
	moved := make([]uint64, documents) // the last change of each
	seq := uint64(0)
	change := func(tx *bbolt.Tx, doc int) error {
		seq++
		at, key := binary.BigEndian.AppendUint64(nil, seq), binary.BigEndian.AppendUint64(nil, uint64(doc))
		row := func(seq uint64) []byte { return append(binary.BigEndian.AppendUint64([]byte("ul"), seq), key...) }
		puts := []struct {
			bucket     string
			key, value []byte
		}{{"documents", key, record}, {"index", row(seq), []byte{}}, {"log", at, line}, {"detail", at, line[:120]}}
		for _, p := range puts {
			if err := tx.Bucket([]byte(p.bucket)).Put(p.key, p.value); err != nil {
				return err
			}
		}
		old := row(moved[doc])
		moved[doc] = seq
		return tx.Bucket([]byte("index")).Delete(old)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"documents", "index", "log", "detail"} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		for doc := range documents {
			if err := change(tx, doc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(group) * perSecond(b, 1, 600, func(int) error {
		return db.Update(func(tx *bbolt.Tx) error {
			for range group {
				if err := change(tx, rand.IntN(documents)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
