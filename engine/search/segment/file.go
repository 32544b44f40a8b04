package segment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is a segment in a file. It is read by ReadAt, so what is in memory of it
// is the operating system's cache and what a search has in hand.
type file struct {
	f      *os.File
	length int64
}

func (f file) size() int64 { return f.length }

func (f file) view(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at+n > f.length {
		return nil, ErrDamaged
	}
	b := make([]byte, n)
	if err := f.read(at, b); err != nil {
		return nil, err
	}
	return b, nil
}

func (f file) read(at int64, b []byte) error {
	_, err := f.f.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = ErrDamaged
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.f.Name(), err)
	}
	return nil
}

// openFile opens a segment that was written to a file.
func openFile(path string) (*Segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s, err := open(file{f, info.Size()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return s, nil
}

// close lets the file go, if there is one.
func (s *Segment) close() error {
	if f, ok := s.src.(file); ok {
		return f.f.Close()
	}
	return nil
}

// writeFile makes a file durable that fill has written, or leaves none. It is
// for who names it afterwards to sync the directory.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncDir makes the names in a directory durable, where that can be asked for.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	d.Sync() // not on every system; without it a power cut costs the index, which is built anew
	return d.Close()
}
