package store_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"strongroom/engine/internal/store"
	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

var (
	cuts    = flag.Int("cuts", 60, "how many power cuts TestCuts makes")
	cutSeed = flag.Uint64("cutseed", 1, "what TestCuts draws from")
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
	return &drive{rows: rows, names: map[string]*sheet{}, sure: map[string]*sheet{}, later: map[int64][][]byte{}, step: func(string) {}, fails: func(string) (bool, bool) { return false, false }}
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
		return errDrive
	}
	err := act()
	if fail {
		return errors.Join(err, errDrive)
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
				if filepath.Base(dir) == store.DirLog {
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

// cutKit is a store on a drive, and what it must hold.
type cutKit struct {
	*kit
	d     *drive
	model map[string]string // what is acknowledged
	next  map[string]string // what is, if the call that runs lands; nil: none runs
}

func newCutKit(t *testing.T) *cutKit {
	k := &kit{t: t, dir: t.TempDir(), options: store.Options{Schema: schema(), Reserve: -1, Map: 64 << 20}}
	must(t, store.Create(k.dir, schema(), found))
	c := &cutKit{kit: k, d: newDrive(k.path()), model: map[string]string{}}
	k.options.Steps, k.options.Sync = c.d.steps(), c.d.sync
	c.d.settled()
	k.open()
	return c
}

// leave lets the store go as a crash does.
func (c *cutKit) leave() {
	c.Stop(store.ReasonDamaged, io.EOF)
	c.Shut()
	c.Close(nil)
}

// change lands one group.
func (c *cutKit) change(r *rand.Rand) error {
	next := maps.Clone(c.model)
	type row struct {
		name, text string
		goes       bool
	}
	var rows []row
	for range 1 + r.IntN(6) {
		w := row{name: fmt.Sprintf("%03d", r.IntN(200)), goes: r.IntN(3) == 0}
		if !w.goes {
			size := r.IntN(600)
			if r.IntN(40) == 0 {
				size = 5_000 + r.IntN(20_000)
			}
			w.text = strings.Repeat(string(rune('a'+r.IntN(26))), size)
			next[w.name] = w.text
		} else {
			delete(next, w.name)
		}
		rows = append(rows, w)
	}
	c.next = next
	err := c.submit(func(t *store.Tx) (store.Record, error) {
		for _, w := range rows {
			if w.goes {
				t.Delete(notes, []byte(w.name))
			} else {
				t.Put(notes, []byte(w.name), []byte(w.text))
			}
		}
		t.Note()
		return noted(), nil
	})
	if err == nil {
		c.model = next
	}
	c.next = nil
	return err
}

// matches says what the store holds that it must not, or lacks. It may hold what was under way,
// and then must from now on.
func (c *cutKit) matches(was, next map[string]string) error {
	var broken []error
	must(c.t, c.Bare().View(func(b *bbolt.Tx) error {
		for err := range b.Check() {
			broken = append(broken, err)
		}
		return nil
	}))
	if len(broken) > 0 {
		return errors.Join(broken...)
	}
	got := c.rows(notes)
	switch {
	case maps.Equal(got, was):
		c.model = was
	case next != nil && maps.Equal(got, next):
		c.model = next
	default:
		return fmt.Errorf("it holds %d rows, and neither the %d that it held nor the %d that came", len(got), len(was), len(next))
	}
	return nil
}

// TestCuts cuts the power again and again, between two acts and in the middle of
// one, in recovery too. After each cut the store holds what was acknowledged, and
// what was under way wholly or not at all.
func TestCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(*cutSeed, 18))
	c := newCutKit(t)
	n := *cuts
	if testing.Short() {
		n = min(n, 20)
	}
	inRecovery := 0
	for cut := range n {
		var left *picture
		var was, next map[string]string
		steps := r.IntN(120)
		c.d.step = func(string) {
			if steps--; steps == 0 {
				p := c.d.cut(r)
				left, was, next = &p, c.model, c.next
			}
		}
		for left == nil {
			switch r.IntN(12) {
			case 0, 1:
				_, err := c.Checkpoint(t.Context())
				must(t, err)
			case 2:
				if r.IntN(3) == 0 {
					_, _, err := c.Wipe(t.Context(), never)
					must(t, err)
					if left == nil {
						c.d.settled()
					}
				}
			case 3:
				if r.IntN(4) == 0 {
					c.kit.close()
					c.kit.open()
				}
			default:
				must(t, c.change(r))
			}
			c.d.look()
			if left == nil && r.IntN(60) == 0 {
				p := c.d.cut(r)
				left, was, next = &p, c.model, nil
			}
		}
		c.d.step = func(string) {}
		c.leave()
		for {
			c.d.load(*left)
			var again *picture
			steps := r.IntN(60)
			c.d.step = func(string) {
				if steps--; steps == 0 {
					p := c.d.cut(r)
					again = &p
				}
			}
			s, err := store.Open(c.dir, c.options)
			if err != nil {
				t.Fatalf("cut %d: %v", cut, err)
			}
			c.d.step = func(string) {}
			c.Store = s
			if again == nil {
				break
			}
			c.leave()
			inRecovery++
			left = again
		}
		if err := c.matches(was, next); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
	}
	c.kit.close()
	t.Logf("%d cuts, %d more in recovery", n, inRecovery)
}
