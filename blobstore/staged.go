package blobstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// SmallSize is the size in bytes up to which a staged blob stays in memory, so
// that a log can carry it: see Placer.
const SmallSize = 256 << 10

// A buffer that is full after reading is too small for the stream: hence the one byte more.
const (
	headSize      = 64<<10 + 1 // most small blobs need no more
	wideSize      = SmallSize + 1
	chunkSize     = 1 << 20 // unit of reading, hashing and writing from there on
	writebackSize = 8 << 20 // unit of early writing to the disk
	prefixSize    = 512     // what http.DetectContentType looks at
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

// staged implements Placer. Its bytes are in head, in the file at path, or in both; all three are zero once they are let go.
type staged struct {
	disk   *Disk
	digest Digest
	size   int64
	prefix []byte

	head *[]byte // of disk.heads or disk.wides, the first size bytes count
	path string
	file *os.File // at path, written and not synced; nil: what is at path is synced

	spent bool  // by Keep, Place or Discard
	err   error // what Keep and Place return once spent
}

func (s *staged) Digest() Digest { return s.digest }
func (s *staged) Size() int64    { return s.size }
func (s *staged) Prefix() []byte { return s.prefix }

// Stage reads r to its end and hashes it. A stream longer than limit bytes (0:
// no limit) is ErrTooLarge as soon as one byte too many was read. An error of r
// comes back wrapped, and so does that of ctx, which is asked before each read;
// a full disk is ErrNoSpace. Whatever the error, nothing is left behind. What
// it returns is a Placer too.
//
// However long the stream, Stage uses no more than 256 KiB and two buffers of
// 1 MiB, and one goroutine that ends with it; a blob of at most SmallSize takes
// 64 KiB, or 256 KiB if it is longer than that, along until Keep, Place or Discard.
func (d *Disk) Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error) {
	if limit > 0 {
		r = &limitedReader{r: r, left: limit}
	}
	s := &staged{disk: d, head: d.heads.take()}
	if err := s.stage(ctx, r); err != nil {
		d.giveHead(s.head)
		return nil, fmt.Errorf("stage blob: %w", err)
	}
	return s, nil
}

func (d *Disk) giveHead(p *[]byte) {
	if len(*p) == d.heads.size {
		d.heads.give(p)
	} else {
		d.wides.give(p)
	}
}

func (s *staged) stage(ctx context.Context, r io.Reader) error {
	n, err := fill(ctx, r, *s.head)
	if err == nil {
		narrow := s.head
		s.head = s.disk.wides.take()
		copy(*s.head, *narrow)
		s.disk.heads.give(narrow)
		var more int
		more, err = fill(ctx, r, (*s.head)[n:])
		n += more
	}
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
	s.disk.giveHead(s.head)
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
	fan.placing.Lock()
	name, there := s.kept(fan, failures)
	fan.placing.Unlock()
	if !there {
		if err := s.write(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if name, err = s.rename(fan, failures); err != nil {
			return err
		}
	}
	if err := d.syncFanout(s.digest[0], failures); err != nil {
		return err
	}
	fan.settle(s.digest, name)
	return nil
}

// write makes the bytes a synced file at path.
func (s *staged) write() error {
	switch {
	case s.file != nil: // Prepare wrote it
		f := s.file
		s.file = nil
		return spaceError(errors.Join(s.disk.do.sync(f), s.disk.letGo(f)))
	case s.path != "":
		return nil
	}
	path := s.disk.stagingPath()
	err := s.disk.do.writeFile(path, func(f *os.File) error { return s.disk.do.put(f, s.Bytes()) })
	if err == nil {
		s.path = path
	}
	return err
}

// rename gives the staged file its digest's name, unless equal bytes came
// first. It returns what is to be settled when the name is synced.
func (s *staged) rename(fan *fanout, failures uint64) (*unsynced, error) {
	fan.placing.Lock()
	defer fan.placing.Unlock()
	if name, there := s.kept(fan, failures); there {
		return name, nil
	}
	if err := s.disk.do.rename(s.path, s.disk.path(s.digest)); err != nil {
		return nil, spaceError(err)
	}
	s.path = ""
	return s.disk.noted(s.digest, &unsynced{failures: failures}), nil
}

// kept tells whether the blob is there, so that syncing its directory is all
// that remains: its bytes were synced before it got its name, or since. Not so where a
// sync of the directory failed: the name must be written again to be synced. A
// blob of another size was damaged, and is healed by replacing it. The name is
// nil where it is not among the unsynced. fan.placing is held.
func (s *staged) kept(fan *fanout, failures uint64) (name *unsynced, there bool) {
	if failures > 0 {
		return nil, false
	}
	name = fan.unsynced[s.digest]
	if name != nil && !name.whole() {
		return nil, false
	}
	return name, s.disk.stands(s.digest, s.size)
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
		s.disk.giveHead(s.head)
		s.head = nil
	}
	if s.file != nil {
		s.disk.letGo(s.file) // it is to be removed, so what it says means nothing
		s.file = nil
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
