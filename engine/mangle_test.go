package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"strongroom/audit"
	"strongroom/engine"

	"go.etcd.io/bbolt"
)

var (
	mangles    = flag.Int("mangle", 500, "how many bytes of rows.db TestMangledVault flips")
	mangleSeed = flag.Uint64("mangleseed", 0, "a seed to try alone; 0 takes the fixed ones")
)

// content is what a vault holds, row by row, as far as the log can prove it.
// ok is false if bbolt cannot read it.
func content(path string) (rows map[string]string, ok bool) {
	var file *os.File
	defer func() {
		if recover() != nil && file != nil {
			file.Close()
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, perm)
		return file, err
	}})
	if err != nil {
		return nil, false
	}
	defer db.Close()
	rows = map[string]string{}
	err = db.View(func(b *bbolt.Tx) error {
		return b.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(k, v []byte) error {
				rows[string(name)+"/"+string(k)] = engine.Provable(string(name), k, v)
				return nil
			})
		})
	})
	return rows, err == nil
}

// compacted puts a copy with little free room in the place of a rows.db. The
// same rows make the same pages: each bucket has a transaction of its own, since
// bbolt writes those of a shared one in no order.
func compacted(t *testing.T, path string) {
	t.Helper()
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	small := path + ".small"
	to, err := bbolt.Open(small, 0o600, &bbolt.Options{NoSync: true})
	must(t, err)
	must(t, from.View(func(was *bbolt.Tx) error {
		return was.ForEach(func(name []byte, rows *bbolt.Bucket) error {
			return to.Update(func(is *bbolt.Tx) error {
				copied, err := is.CreateBucket(name)
				must(t, err)
				copied.FillPercent = 0.9
				return rows.ForEach(copied.Put)
			})
		})
	}))
	must(t, errors.Join(to.Close(), from.Close(), os.Rename(small, path)))
}

// flip writes one byte of a file.
func flip(t *testing.T, path string, at int, to byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{to}, int64(at))
	must(t, errors.Join(err, f.Close()))
}

// TestMangledVault flips bytes all over rows.db. Each flip must be found, by
// Open or by Verify, or have changed nothing that counts.
func TestMangledVault(t *testing.T) {
	if underRace {
		t.Skip("a fault under the race detector ends the process")
	}
	eachSeed(t, *mangleSeed, []uint64{1, 2, 3, 11788599224022865229}, func(t *testing.T, seed uint64) {
		cryptotest.SetGlobalRandom(t, seed) // ids and salts; the bubble gives the instants
		synctest.Test(t, func(t *testing.T) { mangleVault(t, seed) })
	})
}

func mangleVault(t *testing.T, seed uint64) {
	e := newEvidence(t)
	path := filepath.Join(e.dir, "rows.db")
	good := readFile(t, path)
	kept := engine.VerifyOptions{Heads: []audit.Head{e.head}}
	want, ok := content(path)
	if !ok {
		t.Fatal("the vault cannot be read")
	}
	var places []int // where something is written, and a little around it
	for at := range good {
		if bytes.ContainsFunc(good[max(0, at-4):min(at+4, len(good))], func(r rune) bool { return r != 0 }) {
			places = append(places, at)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	flips := *mangles
	if testing.Short() {
		flips = min(flips, 100)
	}
	found, harmless := 0, 0
	// bbolt copies a small bucket into memory of ours; where its page lies, a
	// row can be whatever is in that memory. Reading it does no harm, but the
	// collector must not meet such a row: it runs between flips, and else only
	// where a length that lies has asked for much memory.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(256 << 20))
	for n := range flips {
		if n%20 == 0 {
			runtime.GC()
		}
		at, bits := places[random.IntN(len(places))], byte(1+random.IntN(255))
		flip(t, path, at, good[at]^bits)
		if len(findings(e.dir, kept)) > 0 {
			found++
			flip(t, path, at, good[at])
			continue
		}
		harmless++
		is, ok := content(path)
		if !ok {
			t.Errorf("seed %d: byte %d xor %#x: not found, and bbolt cannot read it", seed, at, bits)
		}
		for row, value := range want {
			if is[row] != value {
				t.Errorf("seed %d: byte %d xor %#x: not found, but %q is %.80q, was %.80q", seed, at, bits, row, is[row], value)
			}
		}
		if len(is) != len(want) {
			t.Errorf("seed %d: byte %d xor %#x: not found, but there are %d rows, were %d", seed, at, bits, len(is), len(want))
		}
		flip(t, path, at, good[at])
	}
	t.Logf("seed %d: %d flips in %d bytes, %d found, %d harmless", seed, flips, len(places), found, harmless)
}

// TestCutVault cuts rows.db short, as a disk that filled or a copy that broke
// off would.
func TestCutVault(t *testing.T) {
	if underRace {
		t.Skip("a fault under the race detector ends the process")
	}
	e := newEvidence(t)
	path := filepath.Join(e.dir, "rows.db")
	good := readFile(t, path)
	page := int(binary.NativeEndian.Uint32(good[24:]))
	used := lastPage(t, path)
	for size := len(good) - page; size >= 0; size -= page {
		must(t, os.WriteFile(path, good[:size], 0o600))
		if size <= used*page && len(findings(e.dir, engine.VerifyOptions{})) == 0 {
			t.Errorf("cut to %d of %d bytes: not found", size, len(good))
		}
	}
	must(t, os.WriteFile(path, good, 0o600))
}

// lastPage is the highest page of a vault that holds something.
func lastPage(t *testing.T, path string) (last int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	must(t, err)
	defer db.Close()
	must(t, db.View(func(b *bbolt.Tx) error {
		for n := 0; ; n++ {
			info, err := b.Page(n)
			if info == nil || err != nil {
				return err
			}
			if info.Type != "free" && info.Type != "freelist" {
				last = n
			}
		}
	}))
	return last
}
