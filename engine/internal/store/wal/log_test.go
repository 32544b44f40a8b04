package wal

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// reads holds that recovery reads the records from one on, and that view.
func (k *kit) reads(view string, from int) {
	k.t.Helper()
	got, records, there, err := recovered(k.d.clone())
	if err != nil || !there || got != view || !slices.Equal(records, k.written[from:]) {
		k.t.Fatalf("read %d records after %q, there %v, %v; want %d after %q", len(records), got, there, err, len(k.written)-from, view)
	}
}

// What is written is read, in its order, over many segments, with bytes carried and
// without, and after each name only what comes behind it. Segments are used again.
func TestWhatIsWrittenIsRead(t *testing.T) {
	k := newKit(t)
	from, view := 0, "view"
	k.reads(view, 0)
	for n := range 120 {
		var blobs []int
		for range k.r.IntN(3) {
			blobs = append(blobs, k.r.IntN(200<<10))
		}
		k.write(k.r.IntN(60), blobs...)
		if n%10 == 9 {
			k.reads(view, from)
		}
		if n%17 == 16 {
			view = strings.Repeat("v", n)
			at := k.Mark()
			if n%2 == 0 { // named when more has been written
				from = len(k.written)
				k.write(1)
			} else {
				from = len(k.written)
			}
			must(t, k.Name(at, []byte(view)))
			k.reads(view, from)
		}
	}
	if made := int(k.highest); made < 2 || made > 6 {
		t.Errorf("%d segments were made for %d bytes", made, k.Mark().written)
	}
}

// A set as large as no segment is makes one that it fits into.
func TestASetThatFitsNoSegment(t *testing.T) {
	k := newKit(t)
	k.write(1)
	k.write(10, 5<<20, 0, 100)
	k.write(1, largeSegment+1)
	k.write(3)
	k.reads("view", 0)
}

// Room that fails has written nothing, and is asked again.
func TestRoomFails(t *testing.T) {
	for _, step := range []string{"open", "write", "sync", "sync the directory"} {
		k := newKit(t)
		k.write(1)
		k.d.fails = func(name string) error {
			if name == step {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		k.set.Reset()
		k.set.Put([]byte("b"), nil, make([]byte, 2<<20))
		if err := k.Room(k.set); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v", step, err)
		}
		k.d.fails = func(string) error { return nil }
		k.reads("view", 0)
		k.write(1, 2<<20)
		k.reads("view", 0)
	}
}

// After an error of Write or Sync the log refuses everything.
func TestAfterAFailureTheLogRefuses(t *testing.T) {
	for _, step := range []string{"write", "sync"} {
		k := newKit(t)
		k.d.fails = func(name string) error {
			if name == step {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		k.set.Reset()
		must(t, k.Room(k.set))
		err := k.Write(k.set, 1, head(1))
		if err == nil {
			err = k.Sync()
		}
		k.d.fails = func(string) error { return nil }
		for _, err := range []error{err, k.Room(k.set), k.Write(k.set, 1, head(1)), k.Sync()} {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: got %v", step, err)
			}
		}
	}
}

// A name that was torn leaves the one before, whichever sectors arrived, and which
// slot it was for.
func TestATornNameLeavesTheOneBefore(t *testing.T) {
	path := filepath.Join(testDir, fileName)
	k := newKit(t)
	view, from := "view", 0
	for n := range 3 {
		k.write(3)
		before := bytes.Clone(k.d.files[path].b)
		next := strings.Repeat("next", 1+200*n)
		must(t, k.Name(k.Mark(), []byte(next)))
		after := k.d.files[path].b
		for sectors := range 1 << (block / 512) {
			torn := k.d.clone()
			b := bytes.Clone(before)
			slot := n % 2 * block // generation 1 stands in the first
			slot = block - slot
			for i := range block / 512 {
				if sectors>>i&1 == 1 {
					at := slot + i*512
					copy(b[at:at+512], after[at:])
				}
			}
			torn.files[path].b = b
			got, records, _, err := recovered(torn)
			isBefore := got == view && slices.Equal(records, k.written[from:])
			isAfter := got == next && len(records) == 0
			if err != nil || !isBefore && !isAfter || isAfter != bytes.Equal(b, after) {
				t.Fatalf("name %d, sectors %b: %d records after %.10q, %v", n, sectors, len(records), got, err)
			}
		}
		view, from = next, len(k.written)
	}
	if err := k.Name(k.Mark(), make([]byte, MaxView+1)); err == nil {
		t.Error("a view that is too long was named")
	}
	k.reads(view, from)
}

// When a log has ended, nothing that was written is left on its disk; nor when the
// next begins after a crash in the middle of that, or a recovery ends it, or another database
// takes the place of its own.
func TestWhatHasEndedIsZeros(t *testing.T) {
	const word = "a word that must go"
	for name, end := range map[string]func(k *kit) error{
		"ended":     func(k *kit) error { _, err := k.End(); return err },
		"recovered": func(k *kit) error { r, err := Open(testDir, k.d.steps()); return errors.Join(err, r.End()) },
		"begun again": func(k *kit) error {
			delete(k.d.files, filepath.Join(testDir, fileName))
			k.d.files[filepath.Join(testDir, fileNew)] = &sheet{[]byte("half a name")}
			k.begin()
			return nil
		},
	} {
		k := newKit(t)
		for range 3 {
			k.set.Reset()
			k.set.Put([]byte("bucket"), []byte(word), bytes.Repeat([]byte(word), 40_000))
			must(t, k.Room(k.set))
			must(t, k.Write(k.set, 1, head(1)))
			must(t, k.Sync())
		}
		was := make(map[string]*sheet)
		for path, s := range k.d.files {
			was[path] = s
		}
		must(t, end(k))
		for path, s := range was {
			if bytes.Contains(s.b, []byte(word)) {
				t.Errorf("%s: it is left in %s", name, path)
			}
			if now := k.d.files[path]; now != nil && now == s {
				t.Errorf("%s: %s is left", name, path)
			}
		}
		_, records, there, err := recovered(k.d)
		if err != nil || there != (name == "begun again") || len(records) > 0 {
			t.Errorf("%s: there %v, %d records, %v", name, there, len(records), err)
		}
	}
}

// Discard leaves no log of a directory, and none is no error.
func TestDiscard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	must(t, Discard(dir))
	l, err := Begin(dir, Steps{}, nil)
	must(t, err)
	set := NewSet()
	set.Put([]byte("b"), []byte("k"), []byte("v"))
	must(t, l.Room(set))
	must(t, l.Write(set, 1, head(1)))
	must(t, l.Sync())
	must(t, l.Abandon())
	must(t, Discard(dir))
	if names, err := list(dir); err != nil || len(names) > 0 {
		t.Errorf("there is %q, %v", names, err)
	}
	if r, err := Open(dir, Steps{}); r != nil || err != nil {
		t.Errorf("a log is there, %v", err)
	}
	must(t, Discard(dir))
}

// A directory that is there may not be durable: whoever made it was killed before
// it synced the one above.
func TestBeginSyncsTheDirectoryAbove(t *testing.T) {
	k := &kit{t: t, d: newDisk()}
	k.d.dirs[testDir] = true
	k.begin()
	if k.d.synced[filepath.Dir(testDir)] == 0 {
		t.Error("the log may be gone after a crash, with all that is in it")
	}
}

// A name that may be there, and cannot be taken back for certain, is no lack of
// space: after that, callers go on with a database that stands by itself.
func TestAFirstNameThatCannotBeTakenBack(t *testing.T) {
	for _, times := range []int{1, 2} {
		d, synced := newDisk(), 0
		d.fails = func(step string) error {
			if step == "sync the directory" {
				synced++
				if synced > 2 && synced <= 2+times { // that above, and that of the segment, went well
					return syscall.ENOSPC
				}
			}
			return nil
		}
		_, err := Begin(testDir, d.steps(), nil)
		if err == nil || errors.Is(err, syscall.ENOSPC) == (times == 2) {
			t.Errorf("failed %d times: %v", times, err)
		}
		if _, _, there, err := recovered(d); there || err != nil {
			t.Errorf("failed %d times: there %v, %v", times, there, err)
		}
	}
}
