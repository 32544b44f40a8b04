package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
)

var _ object.Locker = (*Client)(nil)

// ErrNotLocking says that a bucket cannot lock what is in it, or locks all of it.
var ErrNotLocking = errors.New("the bucket is none to lock objects in")

// CheckLocks asks whether the bucket is there and can lock objects, and locks none by
// itself: an upload that failed could not be removed. ErrNotLocking, and what Check
// returns. Whether the store keeps what it locks is for object.TrialLock.
func (c *Client) CheckLocks(ctx context.Context) error {
	// Of a bucket with versions that is all there is to ask; of another it says nothing yet.
	if err := c.Check(ctx); err != nil && !errors.Is(err, ErrVersioned) {
		return err
	}
	asked, call := c.call(ctx)
	enabled, mode, _, _, err := c.core.GetObjectLockConfig(asked, c.bucket)
	switch {
	case err != nil && (call.status == http.StatusNotFound || call.status == http.StatusNotImplemented):
		return fmt.Errorf("%w: %s has no Object Lock: make a bucket with it, for the blobs alone", ErrNotLocking, c.bucket)
	case err != nil:
		return c.failed(call, "read the locks of the bucket", "", err)
	case enabled != "Enabled":
		return fmt.Errorf("%w: %s has no Object Lock: make a bucket with it, for the blobs alone", ErrNotLocking, c.bucket)
	case mode != nil && *mode != "":
		return fmt.Errorf("%w: %s retains everything by default, and erasing must erase: take its default retention away", ErrNotLocking, c.bucket)
	}
	return nil
}

// Versions calls fn with all versions of the objects below a prefix.
func (c *Client) Versions(ctx context.Context, prefix string, fn func(object.Version) error) error {
	asked, call := c.call(ctx)
	asked, cancel := context.WithCancel(asked)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: c.prefix + prefix, Recursive: true, WithVersions: true}
	for found := range c.core.ListObjectsIter(asked, c.bucket, opts) {
		if found.Err != nil {
			return c.failed(call, "list the versions of", prefix, found.Err)
		}
		key, below := strings.CutPrefix(found.Key, c.prefix)
		if !below || !strings.HasPrefix(key, prefix) || strings.HasSuffix(key, "/") && found.Size == 0 {
			continue // what is a directory to some
		}
		info := object.Info{Key: key, ETag: found.ETag, Size: found.Size, Modified: found.LastModified.UTC(), Now: call.now}
		if err := fn(object.Version{Info: info, ID: found.VersionID, Marker: found.IsDeleteMarker}); err != nil {
			return err
		}
	}
	return ctx.Err() // the client ends a listing that was cancelled as if it were complete
}

// Retain keeps a version until then, in mode COMPLIANCE, unless it is retained for longer.
func (c *Client) Retain(ctx context.Context, key, version string, until time.Time) error {
	until = until.Add(time.Second - 1).Truncate(time.Second).UTC() // stores know seconds
	has, _, err := c.locks(ctx, key, version)
	if err != nil || !has.Before(until) {
		return err
	}
	asked, call := c.call(ctx)
	mode := minio.Compliance
	err = c.core.PutObjectRetention(asked, c.bucket, c.prefix+key, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, VersionID: version})
	if err != nil {
		return c.lockFailed(call, "retain", key, err)
	}
	return nil
}

// locks is until when a version is retained, zero if it is not, and whether it is
// held. It is read of the object's header: of the two calls that S3 has for it, stores spell the answers differently.
func (c *Client) locks(ctx context.Context, key, version string) (until time.Time, held bool, err error) {
	asked, call := c.call(ctx)
	info, err := c.core.StatObject(asked, c.bucket, c.prefix+key, minio.StatObjectOptions{VersionID: version})
	switch {
	case err != nil && call.status == http.StatusNotFound:
		return until, false, fmt.Errorf("%s in %s: %w", key, c, object.ErrNotFound)
	case err != nil:
		return until, false, c.failed(call, "read the locks of", key, err)
	}
	mode, held := info.Metadata.Get("X-Amz-Object-Lock-Mode"), info.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"
	if mode != string(minio.Compliance) { // any other can be taken away
		return until, held, nil
	}
	until, err = time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err != nil {
		err = fmt.Errorf("until when %s in %s is retained cannot be read: %w", key, c, err)
	}
	return until, held, err
}

// LegalHold keeps a version until the hold is taken off.
func (c *Client) LegalHold(ctx context.Context, key, version string, on bool) error {
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	asked, call := c.call(ctx)
	err := c.core.PutObjectLegalHold(asked, c.bucket, c.prefix+key, minio.PutObjectLegalHoldOptions{Status: &status, VersionID: version})
	if err != nil {
		return c.lockFailed(call, "hold", key, err)
	}
	return nil
}

// DeleteVersion removes a version for good. Stores refuse with different words what is
// locked, and with the same words what is not allowed: so it is asked.
func (c *Client) DeleteVersion(ctx context.Context, key, version string) error {
	asked, call := c.call(ctx)
	err := c.core.RemoveObject(asked, c.bucket, c.prefix+key, minio.RemoveObjectOptions{VersionID: version})
	if err == nil || call.missing(err) || minio.ToErrorResponse(err).Code == minio.NoSuchVersion {
		return nil
	}
	if call.status == http.StatusForbidden || call.status == http.StatusBadRequest {
		if until, held, unknown := c.locks(ctx, key, version); unknown == nil && (held || until.After(call.now)) {
			return fmt.Errorf("%s in %s: %w", key, c, object.ErrLocked)
		}
	}
	return c.failed(call, "delete", key, err)
}

// lockFailed is failed for what is asked of one version.
func (c *Client) lockFailed(call *call, verb, key string, err error) error {
	if minio.ToErrorResponse(err).Code == minio.NoSuchVersion {
		return fmt.Errorf("%s in %s: %w", key, c, object.ErrNotFound)
	}
	return c.failed(call, verb, key, err)
}
