package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// Nothing of the last day is collected; then all that is older than the history is, but
// for the snapshot in which the history is entered.
func TestCollect(t *testing.T) {
	s := newShelf(t)
	c := s.server("first")
	c.History = 72 * time.Hour
	m, k := s.own(c)
	for day := range 6 {
		for i := range 3 {
			k.Create(fmt.Sprintf("day %d, %d", day, i), "bytes")
		}
		s.snapshot(m)
		before := len(s.keys(keyCommits))
		s.must(m.c.collect(t.Context(), m.s.place().Epoch))
		if day == 0 && len(s.keys(keyCommits)) != before {
			t.Error("commits of the first day were collected")
		}
		s.age(25 * time.Hour)
	}
	s.must(m.c.collect(t.Context(), m.s.place().Epoch))
	p, _, err := m.c.loadPointer(t.Context())
	s.must(err)
	// 150 hours have passed; the snapshots are of the hours 0, 25, 50, 75, 100 and 125,
	// and the history begins at 78.
	if got := len(p.standing()); got != 3 {
		t.Errorf("%d snapshots stand, want those of hour 75, 100 and 125", got)
	}
	if got := s.keys(keySnapshots); len(got) != len(p.standing()) || got[0] != p.standing()[0].Key {
		t.Errorf("there are %q, the pointer names %+v", got, p.standing())
	}
	commits := s.keys(keyCommits)
	if commits[0] != commitKey(p.standing()[0].Commit) {
		t.Errorf("the oldest commit is %s, the oldest snapshot is of commit %d", commits[0], p.standing()[0].Commit)
	}
	if last := commits[len(commits)-1]; last != commitKey(m.s.place().Commit) || len(commits) != int(m.s.place().Commit-p.standing()[0].Commit)+1 {
		t.Errorf("%d commits up to %s are left, and the owner's last is %d", len(commits), last, m.s.place().Commit)
	}
	s.must(m.Close(t.Context()))
	s.age(-6 * 25 * time.Hour) // whose clock is wrong takes nothing over
	m, _ = s.own(s.server("second"))
	s.verify(m.Vault())
}

// Wherever collection is cut off, what is left is the end of the history, and the
// next goes on.
func TestCollectCut(t *testing.T) {
	s := newShelf(t)
	c := s.server("first")
	c.History = time.Hour // less than a day is a day
	m, k := s.own(c)
	for i := range 5 {
		k.Create(fmt.Sprint(i), "bytes")
	}
	s.snapshot(m)
	s.age(30 * time.Hour)
	k.Create("young", "bytes")
	s.snapshot(m)
	s.age(30 * time.Hour)
	for n := 0; ; n++ {
		ctx, cancel := s.cutAfter(n)
		err := m.c.collect(ctx, m.s.place().Epoch)
		cancel()
		s.failing(nil)
		commits := s.keys(keyCommits)
		for i, key := range commits {
			if want := commitKey(m.s.place().Commit - uint64(len(commits)-1-i)); key != want {
				t.Fatalf("cut after %d calls: commit %s among %q, want %s", n, key, commits, want)
			}
		}
		p, _, failed := m.c.loadPointer(t.Context())
		s.must(failed)
		s.must(m.c.snapshotStands(t.Context(), p.snapshot))
		if err == nil {
			if len(p.Older) != 0 {
				t.Errorf("%d older snapshots stand", len(p.Older))
			}
			return
		}
		if n > 100 {
			t.Fatal("it never ends")
		}
	}
}

// Strays are deleted at once, since nobody can come to point to them, and by nobody who
// was replaced.
func TestCollectStrays(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	k.Create("one", "bytes")
	p := s.snapshot(m)
	epoch := m.s.place().Epoch
	stray, newer := snapshotKey(p.Commit, epoch), snapshotKey(p.Commit+1, epoch+1)
	for _, key := range []string{stray, newer} {
		_, err := s.Put(t.Context(), key, []byte("rows"), object.Condition{})
		s.must(err)
	}
	if err := m.c.collect(t.Context(), epoch-1); !errors.Is(err, engine.ErrReplaced) {
		t.Errorf("collection by an earlier owner: %v", err)
	}
	s.must(m.c.collect(t.Context(), epoch))
	got := strings.Join(s.keys(keySnapshots), " ")
	if strings.Contains(got, stray) || !strings.Contains(got, newer) || !strings.Contains(got, p.Key) {
		t.Errorf("left are %s; the stray was %s, that of a later owner %s", got, stray, newer)
	}
}

// A snapshot is due by commits, by bytes, and once a day.
func TestSnapshotDue(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name string
		p    pointer
		t    tended
		due  bool
	}{
		{"nothing changed", pointer{snapshot: snapshot{place: place{Commit: 7}}}, tended{place: place{Commit: 7}, Bytes: 1 << 40}, false},
		{"a few", pointer{snapshot: snapshot{Time: now}}, tended{place: place{Commit: 99}, Bytes: 1 << 20}, false},
		{"many", pointer{snapshot: snapshot{Time: now}}, tended{place: place{Commit: snapshotCommits}}, true},
		{"much", pointer{snapshot: snapshot{Time: now}}, tended{place: place{Commit: 9}, Bytes: snapshotBytes}, true},
		{"much, for a small vault", pointer{snapshot: snapshot{Time: now, Size: 1 << 30}}, tended{place: place{Commit: 9}, Bytes: snapshotBytes}, false},
		{"much, for a large vault", pointer{snapshot: snapshot{Time: now, Size: 1 << 30}}, tended{place: place{Commit: 9}, Bytes: 128 << 20}, true},
		{"a day later", pointer{snapshot: snapshot{Time: now.Add(-snapshotEvery)}}, tended{place: place{Commit: 1}}, true},
	} {
		if k := (&tending{Snapshot: test.p}); k.due(test.t) != test.due {
			t.Errorf("%s: due is %v", test.name, !test.due)
		}
	}
}

// An owner of before that is slow to point to its snapshot does not, once the next has
// looked for strays.
func TestCollectFences(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	k.Create("one", "bytes")
	epoch := m.s.place().Epoch
	s.must(m.c.collectStrays(t.Context(), epoch+1))
	if _, err := m.c.takeSnapshot(t.Context(), m.v, epoch); !errors.Is(err, engine.ErrReplaced) {
		t.Errorf("a snapshot of the owner before: %v", err)
	}
	p, _, err := m.c.loadPointer(t.Context())
	s.must(err)
	s.must(m.c.snapshotStands(t.Context(), p.snapshot))
}
