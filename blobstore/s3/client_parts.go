package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"bytes"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
)

const (
	partSize = 16 << 20 // in memory, once for each PutStream
	maxParts = 10_000
	// finishing is how much more patience there is while a store puts parts together,
	// which some do without a word.
	finishing = 20
	// cleaningUp is how long an upload that failed tries to be forgotten.
	cleaningUp = 10 * time.Second
)

// PutStream writes size bytes of r, in parts if they are many. Nothing stands under
// the key before the last of them. Parts that did not get through are sent again: they
// are nothing before the upload is complete, nor after it. What completes it is sent
// once.
func (c *Client) PutStream(ctx context.Context, key string, r io.Reader, size int64) (object.Info, error) {
	part := max(partSize, (size/maxParts+1<<20)&^(1<<20-1))
	if size <= part {
		b, err := readPart(r, make([]byte, max(size, 0)), true)
		if err != nil {
			return object.Info{}, err
		}
		return c.Put(ctx, key, b, object.Condition{})
	}
	asked, call := c.call(ctx)
	var opts minio.PutObjectOptions
	if c.checksums {
		opts.UserMetadata = map[string]string{"X-Amz-Checksum-Algorithm": "SHA256"}
	}
	upload, err := c.core.NewMultipartUpload(asked, c.bucket, c.prefix+key, opts)
	if err != nil {
		return object.Info{}, c.failed(call, "begin", key, err)
	}
	parts, err := c.putParts(ctx, key, upload, r, size, part)
	if err != nil {
		c.forget(ctx, key, upload)
		return object.Info{}, err
	}
	asked, call = c.call(ctx)
	call.patience *= finishing
	done, err := c.core.CompleteMultipartUpload(asked, c.bucket, c.prefix+key, upload, parts, minio.PutObjectOptions{})
	if err != nil {
		// It may be complete, or be completed yet: then there is nothing left to forget.
		c.forget(ctx, key, upload)
		return object.Info{}, c.failed(call, "complete", key, err)
	}
	return call.info(key, done.ETag, size, time.Time{})
}

func (c *Client) putParts(ctx context.Context, key, upload string, r io.Reader, size, part int64) ([]minio.CompletePart, error) {
	var parts []minio.CompletePart
	buf := make([]byte, part)
	for left := size; left > 0; left -= part {
		b, err := readPart(r, buf[:min(part, left)], left <= part)
		if err != nil {
			return nil, err
		}
		done, err := c.putPart(ctx, key, upload, len(parts)+1, b)
		if err != nil {
			return nil, err
		}
		parts = append(parts, done)
	}
	return parts, nil
}

// readPart fills b. Behind the last part there must be nothing.
func readPart(r io.Reader, b []byte, last bool) ([]byte, error) {
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if last {
		if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
			return nil, io.ErrUnexpectedEOF
		} else if err != io.EOF {
			return nil, err
		}
	}
	return b, nil
}

func (c *Client) putPart(ctx context.Context, key, upload string, n int, b []byte) (minio.CompletePart, error) {
	sum := sha256.Sum256(b)
	opts := minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true}
	part := minio.CompletePart{PartNumber: n}
	if c.checksums {
		part.ChecksumSHA256 = base64.StdEncoding.EncodeToString(sum[:])
		opts.CustomHeader = http.Header{checksumHeader: {part.ChecksumSHA256}}
	}
	for failed := 1; ; failed++ {
		asked, call := c.call(ctx)
		done, err := c.core.PutObjectPart(asked, c.bucket, c.prefix+key, upload, n, bytes.NewReader(b), int64(len(b)), opts)
		if err == nil {
			part.ETag = done.ETag
			return part, nil
		}
		// What the store has decided it decides again.
		decided := call.status >= 400 && call.status < 500 && call.status != http.StatusRequestTimeout && call.status != http.StatusTooManyRequests
		if failed == tries || decided || ctx.Err() != nil {
			return part, c.failed(call, "put a part of", key, err)
		}
		select {
		case <-ctx.Done():
			return part, ctx.Err()
		case <-time.After(time.Duration(failed) * 200 * time.Millisecond):
		}
	}
}

// forget gives the parts of a failed upload back. Where it does not succeed they stay
// until the bucket's rule for uploads that were not completed.
func (c *Client) forget(ctx context.Context, key, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaningUp)
	defer cancel()
	asked, _ := c.call(ctx)
	_ = c.core.AbortMultipartUpload(asked, c.bucket, c.prefix+key, upload)
}
