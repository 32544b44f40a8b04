package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/engine/search/extract"
)

// painter paints the number of a page and the width, of files of three pages. It counts,
// and waits for whoever holds it up.
type painter struct {
	made  atomic.Int64
	begun chan struct{} // nil: nobody looks
	go_   chan struct{} // nil: at once
	err   error
}

func (p *painter) paint(ctx context.Context, f extract.File, number, width int) (extract.Painted, error) {
	p.made.Add(1)
	if p.begun != nil {
		p.begun <- struct{}{}
	}
	if p.go_ != nil {
		select {
		case <-p.go_:
		case <-ctx.Done():
			return extract.Painted{}, ctx.Err()
		}
	}
	switch {
	case p.err != nil:
		return extract.Painted{}, p.err
	case number > 3:
		return extract.Painted{Pages: 3}, extract.ErrNoPage
	}
	return extract.Painted{PNG: append(fmt.Appendf(nil, "%d at %d", number, width), end...), Pages: 3}, nil
}

type kit struct {
	*enginetest.Kit
	t       *testing.T
	painter *painter
	pages   *Pages
	dir     string
}

func newKit(t *testing.T) *kit {
	k := &kit{Kit: enginetest.New(t), t: t, painter: &painter{}}
	k.dir = filepath.Join(k.Dir, "pages")
	k.open(0)
	t.Cleanup(func() { k.pages.Close() })
	return k
}

func (k *kit) open(most int64) {
	k.t.Helper()
	var err error
	k.pages, err = Open(k.Vault, k.dir, Options{Painter: extract.Painter{Version: 1, Paint: k.painter.paint}, MaxBytes: most})
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) pdf(name string) engine.Version {
	k.t.Helper()
	return *k.Create(name, "%PDF-1.7 "+name).Current
}

func (k *kit) page(v engine.Version, number, width int) (string, error) {
	k.t.Helper()
	p, err := k.pages.Page(k.t.Context(), v, number, width, nil)
	if err == nil && p.Pages != 3 {
		k.t.Errorf("%d pages", p.Pages)
	}
	return strings.TrimSuffix(string(p.PNG), string(end)), err
}

// files are the pictures on disk.
func (k *kit) files() (files []string) {
	k.t.Helper()
	files, err := filepath.Glob(filepath.Join(k.dir, "*", "*"))
	if err != nil {
		k.t.Fatal(err)
	}
	return files
}

func TestAPageIsPaintedOnce(t *testing.T) {
	k := newKit(t)
	v := k.pdf("lease.pdf")
	for _, want := range []int64{1, 1} {
		if got, err := k.page(v, 2, 700); err != nil || got != "2 at 700" || k.painter.made.Load() != want {
			t.Errorf("%q, %v, made %d", got, err, k.painter.made.Load())
		}
	}
	k.page(v, 2, 800)
	k.page(v, 1, 700)
	// A server that is started again finds them, but not what was cut off.
	if err := os.Truncate(k.files()[0], 8); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.dir, v.DocumentID, "1of3-700-1.png.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.open(0)
	for number, width := range map[int]int{1: 700, 2: 800} {
		if got, err := k.page(v, number, width); err != nil || got != fmt.Sprintf("%d at %d", number, width) {
			t.Errorf("%q, %v", got, err)
		}
	}
	if files := k.files(); k.painter.made.Load() != 4 || len(files) != 3 {
		t.Errorf("made %d, %v", k.painter.made.Load(), files)
	}
	for _, path := range append(k.files(), k.dir, filepath.Dir(k.files()[0])) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := k.page(v, 4, 700); !errors.Is(err, extract.ErrNoPage) {
		t.Error(err)
	}
}

// TestManyAskForOne: it is made for all of them, until none of them waits.
func TestManyAskForOne(t *testing.T) {
	k := newKit(t)
	k.painter.begun, k.painter.go_ = make(chan struct{}, 9), make(chan struct{})
	v := k.pdf("lease.pdf")
	first, leave := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := k.pages.Page(first, v, 1, 100, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-k.painter.begun
	for range 5 {
		asking.Go(func() {
			if got, err := k.page(v, 1, 100); err != nil || got != "1 at 100" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for waiting := 0; waiting < 6; {
		k.pages.mu.Lock()
		for _, f := range k.pages.flights {
			waiting = f.waiting
		}
		k.pages.mu.Unlock()
	}
	leave() // the others go on waiting
	close(k.painter.go_)
	asking.Wait()
	if n := k.painter.made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}

	k.painter.go_ = make(chan struct{})
	alone, leave := context.WithCancel(t.Context())
	asking.Go(func() { k.pages.Page(alone, v, 2, 100, nil) })
	<-k.painter.begun
	leave()
	asking.Wait()
	k.pages.running.Wait() // it was given up, for nobody lets it go
	if len(k.files()) != 1 {
		t.Error(k.files())
	}
}

// TestTurn is taken for what is made, and not for what is there.
func TestTurn(t *testing.T) {
	k := newKit(t)
	v := k.pdf("lease.pdf")
	full := errors.New("full")
	refuse := func(context.Context) (func(), error) { return nil, full }
	if _, err := k.pages.Page(t.Context(), v, 1, 100, refuse); !errors.Is(err, full) {
		t.Error(err)
	}
	ended := 0
	if _, err := k.pages.Page(t.Context(), v, 1, 100, func(context.Context) (func(), error) { return func() { ended++ }, nil }); err != nil || ended != 1 {
		t.Error(err, ended)
	}
	if _, err := k.pages.Page(t.Context(), v, 1, 100, refuse); err != nil {
		t.Error(err)
	}
}

// TestWhatFailsCostsOnce: but what could not be tried is.
func TestWhatFailsCostsOnce(t *testing.T) {
	k := newKit(t)
	v := k.pdf("lease.pdf")
	for err, want := range map[error]int64{extract.ErrTooLong: 1, extract.ErrUnavailable: 2} {
		k.painter.made.Store(0)
		k.painter.err = err
		for range 2 {
			if _, got := k.page(v, 1, 100+int(want)); !errors.Is(got, err) {
				t.Error(got)
			}
		}
		if n := k.painter.made.Load(); n != want {
			t.Errorf("%v: tried %d times", err, n)
		}
	}
	text := *k.Create("notes.txt", "some words").Current
	if _, err := k.page(text, 1, 100); !errors.Is(err, extract.ErrNotPaged) {
		t.Error(err)
	}
}

func TestTheOldestGoFirst(t *testing.T) {
	k := newKit(t)
	size := int64(len("1 at 100") + len(end))
	k.open(3 * size)
	v := k.pdf("lease.pdf")
	for _, number := range []int{1, 2, 3, 1} {
		k.page(v, number, 100)
	}
	k.page(v, 1, 200)
	if files := k.files(); len(files) != 3 {
		t.Error(files)
	}
	k.painter.made.Store(0)
	k.page(v, 1, 100)
	if n := k.painter.made.Load(); n != 0 {
		t.Error("what was used last is gone")
	}
	k.open(size)
	if files := k.files(); len(files) != 1 {
		t.Error(files)
	}
}

// TestWhatIsDeletedIsGone, at once and from what a crash has left.
func TestWhatIsDeletedIsGone(t *testing.T) {
	k := newKit(t)
	a, b, c := k.pdf("a.pdf"), k.pdf("b.pdf"), k.pdf("c.pdf")
	for _, v := range []engine.Version{a, b, c} {
		if _, err := k.page(v, 1, 100); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(v engine.Version) {
		t.Helper()
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, v.DocumentID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	until := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); len(k.files()) != n; {
			if time.Now().After(deadline) {
				t.Fatalf("%d files, want %d", len(k.files()), n)
			}
		}
	}
	remove(a) // while nobody looks
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.pages.Run(ctx) }()
	until(2)
	remove(b)
	until(1)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(k.dir, b.DocumentID)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// One that is made while its document is deleted is not kept.
	k.painter.begun, k.painter.go_ = make(chan struct{}, 1), make(chan struct{})
	got := make(chan error, 1)
	go func() { _, err := k.page(c, 2, 100); got <- err }()
	<-k.painter.begun
	remove(c)
	close(k.painter.go_)
	if err := <-got; !errors.Is(err, engine.ErrDocumentDeleted) {
		t.Error(err)
	}
	if files := k.files(); len(files) != 0 {
		t.Error(files)
	}
}

func TestStopping(t *testing.T) {
	k := newKit(t)
	v := k.pdf("lease.pdf")
	k.painter.begun, k.painter.go_ = make(chan struct{}, 1), make(chan struct{})
	got := make(chan error, 1)
	go func() { _, err := k.page(v, 1, 100); got <- err }()
	<-k.painter.begun
	k.pages.Close()
	if err := <-got; !errors.Is(err, extract.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := k.page(v, 1, 100); !errors.Is(err, extract.ErrUnavailable) {
		t.Error(err)
	}
}
