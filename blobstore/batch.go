package blobstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// Batch brings many blobs in at once: their bytes go to the disk while the next
// ones come, some hundred files are synced together, and only then renamed, so
// that a name never stands for less than its bytes. A Keep for each of them
// costs two syncs that nobody has to wait for here. It is used by one goroutine.
//
//	openat(staging/<name>) write … sync_file_range   each blob
//	fsync each · renameat each                       some hundred blobs, syncs side by side
//	fsync of every directory that got a name         Close
type Batch struct {
	staging string
	cut     int64
	path    func(Digest) string
	buf     []byte
	written []pending
	bytes   int64
	dirs    map[string]bool // that got names which are not synced
}

// pending is a file whose bytes are written and not synced.
type pending struct {
	f  *os.File
	to string
}

// A batch is synced at so many files, or bytes.
const (
	batchFiles = 256
	batchBytes = 64 << 20
	batchSyncs = 8 // side by side
)

// Batch brings many blobs into the store. They are there when Close returns.
func (d *Disk) Batch() *Batch {
	return &Batch{staging: filepath.Join(d.dir, "staging"), cut: math.MaxInt64, path: d.path, buf: make([]byte, chunkSize), dirs: map[string]bool{}}
}

// Add copies a blob. ErrCorrupt if r does not have the bytes of that digest;
// nothing is kept of it then, and the batch goes on. After any other error only
// Discard is left.
func (b *Batch) Add(ctx context.Context, d Digest, r io.Reader) (size int64, err error) {
	w, err := b.begin(b.path(d), false)
	if err != nil {
		return 0, fmt.Errorf("copy %v: %w", d, err)
	}
	sum := sha256.New()
	size, err = copyTo(ctx, io.MultiWriter(w, sum), r, b.buf)
	if err == nil {
		err = w.end()
	}
	if err == nil && Digest(sum.Sum(nil)) != d {
		err = fmt.Errorf("%w: its %d bytes have digest %v", ErrCorrupt, size, Digest(sum.Sum(nil)))
	}
	if err != nil {
		return size, errors.Join(fmt.Errorf("copy %v: %w", d, spaceError(err)), w.discard())
	}
	b.add(w)
	if len(b.written) >= batchFiles || b.bytes >= batchBytes {
		err = b.flush()
	}
	return size, err
}

func (b *Batch) begin(path string, hashed bool) (*cutWriter, error) {
	if err := os.MkdirAll(b.staging, 0o700); err != nil {
		return nil, spaceError(err)
	}
	w := &cutWriter{path: path, aside: filepath.Join(b.staging, rand.Text()), cut: b.cut}
	if hashed {
		w.sum = sha256.New()
	}
	return w, nil
}

func (b *Batch) add(w *cutWriter) {
	for i, f := range w.files {
		to := w.path
		if len(w.files) > 1 {
			to = partName(w.path, i)
		}
		b.written = append(b.written, pending{f, to})
		b.bytes += w.parts[i].Size
	}
}

// flush makes the bytes of what was written durable, then gives it its names.
func (b *Batch) flush() error {
	errs := make([]error, len(b.written))
	slots := make(chan struct{}, batchSyncs)
	var syncing sync.WaitGroup
	for i, p := range b.written {
		slots <- struct{}{}
		syncing.Go(func() {
			errs[i] = p.f.Sync()
			<-slots
		})
	}
	syncing.Wait()
	if err := errors.Join(errs...); err != nil {
		return spaceError(err)
	}
	for len(b.written) > 0 {
		p := b.written[0]
		dir := filepath.Dir(p.to)
		if !b.dirs[dir] {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return spaceError(err)
			}
			b.dirs[dir], b.dirs[filepath.Dir(dir)] = true, true
		}
		if err := p.f.Close(); err != nil {
			return spaceError(err)
		}
		if err := rename(p.f.Name(), p.to); err != nil {
			return spaceError(err)
		}
		b.written = b.written[1:]
	}
	b.bytes = 0
	return nil
}

// Close makes everything durable, names included.
func (b *Batch) Close() error {
	if err := b.flush(); err != nil {
		return err
	}
	for dir := range b.dirs {
		if err := syncDir(dir); err != nil {
			return spaceError(err)
		}
	}
	clear(b.dirs)
	return nil
}

// Discard lets go of what has no name yet. After Close it does nothing.
func (b *Batch) Discard() {
	for _, p := range b.written {
		p.f.Close()
		os.Remove(p.f.Name())
	}
	b.written = nil
}

// cutWriter writes files aside, the next where one has reached the cut.
type cutWriter struct {
	path  string // what it will be, without the number of a part
	aside string // the same for where it is written
	cut   int64
	sum   hash.Hash // of the part being written; nil: not wanted
	files []*os.File
	parts []Part
	begun int64 // of the last file, writeback was started up to here
}

func (w *cutWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		last := len(w.files) - 1
		if last < 0 || w.parts[last].Size == w.cut {
			if err := w.next(); err != nil {
				return n, err
			}
			last++
		}
		part := &w.parts[last]
		piece := p[n:min(len(p), n+int(min(w.cut-part.Size, int64(len(p)))))]
		m, err := w.files[last].Write(piece)
		if w.sum != nil {
			w.sum.Write(piece[:m])
		}
		n, part.Size = n+m, part.Size+int64(m)
		if err != nil {
			return n, err
		}
		if part.Size-w.begun >= writebackSize {
			startWriteback(w.files[last], w.begun, part.Size-w.begun)
			w.begun = part.Size
		}
	}
	return n, nil
}

// next ends the part being written and begins another.
func (w *cutWriter) next() error {
	w.endPart()
	f, err := os.OpenFile(partName(w.aside, len(w.files)), os.O_RDWR|os.O_CREATE|os.O_EXCL, blobMode)
	if err != nil {
		return err
	}
	w.files, w.parts, w.begun = append(w.files, f), append(w.parts, Part{}), 0
	return nil
}

func (w *cutWriter) endPart() {
	last := len(w.files) - 1
	if last < 0 {
		return
	}
	if w.parts[last].Size > w.begun {
		startWriteback(w.files[last], w.begun, w.parts[last].Size-w.begun)
	}
	if w.sum != nil {
		w.parts[last].SHA256 = hex.EncodeToString(w.sum.Sum(nil))
		w.sum.Reset()
	}
}

// end names the parts; of nothing written comes one empty file.
func (w *cutWriter) end() error {
	if len(w.files) == 0 {
		if err := w.next(); err != nil {
			return err
		}
	}
	w.endPart()
	for i := range w.parts {
		w.parts[i].File = filepath.Base(w.path)
		if len(w.parts) > 1 {
			w.parts[i].File = filepath.Base(partName(w.path, i))
		}
	}
	return nil
}

func (w *cutWriter) discard() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close(), os.Remove(f.Name()))
	}
	return errors.Join(errs...)
}

// copyTo is io.Copy that ends with ctx.
func copyTo(ctx context.Context, w io.Writer, r io.Reader, buf []byte) (size int64, err error) {
	for {
		n, err := fill(ctx, r, buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return size, err
			}
		}
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}
