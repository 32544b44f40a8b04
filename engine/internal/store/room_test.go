package store_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	free, err := blobstore.Free(dir)
	must(t, err)
	much := int64(min(free, 1<<60))
	for _, c := range []struct {
		need, reserve int64
		want          error
	}{
		{0, 0, nil}, {-1, -1, nil}, {1, 1, nil}, {0, -1 << 62, nil},
		{much + 1<<40, 0, store.ErrNoSpace}, {0, much + 1<<40, store.ErrNoSpace}, {1, much + 1<<40, store.ErrNoSpace},
		{1 << 62, 1 << 62, store.ErrNoSpace},
	} {
		if err := store.Room(dir, c.need, c.reserve); !errors.Is(err, c.want) {
			t.Errorf("%d with %d in reserve: got %v, want %v", c.need, c.reserve, err, c.want)
		}
	}
	if err := store.Room(dir+"/none", 1, 1); err == nil || errors.Is(err, store.ErrNoSpace) {
		t.Errorf("where nothing is: %v", err)
	}
}

// Below the reserve nothing is written, and what is there is read.
func TestBelowTheReserveNothingIsWritten(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("a", "")))
	head := k.Head()
	k.close()
	before := read(t, k.path())
	k.options.Reserve = 1 << 60
	k.open()
	if k.Reserve() != 1<<60 {
		t.Errorf("%d are kept in reserve", k.Reserve())
	}
	for call, err := range map[string]error{
		"submit":   k.submit(put("b", "")),
		"writable": k.Writable(),
		"check":    k.CheckReserve(),
		"room":     k.Room(1),
	} {
		if !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("%s: got %v", call, err)
		}
	}
	must(t, k.Ready())
	k.holds("a")
	if k.Head() != head {
		t.Errorf("the head moved to %+v", k.Head())
	}
	k.close()
	if !slices.Equal(read(t, k.path()), before) {
		t.Error("the file was written to")
	}
	k.options.Reserve = 0
	k.open()
	if k.Reserve() != 64<<20 {
		t.Errorf("the default reserve is %d", k.Reserve())
	}
	k.close()
	k.options.Reserve = -1
	k.open()
	if k.Reserve() != 0 {
		t.Errorf("no reserve is %d", k.Reserve())
	}
	must(t, k.Writable())
	must(t, k.submit(put("b", "")))
}

func TestUsage(t *testing.T) {
	k := newKit(t)
	k.many(0, 100)
	k.forget(0, 100)
	must(t, k.submit(put("a", "")))
	u, err := k.Usage()
	info, statErr := os.Stat(k.path())
	must(t, errors.Join(err, statErr))
	if u.FileBytes != info.Size() || u.PageBytes != os.Getpagesize() || u.FreePages < 10 || u.Waiting != 0 {
		t.Errorf("%+v", u)
	}
	if n := k.size(); n <= 0 || n > u.FileBytes {
		t.Errorf("%d bytes of %d were ever used", n, u.FileBytes)
	}
}

func TestHistogram(t *testing.T) {
	h := store.NewHistogram(1, 10)
	for _, value := range []float64{0, 1, 1.5, 10, 11, 1000} {
		h.Observe(value)
	}
	if d := h.Read(); !slices.Equal(d.UpTo, []uint64{2, 4}) || d.Count != 6 || d.Sum != 1023.5 || !slices.Equal(d.Bounds, []float64{1, 10}) {
		t.Errorf("%+v", d)
	}
}
