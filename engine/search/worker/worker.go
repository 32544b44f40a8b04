// Package worker reads files, and paints their pages, in a process of its own, which is killed when a file
// takes longer, or more memory, than it may: a goroutine cannot be.
//
// A host has a [Worker], which is the same list of readers to whoever uses it
// ([Worker.Readers]), and a program to start that calls [Serve] with its standard
// input and output. Usually that is the host's own binary, told by its arguments.
// The process is started with the first file, reads one at a time, is started anew
// when it was killed, and ends when there was nothing to read for a while, or when
// the host does: then its standard input ends. It inherits no file of the host and
// no environment but what [Options] name.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"strongroom/engine/search/extract"
)

const (
	// startLimit is how long the process may take until it reads.
	startLimit = time.Minute
	// grace is how long it may take to say that a file took too long, before it is
	// killed.
	grace = 2 * time.Second
	// idle is how long it is kept with nothing to read.
	idle = time.Minute
	// watchEvery is how often its memory is looked at while it reads.
	watchEvery = 50 * time.Millisecond

	// DefaultMemory is how much memory it may have, in bytes.
	DefaultMemory = 640 << 20
)

// Options of a worker.
type Options struct {
	Path   string   // of the program that calls Serve
	Name   string   // what it is called by; "": its path
	Args   []string // without the name of the program
	Env    []string // all of its environment
	Memory int64    // bytes of memory it may have, as the system counts them; 0 is DefaultMemory

	// Slow is called, in a goroutine of its own, when a file was read slower than it
	// could be, as the process says (see Serving.Slow). Nil: nobody cares.
	Slow func()
}

// Worker is the process, whether it runs or not. It is safe for concurrent use.
type Worker struct {
	options Options
	turn    chan struct{} // holds one while nobody reads

	mu     sync.Mutex
	child  *child      // nil: none runs. Changed by who has the turn, and by Close
	idle   *time.Timer // ends the child
	closed bool
}

// New returns a worker. Nothing is started before the first file.
func New(o Options) *Worker {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	w := &Worker{options: o, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// Readers returns readers of these kinds and versions which read in the process.
// It must have readers for them itself, and says how long theirs may take. Here that
// is counted from when the process is ready for a file.
func (w *Worker) Readers(of []extract.Reader) []extract.Reader {
	var readers []extract.Reader
	for _, r := range of {
		readers = append(readers, extract.Reader{Kind: r.Kind, Version: r.Version, Limit: -1,
			Read: func(ctx context.Context, f extract.File, out *extract.Output) error {
				return w.read(ctx, f, r.Kind, out)
			}})
	}
	return readers
}

// Restart ends the process when it has read what it reads; the next file starts it
// anew.
func (w *Worker) Restart(ctx context.Context) {
	select {
	case <-w.turn:
		w.drop()
		w.turn <- struct{}{}
	case <-ctx.Done():
	}
}

// Close ends the process, whatever it reads. Nothing is read afterwards.
func (w *Worker) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.drop()
}

// drop kills the process, if it runs, and waits for its end.
func (w *Worker) drop() {
	w.mu.Lock()
	c := w.child
	w.child = nil
	if w.idle != nil {
		w.idle.Stop()
	}
	w.mu.Unlock()
	if c != nil {
		c.kill()
	}
}

// Painter returns one of this version which paints in the process. It must have one
// itself, which says how long a page may take.
func (w *Worker) Painter(version int) extract.Painter {
	return extract.Painter{Version: version, Limit: -1,
		Paint: func(ctx context.Context, f extract.File, number, width int) (extract.Painted, error) {
			a, err := w.ask(ctx, f, number, width, func(c *child) time.Duration {
				if c.page > 0 {
					return c.page
				}
				return extract.DefaultLimit
			})
			return extract.Painted{PNG: a.bytes, Pages: a.Pages}, err
		}}
}

func (w *Worker) read(ctx context.Context, f extract.File, kind extract.Kind, out *extract.Output) error {
	a, err := w.ask(ctx, f, 0, 0, func(c *child) time.Duration { return c.limit(kind) })
	out.Text(string(a.bytes))
	if err == nil {
		out.Note(a.Reason)
	}
	return err
}

// ask has the process read a file or paint a page of it, when it is its turn.
func (w *Worker) ask(ctx context.Context, f extract.File, page, width int, limit func(*child) time.Duration) (a answer, err error) {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return a, ctx.Err()
	}
	defer func() { w.turn <- struct{}{} }()
	c, err := w.running(ctx)
	if err != nil {
		return a, err
	}
	err = c.within(ctx, limit(c)+grace, w.options.Memory, func() (err error) {
		a, err = c.ask(f, page, width)
		return err
	})
	if err != nil {
		w.drop()
		return answer{}, w.verdict(ctx, c, err)
	}
	if a.Reason == extract.ErrTooLong.Error() || a.Reason == extract.ErrTooMuch.Error() {
		w.drop() // a reader that was left behind goes on in there
	}
	w.rest()
	if a.Slow && w.options.Slow != nil {
		go w.options.Slow()
	}
	switch {
	case a.Unavailable != "":
		err = fmt.Errorf("%w: %s", extract.ErrUnavailable, a.Unavailable)
	case a.State == extract.Failed:
		err = extract.ErrorOf(a.Reason)
	}
	return a, err
}

// errSource: the bytes of a file could not be read here, and the process waits for
// the rest of them.
var errSource = errors.New("the file cannot be read")

// verdict says what the end of the process means for the file it was reading.
func (w *Worker) verdict(ctx context.Context, c *child, err error) error {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case closed:
		return fmt.Errorf("%w: it was told to stop", extract.ErrUnavailable)
	case errors.Is(err, errSource):
		return errors.Join(extract.ErrUnavailable, err)
	case errors.Is(err, extract.ErrTooLong), errors.Is(err, extract.ErrTooMuch):
		return err
	}
	said := c.stderr.String()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return extract.ErrTooMuch
	}
	return extract.ErrCrashed
}

// running returns the process, started if there is none.
func (w *Worker) running(ctx context.Context) (*child, error) {
	w.mu.Lock()
	c, closed := w.child, w.closed
	if w.idle != nil {
		w.idle.Stop()
	}
	w.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("%w: it was told to stop", extract.ErrUnavailable)
	}
	if c != nil && !c.over() {
		return c, nil
	}
	w.drop()
	c, err := startChild(w.options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", extract.ErrUnavailable, err)
	}
	if err := c.within(ctx, startLimit, w.options.Memory, c.hello); err != nil {
		c.kill()
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%w: its process does not start: %w: %s", extract.ErrUnavailable, err, c.stderr.String()))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		go c.kill()
		return nil, fmt.Errorf("%w: it was told to stop", extract.ErrUnavailable)
	}
	w.child = c
	return c, nil
}

// rest ends the process after a while, unless there is something to read by then.
func (w *Worker) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.child
	w.idle = time.AfterFunc(idle, func() {
		select {
		case <-w.turn:
		default:
			return // it reads again
		}
		defer func() { w.turn <- struct{}{} }()
		w.mu.Lock()
		same := w.child == c
		w.mu.Unlock()
		if same {
			w.drop()
		}
	})
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// closeAll closes what a process is spoken to with.
func closeAll(closers ...io.Closer) {
	for _, c := range closers {
		c.Close() // it is gone, whatever this says
	}
}
