package cluster

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"strongroom/blobstore/object"
)

// openSnapshot returns the database that a snapshot is. It reads to the end only if the
// object is whole, and is what the pointer says; any other end is ErrDamaged. Who reads it
// has nothing before it has the end. object.ErrNotFound.
func (c *Config) openSnapshot(ctx context.Context, s snapshot) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &snapshotReader{ctx: ctx, from: c.Objects, s: s, sum: sha256.New()}
	if err := r.open(); err != nil {
		cancel()
		return nil, fmt.Errorf("get %s: %w", s.Key, err)
	}
	return &rowsReader{r: r, rows: newUnpacker(r), cancel: cancel}, nil
}

// rowsReader unpacks a snapshot. Its Close returns what went wrong with it.
type rowsReader struct {
	r      *snapshotReader // the unpacker's, until that is closed
	rows   *unpacker
	cancel context.CancelFunc
	read   int64
	err    error
}

func (r *rowsReader) Read(b []byte) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err = r.rows.Read(b)
	r.read += int64(n)
	switch {
	case err == io.EOF && r.read != r.r.s.Rows:
		err = fmt.Errorf("%w: %s holds %d bytes of rows, not %d", ErrDamaged, r.r.s.Key, r.read, r.r.s.Rows)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), isCorrupt(err):
		err = fmt.Errorf("%w: %s: %w", ErrDamaged, r.r.s.Key, err)
	}
	r.err = err
	return n, err
}

func isCorrupt(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}

// Close returns what reading failed with, but for the end.
func (r *rowsReader) Close() error {
	r.cancel()
	r.rows.Close()
	if err := r.r.Close(); r.err == nil || r.err == io.EOF {
		return err
	}
	return r.err
}

// snapshotReader reads a snapshot's object, goes on where a connection broke, and ends
// with io.EOF only if size and digest are right.
type snapshotReader struct {
	ctx  context.Context
	from object.Store
	s    snapshot
	sum  hash.Hash

	body  io.ReadCloser
	info  object.Info // of the first answer
	at    int64
	tries int // without a byte between them
	err   error
}

func (r *snapshotReader) open() error {
	body, info, err := r.from.Get(r.ctx, r.s.Key, r.at)
	if err != nil {
		return err
	}
	if info.Size != r.s.Size || r.info.ETag != "" && info.ETag != r.info.ETag {
		return errors.Join(fmt.Errorf("%w: %s has %d bytes, not %d, or is another than before", ErrDamaged, r.s.Key, info.Size, r.s.Size), body.Close())
	}
	r.body, r.info = body, info
	return nil
}

func (r *snapshotReader) Read(b []byte) (n int, err error) {
	for r.err == nil {
		if r.at == r.s.Size {
			r.err = r.end()
			break
		}
		if r.body == nil {
			if err = r.open(); err != nil {
				r.again(err)
				continue
			}
		}
		n, err = r.body.Read(b[:min(int64(len(b)), r.s.Size-r.at)])
		if n > 0 {
			r.sum.Write(b[:n])
			r.at, r.tries = r.at+int64(n), 0
			return n, nil
		}
		if err != nil {
			r.body.Close()
			r.body = nil
			r.again(fmt.Errorf("%s ended at byte %d of %d: %w", r.s.Key, r.at, r.s.Size, err))
		}
	}
	return 0, r.err
}

// again has the object opened once more, after a pause, or ends the reading.
func (r *snapshotReader) again(cause error) {
	r.tries++
	if r.tries == putTries || errors.Is(cause, object.ErrNotFound) || errors.Is(cause, ErrDamaged) || errors.Is(cause, object.ErrDamaged) {
		r.err = cause
		return
	}
	select {
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
	case <-time.After(putPause << r.tries):
	}
}

func (r *snapshotReader) end() error {
	if hex.EncodeToString(r.sum.Sum(nil)) != r.s.Digest {
		return fmt.Errorf("%w: %s has not the digest that the pointer names", ErrDamaged, r.s.Key)
	}
	return io.EOF
}

func (r *snapshotReader) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
