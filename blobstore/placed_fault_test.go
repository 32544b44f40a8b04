package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestFaultsOfPlaced fails every call of every step from Prepare to SyncPlaced in
// both ways, then cuts the power: what no record has is right, and replay mends the rest.
func TestFaultsOfPlaced(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		old := keep(t, d, random(10, 300))
		for _, step := range []string{"create", "write", "sync", "close", "rename", "syncDir"} {
			for _, acted := range []bool{false, true} {
				for nth, more := 1, true; more; nth++ {
					t.Run(fmt.Sprintf("%s/%d/acted=%v", step, nth, acted), func(t *testing.T) {
						more = faultOfPlaced(t, d.dir, d.mayHold, step, nth, acted)
					})
				}
			}
		}
		d = reopen(t, d.dir)
		mustBeKept(t, d, old, 300, true)
	})
}

func faultOfPlaced(t *testing.T, dir string, mayHold int64, step string, nth int, acted bool) bool {
	d := reopen(t, dir)
	d.mayHold = mayHold
	blobs := [][]byte{random(11, 300), random(12, 300)}
	defer func() {
		d := reopen(t, dir)
		for _, p := range blobs {
			if err := d.Remove(sha256.Sum256(p)); err != nil {
				t.Error(err)
			}
		}
	}()
	calls := failAt(d, step, nth, acted, errBroken)
	var records [][]byte
	stops := false // the log must be replayed
	for _, p := range blobs {
		s := stage(t, d, p)
		if err := s.Prepare(t.Context()); err != nil {
			if !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			if names := leftovers(t, d); len(names) > 0 {
				t.Errorf("left in staging: %q", names)
			}
			// Nothing is lost yet: Place writes by itself.
		}
		records = append(records, p)
		if err := s.Place(t.Context()); err != nil {
			if !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			stops = true
		}
		mustBeKept(t, d, s.Digest(), len(p), false)
	}
	err := d.SyncPlaced(t.Context())
	if err == nil && stops {
		t.Error("SyncPlaced succeeds after a Place that failed")
	}
	if err != nil {
		if !errors.Is(err, ErrLost) || !stops && !errors.Is(err, errBroken) {
			t.Errorf("SyncPlaced: %v", err)
		}
		for _, p := range blobs {
			mustBeKept(t, d, sha256.Sum256(p), len(p), false)
		}
		if err := d.SyncPlaced(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("a second sync is believed: %v", err)
		}
		replay(t, d, records) // by the same process
		d = cutPower(t, d)
		replay(t, d, records)
	} else {
		noWrongBytes(t, d)
	}
	for _, p := range blobs {
		if _, err := d.Check(t.Context(), sha256.Sum256(p)); err != nil {
			t.Error(err)
		}
	}
	mustHoldNothing(t, d)
	return *calls >= nth
}

// cutPower opens the store again, with zeros for every blob whose record is to be replayed.
func cutPower(t *testing.T, d *Disk) *Disk {
	t.Helper()
	for _, p := range [][]byte{random(11, 300), random(12, 300)} {
		path := d.path(sha256.Sum256(p))
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, make([]byte, len(p)), blobMode)); err != nil {
			t.Fatal(err)
		}
	}
	return reopen(t, d.dir)
}

func replay(t *testing.T, d *Disk, records [][]byte) {
	t.Helper()
	for _, p := range records {
		if err := d.Rewrite(t.Context(), sha256.Sum256(p), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SyncPlaced(t.Context()); err != nil {
		t.Errorf("SyncPlaced after the replay: %v", err)
	}
}

// TestFaultsOfRewrite: until it has succeeded, SyncPlaced does not.
func TestFaultsOfRewrite(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		p := random(13, 300)
		digest := Digest(sha256.Sum256(p))
		for _, step := range []string{"create", "write", "sync", "close", "rename"} {
			for _, acted := range []bool{false, true} {
				calls := failAt(d, step, 1, acted, errBroken)
				err := d.Rewrite(t.Context(), digest, p)
				if *calls > 0 && !errors.Is(err, errBroken) || *calls == 0 && err != nil {
					t.Errorf("%s acted=%v: %v", step, acted, err)
				}
				failAt(d, step, 0, false, nil)
				if err != nil {
					if err := d.SyncPlaced(t.Context()); !errors.Is(err, ErrLost) {
						t.Errorf("%s acted=%v: SyncPlaced: %v", step, acted, err)
					}
				}
				replay(t, d, [][]byte{p})
				mustHoldNothing(t, d)
			}
		}
	})
}

// TestNothingIsTrustedAfterAFault: whatever failed before, Place writes anew
// rather than believe it, and what no step made good is not called durable.
func TestNothingIsTrustedAfterAFault(t *testing.T) {
	p := random(14, 300)
	digest := Digest(sha256.Sum256(p))
	for what, fail := range map[string]func(d *Disk){
		"the file was not written":         func(d *Disk) { failAt(d, "write", 1, false, errBroken) },
		"the file was not made":            func(d *Disk) { failAt(d, "create", 1, false, errBroken) },
		"the file was not renamed":         func(d *Disk) { failAt(d, "rename", 1, false, errBroken) },
		"the file was not synced":          func(d *Disk) { failAt(d, "sync", 1, true, errBroken) },
		"its directory was not":            func(d *Disk) { failAt(d, "syncDir", 1, true, errBroken) },
		"another's Keep failed before":     func(d *Disk) { d.fanout[digest[0]].sync(0, func() error { return errBroken }) },
		"another's Keep failed meanwhile":  func(*Disk) {},
		"a Keep of equal bytes then fails": func(*Disk) {},
	} {
		d := open(t)
		fail(d)
		s := stage(t, d, p)
		err := s.Place(t.Context())
		switch what {
		case "another's Keep failed meanwhile":
			d.fanout[digest[0]].sync(0, func() error { return errBroken })
		case "a Keep of equal bytes then fails":
			failAt(d, "syncDir", 1, true, errBroken)
			err = stageAndKeep(t, d, p)
		}
		if what != "another's Keep failed before" {
			if err = errors.Join(err, d.SyncPlaced(t.Context())); !errors.Is(err, ErrLost) {
				t.Errorf("%s: %v", what, err)
			}
		}
		renames := failAt(d, "rename", 0, false, nil)
		place(t, d, p)
		if err := d.SyncPlaced(t.Context()); err != nil {
			t.Errorf("%s: placed again: %v", what, err)
		}
		if what != "another's Keep failed before" && *renames != 1 {
			t.Errorf("%s: %d files renamed, want 1", what, *renames)
		}
		mustHoldNothing(t, d)
	}

	// Without a SyncPlaced in between, which would have found out.
	d := open(t)
	place(t, d, p)
	d.fanout[digest[0]].sync(0, func() error { return errBroken })
	place(t, d, p)
	syncPlaced(t, d)
}

func TestNoSpaceOfPlaced(t *testing.T) {
	d := open(t)
	for seed, step := range []string{"create", "write", "rename", "sync", "syncDir"} {
		p := random(uint64(90+seed), 100)
		failAt(d, step, 1, false, &os.PathError{Op: step, Path: "x", Err: noSpace[0]})
		s := stage(t, d, p)
		err := s.Prepare(t.Context())
		if before := step == "create" || step == "write"; before != errors.Is(err, ErrNoSpace) {
			t.Errorf("%s: Prepare: %v", step, err)
		}
		err = errors.Join(s.Place(t.Context()), d.SyncPlaced(t.Context()))
		if after := step != "create" && step != "write"; after != errors.Is(err, ErrNoSpace) {
			t.Errorf("%s: Place and SyncPlaced: %v", step, err)
		}
		if err := d.Remove(s.Digest()); err != nil {
			t.Error(err)
		}
	}
}

// cuts is what a power cut could leave: of every name, the files it may stand
// for, and whether their bytes are synced; and the log that has to make up for it.
type cuts struct {
	mu     sync.Mutex
	states map[string][]string // by path, the names in staging of the files; "" is none. The oldest is on the disk.
	synced map[string]bool     // by name in staging
	log    map[int]record
	last   int // number of a record
	needed map[Digest]int
}

type record struct {
	digest Digest
	placed bool
}

// watch makes d tell c what it does.
func (c *cuts) watch(d *Disk) {
	real := realSteps()
	d.do.sync = func(f *os.File) error {
		err := real.sync(f)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.synced[f.Name()] = true
		return err
	}
	d.do.rename = func(from, to string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.states[to] = append(c.now(to), from)
		return real.rename(from, to)
	}
	d.do.remove = func(path string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !strings.Contains(path, "staging") {
			c.states[path] = append(c.now(path), "")
		}
		return real.remove(path)
	}
	d.do.syncDir = func(dir string) error {
		c.mu.Lock()
		begun := map[string]int{}
		for path, states := range c.states {
			if filepath.Dir(path) == dir {
				begun[path] = len(states) - 1
			}
		}
		c.mu.Unlock()
		err := real.syncDir(dir)
		c.mu.Lock()
		defer c.mu.Unlock()
		for path, n := range begun {
			// Another sync of the directory cannot have come in between: one runs at a time.
			c.states[path] = c.states[path][n:]
		}
		return err
	}
}

func (c *cuts) now(path string) []string {
	if c.states[path] == nil {
		return []string{""}
	}
	return c.states[path]
}

// durable tells whether a power cut leaves the blob, whatever it takes. mu is held.
func (c *cuts) durable(path string) bool {
	return !slices.ContainsFunc(c.now(path), func(file string) bool { return file == "" || !c.synced[file] })
}

// check cuts the power. mu is held.
func (c *cuts) check(t *testing.T, d *Disk) {
	t.Helper()
	logged := map[Digest]bool{}
	for _, r := range c.log {
		logged[r.digest] = true
	}
	for path, states := range c.states {
		digest, _ := parseHex(filepath.Base(path))
		for _, file := range states {
			if file != "" && !c.synced[file] && !logged[digest] {
				t.Errorf("%v may stand for wrong bytes, and no record has them", digest)
			}
		}
	}
	for digest := range c.needed {
		if !logged[digest] && !c.durable(d.path(digest)) {
			t.Errorf("%v is acknowledged and may be lost", digest)
		}
	}
}

// TestPlacedRace lets placers, keepers of equal bytes, removers and SyncPlaced loose at
// once, and cuts the power after every step.
func TestPlacedRace(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		c := &cuts{states: map[string][]string{}, synced: map[string]bool{}, log: map[int]record{}, needed: map[Digest]int{}}
		c.watch(d)
		if d.mayHold > 0 {
			d.mayHold = 5 // and no more, so that both ways are taken
		}
		var blobs [][]byte
		for seed := uint64(1000); len(blobs) < 8; seed++ {
			if p := random(seed, 200); sha256.Sum256(p)[0] < 3 { // they share directories
				blobs = append(blobs, p)
			}
		}
		uses := make([]sync.RWMutex, len(blobs)) // as callers exclude Remove
		var workers, syncer sync.WaitGroup
		for seed := range uint64(8) {
			workers.Go(func() {
				draw := rand.New(rand.NewPCG(seed, 1))
				for range 60 {
					i := draw.IntN(len(blobs))
					if draw.IntN(4) == 0 {
						uses[i].Lock()
						c.remove(t, d, blobs[i])
						uses[i].Unlock()
						continue
					}
					uses[i].RLock()
					c.upload(t, d, blobs[i], draw.IntN(4))
					uses[i].RUnlock()
				}
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		syncer.Go(func() {
			for ctx.Err() == nil {
				c.checkpoint(t, d)
			}
		})
		workers.Wait()
		cancel()
		syncer.Wait()
		c.checkpoint(t, d)
		if len(c.log) > 0 {
			t.Errorf("%d records are left", len(c.log))
		}
		for digest := range c.needed {
			mustBeKept(t, d, digest, 200, true)
		}
		noWrongBytes(t, d)
		mustHoldNothing(t, d)
	})
}

func (c *cuts) upload(t *testing.T, d *Disk, p []byte, way int) {
	s := stage(t, d, p)
	defer s.Discard()
	number := 0
	var err error
	switch kept := d.Kept(s.Digest(), s.Size()); {
	case kept:
		c.mu.Lock()
		if !c.durable(d.path(s.Digest())) {
			t.Errorf("Kept says yes to %v, which may be lost", s.Digest())
		}
		c.mu.Unlock()
	case way == 0:
		err = s.Keep(t.Context())
	default:
		if way > 1 {
			err = s.Prepare(t.Context())
		}
		c.mu.Lock()
		c.last++
		number = c.last
		c.log[number] = record{digest: s.Digest()}
		c.mu.Unlock()
		err = errors.Join(err, s.Place(t.Context()))
	}
	if err != nil {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if number > 0 {
		c.log[number] = record{s.Digest(), true}
	}
	c.needed[s.Digest()]++
	c.check(t, d)
}

func (c *cuts) remove(t *testing.T, d *Disk, p []byte) {
	c.mu.Lock()
	delete(c.needed, sha256.Sum256(p))
	c.mu.Unlock()
	if err := d.Remove(sha256.Sum256(p)); err != nil {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.check(t, d)
}

func (c *cuts) checkpoint(t *testing.T, d *Disk) {
	var records []int
	c.mu.Lock()
	for number, r := range c.log {
		if r.placed {
			records = append(records, number)
		}
	}
	c.mu.Unlock()
	if err := d.SyncPlaced(t.Context()); err != nil {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, number := range records {
		delete(c.log, number)
	}
	c.check(t, d)
}
