package blobstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	headSize      = 128 << 10 // a shorter blob waits in memory for Keep
	chunkSize     = 1 << 20   // unit of reading, hashing and writing from there on
	writebackSize = 8 << 20   // unit of early writing to the disk
	prefixSize    = 512       // what http.DetectContentType looks at
)

// buffers is a pool of slices of one length.
type buffers struct {
	size int
	pool sync.Pool
}

func (b *buffers) take() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, b.size)
	return &p
}

func (b *buffers) give(p *[]byte) { b.pool.Put(p) }

// staged implements Staged. Its bytes are in head or in the file at path; both are zero once they are let go.
type staged struct {
	disk   *Disk
	digest Digest
	size   int64
	prefix []byte

	head *[]byte // of disk.heads, the first size bytes count
	path string

	spent bool  // by Keep or Discard
	err   error // what Keep returns once spent
}

func (s *staged) Digest() Digest { return s.digest }
func (s *staged) Size() int64    { return s.size }
func (s *staged) Prefix() []byte { return s.prefix }

// Stage reads r to its end and hashes it. A stream longer than limit bytes (0:
// no limit) is ErrTooLarge as soon as one byte too many was read. An error of r
// comes back wrapped, and so does that of ctx, which is asked before each read;
// a full disk is ErrNoSpace. Whatever the error, nothing is left behind.
// However long the stream, Stage uses no more than 128 KiB and two buffers of
// 1 MiB, and one goroutine that ends with it; a blob shorter than 128 KiB
// takes its 128 KiB along until Keep or Discard.
func (d *Disk) Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error) {
	if limit > 0 {
		r = &limitedReader{r: r, left: limit}
	}
	s := &staged{disk: d, head: d.heads.take()}
	if err := s.stage(ctx, r); err != nil {
		d.heads.give(s.head)
		return nil, fmt.Errorf("stage blob: %w", err)
	}
	return s, nil
}

func (s *staged) stage(ctx context.Context, r io.Reader) error {
	n, err := fill(ctx, r, *s.head)
	if err != nil && err != io.EOF {
		return err
	}
	first := (*s.head)[:n]
	s.prefix = append(s.prefix, first[:min(n, prefixSize)]...)
	if err == io.EOF {
		s.size, s.digest = int64(n), sha256.Sum256(first)
		return nil
	}
	path := s.disk.stagingPath()
	if err := s.disk.do.writeFile(path, func(f *os.File) error { return s.stream(ctx, f, first, r) }); err != nil {
		return err
	}
	s.disk.heads.give(s.head)
	s.head, s.path = nil, path
	return nil
}

// stream writes first and the rest of r to f and sets size and digest. While it
// writes a chunk and reads the next, a second goroutine hashes.
func (s *staged) stream(ctx context.Context, f *os.File, first []byte, r io.Reader) error {
	hash := sha256.New()
	hash.Write(first)
	if err := s.disk.do.put(f, first); err != nil {
		return err
	}
	s.size = int64(len(first))
	var begun int64 // writeback was started up to here

	a, b := s.disk.chunks.take(), s.disk.chunks.take()
	defer func() { s.disk.chunks.give(a); s.disk.chunks.give(b) }()
	free := make(chan []byte, 2) // a chunk comes back when it is hashed; it was written before the next is taken
	free <- *a
	free <- *b
	err := func() error {
		toHash := make(chan []byte, 2)
		var hasher sync.WaitGroup
		hasher.Go(func() {
			for chunk := range toHash {
				hash.Write(chunk)
				free <- chunk[:cap(chunk)]
			}
		})
		defer hasher.Wait() // even if r panics: the buffers go back to the pool
		defer close(toHash)
		for {
			buf := <-free
			n, end := fill(ctx, r, buf)
			if end != nil && end != io.EOF {
				return end
			}
			if n == 0 {
				return nil
			}
			toHash <- buf[:n]
			if err := s.disk.do.put(f, buf[:n]); err != nil {
				return err
			}
			s.size += int64(n)
			if s.size-begun >= writebackSize {
				startWriteback(f, begun, s.size-begun)
				begun = s.size
			}
			if end == io.EOF {
				return nil
			}
		}
	}()
	s.digest = Digest(hash.Sum(nil))
	return err
}

// Keep: see Staged, and the package comment for the order of its steps.
func (s *staged) Keep(ctx context.Context) error {
	if s.spent {
		return s.err
	}
	s.spent = true
	if err := s.keep(ctx); err != nil {
		s.err = fmt.Errorf("keep %v: %w", s.digest, err)
	}
	// A staged copy that cannot be dropped is in nobody's way and is swept at
	// the next Open, so it does not change the outcome.
	s.release()
	return s.err
}

func (s *staged) keep(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, fan := s.disk, &s.disk.fanout[s.digest[0]]
	failures := fan.failures.Load()
	if !s.kept(failures) {
		if s.head != nil {
			path := d.stagingPath()
			err := d.do.writeFile(path, func(f *os.File) error { return d.do.put(f, (*s.head)[:s.size]) })
			if err != nil {
				return err
			}
			s.path = path
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.place(fan, failures); err != nil {
			return err
		}
	}
	return d.syncFanout(s.digest[0], failures)
}

// place renames the staged file to its digest, unless equal bytes came first.
func (s *staged) place(fan *fanout, failures uint64) error {
	fan.placing.Lock()
	defer fan.placing.Unlock()
	if s.kept(failures) {
		return nil
	}
	if err := s.disk.do.rename(s.path, s.disk.path(s.digest)); err != nil {
		return spaceError(err)
	}
	s.path = ""
	return nil
}

// kept tells whether the blob is there, so that syncing its directory is all
// that remains: its bytes were synced before it got its name. Not so where a
// sync of the directory failed: the name must be written again to be synced. A
// blob of another size was damaged, and is healed by replacing it.
func (s *staged) kept(failures uint64) bool {
	if failures > 0 {
		return false
	}
	info, err := os.Lstat(s.disk.path(s.digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == s.size
}

// Discard: see Staged.
func (s *staged) Discard() error {
	if s.spent {
		return nil
	}
	s.spent, s.err = true, ErrDiscarded
	if err := s.release(); err != nil {
		return fmt.Errorf("discard staged blob: %w", err)
	}
	return nil
}

// release lets go of the bytes, wherever they are.
func (s *staged) release() error {
	if s.head != nil {
		s.disk.heads.give(s.head)
		s.head = nil
	}
	if s.path == "" {
		return nil
	}
	path := s.path
	s.path = ""
	return s.disk.do.removeIfPresent(path)
}

// stagingPath returns a path that nobody uses.
func (d *Disk) stagingPath() string { return filepath.Join(d.dir, "staging", rand.Text()) }

// fill reads until buf is full (nil) or r has ended (io.EOF, n bytes before it).
func fill(ctx context.Context, r io.Reader, buf []byte) (n int, err error) {
	for idle := 0; n < len(buf); {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// limitedReader is r, failing with ErrTooLarge once more than left bytes came.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < int64(len(p)) {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n, ErrTooLarge
	}
	return n, err
}
