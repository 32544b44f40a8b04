package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/engine/search/extract"
)

// TestMain lets the test binary be the process that reads. Its reader does as the
// file says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "read-worker" {
		if err := Serve(context.Background(), Serving{Readers: obedient(), Painter: obedientPainter(), Memory: 1 << 30}, os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "read-corpus" {
		if err := serveCorpus(os.Args[2]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// held keeps what a file has the reader take.
var held [][]byte

func obedient() []extract.Reader {
	return []extract.Reader{{Kind: extract.Text, Version: 1, Limit: time.Second, Read: func(ctx context.Context, f extract.File, out *extract.Output) error {
		b, err := f.Bytes(ctx)
		if err != nil {
			return err
		}
		switch command := string(b); {
		case command == "hang":
			select {}
		case command == "wait":
			out.Text("half ")
			<-ctx.Done()
			return ctx.Err()
		case command == "eat":
			for {
				held = append(held, bytes.Repeat([]byte("x"), 16<<20))
			}
		case command == "die":
			os.Exit(3)
		case command == "environment":
			out.Text(strings.Join(os.Environ(), " "))
		case command == "locked":
			return extract.ErrEncrypted
		default:
			out.Text(command)
		}
		return nil
	}}}
}

// obedientPainter paints the number of the page and the width, unless the file says
// otherwise.
func obedientPainter() extract.Painter {
	return extract.Painter{Version: 1, Limit: time.Second, Paint: func(ctx context.Context, f extract.File, number, width int) (extract.Painted, error) {
		b, err := f.Bytes(ctx)
		if err != nil {
			return extract.Painted{}, err
		}
		switch {
		case bytes.HasSuffix(b, []byte("hang")):
			select {}
		case bytes.HasSuffix(b, []byte("die")):
			os.Exit(3)
		case number > 3:
			return extract.Painted{Pages: 3}, extract.ErrNoPage
		}
		return extract.Painted{PNG: fmt.Appendf(nil, "%d at %d", number, width), Pages: 3}, nil
	}}
}

func TestPages(t *testing.T) {
	w := newWorker(t)
	for _, c := range []struct {
		command string
		number  int
		want    string
		err     error
	}{
		{"", 2, "2 at 700", nil},
		{"", 4, "", extract.ErrNoPage},
		{"hang", 1, "", extract.ErrTooLong},
		{"die", 1, "", extract.ErrCrashed},
		{"", 3, "3 at 700", nil},
	} {
		file := "%PDF-1.7 " + c.command
		p, err := extract.Page(t.Context(), w.Painter(1), extract.File{ReaderAt: strings.NewReader(file), Size: int64(len(file))}, c.number, 700)
		if string(p.PNG) != c.want || !errors.Is(err, c.err) || (c.want != "" || errors.Is(c.err, extract.ErrNoPage)) && p.Pages != 3 {
			t.Errorf("%s %d: %q of %d, %v", c.command, c.number, p.PNG, p.Pages, err)
		}
	}
	if got := read(t, w, "some words"); got.Text != "some words" {
		t.Errorf("a text after that: %+v", got)
	}
}

func newWorker(t *testing.T) *Worker {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := New(Options{Path: self, Args: []string{"read-worker"}, Env: []string{"A=b"}, Memory: 200 << 20})
	t.Cleanup(w.Close)
	return w
}

func read(t *testing.T, w *Worker, text string) extract.Result {
	t.Helper()
	r, err := extract.Read(t.Context(), w.Readers(obedient()), extract.File{ReaderAt: strings.NewReader(text), Size: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAFileCostsItselfAtMost: whatever becomes of one file, the next is read.
func TestAFileCostsItselfAtMost(t *testing.T) {
	w := newWorker(t)
	for command, want := range map[string]extract.Result{
		"hang":   {State: extract.Failed, Reason: extract.ErrTooLong.Error()},
		"wait":   {State: extract.Failed, Reason: extract.ErrTooLong.Error(), Text: "half "},
		"eat":    {State: extract.Failed, Reason: extract.ErrTooMuch.Error()},
		"die":    {State: extract.Failed, Reason: extract.ErrCrashed.Error()},
		"locked": {State: extract.Failed, Reason: extract.ErrEncrypted.Error()},
		"":       {State: extract.None, Reason: "the file is empty"},
	} {
		if command == "eat" && shadow > 1 {
			continue // there is too much for it to eat in a second
		}
		got := read(t, w, command)
		if got.State != want.State || got.Reason != want.Reason || got.Text != want.Text {
			t.Errorf("%s: %+v", command, got)
		}
		if got := read(t, w, "some words"); got.State != extract.Indexed || got.Text != "some words" {
			t.Errorf("after %q: %+v", command, got)
		}
	}
	large := strings.Repeat("word ", 2<<20)
	if got := read(t, w, large); got.State != extract.Indexed || len(got.Text) != extract.MaxText {
		t.Errorf("%d bytes, %s %s", len(got.Text), got.State, got.Reason)
	}
}

func TestTheProcessHasNoEnvironment(t *testing.T) {
	t.Setenv("SECRET", "key")
	if got := read(t, newWorker(t), "environment"); got.Text != "A=b" {
		t.Error(got.Text)
	}
}

// TestStopping ends a file that is read, and is no verdict on it.
func TestStopping(t *testing.T) {
	w := newWorker(t)
	read(t, w, "words")
	pid := w.child.cmd.Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	r, err := extract.Read(ctx, w.Readers(obedient()), extract.File{ReaderAt: strings.NewReader("hang"), Size: 4})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", r, err)
	}
	read(t, w, "words")
	if w.child.cmd.Process.Pid == pid {
		t.Error("the process goes on")
	}
	w.Close()
	_, err = extract.Read(t.Context(), w.Readers(obedient()), extract.File{ReaderAt: strings.NewReader("words"), Size: 5})
	if !errors.Is(err, extract.ErrUnavailable) {
		t.Error(err)
	}
	none := New(Options{Path: filepath.Join(t.TempDir(), "nothing")})
	_, err = extract.Read(t.Context(), none.Readers(obedient()), extract.File{ReaderAt: strings.NewReader("words"), Size: 5})
	if !errors.Is(err, extract.ErrUnavailable) {
		t.Error(err)
	}
}

// broken is a file whose bytes cannot be read.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the disk is gone") }

func TestAFileThatCannotBeReadIsNotToBlame(t *testing.T) {
	w := newWorker(t)
	r := w.Readers(obedient())[0]
	if err := r.Read(t.Context(), extract.File{ReaderAt: broken{}, Size: 4}, &extract.Output{}); !errors.Is(err, extract.ErrUnavailable) {
		t.Error(err)
	}
	if got := read(t, w, "words"); got.State != extract.Indexed {
		t.Errorf("%+v", got)
	}
}
