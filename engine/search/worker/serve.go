package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"strongroom/engine/search/extract"
)

// What is said through the pipes is JSON behind its length, four bytes; behind a
// request come the bytes of the file, behind an answer those of the text or the picture.
const (
	protocol  = 2
	maxHeader = 64 << 10
)

type greeting struct {
	Protocol int
	Limits   map[extract.Kind]time.Duration
	Page     time.Duration // that of a picture
}

type request struct {
	Size            int64
	MediaType, Name string
	Page, Width     int // what to paint; Page 0: nothing, the text is wanted
}

type answer struct {
	State       extract.State
	Reason      string
	Unavailable string // why nothing is known of the file
	Slow        bool
	Bytes       int64 // of the text or the picture
	Pages       int
	bytes       []byte
}

func send(w io.Writer, what any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func receive(r io.Reader, what any) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxHeader {
		return fmt.Errorf("%d bytes of header", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return json.Unmarshal(b, what)
}

// Serving is what the process does.
type Serving struct {
	Readers []extract.Reader
	// Painter makes pictures of pages. The zero one makes none.
	Painter extract.Painter
	// Slow reports whether files of a kind could be read faster than they are.
	Slow func(extract.Kind) bool
	// Memory is how much memory the process may have, in bytes. Where the system lets
	// it, it sees to that itself too.
	Memory int64
}

// Serve reads what comes in until that ends, whatever it is reading then.
func Serve(ctx context.Context, s Serving, in io.Reader, out io.Writer) error {
	limitMemory(s.Memory)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hello := greeting{protocol, map[extract.Kind]time.Duration{}, s.Painter.Limit}
	for _, r := range s.Readers {
		hello.Limits[r.Kind] = r.Limit
	}
	if err := send(out, hello); err != nil {
		return err
	}
	type job struct {
		request
		data []byte
	}
	jobs, failed := make(chan job), make(chan error, 1)
	go func() {
		from := bufio.NewReader(in)
		for {
			var j job
			err := receive(from, &j.request)
			if err == nil && (j.Size < 0 || j.Size > extract.MaxInput) {
				err = extract.ErrTooLarge
			}
			if err == nil {
				j.data = make([]byte, j.Size)
				_, err = io.ReadFull(from, j.data)
			}
			if err != nil {
				failed <- err
				return
			}
			jobs <- j
		}
	}()
	answers := make(chan answer, 1)
	for {
		select {
		case j := <-jobs:
			go func() { answers <- s.read(ctx, j.request, j.data) }()
		case a := <-answers:
			a.Bytes = int64(len(a.bytes))
			if err := send(out, a); err != nil {
				return err
			}
			if _, err := out.Write(a.bytes); err != nil {
				return err
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s Serving) read(ctx context.Context, q request, data []byte) (a answer) {
	began := time.Now()
	f := extract.File{ReaderAt: bytes.NewReader(data), Size: q.Size, MediaType: q.MediaType, Name: q.Name}
	kind, err := extract.PDF, error(nil)
	if q.Page > 0 {
		a, err = s.paint(ctx, q, f)
	} else {
		var r extract.Result
		r, err = extract.Read(ctx, s.Readers, f)
		a, kind = answer{State: r.State, Reason: r.Reason, bytes: []byte(r.Text)}, r.Kind
	}
	if err != nil {
		return answer{Unavailable: err.Error()}
	}
	if len(data) > 4<<20 || time.Since(began) > time.Second {
		debug.FreeOSMemory()
	}
	a.Slow = s.Slow != nil && s.Slow(kind)
	return a
}

// paint answers with a picture, or with what is wrong with the file. The error says
// that nothing is known of it.
func (s Serving) paint(ctx context.Context, q request, f extract.File) (answer, error) {
	if s.Painter.Paint == nil {
		return answer{}, extract.ErrUnavailable
	}
	p, err := extract.Page(ctx, s.Painter, f, q.Page, q.Width)
	a := answer{State: extract.Indexed, Pages: p.Pages, bytes: p.PNG}
	switch {
	case ctx.Err() != nil, errors.Is(err, extract.ErrUnavailable):
		return answer{}, err
	case err != nil:
		a = answer{State: extract.Failed, Reason: err.Error(), Pages: p.Pages}
	}
	return a, nil
}
