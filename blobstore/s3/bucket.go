package s3

import (
	"context"
	"fmt"
	"net/http"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
)

// Check asks whether the bucket is there, may be read, and keeps no versions: in one
// that does, nothing is ever erased. ErrNoBucket, ErrDenied, ErrVersioned; any other
// error: the store was not reached. Whether the store keeps its promises is for
// object.Trial.
func (c *Client) Check(ctx context.Context) error {
	asked, call := c.call(ctx)
	there, err := c.core.BucketExists(asked, c.bucket)
	switch {
	// HEAD has no body: a 403 says no more than that.
	case err != nil && call.status == http.StatusForbidden:
		return fmt.Errorf("%w: bucket %s: %s", ErrDenied, c.bucket, advice[minio.AccessDenied])
	case err != nil:
		return c.failed(call, "look at the bucket", "", err)
	case !there:
		return fmt.Errorf("%w: %s: make it, or name another", ErrNoBucket, c.bucket)
	}
	asked, call = c.call(ctx)
	versioning, err := c.core.GetBucketVersioning(asked, c.bucket)
	switch {
	// It cannot keep versions if it does not know what they are.
	case err != nil && (call.status == http.StatusNotImplemented || minio.ToErrorResponse(err).Code == "VersioningNotConfigured"):
		return nil
	case err != nil:
		return c.failed(call, "read the versioning of the bucket", "", err)
	case versioning.Enabled():
		return fmt.Errorf("%w: %s has versioning enabled, and erasing must erase: name a bucket without", ErrVersioned, c.bucket)
	case versioning.Suspended():
		return c.checkVersions(ctx)
	}
	return nil
}

// checkVersions looks for versions from before versioning was suspended. Without any
// the bucket is as good as one that never had it: what is put has the version null,
// and is overwritten and deleted for good.
func (c *Client) checkVersions(ctx context.Context) error {
	asked, call := c.call(ctx)
	asked, cancel := context.WithCancel(asked)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: c.prefix, Recursive: true, WithVersions: true}
	for found := range c.core.ListObjectsIter(asked, c.bucket, opts) {
		if found.Err != nil {
			return c.failed(call, "list the versions", "", found.Err)
		}
		if found.IsDeleteMarker || found.VersionID != "" && found.VersionID != "null" {
			return fmt.Errorf("%w: %s had versioning, and has versions of %q still: delete all versions and markers below the prefix, or name another bucket", ErrVersioned, c.bucket, found.Key)
		}
	}
	return ctx.Err()
}

var _ object.Holder = (*Client)(nil)
