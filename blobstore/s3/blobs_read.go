package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// Open returns the blob's bytes. The caller closes it. It is an *os.File if the blob is
// copied to the local disk, which it is now if it is not too long: then all of it was compared with
// its digest. A longer one is read from the store, by ranges as the caller seeks; a read that
// breaks off goes on from where it was, of the same object, and one from the beginning to the
// end that finds other bytes ends with ErrCorrupt in the place of the last of them.
// ErrNotFound, ErrUnavailable, and ErrCorrupt if no object of the blob has its bytes.
func (b *Blobs) Open(digest blobstore.Digest) (io.ReadSeekCloser, error) {
	for range 2 {
		if f, there := b.cache.get(digest); there {
			return f, nil
		}
		if at, ok := b.known.get(digest); ok && at.size > b.cache.longest() {
			break
		}
		fetch, theirs := b.cache.begin(digest)
		if fetch == nil {
			break
		}
		if !theirs {
			f, err := b.copy(fetch.ctx, digest)
			b.cache.end(digest, fetch, err)
			if err == nil {
				return f, nil
			}
		}
		<-fetch.done
		var refused *notCopied
		if errors.As(fetch.err, &refused) || errors.Is(fetch.err, context.Canceled) {
			break
		}
		if fetch.err != nil {
			return nil, blobError("open", digest, fetch.err)
		}
	}
	return b.OpenStored(digest)
}

// OpenStored is Open without the copy: all that is read comes from the store. It is for
// who wants to know how the bytes are there.
func (b *Blobs) OpenStored(digest blobstore.Digest) (io.ReadSeekCloser, error) {
	found, err := b.look(context.Background(), readPatience, digest)
	if err != nil {
		return nil, blobError("open", digest, err)
	}
	return b.reader(context.Background(), digest, found), nil
}

// notCopied says that a blob is not copied, because it is too long or because the
// local disk does not take it (err). It can be read from the store.
type notCopied struct{ err error }

func (n *notCopied) Error() string { return fmt.Sprintf("not copied: %v", n.err) }

// copy brings a blob to the local disk.
func (b *Blobs) copy(ctx context.Context, digest blobstore.Digest) (f *os.File, err error) {
	_, err = b.fetch(ctx, digest, func(r *blobReader) (int64, error) {
		if r.size > b.cache.longest() {
			return 0, &notCopied{errors.New("it is too long")}
		}
		path := b.stagingPath()
		n, err := b.spool(path, r)
		if err != nil {
			os.Remove(path)
			return n, err
		}
		if f, err = b.cache.add(digest, path, n); err != nil {
			err = &notCopied{err}
		}
		return n, err
	})
	return f, err
}

// spool writes what r has to a file.
func (b *Blobs) spool(path string, r *blobReader) (int64, error) {
	f, err := blobstore.CreateFresh(path)
	if err != nil {
		return 0, &notCopied{err}
	}
	w := &localWriter{w: f}
	b.cache.reserve(r.size)
	defer b.cache.reserve(-r.size)
	n, err := io.Copy(w, r)
	if closed := f.Close(); w.err == nil {
		w.err = closed
	}
	if w.err != nil {
		return n, &notCopied{w.err}
	}
	return n, err
}

// localWriter notes the failures of the local disk: they are not the store's.
type localWriter struct {
	w   io.Writer
	err error
}

func (l *localWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

// fetch gives the blob's reader to use, which reads it to the end. Where that finds
// other bytes it reads the object once more, and then the others of the digest.
func (b *Blobs) fetch(ctx context.Context, digest blobstore.Digest, use func(*blobReader) (int64, error)) (int64, error) {
	damaged := map[blobName]int{}
	var size int64
	var corrupt error
	for {
		at, err := b.locate(ctx, digest, damaged)
		if errors.Is(err, object.ErrNotFound) && corrupt != nil {
			err = corrupt
		}
		if err != nil {
			return size, err
		}
		r := b.reader(ctx, digest, at)
		size, err = use(r)
		r.Close()
		if !errors.Is(err, blobstore.ErrCorrupt) {
			return size, err
		}
		corrupt = err
		b.known.forget(digest, r.name)
		if damaged[r.name]++; damaged[r.name] > 2 { // the listing goes on naming what is not there
			return size, corrupt
		}
	}
}

// locate is where to read a blob: an object that was not found damaged twice. Whether it is
// there now is seen when it is read.
func (b *Blobs) locate(ctx context.Context, digest blobstore.Digest, damaged map[blobName]int) (locatedBlob, error) {
	if at, ok := b.known.get(digest); ok && damaged[at.blobName] < 2 {
		return at.locatedBlob, nil
	}
	all, err := b.list(ctx, readPatience, digest)
	for _, at := range all {
		if err == nil && damaged[at.blobName] < 2 {
			b.known.note(digest, knownBlob{at, false})
			return at, nil
		}
	}
	if err == nil {
		err = object.ErrNotFound
	}
	return locatedBlob{}, err
}

// blobReader reads one object, and another of the same digest if that goes away.
type blobReader struct {
	b      *Blobs
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	digest blobstore.Digest
	name   blobName
	size   int64
	etag   string // of the object, once it was opened

	pos    int64
	body   io.ReadCloser // from pos on; nil: to be opened
	hash   hash.Hash     // of the first hashed bytes
	hashed int64
	since  time.Time     // when reading began to fail; zero: the last read brought something
	pause  time.Duration // before it is opened again
	err    error         // for good
}

func (b *Blobs) reader(ctx context.Context, digest blobstore.Digest, at locatedBlob) *blobReader {
	r := &blobReader{b: b, digest: digest, name: at.blobName, size: at.size, hash: sha256.New()}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

func (r *blobReader) Read(p []byte) (int, error) {
	if r.err == nil && len(p) > 0 {
		n, err := r.read(p)
		if err == nil || err == io.EOF {
			return n, err
		}
		r.close()
		r.err = blobError("read", r.digest, err)
	}
	return 0, r.err
}

func (r *blobReader) read(p []byte) (int, error) {
	if r.pos == 0 {
		r.hash.Reset()
		r.hashed = 0
	}
	for r.pos < r.size {
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.size-r.pos)])
		if err != nil {
			r.close()
		}
		if n > 0 {
			r.since = time.Time{}
			if r.hashed == r.pos {
				r.hash.Write(p[:n])
				r.hashed += int64(n)
			}
			if r.pos += int64(n); r.pos == r.size {
				return n, r.verify()
			}
			return n, nil
		}
		if err != nil {
			if err := r.wait(err); err != nil {
				return 0, err
			}
		}
	}
	if r.size == 0 {
		if err := r.verify(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// verify is called at the end; it knows nothing of bytes that were passed over.
func (r *blobReader) verify() error {
	if found := sumOf(r.hash); r.hashed == r.size && found != r.digest {
		return fmt.Errorf("%w: the %d bytes of %s have digest %v", blobstore.ErrCorrupt, r.size, r.name.key(r.digest), found)
	}
	return nil
}

// open opens the object at pos, or looks for another if it is not there.
func (r *blobReader) open() error {
	err := r.get()
	if !errors.Is(err, object.ErrNotFound) {
		return err
	}
	r.b.known.forget(r.digest, r.name)
	all, err := r.b.list(r.ctx, readPatience, r.digest)
	if err != nil {
		return err
	}
	for _, at := range all {
		if at.size != r.size {
			continue
		}
		if at.blobName != r.name { // else it was hidden: see unhide
			r.name, r.etag = at.blobName, ""
		}
		if err := r.get(); !errors.Is(err, object.ErrNotFound) {
			if err == nil {
				r.b.known.note(r.digest, knownBlob{at, false})
			}
			return err
		}
	}
	return object.ErrNotFound
}

func (r *blobReader) get() error {
	return persist(r.ctx, readPatience, func() error {
		body, info, err := r.b.store.Get(r.ctx, r.name.key(r.digest), r.pos)
		if err != nil {
			return err
		}
		if info.Size != r.size || r.etag != "" && info.ETag != r.etag {
			body.Close()
			return settled{fmt.Errorf("%w: %s is another object than before", blobstore.ErrCorrupt, r.name.key(r.digest))}
		}
		r.body, r.etag = body, info.ETag
		return nil
	})
}

// wait lets some time pass after a read that broke off with err.
func (r *blobReader) wait(err error) error {
	switch now := time.Now(); {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case r.since.IsZero():
		r.since, r.pause = now, firstPause
	case now.Sub(r.since) >= readPatience:
		return fmt.Errorf("%w: %w", blobstore.ErrUnavailable, err)
	}
	timer := time.NewTimer(r.pause)
	defer timer.Stop()
	r.pause = min(2*r.pause, longestWait)
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (r *blobReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, errors.New("seek from nowhere")
	}
	if r.err == fs.ErrClosed {
		return 0, r.err
	}
	if offset < 0 {
		return 0, errors.New("seek to before the beginning")
	}
	if offset != r.pos {
		r.close()
		r.pos = offset
	}
	return offset, nil
}

func (r *blobReader) close() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

// Close ends reading. A second Close does nothing.
func (r *blobReader) Close() error {
	r.close()
	r.cancel()
	r.err = fs.ErrClosed
	return nil
}
