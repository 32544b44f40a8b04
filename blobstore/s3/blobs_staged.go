package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

const (
	// A buffer that is full after reading is too small for the stream: hence the one byte more.
	headBytes  = blobstore.SmallSize + 1
	chunkBytes = 1 << 20
	prefixSize = 512 // what http.DetectContentType looks at

	// attemptTime is how long one request with the bytes of a small blob may take.
	attemptTime = 30 * time.Second
)

// stagedBlob has its bytes in memory, or in the file at path.
type stagedBlob struct {
	b      *Blobs
	digest blobstore.Digest
	size   int64
	prefix []byte

	small []byte
	path  string // "": in memory, or let go

	spent bool
	err   error // what Keep returns once spent
}

func (s *stagedBlob) Digest() blobstore.Digest { return s.digest }
func (s *stagedBlob) Size() int64              { return s.size }
func (s *stagedBlob) Prefix() []byte           { return s.prefix }

// Stage reads r to its end and hashes it. Up to 256 KiB stay in memory; more goes to a
// file in Dir, for which copies make room. A stream longer than limit bytes (0: no limit)
// is ErrTooLarge as soon as one byte too many was read; a full disk is ErrNoSpace; an error of r comes back wrapped, and
// so does that of ctx, which is asked before each read. Whatever the error, nothing is left behind.
func (b *Blobs) Stage(ctx context.Context, r io.Reader, limit int64) (blobstore.Staged, error) {
	if limit > 0 {
		r = &boundedReader{r, limit}
	}
	s := &stagedBlob{b: b}
	if err := s.stage(ctx, r); err != nil {
		return nil, fmt.Errorf("stage blob: %w", spaceError(err))
	}
	return s, nil
}

func (s *stagedBlob) stage(ctx context.Context, r io.Reader) error {
	head := s.b.heads.Get().(*[]byte)
	defer s.b.heads.Put(head)
	n, err := readFull(ctx, r, *head)
	if err != nil && err != io.EOF {
		return err
	}
	first := (*head)[:n]
	s.prefix = bytes.Clone(first[:min(n, prefixSize)])
	if err == io.EOF {
		s.small, s.size, s.digest = bytes.Clone(first), int64(n), sha256.Sum256(first)
		return nil
	}
	return s.spool(ctx, first, r)
}

// spool writes first and the rest of r to a file. It is not synced: it is worth
// nothing to the next process.
func (s *stagedBlob) spool(ctx context.Context, first []byte, r io.Reader) error {
	path := s.b.stagingPath()
	f, err := blobstore.CreateFresh(path)
	if err != nil {
		return err
	}
	s.path = path
	whole := false
	defer func() { // so that a panic of r leaves nothing either
		f.Close() // again, which does no harm
		if !whole {
			s.release()
		}
	}()
	hash, buf := sha256.New(), s.b.chunks.Get().(*[]byte)
	defer s.b.chunks.Put(buf)
	for chunk, end := first, error(nil); ; {
		s.b.cache.reserve(int64(len(chunk)))
		s.size += int64(len(chunk))
		hash.Write(chunk)
		if _, err := f.Write(chunk); err != nil {
			return err
		}
		if end == io.EOF {
			break
		}
		var n int
		if n, end = readFull(ctx, r, *buf); end != nil && end != io.EOF {
			return end
		}
		chunk = (*buf)[:n]
	}
	if err := f.Close(); err != nil {
		return err
	}
	whole, s.digest = true, sumOf(hash)
	return nil
}

// Keep: see blobstore.Staged. What it cannot learn from the store it asks again until
// ctx ends. Then, and after any other error, nothing is kept as far as the caller may know, and no reference may
// be recorded, though the bytes may be in the store, or may come to be.
func (s *stagedBlob) Keep(ctx context.Context) error {
	if s.spent {
		return s.err
	}
	s.spent = true
	if err := s.keep(ctx); err != nil {
		s.err = blobError("keep", s.digest, err)
	}
	s.release() // what is left of it is swept at the next open
	return s.err
}

func (s *stagedBlob) keep(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	epoch := s.b.epoch.Load()
	if epoch == 0 {
		return errNoEpoch
	}
	leave, err := s.b.turns.enter(ctx, s.digest)
	if err != nil {
		return err
	}
	defer leave()
	if there, err := s.stands(ctx, epoch); there || err != nil {
		return err
	}
	name := newBlobName(epoch)
	if err := s.put(ctx, name.key(s.digest)); err != nil {
		s.b.known.doubt(s.digest, name)
		return err
	}
	s.b.known.note(s.digest, knownBlob{locatedBlob{name, s.size}, true})
	s.copy()
	return nil
}

// stands tells whether the bytes need not be put again: see Blobs for the two cases.
// An object of another size was damaged, and does not count.
func (s *stagedBlob) stands(ctx context.Context, epoch uint64) (bool, error) {
	at, known := s.b.known.get(s.digest)
	live := s.b.live.Load()
	referred := live != nil && (*live)(s.digest)
	if !referred && !(known && at.own && at.epoch == epoch) {
		return false, nil
	}
	found, err := s.b.look(ctx, 0, s.digest)
	if errors.Is(err, object.ErrNotFound) {
		return false, nil // it is lost: this heals it
	}
	return err == nil && found.size == s.size && (referred || found.blobName == at.blobName), err
}

// put returns when the object is known to be there.
func (s *stagedBlob) put(ctx context.Context, key string) error {
	return persist(ctx, 0, func() error {
		info, err := s.putOnce(ctx, key)
		if errors.Is(err, object.ErrExists) { // nobody else has this name: a request of ours came through
			info, err = s.b.store.Stat(ctx, key)
		}
		if errors.Is(err, object.ErrNotFound) { // an answer to another question
			err = fmt.Errorf("the store lacks what is being put: %v", err)
		}
		if err == nil && info.Size != s.size {
			err = settled{fmt.Errorf("%w: the store has %d bytes of %d in %s", object.ErrDamaged, info.Size, s.size, key)}
		}
		return err
	})
}

func (s *stagedBlob) putOnce(ctx context.Context, key string) (object.Info, error) {
	if s.path == "" {
		ctx, cancel := context.WithTimeout(ctx, attemptTime)
		defer cancel()
		return s.b.store.Put(ctx, key, s.small, object.Condition{Absent: true})
	}
	f, err := os.Open(s.path)
	if err != nil {
		return object.Info{}, settled{err}
	}
	defer f.Close()
	r := &localReader{r: f}
	info, err := s.b.store.PutStream(ctx, key, r, s.size)
	if err != nil && r.err != nil {
		err = settled{fmt.Errorf("read the staged bytes: %w", r.err)}
	}
	return info, err
}

// copy makes the staged bytes the copy on the local disk: whoever reads what was just
// uploaded need not ask the store. It is no failure if that fails.
func (s *stagedBlob) copy() {
	if s.size > s.b.cache.longest() {
		return
	}
	if s.path == "" {
		path := s.b.stagingPath()
		if err := os.WriteFile(path, s.small, 0o600); err != nil {
			os.Remove(path)
			return
		}
		s.path = path
	} else {
		s.b.cache.reserve(-s.size)
	}
	if f, err := s.b.cache.add(s.digest, s.path, s.size); err == nil {
		f.Close()
	}
	s.path = ""
}

// Discard: see blobstore.Staged.
func (s *stagedBlob) Discard() error {
	if s.spent {
		return nil
	}
	s.spent, s.err = true, blobstore.ErrDiscarded
	if err := s.release(); err != nil {
		return fmt.Errorf("discard staged blob: %w", err)
	}
	return nil
}

// release lets go of the bytes, wherever they are.
func (s *stagedBlob) release() error {
	s.small = nil
	if s.path == "" {
		return nil
	}
	path := s.path
	s.path = ""
	s.b.cache.reserve(-s.size)
	return os.Remove(path)
}

// stagingPath returns a path that nobody uses.
func (b *Blobs) stagingPath() string { return filepath.Join(b.dir, "staging", rand.Text()) }

// readFull reads until buf is full (nil) or r has ended (io.EOF, n bytes before it).
func readFull(ctx context.Context, r io.Reader, buf []byte) (n int, err error) {
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

// boundedReader is r, failing with ErrTooLarge once more than left bytes came.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (l *boundedReader) Read(p []byte) (int, error) {
	if l.left < int64(len(p)) {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n, blobstore.ErrTooLarge
	}
	return n, err
}

// localReader notes the failures of the local disk: they are not the store's.
type localReader struct {
	r   io.Reader
	err error
}

func (l *localReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}
