package store_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"strongroom/engine/internal/store"
)

// A commit shows before it is known to be on disk. A reader in that moment waits
// for its end, one that peeks does not, and if the end is a failure nobody has
// seen what may not be there.
func TestAReaderSeesOnlyWhatIsOnDisk(t *testing.T) {
	for _, cause := range []error{nil, syscall.EIO} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t)
			written, synced := make(chan struct{}), make(chan struct{})
			k.Interpose(func(commit, _ func() error) error {
				must(t, commit())
				close(written)
				<-synced
				return cause
			})
			before := k.Head()
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := k.submit(put("a", "")); !errors.Is(err, cause) {
					t.Error(err)
				}
			})
			<-written
			there := func(t *store.Tx) (bool, error) { return t.Get(notes, []byte("a")) != nil, nil }
			if seen, err := store.Read(k.Store, true, there); err != nil || !seen {
				t.Errorf("who peeks sees it: %v, %v", seen, err)
			}
			var answered atomic.Int32
			for range 2 {
				wg.Go(func() {
					seen, err := store.Read(k.Store, false, there)
					if answered.Add(1); seen != (cause == nil) || (cause == nil) != (err == nil) {
						t.Errorf("failed with %v: seen %v, %v", cause, seen, err)
					}
				})
				synctest.Wait()
			}
			if answered.Load() > 0 || k.Head() != before {
				t.Errorf("%d readers were answered, the head is %+v", answered.Load(), k.Head())
			}
			close(synced)
			wg.Wait()
		})
	}
}

// A read transaction is one instant, whatever is written meanwhile.
func TestAReaderKeepsItsState(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("a", "1")))
	_, err := store.Read(k.Store, false, func(r *store.Tx) (int, error) {
		last, now := r.Last(), r.Now()
		k.Interpose(func(commit, _ func() error) error { return commit() })
		must(t, k.submit(put("a", "2"), put("b", "")))
		if string(r.Get(notes, []byte("a"))) != "1" || r.Get(notes, []byte("b")) != nil || r.Last() != last || r.Now() != now {
			t.Error("it sees what came later")
		}
		return 0, errAny
	})
	if !errors.Is(err, errAny) {
		t.Error(err)
	}
	if got := k.rows(notes); got["a"] != "2" {
		t.Errorf("%q", got)
	}
}

// Snapshots are of one instant and can be copied while others write.
func TestSnapshot(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("a", strings.Repeat("text ", 2_000))))
	var copied bytes.Buffer
	must(t, k.Snapshot(func(s store.Snapshot) error {
		must(t, k.submit(put("later", "quxzebra")))
		n, err := s.WriteTo(&copied)
		if n != s.Size || s.Head.Seq != k.Head().Seq-1 {
			t.Errorf("%d bytes of %d at %+v", n, s.Size, s.Head)
		}
		return err
	}))
	if bytes.Contains(copied.Bytes(), []byte("quxzebra")) || !bytes.Contains(copied.Bytes(), []byte("text text")) {
		t.Error("the copy is of another instant")
	}
	if err := k.Snapshot(func(store.Snapshot) error { return errAny }); !errors.Is(err, errAny) {
		t.Error(err)
	}
}

// Wait returns when there is an entry after the one given.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		must(t, k.Wait(t.Context(), k.Head().Seq-1))
		ctx, cancel := context.WithCancel(t.Context())
		var woken []uint64
		var wg sync.WaitGroup
		for after := k.Head().Seq; after < k.Head().Seq+3; after++ {
			wg.Go(func() {
				if k.Wait(ctx, after) == nil {
					woken = append(woken, after)
				}
			})
		}
		synctest.Wait()
		first := k.Head().Seq
		must(t, k.submit(put("a", "")))
		synctest.Wait()
		must(t, k.submit(put("b", "")))
		synctest.Wait()
		if !slices.Equal(woken, []uint64{first, first + 1}) {
			t.Errorf("woken are those who wait for more than %d", woken)
		}
		cancel()
		wg.Wait()
	})
}

// A cursor walks in the order of the keys, both ways.
func TestCursor(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("b", "2"), put("a", "1"), put("d", "4")))
	_, err := store.Read(k.Store, false, func(r *store.Tx) (int, error) {
		c := r.Cursor(notes)
		var got []string
		see := func(key, value []byte) bool {
			got = append(got, string(key)+string(value))
			return key != nil
		}
		see(c.First())
		for see(c.Next()) {
		}
		see(c.Seek([]byte("c")))
		see(c.Prev())
		see(c.Last())
		see(c.Seek([]byte("e")))
		if want := []string{"a1", "b2", "d4", "", "d4", "b2", "d4", ""}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		return 0, nil
	})
	must(t, err)
}
