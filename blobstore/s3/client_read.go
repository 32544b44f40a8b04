package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
)

// tries is how often a read that broke off goes on from where it was, before it has
// got anything more.
const tries = 4

// Get opens the object from an offset on. A read that breaks off goes on from where
// it was, if the object is still the same; if not, it fails with ErrChanged.
func (c *Client) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, object.Info, error) {
	if offset < 0 {
		return nil, object.Info{}, errors.New("the offset is before the beginning")
	}
	body, info, err := c.open(ctx, key, offset, "")
	if err != nil {
		return nil, object.Info{}, err
	}
	return &reader{ctx: ctx, c: c, info: info, at: offset, body: body}, info, nil
}

// open is one request for the bytes from an offset on, of the object with an ETag if
// there is one.
func (c *Client) open(ctx context.Context, key string, offset int64, match string) (io.ReadCloser, object.Info, error) {
	asked, call := c.call(ctx)
	var opts minio.GetObjectOptions
	if offset > 0 {
		opts.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	if match != "" {
		opts.Set("If-Match", `"`+match+`"`)
	}
	body, got, header, err := c.core.GetObject(asked, c.bucket, c.prefix+key, opts)
	switch {
	case err == nil:
	case call.status == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		return c.end(ctx, key, offset)
	case match != "" && (call.status == http.StatusPreconditionFailed || call.missing(err)):
		return nil, object.Info{}, fmt.Errorf("%s in %s, while it was read: %w", key, c, object.ErrChanged)
	default:
		return nil, object.Info{}, c.failed(call, "read", key, err)
	}
	size := got.Size
	if offset > 0 {
		if size, err = total(call.status, header, offset); err != nil {
			body.Close()
			return nil, object.Info{}, fmt.Errorf("read %s in %s: %w", key, c, err)
		}
	}
	info, err := call.info(key, got.ETag, size, got.LastModified)
	if err != nil {
		body.Close()
		return nil, object.Info{}, err
	}
	return body, info, nil
}

// total is the size of an object of which the bytes from an offset on have come.
func total(status int, header http.Header, offset int64) (int64, error) {
	answer := header.Get("Content-Range")
	if status != http.StatusPartialContent {
		return 0, errors.New("the store answers a range with the whole")
	}
	size := answer[strings.LastIndexByte(answer, '/')+1:]
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || answer != fmt.Sprintf("bytes %d-%d/%d", offset, n-1, n) {
		return 0, fmt.Errorf("the store was asked for the bytes from %d on, and answers with %q", offset, answer)
	}
	return n, nil
}

// end is what there is behind the last byte.
func (c *Client) end(ctx context.Context, key string, offset int64) (io.ReadCloser, object.Info, error) {
	info, err := c.Stat(ctx, key)
	if err == nil && offset < info.Size {
		err = fmt.Errorf("read %s in %s: the store has no byte %d of %d", key, c, offset, info.Size)
	}
	if err != nil {
		return nil, object.Info{}, err
	}
	return io.NopCloser(bytes.NewReader(nil)), info, nil
}

type reader struct {
	ctx    context.Context // of the Get, as that of a request is its body's
	c      *Client
	info   object.Info
	at     int64
	body   io.ReadCloser // nil: broken off
	failed int           // since the last byte came
	err    error         // for good
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		if r.at >= r.info.Size {
			r.err = io.EOF
			break
		}
		if r.body == nil {
			r.again()
			continue
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.info.Size-r.at)])
		r.at += int64(n)
		if err != nil {
			r.body.Close()
			r.body = nil
		}
		if n > 0 {
			r.failed = 0
			return n, nil
		}
		if err != nil {
			r.brokeOff(err)
		}
	}
	return 0, r.err
}

// again opens what is left.
func (r *reader) again() {
	body, info, err := r.c.open(r.ctx, r.info.Key, r.at, r.info.ETag)
	switch {
	case err != nil:
		r.brokeOff(err)
	case info.ETag != r.info.ETag || info.Size != r.info.Size: // the store ignores If-Match
		body.Close()
		r.err = fmt.Errorf("%s in %s, while it was read: %w", r.info.Key, r.c, object.ErrChanged)
	default:
		r.body = body
	}
}

func (r *reader) brokeOff(err error) {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.failed++
	if r.failed == tries || answers(err) || r.ctx.Err() != nil {
		r.err = err
		return
	}
	select {
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
	case <-time.After(time.Duration(r.failed) * 100 * time.Millisecond):
	}
}

func (r *reader) Close() error {
	if r.err == nil {
		r.err = errors.New("the object was closed")
	}
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// List calls fn with the objects below a prefix, in the order of their keys.
func (c *Client) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	// Every page is a request of its own: the call is theirs in turn.
	asked, call := c.call(ctx)
	asked, cancel := context.WithCancel(asked)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: c.prefix + prefix, Recursive: true, FetchOwner: new(bool)}
	if after != "" {
		opts.StartAfter = c.prefix + after
	}
	last := opts.StartAfter
	for found := range c.core.ListObjectsIter(asked, c.bucket, opts) {
		if found.Err != nil {
			return c.failed(call, "list", prefix, found.Err)
		}
		key, below := strings.CutPrefix(found.Key, c.prefix)
		// Some list what is a directory to them.
		if strings.HasSuffix(found.Key, "/") && found.Size == 0 {
			continue
		}
		if !below || !strings.HasPrefix(key, prefix) || found.Key <= last && last != "" {
			return fmt.Errorf("list %s in %s: the store lists %q after %q", prefix, c, found.Key, last)
		}
		last = found.Key
		if err := fn(object.Info{Key: key, ETag: found.ETag, Size: found.Size, Modified: found.LastModified.UTC(), Now: call.now}); err != nil {
			return err
		}
	}
	// The client ends a listing that was cancelled as if it were complete.
	return ctx.Err()
}
