package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const sectorBytes = 512

// cachingDisk is a disk with a cache of its own: what is written is on its platter
// after the next flush, and until then in the cache alone, from which a disk takes
// what it likes first.
type cachingDisk struct {
	mu      sync.Mutex
	now     []byte       // what reads see: the platter with all of the cache over it
	platter []byte       // what a power cut cannot take
	cache   []cacheWrite // since the last flush, in the order they came
	boot    uint64       // counts power-ons; what an earlier one still writes is refused
	left    int          // writes and flushes until the power goes; 0: it stays
	off     chan struct{}
	fine    int // writes and flushes until some are refused
	refuse  int // how many then
	failed  bool
	writes  int // since it was made
	flushes int
	kept    int // writes that cuts found in the cache and kept whole
	dropped int
	torn    int
}

type cacheWrite struct {
	at   int64
	data []byte
}

func newCachingDisk(image []byte) *cachingDisk {
	d := &cachingDisk{now: bytes.Clone(image), platter: bytes.Clone(image)}
	d.powerOn()
	return d
}

// remake puts another image of the same size on the disk, which nobody uses.
func (d *cachingDisk) remake(image []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.now, image)
	copy(d.platter, image)
	d.cache = nil
}

// powerOn begins a boot, which it returns the number of.
func (d *cachingDisk) powerOn() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot++
	d.left, d.refuse, d.failed, d.off = 0, 0, false, make(chan struct{})
	return d.boot
}

// cutAfter has the power go at the n-th write or flush from now, before it is answered.
// It returns what is closed then.
func (d *cachingDisk) cutAfter(n int) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
	return d.off
}

// failAfter has the disk refuse refuse writes and flushes, the n-th from now first.
func (d *cachingDisk) failAfter(n, refuse int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fine, d.refuse = n-1, refuse
}

// hasFailed reports whether it did, since the power came.
func (d *cachingDisk) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// refuses counts a write or flush, and reports whether it is refused.
func (d *cachingDisk) refuses() bool {
	switch {
	case d.refuse == 0:
		return false
	case d.fine > 0:
		d.fine--
		return false
	}
	d.refuse--
	d.failed = true
	return true
}

// cutNow has the power go.
func (d *cachingDisk) cutNow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isOff() {
		close(d.off)
	}
}

func (d *cachingDisk) isOff() bool {
	select {
	case <-d.off:
		return true
	default:
		return false
	}
}

// step counts a write or a flush, and reports whether the power is there after it.
func (d *cachingDisk) step() bool {
	if d.left > 0 {
		if d.left--; d.left == 0 {
			close(d.off)
		}
	}
	return !d.isOff()
}

func (d *cachingDisk) read(b []byte, at int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= int64(len(d.now)) {
		return 0
	}
	return copy(b, d.now[at:])
}

// write takes b into the cache. One that the cut meets may be on the platter
// afterwards, and is not answered.
func (d *cachingDisk) write(boot uint64, b []byte, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if boot != d.boot || d.isOff() || at+int64(len(b)) > int64(len(d.now)) || d.refuses() {
		return unix.EIO
	}
	copy(d.now[at:], b)
	d.cache = append(d.cache, cacheWrite{at, bytes.Clone(b)})
	d.writes++
	if !d.step() {
		return unix.EIO
	}
	return nil
}

func (d *cachingDisk) flush(boot uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if boot != d.boot || d.isOff() || d.refuses() || !d.step() {
		return unix.EIO
	}
	for _, w := range d.cache {
		copy(d.platter[w.at:], w.data)
	}
	d.cache = nil
	d.flushes++
	return nil
}

// lose is what a cut does, once the power is off: of what is in the cache a random part is on the platter, in
// a random order, some of it torn between two sectors. How much is drawn first, so that
// all and nothing happen too.
func (d *cachingDisk) lose(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep, tear := []float64{0, 0.1, 0.5, 0.9, 1}[random.IntN(5)], []float64{0, 0.1, 0.5}[random.IntN(3)]
	for _, i := range random.Perm(len(d.cache)) {
		w := d.cache[i]
		// The super block of ext4 lies here. It is written in place, and has no defence
		// against being torn: that is not for us to show.
		atomic := w.at < 4096
		switch {
		case !atomic && random.Float64() < tear:
			d.torn++
			for at := 0; at < len(w.data); at += sectorBytes {
				if random.IntN(2) == 0 {
					copy(d.platter[w.at+int64(at):], w.data[at:min(at+sectorBytes, len(w.data))])
				}
			}
		case random.Float64() < keep:
			d.kept++
			copy(d.platter[w.at:], w.data)
		default:
			d.dropped++
		}
	}
	for _, w := range d.cache {
		copy(d.now[w.at:], d.platter[w.at:w.at+int64(len(w.data))])
	}
	d.cache = nil
}

func (d *cachingDisk) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%d writes, %d flushes; cuts kept %d writes that no flush had followed, dropped %d, tore %d",
		d.writes, d.flushes, d.kept, d.dropped, d.torn)
}

// The disk keeps what was flushed, and of the rest whole sectors of some write or of
// what was there before; it loses some, and not always.
func TestCachingDisk(t *testing.T) {
	t.Parallel()
	const sectors = 64
	random := rand.New(rand.NewPCG(1, 0))
	d := newCachingDisk(make([]byte, 16+sectors*sectorBytes)[:sectors*sectorBytes])
	fill := func(v byte, at, n int) []byte { return bytes.Repeat([]byte{v}, n*sectorBytes) }
	var olds, news, torn int
	for range 300 {
		boot := d.powerOn()
		if err := d.write(boot, fill(1, 0, sectors), 0); err != nil {
			t.Fatal(err)
		}
		if err := d.flush(boot); err != nil {
			t.Fatal(err)
		}
		off := d.cutAfter(3)
		d.write(boot, fill(2, 16, 8), 16*sectorBytes)
		d.write(boot, fill(3, 20, 8), 20*sectorBytes)
		if d.flush(boot) == nil || d.write(boot, fill(4, 0, 1), 0) == nil {
			t.Fatal("the disk answers without power")
		}
		<-off
		d.lose(random)
		if !bytes.Equal(d.now, d.platter) {
			t.Fatal("after the cut, reads see something else than the platter has")
		}
		seen := map[byte]bool{}
		for s := range sectors {
			sector := d.now[s*sectorBytes : (s+1)*sectorBytes]
			v := sector[0]
			if !bytes.Equal(sector, fill(v, s, 1)) {
				t.Fatalf("sector %d is torn inside", s)
			}
			if can := v == 1 || v == 2 && s >= 16 && s < 24 || v == 3 && s >= 20 && s < 28; !can {
				t.Fatalf("sector %d has the bytes of write %d", s, v)
			}
			if s >= 16 && s < 20 {
				seen[v] = true
			}
		}
		switch {
		case len(seen) == 2:
			torn++
		case seen[1]:
			olds++
		default:
			news++
		}
	}
	if olds == 0 || news == 0 || torn == 0 {
		t.Errorf("an unsynced write was lost %d times, kept %d times, torn %d times", olds, news, torn)
	}
}
