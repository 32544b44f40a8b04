package store_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"strongroom/engine/internal/store"
	"strongroom/engine/internal/store/wal"
)

const cutPage = 4096

// drive is a disk in memory for the files of the log, beside the database's file,
// which bbolt maps and so is a real one. It knows what is synced of both, and
// makes what a power cut may leave: of what is not synced any part, in any order.
type drive struct {
	mu    sync.Mutex
	rows  string // the database's path
	names map[string]*sheet
	sure  map[string]*sheet // names as they are after a crash, if no directory entry that is not synced arrived

	floor []byte             // of the database, what is synced
	later map[int64][][]byte // of each page, what was written since, in order
	seen  []byte             // as it was looked at last
	step  func(name string)  // called before each step
	fails func(name string) (fail, applied bool)
	cause error  // what a step fails with
	lies  string // a sync that says it was done, and was not: of a segment, the name, the database, the directory
}

// sheet is a file in memory.
type sheet struct {
	d       *drive
	now     []byte
	synced  []byte
	pending []piece // since the sync, in order
}

type piece struct {
	at int64
	b  []byte
}

func newDrive(rows string) *drive {
	return &drive{rows: rows, names: map[string]*sheet{}, sure: map[string]*sheet{}, later: map[int64][][]byte{},
		step: func(string) {}, fails: func(string) (bool, bool) { return false, false }, cause: errDrive}
}

var errDrive = errors.New("the drive failed")

func (s *sheet) ReadAt(p []byte, at int64) (int, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if at >= int64(len(s.now)) {
		return 0, io.EOF
	}
	n := copy(p, s.now[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *sheet) WriteAt(p []byte, at int64) (int, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.now = laid(s.now, p, at)
	s.pending = append(s.pending, piece{at, bytes.Clone(p)})
	return len(p), nil
}

func (s *sheet) Close() error { return nil }

func laid(to, p []byte, at int64) []byte {
	if need := int(at) + len(p); len(to) < need {
		to = append(to, make([]byte, need-len(to))...)
	}
	copy(to[at:], p)
	return to
}

// try runs a step, which may fail, before or after having acted.
func (d *drive) try(name string, act func() error) error {
	d.step(name)
	fail, applied := d.fails(name)
	if fail && !applied {
		return d.cause
	}
	err := act()
	if fail {
		return errors.Join(err, d.cause)
	}
	return err
}

func (d *drive) steps() wal.Steps {
	return wal.Steps{
		Open: func(path string, create bool) (f wal.File, size int64, err error) {
			err = d.try("open", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				s := d.names[path]
				switch {
				case create && s != nil:
					return os.ErrExist
				case create:
					s = &sheet{d: d}
					d.names[path] = s
				case s == nil:
					return os.ErrNotExist
				}
				f, size = s, int64(len(s.now))
				return nil
			})
			if err != nil {
				return nil, 0, err
			}
			return f, size, nil
		},
		WriteAt: func(f wal.File, b []byte, at int64) error {
			return d.try("write", func() error { _, err := f.WriteAt(b, at); return err })
		},
		Sync: func(f wal.File) error {
			return d.try("sync", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				s := f.(*sheet)
				if name := d.names[filepath.Join(filepath.Dir(d.rows), store.DirLog, "checkpoint")] == s; d.lies == "name" && name || d.lies == "segment" && !name {
					return nil
				}
				s.synced, s.pending = bytes.Clone(s.now), nil
				return nil
			})
		},
		Rename: func(from, to string) error {
			return d.try("rename", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.names[from] == nil {
					return os.ErrNotExist
				}
				d.names[to] = d.names[from]
				delete(d.names, from)
				return nil
			})
		},
		Remove: func(path string) error {
			return d.try("remove", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.names[path] == nil {
					return os.ErrNotExist
				}
				delete(d.names, path)
				return nil
			})
		},
		SyncDir: func(dir string) error {
			return d.try("sync the directory", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				if filepath.Base(dir) == store.DirLog && d.lies != "directory" {
					d.sure = maps.Clone(d.names)
				}
				return nil
			})
		},
		Mkdir: func(string) error { return d.try("mkdir", func() error { return os.ErrExist }) },
		List: func(dir string) (names []string, err error) {
			err = d.try("list", func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				for name := range d.names {
					names = append(names, filepath.Base(name))
				}
				slices.Sort(names)
				return nil
			})
			return names, err
		},
	}
}

// sync is the database's.
func (d *drive) sync(sync func() error) error {
	return d.try("sync the database", func() error {
		d.look()
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.lies == "database" {
			return nil
		}
		d.floor, d.later = bytes.Clone(d.seen), map[int64][][]byte{}
		return sync()
	})
}

// look finds what bbolt has written since it looked last.
func (d *drive) look() {
	now, err := os.ReadFile(d.rows)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for at := int64(0); at < int64(len(now)); at += cutPage {
		page := now[at:min(at+cutPage, int64(len(now)))]
		if at+int64(len(page)) > int64(len(d.seen)) || !bytes.Equal(page, d.seen[at:at+int64(len(page))]) {
			d.later[at] = append(d.later[at], bytes.Clone(page))
		}
	}
	d.seen = now
}

// settled says that all of the database is synced: bbolt did it.
func (d *drive) settled() {
	d.look()
	d.floor, d.later = bytes.Clone(d.seen), map[int64][][]byte{}
}

// picture is what a drive holds after a power cut.
type picture struct {
	rows  []byte
	files map[string][]byte
}

// cut draws one.
func (d *drive) cut(r *rand.Rand) picture {
	d.look()
	d.mu.Lock()
	defer d.mu.Unlock()
	p := picture{bytes.Clone(d.floor), map[string][]byte{}}
	likely := []float64{0, 0.1, 0.5, 0.9, 1}[r.IntN(5)]
	longest := len(d.floor) // the file may be as long as it was, or as it is, or between
	if more := len(d.seen) - longest; more > 0 {
		longest += r.IntN(more/cutPage+1) * cutPage
		p.rows = append(p.rows, make([]byte, longest-len(p.rows))...)
	}
	for _, at := range slices.Sorted(maps.Keys(d.later)) {
		versions := d.later[at]
		if r.Float64() >= likely || int(at)+cutPage > longest {
			continue
		}
		page := versions[len(versions)-1]
		if r.IntN(3) == 0 {
			page = versions[r.IntN(len(versions))]
		}
		scatter(r, p.rows, piece{at, page})
	}
	names := d.sure
	if r.IntN(2) == 0 { // a directory writes itself back, too
		names = d.names
	}
	for name, s := range names {
		b := bytes.Clone(s.synced)
		for _, w := range s.pending {
			if r.Float64() < likely {
				b = laid(b, nil, w.at+int64(len(w.b)))
				scatter(r, b, w)
			}
		}
		p.files[name] = b
	}
	return p
}

// scatter writes a piece, or some of its sectors.
func scatter(r *rand.Rand, to []byte, w piece) {
	torn := r.IntN(3) == 0
	for at := 0; at < len(w.b); at += 512 {
		if !torn || r.IntN(2) == 0 {
			copy(to[int(w.at)+at:], w.b[at:min(at+512, len(w.b))])
		}
	}
}

// load makes the drive hold a picture.
func (d *drive) load(p picture) {
	if err := os.WriteFile(d.rows, p.rows, 0o600); err != nil {
		panic(err)
	}
	d.floor, d.seen, d.later = bytes.Clone(p.rows), bytes.Clone(p.rows), map[int64][][]byte{}
	d.names = map[string]*sheet{}
	for name, b := range p.files {
		d.names[name] = &sheet{d: d, now: bytes.Clone(b), synced: bytes.Clone(b)}
	}
	d.sure = maps.Clone(d.names)
}
