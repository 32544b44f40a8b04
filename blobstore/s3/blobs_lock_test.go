package s3

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/blobtest"
	"strongroom/blobstore/object"
)

func openLocked(t testing.TB, lock object.Locker, dir string, epoch uint64) *Blobs {
	t.Helper()
	b, err := OpenBlobs(BlobsConfig{Lock: lock, Dir: dir, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b.SetEpoch(epoch)
	return b
}

func TestLockedBlobsKeepTheLaw(t *testing.T) {
	if testing.Short() {
		t.Skip("the law is tried without locks")
	}
	blobtest.Test(t, func(t *testing.T) blobtest.Store {
		return openLocked(t, object.NewLockedMemory(), t.TempDir(), 1)
	})
}

func versionsOf(t *testing.T, s object.Locker) (all []object.Version) {
	t.Helper()
	if err := s.Versions(t.Context(), "", func(v object.Version) error { all = append(all, v); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRemoveOfVersions: nothing is left of a blob, however many versions and markers its
// objects have; a newer owner's stay.
func TestRemoveOfVersions(t *testing.T) {
	s := object.NewLockedMemory()
	b := openLocked(t, s, t.TempDir(), 1)
	p := randomBytes(1, longBlob)
	d := mustKeep(t, b, p)
	key := keysOf(t, s)[0]
	s.Put(t.Context(), key, p, object.Condition{}) // sent twice
	s.Delete(t.Context(), key)                     // hidden by somebody
	newer := openLocked(t, s, t.TempDir(), 2)
	mustKeep(t, newer, p)
	if err := b.Remove(d); err != nil {
		t.Fatal(err)
	}
	if left := versionsOf(t, s); len(left) != 1 || !strings.Contains(left[0].Key, ".2-") {
		t.Errorf("the store has %v, want the newer owner's", left)
	}
	mustRead(t, newer, p)
	if err := newer.Remove(d); err != nil {
		t.Fatal(err)
	}
	if left := versionsOf(t, s); len(left) > 0 {
		t.Errorf("the store has %v", left)
	}
}

// TestProtect: the store keeps what it was told to keep, as long as that, and no longer.
func TestProtect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := object.NewLockedMemory()
		b := openLocked(t, s, t.TempDir(), 1)
		p := randomBytes(1, 1000)
		d := mustKeep(t, b, p)
		mustProtect := func(until time.Time, held bool) {
			t.Helper()
			if err := b.Protect(t.Context(), d, until, held); err != nil {
				t.Error(err)
			}
		}
		mustStay := func() {
			t.Helper()
			if err := b.Remove(d); !errors.Is(err, object.ErrLocked) {
				t.Errorf("Remove: %v, want ErrLocked", err)
			}
			mustRead(t, b, p)
		}
		mustProtect(time.Time{}, true)
		mustStay()
		mustProtect(time.Now().Add(time.Hour), false)
		mustStay()
		mustProtect(time.Now().Add(time.Minute), false) // nobody can shorten it
		mustProtect(time.Time{}, false)
		time.Sleep(59 * time.Minute)
		mustStay()
		time.Sleep(2 * time.Minute)
		if err := b.Remove(d); err != nil {
			t.Error(err)
		}
		if err := b.Protect(t.Context(), d, time.Time{}, true); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("Protect: %v, want ErrNotFound", err)
		}
		if err := openBlobs(t, object.NewMemory(), t.TempDir(), 0, 1).Protect(t.Context(), d, time.Time{}, true); !errors.Is(err, errNoLock) {
			t.Errorf("Protect without a lock: %v", err)
		}
	})
}

// TestHiddenBlob: who may lay a marker on a locked object takes it from nobody.
func TestHiddenBlob(t *testing.T) {
	s := object.NewLockedMemory()
	b := openLocked(t, s, t.TempDir(), 1)
	p := randomBytes(1, longBlob)
	d := mustKeep(t, b, p)
	hide := func() {
		if err := s.Delete(t.Context(), keysOf(t, s)[0]); err != nil {
			t.Fatal(err)
		}
	}
	hide()
	mustRead(t, b, p)
	hide()
	mustRead(t, openLocked(t, s, t.TempDir(), 1), p)
	hide()
	if size, err := b.Stat(d); err != nil || size != longBlob {
		t.Errorf("Stat: %d, %v", size, err)
	}
	r, err := b.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	hide()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("hidden before the first byte: %v", err)
	}
	if err := b.Remove(d); err != nil {
		t.Error(err)
	}
	if left := versionsOf(t, s); len(left) > 0 {
		t.Errorf("the store has %v", left)
	}
}
