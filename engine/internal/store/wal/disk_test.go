package wal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"strongroom/audit"
	"strongroom/blobstore"
)

const testDir = "/vault/wal"

// disk holds the files of a log in memory.
type disk struct {
	files  map[string]*sheet
	dirs   map[string]bool
	synced map[string]int // directories, how often
	fails  func(step string) error
}

type sheet struct{ b []byte }

func (s *sheet) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(s.b)) {
		return 0, io.EOF
	}
	n := copy(p, s.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *sheet) WriteAt(p []byte, at int64) (int, error) {
	if more := int(at) + len(p) - len(s.b); more > 0 {
		s.b = append(s.b, make([]byte, more)...)
	}
	return copy(s.b[at:], p), nil
}

func (s *sheet) Close() error { return nil }

func newDisk() *disk {
	return &disk{map[string]*sheet{}, map[string]bool{}, map[string]int{}, func(string) error { return nil }}
}

func (d *disk) clone() *disk {
	c := newDisk()
	for path, s := range d.files {
		c.files[path] = &sheet{bytes.Clone(s.b)}
	}
	c.dirs = maps.Clone(d.dirs)
	return c
}

func (d *disk) steps() Steps {
	return Steps{
		Open: func(path string, create bool) (File, int64, error) {
			if err := d.fails("open"); err != nil {
				return nil, 0, err
			}
			s := d.files[path]
			switch {
			case create && s != nil:
				return nil, 0, os.ErrExist
			case create:
				s = &sheet{}
				d.files[path] = s
			case s == nil:
				return nil, 0, os.ErrNotExist
			}
			return s, int64(len(s.b)), nil
		},
		WriteAt: func(f File, b []byte, at int64) error {
			if err := d.fails("write"); err != nil {
				return err
			}
			_, err := f.WriteAt(b, at)
			return err
		},
		Sync: func(File) error { return d.fails("sync") },
		Rename: func(from, to string) error {
			if err := d.fails("rename"); err != nil {
				return err
			}
			d.files[to] = d.files[from]
			delete(d.files, from)
			return nil
		},
		Remove: func(path string) error {
			if err := d.fails("remove"); err != nil {
				return err
			}
			if d.files[path] == nil && !d.dirs[path] {
				return os.ErrNotExist
			}
			delete(d.files, path)
			delete(d.dirs, path)
			return nil
		},
		SyncDir: func(dir string) error {
			if err := d.fails("sync the directory"); err != nil {
				return err
			}
			d.synced[dir]++
			return nil
		},
		Mkdir: func(dir string) error {
			if d.dirs[dir] {
				return os.ErrExist
			}
			d.dirs[dir] = true
			return nil
		},
		List: func(dir string) (names []string, err error) {
			for path := range d.files {
				if filepath.Dir(path) == dir {
					names = append(names, filepath.Base(path))
				}
			}
			slices.Sort(names)
			return names, nil
		},
	}
}

// kit is a log on such a disk, and what was written to it.
type kit struct {
	*Log
	t       testing.TB
	d       *disk
	r       *rand.Rand
	set     *Set
	written []string // of each record, what it says
}

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{t: t, d: newDisk(), r: rand.New(rand.NewPCG(18, 1)), set: NewSet()}
	k.begin()
	return k
}

func (k *kit) begin() {
	k.t.Helper()
	l, err := Begin(testDir, k.d.steps(), []byte("view"))
	must(k.t, err)
	k.Log, k.written = l, nil
}

// write writes a set of random rows, with blobs of so many bytes.
func (k *kit) write(rows int, blobs ...int) {
	k.t.Helper()
	k.set.Reset()
	var want []Row
	for range rows {
		row := Row{
			Bucket:  fmt.Appendf(nil, "bucket %d", k.r.IntN(5)),
			Key:     k.random(k.r.IntN(40)),
			Deleted: k.r.IntN(4) == 0,
		}
		if row.Deleted {
			k.set.Delete(row.Bucket, row.Key)
		} else {
			row.Value = k.random(k.r.IntN(300))
			k.set.Put(row.Bucket, row.Key, row.Value)
		}
		want = append(want, row)
	}
	var carried []Blob
	for _, size := range blobs {
		b := k.random(size)
		carried = append(carried, Blob{sha256.Sum256(b), b})
		k.set.Carry(carried[len(carried)-1])
	}
	group := uint64(len(k.written) + 1)
	head := audit.Head{Seq: group * 3, Hash: sha256.Sum256(k.random(8))}
	must(k.t, k.Room(k.set))
	size := k.set.Size()
	was := k.Mark().at
	must(k.t, k.Write(k.set, group, head))
	must(k.t, k.Sync())
	if took := k.Mark().at - was; took > size {
		k.t.Fatalf("a record took %d bytes, its set said %d", took, size)
	}
	k.written = append(k.written, said(Record{group, head.Seq, head.Hash, want, carried}))
}

func (k *kit) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(k.r.Uint32())
	}
	return b
}

// said spells a record out.
func said(r Record) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "group %d, entry %d %x\n", r.Group, r.Seq, r.Hash)
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%s %x %x %v\n", row.Bucket, row.Key, row.Value, row.Deleted)
	}
	for _, blob := range r.Blobs {
		fmt.Fprintf(&b, "%x %x\n", blob.Digest, blobstore.Digest(sha256.Sum256(blob.Bytes)))
	}
	return b.String()
}

// recovered is what recovery reads; there is false if there is no log.
func recovered(d *disk) (view string, records []string, there bool, err error) {
	r, err := Open(testDir, d.steps())
	if r == nil {
		return "", nil, false, err
	}
	err = r.Each(func(record Record) error {
		records = append(records, said(record))
		return nil
	})
	return string(r.View), records, true, errors.Join(err, r.Close())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func digest(text string) blobstore.Digest { return sha256.Sum256([]byte(text)) }
