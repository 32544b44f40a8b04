package wal

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"strongroom/audit"
)

func head(seq uint64) audit.Head { return audit.Head{Seq: seq} }

// small is a log of a few records in one segment, the name of which is the
// second.
func small(t testing.TB) *kit {
	k := newKit(t)
	k.write(2)
	k.write(3, 700)
	must(t, k.Name(k.Mark(), []byte("second view")))
	k.written = nil
	for n := range 4 {
		k.write(n, 300*n)
	}
	return k
}

// recovers says what recovery makes of a damaged log: it refuses, or gives all
// records, or all but the last.
func (k *kit) recovers(d *disk) (refused bool) {
	k.t.Helper()
	view, records, there, err := recovered(d)
	if errors.Is(err, ErrDamaged) {
		return true
	}
	if err != nil || !there || view != "second view" {
		k.t.Fatalf("there %v, %q, %v", there, view, err)
	}
	n := len(records)
	if n < len(k.written)-1 || !slices.Equal(records, k.written[:n]) {
		k.t.Fatalf("read %d records of %d, or others", n, len(k.written))
	}
	return false
}

// Whatever byte of a log is another, recovery says what was written, all of it or
// without the last record, or refuses.
func TestAnyByteThatIsAnother(t *testing.T) {
	k := small(t)
	path := segmentPath(testDir, 1)
	was := k.d.files[path].b
	d := k.d.clone()
	f := d.files[path]
	f.b = f.b[:k.Mark().at+block]
	step := 1
	if testing.Short() {
		step = 29
	}
	for at := 0; at < len(f.b); at += step {
		for _, flip := range []byte{1, 0x80, 0xff} {
			f.b[at] ^= flip
			k.recovers(d)
			f.b[at] = was[at]
		}
	}
}

// A block that is lost is refused, unless it was of the last record, or of one
// that the checkpoint has taken in.
func TestAnyBlockThatIsLost(t *testing.T) {
	k := newKit(t)
	var at []int64
	for n := range 5 {
		at = append(at, k.Mark().at)
		k.write(20*n, 5_000*n)
	}
	path := segmentPath(testDir, 1)
	end := k.Mark().at
	for place := int64(0); place < end; place += block {
		d := k.d.clone()
		clear(d.files[path].b[place : place+block])
		_, records, _, err := recovered(d)
		lost, ok := slices.BinarySearch(at, place)
		if !ok {
			lost--
		}
		if last := lost == len(at)-1; last != (err == nil) || !last && !errors.Is(err, ErrDamaged) {
			t.Errorf("block %d, of record %d: %v", place, lost, err)
		}
		if !slices.Equal(records, k.written[:lost]) {
			t.Errorf("block %d, of record %d: read %d records", place, lost, len(records))
		}
	}
}

// A record that is not whole, with a whole one behind it in another segment, was
// damaged since.
func TestDamageBeforeAnotherSegment(t *testing.T) {
	k := newKit(t)
	k.write(1)
	last := k.Mark().at
	k.write(1)
	k.write(1, firstSegment)
	k.d.files[segmentPath(testDir, 1)].b[last+headerSize] ^= 1
	if _, records, _, err := recovered(k.d); !errors.Is(err, ErrDamaged) || len(records) != 1 {
		t.Errorf("read %d records, %v", len(records), err)
	}
	k.d.files[segmentPath(testDir, 1)].b[last+headerSize] ^= 1
	delete(k.d.files, segmentPath(testDir, 1))
	if _, records, _, err := recovered(k.d); !errors.Is(err, ErrDamaged) || len(records) != 0 {
		t.Errorf("without a segment: read %d records, %v", len(records), err)
	}
}

// Records of a log before, with another salt, are none of this one's.
func TestRecordsOfAnotherLog(t *testing.T) {
	k := newKit(t)
	k.write(2)
	k.write(2)
	was := k.d.clone()
	_, err := k.End()
	must(t, err)
	k.begin()
	for path := range k.d.files {
		if filepath.Base(path) != fileName {
			k.d.files[path].b = was.files[path].b
		}
	}
	k.reads("view", 0)
}

// A name that can be read in neither slot is damage; one that can be read in the other
// is of a checkpoint before, and the records since are there or are missed.
func TestAnyByteOfANameThatIsAnother(t *testing.T) {
	k := small(t)
	path := filepath.Join(testDir, fileName)
	d := k.d.clone()
	b := d.files[path].b
	for at := range block {
		b[at] ^= 0x10 // the first name, in the slot that is not the newest
		if k.recovers(d) {
			t.Fatalf("refused for byte %d of a slot that does not count", at)
		}
		b[block+at] ^= 0x10
		if !k.recovers(d) {
			t.Fatalf("read without a name, byte %d of both", at)
		}
		b[at] ^= 0x10
		view, records, _, err := recovered(d)
		if err != nil || view != "view" || len(records) != 2+len(k.written) {
			t.Fatalf("byte %d: %d records after %q, %v", at, len(records), view, err)
		}
		b[block+at] ^= 0x10
	}
	for _, size := range []int{0, 1, block, block + 1} {
		d.files[path].b = b[:size]
		view, _, _, err := recovered(d)
		if whole := size >= block; whole == errors.Is(err, ErrDamaged) || whole && view != "view" {
			t.Errorf("cut to %d bytes: %q, %v", size, view, err)
		}
	}
}
