package s3test

import (
	"context"

	"github.com/minio/minio-go/v7"
)

// MakeLockingBucket makes a bucket that can lock objects.
func (s *Server) MakeLockingBucket(name string) {
	s.t.Helper()
	s.done("make the locking bucket "+name, func(ctx context.Context, c *minio.Client) error {
		return c.MakeBucket(ctx, name, minio.MakeBucketOptions{ObjectLocking: true})
	})
}
