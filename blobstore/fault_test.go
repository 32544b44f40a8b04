package blobstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

var errBroken = errors.New("broken")

// failAt wraps the steps of d so that the nth call of the named one fails with
// err, having acted or not. It returns how often the step was called.
func failAt(d *Disk, step string, nth int, acted bool, err error) (calls *int) {
	calls = new(int)
	var counting sync.Mutex // SyncPlaced syncs side by side
	act := func(name string, do func() error) error {
		if name != step {
			return do()
		}
		counting.Lock()
		*calls++
		mine := *calls
		counting.Unlock()
		if mine != nth {
			return do()
		}
		if acted {
			do()
		}
		return err
	}
	real := realSteps()
	d.do = steps{
		create: func(path string) (f *os.File, _ error) {
			err := act("create", func() (err error) { f, err = real.create(path); return err })
			if err != nil && f != nil {
				f.Close()
				f = nil
			}
			return f, err
		},
		write:   func(f *os.File, p []byte) error { return act("write", func() error { return real.write(f, p) }) },
		sync:    func(f *os.File) error { return act("sync", func() error { return real.sync(f) }) },
		close:   func(f *os.File) error { return act("close", func() error { return real.close(f) }) },
		rename:  func(from, to string) error { return act("rename", func() error { return real.rename(from, to) }) },
		syncDir: func(path string) error { return act("syncDir", func() error { return real.syncDir(path) }) },
		remove:  func(path string) error { return act("remove", func() error { return real.remove(path) }) },
	}
	return calls
}

// stageAndKeep is what a caller does: Discard follows whatever happens.
func stageAndKeep(t *testing.T, d *Disk, p []byte) error {
	s, err := d.Stage(t.Context(), bytes.NewReader(p), 0)
	if err != nil {
		return err
	}
	defer s.Discard()
	return s.Keep(t.Context())
}

// TestFaults fails every call of every step of a Keep in both ways.
func TestFaults(t *testing.T) {
	dir := open(t).dir
	for _, size := range []int{100, SmallSize + 2*chunkSize} {
		for _, step := range []string{"create", "write", "sync", "close", "rename", "syncDir"} {
			for _, acted := range []bool{false, true} {
				for nth, more := 1, true; more; nth++ {
					t.Run(fmt.Sprintf("%d/%s/%d/acted=%v", size, step, nth, acted), func(t *testing.T) {
						more = fault(t, dir, size, step, nth, acted)
					})
				}
			}
		}
	}
}

// fault works in the empty store in dir and empties it again. It reports
// whether the step was called at least nth times.
func fault(t *testing.T, dir string, size int, step string, nth int, acted bool) bool {
	d := reopen(t, dir)
	defer func() {
		d := reopen(t, dir)
		for digest := range all(t, d) {
			if err := d.Remove(digest); err != nil {
				t.Error(err)
			}
		}
	}()
	before := random(10, size)
	old := keep(t, d, before)
	p := random(11, size)
	calls := failAt(d, step, nth, acted, errBroken)
	err := stageAndKeep(t, d, p)
	if *calls < nth {
		if err != nil {
			t.Fatalf("no step failed, but Keep did: %v", err)
		}
		return false
	}
	if !errors.Is(err, errBroken) {
		t.Fatalf("got %v, want the step's error", err)
	}
	// Not kept: it may be there, but then it is right, and nothing else is harmed.
	noWrongBytes(t, d)
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
	// Both the same process and the next one can try again.
	if err := stageAndKeep(t, d, p); err != nil {
		t.Fatalf("again: %v", err)
	}
	d = reopen(t, d.dir)
	found := noWrongBytes(t, d)
	if len(found) != 2 {
		t.Fatalf("%d blobs, want 2", len(found))
	}
	if _, ok := found[old]; !ok {
		t.Error("the blob kept before is gone")
	}
	return true
}

// noWrongBytes reads every blob that is visible.
func noWrongBytes(t *testing.T, d *Disk) map[Digest]int64 {
	t.Helper()
	found := all(t, d)
	for digest, size := range found {
		if got, err := d.Check(t.Context(), digest); err != nil || got != size {
			t.Errorf("Check(%v) = %d, %v; want %d", digest, got, err, size)
		}
	}
	return found
}

// TestFaultsOfTheDrop: that the staged copy of a blob cannot be dropped harms nobody.
func TestFaultsOfTheDrop(t *testing.T) {
	d := open(t)
	p := random(12, SmallSize+1)
	keep(t, d, p)
	for _, acted := range []bool{false, true} {
		failAt(d, "remove", 1, acted, errBroken)
		if err := stageAndKeep(t, d, p); err != nil {
			t.Errorf("acted=%v: %v", acted, err)
		}
		failAt(d, "remove", 1, acted, errBroken)
		s, err := d.Stage(t.Context(), bytes.NewReader(p), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Discard(); !errors.Is(err, errBroken) {
			t.Errorf("acted=%v: Discard hides that it failed: %v", acted, err)
		}
	}
	d = reopen(t, d.dir)
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
	if len(noWrongBytes(t, d)) != 1 {
		t.Error("the blob is gone")
	}
}

func TestFaultsOfRemove(t *testing.T) {
	for _, step := range []string{"remove", "syncDir"} {
		for _, acted := range []bool{false, true} {
			d := open(t)
			digest := keep(t, d, []byte("to be purged"))
			failAt(d, step, 1, acted, errBroken)
			if err := d.Remove(digest); !errors.Is(err, errBroken) {
				t.Errorf("%s acted=%v: got %v", step, acted, err)
			}
			calls := failAt(d, "syncDir", 0, false, nil)
			if err := d.Remove(digest); err != nil {
				t.Errorf("%s acted=%v: again: %v", step, acted, err)
			}
			if *calls != 1 {
				t.Errorf("%s acted=%v: removal of an absent blob synced %d directories, want 1", step, acted, *calls)
			}
			if _, err := d.Stat(digest); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s acted=%v: still there: %v", step, acted, err)
			}
		}
	}
}

// TestFailedDirectorySyncIsNotForgotten: once a sync of a directory failed, a
// name in it is written anew before a later sync is believed.
func TestFailedDirectorySyncIsNotForgotten(t *testing.T) {
	d := open(t)
	p := random(13, 100)
	failAt(d, "syncDir", 1, false, errBroken)
	if err := stageAndKeep(t, d, p); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	renames := failAt(d, "rename", 0, false, nil)
	if err := stageAndKeep(t, d, p); err != nil {
		t.Fatal(err)
	}
	if *renames != 1 {
		t.Errorf("%d renames, want 1", *renames)
	}

	// One who renamed before the failure and synced after it must not be acknowledged.
	fan := &d.fanout[0]
	before := fan.failures.Load()
	if err := fan.sync(before, func() error { return errBroken }); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if err := fan.sync(before, func() error { return nil }); err == nil {
		t.Error("a sync after a failed one vouches for what came before both")
	}
	if err := fan.sync(fan.failures.Load(), func() error { return nil }); err != nil {
		t.Errorf("a fresh rename is refused: %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	d := open(t)
	seed := uint64(60)
	for _, full := range noSpace {
		for _, step := range []string{"create", "write", "sync", "close", "rename", "syncDir"} {
			for _, size := range []int{100, SmallSize + 1} {
				seed++ // bytes that no earlier case has made visible
				failAt(d, step, 1, false, &os.PathError{Op: step, Path: "x", Err: full})
				err := stageAndKeep(t, d, random(seed, size))
				if !errors.Is(err, ErrNoSpace) || !errors.Is(err, full) {
					t.Errorf("%s, %d bytes, %v: got %v", step, size, full, err)
				}
			}
		}
	}
	failAt(d, "write", 1, false, errBroken)
	if err := stageAndKeep(t, d, []byte("x")); errors.Is(err, ErrNoSpace) {
		t.Errorf("another error is called lack of space: %v", err)
	}
}
