package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"time"

	"strongroom/engine/search/extract"
)

// child is one process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *tail
	room   []byte                         // through which files go to it, one at a time
	ended  chan struct{}                  // closed when it is no more
	limits map[extract.Kind]time.Duration // how long a file may take
	page   time.Duration                  // and a picture
}

// startChild starts the process. The thread that does so waits for its end: the
// system kills the process when that thread ends (see ownGroup).
func startChild(o Options) (*child, error) {
	c := &child{cmd: exec.Command(o.Path, o.Args...), stderr: &tail{}, room: make([]byte, 32<<10), ended: make(chan struct{})}
	c.cmd.Env, c.cmd.Stderr = append([]string{}, o.Env...), c.stderr
	if c.cmd.SysProcAttr = ownGroup(); o.Name != "" {
		c.cmd.Args[0] = o.Name
	}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.cmd.Process.Wait()
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		closeAll(c.in, out)
		return nil, err
	}
	return c, nil
}

// over reports whether it has ended.
func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// kill ends it and what it has started, and waits for that.
func (c *child) kill() {
	if !c.over() {
		killGroup(c.cmd.Process)
	}
	c.in.Close()
	<-c.ended
	// What is left is to wait for who copies its standard error.
	c.cmd.Wait()
}

// within does something with the process. It kills the process when that takes
// longer than limit, when ctx ends, and when it takes more memory than it may.
func (c *child) within(ctx context.Context, limit time.Duration, memory int64, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	timer, watch := time.NewTimer(limit), time.NewTicker(watchEvery)
	defer timer.Stop()
	defer watch.Stop()
	var verdict error
	for verdict == nil {
		select {
		case err := <-done:
			return err
		case <-timer.C:
			verdict = extract.ErrTooLong
		case <-ctx.Done():
			verdict = ctx.Err()
		case <-watch.C:
			if resident(c.cmd.Process.Pid) > shadow*memory {
				verdict = extract.ErrTooMuch
			}
		}
	}
	killGroup(c.cmd.Process)
	c.in.Close()
	<-done
	return verdict
}

// hello waits until it is ready.
func (c *child) hello() error {
	var ready greeting
	if err := receive(c.out, &ready); err != nil {
		return err
	}
	if ready.Protocol != protocol {
		return errors.New("it is another version of the program")
	}
	c.limits, c.page = ready.Limits, ready.Page
	return nil
}

func (c *child) limit(kind extract.Kind) time.Duration {
	if limit := c.limits[kind]; limit > 0 {
		return limit
	}
	return extract.DefaultLimit
}

// ask has it read a file, or paint a page of it.
func (c *child) ask(f extract.File, page, width int) (a answer, err error) {
	err = send(c.in, request{Size: f.Size, MediaType: f.MediaType, Name: f.Name, Page: page, Width: width})
	if err != nil {
		return a, err
	}
	source := &witness{r: io.NewSectionReader(f, 0, f.Size)}
	n, err := io.CopyBuffer(struct{ io.Writer }{c.in}, source, c.room) // a pipe would take room of its own for each file
	if source.err != nil || err == nil && n < f.Size {
		return a, errors.Join(errSource, source.err)
	}
	if err != nil {
		return a, err
	}
	if err := receive(c.out, &a); err != nil {
		return a, err
	}
	most := int64(2 * extract.MaxText)
	if page > 0 {
		most = extract.MaxPicture
	}
	if a.Bytes < 0 || a.Bytes > most {
		return a, errors.New("an answer that cannot be")
	}
	a.bytes = make([]byte, a.Bytes)
	_, err = io.ReadFull(c.out, a.bytes)
	return a, err
}

// witness remembers that reading failed, to tell it from writing.
type witness struct {
	r   io.Reader
	err error
}

func (w *witness) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
