package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// sizes lie on both sides of every boundary between one way of staging and the next.
var sizes = []int{0, 1, 511, 512, 513, SmallSize - 1, SmallSize, SmallSize + 1,
	SmallSize + chunkSize - 1, SmallSize + chunkSize, SmallSize + chunkSize + 1, SmallSize + 3*chunkSize + 17}

func TestStageAndKeep(t *testing.T) {
	d := open(t)
	want := map[Digest]int64{}
	for i, size := range sizes {
		p := random(uint64(20+i), size)
		for name, r := range map[string]io.Reader{
			"whole":         bytes.NewReader(p),
			"halves":        iotest.HalfReader(bytes.NewReader(p)),
			"data with EOF": iotest.DataErrReader(bytes.NewReader(p)),
		} {
			s, err := d.Stage(t.Context(), r, int64(size))
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, name, err)
			}
			digest := Digest(sha256.Sum256(p))
			if s.Digest() != digest || s.Size() != int64(size) {
				t.Fatalf("%d bytes, %s: staged as %v, %d", size, name, s.Digest(), s.Size())
			}
			if _, err := d.Stat(digest); want[digest] == 0 && size > 0 && !errors.Is(err, ErrNotFound) {
				t.Errorf("%d bytes, %s: visible before Keep: %v", size, name, err)
			}
			if err := s.Keep(t.Context()); err != nil {
				t.Fatalf("%d bytes, %s: %v", size, name, err)
			}
			if err := s.Discard(); err != nil {
				t.Errorf("Discard after Keep: %v", err)
			}
			if !bytes.Equal(s.Prefix(), p[:min(512, size)]) {
				t.Errorf("%d bytes, %s: wrong prefix", size, name)
			}
			want[digest] = int64(size)
		}
	}
	found := noWrongBytes(t, d)
	if len(found) != len(sizes) {
		t.Errorf("%d blobs, want %d", len(found), len(sizes))
	}
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
	var order []Digest
	d.Each(t.Context(), func(digest Digest, _ int64) error { order = append(order, digest); return nil })
	if !slices.IsSortedFunc(order, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("Each is out of order")
	}
}

func TestStageRefuses(t *testing.T) {
	errVanished := errors.New("client vanished")
	endless := io.Reader(iotest.HalfReader(zeros{}))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	d := open(t)
	for name, c := range map[string]struct {
		ctx   context.Context
		r     io.Reader
		limit int64
		want  error
	}{
		"one byte over":           {t.Context(), bytes.NewReader(make([]byte, 11)), 10, ErrTooLarge},
		"endless, small limit":    {t.Context(), endless, SmallSize - 1, ErrTooLarge},
		"endless, middling limit": {t.Context(), endless, SmallSize, ErrTooLarge},
		"endless, large limit":    {t.Context(), endless, SmallSize + 2*chunkSize, ErrTooLarge},
		"vanishes at once":        {t.Context(), iotest.ErrReader(errVanished), 0, errVanished},
		"vanishes early":          {t.Context(), io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errVanished)), 0, errVanished},
		"vanishes late":           {t.Context(), io.MultiReader(io.LimitReader(zeros{}, SmallSize+chunkSize+9), iotest.ErrReader(errVanished)), 0, errVanished},
		"unexpected end":          {t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF), 0, io.ErrUnexpectedEOF},
		"cancelled":               {cancelled, strings.NewReader("some"), 0, context.Canceled},
		"reads nothing":           {t.Context(), idle{}, 0, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := d.Stage(c.ctx, c.r, c.limit)
			if !errors.Is(err, c.want) || s != nil {
				t.Errorf("got %v, %v; want %v", s, err, c.want)
			}
			if names := leftovers(t, d); len(names) > 0 {
				t.Errorf("left in staging: %q", names)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestStageCancelledMidway: ctx is asked between reads, and the hashing
// goroutine ends with Stage (the bubble would not).
func TestStageCancelledMidway(t *testing.T) {
	d := open(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		left := 5
		r := readerFunc(func(p []byte) (int, error) {
			if left--; left == 0 {
				cancel()
			}
			return len(p), nil
		})
		if _, err := d.Stage(ctx, r, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestStagePanickingReader: the panic is the reader's and passes on, but nothing is left behind.
func TestStagePanickingReader(t *testing.T) {
	d := open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		r := io.MultiReader(io.LimitReader(zeros{}, SmallSize+5), readerFunc(func([]byte) (int, error) { panic("reader") }))
		d.Stage(t.Context(), r, 0)
	}()
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
}

func TestLimitIsNotOverread(t *testing.T) {
	d := open(t)
	r := bytes.NewReader(make([]byte, 1000))
	if _, err := d.Stage(t.Context(), r, 10); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if r.Len() != 1000-11 {
		t.Errorf("read %d bytes of a stream limited to 10", 1000-r.Len())
	}
}

func TestKeepIsOnce(t *testing.T) {
	d := open(t)
	for _, size := range []int{7, SmallSize + 7} {
		stage := func() Staged {
			s, err := d.Stage(t.Context(), bytes.NewReader(random(40, size)), 0)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := stage()
		for range 2 {
			if err := s.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Keep(t.Context()); !errors.Is(err, ErrDiscarded) {
			t.Errorf("Keep after Discard: %v", err)
		}

		s = stage()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ctx := range []context.Context{ctx, t.Context()} {
			if err := s.Keep(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled Keep: %v", err)
			}
		}
		if _, err := d.Stat(s.Digest()); !errors.Is(err, ErrNotFound) {
			t.Errorf("a cancelled Keep kept: %v", err)
		}

		s = stage()
		for range 2 {
			if err := s.Keep(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if names := leftovers(t, d); len(names) > 0 {
		t.Errorf("left in staging: %q", names)
	}
}

// TestSmallDuplicateIsNotWritten: bytes that are kept already cost one sync of a directory.
func TestSmallDuplicateIsNotWritten(t *testing.T) {
	d := open(t)
	p := random(41, 1000)
	keep(t, d, p)
	creates := failAt(d, "create", 0, false, nil)
	keep(t, d, p)
	syncs := failAt(d, "syncDir", 0, false, nil)
	keep(t, d, p)
	if *creates != 0 || *syncs != 1 {
		t.Errorf("%d files made, %d directories synced; want 0 and 1", *creates, *syncs)
	}
}

func TestEqualBytesAtOnce(t *testing.T) {
	for _, size := range []int{5000, SmallSize + chunkSize} {
		d := open(t)
		p := random(42, size)
		renames := failAt(d, "rename", 0, false, nil) // counted under the directory's lock
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if err := stageAndKeep(t, d, p); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if found := noWrongBytes(t, d); len(found) != 1 || *renames != 1 {
			t.Errorf("%d blobs placed %d times, want one once", len(found), *renames)
		}
		if names := leftovers(t, d); len(names) > 0 {
			t.Errorf("left in staging: %q", names)
		}
	}
}

// TestSharedDirectorySync: those who come while a sync runs share the next one;
// nobody is answered by a sync that began before they came.
func TestSharedDirectorySync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fan fanout
		var mu sync.Mutex
		begun := 0
		gate := make(chan struct{})
		syncDir := func() error {
			mu.Lock()
			begun++
			mu.Unlock()
			<-gate
			return nil
		}
		answered := make(chan int, 20)
		come := func() {
			mu.Lock()
			before := begun
			mu.Unlock()
			if err := fan.sync(0, syncDir); err != nil {
				t.Error(err)
			}
			mu.Lock()
			if begun <= before {
				t.Error("answered by a sync that began before")
			}
			mu.Unlock()
			answered <- 1
		}
		go come()
		synctest.Wait()
		for range 10 {
			go come()
		}
		synctest.Wait()
		gate <- struct{}{}
		synctest.Wait()
		if len(answered) != 1 || begun != 2 {
			t.Errorf("after the first sync %d answered, %d begun; want 1 and 2", len(answered), begun)
		}
		gate <- struct{}{}
		synctest.Wait()
		if len(answered) != 11 || begun != 2 {
			t.Errorf("after the second sync %d answered, %d begun; want 11 and 2", len(answered), begun)
		}
	})
}

// TestMemoryIsFlat stages much more than it may allocate.
func TestMemoryIsFlat(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	d := open(t)
	r := newStream(size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := d.Stage(t.Context(), r, 0)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if s.Size() != size {
		t.Errorf("staged %d bytes, want %d", s.Size(), size)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
	const enough = 8 << 20
	if got := after.TotalAlloc - before.TotalAlloc; got > enough {
		t.Errorf("allocated %d bytes to stage %d", got, size)
	}
	if got := int64(r.peak) - int64(before.HeapInuse); got > enough {
		t.Errorf("the heap grew by %d bytes", got)
	}
}
