package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

func stage(t testing.TB, d *Disk, p []byte) Placer {
	t.Helper()
	s, err := d.Stage(t.Context(), bytes.NewReader(p), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Discard() })
	return s.(Placer)
}

func place(t testing.TB, d *Disk, p []byte) Digest {
	t.Helper()
	s := stage(t, d, p)
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Digest()
}

func syncPlaced(t testing.TB, d *Disk) {
	t.Helper()
	if err := d.SyncPlaced(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// mustBeKept asks Kept, which must say what want says.
func mustBeKept(t *testing.T, d *Disk, digest Digest, size int, want bool) {
	t.Helper()
	if got := d.Kept(digest, int64(size)); got != want {
		t.Errorf("Kept says %v, want %v", got, want)
	}
}

// mustHoldNothing: no file stays open, and nothing lies in staging.
func mustHoldNothing(t *testing.T, d *Disk) {
	t.Helper()
	if n := d.held.Load(); n != 0 {
		t.Errorf("%d files are open", n)
	}
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
}

// inBothWays runs the test where files stay open until they are synced, and
// where as many are open as may be.
func inBothWays(t *testing.T, test func(t *testing.T, d *Disk)) {
	for _, may := range []int64{mostHeld, 0} {
		t.Run(fmt.Sprintf("mayHold=%d", may), func(t *testing.T) {
			d := open(t)
			d.mayHold = may
			test(t, d)
		})
	}
}

func TestBytesOfWhatIsSmall(t *testing.T) {
	d := open(t)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 64<<10 + 2, SmallSize - 1, SmallSize, SmallSize + 1, SmallSize + 2} {
		p := random(70, size)
		s := stage(t, d, p)
		got := s.Bytes()
		if small := size <= SmallSize; small != (got != nil) || small && !bytes.Equal(got, p) {
			t.Errorf("%d bytes: %d in memory, nil=%v", size, len(got), got == nil)
		}
		if s.Digest() != sha256.Sum256(p) || s.Size() != int64(size) {
			t.Errorf("%d bytes are staged as %d, %v", size, s.Size(), s.Digest())
		}
		if err := s.Discard(); err != nil || s.Bytes() != nil {
			t.Errorf("after Discard: %d bytes, %v", len(s.Bytes()), err)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, prepared := range []bool{false, true} {
		inBothWays(t, func(t *testing.T, d *Disk) {
			for _, size := range []int{0, 100, SmallSize} {
				p := random(71, size)
				s := stage(t, d, p)
				if prepared {
					for range 2 {
						if err := s.Prepare(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				if _, err := d.Stat(s.Digest()); !errors.Is(err, ErrNotFound) {
					t.Errorf("visible before Place: %v", err)
				}
				syncs := failAt(d, "syncDir", 0, false, nil)
				for range 2 {
					if err := s.Place(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Discard(); err != nil || *syncs != 0 {
					t.Errorf("%d directories synced, Discard: %v", *syncs, err)
				}
				if got, err := d.Check(t.Context(), s.Digest()); err != nil || got != int64(size) {
					t.Errorf("Check = %d, %v", got, err)
				}
				mustBeKept(t, d, s.Digest(), size, false)
				syncPlaced(t, d)
				mustBeKept(t, d, s.Digest(), size, true)
				mustBeKept(t, d, s.Digest(), size+1, false)
				mustHoldNothing(t, d)
			}
		})
	}
}

// TestPlaceOfWhatIsLarge: bytes that no log has are kept.
func TestPlaceOfWhatIsLarge(t *testing.T) {
	d := open(t)
	digest := place(t, d, random(72, SmallSize+1))
	mustBeKept(t, d, digest, SmallSize+1, true)
	mustHoldNothing(t, d)
}

func TestPlaceIsOnce(t *testing.T) {
	d := open(t)
	s := stage(t, d, []byte("discarded"))
	if err := errors.Join(s.Prepare(t.Context()), s.Discard()); err != nil {
		t.Fatal(err)
	}
	if err := s.Place(t.Context()); !errors.Is(err, ErrDiscarded) {
		t.Errorf("Place after Discard: %v", err)
	}
	if err := s.Prepare(t.Context()); !errors.Is(err, ErrDiscarded) {
		t.Errorf("Prepare after Discard: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = stage(t, d, []byte("cancelled"))
	if err := s.Prepare(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Prepare: %v", err)
	}
	if err := s.Place(ctx); err != nil {
		t.Errorf("the log has decided, but Place was cancelled: %v", err)
	}
	if err := d.SyncPlaced(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrLost) {
		t.Errorf("cancelled SyncPlaced: %v", err)
	}
	mustBeKept(t, d, s.Digest(), 9, false)
	syncPlaced(t, d)
	mustBeKept(t, d, s.Digest(), 9, true)
	mustHoldNothing(t, d)
}

// TestKeepDoesNotBelieveWhatIsPlaced: an equal blob is written and synced, or
// carried by a log again.
func TestKeepDoesNotBelieveWhatIsPlaced(t *testing.T) {
	p := random(73, 1000)
	for _, first := range []string{"prepared", "not prepared"} {
		t.Run(first, func(t *testing.T) {
			d := open(t)
			digest := place(t, d, p)
			s := stage(t, d, p)
			if first == "prepared" {
				if err := s.Prepare(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			syncs := failAt(d, "sync", 0, false, nil)
			if err := s.Keep(t.Context()); err != nil || *syncs != 1 {
				t.Fatalf("Keep: %v, %d files synced; want 1", err, *syncs)
			}
			mustBeKept(t, d, digest, len(p), true)
			mustHoldNothing(t, d)
			dirs := failAt(d, "syncDir", 0, false, nil)
			if syncPlaced(t, d); *dirs != 0 {
				t.Errorf("%d directories synced for what is kept", *dirs)
			}
		})
	}
	d := open(t)
	place(t, d, p)
	creates := failAt(d, "create", 0, false, nil)
	digest := place(t, d, p)
	if *creates != 0 {
		t.Error("what is placed was placed again")
	}
	mustBeKept(t, d, digest, len(p), false)

	// What is prepared and then kept all the same is synced.
	s := stage(t, d, random(74, 1000))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	syncs := failAt(d, "sync", 0, false, nil)
	if err := s.Keep(t.Context()); err != nil || *syncs != 1 {
		t.Errorf("Keep after Prepare: %v, %d syncs", err, *syncs)
	}
	mustBeKept(t, d, s.Digest(), 1000, true)
}

// TestKeptKnowsNames: a Keep that did not come to its end has not kept.
func TestKeptKnowsNames(t *testing.T) {
	d := open(t)
	p := random(75, 500)
	digest := keep(t, d, p)
	d = reopen(t, d.dir)
	dirs := failAt(d, "syncDir", 0, false, nil)
	mustBeKept(t, d, digest, 500, true)
	mustBeKept(t, d, digest, 500, true)
	if *dirs != 1 {
		t.Errorf("%d directories synced to vouch for a name from before, want 1", *dirs)
	}
	d = reopen(t, d.dir)
	place(t, d, p) // finds the file, and leaves the directory to SyncPlaced
	mustBeKept(t, d, digest, 500, false)
	syncPlaced(t, d)
	mustBeKept(t, d, digest, 500, true)

	failAt(d, "syncDir", 1, true, errBroken)
	if err := stageAndKeep(t, d, random(76, 500)); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	mustBeKept(t, d, sha256.Sum256(random(76, 500)), 500, false)
	mustBeKept(t, d, Digest{1}, 0, false)
}

// TestPlaceHealsDamage: what is cut short is written again.
func TestPlaceHealsDamage(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		p := random(77, 500)
		digest := keep(t, d, p)
		for range 2 {
			if err := errors.Join(os.Remove(d.path(digest)), os.WriteFile(d.path(digest), p[:499], 0o600)); err != nil {
				t.Fatal(err)
			}
			mustBeKept(t, d, digest, 500, false)
			place(t, d, p)
			noWrongBytes(t, d)
		}
		syncPlaced(t, d)
		mustBeKept(t, d, digest, 500, true)
		mustHoldNothing(t, d)
	})
}

func TestRewrite(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		p := random(78, 5000)
		digest := Digest(sha256.Sum256(p))
		wrong := bytes.Clone(p)
		wrong[4000] ^= 1
		for what, lay := range map[string]func() error{
			"nothing":            func() error { return nil },
			"wrong bytes":        func() error { return os.WriteFile(d.path(digest), wrong, 0o600) },
			"an empty file":      func() error { return os.WriteFile(d.path(digest), nil, 0o600) },
			"the bytes, kept":    func() error { return stageAndKeep(t, d, p) },
			"the bytes, placed":  func() error { return stage(t, d, p).Place(t.Context()) },
			"the bytes, rewrote": func() error { return d.Rewrite(t.Context(), digest, p) },
		} {
			if err := errors.Join(d.Remove(digest), lay()); err != nil {
				t.Fatal(err)
			}
			if err := d.Rewrite(t.Context(), digest, p); err != nil {
				t.Errorf("over %s: %v", what, err)
			}
			if found := noWrongBytes(t, d); len(found) != 1 {
				t.Errorf("over %s: %d blobs", what, len(found))
			}
			mustBeKept(t, d, digest, len(p), false)
			syncPlaced(t, d)
			mustBeKept(t, d, digest, len(p), true)
			mustHoldNothing(t, d)
		}
		if err := d.Rewrite(t.Context(), digest, wrong); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a lie was rewritten: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Rewrite(ctx, digest, p); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		noWrongBytes(t, d)
	})
}

// TestRemoveOfWhatIsPlaced: it is forgotten, but not before its unlinking is durable.
func TestRemoveOfWhatIsPlaced(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		digest := place(t, d, random(79, 500))
		if err := d.Remove(digest); err != nil {
			t.Fatal(err)
		}
		mustHoldNothing(t, d)
		dirs := failAt(d, "syncDir", 0, false, nil)
		if syncPlaced(t, d); *dirs != 0 {
			t.Errorf("%d directories synced for what is durably gone", *dirs)
		}

		place(t, d, random(79, 500))
		failAt(d, "syncDir", 1, false, errBroken)
		if err := d.Remove(digest); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		// A power cut may bring the name back, so the record may not be forgotten.
		if err := d.SyncPlaced(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("SyncPlaced believes a directory whose sync failed: %v", err)
		}
		if err := d.Remove(digest); err != nil {
			t.Fatal(err)
		}
		syncPlaced(t, d)
		mustHoldNothing(t, d)
	})
}

// TestRemoveDuringSyncPlaced: what goes away while it is being synced is no error.
func TestRemoveDuringSyncPlaced(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		gone, stays := place(t, d, random(80, 500)), place(t, d, random(81, 500))
		var once sync.Once
		if d.mayHold > 0 {
			real := d.do.sync
			d.do.sync = func(f *os.File) error {
				once.Do(func() {
					if err := d.Remove(gone); err != nil {
						t.Error(err)
					}
				})
				return real(f)
			}
		} else {
			real := d.do.syncDir
			d.do.syncDir = func(path string) error {
				once.Do(func() {
					if _, err := d.unlink(gone, 0); err != nil {
						t.Error(err)
					}
				})
				return real(path)
			}
		}
		syncPlaced(t, d)
		mustBeKept(t, d, gone, 500, false)
		mustBeKept(t, d, stays, 500, true)
		dirs := failAt(d, "syncDir", 0, false, nil)
		syncPlaced(t, d)
		if d.mayHold == 0 && *dirs != 1 {
			t.Errorf("%d directories synced for a removal that came too late for the first, want 1", *dirs)
		}
		mustHoldNothing(t, d)
		if n := len(d.fanout[gone[0]].unsynced); n != 0 {
			t.Errorf("%d names are remembered", n)
		}
	})
}

// TestPlacedMeanwhile: what is placed while SyncPlaced runs belongs to the next.
func TestPlacedMeanwhile(t *testing.T) {
	inBothWays(t, func(t *testing.T, d *Disk) {
		place(t, d, random(82, 500))
		late := random(83, 500)
		var once sync.Once
		real := d.do.syncDir
		d.do.syncDir = func(path string) error {
			once.Do(func() { place(t, d, late) })
			return real(path)
		}
		syncPlaced(t, d)
		mustBeKept(t, d, sha256.Sum256(late), 500, false)
		syncPlaced(t, d)
		mustBeKept(t, d, sha256.Sum256(late), 500, true)
	})
}

// TestClosedDiskHoldsNothing: what was not synced is the log's.
func TestClosedDiskHoldsNothing(t *testing.T) {
	d := open(t)
	digest := place(t, d, random(84, 500))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	mustHoldNothing(t, d)
	mustBeKept(t, d, digest, 500, false)
	if err := d.SyncPlaced(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("SyncPlaced after Close: %v", err)
	}
}
