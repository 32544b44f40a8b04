package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// What is read of the files within one file, at all depths together.
const (
	maxDepth    = 4
	maxMembers  = 1000
	maxExpanded = 128 << 20 // bytes
)

// errEnough ends the reading of files within files; what was read stays.
var errEnough = errors.New("no more of it is read")

// nest is what all files within one file share.
type nest struct {
	readers []Reader
	members int   // that may still be read,
	bytes   int64 // and how much may come out of them
	stopped string
	unread  int    // how many could not be read,
	why     string // and why the first could not
}

func newNest(readers []Reader) *nest {
	return &nest{readers: readers, members: maxMembers, bytes: maxExpanded}
}

// memory is a file that is in memory already.
type memory struct {
	*bytes.Reader
	data []byte
}

// containing adapts what reads a file with files in it.
func containing(read func(context.Context, File, []byte, *Output) error) func(context.Context, File, *Output) error {
	return func(ctx context.Context, f File, out *Output) error {
		data, err := f.Bytes(ctx)
		if err != nil {
			return err
		}
		if f.nest == nil {
			f.nest = newNest(Readers())
		}
		err = read(ctx, f, data, out)
		if f.depth > 0 {
			return err
		}
		if errors.Is(err, errEnough) {
			err = nil
		}
		out.Note(f.nest.says())
		return err
	}
}

// says tells people what is missing.
func (n *nest) says() string {
	said := n.stopped
	if n.unread > 0 {
		if said != "" {
			said += "; "
		}
		said += fmt.Sprintf("not read of what is in it: %d (%s)", n.unread, n.why)
	}
	return said
}

// fail counts one that could not be read.
func (n *nest) fail(why error) { n.lack(reason(why)) }

// lack counts one that was not read, or not all of it.
func (n *nest) lack(why string) {
	if n.unread++; n.why == "" {
		n.why = why
	}
}

// take takes a file and so many bytes from what may be read.
func (n *nest) take(size int64) error {
	if n.stopped != "" {
		return errEnough
	}
	n.members--
	n.bytes -= size
	switch {
	case n.members < 0:
		n.stopped = fmt.Sprintf("only the first %d files in it", maxMembers)
	case n.bytes < 0:
		n.stopped = fmt.Sprintf("only the first %d MiB of the files in it", maxExpanded>>20)
	default:
		return nil
	}
	return errEnough
}

// member reads a file within f. What cannot be read of it is counted: the error is
// errEnough, that of ctx, or ErrUnavailable, and then f's reader ends as well.
func (f File) member(ctx context.Context, name, mediaType string, data []byte, out *Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if out.Full() {
		return nil
	}
	if err := f.nest.take(int64(len(data))); err != nil {
		return err
	}
	if len(data) > MaxInput {
		f.nest.fail(ErrTooLarge)
		return nil
	}
	if f.depth >= maxDepth {
		f.nest.fail(ErrTooDeep)
		return nil
	}
	inner := File{ReaderAt: memory{bytes.NewReader(data), data}, Size: int64(len(data)), MediaType: mediaType, Name: name, nest: f.nest, depth: f.depth + 1}
	out.Gap('\n')
	err := inner.readWithin(ctx, out)
	out.Gap('\n')
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errEnough), errors.Is(err, ErrUnavailable):
		return err
	case err != nil:
		f.nest.fail(err)
	}
	return nil
}

// readWithin reads in at most half the time that is left, so that one file does not
// take all of it from those behind it.
func (f File) readWithin(ctx context.Context, out *Output) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ErrMalformed
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	kind, err := KindOf(ctx, f)
	if err != nil {
		return err
	}
	reader, ok := readerOf(f.nest.readers, kind)
	switch {
	case ok:
		err := reader.Read(ctx, f, out)
		if out.note != "" { // what a reader says of the file is not so of the one it is in
			f.nest.lack(out.note)
			out.note = ""
		}
		return err
	case kind == Locked:
		return ErrEncrypted
	}
	return nil
}
